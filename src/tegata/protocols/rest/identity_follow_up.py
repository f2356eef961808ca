"""REST operations on what follows a verification: consents, watches."""

from __future__ import annotations

import base64
import binascii

from tegata.identity.consent import ConsentId
from tegata.identity.consents import GivenConsent
from tegata.identity.model import SessionId
from tegata.kernel.ids import parse_id
from tegata.kernel.problem import Problem, ProblemCode
from tegata.protocols.rest.identity_follow_up_bodies import (
    ConsentBody,
    LatestAttributesBody,
    NewConsent,
    NewWatch,
    WatchBody,
    consent_body,
    latest_body,
    watch_body,
)
from tegata.protocols.rest.operation import Answer, Body, Call, NoBody, Operation
from tegata.tenancy.model import Action


async def obtain_consent(call: Call[NewConsent]) -> Answer:
    """Have a consent held by J-LIS."""
    body = call.body
    parse_id("ivs", body.session, ProblemCode.SESSION_UNKNOWN)
    given = GivenConsent(
        SessionId(body.session), body.text, octets_of("certificate", body.certificate),
        octets_of("signature", body.signature),
    )  # fmt: skip
    consents = call.services.identity.consents
    consent = await consents.obtain(call.principal.scope, given, call.digest)
    return Answer(consent_body(consent), f"/v1/identity/consents/{consent.id}")


async def inquire_consent(call: Call[NoBody]) -> Answer:
    """A consent as J-LIS holds it now."""
    consents = call.services.identity.consents
    found = await consents.inquire(call.principal.scope, _consent_id(call), call.digest)
    return Answer(consent_body(found))


async def withdraw_consent(call: Call[NoBody]) -> Answer:
    """End a consent."""
    consents = call.services.identity.consents
    changed = await consents.withdraw(call.principal.scope, _consent_id(call), call.digest)
    return Answer(consent_body(changed))


async def latest_attributes(call: Call[NoBody]) -> Answer:
    """The person's attributes of today."""
    consents = call.services.identity.consents
    found = await consents.latest_attributes(call.principal.scope, _consent_id(call), call.digest)
    return Answer(latest_body(found))


async def set_watch(call: Call[NewWatch]) -> Answer:
    """Watch what users showed, and tell of changes."""
    body = call.body
    watch = await call.services.identity.watches.set(
        call.principal.scope, body.url, body.hours, body.status, call.digest
    )
    return Answer(watch_body(watch, fresh=True))


async def get_watch(call: Call[NoBody]) -> Answer:
    """The tenant's watch."""
    found = await call.services.identity.watches.get(call.principal.scope)
    return Answer(watch_body(found, fresh=False))


async def remove_watch(call: Call[NoBody]) -> Answer:
    """Watch no more."""
    await call.services.identity.watches.remove(call.principal.scope, call.digest)
    return Answer(None)


def octets_of(name: str, text: str) -> bytes:
    """The octets of base64; `Problem(request.malformed)`."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Problem(ProblemCode.REQUEST_MALFORMED, f"{name} is not base64") from error


def _consent_id(call: Call[Body]) -> ConsentId:
    text = call.path["consent"]
    parse_id("cns", text, ProblemCode.CONSENT_UNKNOWN)
    return ConsentId(text)


OPERATIONS = (
    Operation(
        "POST", "/v1/identity/consents", "obtainConsent", "Have a consent held by J-LIS",
        Action.IDENTITY_ATTRIBUTES, "identity:consent:obtain", NewConsent, ConsentBody, 201,
        obtain_consent,
    ),
    Operation(
        "GET", "/v1/identity/consents/{consent}", "inquireConsent",
        "Show a consent as J-LIS holds it", Action.IDENTITY_ATTRIBUTES,
        "identity:consent:inquire", NoBody, ConsentBody, 200, inquire_consent,
    ),
    Operation(
        "POST", "/v1/identity/consents/{consent}/withdraw", "withdrawConsent", "End a consent",
        Action.IDENTITY_ATTRIBUTES, "identity:consent:withdraw", NoBody, ConsentBody, 200,
        withdraw_consent,
    ),
    Operation(
        "POST", "/v1/identity/consents/{consent}/attributes", "latestAttributes",
        "Get the attributes of today with a consent", Action.IDENTITY_ATTRIBUTES,
        "identity:consent:latest-attributes", NoBody, LatestAttributesBody, 200,
        latest_attributes,
    ),
    Operation(
        "PUT", "/v1/identity/watch", "setWatch", "Watch what users showed", Action.IDENTITY_MANAGE,
        "identity:watch:set", NewWatch, WatchBody, 200, set_watch,
    ),
    Operation(
        "GET", "/v1/identity/watch", "getWatch", "Show the watch", Action.IDENTITY_MANAGE,
        "identity:watch:show", NoBody, WatchBody, 200, get_watch,
    ),
    Operation(
        "DELETE", "/v1/identity/watch", "removeWatch", "Watch no more", Action.IDENTITY_MANAGE,
        "identity:watch:remove", NoBody, None, 204, remove_watch,
    ),
)  # fmt: skip
