"""REST operations on CAs that are being taken over."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from email.message import Message
from typing import Any, TypeVar

import msgspec

from tegata.issuance.installed import pem_certificates
from tegata.issuance.take_over import CERTIFICATES_MAXIMUM, INDEX_MAXIMUM
from tegata.issuance.taken import TAKEN_PROFILE, NewTakeOver, TakeOver
from tegata.issuance.taken_records import CRL_MAXIMUM, require_number
from tegata.kernel.ids import IssuerId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.pkix.certificate import encode_pem
from tegata.protocols.rest.authority_bodies import KINDS, signature_algorithm
from tegata.protocols.rest.bodies import (
    RequestBody,
    RevocationBody,
    RevocationRequest,
    instant_text,
    revocation_body,
)
from tegata.protocols.rest.operation import Answer, Call, NoBody, Operation, Parameter
from tegata.tenancy.model import Action

B = TypeVar("B")

_SERIAL = re.compile("[0-9a-fA-F]{1,40}")
# PEM or DER, by whatever name the sender knows it.
_FILES = (
    "application/octet-stream", "application/pem-certificate-chain", "application/x-pem-file",
    "application/pkix-cert", "application/pkix-crl", "text/plain",
)  # fmt: skip


class NewTakeOverBody(RequestBody):
    """A CA that is to be taken over. `certificate` is its own and those above it up to a root, in
    PEM; `kind` is root, subordinate or issuing; `crl_number` the last one that it gave."""

    name: str
    kind: str
    certificate: str
    signature_algorithm: str | None = None
    crl_number: int | None = None


class TakeOverBody(msgspec.Struct):
    """How far a take-over is. `state` is open or completing; when it is complete there is an
    issuer with its id instead. The addresses are those that the issuer will have."""

    id: str
    name: str
    kind: str
    state: str
    key_algorithm: str
    signature_algorithm: str
    certificate: str
    crl_number: int | None
    distribution_point: str | None
    revocations_known: bool
    entries: int
    certificates: int
    revoked: int
    created_at: str
    ocsp_url: str
    crl_url: str
    ca_issuers_url: str


class TakeOverPage(msgspec.Struct):
    """The tenant's take-overs, oldest first."""

    items: list[TakeOverBody]
    next: str | None


async def begin(call: Call[NewTakeOverBody]) -> Answer:
    """Begin to take a CA over, with a key that an operator has authorised."""
    call.principal.require_every_issuer()
    body = call.body
    if not 1 <= len(body.name) <= 100 or not body.name.isprintable():
        raise Problem(ProblemCode.REQUEST_MALFORMED, "a name has 1 to 100 printable characters")
    purpose = KINDS.get(body.kind)
    if purpose is None:
        raise Problem(ProblemCode.REQUEST_MALFORMED, f"kind is {', '.join(KINDS)}")
    if body.crl_number is not None:
        require_number(body.crl_number)
    new = NewTakeOver(
        body.name,
        purpose,
        tuple(pem_certificates(body.certificate)),
        signature_algorithm(body.signature_algorithm),
        body.crl_number,
    )
    begun = await call.services.take_overs.begin(call.principal.scope, new, call.digest)
    return Answer(_body(call, begun), f"/v1/take-overs/{begun.id}")


async def list_take_overs(call: Call[NoBody]) -> Answer:
    """The tenant's take-overs that are not complete."""
    call.principal.require_every_issuer()
    found = await call.services.take_overs.list(call.principal.scope)
    return Answer(TakeOverPage([_body(call, each) for each in found], None))


async def show(call: Call[NoBody]) -> Answer:
    """How far one is."""
    return Answer(_body(call, await _find(call)))


async def add_certificates(call: Call[NoBody]) -> Answer:
    """Hand in certificates that the CA issued."""
    scope, issuer = call.principal.scope, (await _find(call)).id
    profile = call.query.get("profile", TAKEN_PROFILE)
    if profile != TAKEN_PROFILE:
        # Who names a profile means one that there is.
        await call.services.profiles.resolve(scope, profile)
    taken = await call.services.take_overs.add_certificates(
        scope, issuer, _file(call, CERTIFICATES_MAXIMUM), profile, call.digest
    )
    return Answer(_body(call, taken))


async def add_index(call: Call[NoBody]) -> Answer:
    """Hand in the CA's index."""
    issuer = (await _find(call)).id
    parts = _file(call, INDEX_MAXIMUM)
    taken = await call.services.take_overs.add_index(
        call.principal.scope, issuer, parts, call.digest
    )
    return Answer(_body(call, taken))


async def add_crl(call: Call[NoBody]) -> Answer:
    """Hand in the last list that the CA made."""
    issuer = (await _find(call)).id
    octets = b"".join([part async for part in _file(call, CRL_MAXIMUM)])
    digest = hashlib.sha256(call.digest + octets).digest()
    taken = await call.services.take_overs.add_crl(call.principal.scope, issuer, octets, digest)
    return Answer(_body(call, taken))


async def complete(call: Call[NoBody]) -> Answer:
    """Have it recorded; when that is done there is an issuer."""
    issuer = _issuer(call)
    work = call.services.take_over_work
    return Answer(_body(call, await work.complete(call.principal.scope, issuer, call.digest)))


