"""Points at which a life may end: every port call, and the steps of a commit inside the engines."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Protocol, cast

from tegata.issuance.authorities import AuthorityService
from tegata.issuance.hierarchy import HierarchyService
from tegata.issuance.reserve import SerialReserve
from tegata.issuance.service import IssuanceService
from tegata.main.composition import Platform
from tegata.registration.bulk_work import BulkWork
from tegata.registration.profiles import ProfileService
from tegata.registration.renewal import RenewalService
from tegata.registration.screening import KeyScreening, RefusedKeyService
from tegata.registration.service import EnrolmentService
from tegata.revocation.lists import CrlService
from tegata.revocation.service import OcspService, RevocationService
from tegata.signers.client import SignerClient
from tegata.signers.data_keys import DataKeyRing
from tegata.store.database import Database
from tegata.store.keys import find_data_key
from tegata.store.postgres import PostgresDatabase
from tegata.store.postgres_group import Connection, Group
from tegata.store.replay import RecoveringStore
from tegata.store.sqlite import SqliteDatabase
from tegata.store.statement import Parameters, Statement
from tegata.tenancy.service import TenantService
from tegata.tenancy.tokens import TokenService

Call = Callable[[], Awaitable[Any]]


class Gate(Protocol):
    """What stands between a use case and its ports."""

    def reach(self, name: str) -> None:
        """A point has been reached."""
        ...

    async def around(self, name: str, call: Call) -> Any:
        """Make a call that has an effect."""
        ...


class KillGate:
    """Ends this process at the n-th point, at once and without any tidying."""

    def __init__(self, kill_at: int | None, note: Callable[[str], object]) -> None:
        self.points: list[str] = []
        self._kill_at = kill_at
        self._note = note
        self._armed = False
        self._lock = threading.Lock()

    def arm(self) -> None:
        """From now on points count."""
        self._armed = True

    def disarm(self) -> None:
        """From now on they do not."""
        self._armed = False

    def reach(self, name: str) -> None:
        if self.is_last(name):
            kill_this_process()

    def is_last(self, name: str) -> bool:
        """Whether this is the point; for those that end the process in a way of their own."""
        if not self._armed:
            return False
        with self._lock:
            self.points.append(name)
            last = len(self.points) - 1 == self._kill_at
        if last:
            self._note(name)
        return last

    async def around(self, name: str, call: Call) -> Any:
        self.reach(f"{name}: before")
        result = await call()
        self.reach(f"{name}: after")
        return result


def kill_this_process() -> None:
    """As a power cut ends it, but that what the system has in memory gets to the disk."""
    os.kill(os.getpid(), signal.SIGKILL)


class Interposed:
    """A port with a gate before it. Reads are points; calls with an effect are two."""

    def __init__(self, target: object, gate: Gate, name: str, *, effects: bool) -> None:
        self._target = target
        self._gate = gate
        self._name = name
        self._effects = effects

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(self._target, attribute)
        if attribute == "open_unit":
            return self._open_unit
        if not inspect.iscoroutinefunction(value):
            return value
        name = f"{self._name}.{attribute}"

        async def call(*positional: object, **named: object) -> object:
            if self._effects:
                return await self._gate.around(name, lambda: value(*positional, **named))
            self._gate.reach(name)
            return await value(*positional, **named)

        return call

    @asynccontextmanager
    async def _open_unit(self, *positional: object, **named: object) -> AsyncIterator[object]:
        self._gate.reach(f"{self._name}.open_unit")
        async with cast(Any, self._target).open_unit(*positional, **named) as unit:
            yield Interposed(unit, self._gate, "unit", effects=True)


class GatedWriter:
    """SQLite's writing connection."""

    def __init__(self, writer: sqlite3.Connection, gate: Gate) -> None:
        self._writer = writer
        self._gate = gate

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._writer, attribute)

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql.startswith("BEGIN"):
            self._gate.reach("engine: before BEGIN")
        if sql == "COMMIT":
            self._gate.reach("engine: before COMMIT")
        cursor = self._writer.execute(sql, *parameters)
        if sql == "COMMIT":
            self._gate.reach("engine: after COMMIT")
        return cursor


