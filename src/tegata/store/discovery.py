"""What a database really holds, asked of its own catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psycopg

from tegata.store.sqlite import connect

Columns = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a database holds: columns by table, and the kinds of its jobs."""

    columns: Columns
    queues: tuple[str, ...]


_QUEUES = "SELECT DISTINCT kind FROM job"

_SQLITE = (
    "SELECT tables.name, columns.name FROM sqlite_schema AS tables, "
    "pragma_table_info(tables.name) AS columns "
    "WHERE tables.type IN ('table', 'view') AND tables.name NOT LIKE 'sqlite_%'"
)
# Partitions are left out: they hold their parent's columns.
_POSTGRES = (
    "SELECT relation.relname, attribute.attname FROM pg_attribute AS attribute "
    "JOIN pg_class AS relation ON relation.oid = attribute.attrelid "
    "JOIN pg_namespace AS space ON space.oid = relation.relnamespace "
    "WHERE space.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') "
    "AND relation.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT relation.relispartition "
    "AND attribute.attnum > 0 AND NOT attribute.attisdropped"
)


def discover_sqlite(path: Path) -> Holdings:
    """Every table and view with its columns, and every kind of job."""
    connection = connect(path, read_only=True)
    try:
        columns = _gather(connection.execute(_SQLITE).fetchall())
        return Holdings(columns, _kinds(connection.execute(_QUEUES).fetchall()))
    finally:
        connection.close()


def discover_postgres(url: str) -> Holdings:
    """Every table and view with its columns, and every kind of job."""
    with psycopg.connect(url) as connection:
        columns = _gather(connection.execute(_POSTGRES).fetchall())
        return Holdings(columns, _kinds(connection.execute(_QUEUES).fetchall()))


def _kinds(rows: list[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(kind for (kind,) in rows)


def _gather(rows: list[tuple[str, str]]) -> Columns:
    found: Columns = {}
    for table, column in rows:
        found.setdefault(table, []).append(column)
    return found
