"""One HTTP/1.1 connection (RFC 9112): the library parses, this decides when.

Requests of a connection are answered one after the other. Each must be whole in time and each
answer taken in time; neither heads nor trailers nor what frames a chunked body may be endless.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from http import HTTPStatus
from math import inf
from typing import cast

import httptools

from tegata.main.incoming import Incoming
from tegata.protocols.http import Application, Prepared, Request, Response

_LOG = logging.getLogger(__name__)

# Seconds for an answer, or its next part, to be taken, and between two requests.
ANSWER_TIMEOUT = 60.0
IDLE_TIMEOUT = 65.0
# Seconds for a body that is taken part by part.
STREAM_TIMEOUT = 3600.0
HEAD_MAXIMUM = 32 * 1024
# What frames a chunked body: sizes, their extensions, trailers.
FRAMING_MAXIMUM = 1024 * 1024
# Octets of a body that wait for a reader before the client is held up, and of one that nobody
# reads that are thrown away before the connection is.
_UNREAD_MAXIMUM = 64 * 1024
_DISCARD_MAXIMUM = 1024 * 1024
_PART = 256 * 1024

_OK = b"HTTP/1.1 200 OK\r\n"
_PROBLEM = "application/problem+json"
_MALFORMED = Response(400, b'{"type":"about:blank","title":"Bad Request","status":400}', _PROBLEM)
_INTERNAL = Response(
    500, b'{"type":"about:blank","title":"Internal Server Error","status":500}', _PROBLEM
)
# RFC 9110 section 8.6.
_WITHOUT_BODY = frozenset({204, 304})
_STATUS_LINES = {each.value: f"HTTP/1.1 {each.value} {each.phrase}\r\n" for each in HTTPStatus}


class Connections:
    """The open connections of a listener, those idle longest first.

    `date` is the present Date line (RFC 9110 section 6.6.1), the same for all answers of a moment.
    """

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self.open: OrderedDict[HttpConnection, None] = OrderedDict()
        self.tasks: set[asyncio.Task[None]] = set()
        self.date = ""

    def add(self, connection: HttpConnection) -> None:
        """Take a connection in; the one that idled longest makes room."""
        self.open[connection] = None
        if len(self.open) > self.maximum:
            idle = next((each for each in self.open if each.is_idle()), None)
            if idle is not None:
                idle.drop()

    def touch(self, connection: HttpConnection) -> None:
        """A connection has just been used."""
        if connection in self.open:
            self.open.move_to_end(connection)

    def close_late(self, now: float) -> None:
        """Close every connection whose deadline has passed."""
        for connection in [each for each in self.open if each.deadline < now]:
            connection.drop()

    def remove(self, connection: HttpConnection) -> None:
        """A connection has ended."""
        self.open.pop(connection, None)


class HttpConnection(asyncio.Protocol):
    """One client's connection."""

    def __init__(
        self,
        application: Application,
        connections: Connections,
        loop: asyncio.AbstractEventLoop,
        request_timeout: float,
    ) -> None:
        self._application = application
        self._connections = connections
        self._loop = loop
        self._request_timeout = request_timeout
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        # The loop's time by which something must have happened; looked at now and then, since a
        # timer for every request costs more than the request's parsing.
        self.deadline = inf
        self._incoming: Incoming | None = None
        self._waiting: deque[Incoming] = deque()
        self._answering: Incoming | None = None
        # Whether the present answer is the last of this connection.
        self._last = False
        # Octets since the present request began that are not its body, and how many may be.
        self._overhead = 0
        self._overhead_maximum = HEAD_MAXIMUM
        self._paused = False
        self._writable: asyncio.Future[None] | None = None

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock: the first request must be whole in time."""
        # uvloop's transports do not inherit from asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)
        self._within(self._request_timeout)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's)
        """The connection has ended; what is under way goes on, its answer goes nowhere."""
        self._connections.remove(self)
        self._transport = None
        self._waiting.clear()
        if self._answering is not None:
            self._answering.abandon()
        self.resume_writing()

    def data_received(self, data: bytes) -> None:
        """Parse, and answer what is there."""
        self._overhead += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # RFC 9110 section 7.8: we may ignore it; what follows is no HTTP that we know.
            self._last = True
        except httptools.HttpParserError:
            self._refuse_malformed()
            return
        if self._overhead > self._overhead_maximum:
            self.drop()
        elif self._waiting and self._answering is None:
            self._answer_next()
        if self._waiting:
            self._pause_reading()

    def pause_writing(self) -> None:
        """The client does not take what we send."""
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """The client takes more, or is gone."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # What the parser tells.

    def on_message_begin(self) -> None:
        """A request begins: it must be whole in time, whatever it is about."""
        self._incoming = Incoming(self.ask_for_body)
        self._overhead, self._overhead_maximum = 0, HEAD_MAXIMUM
        self._connections.touch(self)
        self._within(self._request_timeout)

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        incoming = self._present()
        incoming.target += url
        incoming.head += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; what a trailer says is not listened to (RFC 9110 section 6.5.1)."""
        incoming = self._present()
        incoming.head += len(name) + len(value)
        if not incoming.head_complete:
            incoming.headers.setdefault(name.lower(), value)

    def on_headers_complete(self) -> None:
        """The head is whole: who answers it bounds the body."""
        incoming = self._present()
        if incoming.head > HEAD_MAXIMUM:
            # All in one read, so that nothing else has counted them.
            self.drop()
            return
        self._overhead_maximum = FRAMING_MAXIMUM
        incoming.head_complete = True
        incoming.method = self._parser.get_method().decode("ascii")
        incoming.keep_alive = self._parser.should_keep_alive()
        incoming.is_http_1_0 = self._parser.get_http_version() == "1.0"
        self._waiting.append(incoming)

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        incoming = self._present()
        self._overhead -= len(body)
        incoming.add(body)
        if incoming.abandoned and incoming.size > _DISCARD_MAXIMUM:
            self.drop()
        elif not incoming.is_wanted() and incoming.size > _UNREAD_MAXIMUM:
            self._pause_reading()

    def on_message_complete(self) -> None:
        """A request is whole: the client must take the answer in time."""
        incoming = self._present()
        self._incoming = None
        incoming.complete = True
        incoming.notify()
        self._within(ANSWER_TIMEOUT)
        if incoming.abandoned:
            self._next()

    def _present(self) -> Incoming:
        assert self._incoming is not None
        return self._incoming

    # What this does.

    def ask_for_body(self, incoming: Incoming) -> None:
        """Let more of a body come (RFC 9110 section 10.1.1)."""
        if incoming.streamed:
            # As long as it goes on, within bounds; each part in the time of a whole request.
            if incoming.ends == inf:
                incoming.ends = self._loop.time() + STREAM_TIMEOUT
            self._within(min(self._request_timeout, incoming.ends - self._loop.time()))
        if b"expect" in incoming.headers and not incoming.size and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._resume_reading()

    def _pause_reading(self) -> None:
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def _answer_next(self) -> None:
        incoming = self._waiting.popleft()
        request = incoming.request()
        if request is None:
            self._refuse_malformed()
            return
        if incoming.complete:
            ready = self._application.prepared(request)
            if ready is not None and self._transport is not None:
                self._last = self._last or not incoming.keep_alive
                self._transport.write(self._with_date(ready) + ready.body)
                self._next()
                return
        self._answering = incoming
        task = self._loop.create_task(self._answer(request, incoming))
        self._connections.tasks.add(task)
        task.add_done_callback(self._connections.tasks.discard)

    async def _answer(self, request: Request, incoming: Incoming) -> None:
        self._last = self._last or not incoming.keep_alive
        try:
            response = await self._application(request)
            if isinstance(response, Prepared):
                head, body = self._with_date(response), response.body
            elif response.parts is not None:
                await self._send_stream(response, response.parts, request, incoming)
                head, body = b"", b""
            else:
                head, body = self._head(response), response.body
        except Exception:  # noqa: BLE001
            # A bug: logged whole, answered with no detail (RFC 9457's about:blank).
            _LOG.exception("a request failed")
            head, body = self._head(_INTERNAL), _INTERNAL.body
        if head:
            await self._send(head, b"" if request.method == "HEAD" else body)
        self._answering = None
        self._connections.touch(self)
        if incoming.complete:
            self._next()
        else:
            # RFC 9112 section 9.6: a client that still sends would not see the answer if we
            # closed.
            incoming.abandon()
            self._resume_reading()

    async def _send_stream(
        self,
        response: Response,
        parts: AsyncIterator[bytes],
        request: Request,
        incoming: Incoming,
    ) -> None:
        if self._transport is None:
            return
        chunked = not incoming.is_http_1_0
        if chunked:
            response.headers["transfer-encoding"] = "chunked"
        else:
            # Such a client reads to the connection's end.
            self._last = True
        self._transport.write(self._head(response))
        if request.method == "HEAD":
            return
        try:
            async for part in parts:
                framed = b"%x\r\n%b\r\n" % (len(part), part) if chunked else part
                await self._send_parts(memoryview(framed))
        except Exception:  # noqa: BLE001
            # The head is out: only an end without the last chunk says that this is not all.
            _LOG.exception("an answer ended early")
            self.drop()
            return
        if chunked:
            await self._send_parts(memoryview(b"0\r\n\r\n"))

    async def _send(self, head: bytes, body: bytes) -> None:
        if self._transport is None:
            return
        if len(body) <= _PART:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            await self._send_parts(memoryview(body))

    async def _send_parts(self, body: memoryview) -> None:
        for start in range(0, len(body), _PART):
            if self._writable is not None:
                await self._writable
            if self._transport is None:
                return
            self._within(ANSWER_TIMEOUT)
            self._transport.write(body[start : start + _PART])

    def _with_date(self, ready: Prepared) -> bytes:
        close = b"connection: close\r\n" if self._last else b""
        return b"".join((_OK, self._connections.date.encode(), close, ready.head))

    def _head(self, response: Response) -> bytes:
        lines = [_STATUS_LINES[response.status], self._connections.date]
        if response.media_type:
            lines.append(f"content-type: {response.media_type}\r\n")
        if response.status not in _WITHOUT_BODY and response.parts is None:
            lines.append(f"content-length: {len(response.body)}\r\n")
        for name, value in response.headers.items():
            if "\n" in value or "\r" in value:
                raise ValueError(f"a line break in {name}")
            lines.append(f"{name}: {value}\r\n")
        lines.append("connection: close\r\n\r\n" if self._last else "\r\n")
        return "".join(lines).encode("latin-1")

    def _next(self) -> None:
        if self._last:
            self._close()
        elif self._waiting:
            self._answer_next()
        else:
            self._resume_reading()
            if self._incoming is None:
                self._within(IDLE_TIMEOUT)

    def _refuse_malformed(self) -> None:
        self._last = True
        if self._answering is not None:
            # It is closed when that is answered.
            self._pause_reading()
            return
        if self._transport is not None:
            self._transport.write(self._head(_MALFORMED) + _MALFORMED.body)
        self._close()

    def _close(self) -> None:
        if self._transport is not None:
            self._within(ANSWER_TIMEOUT)
            self._transport.close()

    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return self._answering is None and self._incoming is None

    def shut_down(self) -> None:
        """Close when what is under way is answered."""
        self._last = True
        if self.is_idle():
            self._close()

    def drop(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def _within(self, seconds: float) -> None:
        self.deadline = self._loop.time() + seconds
