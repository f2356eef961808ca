"""`tegata backup` and `tegata restore`: what an operator keeps, and how it comes back."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from pathlib import Path

from tegata.kernel.ports import Clock
from tegata.main.settings import SettingsError
from tegata.store.backup import copy_sqlite, digest, flush, mark_postgres, put_back_sqlite

_DATABASE = "tegata.sqlite"
_MANIFEST = "backup.json"
# Beside the database. The journal of negative acts is not among them: an old copy of it would
# hide what came after. It stays where it is, and in its second folder.
_FILES = ("node", "operator.token", "signer-reservations.jsonl")


class DataLock:
    """One process at a time works on a data folder: its journal has one writer."""

    def __init__(self, data: Path) -> None:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._descriptor = os.open(data / "lock", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._descriptor)
            raise SettingsError(f"a platform runs on {data}") from error

    def release(self) -> None:
        """Let another process have the folder."""
        os.close(self._descriptor)


def back_up(data: Path, target: Path, clock: Clock) -> Path:
    """Copy a node's database and what belongs to it; its manifest. The platform may run."""
    if not (data / _DATABASE).exists():
        raise SettingsError(
            f"{data} holds no SQLite database; PostgreSQL is backed up with its own tools"
        )
    if target.exists() and any(target.iterdir()):
        raise SettingsError(f"{target} is not empty")
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    taken_at = clock.now().isoformat(timespec="seconds")
    copy_sqlite(data / _DATABASE, target / _DATABASE)
    names = [_DATABASE]
    for name in _FILES:
        if (data / name).exists():
            shutil.copy2(data / name, target / name)
            flush(target / name)
            names.append(name)
    manifest = {
        "version": 1,
        "taken_at": taken_at,
        "sha256": {name: digest(target / name) for name in names},
    }
    # Last: a backup without it was not completed.
    (target / _MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    flush(target / _MANIFEST)
    flush(target)
    return target / _MANIFEST


def restore(source: Path, data: Path) -> str:
    """Put a backup back, marked as restored; when it was taken. The platform must not run."""
    try:
        manifest = json.loads((source / _MANIFEST).read_text())
        digests = {str(name): str(value) for name, value in manifest["sha256"].items()}
        taken_at = str(manifest["taken_at"])
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise SettingsError(f"{source} holds no completed backup") from error
    for name, expected in digests.items():
        if name not in (_DATABASE, *_FILES) or digest(source / name) != expected:
            raise SettingsError(f"{source / name} is not what was backed up")
    lock = DataLock(data)
    try:
        for name in _FILES:
            # What is here is newer than what was backed up.
            if name in digests and not (data / name).exists():
                shutil.copy2(source / name, data / name)
                flush(data / name)
        put_back_sqlite(source / _DATABASE, data / _DATABASE)
    finally:
        lock.release()
    return taken_at


def mark_restored(database: str) -> None:
    """Say that a PostgreSQL database was brought back by its own tools."""
    mark_postgres(database)
