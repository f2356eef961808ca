"""The data inventory: what every column, folder, queue and key holds, and whose it is.

The build and the start-up fail on anything that is not in here, and on anything in here that
is not there. Retention says when rows go and by which ground; residency which kind of site may
hold them; key scope under what they are sealed (`-` when they are not).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tegata.kernel.signing import DataKeyKind
from tegata.store.discovery import Holdings
from tegata.store.inventory.columns import COLUMNS as COLUMNS
from tegata.store.inventory.entries import (
    BULK,
    CA_RECORDS,
    TENANT_LIFE,
    customer,
    derived,
    each_of,
    provider,
    public,
)
from tegata.store.inventory.entries import DataClass as DataClass
from tegata.store.inventory.entries import Entry as Entry
from tegata.store.jobs import (
    ANCHOR_JOB,
    BULK_JOB,
    CANARY_JOB,
    COMPARISON_JOB,
    CRL_JOB,
    DELIVERY_JOB,
    DELTA_JOB,
    NOTICE_JOB,
    PROBE_JOB,
    RESPONDER_JOB,
    SHARD_JOB,
    TAKE_OVER_JOB,
    TIMESTAMP_JOB,
    WATCH_JOB,
)
from tegata.store.schema import metadata


class InventoryError(Exception):
    """Something is kept that the inventory does not know, or the reverse."""


FOLDERS: Mapping[str, Entry] = {
    "tegata.sqlite": customer("as its columns", "as its columns"),
    "tegata.sqlite-wal": customer("as its columns", "as its columns"),
    "tegata.sqlite-shm": customer("as its columns", "as its columns"),
    "tls": provider("replaced with the certificate"),
    "context.json": provider("one run"),
    "demo.token": customer(TENANT_LIFE),
    "operator.token": provider("until replaced"),
    # Made-up persons only; there with --demo.
    "sandbox": provider("until it is deleted"),
    "node": provider("life of the node"),
    "lock": provider("life of the node"),
    "sealing.key": provider("life of the platform"),
    "signer-reservations.jsonl": provider(CA_RECORDS),
    "negative-acts": derived("90 days (--journal-days)", "journal key"),
    "key-authorisations": provider("until an operator deletes them", "sealing key"),
    **each_of(public("for ever"), "log-heads", "log-checkpoint", "log-mirror"),
    "signer.sock": provider("one run"),
    "monitor": provider("until replaced"),
    "crl-check": public("while its issuer works"),
    "disk-reserve": provider("life of the node"),
}

QUEUES: Mapping[str, Entry] = {
    CRL_JOB: provider("while its issuer works"),
    SHARD_JOB: provider("while its issuer works"),
    DELTA_JOB: provider("while its issuer works"),
    RESPONDER_JOB: provider("while its issuer works"),
    NOTICE_JOB: provider(TENANT_LIFE),
    TIMESTAMP_JOB: provider("life of its authority"),
    ANCHOR_JOB: provider("life of the platform"),
    BULK_JOB: provider(BULK),
    PROBE_JOB: provider("life of the platform"),
    CANARY_JOB: provider("life of the platform"),
    WATCH_JOB: provider(TENANT_LIFE),
    DELIVERY_JOB: provider(TENANT_LIFE),
    COMPARISON_JOB: provider(TENANT_LIFE),
    TAKE_OVER_JOB: provider("until the CA is taken over"),
}

KEYS: Mapping[str, Entry] = {
    "sealing key": provider("life of the platform", "file or HSM"),
    "signing key": provider("life of its issuer, responder or log", "sealing key, or in an HSM"),
    **{
        f"tenant data key ({kind})": provider("life of the tenant, by kind", "sealing key")
        for kind in DataKeyKind
    },
    "journal key": provider("life of the node", "sealing key"),
    "API TLS key": provider("90 days", "file"),
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
