"""The card under measurement: commands over the virtual reader's wire, from the reader's side.

The driver's place is taken by a socket of our own, so that what is measured is the card and not
pcscd. A figure is what one exchange takes on the wall clock, and in processor time of both sides,
which another load on the machine does not change; the budget is that of issue 5.
"""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tegata.outbound.system import SystemClock, SystemRandomness
from tegata.pkix.intent import digest_info
from tegata.sandbox.card.issue import JPKI, insert_card
from tegata.sandbox.card.vpcd import VirtualReader
from tegata.sandbox.personas import Sandbox

_DIGEST_INFO = digest_info(hashlib.sha256(b"octets").digest())
_SELECT = b"\x00\xa4\x04\x0c\x0a" + JPKI
_PLAIN_BUDGET_US = 1000.0
_SIGN_BUDGET_US = 5000.0


@dataclass(frozen=True, slots=True)
class CardFigure:
    """One kind of command: how long an exchange takes, and how long it may."""

    name: str
    requests: int
    p50_us: float
    p99_us: float
    processor_us: float
    budget_us: float


def bench_card(folder: Path, requests: int) -> list[CardFigure]:
    """Every kind of command that card software sends."""
    sandbox = Sandbox(folder / "sandbox", SystemClock())
    with _inserted(sandbox) as exchange:
        figures = [
            _measure(exchange, "select application", [_SELECT], requests),
            _measure(exchange, "select file", [_file(0x0A)], requests, before=[_SELECT]),
            _measure(exchange, "read 256 octets", [b"\x00\xb0\x00\x00\x00"], requests),
            _measure(exchange, "ask for tries", [b"\x00\x20\x00\x80"], requests, [_file(0x18)]),
            _measure(exchange, "verify a right PIN", [_pin(b"1234")], requests, [_file(0x18)]),
            # Each wrong try is followed by the right PIN, so both write the counter.
            _measure(
                exchange, "a wrong PIN, then the right one", [_pin(b"9999"), _pin(b"1234")],
                requests // 10, [_file(0x18)],
            ),
            _measure(
                exchange, "sign", [_sign()], requests // 10,
                [_file(0x18), _pin(b"1234"), _file(0x17)], _SIGN_BUDGET_US,
            ),
        ]  # fmt: skip
    for figure in figures:
        print(
            f"card: {figure.name:<34} {figure.p50_us:8.0f} µs p50 {figure.p99_us:8.0f} µs p99"
            f" {figure.processor_us:8.0f} µs processor   (at most {figure.budget_us:.0f})",
            flush=True,
        )
    return figures


def _file(identifier: int) -> bytes:
    return b"\x00\xa4\x02\x0c\x02" + identifier.to_bytes(2, "big")


def _pin(value: bytes) -> bytes:
    return b"\x00\x20\x00\x80" + bytes((len(value),)) + value


def _sign() -> bytes:
    return b"\x80\x2a\x00\x80" + bytes((len(_DIGEST_INFO),)) + _DIGEST_INFO + b"\x00"


@dataclass(frozen=True, slots=True)
class _Exchange:
    connection: socket.socket

    def __call__(self, command: bytes) -> bytes:
        self.connection.sendall(len(command).to_bytes(2, "big") + command)
        return self._received(int.from_bytes(self._received(2), "big"))

    def _received(self, count: int) -> bytes:
        octets = b""
        while len(octets) < count:
            octets += self.connection.recv(count - len(octets))
        return octets


@contextmanager
def _inserted(sandbox: Sandbox) -> Iterator[_Exchange]:
    with socket.create_server(("127.0.0.1", 0)) as driver:
        card = insert_card(sandbox, "ordinary", SystemRandomness())
        reader = VirtualReader(card, port=driver.getsockname()[1])
        thread = threading.Thread(target=reader.run)
        thread.start()
        connection, _address = driver.accept()
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield _Exchange(connection)
            reader.stop()
        thread.join()


def _measure(
    exchange: _Exchange,
    name: str,
    commands: list[bytes],
    requests: int,
    before: list[bytes] | None = None,
    budget_us: float = _PLAIN_BUDGET_US,
) -> CardFigure:
    for command in before or []:
        exchange(command)
    times = []
    processor = time.process_time()
    for number in range(requests):
        command = commands[number % len(commands)]
        begun = time.perf_counter()
        answer = exchange(command)
        times.append((time.perf_counter() - begun) * 1e6)
        if answer[-2] not in (0x90, 0x63):
            raise SystemExit(f"card: {name}: {answer[-2:].hex()}")
    processor = (time.process_time() - processor) / requests * 1e6
    times.sort()
    last = min(int(len(times) * 0.99), len(times) - 1)
    return CardFigure(name, len(times), times[len(times) // 2], times[last], processor, budget_us)
