"""PostgreSQL: units of a tenant commit in groups, those of different tenants side by side."""

from __future__ import annotations

import asyncio
import logging
import select
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool

from tegata.kernel.ids import TenantId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.store.policies import SET_TENANT, SET_TENANT_AND_GENERIC_PLANS
from tegata.store.postgres_group import Connection, Group, stands
from tegata.store.statement import Parameters, Row, Statement, bind_tenant
from tegata.store.unit import ChainHead, Intent

_LOG = logging.getLogger(__name__)
GROUP_MAXIMUM = 64
POOL_SIZE = 4
DOUBT_SECONDS = 10.0
_TRIES = 3
_NOTICES_MAXIMUM = 16
_POOL_SECONDS = 10.0
OPEN_SECONDS = 10.0
_DOUBT_PAUSE_SECONDS = 0.1
# For how long a full disk keeps new work away, unless a commit succeeds before.
_FULL_SECONDS = 5.0
# What the URL may overrule. A dead server is noticed in seconds, not in the hours that TCP
# takes; a leader that became a standby is left.
_CONNECTION = {
    "connect_timeout": "2",
    "keepalives_idle": "2",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "tcp_user_timeout": "3000",
    "target_session_attrs": "read-write",
    "application_name": "tegata",
}
_SERIALIZATION_OR_DEADLOCK = frozenset({"40001", "40P01"})
_RECORD = frozenset({"audit_event", "audit_head"})
# Read-only transaction, and classes: connection, resources, operator, system.
_OUTAGES = ("25006", "25P03", "08", "53", "57", "58", "XX")

_Outcome = Problem | Exception | None


class _Outage(Problem):
    """A refusal that is no unit's fault, so that applying each alone is of no use."""


class _InDoubt(Exception):
    """The answer to a commit was lost."""


class _Again(Exception):
    """The transaction met another one and may be tried again; `problem` if that does not help."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.problem = problem


class _Order:
    """An intent in its tenant's queue."""

    def __init__(self, intent: Intent) -> None:
        self.intent = intent
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def settle(self, outcome: _Outcome) -> None:
        if self.done.done():
            return
        if outcome is None:
            self.done.set_result(None)
        elif isinstance(outcome, Problem):
            # Many may be told the same; each gets an exception of its own.
            self.done.set_exception(Problem(outcome.code, outcome.detail, outcome.findings))
        else:
            self.done.set_exception(outcome)


