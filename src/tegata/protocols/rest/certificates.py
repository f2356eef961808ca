"""REST operations on certificates and issuers."""

from __future__ import annotations

from typing import Any

from tegata.issuance.model import IssuedCertificate, Issuer
from tegata.kernel.ids import CertificateId, IssuerId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.profiles.catalogue import CA_PROFILES
from tegata.protocols.rest.bodies import (
    CertificateBody,
    CertificatePage,
    NewCertificate,
    RekeyRequest,
    RevocationRequest,
    certificate_body,
    certificate_item,
)
from tegata.protocols.rest.download import FORMS, chosen_form, download
from tegata.protocols.rest.operation import Answer, Call, NoBody, Operation, Parameter
from tegata.protocols.rest.search import SEARCH_PARAMETERS, certificate_query
from tegata.protocols.rest.server_keys import issue_with_server_key
from tegata.registration.model import Succession
from tegata.revocation.model import CertificateStatus, Status
from tegata.revocation.rules import parse_reason
from tegata.tenancy.model import Action


async def issue_certificate(call: Call[NewCertificate]) -> Answer:
    """A certificate for a certification request, or with a key that the platform makes."""
    issuer = IssuerId(call.body.issuer)
    call.principal.require_issuer(issuer)
    if call.body.csr is None:
        return await issue_with_server_key(call)
    if call.body.key is not None or call.body.subject or call.body.names:
        raise Problem(ProblemCode.REQUEST_MALFORMED, "a csr says names and key itself")
    certificate, found = await call.services.enrolment.request_certificate(
        call.principal.scope,
        issuer,
        call.body.profile,
        call.body.csr,
        call.digest,
        call.idempotency_key,
    )
    status = CertificateStatus(Status.GOOD)
    if call.idempotency_key is not None:
        status = await call.services.revocation.status(call.principal.scope, certificate)
    body = certificate_body(certificate, found, status)
    return Answer(body, f"/v1/certificates/{certificate.id}")


async def get_certificate(call: Call[NoBody]) -> Answer:
    """One certificate and its status."""
    scope = call.principal.scope
    certificate, issuer = await call.services.enrolment.find(
        scope, CertificateId(call.path["certificate"])
    )
    call.principal.require_issuer(issuer.id)
    form = chosen_form(call.query, call.accept)
    if form is not None:
        return Answer(None, download=download(form, certificate, issuer))
    status = await call.services.revocation.status(scope, certificate)
    succession = await call.services.renewal.succession(scope, certificate.id)
    return Answer(certificate_body(certificate, issuer, status, succession))


async def renew_certificate(call: Call[NoBody]) -> Answer:
    """A new validity for a certificate's key and names."""
    scope, identifier = call.principal.scope, CertificateId(call.path["certificate"])
    await _require_own(call, identifier)
    issued, issuer = await call.services.renewal.renew(
        scope, identifier, call.digest, call.idempotency_key
    )
    return await _replaced(call, issued, issuer, identifier)


async def rekey_certificate(call: Call[RekeyRequest]) -> Answer:
    """A new validity for a certificate's names, and a new key."""
    scope, identifier = call.principal.scope, CertificateId(call.path["certificate"])
    await _require_own(call, identifier)
    issued, issuer = await call.services.renewal.rekey(
        scope, identifier, call.body.csr, call.digest, call.idempotency_key
    )
    return await _replaced(call, issued, issuer, identifier)


async def _require_own(call: Call[Any], identifier: CertificateId) -> None:
    certificate, _issuer = await call.services.enrolment.find(call.principal.scope, identifier)
    call.principal.require_issuer(certificate.issuer)


async def _replaced(
    call: Call[Any], issued: IssuedCertificate, issuer: Issuer, predecessor: CertificateId
) -> Answer:
    status = await call.services.revocation.status(call.principal.scope, issued)
    body = certificate_body(issued, issuer, status, Succession(predecessor))
    return Answer(body, f"/v1/certificates/{issued.id}")


