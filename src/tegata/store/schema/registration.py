"""Profiles, requests and what is known of keys; notices."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, PrimaryKeyConstraint, Table

from tegata.store.schema.columns import metadata, number_column, octets_column, text_column

# Tenants' own profiles. A version never changes but to be retired.
profile = Table(
    "profile",
    metadata,
    text_column("tenant"),
    text_column("name"),
    Column("version", Integer, nullable=False, autoincrement=False),
    text_column("document"),
    text_column("digest"),
    number_column("created_at"),
    number_column("retired_at", nullable=True),
    PrimaryKeyConstraint("tenant", "name", "version"),
)

idempotency = Table(
    "idempotency",
    metadata,
    text_column("tenant"),
    octets_column("key_hash"),
    octets_column("request_digest"),
    octets_column("certificate"),
    number_column("created_at"),
    PrimaryKeyConstraint("tenant", "key_hash"),
    Index("idempotency_age", "tenant", "created_at"),
    sqlite_with_rowid=False,
)

# Which certificate took which one's place. One may have had several successors.
succession = Table(
    "succession",
    metadata,
    text_column("tenant"),
    octets_column("predecessor"),
    octets_column("successor"),
    text_column("kind"),
    number_column("created_at"),
    PrimaryKeyConstraint("tenant", "predecessor", "successor"),
    Index("succession_successor", "tenant", "successor"),
    sqlite_with_rowid=False,
)

# A file with many requests; its rows that are not done yet, some at a time, sealed; what became of
# each row. A row's outcome stands in the transaction of its act, so that no row is done twice.
bulk = Table(
    "bulk",
    metadata,
    text_column("tenant"),
    text_column("id"),
    text_column("actor_kind"),
    text_column("actor"),
    text_column("request"),
    text_column("state"),
    number_column("rows"),
    number_column("succeeded"),
    number_column("refused"),
    number_column("created_at"),
    number_column("finished_at", nullable=True),
    PrimaryKeyConstraint("tenant", "id"),
)

bulk_rows = Table(
    "bulk_rows",
    metadata,
    text_column("tenant"),
    text_column("bulk"),
    number_column("first_row"),
    octets_column("sealed"),
    PrimaryKeyConstraint("tenant", "bulk", "first_row"),
)

bulk_outcome = Table(
    "bulk_outcome",
    metadata,
    text_column("tenant"),
    text_column("bulk"),
    number_column("row"),
    octets_column("digest"),
    octets_column("certificate", nullable=True),
    text_column("code"),
    octets_column("sealed"),
    PrimaryKeyConstraint("tenant", "bulk", "row"),
    Index("bulk_outcome_digest", "tenant", "bulk", "digest"),
    sqlite_with_rowid=False,
)

# Keys that must not be certified: SHA-256 of SubjectPublicKeyInfo. The operator's own are refused
# to all tenants.
refused_key = Table(
    "refused_key",
    metadata,
    text_column("tenant"),
    octets_column("spki_sha256"),
    text_column("ground"),
    number_column("created_at"),
    PrimaryKeyConstraint("tenant", "spki_sha256"),
    Index("refused_key_age", "tenant", "created_at"),
    sqlite_with_rowid=False,
)

# RSA moduli that a tenant has had certified, with the key that was first.
rsa_modulus = Table(
    "rsa_modulus",
    metadata,
    text_column("tenant"),
    octets_column("modulus_sha256"),
    octets_column("modulus"),
    octets_column("spki_sha256"),
    number_column("created_at"),
    PrimaryKeyConstraint("tenant", "modulus_sha256"),
    Index("rsa_modulus_age", "tenant", "created_at"),
    sqlite_with_rowid=False,
)

notice_setting = Table(
    "notice_setting",
    metadata,
    text_column("tenant"),
    text_column("addresses"),
    text_column("days"),
    text_column("language"),
    number_column("changed_at"),
    PrimaryKeyConstraint("tenant"),
)

# Up to which notAfter certificates were told of, for each number of days before.
notice_mark = Table(
    "notice_mark",
    metadata,
    text_column("tenant"),
    Column("days", Integer, nullable=False, autoincrement=False),
    number_column("told_until"),
    PrimaryKeyConstraint("tenant", "days"),
)

notice_mail = Table(
    "notice_mail",
    metadata,
    text_column("tenant"),
    text_column("id"),
    number_column("created_at"),
    text_column("addresses"),
    text_column("language"),
    text_column("subject"),
    text_column("content"),
    PrimaryKeyConstraint("tenant", "id"),
)
