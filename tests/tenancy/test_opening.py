"""Crashes while a tenant is opened, at every port call."""

from __future__ import annotations

from contextlib import suppress

import pytest

from tegata.kernel.scope import PLATFORM_TENANT
from tests.fakes.world import Crash, World, crash, every_port_call


async def open_one(world: World) -> None:
    world.arm()
    await world.open_tenant()


@pytest.mark.parametrize("crash_at", every_port_call(open_one))
async def test_an_opening_that_crashed_is_completed_with_everything_once(crash_at: int) -> None:
    world = await crash(open_one, crash_at)
    world.require_invariants()
    await world.restart()
    await world.require_settled()
    await world.open_tenant()
    world.require_whole_tenant()
    assert operator_acts(world)
    # Asking once more changes nothing.
    await world.open_tenant()
    world.require_whole_tenant()
    await world.require_in_service()


@pytest.mark.parametrize("crash_at", every_port_call(open_one)[::7])
async def test_an_opening_survives_a_second_crash(crash_at: int) -> None:
    world = await crash(open_one, crash_at)
    await world.restart()
    world.arm(crash_at // 2)
    with suppress(Crash):  # where little was left to do, it is done
        await world.open_tenant()
    await world.restart()
    await world.require_settled()
    await world.open_tenant()
    world.require_whole_tenant()


def operator_acts(world: World) -> list[str]:
    """What stands in the operator's record."""
    events = world.tables.events.values()
    return [event.action for tenant, event in events if tenant == PLATFORM_TENANT]


async def test_the_opening_stands_in_both_records_once() -> None:
    world = World()
    await world.open_tenant()
    acts = [
        (tenant, event.action)
        for tenant, event in world.tables.events.values()
        if event.action.startswith("tenancy:tenant:")
    ]
    assert acts == [
        ("ten_platform", "tenancy:tenant:open"),
        ("ten_tanuki", "tenancy:tenant:open"),
        ("ten_tanuki", "tenancy:tenant:activate"),
    ]
