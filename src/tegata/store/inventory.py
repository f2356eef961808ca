"""The data inventory: what every column, folder, queue and key holds, and whose it is.

The build and the start-up fail on anything that is not in here, and on anything in here that
is not there. Retention says when rows go and by which ground; residency which kind of site may
hold them; key scope under what they are sealed (`-` when they are not).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tegata.kernel.signing import DataKeyKind
from tegata.store.discovery import Holdings
from tegata.store.jobs import (
    ANCHOR_JOB,
    BULK_JOB,
    COMPARISON_JOB,
    CRL_JOB,
    DELIVERY_JOB,
    DELTA_JOB,
    NOTICE_JOB,
    RESPONDER_JOB,
    SHARD_JOB,
    TAKE_OVER_JOB,
    TIMESTAMP_JOB,
    WATCH_JOB,
)
from tegata.store.schema import metadata


class DataClass(StrEnum):
    """Whose data it is (ISO/IEC 27017 clause 8.1.1 asks to tell the first two apart)."""

    CUSTOMER = "customer"
    DERIVED = "derived"
    PROVIDER = "provider"
    PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of the inventory."""

    data_class: DataClass
    owner: str
    retention: str
    residency: str
    key_scope: str = "-"


class InventoryError(Exception):
    """Something is kept that the inventory does not know, or the reverse."""


_CA_RECORDS = "7 years after the certificate expires (CP/CPS)"
_TENANT_LIFE = "life of the tenant"
_UNTIL_SENT = "until it is sent, 5 days at most"
_BULK = "30 days after the last row was done"
_ROWS = "until the row is done, or the file cancelled; 2 hours when its upload broke off"
_SESSION = "life of the tenant (with the session's verdict)"
_CONFIRMATION = "7 years after the end of the contract; longer under a legal hold"
_TAKEN = "until the take-over is complete, or cancelled"
_SITE = "CA service sites"


def _customer(retention: str, key_scope: str = "-") -> Entry:
    return Entry(DataClass.CUSTOMER, "tenant", retention, _SITE, key_scope)


def _derived(retention: str, key_scope: str = "-") -> Entry:
    return Entry(DataClass.DERIVED, "tenant", retention, _SITE, key_scope)


def _provider(retention: str, key_scope: str = "-") -> Entry:
    return Entry(DataClass.PROVIDER, "operator", retention, _SITE, key_scope)


def _public(retention: str) -> Entry:
    return Entry(DataClass.PUBLIC, "operator", retention, "anywhere")


def _all(entry: Entry, *columns: str) -> dict[str, Entry]:
    return dict.fromkeys(columns, entry)


_SEALED_RECORDS = f"tenant data key ({DataKeyKind.CA_RECORDS})"
_SEALED_ERASABLE = f"tenant data key ({DataKeyKind.ERASABLE})"
_SEALED_CONFIRMATION = f"tenant data key ({DataKeyKind.CONFIRMATION})"
_SEALED_DISCLOSURES = f"tenant data key ({DataKeyKind.DISCLOSURE})"

