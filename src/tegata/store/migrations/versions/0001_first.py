"""The first schema."""

from __future__ import annotations

from alembic.operations import Operations
from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    text,
)

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

phase = "expand"
lock = "none"  # there is nothing to lock
reversible = False


def _text(name: str, *, nullable: bool = False) -> Column[str]:
    octets = Text().with_variant(Text(collation="C"), "postgresql")
    return Column(name, octets, nullable=nullable)


def _octets(name: str, *, nullable: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=nullable)


def _number(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable, autoincrement=False)


def _small(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, autoincrement=False)


def upgrade(op: Operations) -> None:
    """Make every table."""
    _tenancy(op)
    _profiles(op)
    _issuers(op)
    _authorities(op)
    _serials(op)
    _certificates(op)
    _status(op)
    _lists(op)
    _screening(op)
    _notices(op)
    _record(op)
    _nodes(op)
    _successions(op)
    _bulk(op)


def _tenancy(op: Operations) -> None:
    op.create_table(
        "tenant",
        _text("id"),
        _text("name"),
        _text("state"),
        _number("created_at"),
        PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "data_key",
        _text("tenant"),
        _text("kind"),
        _octets("wrapped"),
        _number("created_at"),
        PrimaryKeyConstraint("tenant", "kind"),
    )
    op.create_table(
        "token",
        _text("tenant"),
        _text("id"),
        _text("name"),
        _text("kind"),
        _octets("secret_hash"),
        _text("issuers", nullable=True),
        _text("actions"),
        _number("created_at"),
        _number("revoked_at", nullable=True),
        PrimaryKeyConstraint("tenant", "id"),
    )


def _profiles(op: Operations) -> None:
    op.create_table(
        "profile",
        _text("tenant"),
        _text("name"),
        _small("version"),
        _text("document"),
        _text("digest"),
        _number("created_at"),
        _number("retired_at", nullable=True),
        PrimaryKeyConstraint("tenant", "name", "version"),
    )


