"""The Merkle log."""

from __future__ import annotations

from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, PrimaryKeyConstraint, Text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

phase = "expand"
lock = "none"  # only new tables
reversible = False


def _text(name: str) -> Column[str]:
    octets = Text().with_variant(Text(collation="C"), "postgresql")
    return Column(name, octets, nullable=False)


def _octets(name: str, *, nullable: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=nullable)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, autoincrement=False)


def upgrade(op: Operations) -> None:
    """Make the log's tables."""
    op.create_table(
        "log_head",
        _text("name"),
        _text("origin"),
        _number("size"),
        _number("fence"),
        _text("owner"),
        _number("leased_until"),
        _octets("note", nullable=True),
        _number("note_size"),
        PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "log_tile",
        Column("level", Integer, nullable=False, autoincrement=False),
        _number("number"),
        _octets("octets"),
        PrimaryKeyConstraint("level", "number"),
    )
    for name, column in (("log_queue", _octets("entry")), ("log_leaf", _number("place"))):
        op.create_table(
            name,
            _text("tenant"),
            _number("sequence"),
            column,
            PrimaryKeyConstraint("tenant", "sequence"),
            sqlite_with_rowid=False,
        )
    op.create_table(
        "log_mark",
        _text("tenant"),
        _number("sequence"),
        PrimaryKeyConstraint("tenant"),
    )
    op.create_table(
        "log_salt",
        _text("tenant"),
        _number("sequence"),
        _octets("sealed"),
        PrimaryKeyConstraint("tenant", "sequence"),
    )
