"""REST operations on certification authorities, and on what stops them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any, TypeVar

from tegata.issuance.authorities import AuthorityService, issuer_stop, platform_stop, tenant_stop
from tegata.issuance.installed import pem_certificates
from tegata.issuance.model import Issuer, PendingAuthority, PolicyDocument, StopCause
from tegata.kernel.ids import IssuerId, TenantId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.protocols.rest.authority_bodies import (
    InstalledCertificate,
    IssuerBody,
    IssuerPage,
    NewIssuer,
    NewPolicyDocument,
    PolicyBody,
    PolicyPage,
    Rekey,
    StopBody,
    issuer_body,
    key_algorithm,
    new_authority,
    pending_body,
    policy_body,
    signature_algorithm,
)
from tegata.protocols.rest.bodies import RevocationRequest
from tegata.protocols.rest.operation import Answer, Call, NoBody, Operation
from tegata.protocols.rest.pages import PAGE_LIMIT, after_id, after_parameter, page, page_limit
from tegata.registration.model import CertificateQuery, FingerprintMatch
from tegata.revocation.rules import parse_reason
from tegata.tenancy.model import Action

B = TypeVar("B")

_LANGUAGES = ("en", "ja")
_MEDIA_TYPES = ("text/markdown", "text/plain")
_POLICIES_SHOWN = 100


async def create_issuer(call: Call[NewIssuer]) -> Answer:
    """A CA at any depth, or one that waits for a certificate from elsewhere."""
    authorities, scope = call.services.authorities, call.principal.scope
    new = new_authority(call.body)
    if call.body.external:
        call.principal.require_every_issuer()
        if call.body.parent is not None:
            raise Problem(ProblemCode.REQUEST_MALFORMED, "an external CA has no parent here")
        pending = await authorities.request(scope, new, call.digest)
        return Answer(pending_body(pending), f"/v1/issuers/{pending.id}")
    if call.body.parent is None:
        call.principal.require_every_issuer()
    else:
        call.principal.require_issuer(IssuerId(call.body.parent))
    parent = IssuerId(call.body.parent) if call.body.parent is not None else None
    created = await authorities.create(scope, parent, new, call.digest)
    return Answer(
        await _body(call.services.authorities, created, call), f"/v1/issuers/{created.id}"
    )


async def list_issuers(call: Call[NoBody]) -> Answer:
    """The tenant's certification authorities."""
    authorities, limit = call.services.authorities, page_limit(call.query)
    found = await authorities.after(
        call.principal.scope, call.principal.token.issuers, after_id(call.query, "iss"), limit + 1
    )
    items = [
        pending_body(each)
        if isinstance(each, PendingAuthority)
        else issuer_body(each, authorities.state(each), [])
        for each in found
    ]
    return Answer(IssuerPage(*page(items, limit)))


async def get_issuer(call: Call[NoBody]) -> Answer:
    """One certification authority."""
    issuer = _issuer(call)
    pending = await call.services.authorities.store.find_pending_issuer(
        call.principal.scope, issuer
    )
    if pending is not None:
        return Answer(pending_body(pending))
    return await _answer(call, issuer)


async def install_certificate(call: Call[InstalledCertificate]) -> Answer:
    """Install a certificate from elsewhere."""
    chain = pem_certificates(call.body.certificate)
    issuer = _issuer(call)
    installed = await call.services.authorities.install(
        call.principal.scope, issuer, chain, call.digest
    )
    return Answer(await _body(call.services.authorities, installed, call))


async def rekey_issuer(call: Call[Rekey]) -> Answer:
    """The next generation of an issuer."""
    wanted = key_algorithm(call.body.key_algorithm) if call.body.key_algorithm else None
    created = await call.services.authorities.rekey(
        call.principal.scope,
        _issuer(call),
        call.digest,
        wanted,
        signature_algorithm(call.body.signature_algorithm),
    )
    if isinstance(created, PendingAuthority):
        body = pending_body(created)
    else:
        body = await _body(call.services.authorities, created, call)
    return Answer(body, f"/v1/issuers/{created.id}")


async def disable_issuer(call: Call[NoBody]) -> Answer:
    """Issue no more, until it is enabled again."""
    return await _set(call, StopCause.DISABLED)


async def enable_issuer(call: Call[NoBody]) -> Answer:
    """Issue again."""
    return await _set(call, StopCause.DISABLED, lift=True)


async def retire_issuer(call: Call[NoBody]) -> Answer:
    """Issue no more, for good; what it issued keeps its status."""
    return await _set(call, StopCause.RETIRED)


async def stop_issuer(call: Call[NoBody]) -> Answer:
    """Stop issuance by an issuer."""
    return await _set(call, StopCause.STOPPED)


async def resume_issuer(call: Call[NoBody]) -> Answer:
    """Take the stop of an issuer back."""
    return await _set(call, StopCause.STOPPED, lift=True)


