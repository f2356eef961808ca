"""The real stores, looked at from outside the rooms that use them; and where faults are planted.

Nothing here goes through units or statements of the rooms, except that a stray token is written
as any token is: what is looked at are the database's own catalogue and the node's folder.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import psycopg

from tegata.compliance.controls.assets import DISCOVERY
from tegata.compliance.controls.isolation import ROWS, SHADOW_TABLE, STRAY_TOKEN
from tegata.compliance.model import CanaryPlan, Observation, Tool, Violation
from tegata.kernel.ids import TokenId
from tegata.kernel.ports import Clock, Randomness
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import CANARY_TENANTS, platform_acts
from tegata.store.compliance import STRAY_NAME
from tegata.store.discovery import Holdings, discover_postgres, discover_sqlite
from tegata.store.inventory import COLUMNS, FOLDERS, QUEUES
from tegata.store.policies import APP_ROLE
from tegata.store.schema import SHARED_TABLES, metadata
from tegata.store.sqlite import connect
from tegata.store.store import Store
from tegata.tenancy.model import Action, Token, TokenKind

_SHADOW = re.compile("canary_shadow_[0-9a-hjkmnp-tv-z]{26}")
_PASSING = re.compile(r".*\.(new|tmp)|.*-journal")


@dataclass(frozen=True, slots=True)
class TableLock:
    """A table as the database's own catalogue has it; `flaw` is why a tenant's rows in it are
    not kept apart, `second` whether a row policy is forced."""

    name: str
    owned: bool
    second: bool
    flaw: str | None = None


class Catalogue(Protocol):
    """One engine's catalogue, and tables without a lock in it."""

    def locks(self) -> list[TableLock]:
        """Every table, and what beside tables lets rows out."""
        ...

    def holdings(self) -> Holdings:
        """Every column, and every kind of job."""
        ...

    def create_shadow(self, name: str) -> None:
        """Make a table that nobody declared."""
        ...

    def drop_shadow(self, name: str) -> None:
        """Drop it, if it is there."""
        ...

    def shadows(self) -> list[str]:
        """Tables that are called as planted ones are, and are empty."""
        ...


@dataclass(frozen=True, slots=True)
class SqliteCatalogue:
    """SQLite has no row policies: the statement is the only lock, and this says so."""

    path: Path

    def locks(self) -> list[TableLock]:
        """A table of the schema with a tenant's column has the statement's lock."""
        found = discover_sqlite(self.path).columns
        return [_statement_lock(name, columns) for name, columns in found.items()]

    def holdings(self) -> Holdings:
        """Every column, and every kind of job."""
        return discover_sqlite(self.path)

    def create_shadow(self, name: str) -> None:
        """Make a table that nobody declared."""
        self._execute(f"CREATE TABLE IF NOT EXISTS {_label(name)} (tenant TEXT, told TEXT)")

    def drop_shadow(self, name: str) -> None:
        """Drop it, if it is there."""
        self._execute(f"DROP TABLE IF EXISTS {_label(name)}")

    def shadows(self) -> list[str]:
        """Tables that are called as planted ones are, and are empty."""
        connection = connect(self.path, read_only=True)
        try:
            rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            names = [name for (name,) in rows if _SHADOW.fullmatch(name)]
            empty = "SELECT NOT EXISTS (SELECT 1 FROM {})"
            return [name for name in names if connection.execute(empty.format(name)).fetchone()[0]]
        finally:
            connection.close()

    def _execute(self, statement: str) -> None:
        connection = connect(self.path)
        try:
            connection.execute(statement)
        except sqlite3.Error as error:
            raise Problem(ProblemCode.STORAGE_UNAVAILABLE, "a canary could not be moved") from error
        finally:
            connection.close()


# Every table and partition with its locks, and what the application's role may do with it.
_LOCKS = """
SELECT relation.relname, relation.relkind::text, relation.relispartition,
       relation.relrowsecurity AND relation.relforcerowsecurity,
       EXISTS (SELECT FROM pg_policy AS policy WHERE policy.polrelid = relation.oid),
       has_table_privilege(%(role)s, relation.oid, 'SELECT, INSERT, UPDATE, DELETE'),
       coalesce(relation.reloptions::text, '') LIKE '%%security_invoker=true%%'
FROM pg_class AS relation JOIN pg_namespace AS space ON space.oid = relation.relnamespace
WHERE space.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
AND relation.relkind IN ('r', 'p', 'v', 'm', 'f')
"""
_ROLE = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = %s"
_DEFINERS = """
SELECT function.proname FROM pg_proc AS function
JOIN pg_namespace AS space ON space.oid = function.pronamespace
WHERE function.prosecdef AND space.nspname NOT IN ('pg_catalog', 'information_schema')
AND has_function_privilege(%s, function.oid, 'EXECUTE')
"""


