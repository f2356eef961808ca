"""PostgreSQL: the second lock on tenants' rows, groups of commits, and commits in doubt."""

import asyncio
import importlib
import os
import pkgutil
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import literal_column, select

import tegata.store
from tegata.kernel.ids import TenantId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.store.policies import APP_ROLE, SET_TENANT, policy_statements
from tegata.store.postgres import POOL_SIZE, PostgresDatabase
from tegata.store.schema import PARTITIONED, SHARED_TABLES, metadata
from tegata.store.statement import Statement
from tests.fakes.unit import FreeUnit, verified_record
from tests.postgres import Cluster, query
from tests.store.rows import TOKENS, add_certificate, add_token

ONE = TenantId("ten_one")
TWO = TenantId("ten_two")
PLATFORM = TenantId("ten_platform")
PATIENCE = 20.0


def commit_certificate(
    database: PostgresDatabase, tenant: TenantId, number: int
) -> Awaitable[None]:
    unit = FreeUnit(database, tenant)
    add_certificate(unit, number)
    unit.happen(str(number))
    return unit.commit()


def commit_token(database: PostgresDatabase, tenant: TenantId, name: str) -> Awaitable[None]:
    unit = FreeUnit(database, tenant)
    add_token(unit, name)
    unit.happen(name)
    return unit.commit()


async def problem_of(work: Awaitable[None]) -> ProblemCode:
    with pytest.raises(Problem) as refused:
        await work
    return refused.value.code


async def poll(url: str, statement: str, *, until: Callable[[list[Any]], bool]) -> list[Any]:
    """The rows of a statement, once they are as wanted."""
    deadline = time.monotonic() + PATIENCE
    while True:
        rows = await asyncio.to_thread(query, url, statement)
        if until(rows):
            return rows
        assert time.monotonic() < deadline, rows
        await asyncio.sleep(0.02)