async def revoke_issuer(call: Call[RevocationRequest]) -> Answer:
    """Revoke a subordinate CA's certificate in its parent's CRL; it issues no more."""
    scope, authorities = call.principal.scope, call.services.authorities
    issuer = await call.services.enrolment.get_issuer(scope, _issuer(call))
    if issuer.parent is None:
        raise Problem(ProblemCode.REQUEST_MALFORMED, "its certificate is not one of the tenant's")
    parse_reason(call.body.reason, of_ca=True)
    # First it issues no more: a crash between the two leaves nothing that goes on.
    await authorities.stop(scope, issuer_stop(scope, issuer.id, StopCause.REVOKED), call.digest)
    digest = hashlib.sha256(issuer.certificate).hexdigest()
    query = CertificateQuery(fingerprint=FingerprintMatch(digest))
    page = await call.services.enrolment.search(scope, query)
    for entry in page.entries:
        await call.services.revocation.revoke(scope, entry.id, call.body.reason, call.digest)
    return await _answer(call, issuer.id)


async def stop_issuance(call: Call[NoBody]) -> Answer:
    """Stop all issuance of the tenant."""
    return await _switch(call, platform=False, lift=False)


async def resume_issuance(call: Call[NoBody]) -> Answer:
    """Take the tenant's stop back."""
    return await _switch(call, platform=False, lift=True)


async def stop_platform(call: Call[NoBody]) -> Answer:
    """Stop all issuance of all tenants (operators only)."""
    return await _switch(call, platform=True, lift=False)


async def resume_platform(call: Call[NoBody]) -> Answer:
    """Take the platform's stop back."""
    return await _switch(call, platform=True, lift=True)


async def stop_tenant(call: Call[NoBody]) -> Answer:
    """Stop all issuance of a tenant (operators only)."""
    return await _switch_tenant(call, lift=False)


async def resume_tenant_issuance(call: Call[NoBody]) -> Answer:
    """Take the operator's stop of a tenant back."""
    return await _switch_tenant(call, lift=True)


async def put_policy(call: Call[NewPolicyDocument]) -> Answer:
    """Publish a new version of an issuer's policy document."""
    body = call.body
    if body.language not in _LANGUAGES or body.media_type not in _MEDIA_TYPES:
        raise Problem(
            ProblemCode.REQUEST_MALFORMED,
            f"language is {' or '.join(_LANGUAGES)}, media_type {' or '.join(_MEDIA_TYPES)}",
        )
    document = PolicyDocument(
        _issuer(call), 0, body.title, body.language, body.media_type, body.text, _NO_TIME
    )
    kept = await call.services.authorities.put_policy(call.principal.scope, document, call.digest)
    return Answer(policy_body(kept))


async def list_policies(call: Call[NoBody]) -> Answer:
    """An issuer's policy documents."""
    scope, issuer = call.principal.scope, _issuer(call)
    await call.services.enrolment.get_issuer(scope, issuer)
    found = await call.services.authorities.store.list_policies(
        scope, issuer, None, _POLICIES_SHOWN
    )
    return Answer(PolicyPage([policy_body(each) for each in found], None))


_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def _issuer(call: Call[B]) -> IssuerId:
    issuer = IssuerId(call.path["issuer"])
    call.principal.require_issuer(issuer)
    return issuer


async def _answer(call: Call[B], issuer: IssuerId) -> Answer:
    found = await call.services.enrolment.get_issuer(call.principal.scope, issuer)
    return Answer(await _body(call.services.authorities, found, call))


async def _body(authorities: AuthorityService, issuer: Issuer, call: Call[B]) -> IssuerBody:
    links = await authorities.links(call.principal.scope, issuer.id)
    return issuer_body(issuer, authorities.state(issuer), links)


async def _set(call: Call[NoBody], cause: StopCause, *, lift: bool = False) -> Answer:
    scope, issuer = call.principal.scope, _issuer(call)
    await call.services.enrolment.get_issuer(scope, issuer)
    authorities = call.services.authorities
    act = authorities.resume if lift else authorities.stop
    await act(scope, issuer_stop(scope, issuer, cause), call.digest)
    return await _answer(call, issuer)


async def _switch(call: Call[NoBody], *, platform: bool, lift: bool) -> Answer:
    call.principal.require_every_issuer()
    scope, authorities = call.principal.scope, call.services.authorities
    stop = platform_stop() if platform else tenant_stop(scope, scope.tenant)
    await (authorities.resume if lift else authorities.stop)(scope, stop, call.digest)
    return Answer(StopBody("platform" if platform else scope.tenant, not lift))


async def _switch_tenant(call: Call[NoBody], *, lift: bool) -> Answer:
    scope, authorities = call.principal.scope, call.services.authorities
    tenant = await call.services.tenants.get_tenant(scope, TenantId(call.path["tenant"]))
    stop = tenant_stop(scope, tenant.id)
    await (authorities.resume if lift else authorities.stop)(scope, stop, call.digest)
    return Answer(StopBody(tenant.id, not lift))


