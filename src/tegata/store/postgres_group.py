"""A group of one tenant's units as one PostgreSQL transaction, in two round trips.

The first trip locks the end of the tenant's record and writes what does not depend on it; the
second adds the events, which do, and commits. All nodes lock in this order, so they queue for a
tenant and never deadlock over it.

Inserts of the whole group precede its guarded statements. A guard states what its unit has read
as committed, so a row that another unit of the group adds can make it fail (then each unit is
applied alone), and nothing is kept unless all is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import psycopg
from psycopg import AsyncCursor
from sqlalchemy import Table

from tegata.kernel.event import NO_PREVIOUS
from tegata.kernel.ids import TenantId
from tegata.kernel.problem import Problem
from tegata.store.policies import APP_ROLE, SET_TENANT
from tegata.store.schema import audit_event, log_queue
from tegata.store.statement import Row, postgres_insert
from tegata.store.unit import ChainHead, Execute, Intent, record_rows

# A node that dies between the two trips must not hold a tenant's record for long.
_IDLE_IN_TRANSACTION = "10s"

_HEAD = "SELECT sequence, digest FROM audit_head WHERE tenant = %s FOR UPDATE"
# As _HEAD, where there may be no row yet: waits for whoever is just making it.
_LOCKED_HEAD = (
    "INSERT INTO audit_head (tenant, sequence, digest) VALUES (%s, %s, %s) "
    "ON CONFLICT (tenant) DO UPDATE SET sequence = audit_head.sequence RETURNING sequence, digest"
)
_MOVE_HEAD = "UPDATE audit_head SET sequence = %s, digest = %s WHERE tenant = %s"
_EVENT_STANDS = "SELECT FROM audit_event WHERE tenant = %s AND sequence = %s AND digest = %s"


class Connection(psycopg.AsyncConnection[Row]):
    """A connection that notices when a commit's wait for the standby was cancelled."""

    wait_cancelled = False

    async def configure(self) -> None:
        """Give up the rights of the login, and listen to notices."""
        self.add_notice_handler(self._hear)
        # Our statements are a finite set, so all stay prepared. Past a maximum the driver would
        # deallocate the oldest, in the middle of a pipeline that may still use it.
        self.prepared_max = None
        await self.execute(f"SET ROLE {APP_ROLE}")
        await self.execute(f"SET idle_in_transaction_session_timeout = '{_IDLE_IN_TRANSACTION}'")

    async def commit_known(self) -> bool:
        """Commit. False when the server was told to stop waiting for its standby: the commit
        stands here, and is lost if this server is (scale.md 3.4)."""
        self.wait_cancelled = False
        await self.execute("COMMIT")
        return not self.wait_cancelled

    def _hear(self, notice: psycopg.errors.Diagnostic) -> None:
        # Class 01 is warnings; this one has no code of its own, and COMMIT gives no other.
        if notice.sqlstate == "01000":
            self.wait_cancelled = True


class Group:
    """Units of one tenant, with what they want sorted by statement."""

    def __init__(self, intents: Sequence[Intent]) -> None:
        self.tenant: TenantId = intents[0].tenant
        self.rows: dict[Table, list[Row]] = {}
        self.executes: list[Execute] = []
        for intent in intents:
            for insert in intent.inserts:
                self.rows.setdefault(insert.table, []).append(insert.row)
            self.executes += intent.executes
        self.events = [event for intent in intents for event in intent.events]
        self._record: list[Row] = []
        self._waiting: list[Row] = []
        # The last event, once it has its number: where it stands, all of the group does.
        self.mark: ChainHead | None = None

    async def write(self, connection: Connection) -> None:
        """The first trip. Raises `Problem` when a guard does not hold."""
        head: AsyncCursor[Row] | None = None
        touched: list[AsyncCursor[Row]] = []
        statement, parameters = self._first_statement()
        async with connection.pipeline():
            await connection.execute("BEGIN")
            await connection.execute(SET_TENANT, (self.tenant,))
            if statement:
                head = await connection.execute(statement, parameters)
            for execute in self.executes:
                cursor = await connection.execute(
                    execute.statement.postgres.encode(), execute.parameters
                )
                touched.append(cursor)
        for execute, cursor in zip(self.executes, touched, strict=True):
            if execute.expect is not None and cursor.rowcount != execute.expect:
                raise Problem(execute.otherwise)
        if head is not None and self.events:
            row = await head.fetchone()
            if row is None:
                row = await _first_head(connection, self.tenant)
            self.mark = self._chain(ChainHead(self.tenant, *row))

    def _first_statement(self) -> tuple[bytes, list[object]]:
        """Every insert and the lock in one: a statement costs more on its way than at its end."""
        parameters: list[object] = []
        for rows in self.rows.values():
            parameters += _columns(rows)
        if self.events:
            parameters.append(self.tenant)
        return _joined(tuple(self.rows), _HEAD if self.events else ""), parameters

    async def commit(self, connection: Connection) -> bool:
        """The second trip; what `Connection.commit_known` says."""
        async with connection.pipeline():
            if self.mark is not None:
                move = (self.mark.sequence, self.mark.digest, self.tenant)
                statement = _joined((audit_event, log_queue), _MOVE_HEAD)
                rows = (*_columns(self._record), *_columns(self._waiting))
                await connection.execute(statement, [*rows, *move])
            connection.wait_cancelled = False
            done = await connection.execute("COMMIT")
        if done.statusmessage != "COMMIT":
            # PostgreSQL answers COMMIT of a failed transaction with ROLLBACK, and no error.
            raise psycopg.InternalError("the transaction was not committed")
        return not connection.wait_cancelled

    def _chain(self, head: ChainHead) -> ChainHead:
        for pending in self.events:
            row, waiting = record_rows(head.append(pending), pending)
            self._record.append(row)
            self._waiting.append(waiting)
        return head


async def stands(connection: Connection, mark: ChainHead) -> bool | None:
    """Whether the event stands whose commit was not answered; None when that is still open.

    Locking the end of the record waits for the transaction in doubt, if it still runs. The
    commit here, which changes nothing, is answered only when the standby has everything up to
    it: what was found is then as durable as any answered commit.
    """
    await connection.execute("BEGIN")
    await connection.execute(SET_TENANT, (mark.tenant,))
    await connection.execute(_LOCKED_HEAD, (mark.tenant, 0, NO_PREVIOUS))
    found = await connection.execute(_EVENT_STANDS, (mark.tenant, mark.sequence, mark.digest))
    if found.rowcount == 0:
        await connection.execute("ROLLBACK")
        return False
    return True if await connection.commit_known() else None


async def _first_head(connection: Connection, tenant: TenantId) -> Row:
    cursor = await connection.execute(_LOCKED_HEAD, (tenant, 0, NO_PREVIOUS))
    row = await cursor.fetchone()
    if row is None:
        raise psycopg.InternalError("the record's end was not made")
    return row


def _columns(rows: Sequence[Row]) -> list[object]:
    return [list(column) for column in zip(*rows, strict=True)]


@lru_cache(maxsize=256)
def _joined(tables: tuple[Table, ...], last: str) -> bytes:
    """Inserts into tables, and a last statement, which runs first, as one statement."""
    statements = [postgres_insert(table).replace("%s", "%b") for table in tables]
    *first, main = [*statements, last] if last else statements or [""]
    named = ", ".join(f"part_{place} AS ({part})" for place, part in enumerate(first))
    return f"WITH {named} {main}".encode() if named else main.encode()
