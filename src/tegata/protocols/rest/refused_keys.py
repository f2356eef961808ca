"""REST operations on keys that must not be certified."""

from __future__ import annotations

from tegata.kernel.problem import Problem, ProblemCode
from tegata.protocols.rest.bodies import (
    AllowedKeys,
    NewRefusedKeys,
    RefusedKeyPage,
    refused_key_body,
)
from tegata.protocols.rest.operation import Answer, Call, NoBody, Operation, Parameter
from tegata.protocols.rest.pages import PAGE_LIMIT, page_limit
from tegata.tenancy.model import Action

_DIGITS = 64


async def refuse_keys(call: Call[NewRefusedKeys]) -> Answer:
    """Refuse keys from now on; an operator's are refused to all tenants."""
    call.principal.require_every_issuer()
    keys = [bytes.fromhex(key) for key in call.body.keys]
    await call.services.refused_keys.refuse(call.principal.scope, keys, call.digest)
    return Answer(None)


async def allow_keys(call: Call[AllowedKeys]) -> Answer:
    """Take keys off the list again: one's own, and none that was compromised."""
    call.principal.require_every_issuer()
    keys = [bytes.fromhex(key) for key in call.body.keys]
    await call.services.refused_keys.allow(call.principal.scope, keys, call.digest)
    return Answer(None)


async def list_refused_keys(call: Call[NoBody]) -> Answer:
    """The tenant's own refused keys, by digest."""
    call.principal.require_every_issuer()
    limit = page_limit(call.query)
    found = await call.services.refused_keys.list(call.principal.scope, _after(call), limit)
    items = [refused_key_body(key) for key in found]
    return Answer(RefusedKeyPage(items, items[-1].spki_sha256 if len(items) == limit else None))


def _after(call: Call[NoBody]) -> bytes:
    text = call.query.get("after", "")
    try:
        after = bytes.fromhex(text)
    except ValueError as error:
        raise Problem(ProblemCode.REQUEST_MALFORMED, "after is hexadecimal") from error
    if len(text) not in (0, _DIGITS) or len(after) * 2 != len(text):
        raise Problem(ProblemCode.REQUEST_MALFORMED, f"after has {_DIGITS} digits")
    return after


OPERATIONS = (
    Operation(
        "POST", "/v1/refused-keys", "refuseKeys", "Refuse keys from now on",
        Action.REFUSED_KEYS_MANAGE, "registration:refused-key:add",
        NewRefusedKeys, None, 204, refuse_keys,
    ),
    Operation(
        "POST", "/v1/refused-keys/allow", "allowKeys", "Take keys off the list of refused keys",
        Action.REFUSED_KEYS_MANAGE, "registration:refused-key:allow",
        AllowedKeys, None, 204, allow_keys,
    ),
    Operation(
        "GET", "/v1/refused-keys", "listRefusedKeys", "List refused keys",
        Action.REFUSED_KEYS_MANAGE, "registration:refused-key:list",
        NoBody, RefusedKeyPage, 200, list_refused_keys,
        (
            PAGE_LIMIT,
            Parameter(
                "after", "the `next` of the page before",
                {"type": "string", "pattern": f"^[0-9A-Fa-f]{{{_DIGITS}}}$"},
            ),
        ),
    ),
)  # fmt: skip
