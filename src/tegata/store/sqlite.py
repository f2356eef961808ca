"""SQLite: one writer that commits units in groups, separate readers (WAL, synchronous=FULL)."""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tegata.kernel.event import NO_PREVIOUS
from tegata.kernel.ids import TenantId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.store.disk import DiskReserve
from tegata.store.schema import audit_event
from tegata.store.statement import Parameters, Row, Statement, bind_tenant, sqlite_insert
from tegata.store.unit import ChainHead, Intent

_LOG = logging.getLogger(__name__)
GROUP_MAXIMUM = 64
_READERS = 2
_BUSY_MILLISECONDS = 10_000

_Outcome = Problem | Exception | None
_EVENT = sqlite_insert(audit_event)
_HEAD = "SELECT sequence, digest FROM audit_head WHERE tenant = ?"
_MOVE_HEAD = (
    "INSERT INTO audit_head (tenant, sequence, digest) VALUES (?, ?, ?) "
    "ON CONFLICT (tenant) DO UPDATE SET sequence = excluded.sequence, digest = excluded.digest"
)


class _Order:
    """An intent in the writer's queue."""

    def __init__(self, intent: Intent, loop: asyncio.AbstractEventLoop) -> None:
        self.intent = intent
        self.done: asyncio.Future[None] = loop.create_future()

    def settle(self, outcome: _Outcome) -> None:
        if self.done.done():
            return
        if outcome is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(outcome)


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection with the settings that durability rests on."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
    connection.execute("PRAGMA cache_size = -65536")
    if read_only:
        connection.execute("PRAGMA query_only = ON")
        return connection
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 4000")
    return connection


class SqliteDatabase:
    """The embedded engine."""

    def __init__(self, path: Path, reserve: DiskReserve) -> None:
        self._path = path
        self._reserve = reserve
        self._orders: queue.SimpleQueue[_Order | None] = queue.SimpleQueue()
        self._readers = ThreadPoolExecutor(_READERS, "sqlite-reader")
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._loop = asyncio.get_running_loop()
        self._writer_connection = connect(path)
        self._writer = threading.Thread(target=self._write, name="sqlite-writer", daemon=True)
        self._writer.start()

    async def apply(self, intent: Intent) -> None:
        """Apply an intent; it shares its commit with all that are waiting."""
        order = _Order(intent, self._loop)
        self._orders.put(order)
        # Once queued it will be applied: a caller that gives up must not stop the others.
        await asyncio.shield(order.done)

    async def fetch(
        self, tenant: TenantId | None, statement: Statement, parameters: Parameters
    ) -> list[Row]:
        """The rows of a statement."""
        bound = bind_tenant(tenant, statement, parameters)
        return await self._loop.run_in_executor(self._readers, self._read, statement.sqlite, bound)

    async def execute_shared(self, statement: Statement, parameters: Parameters) -> int:
        """Run a statement on a shared table in a transaction of its own."""
        if statement.tenant_scoped:
            raise ValueError("not a statement on shared tables")
        return await self._loop.run_in_executor(
            self._readers, self._write_shared, statement.sqlite, parameters
        )

    def require_room(self, *, essential: bool) -> None:
        """Refuse new work while the disk has no more than the reserve."""
        self._reserve.require_room(essential=essential)

    async def close(self) -> None:
        """Apply what is queued, then close."""
        self._orders.put(None)
        await self._loop.run_in_executor(None, self._writer.join)
        self._readers.shutdown()
        for connection in self._opened:
            connection.close()
        self._writer_connection.close()

    def _read(self, sql: str, parameters: Parameters) -> list[Row]:
        try:
            return self._reader().execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise _problem(error) from error

    def _write_shared(self, sql: str, parameters: Parameters) -> int:
        connection = self._thread_connection("shared", read_only=False)
        try:
            return connection.execute(sql, parameters).rowcount
        except sqlite3.Error as error:
            raise _problem(error) from error

    def _reader(self) -> sqlite3.Connection:
        return self._thread_connection("reader", read_only=True)

    def _thread_connection(self, name: str, *, read_only: bool) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, name, None)
        if connection is None:
            connection = connect(self._path, read_only=read_only)
            setattr(self._local, name, connection)
            self._opened.append(connection)
        return connection

    # The writer's thread.

    def _write(self) -> None:
        stopping = False
        while not stopping:
            group: list[_Order] = []
            waiting = self._orders.get()
            while waiting is not None:
                group.append(waiting)
                if len(group) == GROUP_MAXIMUM:
                    break
                try:
                    waiting = self._orders.get_nowait()
                except queue.Empty:
                    break
            stopping = waiting is None
            if group:
                outcomes = self._apply_group(group)
                self._loop.call_soon_threadsafe(_settle, group, outcomes)

    def _apply_group(self, group: Sequence[_Order]) -> Sequence[_Outcome]:
        outcome = self._transaction([order.intent for order in group])
        if outcome is None or len(group) == 1:
            return [outcome]
        # One of them failed: each alone, so that only that one does.
        return [self._transaction([order.intent]) for order in group]

    def _transaction(self, intents: Sequence[Intent]) -> _Outcome:
        outcome = self._try_transaction(intents)
        if (
            isinstance(outcome, Problem)
            and outcome.code is ProblemCode.STORAGE_EXHAUSTED
            and all(intent.essential for intent in intents)
            and self._reserve.release()
        ):
            outcome = self._try_transaction(intents)
        return outcome

    def _try_transaction(self, intents: Sequence[Intent]) -> _Outcome:
        connection = self._writer_connection
        committing = False
        try:
            connection.execute("BEGIN IMMEDIATE")
            _run(connection, intents)
            committing = True
            connection.execute("COMMIT")
        except Exception as error:
            self._roll_back()
            if isinstance(error, Problem):
                return error
            if not isinstance(error, sqlite3.Error):
                return error
            problem = _problem(error)
            if committing and problem.code is ProblemCode.STORAGE_UNAVAILABLE:
                # The commit may stand after a crash, or not.
                return Problem(ProblemCode.OUTCOME_UNKNOWN, "the commit could not be confirmed")
            return problem
        return None

    def _roll_back(self) -> None:
        if self._writer_connection.in_transaction:
            try:
                self._writer_connection.execute("ROLLBACK")
            except sqlite3.Error:
                _LOG.exception("a roll-back failed")


