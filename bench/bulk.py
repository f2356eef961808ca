"""Bulk issue beside single issues of the same run: server CPU for each certificate."""

from __future__ import annotations

import csv
import io
import json
import ssl
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.issuing import issue_plan, requests_for
from bench.platform import Running, cpu_seconds, load

ROWS = 10_000
# What bulk may cost beside single issues.
WITHIN = 1.2
_LOOK = 0.5


@dataclass(frozen=True, slots=True)
class BulkFigure:
    """One measurement; `ratio` is the processor time of a bulk row over a single issue's."""

    name: str
    rows: int
    per_second: float
    bulk_us: float
    single_us: float
    ratio: float


def bench_bulk(name: str, run: Running, rows: int = ROWS) -> BulkFigure:
    """Issue for as many requests one by one, then in a file."""
    csrs = requests_for(rows)
    plan = issue_plan(run, csrs) | {"connections": 32}
    load({**plan, "requests": 500})
    before = cpu_seconds(run.pids)
    if load(plan)["failed"]:
        raise SystemExit(f"{name}: single issues failed")
    single = (cpu_seconds(run.pids) - before) / rows
    target = io.StringIO(newline="")
    csv.writer(target).writerows([("csr",), *((csr,) for csr in csrs)])
    before, begun = cpu_seconds(run.pids), time.perf_counter()
    path = f"/v1/bulk?act=issue&profile=tls-server&issuer={run.context['issuer']}"
    bulk = _call(run, path, target.getvalue().encode())
    while bulk["state"] != "done":
        time.sleep(_LOOK)
        bulk = _call(run, f"/v1/bulk/{bulk['id']}")
    wall, cost = time.perf_counter() - begun, (cpu_seconds(run.pids) - before) / rows
    if bulk["succeeded"] != rows:
        raise SystemExit(f"{name}: {bulk['refused']} rows were refused")
    figure = BulkFigure(name, rows, rows / wall, cost * 1e6, single * 1e6, cost / single)
    verdict = "within" if figure.ratio <= WITHIN else "OVER"
    print(
        f"{name:<44} {figure.per_second:8.0f}/s  server {figure.bulk_us:7.0f} us  "
        f"single {figure.single_us:7.0f} us  ratio {figure.ratio:5.2f} ({verdict} {WITHIN})",
        flush=True,
    )
    return figure


def _call(run: Running, path: str, body: bytes | None = None) -> dict[str, Any]:
    token = Path(run.context["token_file"]).read_text().strip()
    request = urllib.request.Request(run.context["api"] + path, body)
    request.add_header("Authorization", f"Bearer {token}")
    if body is not None:
        request.add_header("Content-Type", "text/csv")
    tls = ssl.create_default_context(cafile=run.context["tls_ca"])
    with urllib.request.urlopen(request, context=tls, timeout=600) as answer:
        found: dict[str, Any] = json.loads(answer.read())
        return found