@asynccontextmanager
async def as_tenant(url: str, tenant: str | None) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """A connection with the rights of the platform, in a transaction of a tenant."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute(f"SET ROLE {APP_ROLE}")
        if tenant is not None:
            await connection.execute(SET_TENANT, (tenant,))
        yield connection
        await connection.rollback()


# What the catalogue says.


def test_every_table_with_a_tenant_enables_and_forces_its_policy(url: str) -> None:
    secured = query(
        url,
        "SELECT relname FROM pg_class c WHERE relkind IN ('r', 'p') AND relrowsecurity "
        "AND relforcerowsecurity AND EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid)",
    )
    # Nothing of any tenant's, and nothing that names one.
    nobodys = {
        "anchored_checkpoint",
        "job",
        "log_anchor",
        "log_head",
        "log_tile",
        "negative_act",
        "node",
    }
    assert {name for (name,) in secured} == metadata.tables.keys() - nobodys
    assert SHARED_TABLES.keys() == nobodys | {
        "issuance_stop",
        "issuer_directory",
        "status_change",
        "timestamp_directory",
    }


def test_the_application_role_can_do_nothing_special(url: str) -> None:
    role = query(
        url,
        "SELECT rolcanlogin, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication, "
        f"(SELECT count(*) FROM pg_class WHERE relowner = r.oid) FROM pg_roles r "
        f"WHERE rolname = '{APP_ROLE}'",
    )
    assert role == [(False, False, False, False, False, False, 0)]


def test_nothing_is_granted_on_a_partition_or_to_everybody(url: str) -> None:
    partitions = query(url, "SELECT count(*) FROM pg_class WHERE relispartition")
    assert partitions[0][0] > 100
    granted = query(
        url,
        "SELECT grantee, table_name FROM information_schema.role_table_grants "
        "JOIN pg_class ON relname = table_name "
        f"WHERE grantee IN ('{APP_ROLE}', 'PUBLIC') AND table_schema = 'public'",
    )
    assert {grantee for grantee, _ in granted} == {APP_ROLE}
    assert {table for _, table in granted} == set(metadata.tables)


@pytest.mark.parametrize("statement", ["UPDATE", "DELETE", "TRUNCATE"])
async def test_the_record_cannot_be_changed(url: str, statement: str) -> None:
    rest = {
        "UPDATE": "UPDATE audit_event SET digest = ''",
        "DELETE": "DELETE FROM audit_event",
        "TRUNCATE": "TRUNCATE audit_event",
    }
    async with as_tenant(url, ONE) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute(rest[statement].encode())


def test_policies_can_be_applied_again(url: str) -> None:
    for statement in policy_statements():
        query(url, statement)


def statements() -> Iterator[tuple[str, Statement]]:
    for found in pkgutil.iter_modules(tegata.store.__path__, "tegata.store."):
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            if isinstance(value, Statement):
                yield f"{found.name}.{name}", value


async def test_every_statement_of_the_store_is_allowed_and_understood(url: str) -> None:
    seen = 0
    for name, statement in statements():
        parameters = dict.fromkeys(statement.core.compile().params)
        async with as_tenant(url, ONE) as connection:
            try:
                await connection.execute(b"EXPLAIN " + statement.postgres.encode(), parameters)
            except psycopg.Error as error:
                raise AssertionError(f"{name}: {error}") from error
        seen += 1
    assert seen > 3


# What the policies do.


async def test_rows_of_a_tenant_are_seen_by_that_tenant_only(
    url: str, database: PostgresDatabase
) -> None:
    await commit_certificate(database, ONE, 1)
    await commit_certificate(database, TWO, 2)
    for tenant, seen in ((None, 0), ("", 0), ("ten_none", 0), (ONE, 1), (PLATFORM, 0)):
        async with as_tenant(url, tenant) as connection:
            for table in ("audit_event", "audit_head", *PARTITIONED):
                rows = await connection.execute(f"SELECT tenant FROM {table}".encode())
                assert await rows.fetchall() == [(ONE,)] * seen, (tenant, table)


async def test_a_partition_shows_nothing_to_anybody(url: str, database: PostgresDatabase) -> None:
    await commit_certificate(database, ONE, 1)
    ((partition,),) = query(url, "SELECT tableoid::regclass::text FROM certificate")
    async with as_tenant(url, ONE) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute(f"SELECT * FROM {partition}".encode())


async def test_a_tenant_does_not_stay_set_on_a_connection(
    url: str, database: PostgresDatabase
) -> None:
    await asyncio.gather(*(commit_certificate(database, ONE, number) for number in range(9)))
    setting = Statement(select(literal_column("current_setting('tegata.tenant', true)")))
    for _ in range(8):
        assert await database.fetch(None, setting, {}) in ([(None,)], [("",)])


async def test_a_row_for_another_tenant_is_refused(database: PostgresDatabase) -> None:
    unit = FreeUnit(database, ONE)
    add_token(unit, "tok_1", tenant=TWO)
    unit.happen("tok_1")
    assert await problem_of(unit.commit()) is ProblemCode.STORAGE_UNAVAILABLE
    assert await database.fetch(TWO, TOKENS, {}) == []
    assert await verified_record(database, ONE) == []


async def test_a_row_for_another_tenant_fails_only_its_unit(database: PostgresDatabase) -> None:
    guilty = FreeUnit(database, ONE)
    add_token(guilty, "tok_1", tenant=TWO)
    outcomes = await asyncio.gather(
        commit_token(database, ONE, "tok_2"),
        guilty.commit(),
        commit_token(database, ONE, "tok_3"),
        return_exceptions=True,
    )
    assert [outcome is None for outcome in outcomes] == [True, False, True]


async def test_the_operator_sees_every_tenant_and_nothing_of_theirs(url: str) -> None:
    add = "INSERT INTO tenant VALUES (%s, 'name', 'active', 0)"
    async with as_tenant(url, PLATFORM) as connection:
        for tenant in (ONE, TWO, PLATFORM):
            await connection.execute(add, (tenant,))
        rows = await connection.execute("SELECT id FROM tenant ORDER BY id")
        assert await rows.fetchall() == [(ONE,), (PLATFORM,), (TWO,)]
        await connection.execute(SET_TENANT, (ONE,))
        rows = await connection.execute("UPDATE tenant SET state = 'x' RETURNING id")
        assert await rows.fetchall() == [(ONE,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute(add, ("ten_three",))


async def test_the_directory_is_read_by_all_and_changed_by_its_tenant(url: str) -> None:
    add = "INSERT INTO issuer_directory VALUES (%s, %s, '', '', '')"
    async with as_tenant(url, ONE) as connection:
        await connection.execute(add, ("iss_one", ONE))
        await connection.execute(SET_TENANT, (TWO,))
        rows = await connection.execute("SELECT issuer FROM issuer_directory")
        assert await rows.fetchall() == [("iss_one",)]
        for change in (
            "UPDATE issuer_directory SET tenant = 'ten_two'",
            "DELETE FROM issuer_directory",
        ):
            assert (await connection.execute(change.encode())).rowcount == 0
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute(add, ("iss_two", ONE))


# Groups.


async def test_200_units_at_once_make_one_consecutive_record_in_few_commits(
    url: str, database: PostgresDatabase
) -> None:
    before = query(url, "SELECT pg_current_xact_id()::text::bigint")[0][0]
    await asyncio.gather(*(commit_certificate(database, ONE, number) for number in range(200)))
    assert len(await verified_record(database, ONE)) == 200
    after = query(url, "SELECT pg_current_xact_id()::text::bigint")[0][0]
    assert after - before < 20


async def test_two_nodes_keep_one_record(url: str, database: PostgresDatabase) -> None:
    other = await PostgresDatabase.open(url)
    tenants = [TenantId(f"ten_{number}") for number in range(10)]
    # The first event of each tenant is a race as well: there is no row to lock yet.
    for round_ in range(6):
        await asyncio.gather(
            *(
                commit_certificate(node, tenant, round_ * 2 + place)
                for tenant in tenants
                for place, node in enumerate((database, other))
            )
        )
    for tenant in tenants:
        assert len(await verified_record(database, tenant)) == 12
    await other.close()


async def test_two_nodes_under_load_keep_one_record(url: str, database: PostgresDatabase) -> None:
    other = await PostgresDatabase.open(url)

    async def work(node: PostgresDatabase, first: int) -> None:
        for number in range(first, first + 25):
            await commit_certificate(node, ONE, number)

    nodes = (database, other)
    await asyncio.gather(*(work(nodes[n % 2], n * 100) for n in range(8)))
    assert len(await verified_record(database, ONE)) == 200
    await other.close()


async def test_deadlocked_units_are_tried_again(url: str, database: PostgresDatabase) -> None:
    query(url, "INSERT INTO audit_head VALUES ('ten_one', 0, %s)", (bytes(32),))
    async with await psycopg.AsyncConnection.connect(url) as rival:
        # The rival holds the key that the unit inserts, then wants the head that it holds.
        await rival.execute("SET deadlock_timeout = '1h'")
        await rival.execute(
            "INSERT INTO token VALUES ('ten_one', 'tok_1', '', '', '', null, '', 0, null)"
        )
        waiting = asyncio.ensure_future(commit_token(database, ONE, "tok_1"))
        await poll(url, LOCK_WAIT, until=bool)
        await rival.execute("SELECT FROM audit_head WHERE tenant = 'ten_one' FOR UPDATE")
        await rival.rollback()
        await waiting
    assert len(await verified_record(database, ONE)) == 1


async def test_closing_applies_what_is_queued(url: str) -> None:
    opened = await PostgresDatabase.open(url)
    queued = [
        asyncio.ensure_future(commit_certificate(opened, ONE, number)) for number in range(150)
    ]
    await asyncio.sleep(0)
    await opened.close()
    await asyncio.gather(*queued)
    assert query(url, "SELECT count(*) FROM certificate") == [(150,)]
    assert await problem_of(commit_certificate(opened, ONE, 200)) is ProblemCode.STORAGE_UNAVAILABLE


# Faults.

LOCK_WAIT = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
    "AND application_name = 'tegata' AND wait_event_type = 'Lock'"
)
STANDBY_WAIT = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'SyncRep'"
)


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    opening = PostgresDatabase.open("postgresql://127.0.0.1:1/none", open_seconds=0.5)
    with pytest.raises(Problem) as refused:
        await opening
    assert refused.value.code is ProblemCode.STORAGE_UNAVAILABLE


async def test_a_backend_killed_inside_a_unit_leaves_nothing_of_it(
    url: str, database: PostgresDatabase
) -> None:
    await commit_token(database, ONE, "tok_1")
    async with await psycopg.AsyncConnection.connect(url) as holder:
        await holder.execute("SELECT FROM audit_head FOR UPDATE")
        units = [
            asyncio.ensure_future(problem_of(commit_token(database, ONE, f"tok_{number}")))
            for number in range(2, 5)
        ]
        ((pid,),) = await poll(url, LOCK_WAIT, until=bool)
        query(url, "SELECT pg_terminate_backend(%s)", (pid,))
        assert await asyncio.gather(*units) == [ProblemCode.STORAGE_UNAVAILABLE] * 3
    assert await database.fetch(ONE, TOKENS, {}) == [("tok_1",)]
    await commit_token(database, ONE, "tok_5")
    assert len(await verified_record(database, ONE)) == 2


async def test_lost_connections_are_replaced(url: str, database: PostgresDatabase) -> None:
    query(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tegata' "
        "AND datname = current_database()",
    )
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            await database.fetch(ONE, TOKENS, {})
            await commit_token(database, ONE, "tok_1")
        except Problem as problem:
            assert problem.code is ProblemCode.STORAGE_UNAVAILABLE  # noqa: PT017
            assert time.monotonic() < deadline
        else:
            break
    assert len(await verified_record(database, ONE)) == 1


async def test_connections_that_the_server_ended_cost_no_request(
    url: str, database: PostgresDatabase
) -> None:
    ended = query(
        url,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE application_name = 'tegata' AND datname = current_database()",
    )
    assert len(ended) == POOL_SIZE
    for number in range(POOL_SIZE):
        assert len(await database.fetch(ONE, TOKENS, {})) == number
        await commit_token(database, ONE, f"tok_{number}")
    assert len(await verified_record(database, ONE)) == POOL_SIZE


@pytest.fixture
def no_standby(cluster: Cluster) -> Iterator[Cluster]:
    """The server waits for a standby that does not exist."""
    cluster.set_everywhere("synchronous_standby_names", "nobody")
    yield cluster
    cluster.set_everywhere("synchronous_standby_names", "")


async def test_a_cancelled_wait_for_the_standby_is_an_unknown_outcome(
    url: str, database: PostgresDatabase, no_standby: Cluster
) -> None:
    commit = asyncio.ensure_future(problem_of(commit_token(database, ONE, "tok_1")))
    ((pid,),) = await poll(url, STANDBY_WAIT, until=bool)
    query(url, "SELECT pg_cancel_backend(%s)", (pid,))
    assert await commit is ProblemCode.OUTCOME_UNKNOWN
    # It stands here, and nowhere else.
    assert await database.fetch(ONE, TOKENS, {}) == [("tok_1",)]


async def test_a_caller_that_gives_up_does_not_cancel_the_wait(
    url: str, database: PostgresDatabase, no_standby: Cluster
) -> None:
    commit = asyncio.ensure_future(commit_token(database, ONE, "tok_1"))
    await poll(url, STANDBY_WAIT, until=bool)
    commit.cancel()
    with pytest.raises(asyncio.CancelledError):
        await commit
    for _ in range(5):
        assert len(await asyncio.to_thread(query, url, STANDBY_WAIT)) == 1
    no_standby.set_everywhere("synchronous_standby_names", "")
    await commit_token(database, ONE, "tok_2")
    assert len(await verified_record(database, ONE)) == 2


async def test_a_commit_whose_answer_was_lost_succeeds_once_a_standby_has_it(
    url: str, database: PostgresDatabase, no_standby: Cluster
) -> None:
    commit = asyncio.ensure_future(commit_token(database, ONE, "tok_1"))
    ((first,),) = await poll(url, STANDBY_WAIT, until=bool)
    query(url, "SELECT pg_terminate_backend(%s)", (first,))
    # The look whether it stands waits for the standby too.
    await poll(url, STANDBY_WAIT, until=lambda rows: bool(rows) and rows != [(first,)])
    no_standby.set_everywhere("synchronous_standby_names", "")
    await commit
    assert len(await verified_record(database, ONE)) == 1


async def test_a_commit_whose_answer_was_lost_stays_unknown_without_a_standby(
    url: str, database: PostgresDatabase, no_standby: Cluster
) -> None:
    commit = asyncio.ensure_future(problem_of(commit_token(database, ONE, "tok_1")))
    ((pid,),) = await poll(url, STANDBY_WAIT, until=bool)
    query(url, "SELECT pg_terminate_backend(%s)", (pid,))
    assert await commit is ProblemCode.OUTCOME_UNKNOWN


async def test_a_look_that_was_cancelled_proves_nothing(
    url: str, database: PostgresDatabase, no_standby: Cluster
) -> None:
    commit = asyncio.ensure_future(problem_of(commit_token(database, ONE, "tok_1")))
    ((first,),) = await poll(url, STANDBY_WAIT, until=bool)
    query(url, "SELECT pg_terminate_backend(%s)", (first,))
    rows = await poll(url, STANDBY_WAIT, until=lambda rows: bool(rows) and rows != [(first,)])
    query(url, "SELECT pg_cancel_backend(%s)", rows[0])
    assert await commit is ProblemCode.OUTCOME_UNKNOWN


async def test_a_crash_under_load_loses_no_answer_and_no_refusal_is_a_lie(url: str) -> None:
    database = await PostgresDatabase.open(url)
    answers: dict[int, ProblemCode | None] = {}
    ended = asyncio.Event()

    async def work(worker: int) -> None:
        number = worker
        while not ended.is_set():
            try:
                await commit_certificate(database, TenantId(f"ten_{worker % 3}"), number)
                answers[number] = None
            except Problem as problem:
                answers[number] = problem.code
            number += 8

    async def succeeded(wanted: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            if sum(answer is None for answer in answers.values()) >= wanted:
                return
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)

    workers = [asyncio.ensure_future(work(worker)) for worker in range(8)]
    for round_ in range(1, 4):
        await succeeded(round_ * 100)
        # The postmaster takes every session down with one that was killed, and recovers.
        ((pid,),) = query(
            url,
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'tegata' "
            "AND datname = current_database() LIMIT 1",
        )
        os.kill(pid, signal.SIGKILL)
    await succeeded(500)
    ended.set()
    await asyncio.gather(*workers)
    stored = {
        int.from_bytes(identifier, "big")
        for (identifier,) in query(url, "SELECT id FROM certificate")
    }
    assert {number for number, answer in answers.items() if answer is None} <= stored
    refused = {number for number, answer in answers.items() if answer == "storage.unavailable"}
    assert not refused & stored
    assert refused
    for tenant in range(3):
        await verified_record(database, TenantId(f"ten_{tenant}"))
    await database.close()


@pytest.mark.parametrize("existing", [0, 1])
async def test_a_commit_that_never_arrived_is_unavailable(
    own_url: str, own_database: PostgresDatabase, existing: int
) -> None:
    """The connection ends between the two trips: the server never saw the commit."""
    if existing:
        await commit_token(own_database, ONE, "tok_0")
    # A trigger is a test's way to end the backend while it adds the event.
    query(
        own_url,
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS "
        "'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END'",
    )
    query(
        own_url,
        "CREATE TRIGGER die BEFORE INSERT ON audit_event FOR EACH ROW EXECUTE FUNCTION die()",
    )
    assert (
        await problem_of(commit_token(own_database, ONE, "tok_1"))
        is ProblemCode.STORAGE_UNAVAILABLE
    )
    query(own_url, "DROP TRIGGER die ON audit_event")
    await commit_token(own_database, ONE, "tok_2")
    assert len(await verified_record(own_database, ONE)) == existing + 1


async def test_a_full_disk_refuses_new_work_until_a_commit_succeeds(
    own_url: str, own_database: PostgresDatabase
) -> None:
    query(
        own_url,
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RAISE EXCEPTION ''full'' USING ERRCODE = ''53100''; END'",
    )
    query(
        own_url,
        "CREATE TRIGGER full_disk BEFORE INSERT ON token "
        "FOR EACH ROW WHEN (NEW.id = 'tok_1') EXECUTE FUNCTION full_disk()",
    )
    assert (
        await problem_of(commit_token(own_database, ONE, "tok_1")) is ProblemCode.STORAGE_EXHAUSTED
    )
    with pytest.raises(Problem) as refused:
        own_database.require_room(essential=False)
    assert refused.value.code is ProblemCode.STORAGE_EXHAUSTED
    own_database.require_room(essential=True)
    await commit_token(own_database, ONE, "tok_2")
    own_database.require_room(essential=False)


async def test_a_statement_the_server_does_not_understand_is_no_conflict(
    own_url: str, own_database: PostgresDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    query(own_url, "ALTER TABLE token DROP COLUMN actions")
    unit = FreeUnit(own_database, ONE)
    add_token(unit, "tok_secret")
    assert await problem_of(unit.commit()) is ProblemCode.STORAGE_UNAVAILABLE
    assert "42703" in caplog.text
    assert "tok_secret" not in caplog.text
