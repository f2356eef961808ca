"""REST operations on tokens, tenants and the audit record."""

from __future__ import annotations

from tegata.kernel.ids import IssuerId, TenantId, TokenId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope
from tegata.protocols.rest.bodies import (
    EventPage,
    NewTenant,
    NewTenantToken,
    NewToken,
    TenantBody,
    TenantPage,
    TokenBody,
    TokenPage,
    event_body,
    tenant_body,
    token_body,
)
from tegata.protocols.rest.operation import Answer, Call, NoBody, Operation, Parameter
from tegata.protocols.rest.pages import PAGE_LIMIT, after_id, after_parameter, page, page_limit
from tegata.tenancy.model import Action


async def create_token(call: Call[NewToken]) -> Answer:
    """A new token, within the bounds of the one that asks."""
    try:
        actions = (
            None if call.body.actions is None else [Action(each) for each in call.body.actions]
        )
    except ValueError as error:
        known = ", ".join(sorted(Action))
        raise Problem(ProblemCode.REQUEST_MALFORMED, f"actions are {known}") from error
    issuers = None if call.body.issuers is None else [IssuerId(each) for each in call.body.issuers]
    token, secret = await call.services.tokens.create(
        call.principal.scope,
        call.body.name,
        actions,
        issuers,
        within=call.principal,
        request_digest=call.digest,
    )
    return Answer(token_body(token, secret))


async def list_tokens(call: Call[NoBody]) -> Answer:
    """The tenant's tokens, without their secrets."""
    limit = page_limit(call.query)
    tokens = await call.services.tokens.after(
        call.principal.scope, after_id(call.query, "tok"), limit + 1
    )
    return Answer(TokenPage(*page([token_body(token) for token in tokens], limit)))


async def revoke_token(call: Call[NoBody]) -> Answer:
    """Revoke a token, for good."""
    await call.services.tokens.revoke(
        call.principal.scope, TokenId(call.path["token"]), call.digest
    )
    return Answer(None)


async def open_tenant(call: Call[NewTenant]) -> Answer:
    """A new tenant with a root, an issuing CA and a token for its administrator."""
    scope = call.principal.scope
    tenant, issuing = await call.services.tenants.open_tenant(scope, call.body.name, call.digest)
    _token, secret = await call.services.tokens.create(
        TenantScope(tenant.id, scope.actor), "administrator", request_digest=call.digest
    )
    body = tenant_body(tenant)
    body.issuer, body.token = issuing.id, secret
    return Answer(body)


async def create_tenant_token(call: Call[NewTenantToken]) -> Answer:
    """A new administrator's token for a tenant that has lost its own, or never got it."""
    scope = call.principal.scope
    tenant = await call.services.tenants.get_tenant(scope, TenantId(call.path["tenant"]))
    token, secret = await call.services.tokens.create(
        TenantScope(tenant.id, scope.actor), call.body.name, request_digest=call.digest
    )
    return Answer(token_body(token, secret))


async def suspend_tenant(call: Call[NoBody]) -> Answer:
    """Refuse a tenant's tokens from now on."""
    tenant = await call.services.tenants.suspend(
        call.principal.scope, TenantId(call.path["tenant"]), call.digest
    )
    return Answer(tenant_body(tenant))


async def resume_tenant(call: Call[NoBody]) -> Answer:
    """Let a suspended tenant work again."""
    tenant = await call.services.tenants.resume(
        call.principal.scope, TenantId(call.path["tenant"]), call.digest
    )
    return Answer(tenant_body(tenant))


async def list_tenants(call: Call[NoBody]) -> Answer:
    """The platform's tenants."""
    limit = page_limit(call.query)
    tenants = await call.services.tenants.tenants_after(
        call.principal.scope, after_id(call.query, "ten"), limit + 1
    )
    return Answer(TenantPage(*page([tenant_body(tenant) for tenant in tenants], limit)))


async def list_events(call: Call[NoBody]) -> Answer:
    """The tenant's own record of acts and refusals, oldest first."""
    text = call.query.get("after", "0")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Problem(ProblemCode.REQUEST_MALFORMED, "after is a sequence number")
    limit = page_limit(call.query)
    events = await call.services.tenants.list_events(call.principal.scope, int(text), limit)
    following = str(events[-1].sequence) if len(events) == limit else None
    return Answer(EventPage([event_body(event) for event in events], following))


# What has at most 18 digits.
_SEQUENCE_MAXIMUM = 10**18 - 1

OPERATIONS = (
    Operation(
        "POST", "/v1/tokens", "createToken", "Create a token", Action.TOKENS_MANAGE,
        "tenancy:token:create", NewToken, TokenBody, 201, create_token,
    ),
    Operation(
        "GET", "/v1/tokens", "listTokens", "List tokens", Action.TOKENS_MANAGE,
        "tenancy:token:list", NoBody, TokenPage, 200, list_tokens,
        (PAGE_LIMIT, after_parameter("tok")),
    ),
    Operation(
        "DELETE", "/v1/tokens/{token}", "revokeToken", "Revoke a token", Action.TOKENS_MANAGE,
        "tenancy:token:revoke", NoBody, None, 204, revoke_token,
    ),
    Operation(
        "GET", "/v1/events", "listEvents", "Read the tenant's audit record", Action.EVENTS_READ,
        "audit:event:list", NoBody, EventPage, 200, list_events,
        (
            PAGE_LIMIT,
            Parameter(
                "after", "a sequence number",
                {"type": "integer", "minimum": 0, "maximum": _SEQUENCE_MAXIMUM, "default": 0},
            ),
        ),
    ),
    Operation(
        "POST", "/v1/tenants", "openTenant", "Open a tenant (operators only)",
        Action.TENANTS_MANAGE, "tenancy:tenant:open", NewTenant, TenantBody, 201, open_tenant,
    ),
    Operation(
        "POST", "/v1/tenants/{tenant}/tokens", "createTenantToken",
        "Create an administrator's token for a tenant (operators only)",
        Action.TENANTS_MANAGE, "tenancy:tenant:create-token", NewTenantToken, TokenBody, 201,
        create_tenant_token,
    ),
    Operation(
        "POST", "/v1/tenants/{tenant}/suspend", "suspendTenant",
        "Suspend a tenant (operators only)", Action.TENANTS_MANAGE, "tenancy:tenant:suspend",
        NoBody, TenantBody, 200, suspend_tenant,
    ),
    Operation(
        "POST", "/v1/tenants/{tenant}/resume", "resumeTenant",
        "Let a suspended tenant work again (operators only)", Action.TENANTS_MANAGE,
        "tenancy:tenant:resume", NoBody, TenantBody, 200, resume_tenant,
    ),
    Operation(
        "GET", "/v1/tenants", "listTenants", "List tenants (operators only)",
        Action.TENANTS_MANAGE, "tenancy:tenant:list", NoBody, TenantPage, 200, list_tenants,
        (PAGE_LIMIT, after_parameter("ten")),
    ),
)  # fmt: skip