def _state_operations() -> tuple[Operation[NoBody], ...]:
    manage, stop = Action.ISSUERS_MANAGE, Action.ISSUANCE_STOP
    acts = (
        ("disable", "Have an issuer issue no more for now", disable_issuer, manage),
        ("enable", "Have a disabled issuer issue again", enable_issuer, manage),
        ("retire", "Have an issuer issue no more, for good", retire_issuer, manage),
        ("stop", "Stop issuance by an issuer", stop_issuer, stop),
        ("resume", "Take the stop of an issuer back", resume_issuer, stop),
    )
    return tuple(
        Operation(
            "POST", f"/v1/issuers/{{issuer}}/{name}", f"{name}Issuer", summary, action,
            f"issuance:issuer:{name}", NoBody, IssuerBody, 200, act,
        )
        for name, summary, act, action in acts
    )  # fmt: skip


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        "GET", "/v1/issuers", "listIssuers", "List certification authorities",
        Action.ISSUERS_READ, "issuance:issuer:list", NoBody, IssuerPage, 200, list_issuers,
        (PAGE_LIMIT, after_parameter("iss")),
    ),
    Operation(
        "GET", "/v1/issuers/{issuer}", "getIssuer", "Get a certification authority",
        Action.ISSUERS_READ, "issuance:issuer:get", NoBody, IssuerBody, 200, get_issuer,
    ),
    Operation(
        "POST", "/v1/issuers", "createIssuer", "Create a certification authority",
        Action.ISSUERS_MANAGE, "issuance:issuer:create", NewIssuer, IssuerBody, 201, create_issuer,
    ),
    Operation(
        "POST", "/v1/issuers/{issuer}/certificate", "installIssuerCertificate",
        "Install a certificate from elsewhere", Action.ISSUERS_MANAGE, "issuance:issuer:install",
        InstalledCertificate, IssuerBody, 200, install_certificate,
    ),
    Operation(
        "POST", "/v1/issuers/{issuer}/rekey", "rekeyIssuer", "Make an issuer's next generation",
        Action.ISSUERS_MANAGE, "issuance:issuer:rekey", Rekey, IssuerBody, 201, rekey_issuer,
    ),
    *_state_operations(),
    Operation(
        "POST", "/v1/issuers/{issuer}/revoke", "revokeIssuer",
        "Revoke a subordinate CA's certificate", Action.ISSUERS_MANAGE, "issuance:issuer:revoke",
        RevocationRequest, IssuerBody, 200, revoke_issuer,
    ),
    Operation(
        "PUT", "/v1/issuers/{issuer}/policies", "putIssuerPolicy",
        "Publish a version of an issuer's policy document", Action.ISSUERS_MANAGE,
        "issuance:issuer:publish-policy", NewPolicyDocument, PolicyBody, 200, put_policy,
    ),
    Operation(
        "GET", "/v1/issuers/{issuer}/policies", "listIssuerPolicies",
        "List an issuer's policy documents", Action.ISSUERS_READ, "issuance:issuer:list-policies",
        NoBody, PolicyPage, 200, list_policies,
    ),
    Operation(
        "POST", "/v1/issuance/stop", "stopIssuance",
        "Stop all issuance of the tenant", Action.ISSUANCE_STOP,
        "issuance:stop:set", NoBody, StopBody, 200, stop_issuance,
    ),
    Operation(
        "POST", "/v1/issuance/resume", "resumeIssuance", "Take that stop back",
        Action.ISSUANCE_STOP, "issuance:stop:lift", NoBody, StopBody, 200, resume_issuance,
    ),
    Operation(
        "POST", "/v1/platform/stop", "stopPlatform",
        "Stop all issuance of the platform (operators only)", Action.TENANTS_MANAGE,
        "issuance:stop:set", NoBody, StopBody, 200, stop_platform,
    ),
    Operation(
        "POST", "/v1/platform/resume", "resumePlatform", "Take that stop back (operators only)",
        Action.TENANTS_MANAGE, "issuance:stop:lift", NoBody, StopBody, 200, resume_platform,
    ),
    Operation(
        "POST", "/v1/tenants/{tenant}/stop", "stopTenantIssuance",
        "Stop all issuance of a tenant (operators only)", Action.TENANTS_MANAGE,
        "issuance:stop:set", NoBody, StopBody, 200, stop_tenant,
    ),
    Operation(
        "POST", "/v1/tenants/{tenant}/resume-issuance", "resumeTenantIssuance",
        "Take an operator's stop of a tenant back (operators only)", Action.TENANTS_MANAGE,
        "issuance:stop:lift", NoBody, StopBody, 200, resume_tenant_issuance,
    ),
)  # fmt: skip
