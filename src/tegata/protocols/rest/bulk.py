"""REST operations on files with many requests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.message import Message

import msgspec

from tegata.issuance.model import IssuedCertificate
from tegata.issuance.serials import serial_text
from tegata.kernel.ids import IssuerId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.wording import choose_language, translate
from tegata.pkix.certificate import encode_pem
from tegata.protocols.rest.bodies import instant_text
from tegata.protocols.rest.operation import Answer, Call, Download, NoBody, Operation, Parameter
from tegata.protocols.rest.problems import TABLE
from tegata.registration.bulk import LIST_MAXIMUM
from tegata.registration.bulk_csv import BOM, encode_records
from tegata.registration.bulk_model import (
    OCTETS_MAXIMUM,
    RESULTS_KEPT,
    Bulk,
    BulkAct,
    BulkId,
    BulkOrder,
    BulkOutcome,
)
from tegata.tenancy.model import Action

CSV = "text/csv"
# What browsers on Windows call a CSV file, and what tabs make of one.
_TAKEN = (CSV, "text/tab-separated-values", "application/vnd.ms-excel")
_COLUMNS = (
    "row", "reference", "result", "code", "title", "detail", "certificate_id", "serial", "subject",
    "not_after", "certificate",
)  # fmt: skip
_NEEDS = {
    BulkAct.ISSUE: Action.CERTIFICATES_ISSUE,
    BulkAct.RENEW: Action.CERTIFICATES_ISSUE,
    BulkAct.REVOKE: Action.CERTIFICATES_REVOKE,
    BulkAct.HOLD: Action.CERTIFICATES_REVOKE,
    BulkAct.RELEASE: Action.CERTIFICATES_REVOKE,
}


class BulkBody(msgspec.Struct):
    """A file with many requests. `state` is receiving, running, cancelling, cancelled or done;
    `kept_until` says when its results are deleted."""

    id: str
    act: str
    state: str
    rows: int
    succeeded: int
    refused: int
    created_at: str
    finished_at: str | None
    kept_until: str | None


class BulkPage(msgspec.Struct):
    """A page of files, newest first; `next` is the `after` of the next page."""

    items: list[BulkBody]
    next: str | None


async def receive(call: Call[NoBody]) -> Answer:
    """Receive a file; the work on it begins when all of it is here."""
    message = Message()
    message["content-type"] = call.content_type
    if message.get_content_type() not in _TAKEN:
        raise Problem(ProblemCode.REQUEST_MEDIA_TYPE, f"send {CSV}")
    order = _order(call)
    call.principal.require(_NEEDS[order.act])
    if order.issuer is not None:
        call.principal.require_issuer(order.issuer)
        await call.services.enrolment.get_issuer(call.principal.scope, order.issuer)
    bulk = await call.services.bulk.receive(
        call.principal.scope,
        order,
        call.parts(OCTETS_MAXIMUM),
        str(message.get_content_charset() or ""),
    )
    return Answer(_body(bulk), f"/v1/bulk/{bulk.id}")


def _order(call: Call[NoBody]) -> BulkOrder:
    try:
        act = BulkAct(call.query.get("act", ""))
    except ValueError as error:
        acts = ", ".join(BulkAct)
        raise Problem(ProblemCode.REQUEST_MALFORMED, f"act is one of {acts}") from error
    issuer = call.query.get("issuer")
    return BulkOrder(
        act=act,
        issuer=None if issuer is None else IssuerId(issuer),
        profile=call.query.get("profile"),
        reason=call.query.get("reason", "unspecified"),
        visible=call.principal.token.issuers,
    )


async def _find(call: Call[NoBody]) -> Bulk:
    bulk = await call.services.bulk.get(call.principal.scope, BulkId(call.path["bulk"]))
    own = call.principal.token.issuers
    if own is not None and not (bulk.order.visible is not None and bulk.order.visible <= own):
        raise Problem(ProblemCode.AUTHORIZATION_DENIED, "the token is for other issuers")
    return bulk


async def show(call: Call[NoBody]) -> Answer:
    """How far a file is."""
    return Answer(_body(await _find(call)))


async def list_files(call: Call[NoBody]) -> Answer:
    """The tenant's files."""
    call.principal.require_every_issuer()
    after = call.query.get("after")
    before = None if after is None else BulkId(after)
    found = await call.services.bulk.list(call.principal.scope, before, LIST_MAXIMUM)
    following = found[-1].id if len(found) == LIST_MAXIMUM else None
    return Answer(BulkPage([_body(each) for each in found], following))


