"""The card in a virtual reader: messages, presence, faults, and coming back."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tegata.sandbox.card.card import ATR, CardPulled
from tegata.sandbox.card.vpcd import VirtualReader


@dataclass
class Echo:
    """A card that says what it was told."""

    resets: int = 0
    pulled: bool = False
    seen: list[bytes] = field(default_factory=list)

    def apdu(self, octets: bytes) -> bytes:
        if self.pulled:
            raise CardPulled
        self.seen.append(octets)
        return octets + b"\x90\x00"

    def reset(self) -> None:
        self.resets += 1


@pytest.fixture
def driver() -> Iterator[socket.socket]:
    """What the driver in pcscd does: it listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)
        yield listening


def inserted(driver: socket.socket, card: Echo) -> tuple[VirtualReader, threading.Thread]:
    reader = VirtualReader(card, port=driver.getsockname()[1])
    thread = threading.Thread(target=reader.run)
    thread.start()
    return reader, thread


def exchange(connection: socket.socket, message: bytes) -> bytes:
    connection.sendall(len(message).to_bytes(2, "big") + message)
    return received(connection, int.from_bytes(received(connection, 2), "big"))


def received(connection: socket.socket, count: int) -> bytes:
    octets = b""
    while len(octets) < count:
        part = connection.recv(count - len(octets))
        if not part:
            raise EOFError
        octets += part
    return octets


def test_commands_are_answered_and_power_is_not(driver: socket.socket) -> None:
    card = Echo()
    reader, thread = inserted(driver, card)
    connection, _ = driver.accept()
    with connection:
        connection.settimeout(10)
        for control in (0, 1, 2):
            connection.sendall(b"\x00\x01" + bytes((control,)))
        assert exchange(connection, b"\x04") == ATR
        assert exchange(connection, b"\x00\x84\x00\x00\x08") == b"\x00\x84\x00\x00\x08\x90\x00"
        reader.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert card.resets >= 3


def test_a_message_in_pieces_is_put_together(driver: socket.socket) -> None:
    reader, thread = inserted(driver, Echo())
    connection, _ = driver.accept()
    with connection:
        connection.settimeout(10)
        for octet in b"\x00\x04\x00\xb0\x00":
            connection.sendall(bytes((octet,)))
        connection.sendall(b"\x00")
        assert received(connection, 8) == b"\x00\x06\x00\xb0\x00\x00\x90\x00"
        reader.stop()
    thread.join(10)


def test_the_card_comes_back_when_the_reader_does(driver: socket.socket) -> None:
    card = Echo()
    reader, thread = inserted(driver, card)
    first, _ = driver.accept()
    first.close()
    second, _ = driver.accept()
    with second:
        second.settimeout(10)
        assert exchange(second, b"\x04") == ATR
        reader.stop()
    thread.join(10)
    assert card.resets >= 1


def test_a_pulled_card_leaves_without_an_answer(driver: socket.socket) -> None:
    card = Echo(pulled=True)
    _reader, thread = inserted(driver, card)
    connection, _ = driver.accept()
    with connection:
        connection.settimeout(10)
        with pytest.raises(EOFError):
            exchange(connection, b"\x00\xb0\x00\x00")
    thread.join(10)
    assert not thread.is_alive()


def test_a_reader_that_is_not_there_is_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    card = Echo()
    reader = VirtualReader(card, port=port)
    thread = threading.Thread(target=reader.run)
    thread.start()
    with socket.create_server(("127.0.0.1", port)) as listening:
        listening.settimeout(10)
        connection, _ = listening.accept()
        with connection:
            assert exchange(connection, b"\x04") == ATR
            reader.stop()
    thread.join(10)
    assert not thread.is_alive()
