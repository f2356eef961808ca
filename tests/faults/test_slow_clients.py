"""Clients that are silent, slow or without end are closed in our time, and nobody else waits."""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import repeat
from urllib.parse import urlsplit

import pytest

from tests.conformance.running import Running, running

TIMEOUT = 2.0
# How much later than that a connection may end on a busy machine; far below other time-outs.
LATE = 4.0
OCSP_SECONDS = 2.0
HEAD = b"POST /ocsp HTTP/1.1\r\nHost: a\r\nContent-Type: application/ocsp-request\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
ENDLESS_MAXIMUM = 8 * 1024 * 1024

Pieces = Callable[[], Iterator[bytes]]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    """A platform that is less patient than usual."""
    folder = tmp_path_factory.mktemp("slow")
    with running(folder, "--request-timeout", str(TIMEOUT)) as started:
        yield started


def silence() -> Iterator[bytes]:
    return iter(())


def half_headers() -> Iterator[bytes]:
    return iter((HEAD + b"X-Half: ",))


def half_body() -> Iterator[bytes]:
    return iter((HEAD + b"Content-Length: 100\r\n\r\n" + bytes(50),))


def half_chunk() -> Iterator[bytes]:
    return iter((CHUNKED + b"64\r\n" + bytes(50),))


def a_byte_at_a_time() -> Iterator[bytes]:
    yield from (bytes((octet,)) for octet in HEAD)
    yield from repeat(b"x")


def a_body_byte_at_a_time() -> Iterator[bytes]:
    yield HEAD + b"Content-Length: 8000\r\n\r\n"
    yield from repeat(b"\0")


SLOW: dict[str, Pieces] = {
    each.__name__: each for each in (silence, half_headers, half_body, half_chunk, a_byte_at_a_time)
} | {"a_body_byte_at_a_time": a_body_byte_at_a_time}


def endless_headers() -> Iterator[bytes]:
    yield HEAD
    yield from repeat(b"X-More: " + b"x" * 4000 + b"\r\n")


def one_endless_header() -> Iterator[bytes]:
    yield HEAD + b"X-More: "
    yield from repeat(b"x" * 4000)


def an_endless_target() -> Iterator[bytes]:
    yield b"GET /ocsp/"
    yield from repeat(b"A" * 4000)


def endless_trailers() -> Iterator[bytes]:
    yield CHUNKED + b"1\r\na\r\n0\r\n"
    yield from repeat(b"X-More: " + b"x" * 4000 + b"\r\n")


def endless_chunk_extensions() -> Iterator[bytes]:
    yield CHUNKED + b"1;"
    yield from repeat(b"x=" + b"x" * 4000 + b";")


ENDLESS: dict[str, Pieces] = {
    each.__name__: each
    for each in (
        endless_headers,
        one_endless_header,
        an_endless_target,
        endless_trailers,
        endless_chunk_extensions,
    )
}


def connect(platform: Running, door: str) -> socket.socket:
    """A connection to one of the listeners."""
    where = urlsplit(platform.public if door == "public" else platform.context["api"])
    assert where.hostname
    assert where.port
    plain = socket.create_connection((where.hostname, where.port), timeout=TIMEOUT + LATE)
    if door != "api":
        return plain
    return platform.tls.wrap_socket(plain, server_hostname=where.hostname)


def misbehave(connected: socket.socket, pieces: Iterator[bytes], pause: float) -> tuple[float, int]:
    """Send the pieces at a pace; after how long the server closes, and the octets sent."""
    sent, begun = 0, time.monotonic()
    piece: bytes | None = b""
    with connected:
        try:
            while True:
                piece = next(pieces, None)
                if piece is not None:
                    connected.sendall(piece)
                    sent += len(piece)
                assert time.monotonic() - begun < TIMEOUT + LATE, "the server waits too long"
                is_tls_pending = isinstance(connected, ssl.SSLSocket) and connected.pending()
                readable = select.select([connected], [], [], pause)[0]
                if (readable or is_tls_pending) and not connected.recv(65_536):
                    break
        except (ConnectionError, ssl.SSLEOFError, TimeoutError):
            pass
    return time.monotonic() - begun, sent


def while_others_ask(
    platform: Running, door: str, pieces: Pieces, pause: float
) -> tuple[float, int]:
    """What becomes of eight such clients at once (the worst of them), while OCSP answers."""
    issued = platform.issue()
    with ThreadPoolExecutor(8) as pool:
        futures = [
            pool.submit(misbehave, connect(platform, door), pieces(), pause) for _ in range(8)
        ]
        while wait(futures, timeout=0.1).not_done:
            answer = platform.ask(issued, OCSP_SECONDS)
            assert answer.certificate_status.name == "GOOD"
    ended = [future.result() for future in futures]
    return max(seconds for seconds, _sent in ended), max(sent for _seconds, sent in ended)


@pytest.mark.parametrize("door", ["public", "api"])
@pytest.mark.parametrize("behaviour", SLOW)
def test_a_slow_client_is_closed_when_its_time_is_over(
    platform: Running, door: str, behaviour: str
) -> None:
    seconds, _sent = while_others_ask(platform, door, SLOW[behaviour], 0.1)
    assert seconds < TIMEOUT + LATE
    if door == "public":  # the API may refuse at once who shows no token
        assert seconds > TIMEOUT * 0.9


def test_a_silent_tls_handshake_is_closed_when_its_time_is_over(platform: Running) -> None:
    seconds, _sent = while_others_ask(platform, "api without handshake", silence, 0.1)
    assert TIMEOUT * 0.9 < seconds < TIMEOUT + LATE


@pytest.mark.parametrize("door", ["public", "api"])
@pytest.mark.parametrize("behaviour", ENDLESS)
def test_a_request_without_end_is_closed_before_it_fills_the_memory(
    platform: Running, door: str, behaviour: str
) -> None:
    _seconds, sent = while_others_ask(platform, door, ENDLESS[behaviour], 0)
    assert sent < ENDLESS_MAXIMUM  # most of it in the kernel's buffers


@pytest.mark.parametrize("pieces", [1, 7])
def test_a_large_body_right_behind_its_headers_is_no_endless_header(
    platform: Running, pieces: int
) -> None:
    body = bytes(100_000)
    head = b"POST /v1/certificates HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    wire = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    with connect(platform, "api") as connected:
        connected.sendall(wire[:pieces])
        connected.sendall(wire[pieces:])
        answer = bytearray()
        while octets := connected.recv(65_536):
            answer += octets
    assert answer.startswith(b"HTTP/1.1 401 ")
