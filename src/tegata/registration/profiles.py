"""Use cases on a tenant's own certificate profiles: documents in versions that never change."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from tegata.issuance.ports import IssuanceStore
from tegata.issuance.rehearsal import rehearse
from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import CertificateId, IssuerId, TenantId
from tegata.kernel.ports import Clock
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope
from tegata.profiles.catalogue import CATALOGUE, built_in_document, find_public_profile
from tegata.profiles.document import parse_document
from tegata.profiles.document_errors import finding, refuse
from tegata.profiles.model import Profile
from tegata.registration.model import ProfileVersion, Rehearsed, Simulation
from tegata.registration.ports import ProfileStore, RecentCertificate, RegistrationStore

# A new or retired version is seen by every process within this time.
FRESH = timedelta(seconds=2)
SIMULATION_DEFAULT, SIMULATION_MAXIMUM = 100, 500
# Certificates looked at for those of the profile: the cost of a simulation has an end.
_WINDOW, _WINDOWS = 500, 20
_CACHE = 4096

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class ProfileService:
    """Built-in profiles, and tenants' own.

    A request is decided with the version that is the newest then; what is put or retired while
    it is under way does not change it, because it carries the profile itself.
    """

    store: ProfileStore
    certificates: RegistrationStore
    issuers: IssuanceStore
    clock: Clock
    _fresh: OrderedDict[tuple[TenantId, str], tuple[datetime, Profile]] = field(
        default_factory=OrderedDict
    )
    _parsed: OrderedDict[tuple[TenantId, str, int], Profile] = field(default_factory=OrderedDict)

    async def resolve(self, scope: TenantScope, name: str) -> Profile:
        """The profile that a request by this name is decided with now, or
        `Problem(profile.unknown)`."""
        built_in = find_public_profile(name)
        if built_in is not None:
            return built_in
        key = scope.tenant, name
        known = self._fresh.get(key)
        now = self.clock.now()
        if known is not None and now - known[0] < FRESH:
            return known[1]
        newest = await self.store.find_profile(scope, name, None)
        if newest is None:
            raise _unknown()
        profile = self._profile(scope.tenant, newest)
        _keep(self._fresh, key, (now, profile))
        return profile

    async def get(
        self, scope: TenantScope, name: str, version: int | None
    ) -> tuple[ProfileVersion, Profile]:
        """A version of a profile, by default the newest that is not retired."""
        built_in = CATALOGUE.get(name)
        if built_in is not None:
            if version not in (None, built_in.version):
                raise _unknown()
            return _shipped(built_in), built_in
        found = await self.store.find_profile(scope, name, version)
        if found is None:
            raise _unknown()
        return found, self._profile(scope.tenant, found)

    async def list(
        self, scope: TenantScope, after: str, limit: int
    ) -> Sequence[tuple[ProfileVersion, Profile]]:
        """The newest version of each of the tenant's own profiles, by name."""
        found = await self.store.list_profiles(scope, after, limit)
        return [(each, self._profile(scope.tenant, each)) for each in found]

    async def versions(
        self, scope: TenantScope, name: str, before: int | None, limit: int
    ) -> Sequence[ProfileVersion]:
        """Every version of a profile, newest first, retired ones too."""
        built_in = CATALOGUE.get(name)
        if built_in is not None:
            return [_shipped(built_in)]
        found = await self.store.list_profile_versions(scope, name, before, limit)
        if not found and before is None:
            raise _unknown()
        return found

    async def check(self, scope: TenantScope, document: str) -> Profile:
        """The profile of a document as it would be put; `Problem(profile.invalid)` says all that
        is wrong with it. Nothing is kept."""
        profile = parse_document(document)
        _require_own_name(profile.name)
        newest = await self.store.newest_profile_version(scope, profile.name)
        return parse_document(document, version=newest + 1)

    async def put(
        self, scope: TenantScope, name: str, document: str, request_digest: bytes
    ) -> tuple[ProfileVersion, Profile]:
        """A new version of a profile; it is the one that requests get from now on."""
        profile = await self.check(scope, document)
        if profile.name != name:
            refuse([finding("document.value", "name", value=profile.name, allowed=name)])
        version = ProfileVersion(
            name, profile.version, document, profile.digest, self.clock.now(), None
        )
        async with self.store.open_unit(scope) as unit:
            unit.add_profile_version(version)
            unit.audit(_event(scope, "put", version, request_digest))
            await unit.commit()
        self._fresh.pop((scope.tenant, name), None)
        return version, profile

    async def retire(
        self, scope: TenantScope, name: str, version: int | None, request_digest: bytes
    ) -> None:
        """Retire a version for good, by default the newest; requests get the one before it."""
        if name in CATALOGUE:
            raise Problem(ProblemCode.PROFILE_BUILT_IN, "a built-in profile cannot be retired")
        found = await self.store.find_profile(scope, name, version)
        if found is None or found.retired_at is not None:
            raise _unknown()
        async with self.store.open_unit(scope) as unit:
            unit.retire_profile_version(name, found.version, self.clock.now())
            unit.audit(_event(scope, "retire", found, request_digest))
            await unit.commit()
        self._fresh.pop((scope.tenant, name), None)

    async def simulate(
        self,
        scope: TenantScope,
        document: str,
        of: str | None,
        last: int,
        sees: Callable[[IssuerId], bool],
    ) -> Simulation:
        """What a document would have refused among the last certificates of a profile, by
        default of the one that it names."""
        if not 1 <= last <= SIMULATION_MAXIMUM:
            raise Problem(ProblemCode.REQUEST_MALFORMED, f"last is 1 to {SIMULATION_MAXIMUM}")
        profile = parse_document(document, built_in=False)
        wanted = profile.name if of is None else of
        found, looked_at = await self._recent(scope, wanted, last, sees)
        rehearsed = []
        for each in found:
            certificate = await self.certificates.get_certificate(scope, each.id)
            issuer = await self.issuers.get_issuer(scope, certificate.issuer)
            findings = rehearse(profile, issuer, certificate.der)
            if findings:
                rehearsed.append(
                    Rehearsed(each.id, certificate.serial, certificate.subject, findings)
                )
        return Simulation(profile, wanted, len(found), looked_at, tuple(rehearsed))

    async def _recent(
        self, scope: TenantScope, name: str, last: int, sees: Callable[[IssuerId], bool]
    ) -> tuple[Sequence[RecentCertificate], int]:
        found: list[RecentCertificate] = []
        before: CertificateId | None = None
        looked_at = 0
        for _ in range(_WINDOWS):
            window = await self.store.recent_certificates(scope, before, _WINDOW)
            looked_at += len(window)
            found += [each for each in window if each.profile == name and sees(each.issuer)]
            if len(window) < _WINDOW or len(found) >= last:
                break
            before = window[-1].id
        return found[:last], looked_at

    def _profile(self, tenant: TenantId, version: ProfileVersion) -> Profile:
        key = tenant, version.name, version.version
        known = self._parsed.get(key)
        if known is None:
            known = parse_document(version.document, version=version.version)
            _keep(self._parsed, key, known)
        return known


def _keep(cache: OrderedDict[K, V], key: K, value: V) -> None:
    cache[key] = value
    if len(cache) > _CACHE:
        cache.popitem(last=False)


def _require_own_name(name: str) -> None:
    if name in CATALOGUE:
        refuse([finding("document.reserved-name", "name", name=name)])


def _shipped(profile: Profile) -> ProfileVersion:
    document = built_in_document(profile.name)
    return ProfileVersion(profile.name, profile.version, document, profile.digest, None, None)


def _unknown() -> Problem:
    return Problem(ProblemCode.PROFILE_UNKNOWN, "no such certificate profile")


def _event(
    scope: TenantScope, act: str, version: ProfileVersion, request_digest: bytes
) -> AuditEvent:
    return AuditEvent(
        actor=scope.actor,
        action=f"registration:profile:{act}",
        decision=Decision.ALLOWED,
        subject=f"profile:{version.name}/{version.version}",
        request_digest=request_digest,
        private={
            "profile": version.name,
            "version": str(version.version),
            "digest": version.digest,
        },
    )
