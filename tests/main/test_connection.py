"""HTTP/1.1 as octets: what goes in on a connection, and what comes out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from tegata.kernel.problem import Problem
from tegata.main.connection import Connections, HttpConnection
from tegata.protocols.http import Application, Prepared, Request, Response

MAXIMUM = 1000
LARGE = bytes(range(256)) * 8192
TIMEOUT = 10.0


@dataclass
class World:
    """An application that notes what it was asked, and when it may answer."""

    asked: list[tuple[str, bytes, bytes, bytes]] = field(default_factory=list)
    is_asked: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    def prepared(self, request: Request) -> Prepared | None:
        if request.path == "/ready":
            return Prepared.of(b"ready " + (request.body.arrived() or b""), "text/plain", {})
        return None

    async def __call__(self, request: Request) -> Response | Prepared:
        if request.path == "/prepared":
            return Prepared.of(b"later", "text/plain", {"x-a": "b"})
        if request.path == "/broken":
            raise RuntimeError("a bug")
        if request.path == "/large":
            return Response(200, LARGE, "application/octet-stream")
        if request.path == "/nothing":
            return Response(204)
        if request.path == "/split":
            return Response(200, b"", "text/plain", {"location": "/a\r\nset-cookie: b"})
        if request.path == "/refused":
            return Response(401, b"no")
        try:
            body = await request.body.read(MAXIMUM)
        except Problem as problem:
            return Response(413, problem.code.encode())
        self.asked.append((request.method, request.raw_path, request.query_string, body))
        self.is_asked.set()
        if request.path == "/slow":
            await self.may_answer.wait()
        return Response(200, request.raw_path + b" " + body, "text/plain", {"x-first": "1"})


@dataclass
class Client:
    """The other end of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    connections: Connections

    async def ask(self, *pieces: bytes) -> bytes:
        """Everything that comes back until the server closes."""
        for piece in pieces:
            self.writer.write(piece)
            await asyncio.sleep(0)
        async with asyncio.timeout(TIMEOUT):
            return await self.reader.read()

    async def head(self) -> bytes:
        """The next head that comes back."""
        async with asyncio.timeout(TIMEOUT):
            return await self.reader.readuntil(b"\r\n\r\n")


@asynccontextmanager
async def connected(application: Application) -> AsyncGenerator[Client]:
    """A client of an application, over a real socket."""
    loop = asyncio.get_running_loop()
    connections = Connections(8)
    connections.date = "date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    server = await loop.create_server(
        lambda: HttpConnection(application, connections, loop, TIMEOUT), "127.0.0.1", 0
    )
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), limit=1 << 22)
    try:
        yield Client(reader, writer, connections)
    finally:
        writer.close()
        server.close()


def get(target: str, *headers: str, last: bool = True) -> bytes:
    return message("GET", target, *headers, *(["Connection: close"] * last))


def message(method: str, target: str, *headers: str, body: bytes = b"") -> bytes:
    length = [f"Content-Length: {len(body)}"] if body else []
    lines = [f"{method} {target} HTTP/1.1", "Host: a", *headers, *length, "", ""]
    return "\r\n".join(lines).encode() + body


