"""Measure the platform against its floor: ``python -m bench [--certificates N] [--requests N]``.

Every figure is processor time of the server's own processes (platform and signer; PostgreSQL's
beside it), divided by a floor that is measured right before it on the same machine: one P-256
signature and two verifications, or a static answer from the same listener. Durability and audit
are on. Results go to `var/bench.json` and, as a table, to standard output.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform as machine
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from bench.bulk import BulkFigure, bench_bulk
from bench.card import bench_card
from bench.crl import bench_crl
from bench.identity import bench_statuses, bench_submissions, lines
from bench.issuing import issue_plan, requests_for
from bench.log import bench_log
from bench.platform import Running, children, cpu_seconds, load, running
from bench.preload import preload_postgres, preload_sqlite
from bench.search import SearchFigure
from bench.search import measure as measure_searches
from bench.stamping import StampFigure, bench_stamping
from bench.status import nginx, questions, raw_asgi
from tests.postgres import postgres_cluster

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
CONNECTIONS = 32
# Requests for each kind of search.
SEARCHES = 60


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement. `ratio` is its processor time over the floor's."""

    name: str
    requests: int
    per_second: float
    p50_ms: float
    p99_ms: float
    server_us: float
    database_us: float
    floor_us: float
    ratio: float


def crypto_floor() -> float:
    """Seconds of processor time for one P-256 signature and two verifications."""
    key, algorithm, message = (
        ec.generate_private_key(ec.SECP256R1()),
        ec.ECDSA(hashes.SHA256()),
        bytes(600),
    )
    public, signature = key.public_key(), key.sign(message, algorithm)
    sign = _timed(lambda: key.sign(message, algorithm))
    return sign + 2 * _timed(lambda: public.verify(signature, message, algorithm))


def _timed(act: Callable[[], object], times: int = 4000) -> float:
    begun = time.process_time()
    for _ in range(times):
        act()
    return (time.process_time() - begun) / times


