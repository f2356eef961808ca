"""Time-stamping authorities and their units; time-stamps of the log's checkpoints."""

from __future__ import annotations

from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, PrimaryKeyConstraint, Text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

phase = "expand"
lock = "none"  # new tables only
reversible = False


def _text(name: str) -> Column[str]:
    octets = Text().with_variant(Text(collation="C"), "postgresql")
    return Column(name, octets, nullable=False)


def _octets(name: str) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=False)


def _number(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable, autoincrement=False)


def _small(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, autoincrement=False)


def upgrade(op: Operations) -> None:
    """Make the tables."""
    _authorities(op)
    _units(op)
    _anchors(op)


def _authorities(op: Operations) -> None:
    op.create_table(
        "timestamp_authority",
        _text("tenant"),
        _text("id"),
        _text("name"),
        _text("issuer"),
        _text("policies"),
        _text("algorithm"),
        _text("signature_algorithm"),
        _number("accuracy"),
        _small("ordering"),
        _number("ordered_until"),
        _number("created_at"),
        _number("disabled_at", nullable=True),
        PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index(
        "timestamp_authority_name", "timestamp_authority", ["tenant", "name"], unique=True
    )
    op.create_table(
        "timestamp_directory",
        _text("authority"),
        _text("tenant"),
        PrimaryKeyConstraint("authority"),
    )


def _units(op: Operations) -> None:
    op.create_table(
        "timestamp_unit",
        _text("tenant"),
        _text("authority"),
        _small("number"),
        _text("signing_key"),
        _octets("certificate"),
        _octets("certificate_id"),
        _octets("serial"),
        _number("not_after"),
        _number("key_until"),
        _number("created_at"),
        PrimaryKeyConstraint("tenant", "authority", "number"),
    )
    op.create_table(
        "timestamp_block",
        _text("tenant"),
        _text("authority"),
        _octets("block"),
        _number("created_at"),
        PrimaryKeyConstraint("tenant", "authority", "block"),
    )


def _anchors(op: Operations) -> None:
    op.create_table(
        "anchored_checkpoint",
        _number("size"),
        _octets("note"),
        _number("created_at"),
        PrimaryKeyConstraint("size"),
    )
    op.create_table(
        "log_anchor",
        _number("size"),
        _small("number"),
        _text("source"),
        _number("gen_time"),
        _octets("response"),
        _number("created_at"),
        PrimaryKeyConstraint("size", "number"),
    )
