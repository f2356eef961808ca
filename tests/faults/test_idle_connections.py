"""Idle connections, however many, keep nobody from an answer."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conformance.running import Issued, Running, running, until

WANTED = 10_000
# What a process needs for everything that is not such a connection.
KEPT = 1024
OCSP_SECONDS = 2.0

# A process of its own, so that it has descriptors of its own: it connects, says so, and waits.
CLIENT = """
import resource, socket, sys
_soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
held = []
for place in range(int(sys.argv[1])):
    port = int(sys.argv[2 + place % (len(sys.argv) - 2)])
    held.append(socket.create_connection(("127.0.0.1", port), timeout=20))
print(len(held), flush=True)
sys.stdin.read()
"""


@contextmanager
def idle(count: int, *urls: str) -> Generator[None]:
    """Connections that say nothing, spread over the listeners."""
    ports = [str(urlsplit(url).port) for url in urls]
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(count), *ports],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with client:
        assert client.stdout is not None
        assert client.stdout.readline() == f"{count}\n"
        try:
            yield
        finally:
            client.kill()


def descriptors(platform: Running) -> int:
    return sum(1 for _ in Path(f"/proc/{platform.process.pid}/fd").iterdir())


def is_all_accepted(url: str) -> bool:
    """Whether nothing waits to be accepted by a listener (rx_queue in /proc/net/tcp)."""
    port = f":{urlsplit(url).port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    waiting = [row[4] for row in rows if row[1].endswith(port) and row[3] == "0A"]
    assert waiting
    return all(queues.endswith(":00000000") for queues in waiting)


def require_answers(platform: Running, issued: Issued) -> None:
    """OCSP answers many times, each within its deadline."""
    for _ in range(20):
        begun = time.monotonic()
        assert platform.ask(issued, OCSP_SECONDS).certificate_status.name == "GOOD"
        assert time.monotonic() - begun < OCSP_SECONDS


@pytest.mark.timeout(110)
def test_ten_thousand_idle_connections_leave_the_responder_answering(tmp_path: Path) -> None:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(WANTED, hard - KEPT) if hard != resource.RLIM_INFINITY else WANTED
    if count < WANTED:
        warnings.warn(
            f"{count} idle connections instead of {WANTED}: this machine allows a process "
            f"{hard} descriptors",
            stacklevel=1,
        )
    with running(tmp_path, "--request-timeout", "60") as platform:
        issued = platform.issue()
        before = descriptors(platform)
        with idle(count, platform.public, platform.context["api"]):
            urls = platform.public, platform.context["api"]
            until(lambda: all(map(is_all_accepted, urls)), 20, "every connection")
            # On a busy machine the time for a TLS handshake may be over for some by now.
            assert descriptors(platform) >= before + count // 2
            require_answers(platform, issued)
            platform.revoke(issued)
            assert platform.status(issued) == "revoked"
            assert descriptors(platform) >= before + count // 2
        until(lambda: descriptors(platform) < before + 50, 20, "the end of the connections")


@pytest.mark.parametrize("door", ["public", "api"])
def test_more_idle_connections_than_fit_make_room_for_those_that_ask(
    tmp_path: Path, door: str
) -> None:
    with running(tmp_path, descriptors=700) as platform:
        issued = platform.issue()
        url = platform.public if door == "public" else platform.context["api"]
        with idle(900, url):
            until(lambda: is_all_accepted(url), 20, "every connection")
            require_answers(platform, issued)
            assert platform.call("GET", f"/v1/certificates/{issued.id}")["id"] == issued.id