async def send_without_end(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(bytes(65_536))
        await writer.drain()


async def test_an_answer_has_the_headers_of_the_listener_and_of_the_door() -> None:
    async with connected(World()) as client:
        assert await client.ask(get("/a?b=c")) == (
            b"HTTP/1.1 200 OK\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
            b"content-type: text/plain\r\ncontent-length: 3\r\nx-first: 1\r\n"
            b"connection: close\r\n\r\n/a "
        )


async def test_requests_sent_ahead_are_answered_one_after_the_other() -> None:
    world = World()
    async with connected(world) as client:
        asking = asyncio.create_task(
            client.ask(
                get("/slow", last=False) + message("POST", "/b", body=b"bb") + get("/c", last=False)
                + get("/last")
            )
        )  # fmt: skip
        async with asyncio.timeout(TIMEOUT):
            await world.is_asked.wait()
        assert [asked[1] for asked in world.asked] == [b"/slow"]
        world.may_answer.set()
        answers = await asking
    assert [asked[:2] for asked in world.asked] == [
        ("GET", b"/slow"), ("POST", b"/b"), ("GET", b"/c"), ("GET", b"/last"),
    ]  # fmt: skip
    assert answers.count(b"HTTP/1.1 200 OK") == 4
    assert answers.index(b"/slow ") < answers.index(b"/b bb") < answers.index(b"/last ")


async def test_a_body_may_come_in_pieces_and_in_chunks() -> None:
    world = World()
    chunked = message("POST", "/a", "Transfer-Encoding: chunked")
    async with connected(world) as client:
        plain = message("POST", "/b", "Connection: close", body=b"0123456789")
        pieces = (b"3\r\nabc\r\n", b"2\r\nde\r\n", b"0\r\nHost: trailer\r\n\r\n")
        await client.ask(chunked, *pieces, plain[:-5], plain[-5:])
    assert [asked[3] for asked in world.asked] == [b"abcde", b"0123456789"]


async def test_a_client_that_expects_to_be_told_is_told_to_go_on() -> None:
    world = World()
    request = message("POST", "/a", "Expect: 100-continue", "Connection: close", body=b"abc")
    async with connected(world) as client:
        client.writer.write(request[:-3])
        assert await client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert (await client.ask(b"abc")).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("framing", ["Content-Length: 200000", "Transfer-Encoding: chunked"])
async def test_a_body_beyond_the_bound_is_refused_and_the_connection_goes_on(framing: str) -> None:
    world = World()
    body = bytes(200_000)
    if framing.startswith("Transfer"):
        body = b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
    async with connected(world) as client:
        answers = await client.ask(message("POST", "/a", framing) + body, get("/next"))
    assert answers.startswith(b"HTTP/1.1 413 ")
    assert answers.endswith(b"/next ")
    assert [asked[1] for asked in world.asked] == [b"/next"]


async def test_a_body_that_nobody_reads_is_thrown_away_within_bounds() -> None:
    async with connected(World()) as client:
        refused = message("POST", "/refused", "Content-Length: 100000000")
        client.writer.write(refused)
        assert (await client.head()).startswith(b"HTTP/1.1 401 ")
        with pytest.raises(ConnectionError):
            await send_without_end(client.writer)


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_a_bad_request(octets: bytes) -> None:
    world = World()
    async with connected(world) as client:
        answer = await client.ask(octets)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"connection: close" in answer
    assert not world.asked


async def test_the_absolute_form_of_a_target_is_understood() -> None:
    async with connected(World()) as client:
        assert (await client.ask(get("http://a:80/b?c"))).endswith(b"/b ")


async def test_an_upgrade_is_not_taken_up() -> None:
    async with connected(World()) as client:
        answer = await client.ask(get("/a", "Connection: Upgrade", "Upgrade: h2c", last=False))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(("target", "status"), [("/broken", b"500"), ("/split", b"500")])
async def test_a_bug_is_answered_without_detail(target: str, status: bytes) -> None:
    async with connected(World()) as client:
        answer = await client.ask(get(target))
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"bug" not in answer
    assert b"set-cookie" not in answer


async def test_head_is_answered_with_the_length_only() -> None:
    async with connected(World()) as client:
        answer = await client.ask(message("HEAD", "/large", "Connection: close"))
    assert f"content-length: {len(LARGE)}\r\n".encode() in answer
    assert answer.endswith(b"\r\n\r\n")


async def test_no_content_has_no_length() -> None:
    async with connected(World()) as client:
        assert b"content-length" not in await client.ask(get("/nothing"))


async def test_a_large_answer_comes_whole() -> None:
    async with connected(World()) as client:
        assert (await client.ask(get("/large"))).endswith(b"\r\n\r\n" + LARGE)


async def test_http_1_0_is_answered_and_closed() -> None:
    async with connected(World()) as client:
        assert (await client.ask(b"GET /a HTTP/1.0\r\n\r\n")).endswith(b"/a ")


async def test_what_is_under_way_is_answered_before_the_connection_ends() -> None:
    world = World()
    async with connected(world) as client:
        asking = asyncio.create_task(client.ask(get("/slow", last=False)))
        async with asyncio.timeout(TIMEOUT):
            await world.is_asked.wait()
        for connection in list(client.connections.open):
            connection.shut_down()
        world.may_answer.set()
        assert b"connection: close" in await asking
    assert not client.connections.open


async def test_the_connection_that_idled_longest_makes_room() -> None:
    async with connected(World()) as client:
        client.connections.maximum = 1
        client.writer.write(get("/a", last=False))
        await client.head()
        first = next(iter(client.connections.open))
        reader, writer = await asyncio.open_connection(*client.writer.get_extra_info("peername"))
        writer.write(get("/b"))
        async with asyncio.timeout(TIMEOUT):
            assert (await reader.read()).endswith(b"/b ")
            await client.reader.read()
        assert first not in client.connections.open
        writer.close()


async def test_what_is_ready_is_answered_at_once_and_in_its_turn() -> None:
    world = World()
    async with connected(world) as client:
        ready = message("POST", "/ready", body=b"a")
        answers = await client.ask(ready + get("/a", last=False) + ready + get("/prepared"))
    bodies = [answer.partition(b"\r\n\r\n")[2] for answer in answers.split(b"HTTP/1.1 200 OK")[1:]]
    assert bodies == [b"ready a", b"/a ", b"ready a", b"later"]
    assert answers.count(b"date: ") == 4
    assert answers.count(b"connection: close") == 1


async def test_head_of_what_is_prepared_has_no_body_either() -> None:
    async with connected(World()) as client:
        answer = await client.ask(message("HEAD", "/prepared", "Connection: close"))
    assert b"content-length: 5\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")
