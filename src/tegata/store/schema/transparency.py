"""The Merkle log: its head, its tiles, what waits for a place and which place it got."""

from __future__ import annotations

from sqlalchemy import Column, Integer, PrimaryKeyConstraint, Table

from tegata.store.schema.columns import metadata, number_column, octets_column, text_column

# One row. `fence` counts the sequencers that there were: only the last may write. `note` is the
# newest signed checkpoint, of `note_size` leaves.
log_head = Table(
    "log_head",
    metadata,
    text_column("name"),
    text_column("origin"),
    number_column("size"),
    number_column("fence"),
    text_column("owner"),
    number_column("leased_until"),
    octets_column("note", nullable=True),
    number_column("note_size"),
    PrimaryKeyConstraint("name"),
)

# A tile's octets only grow; level -1 is the entry bundles.
log_tile = Table(
    "log_tile",
    metadata,
    Column("level", Integer, nullable=False, autoincrement=False),
    number_column("number"),
    octets_column("octets"),
    PrimaryKeyConstraint("level", "number"),
)

# Entries of events that have no place yet; written in the events' own transactions.
log_queue = Table(
    "log_queue",
    metadata,
    text_column("tenant"),
    number_column("sequence"),
    octets_column("entry"),
    PrimaryKeyConstraint("tenant", "sequence"),
    sqlite_with_rowid=False,
)

log_leaf = Table(
    "log_leaf",
    metadata,
    text_column("tenant"),
    number_column("sequence"),
    number_column("place"),
    PrimaryKeyConstraint("tenant", "sequence"),
    sqlite_with_rowid=False,
)

# How far each tenant's record is in the log.
log_mark = Table(
    "log_mark",
    metadata,
    text_column("tenant"),
    number_column("sequence"),
    PrimaryKeyConstraint("tenant"),
)

# Salts of events that are older than the log; later ones have theirs beside their disclosures.
log_salt = Table(
    "log_salt",
    metadata,
    text_column("tenant"),
    number_column("sequence"),
    octets_column("sealed"),
    PrimaryKeyConstraint("tenant", "sequence"),
)