class PostgresDatabase:
    """The engine for many nodes. Its login needs no right but to be a member of `tegata_app`."""

    def __init__(
        self, conninfo: str, pool: AsyncConnectionPool[Connection], doubt_seconds: float
    ) -> None:
        self._conninfo = conninfo
        self._pool = pool
        self._doubt_seconds = doubt_seconds
        self._queues: dict[TenantId, deque[_Order]] = {}
        self._committers: set[asyncio.Task[None]] = set()
        self._full_until = 0.0
        self._closing = False

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        pool_size: int = POOL_SIZE,
        open_seconds: float = OPEN_SECONDS,
        doubt_seconds: float = DOUBT_SECONDS,
    ) -> PostgresDatabase:
        """Connect; `Problem(storage.unavailable)` when that is not possible now."""
        conninfo = make_conninfo("", **{**_CONNECTION, **conninfo_to_dict(url)})
        pool = AsyncConnectionPool(
            conninfo,
            connection_class=Connection,
            kwargs={"autocommit": True},
            min_size=pool_size,
            max_size=pool_size,
            open=False,
            configure=Connection.configure,
            check=_require_alive,
            timeout=_POOL_SECONDS,
            name="tegata",
        )
        try:
            await pool.open(wait=True, timeout=open_seconds)
        except psycopg.Error as error:
            await pool.close()
            raise _unavailable() from error
        return cls(conninfo, pool, doubt_seconds)

    async def fetch(
        self, tenant: TenantId | None, statement: Statement, parameters: Parameters
    ) -> list[Row]:
        """The rows of a statement, in one round trip."""
        bound = bind_tenant(tenant, statement, parameters)
        query = statement.postgres.encode()
        try:
            async with self._lend() as connection:
                if not statement.tenant_scoped:
                    rows = await connection.execute(query, bound, binary=True)
                    return await rows.fetchall()
                once = statement.planned_once or None
                settings = SET_TENANT_AND_GENERIC_PLANS if once else SET_TENANT
                async with connection.pipeline():
                    await connection.execute("BEGIN READ ONLY")
                    await connection.execute(settings, (tenant,))
                    rows = await connection.execute(query, bound, binary=True, prepare=once)
                    await connection.execute("COMMIT")
                return await rows.fetchall()
        except (psycopg.DataError, UnicodeEncodeError):
            # Text with a NUL or a lone surrogate can stand in no column, so nothing matches it.
            return []
        except psycopg.Error as error:
            raise _problem(error) from error

    async def execute_shared(self, statement: Statement, parameters: Parameters) -> int:
        """Run a statement on a shared table in a transaction of its own."""
        if statement.tenant_scoped:
            raise ValueError("not a statement on shared tables")
        try:
            async with self._lend() as connection:
                cursor = await connection.execute(statement.postgres.encode(), parameters)
                return cursor.rowcount
        except psycopg.Error as error:
            raise _problem(error) from error

    def require_room(self, *, essential: bool) -> None:
        """Refuse new work for a moment after the server said that its disk is full."""
        if not essential and time.monotonic() < self._full_until:
            raise _full()

    async def apply(self, intent: Intent) -> None:
        """Apply an intent; it shares its commit with all of its tenant that are waiting."""
        if self._closing:
            raise _unavailable()
        order = _Order(intent)
        queue = self._queues.get(intent.tenant)
        if queue is None:
            queue = self._queues[intent.tenant] = deque()
            committer = asyncio.create_task(self._commit_all(intent.tenant, queue))
            self._committers.add(committer)
            committer.add_done_callback(self._committers.discard)
        queue.append(order)
        # A caller that gives up must not cancel a commit: the server would answer that it
        # stands while no standby has it (scale.md 3.4).
        await asyncio.shield(order.done)

    async def close(self) -> None:
        """Apply what is queued, then close."""
        self._closing = True
        await asyncio.gather(*self._committers)
        await self._pool.close()

    async def _commit_all(self, tenant: TenantId, queue: deque[_Order]) -> None:
        try:
            while queue:
                group = [queue.popleft() for _ in range(min(len(queue), GROUP_MAXIMUM))]
                try:
                    await self._apply_group(group)
                finally:
                    # Unsettled only when the event loop itself is being ended.
                    for order in group:
                        order.settle(_unknown())
        finally:
            del self._queues[tenant]
            for order in queue:
                order.settle(_unavailable())

    async def _apply_group(self, group: Sequence[_Order]) -> None:
        outcome = await self._transaction([order.intent for order in group])
        if outcome is None or len(group) == 1 or isinstance(outcome, _Outage):
            for order in group:
                order.settle(outcome)
            return
        # One of them failed: each alone, so that only that one does.
        for order in group:
            order.settle(await self._transaction([order.intent]))

    async def _transaction(self, intents: Sequence[Intent]) -> _Outcome:
        outcome: _Outcome = None
        for _ in range(_TRIES):
            group = Group(intents)
            try:
                await self._try_transaction(group)
            except _Again as again:
                outcome = again.problem
            except _InDoubt:
                return await self._resolve(group.mark)
            except Exception as error:  # noqa: BLE001  # it is the caller's, who awaits the order
                if isinstance(error, Problem) and error.code is ProblemCode.STORAGE_EXHAUSTED:
                    self._full_until = time.monotonic() + _FULL_SECONDS
                return error
            else:
                self._full_until = 0.0
                return None
        return outcome

    async def _try_transaction(self, group: Group) -> None:
        committing = False
        try:
            async with self._lend() as connection:
                await group.write(connection)
                committing = True
                durable = await group.commit(connection)
        except psycopg.Error as error:
            if committing and _is_lost(error):
                raise _InDoubt from error
            problem = _problem(error)
            if error.sqlstate in _SERIALIZATION_OR_DEADLOCK or (
                isinstance(error, errors.UniqueViolation) and error.diag.table_name in _RECORD
            ):
                raise _Again(problem) from error
            raise problem from error
        if not durable:
            raise _unknown()

    async def _resolve(self, mark: ChainHead | None) -> _Outcome:
        """What became of a commit that was not answered."""
        if mark is None:
            return _unknown()
        try:
            async with asyncio.timeout(self._doubt_seconds):
                standing = await self._look(mark)
        except TimeoutError:
            standing = None
        if standing is None:
            _LOG.error("a commit was not answered, and whether it stands is not known")
            return _unknown()
        return None if standing else _unavailable()

    async def _look(self, mark: ChainHead) -> bool | None:
        while True:
            try:
                # Not one of the pool's: those may all have been lost with the same server.
                connection = await Connection.connect(self._conninfo, autocommit=True)
                async with connection:
                    await connection.configure()
                    return await stands(connection, mark)
            except psycopg.Error:
                await asyncio.sleep(_DOUBT_PAUSE_SECONDS)

    @asynccontextmanager
    async def _lend(self) -> AsyncIterator[Connection]:
        connection = await self._pool.getconn()
        try:
            yield connection
        except Problem:
            await _roll_back(connection)
            raise
        except psycopg.Error as error:
            if _is_lost(error) or isinstance(error, errors.ReadOnlySqlTransaction):
                await connection.close()
            else:
                await _roll_back(connection)
            raise
        except BaseException:
            # Cancelled at any point of a conversation: the next one starts afresh.
            await connection.close()
            raise
        finally:
            await self._pool.putconn(connection)