COLUMNS: Mapping[str, Mapping[str, Entry]] = {
    "tenant": {
        **_all(_provider(_TENANT_LIFE), "id", "state", "created_at"),
        "name": _customer(_TENANT_LIFE),
    },
    "data_key": {
        **_all(_provider(_TENANT_LIFE), "tenant", "kind", "created_at"),
        "wrapped": _provider("destroyed at off-boarding, by kind", "sealing key"),
    },
    "token": {
        **_all(_provider(_TENANT_LIFE), "tenant", "id", "kind", "created_at", "revoked_at"),
        **_all(_customer(_TENANT_LIFE), "name", "issuers", "actions"),
        "secret_hash": _derived(_TENANT_LIFE),
    },
    "signing_key": {
        **_all(
            _provider(_CA_RECORDS),
            "tenant", "id", "purpose", "algorithm", "signature_algorithm", "created_at",
        ),
        "public_key": _public(_CA_RECORDS),
        "sealed": _provider("destroyed with the issuer", "sealing key"),
    },
    "issuer": {
        **_all(
            _provider(_CA_RECORDS),
            "tenant", "id", "parent", "signing_key", "predecessor", "created_at",
        ),
        "name": _customer(_CA_RECORDS),
        **_all(_public(_CA_RECORDS), "certificate", "bounds"),
    },
    "pending_issuer": {
        **_all(_provider(_TENANT_LIFE), "tenant", "id", "signing_key", "predecessor", "created_at"),
        **_all(_customer(_TENANT_LIFE), "name", "subject", "request", "bounds"),
    },
    "issuer_certificate": _all(
        _public(_CA_RECORDS), "tenant", "issuer", "kind", "place", "certificate"
    ),
    "issuance_stop": _all(
        _public("until it is lifted"), "tenant", "stopped_tenant", "issuer", "cause", "since"
    ),
    "issuer_policy": _all(
        _public(_CA_RECORDS),
        "tenant", "issuer", "version", "title", "language", "media_type", "content",
        "published_at",
    ),
    "issuer_directory": _all(
        _public(_CA_RECORDS), "issuer", "tenant", "sha1_key", "sha256_key", "certificate"
    ),
    "responder": {
        **_all(
            _provider(_CA_RECORDS), "tenant", "issuer", "signing_key", "not_after", "created_at"
        ),
        "certificate": _public(_CA_RECORDS),
    },
    "serial_block": {
        **_all(
            _provider(_CA_RECORDS),
            "tenant", "id", "issuer", "epoch", "size", "shard", "node", "created_at", "closed_at",
        ),
        "prf_key": _provider(_CA_RECORDS, _SEALED_RECORDS),
    },
    "certificate": {
        **_all(
            _derived(_CA_RECORDS),
            "tenant", "id", "epoch", "issuer", "serial", "profile", "profile_version",
            "not_before", "not_after", "shard", "fingerprint",
        ),
        "subject": _customer(_CA_RECORDS),
    },
    "certificate_name": {
        **_all(_derived(_CA_RECORDS), "tenant", "certificate", "epoch"),
        "name": _customer(_CA_RECORDS),
    },
    "certificate_der": {
        **_all(_derived(_CA_RECORDS), "tenant", "certificate", "epoch"),
        "der": _customer(_CA_RECORDS),
    },
    "profile": {
        **_all(_derived(_CA_RECORDS), "tenant", "version", "digest", "created_at", "retired_at"),
        **_all(_customer(_CA_RECORDS), "name", "document"),
    },
    "revocation": _all(
        _derived(_CA_RECORDS),
        "tenant", "issuer", "serial", "epoch", "certificate", "revoked_at", "reason", "entry",
        "listed_until", "invalid_since", "shard", "change",
    ),
    "revocation_release": _all(
        _derived(_CA_RECORDS),
        "tenant", "issuer", "serial", "epoch", "shard", "change", "released_at", "entry",
    ),
    "crl_scope": _all(
        _provider(_CA_RECORDS),
        "tenant", "issuer", "shard", "url", "places", "last_epoch", "changes", "number",
        "base_number", "base_change", "base_at", "full_number", "delta_number",
    ),
    "status_change": _all(
        _public("1 day"), "tenant", "issuer", "serial", "changed_at"
    ),
    "crl": _all(
        _public("daily lists 30 days after their nextUpdate; others until the next list"),
        "tenant", "issuer", "shard", "kind", "number", "this_update", "next_update", "entries",
        "scheduled", "der",
    ),
    "crl_floor": _all(_provider(_CA_RECORDS), "tenant", "issuer", "number"),
    "idempotency": _all(
        _derived("2 days"), "tenant", "key_hash", "request_digest", "certificate", "created_at"
    ),
    "succession": _all(
        _derived(_CA_RECORDS), "tenant", "predecessor", "successor", "kind", "created_at"
    ),
    "bulk": {
        **_all(_derived(_BULK), "rows", "succeeded", "refused"),
        **_all(
            _provider(_BULK),
            "tenant", "id", "actor_kind", "actor", "state", "created_at", "finished_at",
        ),
        "request": _customer(_BULK),
    },
    "bulk_rows": {
        **_all(_provider(_ROWS), "tenant", "bulk", "first_row"),
        "sealed": _customer(_ROWS, _SEALED_ERASABLE),
    },
    "bulk_outcome": {
        **_all(_derived(_BULK), "tenant", "bulk", "row", "digest", "certificate", "code"),
        "sealed": _customer(_BULK, _SEALED_ERASABLE),
    },
    "take_over": _all(
        _customer(_TAKEN),
        "tenant", "id", "name", "signing_key", "key_sha256", "chain", "state", "crl_number",
        "point", "told", "entries", "certificates", "revoked", "revision", "created_at",
    ),
    "take_over_entry": _all(
        _customer(_TAKEN), "tenant", "issuer", "serial", "der", "profile", "not_after",
        "revoked_at", "reason", "invalid_since",
    ),
    "foreign_serial": _all(
        _customer(_CA_RECORDS), "tenant", "issuer", "serial", "epoch", "shard", "not_after"
    ),
    # Kept as long as there may be anybody who still has the key.
    "refused_key": _all(
        _derived(_TENANT_LIFE), "tenant", "spki_sha256", "ground", "created_at"
    ),
    "rsa_modulus": _all(
        _derived(_TENANT_LIFE), "tenant", "modulus_sha256", "modulus", "spki_sha256", "created_at"
    ),
    "notice_setting": {
        **_all(_customer(_TENANT_LIFE), "addresses", "days", "language"),
        **_all(_provider(_TENANT_LIFE), "tenant", "changed_at"),
    },
    "notice_mark": _all(_derived(_TENANT_LIFE), "tenant", "days", "told_until"),
    "notice_mail": {
        **_all(_derived(_UNTIL_SENT), "tenant", "id", "created_at"),
        **_all(_customer(_UNTIL_SENT), "addresses", "language", "subject", "content"),
    },
    "timestamp_authority": {
        **_all(
            _provider(_CA_RECORDS),
            "tenant", "id", "issuer", "algorithm", "signature_algorithm", "accuracy", "ordering",
            "ordered_until", "created_at", "disabled_at",
        ),
        **_all(_customer(_CA_RECORDS), "name", "policies"),
    },
    "timestamp_directory": _all(_public(_CA_RECORDS), "authority", "tenant"),
    "timestamp_unit": {
        **_all(
            _provider(_CA_RECORDS),
            "tenant", "authority", "number", "signing_key", "certificate_id", "serial",
            "not_after", "key_until", "created_at",
        ),
        "certificate": _public(_CA_RECORDS),
    },
    "anchored_checkpoint": _all(_public("for ever"), "size", "note", "created_at"),
    "log_anchor": _all(
        _public("for ever"), "size", "number", "source", "gen_time", "response", "created_at"
    ),
    "timestamp_block": _all(
        _provider(_CA_RECORDS), "tenant", "authority", "block", "created_at"
    ),
    "identity_purpose": {
        **_all(_customer(_TENANT_LIFE), "name", "document"),
        **_all(_provider(_TENANT_LIFE), "tenant", "changed_at"),
    },
    "identity_session": {
        **_all(
            _derived(_SESSION),
            "kind", "purpose", "legal_purpose", "state", "result", "reason", "checks", "person",
            "record", "decided_at", "handed_out_at",
        ),
        **_all(_provider(_SESSION), "tenant", "id", "created_at", "expires_at"),
        "sealed": _customer(_SESSION, _SEALED_ERASABLE),
    },
    "identity_certificate": {
        **_all(_derived(_TENANT_LIFE), "tenant", "tag", "person", "shown", "reason", "seen_at"),
        "sealed": _customer(_TENANT_LIFE, _SEALED_ERASABLE),
    },
    "identity_consent": {
        **_all(
            _derived(_TENANT_LIFE),
            "tenant", "id", "person", "purpose", "state", "given_at", "expires_at",
            "withdrawn_at",
        ),
        "sealed": _customer(_TENANT_LIFE, _SEALED_ERASABLE),
    },
    "identity_watch": {
        **_all(_provider(_TENANT_LIFE), "tenant", "hours", "method", "changed_at", "place"),
        "sealed": _customer(_TENANT_LIFE, _SEALED_ERASABLE),
    },
    "identity_delivery": _all(
        _derived("until it is sent, 3 days at most"), "tenant", "id", "created_at", "body"
    ),
    "confirmation_record": {
        **_all(
            _derived(_CONFIRMATION),
            "tenant", "id", "session", "person", "case_tag", "law", "law_version", "method",
            "made_at", "contract_ended_at", "retain_until", "held",
        ),
        "sealed": _customer(_CONFIRMATION, _SEALED_CONFIRMATION),
    },
    "audit_event": {
        **_all(_derived(_CA_RECORDS), "tenant", "sequence", "canonical", "digest"),
        "disclosures": _customer(_CA_RECORDS, _SEALED_DISCLOSURES),
    },
    "audit_head": _all(_derived(_TENANT_LIFE), "tenant", "sequence", "digest"),
    "log_head": _all(
        _public("for ever"),
        "name", "origin", "size", "fence", "owner", "leased_until", "note", "note_size",
    ),
    "log_tile": _all(_public("for ever"), "level", "number", "octets"),
    "log_queue": _all(_derived("about a second"), "tenant", "sequence", "entry"),
    "log_leaf": _all(_derived(_CA_RECORDS), "tenant", "sequence", "place"),
    "log_mark": _all(_derived(_TENANT_LIFE), "tenant", "sequence"),
    "log_salt": {
        **_all(_derived(_CA_RECORDS), "tenant", "sequence"),
        "sealed": _customer(_CA_RECORDS, _SEALED_DISCLOSURES),
    },
    "job": _all(
        _provider("while its issuer works"),
        "kind", "key", "tenant", "run_at", "owner", "leased_until", "tries",
    ),
    "node": _all(
        _provider("life of the database"),
        "id", "generation", "mark", "beat", "blocks_until", "awaited", "written_off_at",
    ),
    "negative_act": _all(_provider("about a second"), "node", "place"),
    "alembic_version": _all(_provider("life of the database"), "version_num"),
}  # fmt: skip

