"""A tenant's own profiles: versions, what requests under way get, and simulations."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tegata.issuance.model import IssuedCertificate
from tegata.kernel.finding import Severity
from tegata.kernel.ids import TenantId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import platform_acts
from tegata.registration.model import ProfileVersion
from tegata.registration.profiles import FRESH
from tests.fakes.world import CSR, World

NAMES = """
[subject]
allowed = ["commonName"]
[subjectAltName]
required = true
dNSName = { within = ["%s"] }
[keyUsage]
always = ["digitalSignature"]
[extKeyUsage]
purposes = ["serverAuth"]
"""
OWN = 'name = "own"\n[validity]\nperiod = "30d"' + NAMES % "example.test"
STRICTER = 'name = "own"\n[validity]\nperiod = "10d"' + NAMES % "example.org"


async def opened(world: World) -> World:
    await world.open_tenant()
    return world


async def put(world: World, document: str, name: str = "own") -> ProfileVersion:
    return (await world.profiles.put(world.scope, name, document, bytes(32)))[0]


async def issue(world: World, profile: str = "own") -> IssuedCertificate:
    issuer = world.issuer().id
    issued, _ = await world.enrolment.request_certificate(
        world.scope, issuer, profile, CSR, bytes(32)
    )
    return issued


async def refusal(world: World, profile: str = "own") -> ProblemCode:
    with pytest.raises(Problem) as caught:
        await issue(world, profile)
    return caught.value.code


async def test_a_request_gets_the_newest_version_and_the_certificate_says_which() -> None:
    world = await opened(World())
    assert await refusal(world) is ProblemCode.PROFILE_UNKNOWN
    for number in (1, 2):
        assert (await put(world, OWN)).version == number
        issued = await issue(world)
        assert (issued.profile, issued.profile_version) == ("own", number)
    await put(world, STRICTER)
    assert await refusal(world) is ProblemCode.LINT_REFUSED


async def test_a_retired_version_gives_way_to_the_one_before_it() -> None:
    world = await opened(World())
    await put(world, OWN)
    await put(world, STRICTER)
    await world.profiles.retire(world.scope, "own", None, bytes(32))
    assert (await issue(world)).profile_version == 1
    await world.profiles.retire(world.scope, "own", 1, bytes(32))
    assert await refusal(world) is ProblemCode.PROFILE_UNKNOWN
    # Its number is never given again.
    assert (await put(world, OWN)).version == 3
    with pytest.raises(Problem) as caught:
        await world.profiles.retire(world.scope, "own", 1, bytes(32))
    assert caught.value.code is ProblemCode.PROFILE_UNKNOWN


async def test_another_process_sees_a_new_version_soon() -> None:
    world = await opened(World())
    first = await put(world, OWN)
    await issue(world)
    # As another process would: past this one's memory.
    key = world.scope.tenant, "own", 2
    world.tables.profiles[key] = replace(first, version=2)
    assert (await issue(world)).profile_version == 1
    world.clock.advance(FRESH)
    assert (await issue(world)).profile_version == 2


async def test_a_request_under_way_keeps_the_version_it_was_decided_with() -> None:
    class Editing(World):
        """Puts a stricter version, and retires the first, while a certificate is being signed."""

        def reach(self, name: str) -> None:
            if name == "signer.sign_certificate: before" and self.tables.profiles:
                own = self.tables.profiles
                first = own[self.scope.tenant, "own", 1]
                own[self.scope.tenant, "own", 1] = replace(first, retired_at=self.clock.now())
                stricter = replace(first, version=2, document=STRICTER)
                own[self.scope.tenant, "own", 2] = stricter
            super().reach(name)

    world = await opened(Editing())
    await put(world, OWN)
    issued = await issue(world)
    assert issued.profile_version == 1
    assert issued.not_after - issued.not_before == timedelta(days=30) - timedelta(seconds=1)
    world.clock.advance(FRESH)
    assert await refusal(world) is ProblemCode.LINT_REFUSED


async def test_two_tenants_may_give_one_name_to_two_profiles() -> None:
    world = await opened(World())
    other = platform_acts(TenantId("ten_kitsune"), "test")
    await put(world, OWN)
    version, _ = await world.profiles.put(other, "own", STRICTER, bytes(32))
    assert version.version == 1
    mine = await world.profiles.resolve(world.scope, "own")
    theirs = await world.profiles.resolve(other, "own")
    assert mine.digest != theirs.digest
    assert (await issue(world)).profile_version == 1


@pytest.mark.parametrize("name", ["tls-server", "root-ca"])
async def test_a_built_in_name_is_taken(name: str) -> None:
    world = await opened(World())
    with pytest.raises(Problem) as caught:
        await put(world, OWN.replace('"own"', f'"{name}"'), name)
    assert [each.code for each in caught.value.findings] == ["document.reserved-name"]
    with pytest.raises(Problem) as caught:
        await world.profiles.retire(world.scope, name, None, bytes(32))
    assert caught.value.code is ProblemCode.PROFILE_BUILT_IN


async def test_a_document_is_put_under_its_own_name_and_next_number_only() -> None:
    world = await opened(World())
    for document, name in ((OWN, "other"), ("version = 2\n" + OWN, "own")):
        with pytest.raises(Problem) as caught:
            await put(world, document, name)
        assert caught.value.code is ProblemCode.PROFILE_INVALID
    assert not world.tables.profiles
    assert (await put(world, "version = 1\n" + OWN)).version == 1


async def test_what_is_put_and_retired_stands_in_the_record() -> None:
    world = await opened(World())
    await put(world, OWN)
    await world.profiles.retire(world.scope, "own", None, bytes(32))
    events = [event for tenant, event in world.tables.events.values() if "profile" in event.action]
    assert [event.action for event in events] == [
        "registration:profile:put",
        "registration:profile:retire",
    ]
    assert {event.subject for event in events} == {"profile:own/1"}


async def test_a_simulation_says_what_would_have_been_refused() -> None:
    world = await opened(World())
    await put(world, OWN)
    issued = [await issue(world) for _ in range(3)]
    await issue(world, "tls-server")

    async def simulate(document: str, last: int = 100, of: str | None = None) -> list[set[str]]:
        result = await world.profiles.simulate(
            world.scope, document, of, last, lambda _issuer: True
        )
        assert result.looked_at >= result.examined
        return [
            {f"{each.severity}: {each.code}" for each in item.findings} for item in result.rehearsed
        ]

    name = f"{Severity.ERROR}: subject-alternative-name.not-within"
    longer = f"{Severity.WARNING}: validity.too-long"
    assert await simulate(OWN) == []
    assert await simulate(STRICTER) == [{name, longer}] * len(issued)
    assert await simulate(STRICTER, last=2) == [{name, longer}] * 2
    assert await simulate(STRICTER, of="tls-server") == [{name, longer}]
    shorter = OWN.replace("30d", "10d")
    assert await simulate(shorter) == [{longer}] * len(issued)
    # Nothing was kept.
    assert len(world.tables.profiles) == 1
    seen = await world.profiles.simulate(world.scope, STRICTER, None, 9, lambda _issuer: False)
    assert seen.examined == 0
    with pytest.raises(Problem):
        await simulate(OWN, last=0)
