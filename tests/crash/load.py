"""Clients that keep a server busy until it dies, and remember what they asked and were told."""

from __future__ import annotations

import http.client
import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.journeys.platform import Json, Server, Tenant
from tests.journeys.requests import make_csr

CLIENTS = 4
GONE = (OSError, http.client.HTTPException)


@dataclass(slots=True)
class Request:
    """One request for a certificate, and what became of it."""

    name: str
    csr: str
    told: Json | None = None
    revoke_asked: bool = False
    revoke_told: bool = False


@dataclass(slots=True)
class Load:
    """All that clients have asked of one data folder, over many runs of its server."""

    requests: list[Request] = field(default_factory=list)
    # Checkpoints of the log that a stranger has seen.
    checkpoints: list[bytes] = field(default_factory=list)
    under_way: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, server: Server, tag: str, seconds: float) -> str:
        """Keep a server busy, kill it after some time; where it died."""
        demo = server.demo_tenant()
        kill = threading.Event()
        clients = [
            threading.Thread(target=self._client, args=(demo, f"{tag}-{number}", kill))
            for number in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        told = len([each for each in self.requests if each.told is not None])
        kill.wait(seconds)
        self.checkpoints.append(server.public.get("/log/checkpoint").body)
        place = self._place(server)
        server.kill()
        kill.set()
        for client in clients:
            client.join()
        now_told = len([each for each in self.requests if each.told is not None])
        return f"{tag}: after {seconds:.3f} s and {now_told - told} certificates; {place}"

    def _place(self, server: Server) -> str:
        busy = {kind: many for kind, many in self.under_way.items() if many}
        return f"under way: {busy}; system calls: {_system_calls(server.process.pid)}"

    def _client(self, demo: Tenant, tag: str, killed: threading.Event) -> None:
        chance = random.Random(tag)
        number = 0
        while not killed.is_set():
            number += 1
            name = f"{tag}-{number}.example.test"
            request = Request(name, make_csr(name))
            with self._lock:
                self.requests.append(request)
            try:
                self._ask(demo, request, revoke=chance.random() < 0.3)
            except GONE:
                return

    def _ask(self, demo: Tenant, request: Request, *, revoke: bool) -> None:
        self._count("issue", 1)
        try:
            request.told = demo.issue(request.csr, Idempotency_Key=request.name)
        finally:
            self._count("issue", -1)
        if not revoke:
            return
        request.revoke_asked = True
        self._count("revoke", 1)
        try:
            demo.revoke(request.told["id"]).good()
            request.revoke_told = True
        finally:
            self._count("revoke", -1)

    def _count(self, kind: str, by: int) -> None:
        with self._lock:
            self.under_way[kind] += by


def _system_calls(pid: int) -> str:
    """What each thread was doing: the number of its system call, where the system tells."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found.append((task / "syscall").read_text().split()[0])
        except (OSError, IndexError):
            continue
    return " ".join(sorted(found)) or "not told"
