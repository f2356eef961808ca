"""Fill a stopped platform's store with certificates and events, as many as a large tenant has."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Table

from tegata.kernel.month import expiry_month
from tegata.store.instants import from_milliseconds
from tegata.store.issuance import fingerprint_number
from tegata.store.schema import (
    audit_event,
    certificate,
    certificate_der,
    certificate_name,
    revocation,
)
from tegata.store.statement import sqlite_insert

_BATCH = 20_000
_DAY = 86_400_000
_DER = b"\x30\x82\x02\xac" + bytes(668)
_CANONICAL = b'{"action":"issuance:certificate:issue"}'.ljust(420)
_Rows = dict[Table, list[tuple[Any, ...]]]


def _batches(
    tenant: str, issuers: Sequence[str], count: int, first_event: int, events: bool
) -> Iterator[_Rows]:
    """Rows as the platform writes them: random serials, ids in the order of time. Lives differ,
    a tenth has expired, one in a hundred is revoked, one in a thousand is of a rare profile."""
    now = int(time.time() * 1000)
    numbers = iter(range(count))
    while batch := list(islice(numbers, _BATCH)):
        rows: _Rows = {
            certificate: [], certificate_name: [], certificate_der: [], audit_event: [],
            revocation: [],
        }  # fmt: skip
        for number in batch:
            not_after = now + (number * 7919 % 398 - 40) * _DAY + number % 86_400 * 1000
            month = expiry_month(from_milliseconds(not_after))
            identifier = (
                (now - count + number).to_bytes(6, "big") + month.to_bytes(2, "big") + os.urandom(8)
            )
            serial = b"\x00\x01" + month.to_bytes(2, "big") + os.urandom(16)
            name = f"host{number}.zone{number % 1000}.example.test"
            issuer = issuers[number % 10 == 0 and len(issuers) > 1]
            der = _DER + identifier
            shard = 1 + number // 10_000
            rows[certificate].append(
                (tenant, identifier, month, issuer, serial, _profile(number), 1, f"CN={name}",
                 not_after - 398 * _DAY, not_after, shard,
                 fingerprint_number(hashlib.sha256(der).digest()))
            )  # fmt: skip
            reversed_name = f"dns:test.example.zone{number % 1000}.host{number}"
            rows[certificate_name].append((tenant, reversed_name, identifier, month))
            rows[certificate_der].append((tenant, identifier, month, der))
            if number % 100 == 0:
                reason = 6 if number % 1000 == 0 else 4
                rows[revocation].append(
                    (
                        tenant,
                        issuer,
                        serial,
                        month,
                        identifier,
                        now,
                        reason,
                        bytes(40),
                        not_after,
                        None,
                        shard,
                        1 + number // 100,
                    )
                )
            if events:
                sequence = first_event + number
                digest = hashlib.sha256(sequence.to_bytes(8, "big")).digest()
                rows[audit_event].append((tenant, sequence, _CANONICAL, digest, bytes(280)))
        yield rows


def _profile(number: int) -> str:
    if number % 1000 == 7:
        return "rare"
    return "tls-client" if number % 10 == 3 else "tls-server"


def preload_sqlite(
    data: Path, tenant: str, issuers: Sequence[str], count: int, *, events: bool = True
) -> None:
    """Fill the SQLite store of a data folder."""
    connection = sqlite3.connect(data / "tegata.sqlite", isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -400000")
    (head,) = connection.execute(
        "SELECT sequence FROM audit_head WHERE tenant = ?", (tenant,)
    ).fetchone()
    for rows in _batches(tenant, issuers, count, head + 1, events):
        connection.execute("BEGIN")
        for table, added in rows.items():
            connection.executemany(sqlite_insert(table), added)
        connection.execute("COMMIT")
    # As if they were in the log: a million leaves are another measurement's.
    for table in ("audit_head", "log_mark"):
        connection.execute(
            f"UPDATE {table} SET sequence = ? WHERE tenant = ?", (head + count * events, tenant)
        )
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def preload_postgres(
    url: str, tenant: str, issuers: Sequence[str], count: int, *, events: bool = True
) -> None:
    """Fill a PostgreSQL store; the connection's role must be its owner."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT set_config('tegata.tenant', %s, false)", (tenant,))
        connection.execute("SET synchronous_commit = off")
        found = connection.execute(
            "SELECT sequence FROM audit_head WHERE tenant = %s", (tenant,)
        ).fetchone()
        assert found is not None
        head: int = found[0]
        for rows in _batches(tenant, issuers, count, head + 1, events):
            for table, added in rows.items():
                _copy(connection, table, added)
        for name in (b"audit_head", b"log_mark"):
            statement = b"UPDATE %b SET sequence = %%s WHERE tenant = %%s" % name
            connection.execute(statement, (head + count * events, tenant))
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def _copy(connection: psycopg.Connection[Any], table: Table, rows: list[tuple[Any, ...]]) -> None:
    names = ", ".join(column.name for column in table.columns)
    statement = f"COPY {table.name} ({names}) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        for row in rows:
            copy.write_row(row)
