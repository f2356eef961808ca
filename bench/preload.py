"""Fill a stopped platform's store with certificates and events, as many as a large tenant has."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Table

from tegata.store.schema import audit_event, certificate, certificate_der, certificate_name
from tegata.store.statement import sqlite_insert

_BATCH = 20_000
_MONTH_NOW = (time.gmtime().tm_year - 2000) * 12 + time.gmtime().tm_mon - 1
_DER = b"\x30\x82\x02\xac" + bytes(684)
_CANONICAL = b'{"action":"issuance:certificate:issue"}'.ljust(420)
_Rows = dict[Table, list[tuple[Any, ...]]]


def _batches(tenant: str, issuer: str, count: int, first_event: int) -> Iterator[_Rows]:
    """Rows as the platform writes them: random serials, ids in the order of time."""
    now = int(time.time() * 1000)
    numbers = iter(range(count))
    while batch := list(islice(numbers, _BATCH)):
        rows: _Rows = {certificate: [], certificate_name: [], certificate_der: [], audit_event: []}
        for number in batch:
            month = _MONTH_NOW + 1 + number % 13
            identifier = (
                (now - count + number).to_bytes(6, "big") + month.to_bytes(2, "big") + os.urandom(8)
            )
            serial = b"\x00\x01" + month.to_bytes(2, "big") + os.urandom(16)
            name = f"host{number}.example.test"
            rows[certificate].append(
                (tenant, identifier, month, issuer, serial, "tls-server", 1, f"CN={name}",
                 now, now + 7_776_000_000, 1 + number // 10_000)
            )  # fmt: skip
            rows[certificate_name].append(
                (tenant, f"dns:test.example.host{number}", identifier, month)
            )
            rows[certificate_der].append((tenant, identifier, month, _DER))
            sequence = first_event + number
            digest = hashlib.sha256(sequence.to_bytes(8, "big")).digest()
            rows[audit_event].append((tenant, sequence, _CANONICAL, digest, bytes(280)))
        yield rows


def preload_sqlite(data: Path, tenant: str, issuer: str, count: int) -> None:
    """Fill the SQLite store of a data folder."""
    connection = sqlite3.connect(data / "tegata.sqlite", isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -400000")
    (head,) = connection.execute(
        "SELECT sequence FROM audit_head WHERE tenant = ?", (tenant,)
    ).fetchone()
    for rows in _batches(tenant, issuer, count, head + 1):
        connection.execute("BEGIN")
        for table, added in rows.items():
            connection.executemany(sqlite_insert(table), added)
        connection.execute("COMMIT")
    connection.execute(
        "UPDATE audit_head SET sequence = ? WHERE tenant = ?", (head + count, tenant)
    )
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.execute("ANALYZE")
    connection.close()


def preload_postgres(url: str, tenant: str, issuer: str, count: int) -> None:
    """Fill a PostgreSQL store; the connection's role must be its owner."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT set_config('tegata.tenant', %s, false)", (tenant,))
        connection.execute("SET synchronous_commit = off")
        found = connection.execute(
            "SELECT sequence FROM audit_head WHERE tenant = %s", (tenant,)
        ).fetchone()
        assert found is not None
        head: int = found[0]
        for rows in _batches(tenant, issuer, count, head + 1):
            for table, added in rows.items():
                _copy(connection, table, added)
        connection.execute(
            "UPDATE audit_head SET sequence = %s WHERE tenant = %s", (head + count, tenant)
        )
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def _copy(connection: psycopg.Connection[Any], table: Table, rows: list[tuple[Any, ...]]) -> None:
    names = ", ".join(column.name for column in table.columns)
    statement = f"COPY {table.name} ({names}) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        for row in rows:
            copy.write_row(row)
