"""What every engine promises (`store.database.Database`)."""

import asyncio

import pytest
from sqlalchemy import Table, bindparam, func, insert, select, update

from tegata.kernel.ids import TenantId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.store.database import Database
from tegata.store.schema import (
    SHARED_TABLES,
    audit_event,
    certificate,
    issuer_directory,
    job,
    metadata,
    revocation,
    token,
)
from tegata.store.statement import Statement
from tests.fakes.system import PlainSealer
from tests.fakes.unit import FreeUnit, subject_digest, verified_record
from tests.store.rows import EPOCH, RENAME, TOKENS, add_certificate, add_token

ONE = TenantId("ten_one")
TWO = TenantId("ten_two")


async def commit_token(database: Database, tenant: TenantId, identifier: str) -> None:
    unit = FreeUnit(database, tenant)
    add_token(unit, identifier)
    unit.happen(identifier)
    await unit.commit()


async def test_every_kind_of_column_is_read_as_it_was_written(database: Database) -> None:
    unit = FreeUnit(database, ONE)
    rows: dict[Table, dict[str, object]] = {
        token: {
            "tenant": ONE,
            "id": "tok_1",
            "name": "署名 'quoted' \\ % {} ,\n\t\U0001f511",
            "kind": "",
            "secret_hash": bytes(range(256)),
            "issuers": None,
            "actions": "NULL",
            "created_at": 2**53,
            "revoked_at": -1,
        },
        revocation: {
            "tenant": ONE,
            "issuer": "iss_one",
            "serial": b"\x00" * 20,
            "epoch": 32_767,
            "certificate": None,
            "revoked_at": 0,
            "reason": -(2**31),
            "entry": b"",
            "listed_until": 2**63 - 1,
            "invalid_since": None,
            "shard": 0,
            "change": 0,
        },
    }
    for table, values in rows.items():
        unit.insert(table, **values)
    await unit.commit()
    for table, values in rows.items():
        read = Statement(select(table).where(table.c.tenant == bindparam("tenant")))
        fetched = await database.fetch(ONE, read, {})
        assert fetched == [tuple(values.values())]
        assert [type(value) for value in fetched[0]] == [type(value) for value in values.values()]


async def test_rows_of_one_group_may_differ_in_what_is_null(database: Database) -> None:
    unit = FreeUnit(database, ONE)
    for serial, found in ((b"a", None), (b"b", b"found"), (b"c", None)):
        unit.insert(
            revocation,
            tenant=ONE,
            issuer="iss_one",
            serial=serial,
            epoch=EPOCH,
            certificate=found,
            revoked_at=1,
            reason=0,
            entry=b"",
            listed_until=2,
            invalid_since=None,
            shard=1,
            change=1,
        )
    await unit.commit()
    read = Statement(
        select(revocation.c.certificate)
        .where(revocation.c.tenant == bindparam("tenant"))
        .order_by(revocation.c.serial)
    )
    assert await database.fetch(ONE, read, {}) == [(None,), (b"found",), (None,)]


async def test_text_compares_by_octets(database: Database) -> None:
    for identifier in ("b", "B", "é", "a", "_"):
        await commit_token(database, ONE, identifier)
    assert [row[0] for row in await database.fetch(ONE, TOKENS, {})] == ["B", "_", "a", "b", "é"]


async def test_every_epoch_of_a_serial_number_has_a_place(database: Database) -> None:
    unit = FreeUnit(database, ONE)
    epochs = (0, EPOCH - 100, EPOCH, EPOCH + 100, 32_767)
    for number, epoch in enumerate(epochs):
        add_certificate(unit, number, epoch)
    await unit.commit()
    count = Statement(
        select(func.count())
        .select_from(certificate)
        .where(
            certificate.c.tenant == bindparam("tenant"),
            certificate.c.epoch == bindparam("epoch"),
        )
    )
    for epoch in epochs:
        assert await database.fetch(ONE, count, {"epoch": epoch}) == [(1,)]


