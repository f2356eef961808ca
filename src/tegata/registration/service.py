"""Use cases of registration: a tenant's token asks for a certificate."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import cast

from tegata.issuance.model import IssuedCertificate, Issuer
from tegata.issuance.ports import IssuanceStore, IssuanceUnit
from tegata.issuance.service import Accompany, IssuanceService
from tegata.kernel.ids import CertificateId, IssuerId, TenantId
from tegata.kernel.ports import Clock
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope
from tegata.pkix.csr import CertificateRequest, parse_csr
from tegata.registration.model import CertificatePage, CertificateQuery
from tegata.registration.ports import RegistrationStore, RegistrationUnit
from tegata.registration.profiles import ProfileService
from tegata.registration.rules import draft_from_request
from tegata.registration.screening import KeyScreening
from tegata.registration.search import require_searchable

IDEMPOTENCY_KEY_MAXIMUM = 255
# What else is to become true with a certificate.
Also = Callable[[RegistrationUnit, IssuedCertificate], None]


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A caller's promise that requests under one key are one request (a retry)."""

    key_hash: bytes
    request_digest: bytes


@dataclass(frozen=True, slots=True)
class EnrolmentService:
    """Requests for certificates by tokens that may issue."""

    store: RegistrationStore
    issuers: IssuanceStore
    issuance: IssuanceService
    clock: Clock
    profiles: ProfileService
    screening: KeyScreening
    _under_way: set[tuple[TenantId, bytes]] = field(default_factory=set)

    async def request_certificate(
        self,
        scope: TenantScope,
        issuer: IssuerId,
        profile: str,
        csr: str,
        request_digest: bytes,
        idempotency_key: str | None = None,
    ) -> tuple[IssuedCertificate, Issuer]:
        """A certificate for a PEM request, with the issuer it is from.

        The same request under the same idempotency key answers with the same certificate.
        """
        chosen = await self.issuers.get_issuer(scope, issuer)
        idempotency = find_idempotency(idempotency_key, issuer, profile, csr)

        async def act() -> IssuedCertificate:
            request = parse_csr(csr)
            return await self.certify(scope, chosen, profile, request, request_digest, idempotency)

        return await self.once(scope, idempotency, act), chosen

    async def once(
        self,
        scope: TenantScope,
        idempotency: Idempotency | None,
        act: Callable[[], Awaitable[IssuedCertificate]],
    ) -> IssuedCertificate:
        """What `act` issues, or has issued before under the same idempotency key."""
        if idempotency is None:
            return await act()
        place = scope.tenant, idempotency.key_hash
        if place in self._under_way:
            raise Problem(
                ProblemCode.IDEMPOTENCY_IN_PROGRESS, "the first request is still under way"
            )
        self._under_way.add(place)
        try:
            earlier = await self._earlier(scope, idempotency)
            return earlier if earlier is not None else await act()
        except Problem as problem:
            # Another node may have been first with the same key, or our own commit may stand.
            if problem.code not in (ProblemCode.CONFLICT, ProblemCode.OUTCOME_UNKNOWN):
                raise
            earlier = await self._earlier(scope, idempotency)
            if earlier is None:
                raise
            return earlier
        finally:
            self._under_way.discard(place)

    async def find(
        self, scope: TenantScope, certificate: CertificateId
    ) -> tuple[IssuedCertificate, Issuer]:
        """A certificate of the tenant with its issuer, or `Problem(certificate.unknown)`."""
        found = await self.store.get_certificate(scope, certificate)
        return found, await self.issuers.get_issuer(scope, found.issuer)

    async def get_issuer(self, scope: TenantScope, issuer: IssuerId) -> Issuer:
        """An issuer of the tenant, or `Problem(issuer.unknown)`."""
        return await self.issuers.get_issuer(scope, issuer)

    async def search(self, scope: TenantScope, query: CertificateQuery) -> CertificatePage:
        """A page of the tenant's certificates; `Problem(request.malformed)` for what could only
        be answered by reading all of them."""
        require_searchable(query)
        return await self.store.list_certificates(scope, query, self.clock.now())

    async def certify(
        self,
        scope: TenantScope,
        issuer: Issuer,
        profile: str,
        request: CertificateRequest,
        request_digest: bytes,
        idempotency: Idempotency | None = None,
        also: Also | None = None,
    ) -> IssuedCertificate:
        """A certificate for a request whose proof of possession stands; `also` writes more in
        its transaction."""
        now = self.clock.now()
        chosen = await self.profiles.resolve(scope, profile)
        draft = draft_from_request(request, chosen, now, issuer.facts.not_after)
        screened = await self.screening.screen(scope, request)
        accompany: Accompany | None = None
        if idempotency is not None or screened.new_modulus is not None or also is not None:

            def remember(unit: IssuanceUnit, issued: IssuedCertificate) -> None:
                # The store's units serve every room (see store/store.py).
                writes = cast(RegistrationUnit, unit)
                if idempotency is not None:
                    writes.add_idempotency(
                        idempotency.key_hash, idempotency.request_digest, issued.id, now
                    )
                if screened.new_modulus is not None:
                    writes.add_modulus(screened.new_modulus, screened.spki_sha256, now)
                if also is not None:
                    also(writes, issued)

            accompany = remember
        return await self.issuance.issue(scope, issuer, draft, request_digest, accompany)

    async def _earlier(
        self, scope: TenantScope, idempotency: Idempotency
    ) -> IssuedCertificate | None:
        earlier = await self.store.find_idempotency(scope, idempotency.key_hash)
        if earlier is None:
            return None
        if earlier.request_digest != idempotency.request_digest:
            raise Problem(ProblemCode.IDEMPOTENCY_MISMATCH, "the key was used for another request")
        return await self.store.get_certificate(scope, earlier.certificate)


def find_idempotency(key: str | None, *request: str) -> Idempotency | None:
    """What a caller's key stands for: the parts of its request; None without a key."""
    if key is None:
        return None
    if not 1 <= len(key) <= IDEMPOTENCY_KEY_MAXIMUM or not key.isascii() or not key.isprintable():
        raise Problem(
            ProblemCode.REQUEST_MALFORMED,
            f"an idempotency key is 1 to {IDEMPOTENCY_KEY_MAXIMUM} printable ASCII characters",
        )
    digest = hashlib.sha256("\0".join(request).encode()).digest()
    return Idempotency(hashlib.sha256(key.encode()).digest(), digest)
