"""Renewal and re-key (RFC 3647 sections 4.6 and 4.7): a certificate in another's place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tegata.issuance.model import IssuedCertificate, Issuer
from tegata.issuance.ports import IssuanceStore
from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import CertificateId
from tegata.kernel.ports import Clock
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope
from tegata.pkix import oids
from tegata.pkix.certificate import TbsCertificate, parse_certificate, parse_tbs_certificate
from tegata.pkix.csr import CertificateRequest, load_request_key, parse_csr
from tegata.pkix.der import CertificateExtension, DerError
from tegata.pkix.names import GeneralName, parse_general_names
from tegata.registration.model import Replacement, Succession
from tegata.registration.ports import RegistrationStore, RegistrationUnit
from tegata.registration.service import Also, EnrolmentService, find_idempotency
from tegata.revocation.model import Status
from tegata.revocation.service import RevocationService

EMPTY_NAME = b"\x30\x00"
# What a successor has from its predecessor; all else is its profile's, or new.
_INHERITED = (oids.SUBJECT_ALTERNATIVE_NAME, oids.NTDS_CA_SECURITY)


@dataclass(frozen=True, slots=True)
class RenewalService:
    """Certificates in the place of others, by the newest version of the same profile.

    Only one that is good, and has not expired, has a successor: a request for it was approved,
    and nothing has been said against it since.
    """

    store: RegistrationStore
    issuers: IssuanceStore
    enrolment: EnrolmentService
    revocation: RevocationService
    clock: Clock

    async def renew(
        self,
        scope: TenantScope,
        certificate: CertificateId,
        request_digest: bytes,
        idempotency_key: str | None = None,
        also: Also | None = None,
    ) -> tuple[IssuedCertificate, Issuer]:
        """A new validity for the same key and names.

        The key is screened again. `Problem` with certificate.unknown, certificate.not-good, and
        what a request for a certificate may be refused with.
        """
        found = await self.store.get_certificate(scope, certificate)
        request = _same_request(found.der)
        return await self._replace(
            scope, found, request, Replacement.RENEW, request_digest, idempotency_key, "", also
        )

    async def rekey(
        self,
        scope: TenantScope,
        certificate: CertificateId,
        csr: str,
        request_digest: bytes,
        idempotency_key: str | None = None,
    ) -> tuple[IssuedCertificate, Issuer]:
        """A new validity for the same names and the key of a PEM request.

        As `renew`; csr.name-refused when the request names anything else, certificate.same-key
        when its key is the certificate's own.
        """
        found = await self.store.get_certificate(scope, certificate)
        request = _new_key(found.der, parse_csr(csr))
        return await self._replace(
            scope, found, request, Replacement.REKEY, request_digest, idempotency_key, csr, None
        )

    async def succession(self, scope: TenantScope, certificate: CertificateId) -> Succession:
        """What a certificate replaced, and by what it was replaced last."""
        return await self.store.find_succession(scope, certificate)

    async def successors(
        self, scope: TenantScope, certificates: Sequence[CertificateId]
    ) -> Mapping[CertificateId, CertificateId]:
        """The last successor of each of the certificates that has one."""
        return await self.store.find_successors(scope, certificates) if certificates else {}

    async def _replace(
        self,
        scope: TenantScope,
        found: IssuedCertificate,
        request: CertificateRequest,
        kind: Replacement,
        request_digest: bytes,
        idempotency_key: str | None,
        csr: str,
        also: Also | None,
    ) -> tuple[IssuedCertificate, Issuer]:
        issuer = await self.issuers.get_issuer(scope, found.issuer)
        idempotency = find_idempotency(idempotency_key, kind, found.id, csr)

        def succeed(unit: RegistrationUnit, issued: IssuedCertificate) -> None:
            unit.add_successor(found.id, issued.id, kind, self.clock.now())
            unit.audit(_event(scope, kind, found, issued, request_digest))
            if also is not None:
                also(unit, issued)

        async def act() -> IssuedCertificate:
            # Within: a retry is answered even if the certificate was revoked meanwhile.
            await self._require_good(scope, found)
            return await self.enrolment.certify(
                scope, issuer, found.profile, request, request_digest, idempotency, succeed
            )

        return await self.enrolment.once(scope, idempotency, act), issuer

    async def _require_good(self, scope: TenantScope, found: IssuedCertificate) -> None:
        status = await self.revocation.status(scope, found)
        if status.status is not Status.GOOD:
            raise Problem(ProblemCode.CERTIFICATE_NOT_GOOD, "it is revoked or on hold")
        if found.not_after < self.clock.now():
            raise Problem(ProblemCode.CERTIFICATE_NOT_GOOD, "it has expired")


def _tbs(der: bytes) -> TbsCertificate:
    return parse_tbs_certificate(parse_certificate(der).tbs)


def _inherited(tbs: TbsCertificate) -> Mapping[str, CertificateExtension]:
    return {name: tbs.extensions[name] for name in _INHERITED if name in tbs.extensions}


def _same_request(der: bytes) -> CertificateRequest:
    """What a certificate was asked for with; its possession was proved then."""
    tbs = _tbs(der)
    key = load_request_key(tbs.public_key)
    return CertificateRequest(tbs.subject, tbs.public_key, key, _inherited(tbs))


def _new_key(der: bytes, request: CertificateRequest) -> CertificateRequest:
    tbs = _tbs(der)
    if request.public_key == tbs.public_key:
        raise Problem(
            ProblemCode.CERTIFICATE_SAME_KEY, "a re-key needs a new key; to keep this one, renew"
        )
    asked, inherited = dict(request.extensions), _inherited(tbs)
    if request.subject not in (EMPTY_NAME, tbs.subject):
        raise Problem(ProblemCode.CSR_NAME_REFUSED, "the subject is not the certificate's")
    for name in _INHERITED:
        given = asked.get(name)
        if given is not None and not _says_the_same(name, given, inherited.get(name)):
            raise Problem(ProblemCode.CSR_NAME_REFUSED, "the names are not the certificate's")
    return replace(request, subject=tbs.subject, extensions={**asked, **inherited})


def _says_the_same(
    name: str, given: CertificateExtension, own: CertificateExtension | None
) -> bool:
    if own is None:
        return False
    if name != oids.SUBJECT_ALTERNATIVE_NAME:
        return given.value == own.value
    try:
        return _names(given) == _names(own)
    except DerError as error:
        raise Problem(ProblemCode.CSR_NAME_REFUSED, str(error)) from error


def _names(extension: CertificateExtension) -> frozenset[tuple[str, str]]:
    """Names without order; host names without case (RFC 4343)."""
    return frozenset(_comparable(name) for name in parse_general_names(extension.value))


def _comparable(name: GeneralName) -> tuple[str, str]:
    value = name.value.lower() if name.kind == "dns" else name.value
    return str(name.kind), f"{value}"


def _event(
    scope: TenantScope,
    kind: Replacement,
    found: IssuedCertificate,
    issued: IssuedCertificate,
    request_digest: bytes,
) -> AuditEvent:
    return AuditEvent(
        actor=scope.actor,
        action=f"registration:certificate:{kind}",
        decision=Decision.ALLOWED,
        subject=f"certificate:{found.id}",
        request_digest=request_digest,
        private={"successor": issued.id},
    )
