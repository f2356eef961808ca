"""Identity verification: declared purposes, sessions, users' certificates, confirmation records."""

from __future__ import annotations

from sqlalchemy import Index, PrimaryKeyConstraint, Table

from tegata.store.schema.columns import metadata, number_column, octets_column, text_column

# What a tenant verifies persons for, as it stands.
identity_purpose = Table(
    "identity_purpose",
    metadata,
    text_column("tenant"),
    text_column("name"),
    text_column("document"),
    number_column("changed_at"),
    PrimaryKeyConstraint("tenant", "name"),
)

# A session. What could identify somebody is sealed; the checks name no person.
identity_session = Table(
    "identity_session",
    metadata,
    text_column("tenant"),
    text_column("id"),
    text_column("kind"),
    text_column("purpose"),
    text_column("legal_purpose"),
    text_column("state"),
    text_column("result", nullable=True),
    text_column("reason", nullable=True),
    text_column("checks", nullable=True),
    # Not `user`, which PostgreSQL reserves.
    text_column("person", nullable=True),
    text_column("record", nullable=True),
    octets_column("sealed"),
    number_column("created_at"),
    number_column("expires_at"),
    number_column("decided_at", nullable=True),
    number_column("handed_out_at", nullable=True),
    PrimaryKeyConstraint("tenant", "id"),
    Index("identity_session_age", "tenant", "created_at"),
    sqlite_with_rowid=False,
)

# The certificates of a tenant's users, by keyed tags; what they are is sealed.
identity_certificate = Table(
    "identity_certificate",
    metadata,
    text_column("tenant"),
    octets_column("tag"),
    text_column("person"),
    octets_column("sealed"),
    # 1 when it was shown, 0 when J-LIS linked it to one that was.
    number_column("shown"),
    # What a watch found last; null for good, or never looked at.
    text_column("reason", nullable=True),
    number_column("seen_at"),
    PrimaryKeyConstraint("tenant", "tag"),
    Index("identity_certificate_person", "tenant", "person"),
    sqlite_with_rowid=False,
)

# Confirmation records (確認記録). The case is the tenant's own reference, as a keyed tag.
confirmation_record = Table(
    "confirmation_record",
    metadata,
    text_column("tenant"),
    text_column("id"),
    text_column("session"),
    text_column("person"),
    octets_column("case_tag"),
    text_column("law"),
    text_column("law_version"),
    text_column("method"),
    octets_column("sealed"),
    number_column("made_at"),
    number_column("contract_ended_at", nullable=True),
    number_column("retain_until", nullable=True),
    number_column("held"),
    PrimaryKeyConstraint("tenant", "id"),
    Index("confirmation_record_case", "tenant", "case_tag", "id"),
    Index("confirmation_record_due", "tenant", "retain_until"),
    sqlite_with_rowid=False,
)

# Consents to be told latest attributes; J-LIS's own name of each is sealed.
identity_consent = Table(
    "identity_consent",
    metadata,
    text_column("tenant"),
    text_column("id"),
    text_column("person"),
    text_column("purpose"),
    octets_column("sealed"),
    text_column("state"),
    number_column("given_at"),
    number_column("expires_at"),
    number_column("withdrawn_at", nullable=True),
    PrimaryKeyConstraint("tenant", "id"),
    sqlite_with_rowid=False,
)

# Scheduled status checks: address and secret are sealed; `place` is how far a run has come.
identity_watch = Table(
    "identity_watch",
    metadata,
    text_column("tenant"),
    octets_column("sealed"),
    number_column("hours"),
    text_column("method"),
    number_column("changed_at"),
    octets_column("place", nullable=True),
    PrimaryKeyConstraint("tenant"),
)

# News that waits to be sent: pseudonyms and reasons.
identity_delivery = Table(
    "identity_delivery",
    metadata,
    text_column("tenant"),
    text_column("id"),
    number_column("created_at"),
    octets_column("body"),
    PrimaryKeyConstraint("tenant", "id"),
    sqlite_with_rowid=False,
)