# Files and folders below the data folder.
FOLDERS: Mapping[str, Entry] = {
    "tegata.sqlite": _customer("as its columns", "as its columns"),
    "tegata.sqlite-wal": _customer("as its columns", "as its columns"),
    "tegata.sqlite-shm": _customer("as its columns", "as its columns"),
    "tls": _provider("replaced with the certificate"),
    "context.json": _provider("one run"),
    "demo.token": _customer(_TENANT_LIFE),
    "operator.token": _provider("until replaced"),
    # Made-up persons only; there with --demo.
    "sandbox": _provider("until it is deleted"),
    "node": _provider("life of the node"),
    "lock": _provider("life of the node"),
    "sealing.key": _provider("life of the platform"),
    "signer-reservations.jsonl": _provider(_CA_RECORDS),
    "negative-acts": _derived("90 days (--journal-days)", "journal key"),
    "key-authorisations": _provider("until an operator deletes them", "sealing key"),
    **_all(_public("for ever"), "log-heads", "log-checkpoint", "log-mirror"),
    "signer.sock": _provider("one run"),
    "crl-check": _public("while its issuer works"),
    "disk-reserve": _provider("life of the node"),
}

QUEUES: Mapping[str, Entry] = {
    CRL_JOB: _provider("while its issuer works"),
    SHARD_JOB: _provider("while its issuer works"),
    DELTA_JOB: _provider("while its issuer works"),
    RESPONDER_JOB: _provider("while its issuer works"),
    NOTICE_JOB: _provider(_TENANT_LIFE),
    TIMESTAMP_JOB: _provider("life of its authority"),
    ANCHOR_JOB: _provider("life of the platform"),
    BULK_JOB: _provider(_BULK),
    WATCH_JOB: _provider(_TENANT_LIFE),
    DELIVERY_JOB: _provider(_TENANT_LIFE),
    COMPARISON_JOB: _provider(_TENANT_LIFE),
    TAKE_OVER_JOB: _provider("until the CA is taken over"),
}

