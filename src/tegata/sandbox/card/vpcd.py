"""A card in a virtual reader: the client of vsmartcard's vpcd.

The driver in pcscd listens and the card connects. Every message is a length of two octets (big
endian) and as many octets: one octet is for the power, anything longer is a command APDU.
"""

from __future__ import annotations

import logging
import socket
import threading
from dataclasses import dataclass, field
from typing import Protocol

from tegata.sandbox.card.card import ATR, CardPulled

PORT = 0x8C7B
_POWER_OFF, _POWER_ON, _RESET, _GET_ATR = 0, 1, 2, 4
_AGAIN_SECONDS = 0.2
_LOG = logging.getLogger(__name__)


class Inserted(Protocol):
    """What a reader does with a card."""

    def apdu(self, octets: bytes) -> bytes:
        """Answer a command."""
        ...

    def reset(self) -> None:
        """Forget the session."""
        ...


@dataclass(slots=True)
class VirtualReader:
    """Keeps a card in a virtual reader until it is told to stop."""

    card: Inserted
    host: str = "127.0.0.1"
    port: int = PORT
    _stop: threading.Event = field(default_factory=threading.Event)
    _connection: socket.socket | None = None

    def run(self) -> None:
        """Connect, serve, and connect again whenever the reader goes away."""
        while not self._stop.is_set():
            try:
                with socket.create_connection((self.host, self.port), timeout=5) as connection:
                    connection.settimeout(None)
                    # The answer is awaited: do not hold it back for a fuller segment.
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._connection = connection
                    _LOG.info("in the reader at %s:%d", self.host, self.port)
                    self._serve(connection)
            except (OSError, EOFError):
                self.card.reset()
            except CardPulled:
                _LOG.warning("the card was pulled out of the reader")
                return
            self._stop.wait(_AGAIN_SECONDS)

    def stop(self) -> None:
        """Take the card out; `run` ends."""
        self._stop.set()
        if self._connection is not None:
            try:
                self._connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                _LOG.debug("the reader was gone already")

    def _serve(self, connection: socket.socket) -> None:
        while not self._stop.is_set():
            message = _received(connection, int.from_bytes(_received(connection, 2), "big"))
            if len(message) > 1:
                _send(connection, self.card.apdu(message))
            elif message == bytes((_GET_ATR,)):
                # This is also how the reader asks whether a card is there.
                _send(connection, ATR)
            else:
                self.card.reset()


def _received(connection: socket.socket, count: int) -> bytes:
    octets = b""
    while len(octets) < count:
        part = connection.recv(count - len(octets))
        if not part:
            raise EOFError
        octets += part
    return octets


def _send(connection: socket.socket, octets: bytes) -> None:
    connection.sendall(len(octets).to_bytes(2, "big") + octets)
