"""One running platform for each engine, shared by all journeys that do not end it.

Journeys keep out of each other's way by opening tenants of their own.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.platform import Server, running
from tests.postgres import postgres_cluster

ENGINES = ("sqlite", "postgresql")


def database_options(engine: str) -> tuple[str, ...]:
    """What chooses an engine on the command line, with a database that is empty."""
    if engine == "sqlite":
        return ()
    return ("--database", postgres_cluster().empty_database())


@pytest.fixture(scope="session", params=ENGINES)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A running platform with a demo tenant, on each engine."""
    options = database_options(request.param)
    folder = _folder()
    with running(folder / "data", "--demo", *options) as server:
        yield server
    shutil.rmtree(folder)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path short enough for a Unix socket in it."""
    folder = _folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The options for an empty database of each engine."""
    return database_options(request.param)


def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="tegata-journey-"))
