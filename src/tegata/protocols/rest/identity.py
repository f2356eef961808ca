"""REST operations on identity verification."""

from __future__ import annotations

import re

from tegata.identity.attributes import Claims
from tegata.identity.model import (
    ChipData,
    DeclaredPurpose,
    NewSession,
    RecordId,
    Session,
    SessionId,
    Submission,
    UserId,
)
from tegata.kernel.ids import parse_id
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.wording import choose_language
from tegata.protocols.rest.identity_bodies import (
    AgeBody,
    AgeQuestion,
    AttributesBody,
    IdentitySubmission,
    MatchBody,
    MatchQuestion,
    NewIdentitySession,
    PurposeBody,
    PurposeDeclaration,
    PurposePage,
    SessionBody,
    StatusQuestion,
    StatusRows,
    attributes_body,
    purpose_body,
    session_body,
    status_rows,
)
from tegata.protocols.rest.identity_follow_up import octets_of
from tegata.protocols.rest.identity_follow_up_bodies import (
    ContractEnd,
    LegalHold,
    RecordBody,
    RecordPage,
    record_body,
)
from tegata.protocols.rest.operation import Answer, Body, Call, NoBody, Operation, Parameter
from tegata.protocols.rest.pages import PAGE_LIMIT, page_limit
from tegata.tenancy.model import Action

_PURPOSE = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


async def declare_purpose(call: Call[PurposeDeclaration]) -> Answer:
    """Declare what persons are verified for."""
    name = call.path["purpose"]
    if not _PURPOSE.fullmatch(name):
        raise Problem(ProblemCode.PURPOSE_REFUSED, "a name has lower case, digits and hyphens")
    body = call.body
    declared = DeclaredPurpose(name, body.text, frozenset(body.attributes), body.law)
    purposes = call.services.identity.purposes
    return Answer(purpose_body(await purposes.declare(call.principal.scope, declared, call.digest)))


async def list_purposes(call: Call[NoBody]) -> Answer:
    """The tenant's declared purposes."""
    found = await call.services.identity.purposes.list(call.principal.scope)
    return Answer(PurposePage([purpose_body(each) for each in found], None))


async def open_session(call: Call[NewIdentitySession]) -> Answer:
    """Open a session with a challenge of its own."""
    body = call.body
    asked = NewSession(
        kind=body.kind,
        purpose=body.purpose,
        relying_party=body.relying_party,
        origin=body.origin,
        binding=body.binding,
        method=body.status,
        document=None if body.document is None else bytes.fromhex(body.document),
        text=body.text,
        case=body.case,
        facts=tuple((name.value, value) for name, value in body.facts.items()),
    )
    sessions = call.services.identity.sessions
    session = await sessions.open_session(call.principal.scope, asked, call.digest)
    return _answer(call, session, f"/v1/identity/sessions/{session.id}")


async def show_session(call: Call[NoBody]) -> Answer:
    """A session, with its verdict if it has one."""
    sessions = call.services.identity.sessions
    return _answer(call, await sessions.get_session(call.principal.scope, _session_id(call)))


async def submit(call: Call[IdentitySubmission]) -> Answer:
    """Take what was signed; the session with its verdict."""
    body = call.body
    chip = None
    if body.chip is not None:
        chip = ChipData(
            octets_of("chip.certificate", body.chip.certificate),
            octets_of("chip.key", body.chip.key),
            octets_of("chip.signature", body.chip.signature),
        )
    digest = body.digest
    if digest is not None and len(digest) % 2:
        raise Problem(ProblemCode.REQUEST_MALFORMED, "digest: two digits for each octet")
    submission = Submission(
        certificate=octets_of("certificate", body.certificate),
        signature=octets_of("signature", body.signature),
        form=body.form,
        document=None if body.document is None else octets_of("document", body.document),
        digest=None if digest is None else bytes.fromhex(digest),
        structure=body.structure,
        chip=chip,
    )
    session = await call.services.identity.sessions.submit(
        call.principal.scope, _session_id(call), submission, call.digest
    )
    return _answer(call, session)


async def hand_out_attributes(call: Call[NoBody]) -> Answer:
    """The attributes that the declared purpose asks for, once."""
    found = await call.services.identity.sessions.hand_out_attributes(
        call.principal.scope, _session_id(call), call.digest
    )
    return Answer(attributes_body(found))


async def match_attributes(call: Call[MatchQuestion]) -> Answer:
    """Compare what a person wrote with what was verified."""
    body = call.body.claims
    claims = Claims(body.name, body.address, body.birth, body.sex)
    found = await call.services.identity.attributes.match(
        call.principal.scope, _session_id(call), claims, call.digest
    )
    return Answer(MatchBody(**{name: result.value for name, result in found.items()}))


async def ask_age(call: Call[AgeQuestion]) -> Answer:
    """Whether a verified person has reached an age."""
    years = call.body.years
    result = await call.services.identity.attributes.reaches_age(
        call.principal.scope, _session_id(call), years, call.digest
    )
    return Answer(AgeBody(years, result))


async def check_status(call: Call[StatusQuestion]) -> Answer:
    """Whether the certificates that users showed still hold."""
    body, scope = call.body, call.principal.scope
    current = call.services.identity.current
    if body.users is not None:
        users = [_user_id(each) for each in body.users]
        rows = await current.check_users(scope, users, body.status, call.digest)
        return Answer(status_rows(rows, None))
    after = bytes.fromhex(body.after) if body.after is not None else None
    page = await current.check_all(scope, after, body.limit, body.status, call.digest)
    return Answer(status_rows(page.rows, page.after))


async def show_record(call: Call[NoBody]) -> Answer:
    """A confirmation record."""
    found = await call.services.identity.records.get(
        call.principal.scope, _record_id(call.path["record"]), call.digest
    )
    return Answer(record_body(found, _language(call)))