async def list_certificates(call: Call[NoBody]) -> Answer:
    """Certificates, in the order of what is searched by."""
    query = certificate_query(call)
    if query.issuer is not None:
        call.principal.require_issuer(query.issuer)
    page = await call.services.enrolment.search(call.principal.scope, query)
    successors = await call.services.renewal.successors(
        call.principal.scope, [entry.id for entry in page.entries]
    )
    items = [certificate_item(entry, successors.get(entry.id)) for entry in page.entries]
    return Answer(CertificatePage(items, page.following))


async def revoke_certificate(call: Call[RevocationRequest]) -> Answer:
    """Revoke a certificate for good, or put it on hold."""
    scope = call.principal.scope
    certificate, issuer = await call.services.enrolment.find(
        scope, CertificateId(call.path["certificate"])
    )
    call.principal.require_issuer(issuer.id)
    if certificate.profile in CA_PROFILES:
        parse_reason(call.body.reason, of_ca=True)
        # First it issues no more: a crash between the two leaves nothing that goes on.
        await call.services.authorities.stop_revoked(scope, certificate.der, call.digest)
    revoked, status = await call.services.revocation.revoke(
        scope, certificate.id, call.body.reason, call.digest, call.body.invalidity_date
    )
    return Answer(certificate_body(revoked, issuer, status))


async def release_certificate(call: Call[NoBody]) -> Answer:
    """Take back the hold of a certificate."""
    scope = call.principal.scope
    certificate, issuer = await call.services.enrolment.find(
        scope, CertificateId(call.path["certificate"])
    )
    call.principal.require_issuer(issuer.id)
    released, status = await call.services.revocation.release(scope, certificate.id, call.digest)
    return Answer(certificate_body(released, issuer, status))


OPERATIONS = (
    Operation(
        "POST", "/v1/certificates", "issueCertificate", "Issue a certificate",
        Action.CERTIFICATES_ISSUE, "issuance:certificate:issue",
        NewCertificate, CertificateBody, 201, issue_certificate, idempotent=True,
        secret=b"password",
    ),
    Operation(
        "GET", "/v1/certificates", "listCertificates", "List and search certificates",
        Action.CERTIFICATES_READ, "registration:certificate:list",
        NoBody, CertificatePage, 200, list_certificates,
        SEARCH_PARAMETERS,
    ),
    Operation(
        "GET", "/v1/certificates/{certificate}", "getCertificate", "Get a certificate",
        Action.CERTIFICATES_READ, "registration:certificate:get",
        NoBody, CertificateBody, 200, get_certificate,
        (Parameter("format", "; ".join(("json", *FORMS)) + "; goes before Accept"),),
        media_types=tuple(form.media_type for form in FORMS.values()),
    ),
    Operation(
        "POST", "/v1/certificates/{certificate}/revoke", "revokeCertificate",
        "Revoke a certificate", Action.CERTIFICATES_REVOKE, "revocation:certificate:revoke",
        RevocationRequest, CertificateBody, 200, revoke_certificate,
    ),
    Operation(
        "POST", "/v1/certificates/{certificate}/renew", "renewCertificate",
        "Renew a certificate: same key and names, new validity",
        Action.CERTIFICATES_ISSUE, "registration:certificate:renew",
        NoBody, CertificateBody, 201, renew_certificate, idempotent=True,
    ),
    Operation(
        "POST", "/v1/certificates/{certificate}/rekey", "rekeyCertificate",
        "Re-key a certificate: same names, new key and validity",
        Action.CERTIFICATES_ISSUE, "registration:certificate:rekey",
        RekeyRequest, CertificateBody, 201, rekey_certificate, idempotent=True,
    ),
    Operation(
        "POST", "/v1/certificates/{certificate}/release", "releaseCertificate",
        "Release a certificate that is on hold", Action.CERTIFICATES_REVOKE,
        "revocation:certificate:release",
        NoBody, CertificateBody, 200, release_certificate,
    ),
)  # fmt: skip
