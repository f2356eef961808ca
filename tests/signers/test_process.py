"""The signer process's two ends while a key is being made."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tegata.kernel.ids import KeyId
from tegata.kernel.problem import Problem
from tegata.kernel.signing import KeyAlgorithm
from tegata.signers import messages
from tegata.signers.client import _Connection
from tegata.signers.custodian import Custodian
from tegata.signers.keys import SoftwareBackEnd
from tegata.signers.process import SignerProtocol
from tegata.signers.reservations import Reservations
from tegata.signers.sealing import FileSealingRoot, RecordSealer
from tegata.signers.tree_heads import TreeHeads
from tests.fakes.system import CountingRandomness, FakeClock

CREATE = messages.CreateKey("ten_tanuki", "root-ca", "rsa-2048", "rsa-pss-sha256", b"\x30\x00")


class SlowBackEnd(SoftwareBackEnd):
    """Makes a key when it is allowed to, or fails."""

    def __init__(self) -> None:
        self.allowed = threading.Event()
        self.fails = False

    def generate(self, key: KeyId, algorithm: KeyAlgorithm) -> tuple[bytes, bytes]:
        self.allowed.wait(20)
        if self.fails:
            raise RuntimeError("the device is on fire")
        return super().generate(key, algorithm)


class Wire(asyncio.Transport):
    """What the process answers, as it comes."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: asyncio.Queue[messages.Answer] = asyncio.Queue()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        octets = bytes(data)
        while octets:
            end = 4 + int.from_bytes(octets[:4], "big")
            self.answers.put_nowait(msgspec.msgpack.decode(octets[4:end], type=messages.Answer))
            octets = octets[end:]

    def is_closing(self) -> bool:
        return False


@pytest.fixture
def back_end() -> SlowBackEnd:
    return SlowBackEnd()


@pytest.fixture
def custodian(back_end: SlowBackEnd, tmp_path: Path) -> Iterator[Custodian]:
    clock, randomness = FakeClock(), CountingRandomness("process")
    sealer = RecordSealer(FileSealingRoot(bytes(32)), randomness)
    reservations = Reservations(tmp_path / "journal", clock, randomness, sealer)
    heads = TreeHeads(tmp_path / "heads")
    yield Custodian(back_end, sealer, reservations, clock, randomness, heads)
    reservations.close()


def ask(protocol: SignerProtocol, number: int, request: messages.Request) -> None:
    octets = msgspec.msgpack.encode(messages.Envelope(number, request))
    protocol.data_received(len(octets).to_bytes(4, "big") + octets)


async def test_others_are_answered_while_a_key_is_made(
    custodian: Custodian, back_end: SlowBackEnd
) -> None:
    protocol, wire = SignerProtocol(custodian, None), Wire()
    protocol.connection_made(wire)
    ask(protocol, 1, CREATE)
    ask(protocol, 2, messages.Ping())
    assert (await wire.answers.get()).number == 2
    back_end.allowed.set()
    made = await asyncio.wait_for(wire.answers.get(), 20)
    assert made.number == 1
    assert isinstance(made.reply, messages.KeyCreated)


async def test_a_key_that_could_not_be_made_is_refused_without_detail(
    custodian: Custodian, back_end: SlowBackEnd
) -> None:
    protocol, wire = SignerProtocol(custodian, None), Wire()
    protocol.connection_made(wire)
    back_end.fails = True
    back_end.allowed.set()
    ask(protocol, 1, CREATE)
    reply = (await asyncio.wait_for(wire.answers.get(), 20)).reply
    assert isinstance(reply, messages.Refused)
    assert (reply.code, reply.detail) == ("signer.unavailable", "the key could not be made")


async def test_a_caller_that_waits_for_a_key_is_more_patient() -> None:
    loop = asyncio.get_running_loop()
    connection = _Connection()
    key: asyncio.Future[messages.Reply] = loop.create_future()
    signature: asyncio.Future[messages.Reply] = loop.create_future()
    connection.patient.add(1)
    connection.wait(1, key)
    connection.wait(2, signature)
    connection._look(2)
    assert isinstance(signature.exception(), Problem)
    assert not key.done()
    connection.connection_lost(None)
    assert isinstance(key.exception(), Problem)
