"""SQLite: one writer that commits units in groups, separate readers (WAL, synchronous=FULL)."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import Table

from tegata.kernel.event import NO_PREVIOUS
from tegata.kernel.ids import TenantId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import PLATFORM_TENANT
from tegata.store.disk import DiskReserve
from tegata.store.schema import audit_event, crl, log_queue
from tegata.store.statement import Parameters, Row, Statement, bind_tenant, sqlite_insert
from tegata.store.unit import ChainHead, Execute, Intent, record_rows

_LOG = logging.getLogger(__name__)
GROUP_MAXIMUM = 64
_GATHERING_TURNS = 12
_READERS = 2
_BUSY_MILLISECONDS = 10_000
_BUSY_PAUSE = 0.02
_BUSY_ATTEMPTS = 500

_Outcome = int | Exception
_EVENT = sqlite_insert(audit_event)
# Its octets are the last column.
_INSERT_LIST = sqlite_insert(crl).removesuffix("?)") + "zeroblob(?))"
_PIECE = 1 << 20
_QUEUE = sqlite_insert(log_queue)
_HEAD = "SELECT sequence, digest FROM audit_head WHERE tenant = ?"
_MOVE_HEAD = (
    "INSERT INTO audit_head (tenant, sequence, digest) VALUES (?, ?, ?) "
    "ON CONFLICT (tenant) DO UPDATE SET sequence = excluded.sequence, digest = excluded.digest"
)


class _Order:
    """An intent that waits; its result is how many rows its statements touched."""

    def __init__(self, intent: Intent, done: asyncio.Future[int]) -> None:
        self.intent = intent
        self.done = done

    def settle(self, outcome: _Outcome) -> None:
        if self.done.done():
            return
        if isinstance(outcome, int):
            self.done.set_result(outcome)
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
    """The embedded engine.

    Statements of a group run on the event loop, where they take microseconds and contend with
    nothing for the interpreter; only the commit, which waits for the disk, runs in a thread.
    """

    def __init__(self, path: Path, reserve: DiskReserve) -> None:
        self._path = path
        self._reserve = reserve
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Order] = deque()
        self._committing: asyncio.Task[None] | None = None
        self._writer = connect(path)
        # The loop must not wait for a lock: it tries again instead.
        self._writer.execute("PRAGMA busy_timeout = 0")
        self._commit_thread = ThreadPoolExecutor(1, "sqlite-commit")
        self._readers = ThreadPoolExecutor(_READERS, "sqlite-reader")
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []

    async def apply(self, intent: Intent) -> None:
        """Apply an intent; it shares its commit with all that are waiting."""
        await self._order(intent)

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
        execute = Execute(statement, parameters, None, ProblemCode.CONFLICT)
        return await self._order(Intent(PLATFORM_TENANT, essential=True, executes=[execute]))

    def require_room(self, *, essential: bool) -> None:
        """Refuse new work while the disk has no more than the reserve."""
        self._reserve.require_room(essential=essential)

    async def close(self) -> None:
        """Apply what is waiting, then close."""
        if self._committing is not None:
            await self._committing
        self._commit_thread.shutdown()
        self._readers.shutdown()
        for connection in self._opened:
            connection.close()
        self._writer.close()

    def _read(self, sql: str, parameters: Parameters) -> list[Row]:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        try:
            if connection is None:
                connection = self._local.connection = connect(self._path, read_only=True)
                self._opened.append(connection)
            return connection.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise _problem(error) from error

    async def _order(self, intent: Intent) -> int:
        order = _Order(intent, self._loop.create_future())
        self._waiting.append(order)
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit_all())
        # Once queued it will be applied, also when this caller gives up: the task owns it.
        return await order.done

    async def _commit_all(self) -> None:
        while self._waiting:
            await self._gather()
            many = min(len(self._waiting), GROUP_MAXIMUM)
            group = [self._waiting.popleft() for _ in range(many)]
            outcomes = await self._transaction([order.intent for order in group])
            if outcomes is None:
                # One of them failed: each alone, so that only that one does.
                for order in group:
                    alone = await self._transaction([order.intent])
                    order.settle(alone[0] if alone is not None else 0)
                continue
            for order, outcome in zip(group, outcomes, strict=True):
                order.settle(outcome)

    async def _gather(self) -> None:
        """Let those come along that arrive in the next turns of the loop: a commit costs much,
        and nearly the same for many. Where nobody is about to arrive this takes no time."""
        for _turn in range(_GATHERING_TURNS):
            waiting = len(self._waiting)
            await asyncio.sleep(0)
            if len(self._waiting) == waiting:
                return

    async def _transaction(self, intents: Sequence[Intent]) -> list[_Outcome] | None:
        """Outcomes of the intents together; None when they must be tried one by one."""
        result = await self._try_transaction(intents)
        if isinstance(result, list):
            return [*result]
        unknown = isinstance(result, Problem) and result.code is ProblemCode.OUTCOME_UNKNOWN
        if unknown:
            # What may stand already must not be applied again.
            return [result] * len(intents)
        if len(intents) > 1:
            return None
        exhausted = isinstance(result, Problem) and result.code is ProblemCode.STORAGE_EXHAUSTED
        if exhausted and intents[0].essential and self._reserve.release():
            result = await self._try_transaction(intents)
        return [*result] if isinstance(result, list) else [result]

    async def _try_transaction(self, intents: Sequence[Intent]) -> list[int] | Exception:
        committing = False
        try:
            await self._begin()
            touched = _run(self._writer, intents)
            committing = True
            await self._loop.run_in_executor(self._commit_thread, self._writer.execute, "COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            problem = _problem(error)
            if committing and problem.code is ProblemCode.STORAGE_UNAVAILABLE:
                # The commit may stand after a crash, or not.
                return Problem(ProblemCode.OUTCOME_UNKNOWN, "the commit could not be confirmed")
            return problem
        except Exception as error:  # noqa: BLE001 (handed to whoever waits for it)
            self._roll_back()
            return error
        return touched

    async def _begin(self) -> None:
        for _attempt in range(_BUSY_ATTEMPTS):
            try:
                self._writer.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                await asyncio.sleep(_BUSY_PAUSE)
            else:
                return
        raise Problem(ProblemCode.STORAGE_UNAVAILABLE, "another program holds the database")

    def _roll_back(self) -> None:
        if self._writer.in_transaction:
            try:
                self._writer.execute("ROLLBACK")
            except sqlite3.Error:
                _LOG.exception("a roll-back failed")


def _run(connection: sqlite3.Connection, intents: Sequence[Intent]) -> list[int]:
    rows: dict[Table, list[Row]] = {}
    for intent in intents:
        for insert in intent.inserts:
            rows.setdefault(insert.table, []).append(insert.row)
    for table, added in rows.items():
        if table is crl:
            _insert_lists(connection, added)
        else:
            connection.executemany(sqlite_insert(table), added)
    touched = [_execute(connection, intent) for intent in intents]
    events, queued, heads = _chain(connection, intents)
    connection.executemany(_EVENT, events)
    connection.executemany(_QUEUE, queued)
    connection.executemany(_MOVE_HEAD, heads)
    return touched


def _insert_lists(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """CRLs: as a value one of tens of megabytes would be copied twice, so it is written into its
    place in pieces."""
    for row in rows:
        *values, der = row
        inserted = connection.execute(_INSERT_LIST, (*values, len(der)))
        place = inserted.lastrowid
        assert place is not None
        with memoryview(der) as octets, connection.blobopen("crl", "der", place) as blob:
            for first in range(0, len(octets), _PIECE):
                blob.write(octets[first : first + _PIECE])


def _execute(connection: sqlite3.Connection, intent: Intent) -> int:
    total = 0
    for execute in intent.executes:
        touched = connection.execute(execute.statement.sqlite, execute.parameters).rowcount
        if execute.expect is not None and touched != execute.expect:
            raise Problem(execute.otherwise)
        total += touched
    return total


def _chain(
    connection: sqlite3.Connection, intents: Sequence[Intent]
) -> tuple[list[Row], list[Row], list[Row]]:
    """The rows of the intents' events, those for the log's queue, and the new end of each
    tenant's record."""
    heads: dict[TenantId, ChainHead] = {}
    events: list[Row] = []
    queued: list[Row] = []
    for intent in intents:
        if not intent.events:
            continue
        head = heads.get(intent.tenant)
        if head is None:
            head = heads[intent.tenant] = _head(connection, intent.tenant)
        for pending in intent.events:
            row, waiting = record_rows(head.append(pending), pending)
            events.append(row)
            queued.append(waiting)
    return events, queued, [(head.tenant, head.sequence, head.digest) for head in heads.values()]


def _head(connection: sqlite3.Connection, tenant: TenantId) -> ChainHead:
    row = connection.execute(_HEAD, (tenant,)).fetchone()
    return ChainHead(tenant, *row) if row is not None else ChainHead(tenant, 0, NO_PREVIOUS)


def _problem(error: sqlite3.Error) -> Problem:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if isinstance(error, sqlite3.IntegrityError):
        return Problem(ProblemCode.CONFLICT, "another request changed the same thing")
    if code == sqlite3.SQLITE_FULL:
        return Problem(ProblemCode.STORAGE_EXHAUSTED, "the disk is full")
    _LOG.error("SQLite: %s (%s)", error, getattr(error, "sqlite_errorname", "?"))
    return Problem(ProblemCode.STORAGE_UNAVAILABLE, "the database cannot be used now")
