"""Crashes while certificates are revoked and CRLs published, at every port call."""

from __future__ import annotations

import pytest

from tegata.issuance.model import IssuedCertificate
from tegata.pkix.crl import parse_tbs_cert_list
from tegata.revocation.model import Status
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
    published = max(number for _issuer, number in world.tables.crls)
    crl = await world.publish()
    assert crl.number == published + 1
    assert revoked.serial in listed(world)
    numbers = [number for issuer, number in world.tables.crls if issuer == crl.issuer]
    assert sorted(numbers) == list(range(1, crl.number + 1))
    await world.require_in_service()


async def test_void_serials_stand_in_the_next_list_and_certificates_do_not() -> None:
    world = await crash(revoke_one, 0)
    await world.restart()
    (issued,) = world.released.values()
    await world.publish()
    assert listed(world) >= void_of(world, issued)
    assert issued.serial not in listed(world)


def void_of(world: World, certificate: IssuedCertificate) -> set[int]:
    """The void serials of a certificate's issuer; there are some."""
    rows = world.tables.revocations.values()
    found = {row.serial for row in rows if row.issuer == certificate.issuer}
    assert found <= world.void
    assert found
    return found


def listed(world: World) -> set[int]:
    """What the newest list says."""
    return set(parse_tbs_cert_list(world.signer.signed_crls[-1][1]).serials)


def actions(world: World) -> list[str]:
    """Every recorded act."""
    return [event.action for _tenant, event in world.tables.events.values()]