class Bench:
    """The measurements of one run."""

    def __init__(self, requests: int) -> None:
        self.requests = requests
        self.csrs = requests_for(64)
        self.figures: list[Figure] = []
        self.searches: list[SearchFigure] = []
        self.bulk: list[BulkFigure] = []
        self.stamps: list[StampFigure] = []

    def measure(
        self, name: str, run: Running, plan: dict[str, Any], floor: float, database: list[int]
    ) -> dict[str, Any]:
        """Run one load and note its figure."""
        load({**plan, "requests": max(plan["requests"] // 10, 64)})
        before, before_database = cpu_seconds(run.pids), cpu_seconds(database)
        result = load(plan)
        if result["failed"]:
            raise SystemExit(f"{name}: {result['failed']} requests failed")
        count = result["requests"]
        server = (cpu_seconds(run.pids) - before) / count
        figure = Figure(
            name,
            count,
            count / result["wall"],
            result["p50_ms"],
            result["p99_ms"],
            server * 1e6,
            (cpu_seconds(database) - before_database) / count * 1e6,
            floor * 1e6,
            server / floor,
        )
        self.figures.append(figure)
        print(_line(figure), flush=True)
        return result

    def issue(
        self,
        name: str,
        run: Running,
        *,
        connections: int = CONNECTIONS,
        keep_alive: bool = True,
        requests: int | None = None,
        database: list[int] | None = None,
    ) -> None:
        """Issue certificates over HTTPS."""
        plan = issue_plan(run, self.csrs)
        plan |= {"connections": connections, "keep_alive": keep_alive}
        plan["requests"] = requests or self.requests
        self.measure(name, run, plan, crypto_floor(), database or [])

    def status(self, run: Running, folder: Path) -> None:
        """Ask OCSP over HTTP, from memory and with nonces, beside other servers."""
        asked = questions(run, self.csrs[:16])
        common = {"connections": CONNECTIONS, "requests": self.requests * 5, "keep_alive": True}
        floor = crypto_floor()
        for other in (raw_asgi(asked.answer_octets), nginx(asked.answer_octets, folder)):
            with other as peer:
                if peer is None:
                    continue
                before = cpu_seconds(peer.pids)
                result = load(peer.plan | common)
                floor = (cpu_seconds(peer.pids) - before) / result["requests"]
                name = peer.name
            for method, plan in (("POST", asked.post), ("GET", asked.get)):
                self.measure(f"OCSP, {method}, beside {name}", run, plan | common, floor, [])
        nonces = asked.nonce | common | {"requests": self.requests}
        self.measure("OCSP with a nonce, beside signatures", run, nonces, crypto_floor(), [])


def _line(figure: Figure) -> str:
    return (
        f"{figure.name:<44} {figure.per_second:8.0f}/s  p50 {figure.p50_ms:7.1f} ms  "
        f"p99 {figure.p99_ms:7.1f} ms  server {figure.server_us:7.0f} us  "
        f"database {figure.database_us:6.0f} us  floor {figure.floor_us:6.0f} us  "
        f"ratio {figure.ratio:5.2f}"
    )


def bench_sqlite(bench: Bench, folder: Path, certificates: int) -> None:
    """SQLite: a new store, then one with many certificates."""
    data = folder / "sqlite"
    with running(data) as run:
        print(f"ready in {run.ready_seconds:.1f} s")
        bench.issue("issue, SQLite, 32 connections", run)
        bench.issue("issue, SQLite, 1 connection", run, connections=1, requests=500)
        bench.issue(
            "issue, SQLite, new connection each time", run, connections=8, keep_alive=False,
            requests=500,
        )  # fmt: skip
        bench.status(run, folder)
        bench.bulk.append(bench_bulk("bulk issue, SQLite", run))
        for ordering, name in ((False, "time-stamps, SQLite"), (True, "ordered ones")):
            count = bench.requests // (4 if ordering else 1)
            bench.stamps.append(bench_stamping(name, run, count, ordering=ordering))
        context = run.context
    begun = time.perf_counter()
    preload_sqlite(data, context["tenant"], [context["issuer"]], certificates)
    print(f"{certificates} certificates put in, {time.perf_counter() - begun:.0f} s")
    with running(data) as run:
        bench.issue(f"issue, SQLite, {certificates} certificates in it", run)
        bench.searches += measure_searches("sqlite", run, certificates, SEARCHES)


def bench_postgres(bench: Bench, folder: Path, certificates: int) -> None:
    """PostgreSQL: a new store, then one with many certificates."""
    url = postgres_cluster().empty_database()
    data = folder / "postgres"
    options = ("--database", url)
    with running(data, *options) as run:
        bench.issue("issue, PostgreSQL, 32 connections", run, database=_server(url))
        bench.stamps.append(bench_stamping("time-stamps, PostgreSQL", run, bench.requests))
        context = run.context
    preload_postgres(url, context["tenant"], [context["issuer"]], certificates)
    with running(data, *options) as run:
        name = f"issue, PostgreSQL, {certificates} certificates in it"
        bench.issue(name, run, database=_server(url))
        bench.searches += measure_searches("postgresql", run, certificates, SEARCHES)


def _server(url: str) -> list[int]:
    """The processes of a PostgreSQL server on this machine."""
    with psycopg.connect(url) as connection:
        status = Path(f"/proc/{connection.info.backend_pid}/status")
        parent = int(status.read_text().partition("PPid:")[2].split()[0])
    return [parent, *children(parent)]


def bench_softhsm(bench: Bench, folder: Path) -> None:
    """SQLite with its keys in SoftHSM."""
    tokens = folder / "tokens"
    tokens.mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {tokens}\nlog.level = ERROR\n")
    environment = {"SOFTHSM2_CONF": str(configuration)}
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", "bench", "--pin", "1234",
         "--so-pin", "12345678"],
        env={**os.environ, **environment}, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    pin = folder / "pin"
    pin.write_text("1234\n")
    options = (
        "--pkcs11-module", SOFTHSM, "--pkcs11-token", "bench", "--pkcs11-pin-file", str(pin),
    )  # fmt: skip
    with running(folder / "softhsm", *options, environment=environment) as run:
        bench.issue("issue, SQLite, SoftHSM, 32 connections", run)


def main() -> None:
    """Run every measurement that this machine has the parts for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--certificates", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--leaves", type=int, default=10_000_000)
    chosen = parser.parse_args()
    bench = Bench(chosen.requests)
    folder = Path(tempfile.mkdtemp(prefix="tegata-bench-"))
    try:
        bench_sqlite(bench, folder, chosen.certificates)
        if Path(SOFTHSM).exists():
            bench_softhsm(bench, folder)
        bench_postgres(bench, folder, chosen.certificates)
        crl = bench_crl(folder, chosen.certificates)
        card = bench_card(folder, chosen.requests)
        with running(folder / "identity") as run:
            people = bench_submissions(run, chosen.requests)
        people += bench_statuses(folder, chosen.certificates, 10 * chosen.requests)
        (folder / "log").mkdir()
        log = asyncio.run(bench_log(folder / "log", chosen.leaves))
    finally:
        shutil.rmtree(folder)
    report = {
        "python": sys.version,
        "machine": machine.machine(),
        "processors": os.cpu_count(),
        "figures": [asdict(figure) for figure in bench.figures],
        "crl": asdict(crl),
        "searches": [asdict(figure) for figure in bench.searches],
        "identity": [asdict(figure) for figure in people],
        "card": [asdict(figure) for figure in card],
        "bulk": [asdict(figure) for figure in bench.bulk],
        "log": [asdict(figure) for figure in log],
        "stamps": [asdict(figure) for figure in bench.stamps],
    }
    target = Path("var/bench.json")
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(report, indent=2) + "\n")
    print("\n".join(_line(figure) for figure in bench.figures))
    print(lines(people))
    print("\n".join(f"{figure.name:<44} {figure.per_second:8.0f}/s" for figure in log))


if __name__ == "__main__":
    main()
