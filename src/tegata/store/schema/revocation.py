"""What changes about certificates, and the lists that say so."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, PrimaryKeyConstraint, Table, text

from tegata.pkix.crl import RevocationReason
from tegata.store.schema.columns import (
    epoch_column,
    metadata,
    number_column,
    octets_column,
    shard_column,
    text_column,
)

# certificateHold (RFC 5280 section 5.3.1); the few held ones have an index of their own.
HELD = text(f"reason = {RevocationReason.CERTIFICATE_HOLD.number}")

# What changes is narrow and apart: a certificate's own row is never updated. A void serial (a
# crash lay between its reservation and its record) stands here without a certificate.
revocation = Table(
    "revocation",
    metadata,
    text_column("tenant"),
    text_column("issuer"),
    octets_column("serial"),
    epoch_column(),
    octets_column("certificate", nullable=True),
    number_column("revoked_at"),
    Column("reason", Integer, nullable=False),
    octets_column("entry"),
    number_column("listed_until"),
    number_column("invalid_since", nullable=True),
    shard_column(),
    # The issuer's count of changes when this one was made: what a delta CRL goes by.
    number_column("change"),
    PrimaryKeyConstraint("tenant", "issuer", "serial"),
    Index("revocation_shard", "tenant", "issuer", "shard", "serial"),
    Index("revocation_change", "tenant", "issuer", "change"),
    Index("revocation_expiry", "tenant", "listed_until", "issuer", "serial"),
    Index(
        "revocation_held",
        *("tenant", "listed_until", "issuer", "serial"),
        sqlite_where=HELD,
        postgresql_where=HELD,
    ),
    sqlite_with_rowid=False,
)

# What changed of late, for the nodes that have answers about it in memory. Its columns stand in
# the order of its key: SQLite 3.40's integrity check finds NULL in them otherwise.
status_change = Table(
    "status_change",
    metadata,
    number_column("changed_at"),
    text_column("issuer"),
    octets_column("serial"),
    text_column("tenant"),
    PrimaryKeyConstraint("changed_at", "issuer", "serial"),
    sqlite_with_rowid=False,
)

# A hold that was taken back: delta CRLs say so until a complete list stands without it.
revocation_release = Table(
    "revocation_release",
    metadata,
    text_column("tenant"),
    text_column("issuer"),
    octets_column("serial"),
    epoch_column(),
    shard_column(),
    number_column("change"),
    number_column("released_at"),
    octets_column("entry"),
    PrimaryKeyConstraint("tenant", "issuer", "serial"),
    Index("revocation_release_change", "tenant", "issuer", "change"),
    sqlite_with_rowid=False,
)

# What a CRL is for: shard 0 is all of an issuer, every other one what was issued in it (ADR 13).
# `places` counts serials reserved in a shard; `changes`, on shard 0, the issuer's revocations,
# holds and releases; `number` is the last number given to a list of the scope, full or delta,
# `full_number` and `delta_number` those of the last published ones.
crl_scope = Table(
    "crl_scope",
    metadata,
    text_column("tenant"),
    text_column("issuer"),
    shard_column(),
    text_column("url"),
    number_column("places"),
    Column("last_epoch", Integer, nullable=False, autoincrement=False),
    number_column("changes"),
    number_column("number"),
    number_column("base_number"),
    number_column("base_change"),
    number_column("base_at"),
    number_column("full_number"),
    number_column("delta_number"),
    PrimaryKeyConstraint("tenant", "issuer", "shard"),
)

crl = Table(
    "crl",
    metadata,
    text_column("tenant"),
    text_column("issuer"),
    shard_column(),
    text_column("kind"),
    number_column("number"),
    number_column("this_update"),
    number_column("next_update"),
    Column("entries", Integer, nullable=False),
    Column("scheduled", Integer, nullable=False),
    octets_column("der"),
    PrimaryKeyConstraint("tenant", "issuer", "shard", "kind", "number"),
)

# Below which no CRL number of an issuer may be: those above the last list of a restored database.
crl_floor = Table(
    "crl_floor",
    metadata,
    text_column("tenant"),
    text_column("issuer"),
    number_column("number"),
    PrimaryKeyConstraint("tenant", "issuer"),
)
