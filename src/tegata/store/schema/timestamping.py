"""Time-stamping authorities and their units."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, PrimaryKeyConstraint, Table

from tegata.store.schema.columns import metadata, number_column, octets_column, text_column

# `ordered_until` is the genTime, in microseconds, of the last token of an authority whose tokens
# are ordered by it.
timestamp_authority = Table(
    "timestamp_authority",
    metadata,
    text_column("tenant"),
    text_column("id"),
    text_column("name"),
    text_column("issuer"),
    text_column("policies"),
    text_column("algorithm"),
    text_column("signature_algorithm"),
    number_column("accuracy"),
    Column("ordering", Integer, nullable=False, autoincrement=False),
    number_column("ordered_until"),
    number_column("created_at"),
    number_column("disabled_at", nullable=True),
    PrimaryKeyConstraint("tenant", "id"),
    Index("timestamp_authority_name", "tenant", "name", unique=True),
)

# Requests name an authority and nobody else.
timestamp_directory = Table(
    "timestamp_directory",
    metadata,
    text_column("authority"),
    text_column("tenant"),
    PrimaryKeyConstraint("authority"),
)

timestamp_unit = Table(
    "timestamp_unit",
    metadata,
    text_column("tenant"),
    text_column("authority"),
    Column("number", Integer, nullable=False, autoincrement=False),
    text_column("signing_key"),
    octets_column("certificate"),
    octets_column("certificate_id"),
    octets_column("serial"),
    number_column("not_after"),
    number_column("key_until"),
    number_column("created_at"),
    PrimaryKeyConstraint("tenant", "authority", "number"),
)

# Serial numbers of tokens: each run of the platform has a block of its own.
timestamp_block = Table(
    "timestamp_block",
    metadata,
    text_column("tenant"),
    text_column("authority"),
    octets_column("block"),
    number_column("created_at"),
    PrimaryKeyConstraint("tenant", "authority", "block"),
)

# Checkpoints of the log that were time-stamped, and their stamps.
anchored_checkpoint = Table(
    "anchored_checkpoint",
    metadata,
    number_column("size"),
    octets_column("note"),
    number_column("created_at"),
    PrimaryKeyConstraint("size"),
)

log_anchor = Table(
    "log_anchor",
    metadata,
    number_column("size"),
    Column("number", Integer, nullable=False, autoincrement=False),
    text_column("source"),
    number_column("gen_time"),
    octets_column("response"),
    number_column("created_at"),
    PrimaryKeyConstraint("size", "number"),
)
