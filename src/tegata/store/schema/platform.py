"""The platform's own: jobs, nodes, places in their journals."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, PrimaryKeyConstraint, Table

from tegata.store.schema.columns import metadata, number_column, text_column

job = Table(
    "job",
    metadata,
    text_column("kind"),
    text_column("key"),
    text_column("tenant"),
    number_column("run_at"),
    text_column("owner", nullable=True),
    number_column("leased_until"),
    Column("tries", Integer, nullable=False),
    PrimaryKeyConstraint("kind", "key"),
    Index("job_due", "run_at"),
)

# Every node that ever started on this database, and how far its journal of negative acts is in
# here: all of its acts up to `mark`, and those of `negative_act` (ADR 15).
node = Table(
    "node",
    metadata,
    text_column("id"),
    number_column("generation"),
    number_column("mark"),
    number_column("beat"),
    number_column("blocks_until"),
    Column("awaited", Integer, nullable=False),
    number_column("written_off_at", nullable=True),
    PrimaryKeyConstraint("id"),
)

negative_act = Table(
    "negative_act",
    metadata,
    text_column("node"),
    number_column("place"),
    PrimaryKeyConstraint("node", "place"),
    sqlite_with_rowid=False,
)
