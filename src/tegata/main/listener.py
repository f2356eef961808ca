"""HTTP listeners with time-outs for everything.

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
from email.utils import format_datetime

from tegata.kernel.ports import Clock
from tegata.main.connection import Connections, HttpConnection
from tegata.protocols.http import Application

_LOG = logging.getLogger(__name__)

# Seconds for a TLS handshake.
HANDSHAKE_TIMEOUT = 10.0
# Seconds that a client has to take what is left and to say that it has seen the end (TLS).
FAREWELL_TIMEOUT = 2.0
DRAIN_TIMEOUT = 20.0
_BACKLOG = 4096
_ACCEPT_AGAIN = 0.1
_TICK = 0.25


class Listener:
    """One listening socket and its application."""

    def __init__(
        self,
        application: Application,
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
        self._application = application
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

    def _protocol(self) -> HttpConnection:
        loop = asyncio.get_running_loop()
        return HttpConnection(self._application, self._connections, loop, self._request_timeout)

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._connections.date = f"date: {format_datetime(self._clock.now(), usegmt=True)}\r\n"
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
            connection.shut_down()
        try:
            async with asyncio.timeout(DRAIN_TIMEOUT):
                while self._connections.open:  # noqa: ASYNC110 (each ends by itself)
                    await asyncio.sleep(0.02)
                if self._connections.tasks:
                    await asyncio.wait(self._connections.tasks)
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
