"""Partitions of the certificates' tables by expiry month (PostgreSQL, ADR 3).

Months near today have a partition each, so that retention drops them whole; later years one
each; the rest one together. A year is divided into months, and a year taken off the rest, when
the day comes near: the few long-lived certificates in them are moved. Every epoch that a
certificate can have has a partition from the first day on, without a DEFAULT partition (which
would forbid DETACH CONCURRENTLY).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import psycopg
from psycopg import sql

from tegata.kernel.month import LAST_MONTH
from tegata.store.schema import PARTITIONED

_LOG = logging.getLogger(__name__)
END = LAST_MONTH + 1
MONTHS_AHEAD = 36
YEARS_AHEAD = 15
# What planning a query over all partitions can bear (scale.md 2.2). It holds as long as
# retention takes away what has expired.
MAXIMUM = 60
# Whoever changes the schema or the partitions of a database holds this advisory lock.
SCHEMA_LOCK = 0x7465_6761_7461
_BOUND = re.compile(r"FOR VALUES FROM \('?(\d+)'?\) TO \('?(\d+)'?\)")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Expiry months from `start` up to, not including, `stop`."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done with the partitions of a table."""

    create: Sequence[Span]
    divide: Sequence[tuple[Span, Sequence[Span]]]


def month_of(day: date) -> int:
    """The number of a day's month, as `kernel.month` counts."""
    return (day.year - 2000) * 12 + day.month - 1


def plan_partitions(existing: Sequence[Span], today: date) -> Plan:
    """What a table with these partitions lacks on a day."""
    month = month_of(today)
    if not existing:
        # Expired certificates may be brought in: the past is one partition.
        return Plan([Span(0, month), *_cut(Span(month, END), month)], [])
    ordered = sorted(existing)
    divide = [(span, pieces) for span in ordered if (pieces := _cut(span, month)) != [span]]
    # A gap in the past is what retention took away: it stays.
    ends = [*ordered, Span(END, END)]
    gaps = [Span(max(before.stop, month), after.start) for before, after in pairwise(ends)]
    return Plan([piece for gap in gaps for piece in _cut(gap, month)], divide)


def _cut(whole: Span, month: int) -> list[Span]:
    """A span in the pieces it should have, seen from a month."""
    if whole.stop <= month and whole.stop > whole.start:
        return [whole]
    pieces = []
    start = whole.start
    while start < whole.stop:
        new_year = (start // 12 + 1) * 12
        stop = min(new_year, whole.stop)
        if start < month + MONTHS_AHEAD:
            pieces += [Span(each, each + 1) for each in range(start, stop)]
        else:
            if new_year > month + YEARS_AHEAD * 12:
                stop = whole.stop
            pieces.append(Span(start, stop))
        start = stop
    return pieces


def ensure_partitions(connection: psycopg.Connection[tuple[object, ...]], today: date) -> int:
    """Create and divide what `plan_partitions` says, as the owner of the tables, in one
    transaction. The number of partitions made.

    Dividing locks the tables for the time it takes to move the rows; `lock_timeout` is the
    caller's to set.
    """
    made = 0
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (SCHEMA_LOCK,))
        for table in PARTITIONED:
            plan = plan_partitions(list(existing_partitions(connection, table)), today)
            for span in plan.create:
                _create(connection, table, span)
            for span, pieces in plan.divide:
                _divide(connection, table, span, pieces)
            made += len(plan.create) + sum(len(pieces) for _, pieces in plan.divide)
    if made:
        _LOG.info("%d partitions made", made)
    return made


def existing_partitions(
    connection: psycopg.Connection[tuple[object, ...]], table: str
) -> dict[Span, str]:
    """The partitions of a table: their months, and their names."""
    rows = connection.execute(
        "SELECT child.relname, pg_get_expr(child.relpartbound, child.oid) FROM pg_inherits "
        "JOIN pg_class child ON child.oid = inhrelid WHERE inhparent = %s::regclass",
        (table,),
    ).fetchall()
    found = {}
    for name, bound in rows:
        match = _BOUND.fullmatch(str(bound))
        if match is None:
            raise ValueError(f"partition {name} is not one of ours: {bound}")
        found[Span(int(match[1]), int(match[2]))] = str(name)
    return found


def _create(
    connection: psycopg.Connection[tuple[object, ...]], table: str, span: Span
) -> sql.Identifier:
    name = sql.Identifier(f"{table}_{span.start}_{span.stop}")
    statement = sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})")
    connection.execute(
        statement.format(name, sql.Identifier(table), sql.Literal(span.start), span.stop)
    )
    return name


def _divide(
    connection: psycopg.Connection[tuple[object, ...]],
    table: str,
    span: Span,
    pieces: Sequence[Span],
) -> None:
    """Rows go from partition to partition, never through the table: its policy, forced on its
    owner too, lets nobody see the rows of all tenants."""
    old = sql.Identifier(existing_partitions(connection, table)[span])
    connection.execute(
        sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(sql.Identifier(table), old)
    )
    move = sql.SQL("INSERT INTO {} SELECT * FROM {} WHERE epoch >= {} AND epoch < {}")
    for piece in pieces:
        name = _create(connection, table, piece)
        connection.execute(move.format(name, old, piece.start, piece.stop))
    connection.execute(sql.SQL("DROP TABLE {}").format(old))
