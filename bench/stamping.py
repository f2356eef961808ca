"""Time-stamp tokens over HTTP, beside one P-256 signature and one verification."""

from __future__ import annotations

import hashlib
import json
import secrets
import ssl
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from bench.platform import Running, cpu_seconds, load
from tegata.pkix import oids
from tegata.pkix.tsp import TimeStampRequest, encode_time_stamp_request, message_imprint

# What a token may cost, in floors.
WITHIN = 4.0
_CONNECTIONS = 32
_HEADERS = {"Content-Type": "application/timestamp-query"}


@dataclass(frozen=True, slots=True)
class StampFigure:
    """One measurement; `ratio` is a token's processor time over the floor's."""

    name: str
    requests: int
    per_second: float
    p50_ms: float
    p99_ms: float
    server_us: float
    floor_us: float
    ratio: float


def stamp_floor(times: int = 4000) -> float:
    """Seconds of processor time for one P-256 signature and one verification."""
    key, algorithm, message = (
        ec.generate_private_key(ec.SECP256R1()),
        ec.ECDSA(hashes.SHA256()),
        bytes(160),
    )
    public, signature = key.public_key(), key.sign(message, algorithm)
    return _timed(lambda: key.sign(message, algorithm), times) + _timed(
        lambda: public.verify(signature, message, algorithm), times
    )


def _timed(act: Callable[[], object], times: int) -> float:
    begun = time.process_time()
    for _ in range(times):
        act()
    return (time.process_time() - begun) / times


def bench_stamping(
    name: str, run: Running, requests: int, *, ordering: bool = False
) -> StampFigure:
    """Stamp digests, with a nonce each and without certificates; every token must be recorded."""
    authority = _call(
        run, "POST", "/v1/timestamp-authorities",
        {"name": f"bench {ordering}", "issuer": run.context["issuer"], "policies": ["1.2.3.4"],
         "ordering": ordering},
    )  # fmt: skip
    questions = [_question() for _ in range(256)]
    plan = {
        "url": authority["url"], "headers": _HEADERS, "keep_alive": True, "expect": 200,
        "bodies": [each.decode("latin-1") for each in questions], "tls_ca": None,
        "connections": _CONNECTIONS, "requests": max(requests // 10, 64),
    }  # fmt: skip
    load(plan)
    recorded, floor = _recorded(run), stamp_floor()
    before = cpu_seconds(run.pids)
    result = load({**plan, "requests": requests})
    server = (cpu_seconds(run.pids) - before) / requests
    if result["failed"] or _recorded(run) - recorded != requests:
        raise SystemExit(f"{name}: not every request was stamped and recorded")
    figure = StampFigure(
        name, requests, requests / result["wall"], result["p50_ms"], result["p99_ms"],
        server * 1e6, floor * 1e6, server / floor,
    )  # fmt: skip
    print(stamp_line(figure), flush=True)
    return figure


def stamp_line(figure: StampFigure) -> str:
    """A figure as a line of the table."""
    return (
        f"{figure.name:<44} {figure.per_second:8.0f}/s  p50 {figure.p50_ms:7.1f} ms  "
        f"p99 {figure.p99_ms:7.1f} ms  server {figure.server_us:7.0f} us  "
        f"floor {figure.floor_us:6.0f} us  ratio {figure.ratio:5.2f}"
    )


def _question() -> bytes:
    digest = hashlib.sha256(secrets.token_bytes(32)).digest()
    imprint = message_imprint(oids.SHA256, digest)
    nonce = int.from_bytes(secrets.token_bytes(8), "big")
    return encode_time_stamp_request(TimeStampRequest(1, imprint, nonce=nonce))


def _recorded(run: Running) -> int:
    """How many events the demo tenant's record has, by looking for its end."""
    low, high = 0, 1 << 40
    while low < high:
        middle = (low + high) // 2
        if _call(run, "GET", f"/v1/events?after={middle}&limit=1")["items"]:
            low = middle + 1
        else:
            high = middle
    return low


def _call(run: Running, method: str, path: str, body: object = None) -> Any:
    request = urllib.request.Request(run.context["api"] + path, method=method)
    token = Path(run.context["token_file"]).read_text().strip()
    request.add_header("Authorization", f"Bearer {token}")
    if body is not None:
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(body).encode()
    tls = ssl.create_default_context(cafile=run.context["tls_ca"])
    with urllib.request.urlopen(request, context=tls) as answer:
        return json.loads(answer.read())
