"""REST operations on certificates and issuers."""

from __future__ import annotations

from tegata.kernel.ids import CertificateId, IssuerId
from tegata.profiles.catalogue import CA_PROFILES
from tegata.protocols.rest.bodies import (
    CertificateBody,
    CertificatePage,
    NewCertificate,
    RevocationRequest,
    certificate_body,
    certificate_item,
)
from tegata.protocols.rest.download import FORMS, chosen_form, download
from tegata.protocols.rest.operation import Answer, Call, NoBody, Operation, Parameter
from tegata.protocols.rest.search import SEARCH_PARAMETERS, certificate_query
from tegata.revocation.model import CertificateStatus, Status
from tegata.revocation.rules import parse_reason
from tegata.tenancy.model import Action


async def issue_certificate(call: Call[NewCertificate]) -> Answer:
    """A certificate for a certification request."""
    issuer = IssuerId(call.body.issuer)
    call.principal.require_issuer(issuer)
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
    return Answer(certificate_body(certificate, issuer, status))


async def list_certificates(call: Call[NoBody]) -> Answer:
    """Certificates, in the order of what is searched by."""
    query = certificate_query(call)
    if query.issuer is not None:
        call.principal.require_issuer(query.issuer)
    page = await call.services.enrolment.search(call.principal.scope, query)
    return Answer(
        CertificatePage([certificate_item(entry) for entry in page.entries], page.following)
    )


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
        "POST", "/v1/certificates/{certificate}/release", "releaseCertificate",
        "Release a certificate that is on hold", Action.CERTIFICATES_REVOKE,
        "revocation:certificate:release",
        NoBody, CertificateBody, 200, release_certificate,
    ),
)  # fmt: skip
