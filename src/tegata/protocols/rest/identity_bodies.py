"""What the REST API takes and gives about identity verification, as JSON."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from tegata.identity.consent import Consent
from tegata.identity.current import PAGE_MAXIMUM, USERS_MAXIMUM, CurrentStatus, rows_digest
from tegata.identity.jlis import (
    CertificateKind,
    ConsentState,
    FourAttributes,
    LatestAttributes,
    StatusMethod,
)
from tegata.identity.model import (
    Attribute,
    Binding,
    Check,
    DeclaredPurpose,
    DigestStructure,
    Session,
    SessionState,
    SignatureForm,
    Verdict,
)
from tegata.identity.reasons import TEXTS
from tegata.identity.record import ConfirmationRecord, Fact, Watch
from tegata.identity.rules.law import Law
from tegata.identity.watch import HOURS_MAXIMUM
from tegata.kernel.wording import translate
from tegata.protocols.rest.bodies import Instant, Reference, RequestBody, Sha256

_NO_NUL = r"^[^\x00]*$"
Text = Annotated[str, Meta(max_length=4000, pattern=_NO_NUL)]
Base64 = Annotated[str, Meta(max_length=96 * 1024)]
Case = Annotated[str, Meta(max_length=128, pattern=_NO_NUL)]


class PurposeDeclaration(RequestBody):
    """What persons are verified for. `text` is what they are told; `attributes` what is handed
    out, once; `law` the regime that its confirmation records follow."""

    text: Annotated[str, Meta(min_length=1, max_length=1000, pattern=_NO_NUL)]
    attributes: list[Attribute] = msgspec.field(default_factory=list)
    law: Law = Law.NONE


class PurposeBody(msgspec.Struct):
    """A declared purpose."""

    name: str
    text: str
    attributes: list[Attribute]
    law: str


class PurposePage(msgspec.Struct):
    """The tenant's declared purposes."""

    items: list[PurposeBody]
    next: str | None


class NewIdentitySession(RequestBody):
    """A session. `document` is SHA-256 of the document to sign (kind *sign*, binding *intent*),
    `text` what the person is shown of it, `case` the tenant's own reference, which no check looks
    at; `facts` go to the confirmation record."""

    kind: CertificateKind
    purpose: Annotated[str, Meta(max_length=64, pattern=_NO_NUL)]
    relying_party: Annotated[str, Meta(min_length=1, max_length=200, pattern=_NO_NUL)]
    origin: Annotated[str, Meta(max_length=300, pattern=_NO_NUL)]
    binding: Binding = Binding.INTENT
    status: StatusMethod = StatusMethod.OCSP
    document: Sha256 | None = None
    text: Text = ""
    case: Case = ""
    facts: dict[Fact, Text] = msgspec.field(default_factory=dict)


class CheckBody(msgspec.Struct):
    """One check of a verdict. `evidence` is SHA-256 of what was looked at."""

    name: str
    outcome: str
    reason: str | None
    text: str
    source: str
    at: str
    evidence: str


class VerdictBody(msgspec.Struct):
    """A verdict with its checks. `advice` is for the person."""

    verdict: str
    reason: str | None
    text: str
    advice: str
    checks: list[CheckBody]


class SessionBody(msgspec.Struct):
    """A session. `challenge` and `intent` (the octets to be signed) are base64; `user` is this
    tenant's pseudonym of the person."""

    id: str
    state: SessionState
    kind: CertificateKind
    purpose: str
    legal_purpose: str
    relying_party: str
    origin: str
    binding: Binding
    status: StatusMethod
    document: str | None
    text: str
    case: str
    challenge: str
    intent: str
    created_at: str
    expires_at: str
    decided_at: str | None
    verdict: VerdictBody | None
    user: str | None
    record: str | None
    attributes_handed_out_at: str | None


class CardChip(RequestBody):
    """What shows that the card is the original (base64): EF 0004 and EF 0007 of the text AP, and
    the chip's signature."""

    certificate: Base64
    key: Base64
    signature: Base64


class IdentitySubmission(RequestBody):
    """What was signed. All octets are base64: the certificate in DER; `signature` raw PKCS #1 v1.5
    or a detached CMS (`form`); `document` or `digest` with its `structure` where the session's
    binding asks for them."""

    certificate: Base64
    signature: Base64
    form: SignatureForm = SignatureForm.RAW
    document: Base64 | None = None
    digest: Annotated[str, Meta(max_length=200, pattern=r"^[0-9A-Fa-f]*$(?!\n)")] | None = None
    structure: DigestStructure | None = None
    chip: CardChip | None = None


