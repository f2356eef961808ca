"""The data inventory: every column of every table."""

from __future__ import annotations

from collections.abc import Mapping

from tegata.store.inventory.entries import (
    BULK,
    CA_RECORDS,
    CONFIRMATION,
    EVIDENCE,
    ROWS,
    SEALED_CONFIRMATION,
    SEALED_DISCLOSURES,
    SEALED_ERASABLE,
    SEALED_RECORDS,
    SESSION,
    TAKEN,
    TENANT_LIFE,
    UNTIL_SENT,
    Entry,
    customer,
    derived,
    each_of,
    provider,
    public,
)

COLUMNS: Mapping[str, Mapping[str, Entry]] = {
    "tenant": {
        **each_of(provider(TENANT_LIFE), "id", "state", "created_at"),
        "name": customer(TENANT_LIFE),
    },
    "data_key": {
        **each_of(provider(TENANT_LIFE), "tenant", "kind", "created_at"),
        "wrapped": provider("destroyed at off-boarding, by kind", "sealing key"),
    },
    "token": {
        **each_of(provider(TENANT_LIFE), "tenant", "id", "kind", "created_at", "revoked_at"),
        **each_of(customer(TENANT_LIFE), "name", "issuers", "actions"),
        "secret_hash": derived(TENANT_LIFE),
    },
    "signing_key": {
        **each_of(
            provider(CA_RECORDS),
            "tenant", "id", "purpose", "algorithm", "signature_algorithm", "created_at",
        ),
        "public_key": public(CA_RECORDS),
        "sealed": provider("destroyed with the issuer", "sealing key"),
    },
    "issuer": {
        **each_of(
            provider(CA_RECORDS),
            "tenant", "id", "parent", "signing_key", "predecessor", "created_at",
        ),
        "name": customer(CA_RECORDS),
        **each_of(public(CA_RECORDS), "certificate", "bounds"),
    },
    "pending_issuer": {
        **each_of(
            provider(TENANT_LIFE), "tenant", "id", "signing_key", "predecessor", "created_at"
        ),
        **each_of(customer(TENANT_LIFE), "name", "subject", "request", "bounds"),
    },
    "issuer_certificate": each_of(
        public(CA_RECORDS), "tenant", "issuer", "kind", "place", "certificate"
    ),
    "issuance_stop": each_of(
        public("until it is lifted"), "tenant", "stopped_tenant", "issuer", "cause", "since"
    ),
    "issuer_policy": each_of(
        public(CA_RECORDS),
        "tenant", "issuer", "version", "title", "language", "media_type", "content",
        "published_at",
    ),
    "issuer_directory": each_of(
        public(CA_RECORDS), "issuer", "tenant", "sha1_key", "sha256_key", "certificate"
    ),
    "responder": {
        **each_of(
            provider(CA_RECORDS), "tenant", "issuer", "signing_key", "not_after", "created_at"
        ),
        "certificate": public(CA_RECORDS),
    },
    "serial_block": {
        **each_of(
            provider(CA_RECORDS),
            "tenant", "id", "issuer", "epoch", "size", "shard", "node", "created_at", "closed_at",
        ),
        "prf_key": provider(CA_RECORDS, SEALED_RECORDS),
    },
    "certificate": {
        **each_of(
            derived(CA_RECORDS),
            "tenant", "id", "epoch", "issuer", "serial", "profile", "profile_version",
            "not_before", "not_after", "shard", "fingerprint",
        ),
        "subject": customer(CA_RECORDS),
    },
    "certificate_name": {
        **each_of(derived(CA_RECORDS), "tenant", "certificate", "epoch"),
        "name": customer(CA_RECORDS),
    },
    "certificate_der": {
        **each_of(derived(CA_RECORDS), "tenant", "certificate", "epoch"),
        "der": customer(CA_RECORDS),
    },
    "profile": {
        **each_of(derived(CA_RECORDS), "tenant", "version", "digest", "created_at", "retired_at"),
        **each_of(customer(CA_RECORDS), "name", "document"),
    },
    "revocation": each_of(
        derived(CA_RECORDS),
        "tenant", "issuer", "serial", "epoch", "certificate", "revoked_at", "reason", "entry",
        "listed_until", "invalid_since", "shard", "change",
    ),
    "revocation_release": each_of(
        derived(CA_RECORDS),
        "tenant", "issuer", "serial", "epoch", "shard", "change", "released_at", "entry",
    ),
    "crl_scope": each_of(
        provider(CA_RECORDS),
        "tenant", "issuer", "shard", "url", "places", "last_epoch", "changes", "number",
        "base_number", "base_change", "base_at", "full_number", "delta_number",
    ),
    "status_change": each_of(
        public("1 day"), "tenant", "issuer", "serial", "changed_at"
    ),
    "crl": each_of(
        public("daily lists 30 days after their nextUpdate; others until the next list"),
        "tenant", "issuer", "shard", "kind", "number", "this_update", "next_update", "entries",
        "scheduled", "der",
    ),
    "crl_floor": each_of(provider(CA_RECORDS), "tenant", "issuer", "number"),
    "idempotency": each_of(
        derived("2 days"), "tenant", "key_hash", "request_digest", "certificate", "created_at"
    ),
    "succession": each_of(
        derived(CA_RECORDS), "tenant", "predecessor", "successor", "kind", "created_at"
    ),
    "bulk": {
        **each_of(derived(BULK), "rows", "succeeded", "refused"),
        **each_of(
            provider(BULK),
            "tenant", "id", "actor_kind", "actor", "state", "created_at", "finished_at",
        ),
        "request": customer(BULK),
    },
    "bulk_rows": {
        **each_of(provider(ROWS), "tenant", "bulk", "first_row"),
        "sealed": customer(ROWS, SEALED_ERASABLE),
    },
    "bulk_outcome": {
        **each_of(derived(BULK), "tenant", "bulk", "row", "digest", "certificate", "code"),
        "sealed": customer(BULK, SEALED_ERASABLE),
    },
    "take_over": each_of(
        customer(TAKEN),
        "tenant", "id", "name", "signing_key", "key_sha256", "chain", "state", "crl_number",
        "point", "told", "entries", "certificates", "revoked", "revision", "created_at",
    ),
    "take_over_entry": each_of(
        customer(TAKEN), "tenant", "issuer", "serial", "der", "profile", "not_after",
        "revoked_at", "reason", "invalid_since",
    ),
    "foreign_serial": each_of(
        customer(CA_RECORDS), "tenant", "issuer", "serial", "epoch", "shard", "not_after"
    ),
    # Kept as long as there may be anybody who still has the key.
    "refused_key": each_of(
        derived(TENANT_LIFE), "tenant", "spki_sha256", "ground", "created_at"
    ),
    "rsa_modulus": each_of(
        derived(TENANT_LIFE), "tenant", "modulus_sha256", "modulus", "spki_sha256", "created_at"
    ),
    "notice_setting": {
        **each_of(customer(TENANT_LIFE), "addresses", "days", "language"),
        **each_of(provider(TENANT_LIFE), "tenant", "changed_at"),
    },
    "notice_mark": each_of(derived(TENANT_LIFE), "tenant", "days", "told_until"),
    "notice_mail": {
        **each_of(derived(UNTIL_SENT), "tenant", "id", "created_at"),
        **each_of(customer(UNTIL_SENT), "addresses", "language", "subject", "content"),
    },
    "timestamp_authority": {
        **each_of(
            provider(CA_RECORDS),
            "tenant", "id", "issuer", "algorithm", "signature_algorithm", "accuracy", "ordering",
            "ordered_until", "created_at", "disabled_at",
        ),
        **each_of(customer(CA_RECORDS), "name", "policies"),
    },
    "timestamp_directory": each_of(public(CA_RECORDS), "authority", "tenant"),
    "timestamp_unit": {
        **each_of(
            provider(CA_RECORDS),
            "tenant", "authority", "number", "signing_key", "certificate_id", "serial",
            "not_after", "key_until", "created_at",
        ),
        "certificate": public(CA_RECORDS),
    },
    "anchored_checkpoint": each_of(public("for ever"), "size", "note", "created_at"),
    "log_anchor": each_of(
        public("for ever"), "size", "number", "source", "gen_time", "response", "created_at"
    ),
    "timestamp_block": each_of(
        provider(CA_RECORDS), "tenant", "authority", "block", "created_at"
    ),
    "identity_purpose": {
        **each_of(customer(TENANT_LIFE), "name", "document"),
        **each_of(provider(TENANT_LIFE), "tenant", "changed_at"),
    },
    "identity_session": {
        **each_of(
            derived(SESSION),
            "kind", "purpose", "legal_purpose", "state", "result", "reason", "checks", "person",
            "record", "decided_at", "handed_out_at",
        ),
        **each_of(provider(SESSION), "tenant", "id", "created_at", "expires_at"),
        "sealed": customer(SESSION, SEALED_ERASABLE),
    },
    "identity_certificate": {
        **each_of(derived(TENANT_LIFE), "tenant", "tag", "person", "shown", "reason", "seen_at"),
        "sealed": customer(TENANT_LIFE, SEALED_ERASABLE),
    },
    "identity_consent": {
        **each_of(
            derived(TENANT_LIFE),
            "tenant", "id", "person", "purpose", "state", "given_at", "expires_at",
            "withdrawn_at",
        ),
        "sealed": customer(TENANT_LIFE, SEALED_ERASABLE),
    },
    "identity_watch": {
        **each_of(provider(TENANT_LIFE), "tenant", "hours", "method", "changed_at", "place"),
        "sealed": customer(TENANT_LIFE, SEALED_ERASABLE),
    },
    "identity_delivery": each_of(
        derived("until it is sent, 3 days at most"), "tenant", "id", "created_at", "body"
    ),
    "confirmation_record": {
        **each_of(
            derived(CONFIRMATION),
            "tenant", "id", "session", "person", "case_tag", "law", "law_version", "method",
            "made_at", "contract_ended_at", "retain_until", "held",
        ),
        "sealed": customer(CONFIRMATION, SEALED_CONFIRMATION),
    },
    "audit_event": {
        **each_of(derived(CA_RECORDS), "tenant", "sequence", "canonical", "digest"),
        "disclosures": customer(CA_RECORDS, SEALED_DISCLOSURES),
    },
    "audit_head": each_of(derived(TENANT_LIFE), "tenant", "sequence", "digest"),
    "evidence_record": {
        **each_of(provider(EVIDENCE), "tenant", "probe", "sequence", "id"),
        "sealed": provider(EVIDENCE, SEALED_RECORDS),
    },
    "evidence_standing": {
        **each_of(provider("replaced with each record"), "tenant", "probe", "sequence"),
        "sealed": provider("replaced with each record", SEALED_RECORDS),
    },
    "canary_plan": {
        **each_of(provider(EVIDENCE), "tenant", "id", "state"),
        "sealed": provider(EVIDENCE, SEALED_RECORDS),
    },
    "log_head": each_of(
        public("for ever"),
        "name", "origin", "size", "fence", "owner", "leased_until", "note", "note_size",
    ),
    "log_tile": each_of(public("for ever"), "level", "number", "octets"),
    "log_queue": each_of(derived("about a second"), "tenant", "sequence", "entry"),
    "log_leaf": each_of(derived(CA_RECORDS), "tenant", "sequence", "place"),
    "log_mark": each_of(derived(TENANT_LIFE), "tenant", "sequence"),
    "log_salt": {
        **each_of(derived(CA_RECORDS), "tenant", "sequence"),
        "sealed": customer(CA_RECORDS, SEALED_DISCLOSURES),
    },
    "job": each_of(
        provider("while its issuer works"),
        "kind", "key", "tenant", "run_at", "owner", "leased_until", "tries",
    ),
    "node": each_of(
        provider("life of the database"),
        "id", "generation", "mark", "beat", "blocks_until", "awaited", "written_off_at",
    ),
    "negative_act": each_of(provider("about a second"), "node", "place"),
    "alembic_version": each_of(provider("life of the database"), "version_num"),
}  # fmt: skip

# Files and folders below the data folder.
