"""A world that can crash at any port call, and be started again on what it had made durable."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from _pytest.mark import ParameterSet

from tegata.issuance.authorities import AuthorityService
from tegata.issuance.hierarchy import HierarchyService
from tegata.issuance.model import IssuedCertificate, Issuer
from tegata.issuance.reserve import SerialReserve
from tegata.issuance.service import IssuanceService
from tegata.issuance.take_over import TakeOverService
from tegata.issuance.take_over_work import TakeOverWork
from tegata.kernel.ids import IssuerId, NodeId, TenantId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import PLATFORM_TENANT, TenantScope, platform_acts
from tegata.kernel.signing import KeyPurpose
from tegata.pkix.certificate import parse_certificate
from tegata.pkix.crl_reader import parse_tbs_cert_list
from tegata.registration.key_comparison import KeyComparison
from tegata.registration.profiles import ProfileService
from tegata.registration.screening import KeyScreening, RefusedKeyService
from tegata.registration.service import EnrolmentService
from tegata.revocation.lists import CrlService
from tegata.revocation.model import CertificateStatus, CrlKind, PublishedCrl, Status
from tegata.revocation.service import OcspService, RevocationService
from tegata.tenancy.model import TenantState
from tegata.tenancy.service import TenantService
from tests.fakes.system import CountingRandomness, FakeClock
from tests.fakes.world_signer import MemorySigner
from tests.fakes.world_store import KeySet, MemoryStore, Tables
from tests.journeys.requests import make_csr

TENANT = TenantId("ten_tanuki")
NODE = NodeId("nod_one")
# So that a few certificates are several batches.
BATCH = 3
CSR = make_csr("www.example.test")

UseCase = Callable[["World"], Awaitable[object]]


class Crash(BaseException):
    """The end of a run. No `except Exception` sees it, as none sees a SIGKILL."""


class World:
    """One node with its store and its signer.

    `crash_at` counts port calls from 0, some of them twice: before they have an effect and after.
    It counts from `arm` on, so that what a use case needs can be made before.
    """

    def __init__(self, crash_at: int | None = None) -> None:
        self.calls: list[str] = []
        self.clock = FakeClock()
        self.randomness = CountingRandomness("world")
        self.store = MemoryStore(self, Tables())
        self.signer = MemorySigner(self)
        self.released: dict[int, IssuedCertificate] = {}
        self.published: list[PublishedCrl] = []
        self._crash_at = crash_at
        self._armed = False
        self.key_list = KeySet()
        self._compose()

    def reach(self, name: str) -> None:
        """A port call."""
        if self._armed:
            self.calls.append(name)
            if len(self.calls) - 1 == self._crash_at:
                raise Crash(name)

    def arm(self, crash_at: int | None = None) -> None:
        """From now on calls count; `crash_at` replaces what the world was made with."""
        self.calls.clear()
        self._armed = True
        if crash_at is not None:
            self._crash_at = crash_at

    async def restart(self) -> None:
        """What a start does after a crash: services without memory, blocks settled."""
        self._armed = False
        self.signer.restart()
        self._compose()
        await self.tenants.settle_blocks(NODE)

    def _compose(self) -> None:
        store, signer, clock, randomness = self.store, self.signer, self.clock, self.randomness
        serials = SerialReserve(store, signer, clock, NODE)
        self.serials = serials
        self.issuance = IssuanceService(store, signer, serials, clock, randomness)
        self.gate = self.issuance.gate
        self.hierarchy = HierarchyService(store, signer, self.issuance, clock, randomness)
        self.profiles = ProfileService(store, store, store, clock)
        self.enrolment = EnrolmentService(
            store, store, self.issuance, clock, self.profiles, KeyScreening(store, self.key_list)
        )
        screening = KeyScreening(store, self.key_list)
        self.refused_keys = RefusedKeyService(store, clock)
        self.key_comparison = KeyComparison(store, clock)
        self.revocation = RevocationService(store, clock)
        self.crls = CrlService(store, signer, clock)
        self.ocsp = OcspService(store, signer, clock)
        self.authorities = AuthorityService(
            store,
            self.hierarchy,
            signer,
            self.gate,
            clock,
            self.crls.ensure_published,
            self._schedule,
        )
        self.take_overs = TakeOverService(
            store, signer, self.authorities, screening.screen_key, clock, BATCH
        )
        self.take_over_work = TakeOverWork(store, self.authorities, clock, randomness, BATCH)
        self.tenants = TenantService(
            store, signer, self.hierarchy, self.crls, clock, randomness, self._schedule
        )

    async def _schedule(self, scope: TenantScope, issuer: IssuerId) -> None:
        self.reach("schedule: before")
        self.tables.wanted.setdefault(issuer, self.clock.now())
        self.reach("schedule: after")

    @property
    def tables(self) -> Tables:
        """What the store has made durable."""
        return self.store.tables

    @property
    def scope(self) -> TenantScope:
        """The tenant's own."""
        return platform_acts(TENANT, "test")

    async def open_tenant(self, tenant: TenantId = TENANT) -> Issuer:
        """Open the tenant, or complete its opening: what a start does with tenants it must have."""
        operator = platform_acts(PLATFORM_TENANT, "test")
        await self.tenants.complete_openings()
        found = await self.store.find_tenant(operator, tenant)
        if found is not None:
            return await self.tenants.complete(found)
        return (await self.tenants.open_tenant(operator, "Tanuki", bytes(32), tenant))[1]

    def issuer(self, purpose: KeyPurpose = KeyPurpose.ISSUING_CA) -> Issuer:
        """The tenant's only issuer of a kind."""
        (found,) = (each for each in self.tables.issuers.values() if each.key.purpose is purpose)
        return found

    async def issue(self, idempotency_key: str | None = None) -> IssuedCertificate:
        """A certificate, released."""
        issued, _issuer = await self.enrolment.request_certificate(
            self.scope, self.issuer().id, "tls-server", CSR, bytes(32), idempotency_key
        )
        self.released[issued.serial] = issued
        return issued

    async def revoke(self, certificate: IssuedCertificate) -> CertificateStatus:
        """A revocation; that it stands already is as good."""
        try:
            return (
                await self.revocation.revoke(self.scope, certificate.id, "superseded", bytes(32))
            )[1]
        except Problem as problem:
            if problem.code is not ProblemCode.CERTIFICATE_REVOKED:
                raise
            return await self.revocation.status(self.scope, certificate)

    async def publish(self) -> PublishedCrl:
        """Every list of the issuer, published; the complete one."""
        issuer = self.issuer().id
        for shard in await self.crls.shards(issuer):
            self.published.append(await self.crls.publish(self.scope, issuer, shard))
        crl = await self.crls.publish(self.scope, issuer)
        self.published.append(crl)
        await self.crls.publish_delta(self.scope, issuer)
        return crl

    def listed(self, crl: PublishedCrl) -> set[int]:
        """The serials in a list."""
        return set(parse_tbs_cert_list(parse_certificate(crl.der).tbs).serials)

    @property
    def signed(self) -> set[int]:
        """Serials under which the signer has signed a certificate."""
        return set(self.signer.signed)

    @property
    def reserved(self) -> set[int]:
        """Serials that are durably reserved, in the store and in the signer's journal."""
        return {
            row.block.serial(counter)
            for row in self.tables.blocks.values()
            for counter in range(row.block.size)
            if self.signer.journal[row.block.id] == row.block
        }

    @property
    def recorded(self) -> set[int]:
        """Serials of recorded certificates."""
        return {each.serial for each in self.tables.certificates.values()}

    @property
    def void(self) -> set[int]:
        """Serials that were settled without a certificate."""
        revocations = self.tables.revocations.values()
        return {each.serial for each in revocations if each.certificate is None}

    def require_invariants(self) -> None:
        """What holds at every instant, whatever crashed before."""
        assert self.signed <= self.reserved
        assert self.recorded <= self.signed | {serial for _issuer, serial in self.tables.foreign}
        assert self.released.keys() <= self.recorded
        assert not self.void & self.recorded
        assert all(
            self.tables.certificates[each.id].der == each.der for each in self.released.values()
        )
        for shard in {crl.shard for crl in self.published}:
            numbers = [crl.number for crl in self.published if crl.shard == shard]
            assert numbers == sorted(set(numbers))
        subjects = Counter(event.subject for _tenant, event in self.tables.events.values())
        assert all(
            subjects[f"certificate:{each.id}"] >= 1
            or (each.issuer, each.serial) in self.tables.foreign
            for each in self.tables.certificates.values()
        )

    async def require_settled(self) -> None:
        """What holds after a restart: nothing that may have been signed is left open."""
        self.require_invariants()
        assert not [row for row in self.tables.blocks.values() if row.is_open]
        assert self.signed - self.recorded <= self.void
        for (issuer, _serial), row in self.tables.revocations.items():
            if issuer in self.tables.issuers:
                status = await self.store.certificate_status(self.scope, issuer, row.serial)
                assert status.status is Status.REVOKED

    async def require_in_service(self) -> None:
        """A further certificate, its revocation and a CRL that says all that it should."""
        issued = await self.issue()
        await self.revoke(issued)
        crl = await self.publish()
        listed = self.listed(crl)
        issuer = self.issuer().id
        of_issuer = {serial for owner, serial in self.tables.revocations if owner == issuer}
        assert issued.serial in listed
        assert listed == of_issuer
        shards = [each for each in self.published if each.shard]
        assert listed == set().union(
            *map(self.listed, shards[-len(await self.crls.shards(issuer)) :])
        )
        own = [p[3] for p in self.tables.crls if p[:3] == (issuer, 0, CrlKind.FULL)]
        assert crl.number == max(own)
        self.require_invariants()

    def require_whole_tenant(self) -> None:
        """The tenant is active, with everything that it needs, once each."""
        tables = self.tables
        assert [each.state for each in tables.tenants.values()] == [TenantState.ACTIVE]
        purposes = Counter(issuer.key.purpose for issuer in tables.issuers.values())
        assert purposes == {KeyPurpose.ROOT_CA: 1, KeyPurpose.ISSUING_CA: 1}
        every = set(tables.issuers)
        assert {issuer: len(many) for issuer, many in tables.responders.items()} == dict.fromkeys(
            every, 1
        )
        scopes = {place[:3] for place in tables.crls}
        assert scopes == {
            (issuer, shard, kind) for issuer in every for shard in (0, 1) for kind in CrlKind
        }
        assert len(tables.crls) == len(scopes)
        assert set(tables.wanted) >= every
        profiles = Counter(each.profile for each in tables.certificates.values())
        assert profiles == {"root-ca": 1, "issuing-ca": 1, "ocsp-responder": 2}


def every_port_call(use_case: UseCase) -> list[ParameterSet]:
    """Each port call of a use case, to crash at, named."""
    world = World()
    asyncio.run(_call(use_case, world))
    assert len(world.calls) > 1
    return [pytest.param(place, id=f"{place}-{name}") for place, name in enumerate(world.calls)]


async def crash(use_case: UseCase, crash_at: int) -> World:
    """The world in which a use case crashed, before its restart."""
    world = World(crash_at)
    with pytest.raises(Crash):
        await use_case(world)
    return world


async def _call(use_case: UseCase, world: World) -> None:
    await use_case(world)