async def test_a_guard_that_fails_rolls_the_whole_unit_back(database: Database) -> None:
    unit = FreeUnit(database, ONE)
    add_token(unit, "tok_1")
    unit.happen("tok_1")
    unit.execute(
        RENAME,
        {"tenant": ONE, "wanted": "tok_9", "new_name": "x"},
        otherwise=ProblemCode.TOKEN_UNKNOWN,
    )
    with pytest.raises(Problem) as refused:
        await unit.commit()
    assert refused.value.code is ProblemCode.TOKEN_UNKNOWN
    assert await database.fetch(ONE, TOKENS, {}) == []
    assert await verified_record(database, ONE) == []


async def test_a_guard_counts_rows_unless_it_expects_none_in_particular(
    database: Database,
) -> None:
    await commit_token(database, ONE, "tok_1")
    unit = FreeUnit(database, ONE)
    unit.execute(RENAME, {"tenant": ONE, "wanted": "tok_1", "new_name": "new"})
    unit.execute(RENAME, {"tenant": ONE, "wanted": "tok_9", "new_name": "x"}, expect=None)
    unit.execute(RENAME, {"tenant": ONE, "wanted": "tok_9", "new_name": "x"}, expect=0)
    await unit.commit()
    name = Statement(select(token.c.name).where(token.c.tenant == bindparam("tenant")))
    assert await database.fetch(ONE, name, {}) == [("new",)]


async def test_a_conflict_fails_only_the_guilty_unit_of_a_group(database: Database) -> None:
    await commit_token(database, ONE, "tok_05")
    names = [f"tok_{number:02}" for number in range(20)]
    outcomes = await asyncio.gather(
        *(commit_token(database, ONE, name) for name in names), return_exceptions=True
    )
    failed = [name for name, outcome in zip(names, outcomes, strict=True) if outcome]
    assert failed == ["tok_05"]
    problem = outcomes[5]
    assert isinstance(problem, Problem)
    assert problem.code is ProblemCode.CONFLICT
    assert [row[0] for row in await database.fetch(ONE, TOKENS, {})] == names
    assert len(await verified_record(database, ONE)) == 20


async def test_a_guard_fails_only_its_unit_of_a_group(database: Database) -> None:
    async def rename(wanted: str) -> None:
        unit = FreeUnit(database, ONE)
        unit.execute(RENAME, {"tenant": ONE, "wanted": wanted, "new_name": "x"})
        unit.happen(wanted)
        await unit.commit()

    await commit_token(database, ONE, "tok_1")
    outcomes = await asyncio.gather(
        rename("tok_1"), rename("tok_9"), rename("tok_1"), return_exceptions=True
    )
    assert [outcome is None for outcome in outcomes] == [True, False, True]
    assert len(await verified_record(database, ONE)) == 3


async def test_events_are_numbered_and_chained_for_each_tenant(database: Database) -> None:
    tenants = [TenantId(f"ten_{number}") for number in range(5)]
    await asyncio.gather(
        *(commit_token(database, tenant, f"tok_{n}") for n in range(8) for tenant in tenants)
    )
    for tenant in tenants:
        subjects = await verified_record(database, tenant)
        assert sorted(subjects) == sorted(subject_digest(f"tok_{n}") for n in range(8))


async def test_private_values_are_kept_sealed_beside_the_event(database: Database) -> None:
    await commit_token(database, ONE, "tok_1")
    disclosures = Statement(
        select(audit_event.c.disclosures, audit_event.c.canonical).where(
            audit_event.c.tenant == bindparam("tenant")
        )
    )
    ((sealed, canonical),) = await database.fetch(ONE, disclosures, {})
    assert b"tok_1" not in canonical
    with pytest.raises(ValueError, match="another context"):
        PlainSealer().unseal(sealed, "another")


async def test_a_unit_of_several_events_keeps_their_order(database: Database) -> None:
    unit = FreeUnit(database, ONE)
    for subject in ("first", "second", "third"):
        unit.happen(subject)
    await unit.commit()
    assert await verified_record(database, ONE) == [
        subject_digest(subject) for subject in ("first", "second", "third")
    ]


