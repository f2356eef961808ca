"""Keys that something speaks against are refused before a serial is reserved."""

from __future__ import annotations

import hashlib

import pytest

from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.signing import RefusalGround
from tests.fakes.world import World, crash, every_port_call
from tests.pkix.keys import public_key

KEY = hashlib.sha256(public_key("p256")).digest()


async def a_world() -> World:
    world = World()
    await world.open_tenant()
    return world


async def refusal(world: World) -> ProblemCode:
    """Why the world's request is refused; nothing was reserved or signed for it."""
    before = set(world.tables.blocks), world.signed, world.recorded
    with pytest.raises(Problem) as refused:
        await world.issue()
    assert (set(world.tables.blocks), world.signed, world.recorded) == before
    return refused.value.code


async def test_a_key_on_the_list_is_refused() -> None:
    world = await a_world()
    world.key_list.add(KEY)
    assert await refusal(world) is ProblemCode.CSR_COMPROMISED_KEY


async def test_a_key_that_was_refused_before_is_refused() -> None:
    world = await a_world()
    await world.refused_keys.refuse(world.scope, [KEY], bytes(32))
    assert await refusal(world) is ProblemCode.CSR_COMPROMISED_KEY


@pytest.mark.parametrize(
    ("reason", "refused"), [("keyCompromise", True), ("superseded", False), ("unspecified", False)]
)
async def test_only_a_revocation_for_compromise_refuses_the_key(reason: str, refused: bool) -> None:
    world = await a_world()
    issued = await world.issue()
    await world.revocation.revoke(world.scope, issued.id, reason, bytes(32))
    if refused:
        assert await refusal(world) is ProblemCode.CSR_COMPROMISED_KEY
        (row,) = world.tables.refused_keys.values()
        assert (row.spki_sha256, row.ground) == (KEY, RefusalGround.COMPROMISE)
    else:
        await world.issue()
        assert not world.tables.refused_keys


async def test_a_retry_still_gets_the_certificate_that_its_first_try_was_given() -> None:
    world = await a_world()
    issued = await world.issue("key")
    world.key_list.add(KEY)
    assert (await world.issue("key")).id == issued.id


async def test_a_key_that_was_listed_may_be_allowed_again() -> None:
    world = await a_world()
    await world.refused_keys.refuse(world.scope, [KEY], bytes(32))
    await world.refused_keys.allow(world.scope, [KEY, KEY], bytes(32))
    await world.issue()
    with pytest.raises(Problem) as caught:
        await world.refused_keys.allow(world.scope, [KEY], bytes(32))
    assert caught.value.code is ProblemCode.REFUSED_KEY_UNKNOWN


@pytest.mark.parametrize("listed", [True, False])
async def test_a_key_that_was_compromised_is_never_allowed_again(listed: bool) -> None:
    world = await a_world()
    issued = await world.issue()
    other = bytes(32)
    await world.refused_keys.refuse(world.scope, [other, *([KEY] * listed)], bytes(32))
    await world.revocation.revoke(world.scope, issued.id, "keyCompromise", bytes(32))
    with pytest.raises(Problem) as caught:
        await world.refused_keys.allow(world.scope, [other, KEY], bytes(32))
    assert caught.value.code is ProblemCode.REFUSED_KEY_FINAL
    # All of them, or none.
    assert len(world.tables.refused_keys) == 2
    assert await refusal(world) is ProblemCode.CSR_COMPROMISED_KEY


async def allow_one(world: World) -> None:
    await world.refused_keys.refuse(world.scope, [KEY], bytes(32))
    world.arm()
    await world.refused_keys.allow(world.scope, [KEY], bytes(32))


@pytest.mark.parametrize("crash_at", every_port_call(allow_one))
async def test_a_key_is_allowed_again_with_its_event_or_not_at_all(crash_at: int) -> None:
    world = await crash(allow_one, crash_at)
    await world.restart()
    acts = [event.action for _tenant, event in world.tables.events.values()]
    allowed = acts.count("registration:refused-key:allow")
    assert (allowed, len(world.tables.refused_keys)) in ((0, 1), (1, 0))


async def compare_two(world: World) -> None:
    """Two keys of the tenant's have a prime in common."""
    unit_keys = {b"\x01": 7 * 11, b"\x02": 7 * 13, b"\x03": 17 * 19}
    async with world.store.open_unit(world.scope) as unit:
        for key, modulus in unit_keys.items():
            unit.add_modulus(modulus.to_bytes(2, "big"), key, world.clock.now())
        await unit.commit()
    world.arm()
    await world.key_comparison.compare(world.scope)


async def test_keys_that_share_a_prime_are_refused_once() -> None:
    world = await a_world()
    await compare_two(world)
    assert {each.spki_sha256: each.ground for each in world.tables.refused_keys.values()} == {
        b"\x01": RefusalGround.SHARED_FACTOR, b"\x02": RefusalGround.SHARED_FACTOR
    }  # fmt: skip
    assert await world.key_comparison.compare(world.scope) == 0
    acts = [event.action for _tenant, event in world.tables.events.values()]
    assert acts.count("registration:refused-key:find") == 1
    assert world.key_comparison.postponed(world.scope) is None


@pytest.mark.parametrize("crash_at", every_port_call(compare_two))
async def test_keys_that_share_a_prime_are_refused_after_a_crash(crash_at: int) -> None:
    world = await crash(compare_two, crash_at)
    await world.restart()
    await world.key_comparison.compare(world.scope)
    assert len(world.tables.refused_keys) == 2
    acts = [event.action for _tenant, event in world.tables.events.values()]
    assert acts.count("registration:refused-key:find") == 1


async def refuse_one(world: World) -> None:
    world.arm()
    await world.refused_keys.refuse(world.scope, [KEY], bytes(32))


@pytest.mark.parametrize("crash_at", every_port_call(refuse_one))
async def test_a_refusal_that_crashed_stands_with_its_event_or_not_at_all(crash_at: int) -> None:
    world = await crash(refuse_one, crash_at)
    await world.restart()
    acts = [event.action for _tenant, event in world.tables.events.values()]
    assert acts == ["registration:refused-key:add"] * len(world.tables.refused_keys)
    await world.refused_keys.refuse(world.scope, [KEY], bytes(32))
    assert len(world.tables.refused_keys) == 1


async def revoke_for_compromise(world: World) -> None:
    await world.open_tenant()
    issued = await world.issue()
    world.arm()
    await world.revocation.revoke(world.scope, issued.id, "keyCompromise", bytes(32))


@pytest.mark.parametrize("crash_at", every_port_call(revoke_for_compromise))
async def test_a_key_is_refused_as_soon_as_its_revocation_stands(crash_at: int) -> None:
    world = await crash(revoke_for_compromise, crash_at)
    await world.restart()
    (issued,) = world.released.values()
    revoked = (issued.issuer, issued.serial) in world.tables.revocations
    assert revoked == bool(world.tables.refused_keys)
