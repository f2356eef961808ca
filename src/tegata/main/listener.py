"""HTTP listeners with our own time-outs (the server library has none for slow senders).

A connection that has not sent a whole request in time is closed, whether it is silent, slow or
half-way through; so is one that idles too long between requests. When there are too many
connections the one that has idled longest makes room.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections import OrderedDict
from collections.abc import Callable
from email.utils import format_datetime
from math import inf
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from tegata.kernel.ports import Clock

_LOG = logging.getLogger(__name__)

# Seconds for a TLS handshake, for an answer to be taken, and between two requests.
HANDSHAKE_TIMEOUT = 10.0
# Seconds that a client has to take what is left and to say that it has seen the end (TLS).
FAREWELL_TIMEOUT = 2.0
ANSWER_TIMEOUT = 60.0
IDLE_TIMEOUT = 65.0
HEADERS_MAXIMUM = 32 * 1024
# What frames a chunked body: sizes, their extensions, trailers.
FRAMING_MAXIMUM = 1024 * 1024
DRAIN_TIMEOUT = 20.0
_BACKLOG = 4096
_ACCEPT_AGAIN = 0.1
_TICK = 0.25

AsgiApplication = Callable[..., Any]


class Connections:
    """The open connections of a listener, those idle longest first."""

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self.open: OrderedDict[TimedProtocol, None] = OrderedDict()

    def add(self, connection: TimedProtocol) -> None:
        """Take a connection in; the one that idled longest makes room."""
        self.open[connection] = None
        if len(self.open) > self.maximum:
            idle = next((each for each in self.open if each.is_idle()), None)
            if idle is not None:
                idle.drop()

    def touch(self, connection: TimedProtocol) -> None:
        """A connection has just been used."""
        if connection in self.open:
            self.open.move_to_end(connection)

    def close_late(self, now: float) -> None:
        """Close every connection whose deadline has passed."""
        for connection in [each for each in self.open if each.deadline < now]:
            connection.drop()

    def remove(self, connection: TimedProtocol) -> None:
        """A connection has ended."""
        self.open.pop(connection, None)


class GatheringTransport:
    """A transport that sends what is written in one turn of the loop together.

    The library writes head and body of an answer apart, which would make two TLS records and
    two system calls of what fits one.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._unsent: list[bytes] = []
        self.abort = transport.abort
        self.is_closing = transport.is_closing
        self.get_extra_info = transport.get_extra_info
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def write(self, data: bytes) -> None:
        """Send, at the end of this turn."""
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(data)

    def _flush(self) -> None:
        if self._unsent and not self._transport.is_closing():
            self._transport.write(b"".join(self._unsent))
        self._unsent.clear()

    def close(self) -> None:
        """Send what is unsent, then close."""
        self._flush()
        self._transport.close()


class TimedProtocol(HttpToolsProtocol):
    """The library's HTTP protocol, with a deadline for every request."""

    def __init__(
        self, connections: Connections, request_timeout: float, *arguments: Any, **named: Any
    ) -> None:
        super().__init__(*arguments, **named)
        self._connections = connections
        self._request_timeout = request_timeout
        # The loop's time by which something must have happened; looked at now and then, since a
        # timer for every request costs more than the request's parsing.
        self.deadline = inf
        # Octets of the present request that are not its body, and how many there may be.
        self._overhead = 0
        self._head = 0
        self._overhead_maximum = HEADERS_MAXIMUM

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock: the first request must be whole in time."""
        super().connection_made(transport)
        self.transport = cast(asyncio.Transport, GatheringTransport(transport, self.loop))
        self._connections.add(self)
        self._within(self._request_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._connections.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Refuse headers, and trailers, without end: the library keeps them all."""
        self._overhead += len(data)
        super().data_received(data)
        if self._overhead > self._overhead_maximum:
            self.drop()

    def on_message_begin(self) -> None:
        """A request begins: it must be whole in time, whatever it is about."""
        super().on_message_begin()
        self._overhead, self._overhead_maximum = 0, HEADERS_MAXIMUM
        self._head = 0
        self._connections.touch(self)
        self._within(self._request_timeout)

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        self._head += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, of the head or of the trailer."""
        self._head += len(name) + len(value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The headers are whole: the application bounds the body."""
        if self._head > HEADERS_MAXIMUM:
            # All in one read, so that nothing else has counted them.
            self.drop()
            return
        self._overhead_maximum = FRAMING_MAXIMUM
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body, which is nothing to count here."""
        self._overhead -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole: the client must take the answer in time."""
        super().on_message_complete()
        self._within(ANSWER_TIMEOUT)

    def on_response_complete(self) -> None:
        """An answer is out: the next request may take its time, within bounds."""
        super().on_response_complete()
        self._connections.touch(self)
        if not self.cycle.more_body:
            self.deadline = inf

    def timeout_keep_alive_handler(self) -> None:
        """The connection has idled too long."""
        self.drop()

    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def drop(self) -> None:
        """Close at once."""
        if not self.transport.is_closing():
            self.transport.abort()

    def _within(self, seconds: float) -> None:
        self.deadline = self.loop.time() + seconds