async def test_an_empty_unit_commits(database: Database) -> None:
    await FreeUnit(database, ONE).commit()


async def test_a_tenants_statement_needs_a_tenant(database: Database) -> None:
    with pytest.raises(ValueError, match="needs a tenant"):
        await database.fetch(None, TOKENS, {})
    with pytest.raises(ValueError, match="shared"):
        await database.execute_shared(RENAME, {"wanted": "tok_1", "new_name": "x"})


@pytest.mark.parametrize(
    "table",
    [table for table in metadata.sorted_tables if table.name not in SHARED_TABLES],
    ids=lambda table: table.name,
)
def test_a_tenants_statement_must_name_the_tenant(table: Table) -> None:
    with pytest.raises(ValueError, match="must bind :tenant"):
        Statement(select(table))


async def test_another_tenants_rows_are_invisible(database: Database) -> None:
    await commit_token(database, ONE, "tok_1")
    await commit_token(database, TWO, "tok_2")
    assert await database.fetch(ONE, TOKENS, {}) == [("tok_1",)]
    # Not even a parameter can name another tenant.
    assert await database.fetch(ONE, TOKENS, {"tenant": TWO}) == [("tok_1",)]
    unit = FreeUnit(database, ONE)
    unit.execute(RENAME, {"tenant": ONE, "wanted": "tok_2", "new_name": "x"})
    with pytest.raises(Problem):
        await unit.commit()


async def test_shared_tables_need_no_tenant(database: Database) -> None:
    put = Statement(insert(job).values({column.name: bindparam(column.name) for column in job.c}))
    row = {
        "kind": "crl",
        "key": "iss_one",
        "tenant": ONE,
        "run_at": 5,
        "owner": None,
        "leased_until": 0,
        "tries": 0,
    }
    claim = Statement(
        update(job).where(job.c.run_at <= bindparam("now")).values(owner=bindparam("node"))
    )
    read = Statement(select(job.c.key, job.c.owner))
    assert await database.execute_shared(put, row) == 1
    with pytest.raises(Problem) as refused:
        await database.execute_shared(put, row)
    assert refused.value.code is ProblemCode.CONFLICT
    assert await database.execute_shared(claim, {"now": 4, "node": "n"}) == 0
    assert await database.execute_shared(claim, {"now": 5, "node": "n"}) == 1
    assert await database.fetch(None, read, {}) == [("iss_one", "n")]


async def test_who_issues_is_read_without_a_tenant(database: Database) -> None:
    unit = FreeUnit(database, ONE)
    unit.insert(
        issuer_directory,
        issuer="iss_one",
        tenant=ONE,
        sha1_key=b"1",
        sha256_key=b"2",
        certificate=b"3",
    )
    await unit.commit()
    read = Statement(
        select(issuer_directory.c.tenant).where(issuer_directory.c.sha1_key == bindparam("key"))
    )
    assert await database.fetch(None, read, {"key": b"1"}) == [(ONE,)]
    assert await database.fetch(TWO, read, {"key": b"1"}) == [(ONE,)]


async def test_a_caller_that_gives_up_stops_nobody(database: Database) -> None:
    given_up = asyncio.create_task(commit_token(database, ONE, "tok_1"))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(commit_token(database, ONE, "tok_2"))
    await asyncio.sleep(0)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    await waiting
    assert await database.fetch(ONE, TOKENS, {}) == [("tok_1",), ("tok_2",)]


async def test_a_read_that_is_cancelled_leaves_the_engine_usable(database: Database) -> None:
    await commit_token(database, ONE, "tok_1")
    for _ in range(10):
        read = asyncio.create_task(database.fetch(ONE, TOKENS, {}))
        await asyncio.sleep(0)
        read.cancel()
        await asyncio.gather(read, return_exceptions=True)
    assert await database.fetch(ONE, TOKENS, {}) == [("tok_1",)]


async def test_room_is_not_refused_without_need(database: Database) -> None:
    database.require_room(essential=False)
    database.require_room(essential=True)