@dataclass(frozen=True, slots=True)
class PostgresCatalogue:
    """PostgreSQL: row policies enabled and forced, and no way round them."""

    url: str

    def locks(self) -> list[TableLock]:
        """Every table with its policy; the role, views, functions and grants that go round it."""
        with psycopg.connect(self.url) as connection:
            relations = connection.execute(_LOCKS, {"role": APP_ROLE}).fetchall()
            roles = connection.execute(_ROLE, (APP_ROLE,)).fetchall()
            definers = connection.execute(_DEFINERS, (APP_ROLE,)).fetchall()
        found = [_policy_lock(*relation) for relation in relations]
        if roles != [(False,)]:
            found.append(TableLock(APP_ROLE, False, False, "the role goes round row policies"))
        found += [
            TableLock(name, False, False, "a function runs with its owner's rights")
            for (name,) in definers
        ]
        return found

    def holdings(self) -> Holdings:
        """Every column, and every kind of job."""
        return discover_postgres(self.url)

    def create_shadow(self, name: str) -> None:
        """Make a table that nobody declared; the application's role may not use it."""
        self._execute(f"CREATE TABLE IF NOT EXISTS {_label(name)} (tenant text, told text)")

    def drop_shadow(self, name: str) -> None:
        """Drop it, if it is there."""
        self._execute(f"DROP TABLE IF EXISTS {_label(name)}")

    def shadows(self) -> list[str]:
        """Tables that are called as planted ones are, and are empty."""
        with psycopg.connect(self.url) as connection:
            rows = connection.execute("SELECT relname FROM pg_class WHERE relkind = 'r'")
            names = [name for (name,) in rows if _SHADOW.fullmatch(name)]
            empty = "SELECT NOT EXISTS (SELECT 1 FROM {})"
            return [
                name
                for name in names
                if connection.execute(empty.format(name).encode()).fetchall() == [(True,)]
            ]

    def _execute(self, statement: str) -> None:
        try:
            with psycopg.connect(self.url) as connection:
                connection.execute(statement.encode())
        except psycopg.Error as error:
            raise Problem(ProblemCode.STORAGE_UNAVAILABLE, "a canary could not be moved") from error


