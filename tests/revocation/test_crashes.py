"""Crashes while certificates are revoked and CRLs published, at every port call."""

from __future__ import annotations

import pytest

from tegata.issuance.model import IssuedCertificate
from tegata.kernel.ids import IssuerId
from tegata.revocation.model import CrlKind, Status
from tests.fakes.world import World, crash, every_port_call


async def revoke_one(world: World) -> None:
    await world.open_tenant()
    issued = await world.issue()
    await world.restart()
    world.arm()
    await world.revoke(issued)


async def publish_one(world: World) -> None:
    await world.open_tenant()
    await world.publish()
    await world.revoke(await world.issue())
    await world.restart()
    world.arm()
    await world.publish()


@pytest.mark.parametrize("crash_at", every_port_call(revoke_one))
async def test_a_crashed_revocation_stands_wholly_or_can_be_asked_for_again(crash_at: int) -> None:
    world = await crash(revoke_one, crash_at)
    (issued,) = world.released.values()
    stood = (issued.issuer, issued.serial) in world.tables.revocations
    # With the row come its event and the wish for a CRL, or none of them.
    assert stood == any("revoke" in action for action in actions(world))
    assert stood == (world.tables.wanted[issued.issuer] <= world.clock.now() and stood)
    await world.restart()
    await world.require_settled()
    status = await world.revoke(issued)
    assert status.status is Status.REVOKED
    assert sum("revoke" in action for action in actions(world)) == 1
    await world.require_in_service()


@pytest.mark.parametrize("crash_at", every_port_call(publish_one))
async def test_crl_numbers_strictly_increase_over_a_crash(crash_at: int) -> None:
    world = await crash(publish_one, crash_at)
    await world.restart()
    await world.require_settled()
    (revoked,) = world.released.values()
    before = numbers(world, revoked.issuer)
    crl = await world.publish()
    assert revoked.serial in world.listed(crl)
    for scope, published in numbers(world, revoked.issuer).items():
        assert published[: len(before[scope])] == before[scope]
        assert len(published) == len(set(published)) > len(before[scope])
    await world.require_in_service()


async def test_void_serials_stand_in_the_next_list_and_certificates_do_not() -> None:
    world = await crash(revoke_one, 0)
    await world.restart()
    (issued,) = world.released.values()
    crl = await world.publish()
    assert world.listed(crl) >= void_of(world, issued)
    assert issued.serial not in world.listed(crl)


def void_of(world: World, certificate: IssuedCertificate) -> set[int]:
    """The void serials of a certificate's issuer; there are some."""
    rows = world.tables.revocations.values()
    found = {row.serial for row in rows if row.issuer == certificate.issuer}
    assert found <= world.void
    assert found
    return found


def numbers(world: World, issuer: IssuerId) -> dict[tuple[int, CrlKind], list[int]]:
    """The numbers of an issuer's lists, by scope and kind."""
    found: dict[tuple[int, CrlKind], list[int]] = {}
    for owner, shard, kind, number in sorted(world.tables.crls):
        if owner == issuer:
            found.setdefault((shard, kind), []).append(number)
    return found


def actions(world: World) -> list[str]:
    """Every recorded act."""
    return [event.action for _tenant, event in world.tables.events.values()]
