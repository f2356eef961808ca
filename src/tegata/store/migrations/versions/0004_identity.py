"""Identity verification."""

from __future__ import annotations

from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, LargeBinary, PrimaryKeyConstraint, Text

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

phase = "expand"
lock = "none"  # new tables only
reversible = True


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
        "identity_purpose",
        _text("tenant"),
        _text("name"),
        _text("document"),
        _number("changed_at"),
        PrimaryKeyConstraint("tenant", "name"),
    )
    _sessions(op)
    _people(op)
    _watches(op)


def _sessions(op: Operations) -> None:
    op.create_table(
        "identity_session",
        _text("tenant"),
        _text("id"),
        _text("kind"),
        _text("purpose"),
        _text("legal_purpose"),
        _text("state"),
        _text("result", nullable=True),
        _text("reason", nullable=True),
        _text("checks", nullable=True),
        _text("person", nullable=True),
        _text("record", nullable=True),
        _octets("sealed"),
        _number("created_at"),
        _number("expires_at"),
        _number("decided_at", nullable=True),
        _number("handed_out_at", nullable=True),
        PrimaryKeyConstraint("tenant", "id"),
        sqlite_with_rowid=False,
    )
    op.create_index("identity_session_age", "identity_session", ["tenant", "created_at"])


def _people(op: Operations) -> None:
    op.create_table(
        "identity_certificate",
        _text("tenant"),
        _octets("tag"),
        _text("person"),
        _octets("sealed"),
        _number("shown"),
        _text("reason", nullable=True),
        _number("seen_at"),
        PrimaryKeyConstraint("tenant", "tag"),
        sqlite_with_rowid=False,
    )
    op.create_index("identity_certificate_person", "identity_certificate", ["tenant", "person"])
    op.create_table(
        "confirmation_record",
        _text("tenant"),
        _text("id"),
        _text("session"),
        _text("person"),
        _octets("case_tag"),
        _text("law"),
        _text("law_version"),
        _text("method"),
        _octets("sealed"),
        _number("made_at"),
        _number("contract_ended_at", nullable=True),
        _number("retain_until", nullable=True),
        _number("held"),
        PrimaryKeyConstraint("tenant", "id"),
        sqlite_with_rowid=False,
    )
    op.create_index("confirmation_record_case", "confirmation_record", ["tenant", "case_tag", "id"])
    op.create_index("confirmation_record_due", "confirmation_record", ["tenant", "retain_until"])


def _watches(op: Operations) -> None:
    op.create_table(
        "identity_consent",
        _text("tenant"),
        _text("id"),
        _text("person"),
        _text("purpose"),
        _octets("sealed"),
        _text("state"),
        _number("given_at"),
        _number("expires_at"),
        _number("withdrawn_at", nullable=True),
        PrimaryKeyConstraint("tenant", "id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "identity_watch",
        _text("tenant"),
        _octets("sealed"),
        _number("hours"),
        _text("method"),
        _number("changed_at"),
        _octets("place", nullable=True),
        PrimaryKeyConstraint("tenant"),
    )
    op.create_table(
        "identity_delivery",
        _text("tenant"),
        _text("id"),
        _number("created_at"),
        _octets("body"),
        PrimaryKeyConstraint("tenant", "id"),
        sqlite_with_rowid=False,
    )


def downgrade(op: Operations) -> None:
    """Drop them."""
    for table in (
        "identity_delivery", "identity_watch", "identity_consent",
        "confirmation_record", "identity_certificate", "identity_session", "identity_purpose",
    ):  # fmt: skip
        op.drop_table(table)
