"""A migrated PostgreSQL database for each test, and the engine on it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tegata.store.postgres import PostgresDatabase
from tests.postgres import Cluster, postgres_cluster


@pytest.fixture
def cluster() -> Cluster:
    return postgres_cluster()


@pytest.fixture
def url(cluster: Cluster) -> Iterator[str]:
    """A database whose schema the test leaves as it is."""
    lent = cluster.lend_database()
    yield lent
    cluster.take_back_database(lent)


@pytest.fixture
async def database(url: str) -> AsyncIterator[PostgresDatabase]:
    opened = await PostgresDatabase.open(url, doubt_seconds=2)
    yield opened
    await opened.close()


@pytest.fixture
def own_url(cluster: Cluster) -> Iterator[str]:
    """A database that the test may do anything to."""
    made = cluster.migrated_database()
    yield made
    cluster.drop_database(made)


@pytest.fixture
async def own_database(own_url: str) -> AsyncIterator[PostgresDatabase]:
    opened = await PostgresDatabase.open(own_url)
    yield opened
    await opened.close()
