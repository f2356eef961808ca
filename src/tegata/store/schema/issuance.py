"""Authorities, their keys and serial numbers, and certificates."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, PrimaryKeyConstraint, Table

from tegata.store.schema.columns import (
    epoch_column,
    metadata,
    number_column,
    octets_column,
    shard_column,
    text_column,
)

signing_key = Table(
    "signing_key",
    metadata,
    text_column("tenant"),
    text_column("id"),
    text_column("purpose"),
    text_column("algorithm"),
    text_column("signature_algorithm"),
    octets_column("public_key"),
    octets_column("sealed"),
    number_column("created_at"),
    PrimaryKeyConstraint("tenant", "id"),
)

issuer = Table(
    "issuer",
    metadata,
    text_column("tenant"),
    text_column("id"),
    text_column("name"),
    text_column("parent", nullable=True),
    text_column("signing_key"),
    octets_column("certificate"),
    octets_column("bounds", nullable=True),
    text_column("predecessor", nullable=True),
    number_column("created_at"),
    PrimaryKeyConstraint("tenant", "id"),
)

# CAs that wait for a certificate from elsewhere.
pending_issuer = Table(
    "pending_issuer",
    metadata,
    text_column("tenant"),
    text_column("id"),
    text_column("name"),
    text_column("signing_key"),
    octets_column("subject"),
    octets_column("request"),
    octets_column("bounds", nullable=True),
    text_column("predecessor", nullable=True),
    number_column("created_at"),
    PrimaryKeyConstraint("tenant", "id"),
)

# Certificates beside an issuer's own: of CAs elsewhere above it, and between its generations.
issuer_certificate = Table(
    "issuer_certificate",
    metadata,
    text_column("tenant"),
    text_column("issuer"),
    text_column("kind"),
    Column("place", Integer, nullable=False, autoincrement=False),
    octets_column("certificate"),
    PrimaryKeyConstraint("tenant", "issuer", "kind", "place"),
)

# Who issues nothing: an issuer, a whole tenant, or (both empty) anybody. `tenant` has set it.
issuance_stop = Table(
    "issuance_stop",
    metadata,
    text_column("tenant"),
    text_column("stopped_tenant"),
    text_column("issuer"),
    text_column("cause"),
    number_column("since"),
    PrimaryKeyConstraint("tenant", "stopped_tenant", "issuer", "cause"),
)

issuer_policy = Table(
    "issuer_policy",
    metadata,
    text_column("tenant"),
    text_column("issuer"),
    Column("version", Integer, nullable=False, autoincrement=False),
    text_column("title"),
    text_column("language"),
    text_column("media_type"),
    text_column("content"),
    number_column("published_at"),
    PrimaryKeyConstraint("tenant", "issuer", "version"),
)

# Public: who issues is written in every certificate. It is how a status request, which names
# no tenant, finds the one it belongs to.
issuer_directory = Table(
    "issuer_directory",
    metadata,
    text_column("issuer"),
    text_column("tenant"),
    octets_column("sha1_key"),
    octets_column("sha256_key"),
    octets_column("certificate"),
    PrimaryKeyConstraint("issuer"),
    Index("issuer_directory_sha1", "sha1_key"),
    Index("issuer_directory_sha256", "sha256_key"),
)

responder = Table(
    "responder",
    metadata,
    text_column("tenant"),
    text_column("issuer"),
    text_column("signing_key"),
    octets_column("certificate"),
    number_column("not_after"),
    number_column("created_at"),
    PrimaryKeyConstraint("tenant", "issuer"),
)

serial_block = Table(
    "serial_block",
    metadata,
    text_column("tenant"),
    text_column("id"),
    text_column("issuer"),
    epoch_column(),
    Column("size", Integer, nullable=False),
    shard_column(),
    octets_column("prf_key"),
    text_column("node"),
    number_column("created_at"),
    number_column("closed_at", nullable=True),
    PrimaryKeyConstraint("tenant", "id"),
    Index("serial_block_open", "tenant", "node", "closed_at"),
)

certificate = Table(
    "certificate",
    metadata,
    text_column("tenant"),
    octets_column("id"),
    epoch_column(),
    text_column("issuer"),
    octets_column("serial"),
    text_column("profile"),
    Column("profile_version", Integer, nullable=False),
    text_column("subject"),
    number_column("not_before"),
    number_column("not_after"),
    shard_column(),
    number_column("fingerprint"),
    PrimaryKeyConstraint("issuer", "serial", "epoch"),
    # One for each order that a search can be read in (ADR 14). An issuer belongs to one tenant
    # and needs none before it.
    Index("certificate_list", "tenant", "id"),
    Index("certificate_expiry", "tenant", "not_after", "id"),
    Index("certificate_profile", "tenant", "profile", "not_after", "id"),
    Index("certificate_issuer", "issuer", "not_after", "id"),
    Index("certificate_subject", "tenant", "subject", "id"),
    Index("certificate_fingerprint", "tenant", "fingerprint"),
    postgresql_partition_by="RANGE (epoch)",
)

# Names as rows, host names reversed ("com.example.www"), so that a subtree is one range.
certificate_name = Table(
    "certificate_name",
    metadata,
    text_column("tenant"),
    text_column("name"),
    octets_column("certificate"),
    epoch_column(),
    PrimaryKeyConstraint("tenant", "name", "certificate", "epoch"),
    postgresql_partition_by="RANGE (epoch)",
    sqlite_with_rowid=False,
)

certificate_der = Table(
    "certificate_der",
    metadata,
    text_column("tenant"),
    octets_column("certificate"),
    epoch_column(),
    octets_column("der"),
    PrimaryKeyConstraint("certificate", "epoch"),
    postgresql_partition_by="RANGE (epoch)",
    sqlite_with_rowid=False,
)