class Listener:
    """One listening socket and its application."""

    def __init__(
        self,
        application: AsgiApplication,
        bound: socket.socket,
        clock: Clock,
        maximum: int,
        request_timeout: float,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._socket = bound
        self._tls = tls
        self._clock = clock
        self._request_timeout = request_timeout
        self._connections = Connections(maximum)
        self._config = Config(
            application,
            http="httptools",
            ws="none",
            lifespan="off",
            access_log=False,
            server_header=False,
            date_header=False,
            log_config=None,
            timeout_keep_alive=int(IDLE_TIMEOUT),
            h11_max_incomplete_event_size=16 * 1024,
            proxy_headers=False,
        )
        self._config.load()
        self._state = ServerState()
        self._server: asyncio.Server | None = None
        self._handshakes: OrderedDict[asyncio.Task[None], None] = OrderedDict()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Accept connections."""
        if self._tls is None:
            self._server = await asyncio.get_running_loop().create_server(
                self._protocol, sock=self._socket, backlog=_BACKLOG
            )
        else:
            self._socket.listen(_BACKLOG)
            self._tasks.append(asyncio.create_task(self._accept(self._tls)))
        self._tasks.append(asyncio.create_task(self._tick()))

    async def _accept(self, tls: ssl.SSLContext) -> None:
        """Accept for TLS. The library knows nothing of a connection before its handshake is over;
        uncounted, silent ones would use up every descriptor, the other listener's too."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _peer = await loop.sock_accept(self._socket)
            except OSError as error:
                _LOG.warning("a connection could not be accepted: %s", error)
                await asyncio.sleep(_ACCEPT_AGAIN)
                continue
            if len(self._handshakes) + len(self._connections.open) >= self._connections.maximum:
                self._drop_oldest_handshake()
            handshake = asyncio.create_task(self._shake_hands(accepted, tls))
            self._handshakes[handshake] = None
            handshake.add_done_callback(lambda done: self._handshakes.pop(done, None))

    async def _shake_hands(self, accepted: socket.socket, tls: ssl.SSLContext) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._protocol,
                accepted,
                ssl=tls,
                ssl_handshake_timeout=min(HANDSHAKE_TIMEOUT, self._request_timeout),
                ssl_shutdown_timeout=FAREWELL_TIMEOUT,
            )
        except OSError as error:  # TLS errors are among them
            _LOG.debug("a handshake failed: %s", error)
            accepted.close()
        except asyncio.CancelledError:
            accepted.close()
            raise

    def _drop_oldest_handshake(self) -> None:
        # Where there is none, `Connections` drops what idles.
        if self._handshakes:
            oldest, _none = self._handshakes.popitem(last=False)
            oldest.cancel()

    def _protocol(self) -> TimedProtocol:
        return TimedProtocol(
            self._connections,
            self._request_timeout,
            config=self._config,
            server_state=self._state,
            app_state={},
        )

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            # RFC 9110 section 6.6.1: one Date for all answers of a moment.
            date = format_datetime(self._clock.now(), usegmt=True).encode()
            self._state.default_headers = [(b"date", date)]
            self._connections.close_late(loop.time())
            await asyncio.sleep(_TICK)

    async def stop(self) -> None:
        """Stop accepting, answer what is under way, close what idles."""
        for task in (*self._tasks, *self._handshakes):
            task.cancel()
        if self._server is not None:
            self._server.close()
        else:
            self._socket.close()
        for connection in list(self._connections.open):
            connection.shutdown()
        try:
            async with asyncio.timeout(DRAIN_TIMEOUT):
                while self._connections.open:  # noqa: ASYNC110 (each ends by itself)
                    await asyncio.sleep(0.02)
        except TimeoutError:
            _LOG.warning("%d connections did not end in time", len(self._connections.open))
            for connection in list(self._connections.open):
                connection.drop()


def bind(host: str, port: int) -> socket.socket:
    """A listening socket's address, taken; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((host, port))
    bound.setblocking(False)
    return bound
