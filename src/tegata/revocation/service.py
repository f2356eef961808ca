"""Use cases of revocation: revoke, publish CRLs, answer OCSP."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tegata.issuance.model import IssuedCertificate
from tegata.issuance.serials import serial_text
from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import CertificateId, IssuerId
from tegata.kernel.ports import Clock
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope, platform_acts
from tegata.kernel.signing import RefusalGround, SigningKey
from tegata.pkix.certificate import assemble
from tegata.pkix.crl import RevocationReason, encode_tbs_cert_list
from tegata.pkix.ocsp import (
    OcspRequest,
    SingleResponse,
    encode_ocsp_response,
    encode_response_data,
)
from tegata.pkix.signatures import SignatureInvalid, verify
from tegata.revocation.model import CertificateStatus, PublishedCrl, Status, StatusAuthority
from tegata.revocation.ports import RevocationStore, StatusSigner
from tegata.revocation.rules import (
    CRL_PERIOD,
    CRL_VALIDITY,
    OCSP_VALIDITY,
    parse_reason,
    revocation_of,
    spki_sha256,
)


@dataclass(frozen=True, slots=True)
class RevocationService:
    """Revokes certificates."""

    store: RevocationStore
    clock: Clock

    async def revoke(
        self, scope: TenantScope, certificate: CertificateId, reason: str, request_digest: bytes
    ) -> tuple[IssuedCertificate, CertificateStatus]:
        """Revoke a certificate of the tenant; durable and audited before this returns.

        Raises `Problem` with certificate.unknown, revocation.reason-unknown or
        certificate.already-revoked.
        """
        given = parse_reason(reason)
        found = await self.store.get_certificate(scope, certificate)
        await self._require_not_revoked(scope, found)
        now = self.clock.now()
        revocation = revocation_of(found, given, now)
        async with self.store.open_unit(scope, essential=True) as unit:
            unit.essential()
            unit.add_revocation(revocation)
            unit.want_crl(found.issuer, now)
            if given is RevocationReason.KEY_COMPROMISE:
                # The key must not come back under a new certificate.
                unit.add_refused_key(spki_sha256(found.der), RefusalGround.COMPROMISE, now)
            unit.audit(
                AuditEvent(
                    actor=scope.actor,
                    action="revocation:certificate:revoke",
                    decision=Decision.ALLOWED,
                    subject=f"certificate:{found.id}",
                    request_digest=request_digest,
                    private={"reason": given.text, "serial": serial_text(found.serial)},
                )
            )
            try:
                await unit.commit()
            except Problem as problem:
                # Another request was first, or a commit could not be confirmed: look.
                if problem.code is ProblemCode.CONFLICT:
                    await self._require_not_revoked(scope, found)
                raise
        if given is RevocationReason.KEY_COMPROMISE:
            self.store.forget_refused_keys(scope.tenant)
        status = CertificateStatus(Status.REVOKED, revocation.revoked_at, given)
        return found, status

    async def status(self, scope: TenantScope, certificate: IssuedCertificate) -> CertificateStatus:
        """The status of a certificate of the tenant."""
        revoked = await self.store.find_revocation(scope, certificate.issuer, certificate.serial)
        return revoked or CertificateStatus(Status.GOOD)

    async def _require_not_revoked(
        self, scope: TenantScope, certificate: IssuedCertificate
    ) -> None:
        if await self.store.find_revocation(scope, certificate.issuer, certificate.serial):
            raise Problem(ProblemCode.CERTIFICATE_REVOKED, "the certificate is revoked already")


@dataclass(frozen=True, slots=True)
class CrlService:
    """Publishes complete CRLs."""

    store: RevocationStore
    signer: StatusSigner
    clock: Clock

    async def publish(self, scope: TenantScope, issuer: IssuerId) -> PublishedCrl:
        """Sign and publish a new complete CRL of an issuer (RFC 5280 section 5)."""
        found = await self.store.get_issuer(scope, issuer)
        now = self.clock.now().replace(microsecond=0)
        # An entry stays until it has stood in one list made after its certificate expired.
        listed = await self.store.crl_entries(scope, issuer, now - CRL_PERIOD)
        crl = PublishedCrl(
            issuer=issuer,
            number=listed.last_number + 1,
            this_update=now,
            next_update=now + CRL_VALIDITY,
            entries=len(listed.entries),
            der=b"",
        )
        tbs = encode_tbs_cert_list(
            issuer=found.facts.subject,
            this_update=crl.this_update,
            next_update=crl.next_update,
            entries=listed.entries,
            authority_key=found.facts.key_identifier,
            number=crl.number,
            signature_algorithm=found.key.signature_algorithm,
        )
        signature = await self.signer.sign_crl(found.key, tbs)
        _require_valid(found.key, signature, tbs)
        signed = PublishedCrl(
            issuer,
            crl.number,
            crl.this_update,
            crl.next_update,
            crl.entries,
            assemble(tbs, found.key.signature_algorithm, signature),
        )
        async with self.store.open_unit(scope, essential=True) as unit:
            unit.essential()
            unit.add_crl(signed)
            unit.audit(
                AuditEvent(
                    actor=scope.actor,
                    action="revocation:crl:publish",
                    decision=Decision.ALLOWED,
                    subject=f"issuer:{issuer}",
                    request_digest=bytes(32),
                    private={"number": str(crl.number), "entries": str(crl.entries)},
                )
            )
            await unit.commit()
        return signed

    async def ensure_published(self, scope: TenantScope, issuer: IssuerId) -> None:
        """Publish an issuer's first CRL, if it has none."""
        if await self.store.latest_crl(issuer) is None:
            await self.publish(scope, issuer)

    async def latest(self, issuer: IssuerId) -> PublishedCrl:
        """The newest CRL of an issuer, or `Problem(issuer.unknown)`."""
        crl = await self.store.latest_crl(issuer)
        if crl is None:
            raise Problem(ProblemCode.ISSUER_UNKNOWN, "no CRL of such an issuer")
        return crl

    async def ca_certificate(self, issuer: IssuerId) -> bytes:
        """An issuer's own certificate (DER), or `Problem(issuer.unknown)`."""
        tenant = await self.store.tenant_of(issuer)
        if tenant is None:
            raise Problem(ProblemCode.ISSUER_UNKNOWN, "no such issuer")
        return (await self.store.get_issuer(platform_acts(tenant, "crl"), issuer)).certificate


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
        _require_valid(key, signature, data)
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


def _require_valid(key: SigningKey, signature: bytes, octets: bytes) -> None:
    try:
        verify(key.public_key, key.signature_algorithm, signature, octets)
    except SignatureInvalid as error:
        raise Problem(ProblemCode.SIGNER_UNAVAILABLE, "the signature does not verify") from error
