"""Crashes while certificates are issued, at every port call."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tegata.issuance.model import Issuer, ReservedSerial
from tegata.issuance.reserve import FIRST_BLOCK, SerialReserve
from tegata.issuance.serials import serial_month
from tegata.issuance.service import IssuanceService
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.signing import KeyPurpose
from tests.fakes.world import NODE, TENANT, Crash, World, crash, every_port_call

KEY = "one request"
# A month in which no certificate of these tests expires.
OTHER_MONTH = 400


async def issue_one(world: World) -> None:
    await world.open_tenant()
    await world.restart()
    world.arm()
    await world.issue()


async def issue_with_key(world: World) -> None:
    await world.open_tenant()
    await world.restart()
    world.arm()
    await world.issue(KEY)


async def exhaust_a_block(world: World) -> None:
    await world.open_tenant()
    await world.restart()
    for _ in range(FIRST_BLOCK - 1):
        await world.issue()
    world.arm()
    for _ in range(3):
        await world.issue()


async def renew_a_responder(world: World) -> None:
    await world.open_tenant()
    await world.restart()
    world.arm()
    await world.hierarchy.renew_responder(world.scope, world.issuer())


async def settle_two_blocks(world: World) -> None:
    """A block that nothing was signed under, and one with a certificate; then a start."""
    await world.open_tenant()
    await world.restart()
    await world.serials.take(world.issuer(), OTHER_MONTH)
    await world.issue()
    world.arm()
    await world.issuance.settle_blocks(TENANT, NODE)


@pytest.mark.parametrize("crash_at", every_port_call(issue_one))
async def test_a_crash_never_leaves_an_unreserved_signature(crash_at: int) -> None:
    world = await crash(issue_one, crash_at)
    world.require_invariants()
    await world.restart()
    await world.require_settled()
    await world.require_in_service()


@pytest.mark.parametrize("crash_at", every_port_call(issue_with_key))
async def test_a_retry_with_its_idempotency_key_gives_one_certificate(crash_at: int) -> None:
    world = await crash(issue_with_key, crash_at)
    world.require_invariants()
    await world.restart()
    await world.require_settled()
    issued = await world.issue(KEY)
    assert await world.issue(KEY) == issued
    of_servers = [
        each for each in world.tables.certificates.values() if each.profile == "tls-server"
    ]
    assert of_servers == [issued]
    assert issued.serial not in world.void
    await world.require_in_service()


@pytest.mark.parametrize("crash_at", every_port_call(exhaust_a_block))
async def test_a_crash_around_the_end_of_a_block_loses_no_certificate(crash_at: int) -> None:
    world = await crash(exhaust_a_block, crash_at)
    world.require_invariants()
    await world.restart()
    await world.require_settled()
    await world.require_in_service()


@pytest.mark.parametrize("crash_at", every_port_call(renew_a_responder))
async def test_a_crash_leaves_an_issuer_with_a_responder_that_can_answer(crash_at: int) -> None:
    world = await crash(renew_a_responder, crash_at)
    await world.restart()
    await world.require_settled()
    (current, *_) = reversed(world.tables.responders[world.issuer().id])
    recorded = {each.der for each in world.tables.certificates.values()}
    assert current.certificate in recorded
    assert current.key.id in world.tables.signing_keys
    await world.hierarchy.renew_responder(world.scope, world.issuer())
    await world.require_in_service()


@pytest.mark.parametrize("crash_at", every_port_call(settle_two_blocks))
async def test_a_crash_while_blocks_are_settled_is_settled_by_the_next_start(crash_at: int) -> None:
    world = await crash(settle_two_blocks, crash_at)
    await world.restart()
    await world.require_settled()
    unused = [serial for serial in world.void if serial_month(serial) == OTHER_MONTH]
    assert len(unused) == FIRST_BLOCK
    await world.require_in_service()


async def test_a_clean_end_voids_nothing_that_was_never_given_out() -> None:
    world = World()
    await world.open_tenant()
    await world.issue()
    for tenant, used in world.serials.drain().items():
        assert await world.issuance.settle_blocks(tenant, NODE, used) == 0
    await world.restart()
    await world.require_settled()
    assert world.void == set()


async def test_a_signer_that_was_restarted_is_given_new_serials() -> None:
    world = World()
    await world.open_tenant()
    first = await world.issue()
    world.signer.restart()
    with pytest.raises(Problem) as caught:
        await world.issue()
    assert caught.value.code is ProblemCode.SIGNER_UNAVAILABLE
    second = await world.issue()
    assert second.serial != first.serial
    world.require_invariants()
    await world.restart()
    await world.require_settled()


class _Hasty(SerialReserve):
    """Hands out serials before the store knows them: what must be caught."""

    async def take(self, issuer: Issuer, month: int) -> ReservedSerial:
        block = await self._signer.reserve(issuer.key, month, FIRST_BLOCK, 1)
        return ReservedSerial(block, 0, block.serial(0), 1, issuer.crl_url)


async def test_the_world_sees_a_signature_under_a_serial_that_the_store_does_not_know() -> None:
    world = World()
    await world.open_tenant()
    hasty = _Hasty(world.store, world.signer, world.clock, NODE)
    world.enrolment = replace(
        world.enrolment,
        issuance=IssuanceService(world.store, world.signer, hasty, world.clock, world.randomness),
    )
    await world.issue()
    with pytest.raises(AssertionError):
        world.require_invariants()


async def test_a_crash_is_not_a_refusal() -> None:
    world = World(0)
    await world.open_tenant()
    assert world.issuer(KeyPurpose.ROOT_CA).parent is None
    world.arm()
    with pytest.raises(Crash):
        await world.issue()
