"""What the REST API takes and gives about identity verification, as JSON."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from tegata.identity.current import PAGE_MAXIMUM, USERS_MAXIMUM, CurrentStatus, rows_digest
from tegata.identity.jlis import (
    CertificateKind,
    FourAttributes,
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
from tegata.identity.record import Fact
from tegata.identity.rules.law import Law
from tegata.kernel.wording import translate
from tegata.protocols.rest.bodies import Reference, RequestBody, Sha256

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
        created_at=time_text(session.created_at),
        expires_at=time_text(session.expires_at),
        decided_at=optional_time(session.decided_at),
        verdict=_verdict(session.verdict, language) if session.verdict is not None else None,
        user=session.user,
        record=session.record,
        attributes_handed_out_at=optional_time(session.handed_out_at),
    )


def status_rows(rows: Sequence[CurrentStatus], after: bytes | None) -> StatusRows:
    """Statuses as they are answered."""
    items = [
        StatusRow(
            row.user, row.kind, row.reason, row.source, optional_time(row.as_of),
            optional_time(row.revoked_at),
        )
        for row in rows
    ]  # fmt: skip
    return StatusRows(items, rows_digest(rows).hex(), after.hex() if after is not None else None)


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


def _verdict(verdict: Verdict, language: str) -> VerdictBody:
    wording = TEXTS.get(verdict.reason) if verdict.reason is not None else None
    return VerdictBody(
        verdict.result,
        verdict.reason,
        translate(wording.text, language) if wording is not None else "",
        translate(wording.advice, language) if wording is not None and wording.advice else "",
        [check_body(check, language) for check in verdict.checks],
    )


def check_body(check: Check, language: str) -> CheckBody:
    """A check as it is answered."""
    text = "" if check.reason is None else translate(TEXTS[check.reason].text, language)
    return CheckBody(
        check.name, check.outcome, check.reason, text, check.source, time_text(check.at),
        check.evidence.hex(),
    )  # fmt: skip


def time_text(instant: datetime) -> str:
    """An instant in UTC, to the millisecond."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def optional_time(instant: datetime | None) -> str | None:
    """An instant, if there is one."""
    return None if instant is None else time_text(instant)