async def export_case(call: Call[NoBody]) -> Answer:
    """The confirmation records of a case."""
    case = call.query.get("case", "")
    if not 1 <= len(case) <= 128:
        raise Problem(ProblemCode.REQUEST_MALFORMED, "case is the reference given to a session")
    limit = page_limit(call.query)
    after = call.query.get("after")
    found = await call.services.identity.records.export_case(
        call.principal.scope, case, _record_id(after) if after else None, limit, call.digest
    )
    following = found[-1].id if len(found) == limit else None
    return Answer(RecordPage([record_body(each, _language(call)) for each in found], following))


async def end_contract(call: Call[ContractEnd]) -> Answer:
    """Say when the contract ended: a record's retention runs from then."""
    changed = await call.services.identity.records.end_contract(
        call.principal.scope, _record_id(call.path["record"]), call.body.ended_at, call.digest
    )
    return Answer(record_body(changed, _language(call)))


async def hold_record(call: Call[LegalHold]) -> Answer:
    """Keep a record beyond its time, or stop keeping it."""
    changed = await call.services.identity.records.hold(
        call.principal.scope,
        _record_id(call.path["record"]),
        held=call.body.held,
        request_digest=call.digest,
    )
    return Answer(record_body(changed, _language(call)))


def _answer(call: Call[Body], session: Session, location: str | None = None) -> Answer:
    now = call.services.identity.sessions.clock.now()
    return Answer(session_body(session, now, _language(call)), location)


def _language(call: Call[Body]) -> str:
    return choose_language(call.accept_language)


def _session_id(call: Call[Body]) -> SessionId:
    text = call.path["session"]
    parse_id("ivs", text, ProblemCode.SESSION_UNKNOWN)
    return SessionId(text)


def _user_id(text: str) -> UserId:
    parse_id("usr", text, ProblemCode.USER_UNKNOWN)
    return UserId(text)


def _record_id(text: str) -> RecordId:
    parse_id("cfr", text, ProblemCode.RECORD_UNKNOWN)
    return RecordId(text)


OPERATIONS = (
    Operation(
        "PUT", "/v1/identity/purposes/{purpose}", "declarePurpose",
        "Declare what persons are verified for", Action.IDENTITY_MANAGE,
        "identity:purpose:declare", PurposeDeclaration, PurposeBody, 200, declare_purpose,
    ),
    Operation(
        "GET", "/v1/identity/purposes", "listPurposes", "List declared purposes",
        Action.IDENTITY_VERIFY, "identity:purpose:list", NoBody, PurposePage, 200, list_purposes,
    ),
    Operation(
        "POST", "/v1/identity/sessions", "openIdentitySession", "Open a session with a challenge",
        Action.IDENTITY_VERIFY, "identity:session:open", NewIdentitySession, SessionBody, 201,
        open_session, secret=b"facts",
    ),
    Operation(
        "GET", "/v1/identity/sessions/{session}", "showIdentitySession", "Show a session",
        Action.IDENTITY_VERIFY, "identity:session:show", NoBody, SessionBody, 200, show_session,
    ),
    Operation(
        "POST", "/v1/identity/sessions/{session}/submission", "submitIdentity",
        "Submit what was signed for a session", Action.IDENTITY_VERIFY, "identity:session:submit",
        IdentitySubmission, SessionBody, 200, submit,
    ),
    Operation(
        "POST", "/v1/identity/sessions/{session}/attributes", "handOutAttributes",
        "Hand out the attributes that the purpose asks for, once", Action.IDENTITY_ATTRIBUTES,
        "identity:session:hand-out", NoBody, AttributesBody, 200, hand_out_attributes,
    ),
    Operation(
        "POST", "/v1/identity/sessions/{session}/match", "matchAttributes",
        "Compare what a person wrote with what was verified", Action.IDENTITY_VERIFY,
        "identity:session:match", MatchQuestion, MatchBody, 200, match_attributes,
        secret=b"claims",
    ),
    Operation(
        "POST", "/v1/identity/sessions/{session}/age", "askAge",
        "Ask whether a verified person has reached an age", Action.IDENTITY_VERIFY,
        "identity:session:age", AgeQuestion, AgeBody, 200, ask_age,
    ),
    Operation(
        "POST", "/v1/identity/status-checks", "checkCurrentStatus",
        "Check whether what users showed still holds", Action.IDENTITY_VERIFY,
        "identity:status:check", StatusQuestion, StatusRows, 200, check_status,
    ),
    Operation(
        "GET", "/v1/identity/records", "exportConfirmationRecords",
        "Export the confirmation records of a case", Action.IDENTITY_RECORDS,
        "identity:record:export", NoBody, RecordPage, 200, export_case,
        (
            PAGE_LIMIT,
            Parameter("case", "the case that was given to the sessions"),
            Parameter("after", "the `next` of the page before"),
        ),
    ),
    Operation(
        "GET", "/v1/identity/records/{record}", "showConfirmationRecord",
        "Show a confirmation record", Action.IDENTITY_RECORDS, "identity:record:read",
        NoBody, RecordBody, 200, show_record,
    ),
    Operation(
        "POST", "/v1/identity/records/{record}/contract-end", "endContract",
        "Say when the contract ended", Action.IDENTITY_RECORDS, "identity:record:end-contract",
        ContractEnd, RecordBody, 200, end_contract,
    ),
    Operation(
        "PUT", "/v1/identity/records/{record}/hold", "holdConfirmationRecord",
        "Keep a record beyond its time", Action.IDENTITY_RECORDS, "identity:record:hold",
        LegalHold, RecordBody, 200, hold_record,
    ),
)  # fmt: skip
