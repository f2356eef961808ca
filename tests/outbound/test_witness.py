"""Witnesses over HTTP: what they answer, and every way in which they may keep us waiting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from tegata.outbound.witness import HttpWitnessTransport
from tegata.transparency.witnesses import WitnessAnswer, WitnessUnreachable

Serve = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def witness(serve: Serve) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that answers as it is told; its address, and the requests that it got."""
    got: list[bytes] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            (length,) = (
                int(line.split(b":")[1])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length")
            )
            got.append(head + await reader.readexactly(length))
            await serve(got[-1], writer)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/base", got
    finally:
        server.close()


def answering(answer: bytes) -> Serve:
    async def serve(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return serve


@pytest.fixture
def transport() -> HttpWitnessTransport:
    return HttpWitnessTransport(timeout=0.5)


async def test_an_answer_is_given_as_it_came(transport: HttpWitnessTransport) -> None:
    octets = b"HTTP/1.1 409 Conflict\r\nContent-Type: text/x.tlog.size\r\n\r\n17\n"
    async with witness(answering(octets)) as (url, got):
        answer = await transport.add_checkpoint(url, b"old 0\n\nnote")
    assert answer == WitnessAnswer(409, "text/x.tlog.size", b"17\n")
    assert got[0].startswith(b"POST /base/add-checkpoint HTTP/1.1\r\n")
    assert got[0].endswith(b"\r\n\r\nold 0\n\nnote")


async def test_no_redirect_is_followed(transport: HttpWitnessTransport) -> None:
    octets = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    async with witness(answering(octets)) as (url, got):
        assert (await transport.add_checkpoint(url, b"x")).status == 302
        assert len(got) == 1


async def silent(_request: bytes, _writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def trickling(_request: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "serve",
    [
        silent,
        trickling,
        answering(b""),
        answering(b"nonsense\r\n\r\n"),
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"),
        answering(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000),
    ],
    ids=["silent", "trickling", "closed", "nonsense", "torn", "endless"],
)
async def test_what_is_no_whole_answer_in_time_is_none(
    transport: HttpWitnessTransport, serve: Serve
) -> None:
    async with witness(serve) as (url, _got):
        with pytest.raises(WitnessUnreachable):
            await transport.add_checkpoint(url, b"x")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "ftp://127.0.0.1", "file:///etc/passwd"])
async def test_an_address_where_nobody_is_is_named_so(
    transport: HttpWitnessTransport, url: str
) -> None:
    with pytest.raises(WitnessUnreachable):
        await transport.add_checkpoint(url, b"x")