KEYS: Mapping[str, Entry] = {
    "sealing key": _provider("life of the platform", "file or HSM"),
    "signing key": _provider("life of its issuer, responder or log", "sealing key, or in an HSM"),
    **{
        f"tenant data key ({kind})": _provider("life of the tenant, by kind", "sealing key")
        for kind in DataKeyKind
    },
    "journal key": _provider("life of the node", "sealing key"),
    "API TLS key": _provider("90 days", "file"),
}


def differences(found: Mapping[str, Sequence[str]]) -> list[str]:
    """What differs between the columns of a database and the inventory."""
    problems = []
    for table, columns in found.items():
        known = COLUMNS.get(table, {})
        problems += [
            f"{table}.{column} is not in the inventory" for column in columns if column not in known
        ]
    for table, entries in COLUMNS.items():
        present = found.get(table, ())
        problems += [
            f"{table}.{column} is not in the database"
            for column in entries
            if column not in present
        ]
    return problems


def require_inventory(found: Holdings) -> None:
    """`InventoryError` when a database holds what nobody classed, or lacks what somebody did."""
    problems = differences(found.columns)
    problems += [
        f"queue {kind} is not in the inventory" for kind in found.queues if kind not in QUEUES
    ]
    if problems:
        raise InventoryError("; ".join(problems))


def schema_columns() -> dict[str, list[str]]:
    """The columns of the schema as this build defines it."""
    found = {
        table.name: [column.name for column in table.columns] for table in metadata.sorted_tables
    }
    return found | {"alembic_version": ["version_num"]}
