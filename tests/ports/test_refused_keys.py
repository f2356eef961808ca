"""Refused keys and moduli, on each engine."""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import cast

import pytest

from tegata.kernel.ids import IssuerId, NodeId, TenantId
from tegata.kernel.negative import ActKind
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import PLATFORM_TENANT, TenantScope, platform_acts
from tegata.kernel.signing import DataKeyKind, RefusalGround
from tegata.registration.model import RefusedKey
from tegata.store.database import Database
from tegata.store.jobs import COMPARISON_JOB, JobQueue
from tegata.store.negative import allowed_key_act
from tegata.store.refused_keys import FRESH, KEPT, RefusedKeyReads, RefusedKeyWrites
from tegata.store.replay import REPLAYS
from tegata.store.statement import Parameters, Row, Statement
from tests.fakes.system import CountingRandomness, FakeClock, PlainSealer
from tests.ports.test_authority_contract import a_node

ONE, TWO = (platform_acts(TenantId(f"ten_{name}"), "test") for name in ("one", "two"))
OPERATOR = platform_acts(PLATFORM_TENANT, "test")
MOMENT = FRESH / 10


def forget(issuer: IssuerId, serial: int) -> None:
    """No answers are in memory here."""


class Node(RefusedKeyReads):
    """One node's look at the keys; it counts how often it asks the database."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        super().__init__()
        self.database = cast(Database, self)
        self.clock = clock
        self.asked = 0
        self._real = database

    async def fetch(
        self, tenant: TenantId | None, statement: Statement, parameters: Parameters
    ) -> list[Row]:
        self.asked += 1
        return await self._real.fetch(tenant, statement, parameters)

    def unit(self, scope: TenantScope) -> RefusedKeyWrites:
        sealers = {DataKeyKind.DISCLOSURE: PlainSealer()}
        return RefusedKeyWrites(
            self._real, scope, sealers, self.clock, CountingRandomness(), forget
        )

    async def refuse(
        self, scope: TenantScope, *keys: bytes, ground: RefusalGround = RefusalGround.LISTED
    ) -> None:
        unit = self.unit(scope)
        for each in keys:
            unit.add_refused_key(each, ground, self.clock.now())
        await unit.commit()
        self.forget_refused_keys(scope.tenant)

    async def allow(self, scope: TenantScope, refused: RefusedKey) -> None:
        unit = self.unit(scope)
        unit.remove_refused_key(refused)
        await unit.commit()

    async def certify(self, scope: TenantScope, modulus: bytes, spki: bytes) -> None:
        unit = self.unit(scope)
        unit.add_modulus(modulus, spki, self.clock.now())
        await unit.commit()


def key(number: int) -> bytes:
    return sha256(str(number).encode()).digest()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def node(database: Database, clock: FakeClock) -> Node:
    return Node(database, clock)


async def test_a_key_is_refused_to_its_tenant_at_once(node: Node) -> None:
    assert not await node.is_refused_key(ONE, key(1))
    await node.refuse(ONE, key(1))
    assert await node.is_refused_key(ONE, key(1))
    assert not await node.is_refused_key(ONE, key(2))
    assert not await node.is_refused_key(TWO, key(1))


async def test_the_operators_keys_are_refused_to_all(node: Node) -> None:
    await node.refuse(OPERATOR, key(1))
    assert await node.is_refused_key(ONE, key(1))
    assert await node.is_refused_key(TWO, key(1))


async def test_another_node_knows_within_five_seconds(
    database: Database, node: Node, clock: FakeClock
) -> None:
    other = Node(database, clock)
    assert not await other.is_refused_key(ONE, key(1))
    clock.advance(MOMENT)
    await node.refuse(ONE, key(1))
    clock.advance(FRESH)
    assert await other.is_refused_key(ONE, key(1))


async def test_questions_between_two_looks_ask_no_database(node: Node, clock: FakeClock) -> None:
    await node.refuse(ONE, key(1))
    await node.is_refused_key(ONE, key(2))
    asked = node.asked
    for number in range(100):
        await node.is_refused_key(ONE, key(number + 2))
    clock.advance(MOMENT)
    await node.is_refused_key(ONE, key(2))
    assert node.asked == asked


async def test_what_is_committed_late_is_seen_all_the_same(
    database: Database, node: Node, clock: FakeClock
) -> None:
    late = node.unit(ONE)
    late.add_refused_key(key(1), RefusalGround.LISTED, clock.now())
    clock.advance(10 * FRESH)
    await node.refuse(ONE, key(2))
    other = Node(database, clock)
    assert await other.is_refused_key(ONE, key(2))
    await late.commit()
    clock.advance(FRESH)
    assert await other.is_refused_key(ONE, key(1))


async def test_of_a_tenant_with_too_many_keys_to_keep_each_is_looked_up(
    database: Database, node: Node, clock: FakeClock
) -> None:
    for first in range(0, KEPT + 1000, 1000):
        await node.refuse(ONE, *(key(number) for number in range(first, first + 1000)))
    for looking in (node, Node(database, clock)):
        assert await looking.is_refused_key(ONE, key(0))
        assert await looking.is_refused_key(ONE, key(KEPT + 999))
        assert not await looking.is_refused_key(ONE, key(KEPT + 1000))
        clock.advance(FRESH)
        assert not await looking.is_refused_key(ONE, key(KEPT + 1000))


async def test_a_key_stays_refused_for_its_first_reason(node: Node, clock: FakeClock) -> None:
    await node.refuse(ONE, key(1), ground=RefusalGround.COMPROMISE)
    first = await node.list_refused_keys(ONE, b"", 10)
    clock.advance(MOMENT)
    await node.refuse(ONE, key(1), key(2))
    listed = await node.list_refused_keys(ONE, b"", 10)
    assert [each.spki_sha256 for each in listed] == sorted([key(1), key(2)])
    assert first[0] in listed
    assert await node.list_refused_keys(ONE, listed[0].spki_sha256, 10) == listed[1:]
    assert await node.list_refused_keys(TWO, b"", 10) == []


@pytest.mark.parametrize("ground", [RefusalGround.COMPROMISE, RefusalGround.SHARED_FACTOR])
async def test_a_listed_key_that_is_compromised_is_refused_for_good(
    node: Node, clock: FakeClock, ground: RefusalGround
) -> None:
    await node.refuse(ONE, key(1))
    listed = await node.find_refused_key(ONE, key(1))
    assert listed is not None
    clock.advance(MOMENT)
    await node.refuse(ONE, key(1), ground=ground)
    final = await node.find_refused_key(ONE, key(1))
    assert final is not None
    assert (final.ground, final.since) == (ground, listed.since)
    for each in (listed, final):
        with pytest.raises(Problem) as caught:
            await node.allow(ONE, each)
        assert caught.value.code is ProblemCode.CONFLICT
    assert await node.is_refused_key(ONE, key(1))


async def test_a_listed_key_that_is_allowed_again_is_so_everywhere_at_once(
    database: Database, node: Node, clock: FakeClock
) -> None:
    other = Node(database, clock)
    for scope in (ONE, TWO):
        await node.refuse(scope, key(1), key(2))
    for each in (node, other):
        assert await each.is_refused_key(ONE, key(1))
    found = await node.find_refused_key(ONE, key(1))
    assert found is not None
    assert await node.find_refused_key(ONE, key(3)) is None
    await node.allow(ONE, found)
    for each in (node, other, Node(database, clock)):
        assert not await each.is_refused_key(ONE, key(1))
        assert await each.is_refused_key(ONE, key(2))
        assert await each.is_refused_key(TWO, key(1))
    with pytest.raises(Problem):
        await node.allow(ONE, found)
    clock.advance(MOMENT)
    await node.refuse(ONE, key(1))
    assert await node.is_refused_key(ONE, key(1))
    clock.advance(FRESH)
    assert await other.is_refused_key(ONE, key(1))
    # What was taken back was the earlier refusal.
    with pytest.raises(Problem):
        await node.allow(ONE, found)


async def test_a_refusal_that_was_taken_back_is_replayed_as_such(database: Database) -> None:
    store = a_node(database)
    now = store.clock.now()
    refused = RefusedKey(key(1), RefusalGround.LISTED, now)
    act = allowed_key_act(ONE.tenant, refused)
    assert (act.kind, act.lifts) == (ActKind.KEY_ALLOWED, True)
    assert await REPLAYS[act.kind](store, ONE, act) is None
    for ground, lifted in ((RefusalGround.LISTED, True), (RefusalGround.COMPROMISE, False)):
        async with store.open_unit(ONE) as unit:
            unit.add_refused_key(key(1), ground, now)
            await unit.commit()
        effect = await REPLAYS[act.kind](store, ONE, act)
        assert (effect is not None) is lifted
        if effect is not None:
            async with store.open_unit(ONE) as unit:
                effect(unit)
                await unit.commit()
            assert await store.find_refused_key(ONE, key(1)) is None
    later = allowed_key_act(ONE.tenant, replace(refused, since=now + MOMENT))
    assert await REPLAYS[act.kind](store, ONE, later) is None


async def test_the_newest_moduli_are_a_tenants_own_and_a_comparison_is_wanted(
    database: Database, node: Node, clock: FakeClock
) -> None:
    for number in (1, 2, 3):
        await node.certify(ONE, bytes([number, 0]), key(number))
        clock.advance(MOMENT)
    await node.certify(TWO, b"\x09", key(9))
    assert await node.newest_moduli(ONE, 2) == [(key(3), 3 << 8), (key(2), 2 << 8)]
    assert await node.newest_moduli(TWO, 2) == [(key(9), 9)]
    queue = JobQueue(database, NodeId("node"))
    assert await queue.claim(clock.now(), long=COMPARISON_JOB) == []
    clock.advance(timedelta(minutes=1))
    # No other kind of work waits behind it.
    assert await queue.claim(clock.now()) == []
    claimed = [
        *await queue.claim(clock.now(), long=COMPARISON_JOB),
        *await queue.claim(clock.now(), long=COMPARISON_JOB),
    ]
    assert {(job.key, job.tenant) for job in claimed} == {
        (each.tenant, each.tenant) for each in (ONE, TWO)
    }


async def test_a_modulus_belongs_to_the_key_that_had_it_first(node: Node) -> None:
    assert await node.find_modulus(ONE, sha256(key(9)).digest()) is None
    await node.certify(ONE, key(9), key(1))
    await node.certify(ONE, key(9), key(1))
    with pytest.raises(Problem) as refused:
        await node.certify(ONE, key(9), key(2))
    assert refused.value.code is ProblemCode.CSR_WEAK_KEY
    assert await node.find_modulus(ONE, sha256(key(9)).digest()) == key(1)
    await node.certify(TWO, key(9), key(2))
