"""Each engine, empty and at this build's schema."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tegata.store.database import Database
from tegata.store.disk import DiskReserve
from tegata.store.migrate import migrate_sqlite
from tegata.store.postgres import PostgresDatabase
from tegata.store.sqlite import SqliteDatabase
from tests.postgres import postgres_cluster


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    opened: Database
    if request.param == "sqlite":
        path = tmp_path / "tegata.db"
        migrate_sqlite(path)
        opened = SqliteDatabase(path, DiskReserve(tmp_path, 0))
        yield opened
        await opened.close()
        return
    cluster = postgres_cluster()
    url = cluster.lend_database()
    opened = await PostgresDatabase.open(url)
    yield opened
    await opened.close()
    cluster.take_back_database(url)