@dataclass(frozen=True, slots=True)
class StoreGround:
    """The ground of compliance: one node's database and folder."""

    catalogue: Catalogue
    store: Store
    data: Path
    clock: Clock
    randomness: Randomness
    version: str

    async def observe(self, probe: str) -> Observation:
        """What a local probe sees now."""
        looks = {ROWS: self._rows, DISCOVERY: self._discovery}
        if probe not in looks:
            raise Problem(ProblemCode.CONTROL_UNKNOWN, "that probe runs in the monitor")
        started = self.clock.now()
        # The database's own catalogue is read by a driver that waits.
        return await asyncio.to_thread(looks[probe], probe, started)

    async def thing(self, kind: str, plan: str) -> str:
        """What a fault of a kind will be called, before it is planted for a plan: each plan has
        a name of its own, so that none excuses what another planted."""
        tail = plan.partition("_")[2]
        return f"table:canary_shadow_{tail}" if kind == SHADOW_TABLE else f"token:tok_{tail}"

    async def plant(self, plan: CanaryPlan) -> None:
        """Plant a fault, only where a canary may stand."""
        name = plan.thing.partition(":")[2]
        if plan.kind == SHADOW_TABLE:
            await asyncio.to_thread(self.catalogue.create_shadow, name)
            return
        if plan.kind != STRAY_TOKEN or plan.thing != await self.thing(plan.kind, plan.id):
            raise Problem(ProblemCode.CONTROL_UNKNOWN, "not called as a canary is")
        # A row of the second tenant, and the same one written under the first: with a secret
        # that nobody has.
        for tenant in reversed(CANARY_TENANTS):
            stray = Token(
                id=TokenId(name),
                tenant=tenant,
                name=STRAY_NAME,
                kind=TokenKind.TENANT,
                secret_hash=self.randomness.octets(32),
                issuers=None,
                actions=frozenset({Action.EVENTS_READ}),
                created_at=plan.planted_at,
                revoked_at=None,
            )
            async with self.store.open_unit(platform_acts(tenant, "canary")) as unit:
                unit.add_token(stray)
                await unit.commit()

    async def remove(self, plan: CanaryPlan) -> None:
        """Take a fault away; nothing happens where there is none."""
        name = plan.thing.partition(":")[2]
        if plan.kind == SHADOW_TABLE:
            await asyncio.to_thread(self.catalogue.drop_shadow, name)
            return
        for tenant in CANARY_TENANTS:
            scope = platform_acts(tenant, "canary")
            async with self.store.open_unit(scope, essential=True) as unit:
                unit.essential()
                unit.remove_stray_token(TokenId(name))
                await unit.commit()

    def _rows(self, probe: str, started: datetime) -> Observation:
        locks = self.catalogue.locks()
        owned = [lock for lock in locks if lock.owned]
        return self._observation(
            probe,
            started,
            len(owned),
            {
                "tables": len(owned),
                "without_second_lock": sum(not lock.second for lock in owned),
            },
            tuple(
                Violation(f"table:{lock.name}", lock.flaw)
                for lock in locks
                if lock.flaw is not None
            ),
        )

    def _discovery(self, probe: str, started: datetime) -> Observation:
        held = self.catalogue.holdings()
        folders = [path.name for path in self.data.iterdir() if not _PASSING.fullmatch(path.name)]
        unlisted = [
            Violation(f"table:{table}", "a table that is not in the inventory")
            for table in held.columns
            if table not in COLUMNS
        ]
        unlisted += [
            Violation(f"column:{table}.{column}", "a column that is not in the inventory")
            for table, columns in held.columns.items()
            for column in columns
            if table in COLUMNS and column not in COLUMNS[table]
        ]
        unlisted += [
            Violation(f"queue:{kind}", "a queue that is not in the inventory")
            for kind in held.queues
            if kind not in QUEUES
        ]
        unlisted += [
            Violation(f"folder:{name}", "a file or folder that is not in the inventory")
            for name in folders
            if name not in FOLDERS
        ]
        columns = sum(len(each) for each in held.columns.values())
        counts = {"columns": columns, "queues": len(held.queues), "folders": len(folders)}
        return self._observation(probe, started, columns + len(folders), counts, tuple(unlisted))

    def _observation(
        self,
        probe: str,
        started: datetime,
        population: int,
        counts: Mapping[str, int],
        violations: tuple[Violation, ...],
    ) -> Observation:
        digest = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
        engine = type(self.catalogue).__name__
        return Observation(
            probe=probe,
            tool=Tool("tegata.store.ground", self.version, digest),
            inputs=hashlib.sha256(engine.encode()).hexdigest(),
            started=started,
            ended=self.clock.now(),
            population=population,
            counts=counts,
            violations=violations,
        )


def clear_shadows(catalogue: Catalogue) -> list[str]:
    """Drop what an earlier run planted and did not take away; the names. One that holds anything
    is no canary, and stays for the inventory to refuse."""
    names = catalogue.shadows()
    for name in names:
        catalogue.drop_shadow(name)
    return names


def _statement_lock(name: str, columns: list[str]) -> TableLock:
    if name in SHARED_TABLES or name == "alembic_version":
        return TableLock(name, False, False)
    known = metadata.tables.get(name)
    if known is None:
        return TableLock(name, True, False, "no statement names its tenant")
    has_tenant = "tenant" in columns or name == "tenant"
    return TableLock(name, True, False, None if has_tenant else "it has no tenant")


def _policy_lock(
    name: str,
    kind: str,
    is_partition: bool,
    forced: bool,
    has_policy: bool,
    granted: bool,
    invoker: bool,
) -> TableLock:
    if is_partition:
        flaw = "a partition is granted, and no policy binds there" if granted else None
        return TableLock(name, False, False, flaw)
    if kind in ("v", "m"):
        return TableLock(name, False, False, None if invoker else "a view has its owner's rights")
    if (name in SHARED_TABLES and not has_policy) or name == "alembic_version":
        return TableLock(name, False, False)
    second = forced and has_policy
    return TableLock(name, True, second, None if second else "no row policy is forced on it")


def _label(name: str) -> str:
    """The name of a planted table, and of nothing else."""
    if not _SHADOW.fullmatch(name):
        raise Problem(ProblemCode.CONTROL_UNKNOWN, "not called as a canary is")
    return name
