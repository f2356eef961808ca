"""Tenants, their keys and tokens, and the record of what was done."""

from __future__ import annotations

from sqlalchemy import PrimaryKeyConstraint, Table

from tegata.store.schema.columns import metadata, number_column, octets_column, text_column

tenant = Table(
    "tenant",
    metadata,
    text_column("id"),
    text_column("name"),
    text_column("state"),
    number_column("created_at"),
    PrimaryKeyConstraint("id"),
)

data_key = Table(
    "data_key",
    metadata,
    text_column("tenant"),
    text_column("kind"),
    octets_column("wrapped"),
    number_column("created_at"),
    PrimaryKeyConstraint("tenant", "kind"),
)

token = Table(
    "token",
    metadata,
    text_column("tenant"),
    text_column("id"),
    text_column("name"),
    text_column("kind"),
    octets_column("secret_hash"),
    text_column("issuers", nullable=True),
    text_column("actions"),
    number_column("created_at"),
    number_column("revoked_at", nullable=True),
    PrimaryKeyConstraint("tenant", "id"),
)

audit_event = Table(
    "audit_event",
    metadata,
    text_column("tenant"),
    number_column("sequence"),
    octets_column("canonical"),
    octets_column("digest"),
    octets_column("disclosures"),
    PrimaryKeyConstraint("tenant", "sequence"),
)

audit_head = Table(
    "audit_head",
    metadata,
    text_column("tenant"),
    number_column("sequence"),
    octets_column("digest"),
    PrimaryKeyConstraint("tenant"),
)
