"""A tenant's search for its certificates, and its record, as a world answers them."""

from __future__ import annotations

from tegata.registration.model import CertificateQuery, SerialMatch
from tegata.revocation.model import Status
from tests.fakes.world import World


async def test_a_serial_is_looked_up_with_every_issuer_of_the_tenant() -> None:
    world = World()
    await world.open_tenant()
    wanted = await world.issue()
    await world.issue()
    await world.revoke(wanted)
    match = SerialMatch(wanted.serial, wanted.serial)
    page = await world.enrolment.search(world.scope, CertificateQuery(serial=match))
    (found,) = page.entries
    assert (found.id, found.status.status) == (wanted.id, Status.REVOKED)
    page = await world.enrolment.search(world.scope, CertificateQuery(limit=3))
    assert len(page.entries) == 3


async def test_the_record_is_read_in_pages() -> None:
    world = World()
    await world.open_tenant()
    await world.issue()
    every = await world.tenants.list_events(world.scope, 0, 1000)
    assert [each.sequence for each in every] == list(range(1, len(every) + 1))
    assert await world.tenants.list_events(world.scope, 2, 1) == every[2:3]
