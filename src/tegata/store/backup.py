"""Copies of a database: taken while the platform runs, and put back marked as restored."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg

# Every node must bring its journal before any of them serves (ADR 15).
_AWAIT_ALL = "UPDATE node SET awaited = 1"


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy a database that may be in use, as it is in one instant; ValueError when the copy is
    not whole. The writer is not held up."""
    target.unlink(missing_ok=True)
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as opened,
        closing(sqlite3.connect(target)) as copy,
    ):
        opened.backup(copy)
        # One file alone: nothing of the copy stays in a log beside it.
        copy.execute("PRAGMA journal_mode = DELETE")
        result = copy.execute("PRAGMA quick_check").fetchone()[0]
    if result != "ok":
        raise ValueError(f"the copy is damaged: {result}")
    flush(target)


def put_back_sqlite(copy: Path, target: Path) -> None:
    """Replace a database by an older copy, marked as restored, at once or not at all."""
    temporary = target.with_name(target.name + ".new")
    copy_sqlite(copy, temporary)
    with closing(sqlite3.connect(temporary)) as opened, opened:
        opened.execute(_AWAIT_ALL)
    flush(temporary)
    # The log of the database that goes must not be applied to the one that comes.
    for name in ("-wal", "-shm"):
        target.with_name(target.name + name).unlink(missing_ok=True)
    temporary.replace(target)
    flush(target.parent)


def mark_postgres(url: str) -> None:
    """Mark a PostgreSQL database as restored, after its own tools brought it back."""
    with psycopg.connect(url) as connection:
        connection.execute(_AWAIT_ALL)


def digest(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def flush(path: Path) -> None:
    """Make a file, or the names in a folder, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
