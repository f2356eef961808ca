"""Evidence for promises."""

from __future__ import annotations

from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, LargeBinary, PrimaryKeyConstraint, Text

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

phase = "expand"
lock = "none"  # new tables only
reversible = True


def _text(name: str) -> Column[str]:
    octets = Text().with_variant(Text(collation="C"), "postgresql")
    return Column(name, octets, nullable=False)


def _octets(name: str) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=False)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, autoincrement=False)


def upgrade(op: Operations) -> None:
    """Make the tables."""
    op.create_table(
        "evidence_record",
        _text("tenant"),
        _text("probe"),
        _number("sequence"),
        _text("id"),
        _octets("sealed"),
        PrimaryKeyConstraint("tenant", "probe", "sequence"),
    )
    op.create_table(
        "evidence_standing",
        _text("tenant"),
        _text("probe"),
        _number("sequence"),
        _octets("sealed"),
        PrimaryKeyConstraint("tenant", "probe"),
    )
    op.create_table(
        "canary_plan",
        _text("tenant"),
        _text("id"),
        _text("state"),
        _octets("sealed"),
        PrimaryKeyConstraint("tenant", "id"),
    )