async def cancel(call: Call[NoBody]) -> Answer:
    """Do no more of a file's rows."""
    bulk = await _find(call)
    cancelled = await call.services.bulk.cancel(call.principal.scope, bulk.id, call.digest)
    return Answer(_body(cancelled))


async def results(call: Call[NoBody]) -> Answer:
    """What became of each row, as CSV."""
    bulk = await _find(call)
    language = choose_language(call.accept_language)
    file = Download(b"", f"{CSV}; charset=utf-8", f"{bulk.id}.csv", _lines(call, bulk, language))
    return Answer(None, download=file)


async def _lines(call: Call[NoBody], bulk: Bulk, language: str) -> AsyncIterator[bytes]:
    yield BOM + encode_records([_COLUMNS])
    async for some in call.services.bulk.results(call.principal.scope, bulk.id):
        yield encode_records([_record(outcome, found, language) for outcome, found in some])


def _record(
    outcome: BulkOutcome, certificate: IssuedCertificate | None, language: str
) -> tuple[str, ...]:
    title = translate(TABLE[ProblemCode(outcome.code)].title, language) if outcome.code else ""
    known = outcome.certificate or ""
    told = (str(outcome.row), outcome.reference, "refused" if outcome.code else "done",
            outcome.code, title, outcome.detail, known)  # fmt: skip
    if certificate is None:
        return (*told, "", "", "", "")
    return (
        *told,
        # With colons no spreadsheet makes a number of it.
        ":".join(_pairs(serial_text(certificate.serial))),
        certificate.subject,
        instant_text(certificate.not_after),
        encode_pem("CERTIFICATE", certificate.der),
    )


def _pairs(text: str) -> list[str]:
    padded = text if len(text) % 2 == 0 else f"0{text}"
    return [padded[place : place + 2] for place in range(0, len(padded), 2)]


def _body(bulk: Bulk) -> BulkBody:
    finished = bulk.finished_at
    return BulkBody(
        id=bulk.id,
        act=bulk.order.act,
        state=bulk.state,
        rows=bulk.rows,
        succeeded=bulk.succeeded,
        refused=bulk.refused,
        created_at=instant_text(bulk.created_at),
        finished_at=None if finished is None else instant_text(finished),
        kept_until=None if finished is None else instant_text(finished + RESULTS_KEPT),
    )


OPERATIONS = (
    Operation(
        "POST", "/v1/bulk", "startBulk", "Send a file with many requests",
        Action.BULK_MANAGE, "registration:bulk:receive", NoBody, BulkBody, 202, receive,
        (
            Parameter("act", f"what is done to every row: {', '.join(BulkAct)}"),
            Parameter("issuer", "of rows that name none"),
            Parameter("profile", "of rows that name none"),
            Parameter("reason", "of revocations that name none"),
        ),
        streams=_TAKEN,
    ),
    Operation(
        "GET", "/v1/bulk", "listBulk", "List files with many requests",
        Action.BULK_MANAGE, "registration:bulk:list", NoBody, BulkPage, 200, list_files,
        (Parameter("after", "the `next` of the page before"),),
    ),
    Operation(
        "GET", "/v1/bulk/{bulk}", "getBulk", "How far a file is",
        Action.BULK_MANAGE, "registration:bulk:get", NoBody, BulkBody, 200, show,
    ),
    Operation(
        "GET", "/v1/bulk/{bulk}/results", "getBulkResults", "What became of each row, as CSV",
        Action.BULK_MANAGE, "registration:bulk:results", NoBody, None, 200, results,
    ),
    Operation(
        "POST", "/v1/bulk/{bulk}/cancel", "cancelBulk", "Do no more of a file's rows",
        Action.BULK_MANAGE, "registration:bulk:cancel", NoBody, BulkBody, 200, cancel,
    ),
)  # fmt: skip