async def cancel(call: Call[NoBody]) -> Answer:
    """Forget it."""
    found = await _find(call)
    await call.services.take_over_work.cancel(call.principal.scope, found.id, call.digest)
    return Answer(_body(call, found))


async def revoke_serial(call: Call[RevocationRequest]) -> Answer:
    """Revoke what only the index of a CA that was taken over tells of."""
    issuer, scope = IssuerId(call.path["issuer"]), call.principal.scope
    call.principal.require_issuer(issuer)
    await call.services.enrolment.get_issuer(scope, issuer)
    digits = call.path["serial"]
    if not _SERIAL.fullmatch(digits):
        raise Problem(ProblemCode.CERTIFICATE_UNKNOWN, "a serial number is hexadecimal")
    if call.body.invalidity_date is not None:
        raise Problem(ProblemCode.INVALIDITY_DATE, "nothing is known of when it was valid")
    status = await call.services.revocation.revoke_serial(
        scope, issuer, int(digits, 16), call.body.reason, call.digest
    )
    return Answer(revocation_body(status))


def _issuer(call: Call[B]) -> IssuerId:
    call.principal.require_every_issuer()
    return IssuerId(call.path["take_over"])


async def _find(call: Call[B]) -> TakeOver:
    return await call.services.take_overs.get(call.principal.scope, _issuer(call))


def _file(call: Call[NoBody], maximum: int) -> AsyncIterator[bytes]:
    message = Message()
    message["content-type"] = call.content_type
    if message.get_content_type() not in _FILES or not call.content_type:
        raise Problem(ProblemCode.REQUEST_MEDIA_TYPE, f"send one of {', '.join(_FILES)}")
    return call.parts(maximum)


def _body(call: Call[B], found: TakeOver) -> TakeOverBody:
    ocsp, crl, ca_issuers = call.services.take_overs.store.issuer_urls(found.id)
    return TakeOverBody(
        id=found.id,
        name=found.name,
        kind=found.key.purpose,
        state=found.state,
        key_algorithm=found.key.algorithm,
        signature_algorithm=found.key.signature_algorithm,
        certificate=encode_pem("CERTIFICATE", found.chain[0]),
        crl_number=found.crl_number,
        distribution_point=found.point,
        revocations_known=found.told,
        entries=found.entries,
        certificates=found.certificates,
        revoked=found.revoked,
        created_at=instant_text(found.created_at),
        ocsp_url=ocsp,
        crl_url=crl,
        ca_issuers_url=ca_issuers,
    )


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        "POST", "/v1/take-overs", "beginTakeOver", "Begin to take a CA over",
        Action.ISSUERS_MANAGE, "issuance:take-over:begin", NewTakeOverBody, TakeOverBody, 201,
        begin,
    ),
    Operation(
        "GET", "/v1/take-overs", "listTakeOvers", "List CAs that are being taken over",
        Action.ISSUERS_MANAGE, "issuance:take-over:list", NoBody, TakeOverPage, 200,
        list_take_overs,
    ),
    Operation(
        "GET", "/v1/take-overs/{take_over}", "getTakeOver", "How far a take-over is",
        Action.ISSUERS_MANAGE, "issuance:take-over:get", NoBody, TakeOverBody, 200, show,
    ),
    Operation(
        "POST", "/v1/take-overs/{take_over}/certificates", "addTakeOverCertificates",
        "Hand in certificates that the CA issued (PEM or DER)", Action.ISSUERS_MANAGE,
        "issuance:take-over:add-certificates", NoBody, TakeOverBody, 200, add_certificates,
        (Parameter("profile", f"what they are renewed by; {TAKEN_PROFILE} if left out"),),
        streams=_FILES,
    ),
    Operation(
        "POST", "/v1/take-overs/{take_over}/index", "addTakeOverIndex",
        "Hand in the CA's index (index.txt of OpenSSL)", Action.ISSUERS_MANAGE,
        "issuance:take-over:add-index", NoBody, TakeOverBody, 200, add_index, streams=_FILES,
    ),
    Operation(
        "POST", "/v1/take-overs/{take_over}/crl", "addTakeOverCrl",
        "Hand in the CA's last CRL (PEM or DER)", Action.ISSUERS_MANAGE,
        "issuance:take-over:add-crl", NoBody, TakeOverBody, 200, add_crl, streams=_FILES,
    ),
    Operation(
        "POST", "/v1/take-overs/{take_over}/complete", "completeTakeOver",
        "Have everything recorded; then the CA works", Action.ISSUERS_MANAGE,
        "issuance:take-over:complete", NoBody, TakeOverBody, 202, complete,
    ),
    Operation(
        "POST", "/v1/take-overs/{take_over}/cancel", "cancelTakeOver",
        "Forget a take-over and all that was handed in", Action.ISSUERS_MANAGE,
        "issuance:take-over:cancel", NoBody, TakeOverBody, 200, cancel,
    ),
    Operation(
        "POST", "/v1/issuers/{issuer}/serials/{serial}/revoke", "revokeSerial",
        "Revoke what a CA brought along without its certificate", Action.CERTIFICATES_REVOKE,
        "revocation:serial:revoke", RevocationRequest, RevocationBody, 200, revoke_serial,
    ),
)  # fmt: skip
