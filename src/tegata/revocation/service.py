"""Use cases of revocation: revoke, hold, release, answer OCSP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tegata.issuance.model import IssuedCertificate
from tegata.issuance.serials import serial_text
from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import CertificateId, IssuerId
from tegata.kernel.ports import Clock
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope, platform_acts
from tegata.kernel.signing import RefusalGround
from tegata.pkix.crl import RevocationReason
from tegata.pkix.ocsp import (
    OcspRequest,
    SingleResponse,
    encode_ocsp_response,
    encode_response_data,
)
from tegata.profiles.catalogue import CA_PROFILES
from tegata.revocation.model import CertificateStatus, Status, StatusAuthority
from tegata.revocation.ports import RevocationStore, RevocationUnit, StatusSigner
from tegata.revocation.rules import (
    OCSP_VALIDITY,
    parse_reason,
    release_of,
    require_invalidity,
    revocation_of,
    revocation_of_serial,
    spki_sha256,
)
from tegata.revocation.signatures import require_valid

_COMPROMISED = frozenset({RevocationReason.KEY_COMPROMISE, RevocationReason.CA_COMPROMISE})
# What else is to become true with a change of status.
Also = Callable[[RevocationUnit, IssuedCertificate], None]


@dataclass(frozen=True, slots=True)
class RevocationService:
    """Revokes certificates, holds them, and releases what is held."""

    store: RevocationStore
    clock: Clock

    async def revoke(
        self,
        scope: TenantScope,
        certificate: CertificateId,
        reason: str,
        request_digest: bytes,
        invalid_since: datetime | None = None,
        also: Also | None = None,
    ) -> tuple[IssuedCertificate, CertificateStatus]:
        """Revoke a certificate of the tenant, or hold it (reason certificateHold); durable and
        audited before this returns. What is on hold can be revoked for good: it stays revoked
        since it was held (X.509 clause 9.5.3.2).

        Raises `Problem` with certificate.unknown, revocation.reason-unknown,
        revocation.invalidity-date or certificate.already-revoked.
        """
        found = await self.store.get_certificate(scope, certificate)
        given = parse_reason(reason, of_ca=found.profile in CA_PROFILES)
        now = self.clock.now()
        invalid_since = require_invalidity(invalid_since, found, now)
        held = await self._require_revocable(scope, found, given)
        since = held.revoked_at if held is not None and held.revoked_at is not None else now
        revocation = revocation_of(found, given, since, invalid_since)
        async with self.store.open_unit(scope, essential=True) as unit:
            unit.essential()
            if held is None:
                unit.add_revocation(revocation)
            else:
                unit.replace_hold(revocation)
            unit.want_crls(found.issuer, found.shard, now)
            if given in _COMPROMISED:
                # The key must not come back under a new certificate.
                unit.add_refused_key(spki_sha256(found.der), RefusalGround.COMPROMISE, now)
            unit.audit(_event(scope, "revoke", found, request_digest, given, invalid_since))
            if also is not None:
                also(unit, found)
            try:
                await unit.commit()
            except Problem as problem:
                # Another request was first, or a commit could not be confirmed: look.
                if problem.code in (ProblemCode.CONFLICT, ProblemCode.CERTIFICATE_NOT_HELD):
                    await self._require_revocable(scope, found, given)
                    raise Problem(ProblemCode.CONFLICT, "try again") from problem
                raise
        if given in _COMPROMISED:
            self.store.forget_refused_keys(scope.tenant)
        status = CertificateStatus(Status.REVOKED, revocation.revoked_at, given, invalid_since)
        return found, status

    async def revoke_serial(
        self,
        scope: TenantScope,
        issuer: IssuerId,
        serial: int,
        reason: str,
        request_digest: bytes,
    ) -> CertificateStatus:
        """Revoke, for good, what a taken over CA issued and only its index tells of.

        Raises `Problem` with certificate.unknown, certificate.already-revoked,
        revocation.reason-unknown, or request.malformed for what has a certificate here.
        """
        foreign = await self.store.find_foreign_serial(scope, issuer, serial)
        if foreign is None:
            raise Problem(ProblemCode.CERTIFICATE_UNKNOWN, "not a serial that the CA brought along")
        given = parse_reason(reason)
        if given is RevocationReason.CERTIFICATE_HOLD:
            raise Problem(ProblemCode.REASON_UNKNOWN, "a serial number alone is not put on hold")
        if await self.store.find_revocation(scope, issuer, serial) is not None:
            raise Problem(ProblemCode.CERTIFICATE_REVOKED, "it is revoked already")
        if await self.store.recorded_serials(scope, issuer, foreign.month, [serial]):
            raise Problem(
                ProblemCode.REQUEST_MALFORMED, "its certificate is here: revoke that by its id"
            )
        now = self.clock.now()
        revocation = revocation_of_serial(foreign, given, now)
        async with self.store.open_unit(scope, essential=True) as unit:
            unit.essential()
            unit.add_revocation(revocation)
            unit.want_crls(issuer, foreign.shard, now)
            unit.audit(
                AuditEvent(
                    actor=scope.actor,
                    action="revocation:serial:revoke",
                    decision=Decision.ALLOWED,
                    subject=f"issuer:{issuer}",
                    request_digest=request_digest,
                    private={"serial": serial_text(serial), "reason": given.text},
                )
            )
            await unit.commit()
        return CertificateStatus(Status.REVOKED, revocation.revoked_at, given)

    async def release(
        self,
        scope: TenantScope,
        certificate: CertificateId,
        request_digest: bytes,
        also: Also | None = None,
    ) -> tuple[IssuedCertificate, CertificateStatus]:
        """Take back the hold of a certificate of the tenant.

        Raises `Problem` with certificate.unknown, or certificate.not-held for one that is good
        or revoked for good.
        """
        found = await self.store.get_certificate(scope, certificate)
        held = await self.store.find_revocation(scope, found.issuer, found.serial)
        if held is None or held.revoked_at is None or not held.is_hold:
            raise Problem(ProblemCode.CERTIFICATE_NOT_HELD)
        now = self.clock.now()
        async with self.store.open_unit(scope, essential=True) as unit:
            unit.essential()
            unit.release_hold(release_of(found, held.revoked_at, now))
            unit.want_crls(found.issuer, found.shard, now)
            unit.audit(_event(scope, "release", found, request_digest))
            if also is not None:
                also(unit, found)
            await unit.commit()
        return found, CertificateStatus(Status.GOOD)

    async def status(self, scope: TenantScope, certificate: IssuedCertificate) -> CertificateStatus:
        """The status of a certificate of the tenant."""
        revoked = await self.store.find_revocation(scope, certificate.issuer, certificate.serial)
        return revoked or CertificateStatus(Status.GOOD)

    async def _require_revocable(
        self, scope: TenantScope, certificate: IssuedCertificate, reason: RevocationReason
    ) -> CertificateStatus | None:
        """The hold of a certificate, if there is one; `Problem(certificate.already-revoked)` when
        it is revoked for good, or held and only to be held."""
        found = await self.store.find_revocation(scope, certificate.issuer, certificate.serial)
        if found is None:
            return None
        if not found.is_hold:
            raise Problem(ProblemCode.CERTIFICATE_REVOKED, "the certificate is revoked already")
        if reason is RevocationReason.CERTIFICATE_HOLD:
            raise Problem(ProblemCode.CERTIFICATE_REVOKED, "the certificate is on hold already")
        return found


def _event(
    scope: TenantScope,
    act: str,
    certificate: IssuedCertificate,
    request_digest: bytes,
    reason: RevocationReason | None = None,
    invalid_since: datetime | None = None,
) -> AuditEvent:
    private = {"serial": serial_text(certificate.serial)}
    if reason is not None:
        private["reason"] = reason.text
    if invalid_since is not None:
        private["invalidity_date"] = invalid_since.isoformat()
    return AuditEvent(
        actor=scope.actor,
        action=f"revocation:certificate:{act}",
        decision=Decision.ALLOWED,
        subject=f"certificate:{certificate.id}",
        request_digest=request_digest,
        private=private,
    )


@dataclass(frozen=True, slots=True)
class OcspAnswer:
    """A signed response, and until when it may be kept.

    `known` says that it knows every certificate asked about, which are `serials` of `issuer`.
    """

    der: bytes
    issuer: IssuerId
    serials: tuple[int, ...]
    known: bool
    this_update: datetime
    next_update: datetime


@dataclass(frozen=True, slots=True)
class OcspService:
    """Answers OCSP requests through each issuer's delegated responder."""

    store: RevocationStore
    signer: StatusSigner
    clock: Clock

    async def answer(self, request: OcspRequest) -> OcspAnswer | None:
        """A response for every certificate asked about; None (unauthorized) when one of them is
        not of the same issuer, or its issuer is not ours (RFC 6960 section 2.3)."""
        authority = await self.store.find_authority(request.cert_ids[0].issuer)
        if authority is None:
            return None
        for cert_id in request.cert_ids[1:]:
            other = await self.store.find_authority(cert_id.issuer)
            if other is None or other.issuer.id != authority.issuer.id:
                return None
        return await self._sign(request, authority)

    async def _sign(self, request: OcspRequest, authority: StatusAuthority) -> OcspAnswer:
        now = self.clock.now().replace(microsecond=0)
        scope = platform_acts(authority.issuer.tenant, "ocsp")
        responses = []
        for cert_id in request.cert_ids:
            status = await self.store.certificate_status(scope, authority.issuer.id, cert_id.serial)
            responses.append(_single_response(cert_id.der, status, now))
        known = all(response.known for response in responses)
        data = encode_response_data(
            responder_key=authority.responder.key.public_key,
            produced_at=now,
            responses=responses,
            nonce=request.nonce,
        )
        key = authority.responder.key
        signature = await self.signer.sign_response(key, data)
        require_valid(key, signature, data)
        der = encode_ocsp_response(
            data, key.signature_algorithm, signature, authority.responder.certificate
        )
        serials = tuple(cert_id.serial for cert_id in request.cert_ids)
        return OcspAnswer(der, authority.issuer.id, serials, known, now, now + OCSP_VALIDITY)


def _single_response(cert_id: bytes, status: CertificateStatus, now: datetime) -> SingleResponse:
    revoked = None
    if status.revoked_at is not None and status.reason is not None:
        revoked = status.revoked_at, status.reason
    return SingleResponse(
        cert_id=cert_id,
        revoked=revoked,
        known=status.status is not Status.UNKNOWN,
        this_update=now,
        next_update=now + OCSP_VALIDITY,
    )