def _issuers(op: Operations) -> None:
    op.create_table(
        "signing_key",
        _text("tenant"),
        _text("id"),
        _text("purpose"),
        _text("algorithm"),
        _text("signature_algorithm"),
        _octets("public_key"),
        _octets("sealed"),
        _number("created_at"),
        PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_table(
        "issuer",
        _text("tenant"),
        _text("id"),
        _text("name"),
        _text("parent", nullable=True),
        _text("signing_key"),
        _octets("certificate"),
        _octets("bounds", nullable=True),
        _text("predecessor", nullable=True),
        _number("created_at"),
        PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_table(
        "issuer_directory",
        _text("issuer"),
        _text("tenant"),
        _octets("sha1_key"),
        _octets("sha256_key"),
        _octets("certificate"),
        PrimaryKeyConstraint("issuer"),
    )
    op.create_index("issuer_directory_sha1", "issuer_directory", ["sha1_key"])
    op.create_index("issuer_directory_sha256", "issuer_directory", ["sha256_key"])
    op.create_table(
        "responder",
        _text("tenant"),
        _text("issuer"),
        _text("signing_key"),
        _octets("certificate"),
        _number("not_after"),
        _number("created_at"),
        PrimaryKeyConstraint("tenant", "issuer"),
    )


def _authorities(op: Operations) -> None:
    op.create_table(
        "pending_issuer",
        _text("tenant"),
        _text("id"),
        _text("name"),
        _text("signing_key"),
        _octets("subject"),
        _octets("request"),
        _octets("bounds", nullable=True),
        _text("predecessor", nullable=True),
        _number("created_at"),
        PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_table(
        "issuer_certificate",
        _text("tenant"),
        _text("issuer"),
        _text("kind"),
        _small("place"),
        _octets("certificate"),
        PrimaryKeyConstraint("tenant", "issuer", "kind", "place"),
    )
    op.create_table(
        "issuance_stop",
        _text("tenant"),
        _text("stopped_tenant"),
        _text("issuer"),
        _text("cause"),
        _number("since"),
        PrimaryKeyConstraint("tenant", "stopped_tenant", "issuer", "cause"),
    )
    op.create_table(
        "issuer_policy",
        _text("tenant"),
        _text("issuer"),
        _small("version"),
        _text("title"),
        _text("language"),
        _text("media_type"),
        _text("content"),
        _number("published_at"),
        PrimaryKeyConstraint("tenant", "issuer", "version"),
    )


def _serials(op: Operations) -> None:
    op.create_table(
        "serial_block",
        _text("tenant"),
        _text("id"),
        _text("issuer"),
        _small("epoch"),
        _small("size"),
        _small("shard"),
        _octets("prf_key"),
        _text("node"),
        _number("created_at"),
        _number("closed_at", nullable=True),
        PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("serial_block_open", "serial_block", ["tenant", "node", "closed_at"])


def _certificates(op: Operations) -> None:
    op.create_table(
        "certificate",
        _text("tenant"),
        _octets("id"),
        _small("epoch"),
        _text("issuer"),
        _octets("serial"),
        _text("profile"),
        _small("profile_version"),
        _text("subject"),
        _number("not_before"),
        _number("not_after"),
        _small("shard"),
        _number("fingerprint"),
        PrimaryKeyConstraint("issuer", "serial", "epoch"),
        postgresql_partition_by="RANGE (epoch)",
    )
    for name, columns in (
        ("certificate_list", ["tenant", "id"]),
        ("certificate_expiry", ["tenant", "not_after", "id"]),
        ("certificate_profile", ["tenant", "profile", "not_after", "id"]),
        ("certificate_issuer", ["issuer", "not_after", "id"]),
        ("certificate_subject", ["tenant", "subject", "id"]),
        ("certificate_fingerprint", ["tenant", "fingerprint"]),
    ):
        op.create_index(name, "certificate", columns)
    op.create_table(
        "certificate_name",
        _text("tenant"),
        _text("name"),
        _octets("certificate"),
        _small("epoch"),
        PrimaryKeyConstraint("tenant", "name", "certificate", "epoch"),
        postgresql_partition_by="RANGE (epoch)",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "certificate_der",
        _text("tenant"),
        _octets("certificate"),
        _small("epoch"),
        _octets("der"),
        PrimaryKeyConstraint("certificate", "epoch"),
        postgresql_partition_by="RANGE (epoch)",
        sqlite_with_rowid=False,
    )


def _status(op: Operations) -> None:
    op.create_table(
        "revocation",
        _text("tenant"),
        _text("issuer"),
        _octets("serial"),
        _small("epoch"),
        _octets("certificate", nullable=True),
        _number("revoked_at"),
        _small("reason"),
        _octets("entry"),
        _number("listed_until"),
        _number("invalid_since", nullable=True),
        _small("shard"),
        _number("change"),
        PrimaryKeyConstraint("tenant", "issuer", "serial"),
        sqlite_with_rowid=False,
    )
    op.create_index("revocation_shard", "revocation", ["tenant", "issuer", "shard", "serial"])
    op.create_index("revocation_change", "revocation", ["tenant", "issuer", "change"])
    order = ["tenant", "listed_until", "issuer", "serial"]
    op.create_index("revocation_expiry", "revocation", order)
    held = text("reason = 6")
    op.create_index(
        "revocation_held", "revocation", order, sqlite_where=held, postgresql_where=held
    )
    op.create_table(
        "revocation_release",
        _text("tenant"),
        _text("issuer"),
        _octets("serial"),
        _small("epoch"),
        _small("shard"),
        _number("change"),
        _number("released_at"),
        _octets("entry"),
        PrimaryKeyConstraint("tenant", "issuer", "serial"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "revocation_release_change", "revocation_release", ["tenant", "issuer", "change"]
    )


def _lists(op: Operations) -> None:
    op.create_table(
        "crl_scope",
        _text("tenant"),
        _text("issuer"),
        _small("shard"),
        _text("url"),
        _number("places"),
        _small("last_epoch"),
        _number("changes"),
        _number("number"),
        _number("base_number"),
        _number("base_change"),
        _number("base_at"),
        _number("full_number"),
        _number("delta_number"),
        PrimaryKeyConstraint("tenant", "issuer", "shard"),
    )
    op.create_table(
        "status_change",
        _number("changed_at"),
        _text("issuer"),
        _octets("serial"),
        _text("tenant"),
        PrimaryKeyConstraint("changed_at", "issuer", "serial"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "crl",
        _text("tenant"),
        _text("issuer"),
        _small("shard"),
        _text("kind"),
        _number("number"),
        _number("this_update"),
        _number("next_update"),
        _small("entries"),
        _small("scheduled"),
        _octets("der"),
        PrimaryKeyConstraint("tenant", "issuer", "shard", "kind", "number"),
    )
    op.create_table(
        "crl_floor",
        _text("tenant"),
        _text("issuer"),
        _number("number"),
        PrimaryKeyConstraint("tenant", "issuer"),
    )


def _screening(op: Operations) -> None:
    op.create_table(
        "refused_key",
        _text("tenant"),
        _octets("spki_sha256"),
        _text("ground"),
        _number("created_at"),
        PrimaryKeyConstraint("tenant", "spki_sha256"),
        sqlite_with_rowid=False,
    )
    op.create_index("refused_key_age", "refused_key", ["tenant", "created_at"])
    op.create_table(
        "rsa_modulus",
        _text("tenant"),
        _octets("modulus_sha256"),
        _octets("modulus"),
        _octets("spki_sha256"),
        _number("created_at"),
        PrimaryKeyConstraint("tenant", "modulus_sha256"),
        sqlite_with_rowid=False,
    )
    op.create_index("rsa_modulus_age", "rsa_modulus", ["tenant", "created_at"])


def _notices(op: Operations) -> None:
    op.create_table(
        "notice_setting",
        _text("tenant"),
        _text("addresses"),
        _text("days"),
        _text("language"),
        _number("changed_at"),
        PrimaryKeyConstraint("tenant"),
    )
    op.create_table(
        "notice_mark",
        _text("tenant"),
        _small("days"),
        _number("told_until"),
        PrimaryKeyConstraint("tenant", "days"),
    )
    op.create_table(
        "notice_mail",
        _text("tenant"),
        _text("id"),
        _number("created_at"),
        _text("addresses"),
        _text("language"),
        _text("subject"),
        _text("content"),
        PrimaryKeyConstraint("tenant", "id"),
    )


def _record(op: Operations) -> None:
    op.create_table(
        "idempotency",
        _text("tenant"),
        _octets("key_hash"),
        _octets("request_digest"),
        _octets("certificate"),
        _number("created_at"),
        PrimaryKeyConstraint("tenant", "key_hash"),
        sqlite_with_rowid=False,
    )
    op.create_index("idempotency_age", "idempotency", ["tenant", "created_at"])
    op.create_table(
        "audit_event",
        _text("tenant"),
        _number("sequence"),
        _octets("canonical"),
        _octets("digest"),
        _octets("disclosures"),
        PrimaryKeyConstraint("tenant", "sequence"),
    )
    op.create_table(
        "audit_head",
        _text("tenant"),
        _number("sequence"),
        _octets("digest"),
        PrimaryKeyConstraint("tenant"),
    )
    op.create_table(
        "job",
        _text("kind"),
        _text("key"),
        _text("tenant"),
        _number("run_at"),
        _text("owner", nullable=True),
        _number("leased_until"),
        _small("tries"),
        PrimaryKeyConstraint("kind", "key"),
    )
    op.create_index("job_due", "job", ["run_at"])


def _nodes(op: Operations) -> None:
    op.create_table(
        "node",
        _text("id"),
        _number("generation"),
        _number("mark"),
        _number("beat"),
        _number("blocks_until"),
        _small("awaited"),
        _number("written_off_at", nullable=True),
        PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "negative_act",
        _text("node"),
        _number("place"),
        PrimaryKeyConstraint("node", "place"),
        sqlite_with_rowid=False,
    )


def _successions(op: Operations) -> None:
    op.create_table(
        "succession",
        _text("tenant"),
        _octets("predecessor"),
        _octets("successor"),
        _text("kind"),
        _number("created_at"),
        PrimaryKeyConstraint("tenant", "predecessor", "successor"),
        sqlite_with_rowid=False,
    )
    op.create_index("succession_successor", "succession", ["tenant", "successor"])


def _bulk(op: Operations) -> None:
    op.create_table(
        "bulk",
        _text("tenant"),
        _text("id"),
        _text("actor_kind"),
        _text("actor"),
        _text("request"),
        _text("state"),
        _number("rows"),
        _number("succeeded"),
        _number("refused"),
        _number("created_at"),
        _number("finished_at", nullable=True),
        PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_table(
        "bulk_rows",
        _text("tenant"),
        _text("bulk"),
        _number("first_row"),
        _octets("sealed"),
        PrimaryKeyConstraint("tenant", "bulk", "first_row"),
    )
    op.create_table(
        "bulk_outcome",
        _text("tenant"),
        _text("bulk"),
        _number("row"),
        _octets("digest"),
        _octets("certificate", nullable=True),
        _text("code"),
        _octets("sealed"),
        PrimaryKeyConstraint("tenant", "bulk", "row"),
        sqlite_with_rowid=False,
    )
    op.create_index("bulk_outcome_digest", "bulk_outcome", ["tenant", "bulk", "digest"])
