"""Witnesses: one that is honest cosigns; one that is slow, lies or is gone stops nothing and is
named."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tegata.store.disk import DiskReserve
from tegata.store.migrate import migrate_sqlite
from tegata.store.sqlite import SqliteDatabase
from tegata.transparency.checkpoint import Checkpoint, parse_checkpoint
from tegata.transparency.merkle import EMPTY_ROOT, ProofInvalid, verify_consistency
from tegata.transparency.note import SignatureType, assemble, signed_octets, verifier_key
from tegata.transparency.policy import parse_policy
from tegata.transparency.witnesses import (
    WitnessAnswer,
    WitnessRound,
    WitnessUnreachable,
    witnesses_of,
)
from tegata.transparency.witnessing import SIZE_TYPE, parse_add_checkpoint
from tests.fakes.system import FakeClock
from tests.transparency.world import ONE, Node, node_on, open_tenants, store_on

SIZE = SIZE_TYPE


class FakeWitness:
    """A witness that does as C2SP tlog-witness says, unless it is told to misbehave."""

    def __init__(self, name: str) -> None:
        self._private = ed25519.Ed25519PrivateKey.generate()
        public = self._private.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        self.key = verifier_key(name, SignatureType.COSIGNATURE_ED25519, public)
        self.size, self.root = 0, EMPTY_ROOT
        self.asked = 0
        self.answer: WitnessAnswer | Exception | None = None
        self.hold: asyncio.Event | None = None

    def line(self, text: str) -> bytes:
        at = int(time.time())
        return (
            assemble(self.key, self._private.sign(signed_octets(self.key, text, at)), at)
            .line()
            .encode()
        )

    async def add_checkpoint(self, url: str, body: bytes) -> WitnessAnswer:
        self.asked += 1
        if self.hold is not None:
            await self.hold.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return self.answer
        request = parse_add_checkpoint(body)
        checkpoint = parse_checkpoint(request.note.text)
        if request.old_size != self.size:
            return WitnessAnswer(409, SIZE, f"{self.size}\n".encode())
        try:
            verify_consistency(
                self.size, self.root, checkpoint.size, checkpoint.root, request.proof
            )
        except ProofInvalid:
            return WitnessAnswer(422, "text/plain", b"")
        self.size, self.root = checkpoint.size, checkpoint.root
        return WitnessAnswer(200, "text/plain", self.line(request.note.text))


class Switchboard:
    """Sends each request to the witness whose address it is."""

    def __init__(self, *witnesses: FakeWitness) -> None:
        self.witnesses = {f"https://{each.key.name}": each for each in witnesses}

    async def add_checkpoint(self, url: str, body: bytes) -> WitnessAnswer:
        return await self.witnesses[url].add_checkpoint(url, body)


class World:
    """A log and two witnesses."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.good, self.other = FakeWitness("w0.example"), FakeWitness("w1.example")
        lines = [
            f"witness w{number} {each.key.text()} https://{each.key.name}"
            for number, each in enumerate((self.good, self.other))
        ]
        policy = parse_policy("\n".join([*lines, "quorum none", ""]).encode())
        transport = Switchboard(self.good, self.other)
        self.round = WitnessRound(witnesses_of(policy), transport, patience=0.2)
        node.publisher.cosigners = self.round
        self._number = 0

    async def publish(self) -> set[str]:
        """Publish a checkpoint; who has cosigned it."""
        self._number += 1
        await self.node.happen(ONE, *(f"{self._number}-{each}" for each in range(40)))
        assert await self.node.publisher.turn()
        published = self.node.service.published
        assert published is not None
        keys = (self.good.key, self.other.key)
        assert len(published.note.signed_by(*self.node.log.verifiers)) == 2
        return {each.name.removesuffix(".example") for each in published.note.signed_by(*keys)}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    migrate_sqlite(tmp_path / "tegata.db")
    database = SqliteDatabase(tmp_path / "tegata.db", DiskReserve(tmp_path, 0))
    clock = FakeClock()
    await open_tenants(store_on(database, clock, "tenants"))
    node = await node_on(database, tmp_path, clock)
    made = World(node)
    yield made
    await made.round.stop()
    node.signer.close()
    await database.close()


async def test_honest_witnesses_cosign_every_checkpoint(world: World) -> None:
    for _ in range(4):
        assert await world.publish() == {"w0", "w1"}
    assert world.round.troubles == {}


async def test_a_witness_that_knows_another_size_is_given_the_proof_from_there(
    world: World,
) -> None:
    assert await world.publish() == {"w0", "w1"}
    # We forgot what it knows, as a restart does.
    for witness in world.round.witnesses:
        witness.seen = 0
    assert await world.publish() == {"w0", "w1"}


async def test_a_witness_that_does_not_answer_holds_nothing_up_and_is_named(world: World) -> None:
    world.other.hold = asyncio.Event()
    assert await world.publish() == {"w0"}
    assert world.round.troubles == {"w1": "it does not answer in time"}
    # It is not asked again while it still ponders, and not waited for.
    assert await world.publish() == {"w0"}
    assert world.other.asked == 1
    world.other.hold.set()
    await asyncio.wait([each.task for each in world.round.witnesses if each.task])
    world.other.hold = None
    assert "w0" in await world.publish()
    await asyncio.wait([each.task for each in world.round.witnesses if each.task])
    assert await world.publish() == {"w0", "w1"}
    assert world.round.troubles == {}


async def test_a_witness_that_cannot_be_reached_is_named(world: World) -> None:
    world.other.answer = WitnessUnreachable("connection refused")
    assert await world.publish() == {"w0"}
    assert "cannot be reached: connection refused" in world.round.troubles["w1"]


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        (WitnessAnswer(200, "text/plain", b"thanks\n"), "lies"),
        (WitnessAnswer(409, SIZE, b"1000000\n"), "saw 1000000 leaves"),
        (WitnessAnswer(409, SIZE, b"0\n"), "says that it knows it"),
        (WitnessAnswer(409, "text/html", b"0\n"), "without a size"),
        (WitnessAnswer(409, SIZE, b"many\n"), "without a size"),
        (WitnessAnswer(422, "text/plain", b""), "forked or rolled back"),
        (WitnessAnswer(404, "text/plain", b""), "does not know the log"),
        (WitnessAnswer(403, "text/plain", b""), "signature for false"),
        (WitnessAnswer(500, "text/plain", b""), "status 500"),
    ],
)
async def test_a_witness_that_answers_what_it_should_not_is_named(
    world: World, answer: WitnessAnswer, named: str
) -> None:
    world.other.answer = answer
    assert await world.publish() == {"w0"}
    assert named in world.round.troubles["w1"]


async def test_a_witness_that_signs_something_else_is_found_to_lie(world: World) -> None:
    other = Checkpoint(world.node.log.origin, 5, bytes(32)).text()
    world.other.answer = WitnessAnswer(200, "text/plain", world.other.line(other))
    assert await world.publish() == {"w0"}
    assert "lies" in world.round.troubles["w1"]


async def test_a_witness_that_comes_back_is_no_trouble_any_more(world: World) -> None:
    world.other.answer = WitnessUnreachable("gone")
    await world.publish()
    world.other.answer = None
    await world.publish()
    await asyncio.wait([each.task for each in world.round.witnesses if each.task])
    assert await world.publish() == {"w0", "w1"}
    assert world.round.troubles == {}
