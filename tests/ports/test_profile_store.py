"""What `registration.ports.ProfileStore` promises, on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tegata.kernel.ids import IssuerId, TenantId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope, platform_acts
from tegata.kernel.signing import DataKeyKind, TenantSecret
from tegata.registration.model import ProfileVersion
from tegata.store.database import Database
from tegata.store.disk import DiskReserve
from tegata.store.migrate import migrate_sqlite
from tegata.store.postgres import PostgresDatabase
from tegata.store.sqlite import SqliteDatabase
from tegata.store.store import Store
from tests.fakes.system import CountingRandomness, FakeClock, PlainSealer
from tests.fakes.unit import FreeUnit
from tests.postgres import postgres_cluster
from tests.store.rows import add_certificate

ONE = platform_acts(TenantId("ten_one"), "test")
TWO = platform_acts(TenantId("ten_two"), "test")
NOW = datetime(2026, 7, 1, tzinfo=UTC)


class Keys:
    """Data keys that seal nothing."""

    async def sealer(self, tenant: TenantId, kind: DataKeyKind) -> TenantSecret:
        return PlainSealer()


def store_on(database: Database) -> Store:
    def withdraw(_issuer: IssuerId, _serial: int) -> None:
        """Nobody answers from memory here."""

    return Store(
        database, Keys(), FakeClock(), CountingRandomness(), "http://a.test", withdraw, None
    )


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "sqlite":
        path = tmp_path / "tegata.db"
        migrate_sqlite(path)
        small = SqliteDatabase(path, DiskReserve(tmp_path, 0))
        yield store_on(small)
        await small.close()
        return
    cluster = postgres_cluster()
    url = cluster.lend_database()
    large = await PostgresDatabase.open(url)
    yield store_on(large)
    await large.close()
    cluster.take_back_database(url)


def version(name: str, number: int) -> ProfileVersion:
    return ProfileVersion(name, number, f"# {name} 文書", "ab" * 32, NOW, None)


async def add(store: Store, scope: TenantScope, *versions: ProfileVersion) -> None:
    for each in versions:
        async with store.open_unit(scope) as unit:
            unit.add_profile_version(each)
            await unit.commit()


async def retire(store: Store, scope: TenantScope, name: str, number: int) -> None:
    async with store.open_unit(scope) as unit:
        unit.retire_profile_version(name, number, NOW)
        await unit.commit()


async def test_the_newest_version_that_is_not_retired_is_found(store: Store) -> None:
    first, second = version("own", 1), version("own", 2)
    assert await store.find_profile(ONE, "own", None) is None
    assert await store.newest_profile_version(ONE, "own") == 0
    await add(store, ONE, first, second)
    assert await store.find_profile(ONE, "own", None) == second
    await retire(store, ONE, "own", 2)
    assert await store.find_profile(ONE, "own", None) == first
    assert await store.find_profile(ONE, "own", 2) == replace(second, retired_at=NOW)
    assert await store.newest_profile_version(ONE, "own") == 2


async def test_a_number_is_given_once_and_a_version_retired_once(store: Store) -> None:
    await add(store, ONE, version("own", 1))
    with pytest.raises(Problem) as caught:
        await add(store, ONE, version("own", 1))
    assert caught.value.code is ProblemCode.CONFLICT
    await retire(store, ONE, "own", 1)
    with pytest.raises(Problem) as caught:
        await retire(store, ONE, "own", 1)
    assert caught.value.code is ProblemCode.PROFILE_UNKNOWN


async def test_profiles_are_listed_by_name_and_versions_newest_first(store: Store) -> None:
    await add(store, ONE, *(version(name, n) for name in ("b", "a", "c") for n in (1, 2)))
    await retire(store, ONE, "c", 2)
    listed = [(each.name, each.version) for each in await store.list_profiles(ONE, "", 10)]
    assert listed == [("a", 2), ("b", 2), ("c", 1)]
    assert [each.name for each in await store.list_profiles(ONE, "a", 1)] == ["b"]
    versions = await store.list_profile_versions(ONE, "a", None, 10)
    assert [each.version for each in versions] == [2, 1]
    assert [each.version for each in await store.list_profile_versions(ONE, "a", 2, 10)] == [1]


async def test_another_tenants_profiles_are_not_there(store: Store) -> None:
    await add(store, ONE, version("own", 1))
    assert await store.find_profile(TWO, "own", None) is None
    assert await store.list_profiles(TWO, "", 10) == []
    with pytest.raises(Problem) as caught:
        await retire(store, TWO, "own", 1)
    assert caught.value.code is ProblemCode.PROFILE_UNKNOWN
    await add(store, TWO, version("own", 1))
    await retire(store, TWO, "own", 1)
    assert (await store.find_profile(ONE, "own", None)) == version("own", 1)


async def test_the_last_certificates_come_newest_first_page_by_page(store: Store) -> None:
    unit = FreeUnit(store.database, ONE.tenant)
    for number in (1, 2, 3):
        add_certificate(unit, number)
    await unit.commit()
    newest = await store.recent_certificates(ONE, None, 2)
    assert [each.profile for each in newest] == ["tls-server"] * 2
    rest = await store.recent_certificates(ONE, newest[-1].id, 2)
    assert len({each.id for each in (*newest, *rest)}) == 3
    assert await store.recent_certificates(TWO, None, 2) == []
