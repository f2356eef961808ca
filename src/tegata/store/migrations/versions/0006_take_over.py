"""CAs that are taken over: what was handed in, and serial numbers of others."""

from __future__ import annotations

from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, PrimaryKeyConstraint, Text

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

phase = "expand"
lock = "none"  # tables that nobody knows yet
reversible = False


def _text(name: str, *, nullable: bool = False) -> Column[str]:
    octets = Text().with_variant(Text(collation="C"), "postgresql")
    return Column(name, octets, nullable=nullable)


def _octets(name: str, *, nullable: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=nullable)


def _number(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable, autoincrement=False)


def upgrade(op: Operations) -> None:
    """Make the tables."""
    op.create_table(
        "take_over",
        _text("tenant"),
        _text("id"),
        _text("name"),
        _text("signing_key"),
        _octets("key_sha256"),
        _octets("chain"),
        _text("state"),
        _number("crl_number", nullable=True),
        _text("point", nullable=True),
        Column("told", Integer, nullable=False),
        _number("entries"),
        _number("certificates"),
        _number("revoked"),
        _number("revision"),
        _number("created_at"),
        PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("take_over_key", "take_over", ["tenant", "key_sha256"], unique=True)
    op.create_table(
        "take_over_entry",
        _text("tenant"),
        _text("issuer"),
        _octets("serial"),
        _octets("der", nullable=True),
        _text("profile"),
        _number("not_after", nullable=True),
        _number("revoked_at", nullable=True),
        _number("reason", nullable=True),
        _number("invalid_since", nullable=True),
        PrimaryKeyConstraint("tenant", "issuer", "serial"),
    )
    op.create_table(
        "foreign_serial",
        _text("tenant"),
        _text("issuer"),
        _octets("serial"),
        Column("epoch", Integer, nullable=False, autoincrement=False),
        Column("shard", Integer, nullable=False, autoincrement=False),
        _number("not_after"),
        PrimaryKeyConstraint("tenant", "issuer", "serial"),
        sqlite_with_rowid=False,
    )