def _run(connection: sqlite3.Connection, intents: Sequence[Intent]) -> None:
    heads: dict[TenantId, ChainHead] = {}
    for intent in intents:
        for insert in intent.inserts:
            connection.execute(sqlite_insert(insert.table), insert.row)
        for execute in intent.executes:
            touched = connection.execute(execute.statement.sqlite, execute.parameters).rowcount
            if execute.expect is not None and touched != execute.expect:
                raise Problem(execute.otherwise)
        if intent.events:
            head = heads.get(intent.tenant)
            if head is None:
                head = heads[intent.tenant] = _head(connection, intent.tenant)
            for pending in intent.events:
                event = head.append(pending)
                row = (
                    event.tenant,
                    event.sequence,
                    event.canonical,
                    event.digest,
                    pending.disclosures,
                )
                connection.execute(_EVENT, row)
    for head in heads.values():
        connection.execute(_MOVE_HEAD, (head.tenant, head.sequence, head.digest))


def _head(connection: sqlite3.Connection, tenant: TenantId) -> ChainHead:
    row = connection.execute(_HEAD, (tenant,)).fetchone()
    return ChainHead(tenant, *row) if row is not None else ChainHead(tenant, 0, NO_PREVIOUS)


def _settle(group: Sequence[_Order], outcomes: Sequence[_Outcome]) -> None:
    shared = len(outcomes) == 1
    for place, order in enumerate(group):
        order.settle(outcomes[0 if shared else place])


def _problem(error: sqlite3.Error) -> Problem:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if isinstance(error, sqlite3.IntegrityError):
        return Problem(ProblemCode.CONFLICT, "another request changed the same thing")
    if code == sqlite3.SQLITE_FULL:
        return Problem(ProblemCode.STORAGE_EXHAUSTED, "the disk is full")
    _LOG.error("SQLite: %s (%s)", error, getattr(error, "sqlite_errorname", "?"))
    return Problem(ProblemCode.STORAGE_UNAVAILABLE, "the database cannot be used now")
