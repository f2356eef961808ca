"""The Merkle log: events with their commitments, sequencing, and proofs from a large tree.

``python -m bench.log [--leaves N]``. SQLite in a temporary folder, durable as ever; one process,
sealing with real data keys. The signer's part of a checkpoint is made in this process.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import sqlite3
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import NodeId, TenantId
from tegata.kernel.scope import platform_acts
from tegata.kernel.signing import DataKeyKind, Sealer
from tegata.outbound.system import SystemClock, SystemRandomness
from tegata.signers.sealing import TenantSealer
from tegata.store.disk import DiskReserve
from tegata.store.migrate import migrate_sqlite
from tegata.store.sqlite import SqliteDatabase
from tegata.store.store import Store
from tegata.transparency.checkpoint import Checkpoint
from tegata.transparency.model import Published
from tegata.transparency.note import Note
from tegata.transparency.opening import LogOpening
from tegata.transparency.sequencer import Sequencer
from tegata.transparency.service import LogService
from tegata.transparency.tiles import TreeEdge
from tests.transparency.world import ONE, ORIGIN, DirectSigner, FakeMemory, open_tenants

EVENTS = 40_000
# Units that wait at once, as requests of as many connections do.
AT_ONCE = 64
PROOFS = 2_000


@dataclass(frozen=True, slots=True)
class LogFigure:
    """One measurement. `cpu_us` is this process's time for each; the other times are as waited
    for."""

    name: str
    count: int
    per_second: float
    cpu_us: float
    p50_ms: float = 0.0
    p99_ms: float = 0.0


class RealKeys:
    """Data keys of this run."""

    def __init__(self) -> None:
        self._sealers: dict[TenantId, TenantSealer] = {}

    async def sealer(self, tenant: TenantId, kind: DataKeyKind) -> Sealer:
        if tenant not in self._sealers:
            randomness = SystemRandomness()
            key = randomness.octets(32)
            self._sealers[tenant] = TenantSealer(key, tenant, kind, randomness)
        return self._sealers[tenant]


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _rates(began: tuple[float, float], count: int) -> tuple[float, float]:
    """A second, and microseconds of this process for each."""
    wall, cpu = began
    return count / (time.perf_counter() - wall), (time.process_time() - cpu) * 1e6 / count


async def bench_log(folder: Path, leaves: int) -> list[LogFigure]:
    """All figures of the log."""
    migrate_sqlite(folder / "tegata.sqlite")
    clock = SystemClock()
    database = SqliteDatabase(folder / "tegata.sqlite", DiskReserve(folder, 0))
    store = Store(
        database, RealKeys(), clock, SystemRandomness(), "http://x", lambda *_: None, None
    )
    await open_tenants(store)
    signer = DirectSigner(folder / "signer", clock)
    node = NodeId("nod_bench")
    opening = LogOpening(store, signer, FakeMemory(), None, clock, node)
    log = await opening.ensure(ORIGIN)
    figures = [await _events(store)]
    sequencer = Sequencer(store, signer, log, clock, node)
    figures.append(await _sequencing(sequencer))
    await sequencer.stop()
    await database.close()
    await asyncio.to_thread(_grow, folder / "tegata.sqlite", leaves)
    database = SqliteDatabase(folder / "tegata.sqlite", DiskReserve(folder, 0))
    store.database = database
    service = LogService(store, log)
    service.show(Published.of(Note(Checkpoint(ORIGIN, leaves, bytes(32)).text(), ())))
    figures.append(await _proofs(service, leaves))
    await database.close()
    return figures


async def _events(store: Store) -> LogFigure:
    left = iter(range(EVENTS))
    scope = platform_acts(ONE, "bench")

    async def write() -> None:
        for number in left:
            async with store.open_unit(scope) as unit:
                unit.audit(
                    AuditEvent(
                        scope.actor, "issuance:certificate:issue", Decision.ALLOWED,
                        f"certificate:{number}", bytes(32),
                        private={"serial": f"{number:x}", "subject": "CN=a", "names": "dns:a"},
                    )
                )  # fmt: skip
                await unit.commit()

    began = _now()
    await asyncio.gather(*(write() for _ in range(AT_ONCE)))
    return LogFigure("events written in groups", EVENTS, *_rates(began, EVENTS))


async def _sequencing(sequencer: Sequencer) -> LogFigure:
    began, size = _now(), 0
    while (published := await sequencer.turn()) is not None:
        await sequencer.keep(published)
        size = published.checkpoint.size
    return LogFigure("sequenced to durable tiles, signed", size, *_rates(began, size))


def _grow(file: Path, leaves: int) -> None:
    """Put as many leaves into the tiles as a large log has."""
    connection = sqlite3.connect(file)
    connection.execute("DELETE FROM log_tile")
    edge = TreeEdge(0, {})
    while edge.size < leaves:
        until = min(leaves, edge.size + 65_536)
        entries = [hashlib.sha256(b"%d" % each).digest() for each in range(edge.size, until)]
        rows = [(*tile.id, tile.octets) for tile in edge.append(entries)]
        connection.executemany("INSERT OR REPLACE INTO log_tile VALUES (?, ?, ?)", rows)
    connection.execute("UPDATE log_head SET size = ?", (leaves,))
    connection.commit()
    connection.close()


async def _proofs(service: LogService, leaves: int) -> LogFigure:
    published = service.published
    assert published is not None
    spent, all_began = [], _now()
    for place in random.Random(1).sample(range(leaves), PROOFS):
        began = time.perf_counter()
        await service.prove(place, published)
        spent.append((time.perf_counter() - began) * 1000)
    cuts = statistics.quantiles(spent, n=100)
    name = f"proof at {leaves:,} leaves"
    return LogFigure(name, PROOFS, *_rates(all_began, PROOFS), cuts[49], cuts[98])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leaves", type=int, default=10_000_000)
    leaves = parser.parse_args().leaves
    with tempfile.TemporaryDirectory(prefix="tegata-bench-") as folder:
        figures = uvloop.run(bench_log(Path(folder), leaves))
    for figure in figures:
        print(json.dumps(asdict(figure)))


if __name__ == "__main__":
    main()
