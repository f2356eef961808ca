"""REST operations on time-stamping authorities."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from tegata.kernel.ids import IssuerId, TimestampAuthorityId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.pkix.certificate import encode_pem
from tegata.protocols.rest.authority_bodies import key_algorithm, signature_algorithm
from tegata.protocols.rest.bodies import Reference, RequestBody, instant_text
from tegata.protocols.rest.operation import (
    Answer,
    Call,
    NoBody,
    Operation,
    Parameter,
    id_schema,
)
from tegata.protocols.rest.pages import PAGE_LIMIT, page_limit
from tegata.tenancy.model import Action
from tegata.timestamping.authorities import PREFIX
from tegata.timestamping.model import NewTimestampAuthority, TimestampAuthority


class NewAuthority(RequestBody):
    """A time-stamping authority that is to be made. `policies` are object identifiers in dotted
    form, the default first; `accuracy_milliseconds` is what its tokens promise."""

    name: str
    issuer: Reference
    policies: list[str]
    key_algorithm: str = "p256"
    signature_algorithm: str | None = None
    accuracy_milliseconds: int = 1000
    ordering: bool = False


class UnitBody(msgspec.Struct):
    """The unit that stamps. It signs until `key_not_after`, and is replaced before that."""

    number: int
    certificate_id: str
    certificate: str
    chain: list[str]
    not_after: str
    key_not_after: str


class AuthorityBody(msgspec.Struct):
    """A time-stamping authority. Where `clock` is assumed its tokens promise no accuracy."""

    id: str
    name: str
    state: str
    issuer: str
    policies: list[str]
    key_algorithm: str
    signature_algorithm: str
    accuracy_milliseconds: int
    ordering: bool
    clock: str
    url: str
    created_at: str
    unit: UnitBody


class AuthorityPage(msgspec.Struct):
    """A page of the tenant's time-stamping authorities, oldest first."""

    items: list[AuthorityBody]
    next: str | None


async def create_authority(call: Call[NewAuthority]) -> Answer:
    """A time-stamping authority, which stamps from now on."""
    body = call.body
    call.principal.require_issuer(IssuerId(body.issuer))
    new = NewTimestampAuthority(
        name=body.name,
        issuer=IssuerId(body.issuer),
        policies=tuple(body.policies),
        algorithm=key_algorithm(body.key_algorithm),
        signature_algorithm=signature_algorithm(body.signature_algorithm),
        accuracy=timedelta(milliseconds=min(max(body.accuracy_milliseconds, -1), 1 << 30)),
        ordering=body.ordering,
    )
    created = await call.services.timestamping.create(call.principal.scope, new, call.digest)
    return Answer(await _body(call, created), f"/v1/timestamp-authorities/{created.id}")


async def list_authorities(call: Call[NoBody]) -> Answer:
    """The tenant's time-stamping authorities."""
    limit = page_limit(call.query)
    scope, after = call.principal.scope, call.query.get("after", "")
    found = await call.services.timestamping.list(scope, after, limit)
    visible = [each for each in found if call.principal.sees_issuer(each.issuer)]
    items = [await _body(call, each) for each in visible]
    return Answer(AuthorityPage(items, found[-1].id if len(found) == limit else None))


async def get_authority(call: Call[NoBody]) -> Answer:
    """One time-stamping authority."""
    return Answer(await _body(call, await _authority(call)))


async def disable_authority(call: Call[NoBody]) -> Answer:
    """Have an authority stamp no more, for good."""
    found = await _authority(call)
    services = call.services
    disabled = await services.timestamping.disable(call.principal.scope, found.id, call.digest)
    services.stamps.forget(found.id)
    return Answer(await _body(call, disabled))


async def _authority(call: Call[NoBody]) -> TimestampAuthority:
    identifier = TimestampAuthorityId(call.path["authority"])
    found = await call.services.timestamping.get(call.principal.scope, identifier)
    if not call.principal.sees_issuer(found.issuer):
        raise Problem(ProblemCode.TIMESTAMP_AUTHORITY_UNKNOWN, "no such authority")
    return found


async def _body(call: Call[Any], authority: TimestampAuthority) -> AuthorityBody:
    services = call.services
    unit, issuer = await services.timestamping.describe(call.principal.scope, authority)
    return AuthorityBody(
        id=authority.id,
        name=authority.name,
        state="active" if authority.disabled_at is None else "disabled",
        issuer=authority.issuer,
        policies=list(authority.policies),
        key_algorithm=authority.algorithm,
        signature_algorithm=authority.signature_algorithm,
        accuracy_milliseconds=authority.accuracy // timedelta(milliseconds=1),
        ordering=authority.ordering,
        clock=services.stamps.clock.trust,
        url=services.timestamping.store.timestamp_url(authority.id),
        created_at=instant_text(authority.created_at),
        unit=UnitBody(
            number=unit.number,
            certificate_id=unit.certificate_id,
            certificate=encode_pem("CERTIFICATE", unit.certificate),
            chain=[encode_pem("CERTIFICATE", each) for each in issuer.chain],
            not_after=instant_text(unit.not_after),
            key_not_after=instant_text(unit.key_until),
        ),
    )


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        "GET", "/v1/timestamp-authorities", "listTimestampAuthorities",
        "List time-stamping authorities", Action.TIMESTAMPS_READ, "timestamping:authority:list",
        NoBody, AuthorityPage, 200, list_authorities,
        (PAGE_LIMIT, Parameter("after", "the `next` of the page before", id_schema(PREFIX))),
    ),
    Operation(
        "GET", "/v1/timestamp-authorities/{authority}", "getTimestampAuthority",
        "Get a time-stamping authority", Action.TIMESTAMPS_READ, "timestamping:authority:get",
        NoBody, AuthorityBody, 200, get_authority,
    ),
    Operation(
        "POST", "/v1/timestamp-authorities", "createTimestampAuthority",
        "Create a time-stamping authority", Action.TIMESTAMPS_MANAGE,
        "timestamping:authority:create", NewAuthority, AuthorityBody, 201, create_authority,
    ),
    Operation(
        "POST", "/v1/timestamp-authorities/{authority}/disable", "disableTimestampAuthority",
        "Have a time-stamping authority stamp no more, for good", Action.TIMESTAMPS_MANAGE,
        "timestamping:authority:disable", NoBody, AuthorityBody, 200, disable_authority,
    ),
)  # fmt: skip
