"""A database that is older than the published log: brought up from the mirror, or not served."""

from __future__ import annotations

import base64
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tegata.kernel.scope import platform_acts
from tegata.store.disk import DiskReserve
from tegata.store.log_files import CheckpointMemory, FolderMirror
from tegata.store.migrate import migrate_sqlite
from tegata.store.sqlite import SqliteDatabase
from tegata.transparency.merkle import root_of
from tegata.transparency.opening import LogBehind
from tests.fakes.system import FakeClock
from tests.transparency.world import ONE, TWO, Node, all_entries, node_on, open_tenants, store_on

CLOCK = FakeClock()


@asynccontextmanager
async def opened(folder: Path, *, mirror: Path | None) -> AsyncIterator[Node]:
    database = SqliteDatabase(folder / "tegata.db", DiskReserve(folder, 0))
    memory = CheckpointMemory([folder / "log-checkpoint"])
    copy = FolderMirror(mirror) if mirror is not None else None
    try:
        node = await node_on(database, folder, CLOCK, memory=memory, mirror=copy, copy=copy)
        yield node
        node.signer.close()
    finally:
        await database.close()


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A log of some size, a backup of its database, and then a larger one."""
    migrate_sqlite(tmp_path / "tegata.db")
    database = SqliteDatabase(tmp_path / "tegata.db", DiskReserve(tmp_path, 0))
    await open_tenants(store_on(database, CLOCK, "tenants"))
    await database.close()
    async with opened(tmp_path, mirror=tmp_path / "mirror") as node:
        await node.happen(ONE, *(f"before {each}" for each in range(100)))
        await node.publisher.turn()
        # Acknowledged and waiting when the backup is taken, sequenced after it.
        await node.happen(TWO, *(f"waiting {each}" for each in range(50)))
        with sqlite3.connect(tmp_path / "backup.db") as backup:
            source = sqlite3.connect(tmp_path / "tegata.db")
            source.backup(backup)
            source.close()
        backup.close()
        await node.publisher.turn()
        await node.happen(ONE, *(f"lost {each}" for each in range(300)))
        await node.publisher.turn()
    return tmp_path


def restore(folder: Path) -> None:
    for file in folder.glob("tegata.db*"):
        file.unlink()
    shutil.copy(folder / "backup.db", folder / "tegata.db")


async def test_a_restored_database_is_brought_up_from_the_mirror_and_nothing_is_put_in_anew(
    folder: Path,
) -> None:
    note = (folder / "mirror" / "checkpoint").read_text()
    size = int(note.split("\n")[1])
    restore(folder)
    async with opened(folder, mirror=folder / "mirror") as node:
        assert (await node.store.log_state()).size == size
        # Those that waited have the leaves that they got before; each is proved.
        await node.happen(ONE, "after")
        await node.publisher.turn()
        published = node.service.published
        assert published is not None
        entries = await all_entries(node.store, published.checkpoint.size)
        assert len(set(entries)) == len(entries)
        assert root_of(entries) == published.checkpoint.root
        assert base64.b64encode(root_of(entries[:size])).decode() == note.split("\n")[2]
        for sequence in range(1, 52):
            await node.service.proof(platform_acts(TWO, "test"), sequence)
        acts = await node.store.list_events(platform_acts(ONE, "test"), 100, 10)
        assert [event.sequence for event in acts] == [101, 102]


async def test_without_the_mirror_it_does_not_start(folder: Path) -> None:
    restore(folder)
    with pytest.raises(LogBehind, match="--log-mirror"):
        async with opened(folder, mirror=None):
            pass


async def test_a_mirror_that_lacks_leaves_does_not_help(folder: Path) -> None:
    restore(folder)
    shutil.rmtree(folder / "mirror" / "tile" / "entries" / "001.p", ignore_errors=True)
    with pytest.raises(LogBehind, match="lacks entries"):
        async with opened(folder, mirror=folder / "mirror"):
            pass


async def test_a_mirror_with_a_changed_leaf_is_refused(folder: Path) -> None:
    restore(folder)
    file = folder / "mirror" / "tile" / "entries" / "000"
    octets = bytearray(file.read_bytes())
    octets[34 * 200 + 5] ^= 1
    file.write_bytes(octets)
    with pytest.raises(LogBehind, match="not the log that was published"):
        async with opened(folder, mirror=folder / "mirror"):
            pass


async def test_a_new_database_under_an_old_name_is_refused(folder: Path) -> None:
    for file in folder.glob("tegata.db*"):
        file.unlink()
    migrate_sqlite(folder / "tegata.db")
    database = SqliteDatabase(folder / "tegata.db", DiskReserve(folder, 0))
    await open_tenants(store_on(database, CLOCK, "tenants"))
    await database.close()
    with pytest.raises(LogBehind, match="the database has no log"):
        async with opened(folder, mirror=folder / "mirror"):
            pass