async def _require_alive(connection: Connection) -> None:
    """Raise when the server has ended an idle connection: the pool then discards it.

    Costs a poll of the socket, not a round trip: a server that ends says so, and nothing else is
    due on an idle connection but a notice now and then, which is read here.
    """
    watch = select.poll()
    watch.register(connection.fileno(), select.POLLIN)
    for _ in range(_NOTICES_MAXIMUM):
        if not watch.poll(0):
            return
        # Raises at the end of the stream, which may come behind a last message.
        connection.pgconn.consume_input()
    raise psycopg.OperationalError("the connection is not idle")


async def _roll_back(connection: Connection) -> None:
    try:
        await connection.execute("ROLLBACK")
    except psycopg.Error:
        await connection.close()


def _is_lost(error: psycopg.Error) -> bool:
    """Whether the connection ended with the error, or can no longer be used: one that lacks a
    statement which the driver believes prepared would fail with it for ever."""
    if isinstance(error, errors.InvalidSqlStatementName):
        return True
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError)
    return error.diag.severity_nonlocalized in {"FATAL", "PANIC"}


def _problem(error: psycopg.Error) -> Problem:
    state = error.sqlstate
    if isinstance(error, errors.UniqueViolation):
        return Problem(ProblemCode.CONFLICT, "another request changed the same thing")
    if isinstance(error, errors.DiskFull):
        _LOG.error("PostgreSQL: the disk is full")
        return _full()
    # Messages of the other classes may quote values.
    outage = _is_lost(error) or (state is not None and state.startswith(_OUTAGES))
    said = error.diag.message_primary if outage or (state or "").startswith("42") else ""
    _LOG.error("PostgreSQL: %s (%s) %s", type(error).__name__, state, said or "")
    return _unavailable() if outage else Problem(ProblemCode.STORAGE_UNAVAILABLE, _UNAVAILABLE)


_UNAVAILABLE = "the database cannot be used now"


def _unavailable() -> Problem:
    return _Outage(ProblemCode.STORAGE_UNAVAILABLE, _UNAVAILABLE)


def _full() -> Problem:
    return _Outage(ProblemCode.STORAGE_EXHAUSTED, "the disk is full")


def _unknown() -> Problem:
    return _Outage(ProblemCode.OUTCOME_UNKNOWN, "the commit could not be confirmed")
