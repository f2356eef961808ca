"""Migrations: they end in the schema that the code has, once, whoever starts first."""

import multiprocessing
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, inspect
from sqlalchemy.engine import Inspector

from tegata.store.migrate import migrate_postgres, migrate_sqlite, scripts
from tegata.store.schema import metadata
from tests.postgres import TODAY, Cluster, query

Facts = dict[str, Any]


def facts(inspector: Inspector) -> Facts:
    """What an engine says about every table of the schema."""
    return {
        table: {
            "columns": [
                (column["name"], repr(column["type"]), column["nullable"], column["default"])
                for column in inspector.get_columns(table)
            ],
            "key": inspector.get_pk_constraint(table)["constrained_columns"],
            "indexes": sorted(
                (index["name"], index["column_names"], index["unique"])
                for index in inspector.get_indexes(table)
            ),
        }
        for table in sorted(metadata.tables)
    }


def sqlite_facts(path: Path) -> Facts:
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        found = facts(inspect(connection))
    engine.dispose()
    with sqlite3.connect(path) as raw:
        found["rowid"] = sorted(
            name for name, rowid in raw.execute("SELECT name, wr FROM pragma_table_list") if rowid
        )
    raw.close()
    return found


def postgres_facts(url: str) -> Facts:
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        found = facts(inspect(connection))
    engine.dispose()
    found["partitioned"] = query(
        url,
        "SELECT partrelid::regclass::text, pg_get_partkeydef(partrelid) "
        "FROM pg_partitioned_table ORDER BY 1",
    )
    found["collations"] = query(
        url,
        "SELECT attrelid::regclass::text, attname, collname FROM pg_attribute "
        "JOIN pg_collation c ON c.oid = attcollation JOIN pg_class r ON r.oid = attrelid "
        "WHERE relkind IN ('r', 'p') AND NOT relispartition "
        "AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version' ORDER BY 1, 2",
    )
    return found


@pytest.fixture
def empty(cluster: Cluster) -> Iterator[str]:
    made = cluster.empty_database()
    yield made
    cluster.drop_database(made)


def test_sqlite_migrates_to_the_schema(tmp_path: Path) -> None:
    migrate_sqlite(tmp_path / "migrated.db")
    engine = create_engine(f"sqlite:///{tmp_path / 'created.db'}")
    metadata.create_all(engine)
    engine.dispose()
    migrated = sqlite_facts(tmp_path / "migrated.db")
    assert migrated == sqlite_facts(tmp_path / "created.db")
    assert migrated["rowid"]


def test_postgresql_migrates_to_the_schema(url: str, empty: str) -> None:
    engine = create_engine(empty.replace("postgresql:", "postgresql+psycopg:"))
    metadata.create_all(engine)
    engine.dispose()
    migrated = postgres_facts(url)
    assert migrated == postgres_facts(empty)
    assert len(migrated["partitioned"]) == 3
    assert {collation for _, _, collation in migrated["collations"]} == {"C"}


def test_migrating_again_changes_nothing(tmp_path: Path, url: str) -> None:
    path = tmp_path / "tegata.db"
    migrate_sqlite(path)
    before = path.read_bytes()
    migrate_sqlite(path)
    assert path.read_bytes() == before
    known = query(url, "SELECT max(oid::bigint) FROM pg_class")
    migrate_postgres(url, TODAY)
    assert query(url, "SELECT max(oid::bigint) FROM pg_class") == known


def test_a_database_of_a_newer_build_is_refused(tmp_path: Path, own_url: str) -> None:
    path = tmp_path / "tegata.db"
    migrate_sqlite(path)
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    with pytest.raises(ValueError, match="revision 9999, which this build does not know"):
        migrate_sqlite(path)
    query(own_url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ValueError, match="revision 9999, which this build does not know"):
        migrate_postgres(own_url, TODAY)


def start_together(target: Callable[..., None], *arguments: object) -> list[int | None]:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=target, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    return [process.exitcode for process in processes]


def test_processes_that_start_at_once_do_not_race(tmp_path: Path, empty: str) -> None:
    assert start_together(migrate_sqlite, tmp_path / "tegata.db") == [0, 0]
    assert start_together(migrate_postgres, empty, TODAY) == [0, 0]
    assert query(empty, "SELECT count(*) FROM alembic_version") == [(1,)]


def test_a_migration_that_fails_leaves_nothing(tmp_path: Path, empty: str) -> None:
    path = tmp_path / "tegata.db"
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE job (something)")
    raw.close()
    with pytest.raises(Exception, match="already exists"):
        migrate_sqlite(path)
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT name FROM sqlite_master").fetchall() == [("job",)]
    raw.close()
    query(empty, "CREATE TABLE job (something int)")
    with pytest.raises(psycopg.errors.DuplicateTable):
        migrate_postgres(empty, TODAY)
    assert query(empty, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [("job",)]


@pytest.mark.parametrize(
    "module", [script.module for script in scripts().walk_revisions()], ids=lambda m: m.revision
)
def test_each_migration_says_how_it_is_to_be_run(module: ModuleType) -> None:
    assert module.phase in {"expand", "migrate", "contract"}
    assert module.lock in {
        "none",
        "share update exclusive",
        "share row exclusive",
        "exclusive",
        "access exclusive",
    }
    assert isinstance(module.reversible, bool)
    assert module.__doc__


def test_there_is_one_line_of_migrations() -> None:
    assert len(scripts().get_heads()) == 1
