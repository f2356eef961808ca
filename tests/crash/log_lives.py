"""Lives of a small sequencer, each killed at a write or flush: run as a process of its own.

The parent imports once and forks a child for each life, so that a life takes milliseconds. A child
opens the log, verifies everything that was promised, and then records events and sequences until
it dies at its point. What it acknowledges and publishes it says on a pipe, which is the outside
world: nothing that stands there may ever be untrue.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import random
import re
import sys
from collections import Counter
from pathlib import Path

from tegata.kernel.ids import TenantId
from tegata.kernel.problem import Problem
from tegata.kernel.scope import PLATFORM_TENANT, platform_acts
from tegata.store.disk import DiskReserve
from tegata.store.log_files import CheckpointMemory, FolderMirror
from tegata.store.migrate import migrate_sqlite
from tegata.store.sqlite import SqliteDatabase
from tegata.transparency.merkle import root_of
from tegata.transparency.note import parse_note
from tegata.transparency.tiles import TILE_WIDTH, parse_bundle
from tests.fakes.system import FakeClock
from tests.transparency.world import (
    ONE,
    TWO,
    Node,
    all_entries,
    node_on,
    open_tenants,
    require_whole,
    store_on,
)

# Turns that a life would take if nothing killed it, and after how many lives data begin anew.
TURNS = 3
LIVES_OF_A_FOLDER = 25
TENANTS = (PLATFORM_TENANT, ONE, TWO)


async def _open(folder: Path) -> tuple[SqliteDatabase, Node]:
    database = SqliteDatabase(folder / "tegata.sqlite", DiskReserve(folder, 0))
    mirror = FolderMirror(folder / "mirror")
    memory = CheckpointMemory([folder / "log-checkpoint"])
    node = await node_on(database, folder, FakeClock(), memory=memory, mirror=mirror, copy=mirror)
    return database, node


async def _found(folder: Path) -> None:
    folder.mkdir(parents=True)
    migrate_sqlite(folder / "tegata.sqlite")
    database = SqliteDatabase(folder / "tegata.sqlite", DiskReserve(folder, 0))
    await open_tenants(store_on(database, FakeClock(), str(folder)))
    await database.close()
    database, _node = await _open(folder)
    await database.close()


async def _life(folder: Path, seed: str, kill_at: int, rare: bool, say: int) -> None:
    """Live until killed; what is acknowledged or published is said on the pipe `say`."""
    points = ctypes.CDLL(None)
    chance = random.Random(seed)
    database, node = await _open(folder)
    points.crash_arm(ctypes.c_long(kill_at), ctypes.c_int(say), ctypes.c_int(rare))
    for number in range(TURNS):
        writes = []
        for _ in range(chance.randint(1, 6)):
            tenant = chance.choice((ONE, TWO))
            subjects = [f"{seed}-{number}-{each}" for each in range(chance.randint(1, 90))]
            writes.append(_write(node, tenant, subjects, say))
        await asyncio.gather(*writes, _sequence(node, say))
    await _sequence(node, say)
    total = points.crash_disarm()
    os.write(say, f"lived {total}\n".encode())
    await database.close()


async def _write(node: Node, tenant: TenantId, subjects: list[str], say: int) -> None:
    await node.happen(tenant, *subjects)
    for subject in subjects:
        os.write(say, f"acknowledged {tenant} {subject}\n".encode())


async def _sequence(node: Node, say: int) -> None:
    if await node.publisher.turn() and node.service.published is not None:
        checkpoint = node.service.published.checkpoint
        os.write(say, f"published {checkpoint.size} {checkpoint.root.hex()}\n".encode())


async def _check(folder: Path, told: list[str]) -> None:
    """Everything that was ever said about this folder holds."""
    database, node = await _open(folder)
    await node.publisher.turn()
    await node.service.refresh()
    size = await require_whole(node)
    entries = await all_entries(node.store, size)
    recorded: Counter[tuple[TenantId, str]] = Counter()
    for tenant in TENANTS:
        for event in await node.store.list_events(platform_acts(tenant, "test"), 0, 10**6):
            for text in event.disclosures:
                recorded[tenant, text] += 1
    total = Counter[str](tenant for tenant, _text in recorded.elements())
    acknowledged: Counter[str] = Counter()
    for line in told:
        word, *rest = line.split()
        if word == "acknowledged":
            acknowledged[rest[0]] += 1
        elif word == "published":
            assert int(rest[0]) <= size, f"rolled back from {rest[0]} to {size}"
            assert root_of(entries[: int(rest[0])]).hex() == rest[1], f"a fork at {rest[0]}"
    for name, count in acknowledged.items():
        assert total[name] >= count, f"{count} acknowledged for {name}, {total[name]} there"
    _check_mirror(folder / "mirror", node, entries)
    await database.close()


def _check_mirror(mirror: Path, node: Node, entries: list[bytes]) -> None:
    """The mirror's checkpoint is the log's, and its files are all that it needs."""
    note = parse_note((mirror / "checkpoint").read_bytes())
    assert len(note.signed_by(*node.log.verifiers)) == len(node.log.keys)
    size = int(note.text.split("\n")[1])
    copied: list[bytes] = []
    for number in range(-(-size // TILE_WIDTH)):
        whole = mirror / f"tile/entries/{number:03d}"
        width = min(TILE_WIDTH, size - number * TILE_WIDTH)
        file = whole if width == TILE_WIDTH else Path(f"{whole}.p/{width}")
        copied += parse_bundle(file.read_bytes())
    assert copied == entries[:size]


def _forked(work: object) -> tuple[int, list[str]]:
    """Run in a child with a pipe; its status, and what it said."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        code = 1
        try:
            assert callable(work)
            asyncio.run(work(writing))
            code = 0
        except BaseException as error:  # noqa: BLE001 (reported by the parent)
            detail = str(error).replace("\n", " ")
            os.write(writing, f"failed {type(error).__name__} {detail}\n".encode())
        os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read().splitlines()
    _pid, status = os.waitpid(child, 0)
    return status, said


def main(root: Path, lives: int, seed: str) -> None:
    """Live and die; print where, and what failed."""
    chance, places = random.Random(seed), Counter[str]()
    points = {False: 60, True: 20}
    told: list[str] = []
    folder = root
    for life in range(lives):
        if life % LIVES_OF_A_FOLDER == 0:
            folder, told = root / f"folder-{life}", []
            _status, said = _forked(lambda _say, folder=folder: _found(folder))
            assert not said, said
        # Every other life dies elsewhere than in the database's log, where most writes are.
        rare = bool(life % 2)
        kill_at = chance.randrange(points[rare])
        name = f"{seed}-{life}"
        _status, said = _forked(
            lambda say, folder=folder, name=name, kill_at=kill_at, rare=rare: _life(
                folder, name, kill_at, rare, say
            )
        )
        failures = [line for line in said if line.startswith("failed")]
        lived = [line for line in said if line.startswith("lived")]
        if lived:
            points[rare] = int(lived[0].split()[1]) + 2
        died = [line.removeprefix("died ") for line in said if line.startswith("died")]
        places[re.sub("key_[a-z0-9]+|[0-9]+", "N", died[0]) if died else "end of life"] += 1
        told += [line for line in said if line.startswith(("acknowledged", "published"))]
        _status, said = _forked(lambda _say, folder=folder, told=told: _check(folder, told))
        failures += said
        if failures:
            sys.stdout.write(f"life {life} killed at {kill_at} ({died}): {failures}\n")
            raise SystemExit(1)
    for place, count in places.most_common():
        sys.stdout.write(f"{count:6} {place}\n")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
    except Problem as problem:
        sys.exit(str(problem))
