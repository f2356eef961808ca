"""The data inventory against what is really kept: columns, queues, files, keys."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tegata.kernel.signing import DataKeyKind
from tegata.outbound.system import SystemClock
from tegata.sandbox.personas import Sandbox
from tegata.store import jobs
from tegata.store.discovery import Holdings, discover_postgres, discover_sqlite
from tegata.store.inventory import (
    COLUMNS,
    FOLDERS,
    KEYS,
    QUEUES,
    InventoryError,
    differences,
    require_inventory,
    schema_columns,
)
from tegata.store.migrate import migrate_sqlite
from tests.journeys.platform import Server, log_file, running, spawn
from tests.postgres import postgres_cluster

START_SECONDS = 60


@pytest.fixture(scope="module")
def demo() -> Iterator[Server]:
    """A running demo, in a folder with a path short enough for a Unix socket."""
    folder = Path(tempfile.mkdtemp(prefix="tegata-inventory-"))
    with running(folder / "data", "--demo") as server:
        yield server
    shutil.rmtree(folder)


def test_the_schema_and_the_inventory_are_the_same() -> None:
    assert differences(schema_columns()) == []
    assert sum(len(columns) for columns in COLUMNS.values()) > 80


def test_what_a_running_platform_keeps_in_its_database_is_the_inventory(demo: Server) -> None:
    assert differences(discover_sqlite(demo.data / "tegata.sqlite").columns) == []


def test_what_postgresql_keeps_is_the_inventory() -> None:
    assert differences(discover_postgres(postgres_cluster().migrated_database()).columns) == []


def test_every_column_has_an_owner_a_ground_and_a_place() -> None:
    for table, columns in COLUMNS.items():
        for column, entry in columns.items():
            assert entry.owner, (table, column)
            assert entry.retention, (table, column)
            assert entry.residency, (table, column)
            assert entry.key_scope in {"-", "sealing key"} or any(
                entry.key_scope == key for key in KEYS
            ), (table, column)


def test_every_kind_of_job_is_a_queue_of_the_inventory_and_the_reverse(demo: Server) -> None:
    kinds = {
        value for name, value in vars(jobs).items() if name.endswith("_JOB") and name != "WANT_JOB"
    }
    assert set(QUEUES) == kinds
    # Nobody of the demo asked for notices, sent a file, takes a CA over, has RSA keys, or watches
    # anybody.
    unasked = {jobs.NOTICE_JOB, jobs.BULK_JOB, jobs.TAKE_OVER_JOB, jobs.COMPARISON_JOB}
    asked = kinds - unasked - {jobs.WATCH_JOB, jobs.DELIVERY_JOB}
    assert set(rows(demo, "SELECT DISTINCT kind FROM job")) == asked


def test_every_file_that_a_running_demo_keeps_is_in_the_inventory_and_the_reverse(
    demo: Server,
) -> None:
    # The sandbox makes its folder when it is first asked.
    Sandbox(demo.data / "sandbox", SystemClock()).cabinet.first_day()
    kept = {path.name for path in demo.data.iterdir()}
    assert kept - set(FOLDERS) == set()
    # No operator gave anybody a key.
    assert set(FOLDERS) - kept == {"key-authorisations"}


def test_every_kind_of_data_key_is_in_the_inventory_and_the_reverse(demo: Server) -> None:
    named = {key for key in KEYS if key.startswith("tenant data key")}
    assert named == {f"tenant data key ({kind})" for kind in DataKeyKind}
    assert set(rows(demo, "SELECT DISTINCT kind FROM data_key")) == set(DataKeyKind)


def rows(server: Server, query: str) -> list[str]:
    """The only column of a query on a running platform's database."""
    with sqlite3.connect(f"file:{server.data / 'tegata.sqlite'}?mode=ro", uri=True) as connection:
        return [row[0] for row in connection.execute(query)]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"shadow": ["id"]}, "shadow.id is not in the inventory"),
        ({"tenant": ["id", "name", "state", "created_at", "email"]}, "tenant.email is not in"),
        ({"tenant": ["id", "name", "state"]}, "tenant.created_at is not in the database"),
        ({"job": []}, "job.kind is not in the database"),
    ],
)
def test_a_planted_difference_is_found(change: dict[str, list[str]], found: str) -> None:
    with pytest.raises(InventoryError, match=found):
        require_inventory(Holdings({**schema_columns(), **change}, ()))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE shadow (id TEXT)",
        "CREATE VIEW shadow AS SELECT id, name FROM tenant",
        "ALTER TABLE certificate ADD COLUMN note TEXT",
    ],
)
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_platform_with_a_shadow_in_its_database_does_not_start(
    tmp_path: Path, engine: str, statement: str
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    options: tuple[str, ...] = ()
    if engine == "sqlite":
        migrate_sqlite(data / "tegata.sqlite")
        with sqlite3.connect(data / "tegata.sqlite") as connection:
            connection.execute(statement)
    else:
        url = postgres_cluster().migrated_database()
        options = ("--database", url)
        with psycopg.connect(url) as session:
            session.execute(statement.encode())
    process = spawn(data, "--demo", *options)
    assert process.wait(START_SECONDS) == 1
    log = log_file(data).read_text()
    assert "is not in the inventory" in log
    assert "Traceback" not in log
