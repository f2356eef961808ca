"""Bring a database to this build's schema: Alembic's scripts, run without its command line.

Everything happens in one transaction under a lock, so of two processes that start at once one
migrates and the other finds nothing to do, and a process that dies leaves nothing half done.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from psycopg import errors
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from tegata.store.partitions import SCHEMA_LOCK, ensure_partitions
from tegata.store.policies import policy_statements
from tegata.store.sqlite import connect

_LOG = logging.getLogger(__name__)
_FOLDER = Path(__file__).parent / "migrations"
# Who waits for a strong lock keeps every reader behind it waiting: give up soon, try again.
_LOCK_TIMEOUT = "2s"
_TRIES = 5
_PAUSE_SECONDS = 1.0


def scripts() -> ScriptDirectory:
    """The migrations of this build."""
    return ScriptDirectory(str(_FOLDER))


def migrate_sqlite(path: Path) -> None:
    """Make or upgrade the database in a file."""
    engine = create_engine("sqlite://", creator=lambda: connect(path), poolclass=NullPool)
    with _alone(path.parent), engine.connect() as connection:
        # The driver would commit before DDL; this way nothing is kept unless all is.
        connection.exec_driver_sql("BEGIN EXCLUSIVE")
        _upgrade(connection)
        connection.commit()


def migrate_postgres(url: str, today: date) -> None:
    """Make or upgrade a database, and its partitions; `url` names the owner of the tables."""
    for left in range(_TRIES - 1, -1, -1):
        try:
            _migrate_postgres(url, today)
        except errors.LockNotAvailable:
            if not left:
                raise
            _LOG.warning("a table is in use; the migration is tried again")
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def _migrate_postgres(url: str, today: date) -> None:
    def open_connection() -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(url)

    engine = create_engine("postgresql+psycopg://", creator=open_connection, poolclass=NullPool)
    with _plain_errors(), engine.connect() as connection:
        # Another node may take its time with the migration; only the tables' locks hurt others.
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({SCHEMA_LOCK})")
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
        if _upgrade(connection):
            for statement in policy_statements():
                connection.exec_driver_sql(statement)
        driver = connection.connection.driver_connection
        if not isinstance(driver, psycopg.Connection):
            raise TypeError("not a connection of psycopg")
        ensure_partitions(driver, today)
        connection.commit()


def _upgrade(connection: Connection) -> bool:
    """Run what is missing; whether anything was."""
    directory = scripts()
    context = MigrationContext.configure(connection)
    current = context.get_current_revision()
    known = {script.revision for script in directory.walk_revisions()}
    if current is not None and current not in known:
        raise ValueError(
            f"the database is at revision {current}, which this build does not know: "
            "it was migrated by a newer one"
        )
    head = directory.get_current_head()
    if head is None or head == current:
        return False
    for script in _missing(directory, current, head):
        _LOG.info("migration %s: %s", script.revision, script.doc)
        script.module.upgrade(Operations(context))
        context.stamp(directory, script.revision)
    return True


def _missing(directory: ScriptDirectory, current: str | None, head: str) -> list[Script]:
    missing = list(directory.iterate_revisions(head, current or "base"))
    missing.reverse()
    return missing


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time. Switching a new file to WAL does not wait as BEGIN does; and the
    lock is on the folder, because closing a second descriptor of the file drops SQLite's own."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """The driver's own errors, without the statement that SQLAlchemy adds."""
    try:
        yield
    except Exception as error:
        if isinstance(error.__cause__, psycopg.Error):
            raise error.__cause__ from None
        raise
