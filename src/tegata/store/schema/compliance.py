"""Evidence for promises: records, what they come to, and the faults that were planted.

What they say is sealed under the platform tenant's key, bound to its place: who edits a row can
make it unreadable, never say something else.
"""

from __future__ import annotations

from sqlalchemy import PrimaryKeyConstraint, Table

from tegata.store.schema.columns import metadata, number_column, octets_column, text_column

evidence_record = Table(
    "evidence_record",
    metadata,
    text_column("tenant"),
    text_column("probe"),
    number_column("sequence"),
    text_column("id"),
    octets_column("sealed"),
    PrimaryKeyConstraint("tenant", "probe", "sequence"),
)

evidence_standing = Table(
    "evidence_standing",
    metadata,
    text_column("tenant"),
    text_column("probe"),
    number_column("sequence"),
    octets_column("sealed"),
    PrimaryKeyConstraint("tenant", "probe"),
)

canary_plan = Table(
    "canary_plan",
    metadata,
    text_column("tenant"),
    text_column("id"),
    text_column("state"),
    octets_column("sealed"),
    PrimaryKeyConstraint("tenant", "id"),
)