class _GatedGroup:
    """One PostgreSQL transaction in its two round trips."""

    def __init__(self, group: Group, gate: Gate) -> None:
        self._group = group
        self._gate = gate

    async def write(self, connection: Connection) -> None:
        self._gate.reach("engine: before BEGIN")
        await self._group.write(connection)
        self._gate.reach("engine: before COMMIT")

    async def commit(self, connection: Connection) -> bool:
        if isinstance(self._gate, KillGate) and self._gate.is_last("engine: COMMIT sent"):
            sending = asyncio.ensure_future(self._group.commit(connection))
            # Turns of the loop in which it is sent; the answer needs the server's disk.
            for _turn in range(8):
                await asyncio.sleep(0)
            assert not sending.done() or sending.result()
            kill_this_process()
        durable = await self._group.commit(connection)
        self._gate.reach("engine: after COMMIT")
        return durable


class GatedPostgres(PostgresDatabase):
    """PostgreSQL with points in its transactions."""

    gate: Gate

    async def _try_transaction(self, group: Group) -> None:
        await super()._try_transaction(cast(Group, _GatedGroup(group, self.gate)))

    async def execute_shared(self, statement: Statement, parameters: Parameters) -> int:
        async def call() -> int:
            return await super(GatedPostgres, self).execute_shared(statement, parameters)

        touched = await self.gate.around("engine: a statement alone", call)
        assert isinstance(touched, int)
        return touched


def _gated(database: Database, gate: Gate) -> Database:
    if isinstance(database, SqliteDatabase):
        writer: Any = database._writer
        while isinstance(writer, GatedWriter):
            writer = writer._writer
        database._writer = cast(sqlite3.Connection, GatedWriter(writer, gate))
        return database
    assert isinstance(database, PostgresDatabase)
    gated = GatedPostgres(database._conninfo, database._pool, database._doubt_seconds)
    gated.gate = gate
    return gated


def interpose(platform: Platform, gate: Gate, own: Database | None = None) -> Platform:
    """The same platform as just started, nothing in its memory, with a gate before every port; on
    the same database, or on another one with gates of its own."""
    clock, randomness = platform.clock, platform.randomness
    database = own or _gated(platform.database, gate)
    platform.jobs._database = database
    signer = cast(SignerClient, Interposed(platform.signer, gate, "signer", effects=True))
    keys = DataKeyRing(
        signer, lambda tenant, kind: find_data_key(database, tenant, kind), randomness
    )
    real = RecoveringStore(
        database,
        keys,
        clock,
        randomness,
        platform.store.public_url,
        platform.presigned.withdraw,
        platform.journal,
    )
    store = cast(RecoveringStore, Interposed(real, gate, "store", effects=False))
    serials = SerialReserve(store, signer, clock, platform.node)
    issuance = IssuanceService(store, signer, serials, clock, randomness)
    hierarchy = HierarchyService(store, signer, issuance, clock, randomness)
    crls = CrlService(store, signer, clock)
    profiles = ProfileService(store, store, store, clock)
    schedule = platform.tenants.schedule
    enrolment = EnrolmentService(
        store, store, issuance, clock, profiles, KeyScreening(store, platform.key_list)
    )
    revocation, tokens = RevocationService(store, clock), TokenService(store, clock, randomness)
    renewal = RenewalService(store, store, enrolment, revocation, clock)
    authorities = AuthorityService(
        store, hierarchy, signer, issuance.gate, clock, crls.ensure_published, schedule
    )
    return replace(
        platform,
        database=database,
        signer=signer,
        store=store,
        serials=serials,
        issuance=issuance,
        hierarchy=hierarchy,
        authorities=authorities,
        enrolment=enrolment,
        renewal=renewal,
        bulk_work=BulkWork(store, store, store, enrolment, renewal, revocation, tokens, clock),
        refused_keys=RefusedKeyService(store, clock),
        profiles=profiles,
        revocation=revocation,
        crls=crls,
        ocsp=OcspService(store, signer, clock),
        tokens=tokens,
        tenants=TenantService(store, keys, hierarchy, crls, clock, randomness, schedule),
    )