class AttributesBody(msgspec.Struct):
    """The four basic attributes; what the purpose does not ask for is left out."""

    name: str | None
    address: str | None
    birth: str | None
    sex: str | None
    name_substitutes: str | None
    address_substitutes: str | None


class AttributeClaims(RequestBody):
    """What a person wrote about themselves; only what is given is compared."""

    name: Annotated[str, Meta(max_length=200, pattern=_NO_NUL)] | None = None
    address: Annotated[str, Meta(max_length=400, pattern=_NO_NUL)] | None = None
    birth: date | None = None
    sex: Annotated[str, Meta(pattern=r"^[129]$(?!\n)")] | None = None


class MatchQuestion(RequestBody):
    """What is to be compared. No digest in any record covers it."""

    claims: AttributeClaims


class MatchBody(msgspec.Struct, omit_defaults=True):
    """What each comparison came to: match, mismatch, needs_review."""

    name: str | None = None
    address: str | None = None
    birth: str | None = None
    sex: str | None = None


class AgeQuestion(RequestBody):
    """An age in years."""

    years: Annotated[int, Meta(ge=1, le=130)]


class AgeBody(msgspec.Struct):
    """Whether the age is reached today in Japan: match, mismatch, needs_review."""

    years: int
    result: str


class StatusQuestion(RequestBody):
    """Whose certificates to look up: some users', or all of them page by page (`limit`; `after` is
    the `next` of the page before)."""

    users: Annotated[list[Reference], Meta(min_length=1, max_length=USERS_MAXIMUM)] | None = None
    after: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")] | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAXIMUM)] = PAGE_MAXIMUM
    status: StatusMethod = StatusMethod.CRL


class StatusRow(msgspec.Struct):
    """What is known now of a certificate that a user showed; `reason` is null for *good*."""

    user: str
    kind: CertificateKind
    reason: str | None
    source: str
    as_of: str | None
    revoked_at: str | None


class StatusRows(msgspec.Struct):
    """Statuses. `sha256` is over the rows and stands in the record of the look-up."""

    items: list[StatusRow]
    sha256: str
    next: str | None


class NewConsent(RequestBody):
    """A consent that the person signed in a session whose document was `text`: certificate and
    signature (base64) as they were submitted."""

    session: Reference
    text: Text
    certificate: Base64
    signature: Base64


class ConsentBody(msgspec.Struct):
    """A consent as J-LIS holds it."""

    id: str
    user: str
    purpose: str
    state: ConsentState
    given_at: str
    expires_at: str
    withdrawn_at: str | None


class LatestAttributesBody(msgspec.Struct):
    """What J-LIS knows now of what the purpose asks for."""

    attributes: AttributesBody
    as_of: str


class NewWatch(RequestBody):
    """A watch: where news of changed statuses goes, how often is looked."""

    url: Annotated[str, Meta(min_length=1, max_length=2000)]
    hours: Annotated[int, Meta(ge=1, le=HOURS_MAXIMUM)] = 24
    status: StatusMethod = StatusMethod.CRL


class WatchBody(msgspec.Struct):
    """A watch. `secret` (hexadecimal), with which news is signed, is shown once."""

    url: str
    hours: int
    status: StatusMethod
    secret: str | None


class ContractEnd(RequestBody):
    """When the contract ended."""

    ended_at: Instant


class LegalHold(RequestBody):
    """Whether a record is kept beyond its time."""

    held: bool


class StepBody(msgspec.Struct):
    """Something that was done, and when."""

    name: str
    at: str


class MethodBody(msgspec.Struct):
    """How the person was confirmed: our own code, and what it is under a law's version in force.
    `article` is empty where its letter is not settled."""

    code: str
    law: str
    version: str
    article: str
    permitted: bool


class RecordBody(msgspec.Struct):
    """A confirmation record."""

    id: str
    session: str
    user: str
    case: str
    method: MethodBody
    made_at: str
    relying_party: str
    verified_by: str
    recorded_by: str
    purpose: str
    legal_purpose: str
    document: str
    identifier: str
    person: AttributesBody | None
    binding: str
    text: str
    steps: list[StepBody]
    facts: dict[str, str]
    checks: list[CheckBody]
    contract_ended_at: str | None
    retain_until: str | None
    legal_hold: bool


class RecordPage(msgspec.Struct):
    """Confirmation records of a case, oldest first."""

    items: list[RecordBody]
    next: str | None


