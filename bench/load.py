"""A load generator in a process of its own: many connections, one request after the other.

Run as ``python -m bench.load`` with a JSON plan on standard input; prints a JSON result.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import uvloop


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send: `bodies` in turn, `requests` in all, over `connections`.

    With GET, `bodies` are what follows the URL.
    """

    url: str
    headers: dict[str, str]
    bodies: list[str]
    requests: int
    connections: int
    keep_alive: bool
    expect: int
    tls_ca: str | None
    method: str = "POST"
    # Where each body goes, if not all go to the URL.
    targets: list[str] | None = None


class _Run:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.left = plan.requests
        self.latencies: list[float] = []
        self.failed = 0
        parts = urlsplit(plan.url)
        self.host, self.port = parts.hostname or "", parts.port or 0
        self.tls = ssl.create_default_context(cafile=plan.tls_ca) if plan.tls_ca else None
        connection = "keep-alive" if plan.keep_alive else "close"
        lines = [f"Host: {parts.netloc}", f"Connection: {connection}"]
        lines += [f"{name}: {value}" for name, value in plan.headers.items()]
        head = "\r\n".join(lines)
        if plan.method == "GET":
            self.messages = [
                f"GET {parts.path}{body} HTTP/1.1\r\n{head}\r\n\r\n".encode()
                for body in plan.bodies
            ]
            return
        octets = [body.encode("latin-1") for body in plan.bodies]
        targets = plan.targets or [parts.path] * len(octets)
        self.messages = [
            f"{plan.method} {target} HTTP/1.1\r\n{head}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
            for target, body in zip(targets, octets, strict=True)
        ]

    async def worker(self) -> None:
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while self.left > 0:
            self.left -= 1
            message = self.messages[self.left % len(self.messages)]
            begun = time.perf_counter()
            if streams is None:
                streams = await asyncio.open_connection(self.host, self.port, ssl=self.tls)
            reader, writer = streams
            writer.write(message)
            status = await _answer(reader)
            self.latencies.append(time.perf_counter() - begun)
            if status != self.plan.expect:
                self.failed += 1
            if not self.plan.keep_alive:
                writer.close()
                streams = None
        if streams is not None:
            streams[1].close()


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            await reader.readexactly(int(value))
    return status


async def _main(plan: Plan) -> dict[str, Any]:
    run = _Run(plan)
    begun = time.perf_counter()
    await asyncio.gather(*(run.worker() for _ in range(plan.connections)))
    wall = time.perf_counter() - begun
    ordered = sorted(run.latencies)
    return {
        "requests": len(ordered),
        "failed": run.failed,
        "wall": wall,
        "p50_ms": ordered[len(ordered) // 2] * 1000,
        "p99_ms": ordered[int(len(ordered) * 0.99)] * 1000,
    }


if __name__ == "__main__":
    plan = Plan(**json.load(sys.stdin))
    sys.stdout.write(json.dumps(uvloop.run(_main(plan))))
