"""How long a search takes: every filter and combination that is offered, through the REST API.

``python -m bench.search [--certificates N] [--engine sqlite|postgresql]`` measures on one engine;
`python -m bench` measures on both, in stores that already hold the certificates of its other
figures. One client, one connection, parameters taken at random from what is there.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import shutil
import ssl
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from bench.platform import Running, running
from bench.preload import preload_postgres, preload_sqlite
from tests.postgres import postgres_cluster

Query = dict[str, str]
Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SearchFigure:
    """How long one kind of search took, as its client saw it. `first_ms` is the first of all."""

    engine: str
    certificates: int
    search: str
    requests: int
    items: float
    first_ms: float
    p50_ms: float
    p95_ms: float


class Client:
    """One connection with keep-alive."""

    def __init__(self, run: Running) -> None:
        context = run.context
        parts = urlsplit(context["api"])
        tls = ssl.create_default_context(cafile=context["tls_ca"])
        self._connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, context=tls, timeout=600
        )
        token = Path(context["token_file"]).read_text().strip()
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str, query: Query) -> tuple[dict[str, Any], float]:
        """The answer, and the milliseconds that it took."""
        target = f"{path}?{urlencode(query)}" if query else path
        begun = time.perf_counter()
        self._connection.request("GET", target, headers=self._headers)
        answer = self._connection.getresponse()
        octets = answer.read()
        taken = (time.perf_counter() - begun) * 1000
        if answer.status != 200:
            raise SystemExit(f"{target}: {octets.decode()}")
        return json.loads(octets), taken


def _day(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def searches(sample: list[Item], rng: random.Random) -> dict[str, Callable[[], Query]]:
    """Every kind of search, as a maker of its queries."""

    def one() -> Item:
        return rng.choice(sample)

    def host() -> str:
        return str(one()["subject"]).removeprefix("CN=")

    def window(days: float = 30) -> Query:
        begin = rng.uniform(-30, 300)
        return {"expires_after": _day(begin), "expires_before": _day(begin + days)}

    def issuer() -> Query:
        return {"issuer": str(one()["issuer"])}

    def profile() -> Query:
        return {"profile": rng.choice(["tls-server", "tls-client", "rare"])}

    def valid() -> Query:
        return {"state": "valid"}

    zone = {"name_prefix": "dns:example.test"}
    return {
        "newest": dict,
        "issuer": issuer,
        "profile": profile,
        "expiry window": window,
        "state valid": valid,
        "state revoked": lambda: {"state": "revoked"},
        "state held": lambda: {"state": "held"},
        "state expired": lambda: {"state": "expired"},
        "name": lambda: {"name": f"dns:{host()}"},
        "name subtree, 1000": lambda: {"name_prefix": f"dns:{host().partition('.')[2]}"},
        "name subtree, all": lambda: zone,
        "subject": lambda: {"subject": str(one()["subject"])},
        "subject prefix": lambda: {"subject_prefix": str(one()["subject"])[:11]},
        "serial": lambda: {"serial": str(one()["serial"])},
        "serial of issuer": lambda: {"serial": str(one()["serial"]), **issuer()},
        "serial prefix": lambda: {"serial_prefix": str(one()["serial"])[:10]},
        "serial prefix of issuer": lambda: {"serial_prefix": str(one()["serial"])[:6], **issuer()},
        "fingerprint": lambda: {"fingerprint": f"{rng.getrandbits(256):064x}"},
        "fingerprint prefix": lambda: {"fingerprint_prefix": f"{rng.getrandbits(32):08x}"},
        "state valid + expiry": lambda: {**valid(), **window()},
        "state revoked + expiry": lambda: {"state": "revoked", **window()},
        "state held + expiry": lambda: {"state": "held", **window()},
        "profile + expiry": lambda: {**profile(), **window()},
        "profile + state": lambda: {**profile(), **valid()},
        "profile + state + expiry": lambda: {**profile(), **valid(), **window()},
        "issuer + expiry": lambda: {**issuer(), **window()},
        "issuer + profile": lambda: {**issuer(), **profile()},
        "issuer + state valid": lambda: {**issuer(), **valid()},
        "issuer + state revoked": lambda: {**issuer(), "state": "revoked"},
        "issuer + profile + expiry": lambda: {**issuer(), **profile(), **window()},
        "issuer + name subtree": lambda: {**issuer(), **zone},
        "issuer + subject prefix": lambda: {**issuer(), "subject_prefix": "CN=host1"},
        "name subtree + state revoked": lambda: {**zone, "state": "revoked"},
    }


def measure(engine: str, run: Running, certificates: int, requests: int) -> list[SearchFigure]:
    """Measure every kind of search on a running platform."""
    client, rng = Client(run), random.Random(7)
    sample: list[Item] = []
    for days in range(-35, 350, 35):
        query = {"expires_after": _day(days), "limit": "50"}
        sample += client.get("/v1/certificates", query)[0]["items"]
    figures = []
    for name, make in searches(sample, rng).items():
        times, items, after = [], 0, None
        for _ in range(requests):
            query = make()
            answer, taken = client.get("/v1/certificates", query)
            times.append(taken)
            items += len(answer["items"])
            after = (query, answer["next"]) if answer["next"] else after
        figures.append(_figure(engine, certificates, name, times, items))
        if after is not None:
            figures.append(_deeper(engine, certificates, name, client, after, requests))
    return figures


def _deeper(
    engine: str, certificates: int, name: str, client: Client, after: tuple[Query, str],
    requests: int,
) -> SearchFigure:  # fmt: skip
    """Page after page of one query."""
    query, following = after
    first = following
    times, items = [], 0
    for _ in range(requests):
        answer, taken = client.get("/v1/certificates", {**query, "after": following})
        times.append(taken)
        items += len(answer["items"])
        following = answer["next"] or first
    return _figure(engine, certificates, f"{name}, further pages", times, items)


def _figure(
    engine: str, certificates: int, name: str, times: list[float], items: int
) -> SearchFigure:
    p95 = statistics.quantiles(times, n=20)[-1]
    figure = SearchFigure(
        engine, certificates, name, len(times), items / len(times), times[0],
        statistics.median(times), p95,
    )  # fmt: skip
    print(
        f"{engine:<11}{name:<44} items {figure.items:6.1f}  first {figure.first_ms:7.1f} ms  "
        f"p50 {figure.p50_ms:7.1f} ms  p95 {figure.p95_ms:7.1f} ms",
        flush=True,
    )
    return figure


def main() -> None:
    """Fill one store and measure it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--certificates", type=int, default=1_000_000)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--requests", type=int, default=60)
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tegata-bench-"))
    data = folder / "data"
    options: tuple[str, ...] = ()
    url = ""
    if chosen.engine == "postgresql":
        url = postgres_cluster().empty_database()
        options = ("--database", url)
    try:
        with running(data, *options) as run:
            context = run.context
            items = Client(run).get("/v1/issuers", {})[0]["items"]
        issuers = sorted((each["id"] for each in items), key=lambda each: each != context["issuer"])
        begun = time.perf_counter()
        if url:
            preload_postgres(url, context["tenant"], issuers, chosen.certificates, events=False)
        else:
            preload_sqlite(data, context["tenant"], issuers, chosen.certificates, events=False)
        print(f"{chosen.certificates} certificates in {time.perf_counter() - begun:.0f} s")
        with running(data, *options) as run:
            measure(chosen.engine, run, chosen.certificates, chosen.requests)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
