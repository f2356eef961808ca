"""Stamping over crashes, conflicts, jumps of the clock and ends of keys."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from _pytest.mark import ParameterSet

from tegata.issuance.authorities import issuer_stop
from tegata.kernel.problem import Problem, ProblemCode
from tegata.pkix.tsp import parse_time_stamp_response, parse_tst_info
from tegata.pkix.tsp_token import parse_token
from tests.fakes.world import Crash
from tests.timestamping.world import REQUEST, StampingWorld

UseCase = Callable[[StampingWorld], Awaitable[object]]


async def prepared(crash_at: int | None = None) -> StampingWorld:
    world = StampingWorld(crash_at)
    await world.open_tenant()
    return world


async def create_and_stamp(world: StampingWorld) -> None:
    await world.open_tenant()
    await world.restart()
    world.arm()
    authority = await world.create()
    await world.stamp(authority)


async def stamp_twice_in_order(world: StampingWorld) -> None:
    await world.open_tenant()
    authority = await world.create(ordering=True)
    await world.restart()
    world.arm()
    await world.stamp(authority)
    world.clock.advance(timedelta(milliseconds=1))
    await world.stamp(authority)


async def renew_one(world: StampingWorld) -> None:
    await world.open_tenant()
    authority = await world.create()
    world.clock.advance(timedelta(days=370))
    await world.restart()
    world.arm()
    await world.stampers.renew(world.scope, authority.id)
    await world.stamp(authority)


async def disable_one(world: StampingWorld) -> None:
    await world.open_tenant()
    authority = await world.create()
    await world.restart()
    world.arm()
    await world.stampers.disable(world.scope, authority.id, bytes(32))


def every_port_call(use_case: UseCase) -> list[ParameterSet]:
    world = StampingWorld()
    asyncio.run(_call(use_case, world))
    assert len(world.calls) > 2
    name = getattr(use_case, "__name__", "")
    return [
        pytest.param(use_case, place, id=f"{name}-{place}-{call}")
        for place, call in enumerate(world.calls)
    ]


async def _call(use_case: UseCase, world: StampingWorld) -> None:
    await use_case(world)


CRASHES = [
    each
    for use_case in (create_and_stamp, stamp_twice_in_order, renew_one, disable_one)
    for each in every_port_call(use_case)
]


@pytest.mark.parametrize(("use_case", "crash_at"), CRASHES)
async def test_a_crash_leaves_no_token_given_that_is_not_recorded(
    use_case: UseCase, crash_at: int
) -> None:
    world = StampingWorld(crash_at)
    with pytest.raises(Crash):
        await use_case(world)
    world.require_stamps_in_order()
    await world.restart()
    world.clock.advance(timedelta(seconds=2))
    for authority in list(world.stamp_tables.stampers.values()):
        if authority.disabled_at is None:
            await world.stamp(authority)
    if not world.stamp_tables.stampers:
        await world.stamp(await world.create())
    world.require_stamps_in_order()


async def refused(world: StampingWorld, request: object = REQUEST) -> ProblemCode:
    (authority,) = world.stamp_tables.stampers.values()
    with pytest.raises(Problem) as caught:
        await world.stamp(authority)
    world.require_stamps_in_order()
    return caught.value.code


async def test_a_token_is_dated_by_the_clock_and_says_how_good_it_is() -> None:
    world = await prepared()
    given = await world.stamp(await world.create())
    token = parse_time_stamp_response(given.response).token
    assert token is not None
    info = parse_tst_info(parse_token(token).info)
    assert info.gen_time == world.clock.now()
    assert (info.accuracy, info.ordering, info.nonce) == (timedelta(seconds=1), False, 9)


@pytest.mark.parametrize("trouble", ["unsynchronised", "error", "jump"])
async def test_a_clock_that_is_not_trusted_stamps_nothing(trouble: str) -> None:
    world = await prepared()
    await world.stamp(await world.create())
    match trouble:
        case "unsynchronised":
            world.discipline.synchronised = False
        case "error":
            world.discipline.maximum_error = timedelta(seconds=1, microseconds=1)
        case _:
            world.discipline.step = timedelta(seconds=-30)
    assert await refused(world) is ProblemCode.CLOCK_UNTRUSTED
    assert len(world.recorded_stamps()) == 1


async def test_a_stopped_issuer_stamps_nothing() -> None:
    world = await prepared()
    await world.stamp(await world.create())
    await world.authorities.stop(
        world.scope, issuer_stop(world.scope, world.issuer().id), bytes(32)
    )
    assert await refused(world) is ProblemCode.ISSUANCE_STOPPED


async def test_a_revoked_unit_stamps_nothing_from_the_next_look_on() -> None:
    world = await prepared()
    authority = await world.create()
    await world.stamp(authority)
    unit = world.stamp_tables.units[authority.id, 1]
    await world.revoke(world.tables.certificates[unit.certificate_id])
    world.stamps.withdraw(authority.issuer)
    assert await refused(world) is ProblemCode.TIMESTAMP_UNIT_UNUSABLE


async def test_a_key_whose_period_is_over_stamps_nothing_and_is_replaced_before() -> None:
    world = await prepared()
    authority = await world.create()
    first = world.stamp_tables.units[authority.id, 1]
    assert first.key_until < first.not_after
    due = await world.stampers.renew(world.scope, authority.id)
    assert due == world.stamp_tables.renewals[authority.id] == first.key_until - timedelta(days=30)
    world.clock.instant = first.key_until - timedelta(seconds=1)
    await world.stamp(authority)
    world.clock.instant = first.key_until
    assert await refused(world) is ProblemCode.TIMESTAMP_UNIT_UNUSABLE
    await world.stampers.renew(world.scope, authority.id)
    world.stamps.forget(authority.id)
    await world.stamp(authority)
    second = world.stamp_tables.units[authority.id, 2]
    assert second.key.id != first.key.id
    world.require_stamps_in_order()


async def test_ordered_tokens_of_two_nodes_never_go_back() -> None:
    world = await prepared()
    authority = await world.create(ordering=True)
    await world.stamp(authority)
    # Another node, whose clock is ahead, has stamped since.
    ahead = world.clock.now() + timedelta(seconds=3)
    world.stamp_tables.ordered[authority.id] = ahead
    assert await refused(world) is ProblemCode.CONFLICT
    world.clock.instant = ahead + timedelta(microseconds=1)
    given = await world.stamp(authority)
    assert given.gen_time > ahead


async def test_a_signature_that_does_not_verify_is_never_heard_of() -> None:
    world = await prepared()
    authority = await world.create()
    unit = world.stamp_tables.units[authority.id, 1]
    other = await world.signer.create_timestamp_key(  # type: ignore[attr-defined]
        unit.key.tenant, b"", unit.key.algorithm, unit.key.signature_algorithm, ("1.2.3.4",)
    )
    world.stamp_tables.units[authority.id, 1] = replace(
        unit, key=replace(unit.key, public_key=other.public_key)
    )
    assert await refused(world) is ProblemCode.SIGNER_UNAVAILABLE
    assert not world.recorded_stamps()


async def test_a_disabled_authority_stays_disabled_and_is_not_renewed() -> None:
    world = await prepared()
    authority = await world.create()
    once = await world.stampers.disable(world.scope, authority.id, bytes(32))
    assert await world.stampers.disable(world.scope, authority.id, bytes(32)) == once
    assert await world.stampers.renew(world.scope, authority.id) is None
    assert await refused(world) is ProblemCode.TIMESTAMP_AUTHORITY_DISABLED