def purpose_body(purpose: DeclaredPurpose) -> PurposeBody:
    """A purpose as it is answered."""
    return PurposeBody(purpose.name, purpose.text, sorted(purpose.attributes), purpose.law)


def session_body(session: Session, now: datetime, language: str) -> SessionBody:
    """A session as it is answered at an instant."""
    asked = session.asked
    return SessionBody(
        id=session.id,
        state=session.state_at(now),
        kind=asked.kind,
        purpose=asked.purpose,
        legal_purpose=session.legal_purpose,
        relying_party=asked.relying_party,
        origin=asked.origin,
        binding=asked.binding,
        status=asked.method,
        document=asked.document.hex() if asked.document is not None else None,
        text=asked.text,
        case=asked.case,
        challenge=base64.b64encode(session.challenge).decode(),
        intent=base64.b64encode(session.intent).decode(),
        created_at=_time(session.created_at),
        expires_at=_time(session.expires_at),
        decided_at=_optional(session.decided_at),
        verdict=_verdict(session.verdict, language) if session.verdict is not None else None,
        user=session.user,
        record=session.record,
        attributes_handed_out_at=_optional(session.handed_out_at),
    )


def status_rows(rows: Sequence[CurrentStatus], after: bytes | None) -> StatusRows:
    """Statuses as they are answered."""
    items = [
        StatusRow(
            row.user, row.kind, row.reason, row.source, _optional(row.as_of),
            _optional(row.revoked_at),
        )
        for row in rows
    ]  # fmt: skip
    return StatusRows(items, rows_digest(rows).hex(), after.hex() if after is not None else None)


def consent_body(consent: Consent) -> ConsentBody:
    """A consent as it is answered."""
    return ConsentBody(
        consent.id, consent.user, consent.purpose, consent.state, _time(consent.given_at),
        _time(consent.expires_at), _optional(consent.withdrawn_at),
    )  # fmt: skip


def latest_body(latest: LatestAttributes) -> LatestAttributesBody:
    """Latest attributes as they are answered."""
    return LatestAttributesBody(attributes_body(latest.attributes), _time(latest.as_of))


def watch_body(watch: Watch, *, fresh: bool) -> WatchBody:
    """A watch as it is answered; its secret only when it was just made."""
    return WatchBody(watch.url, watch.hours, watch.method, watch.secret.hex() if fresh else None)


def attributes_body(found: FourAttributes) -> AttributesBody:
    """The attributes that were asked for."""
    return AttributesBody(
        found.name or None,
        found.address or None,
        found.birth or None,
        found.sex or None,
        found.name_substitutes or None,
        found.address_substitutes or None,
    )


def record_body(record: ConfirmationRecord, language: str) -> RecordBody:
    """A record as it is answered."""
    evidence = record.evidence
    method = evidence.method
    return RecordBody(
        id=record.id,
        session=record.session,
        user=record.user,
        case=evidence.case,
        method=MethodBody(
            method.code, method.law, method.version.isoformat(), method.article, method.permitted
        ),
        made_at=_time(record.made_at),
        relying_party=evidence.relying_party,
        verified_by=evidence.verified_by,
        recorded_by=evidence.recorded_by,
        purpose=evidence.purpose,
        legal_purpose=evidence.legal_purpose,
        document=evidence.document,
        identifier=evidence.identifier,
        person=attributes_body(evidence.person) if evidence.person is not None else None,
        binding=evidence.binding,
        text=evidence.text,
        steps=[StepBody(step.name, _time(step.at)) for step in evidence.steps],
        facts=dict(evidence.facts),
        checks=[_check(check, language) for check in evidence.checks],
        contract_ended_at=_optional(record.contract_ended_at),
        retain_until=_optional(record.retain_until),
        legal_hold=record.legal_hold,
    )


def _verdict(verdict: Verdict, language: str) -> VerdictBody:
    wording = TEXTS.get(verdict.reason) if verdict.reason is not None else None
    return VerdictBody(
        verdict.result,
        verdict.reason,
        translate(wording.text, language) if wording is not None else "",
        translate(wording.advice, language) if wording is not None and wording.advice else "",
        [_check(check, language) for check in verdict.checks],
    )


def _check(check: Check, language: str) -> CheckBody:
    text = "" if check.reason is None else translate(TEXTS[check.reason].text, language)
    return CheckBody(
        check.name, check.outcome, check.reason, text, check.source, _time(check.at),
        check.evidence.hex(),
    )  # fmt: skip


def _time(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _optional(instant: datetime | None) -> str | None:
    return None if instant is None else _time(instant)
