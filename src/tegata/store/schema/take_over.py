"""CAs that are being taken over, and serial numbers that another CA gave (ADR 18)."""

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

# `id` is the issuer's to be; `chain` is its certificate and those above it, one after the other.
take_over = Table(
    "take_over",
    metadata,
    text_column("tenant"),
    text_column("id"),
    text_column("name"),
    text_column("signing_key"),
    octets_column("key_sha256"),
    octets_column("chain"),
    text_column("state"),
    number_column("crl_number", nullable=True),
    text_column("point", nullable=True),
    Column("told", Integer, nullable=False),
    number_column("entries"),
    number_column("certificates"),
    number_column("revoked"),
    number_column("revision"),
    number_column("created_at"),
    PrimaryKeyConstraint("tenant", "id"),
    # A CA is not taken over twice at a time.
    Index("take_over_key", "tenant", "key_sha256", unique=True),
)

# What was handed in of each serial number, until it is recorded.
take_over_entry = Table(
    "take_over_entry",
    metadata,
    text_column("tenant"),
    text_column("issuer"),
    octets_column("serial"),
    octets_column("der", nullable=True),
    text_column("profile"),
    number_column("not_after", nullable=True),
    number_column("revoked_at", nullable=True),
    number_column("reason", nullable=True),
    number_column("invalid_since", nullable=True),
    PrimaryKeyConstraint("tenant", "issuer", "serial"),
)

# Serial numbers that do not carry their month of expiry as ours do: where to look for them. One
# without a certificate is known by its number alone.
foreign_serial = Table(
    "foreign_serial",
    metadata,
    text_column("tenant"),
    text_column("issuer"),
    octets_column("serial"),
    epoch_column(),
    shard_column(),
    number_column("not_after"),
    PrimaryKeyConstraint("tenant", "issuer", "serial"),
    sqlite_with_rowid=False,
)
