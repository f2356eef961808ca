"""Sessions, checks and verdicts of identity verification."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from tegata.identity.jlis import CertificateKind, LegalPurpose, StatusMethod
from tegata.identity.reasons import Reason

SessionId = NewType("SessionId", str)
UserId = NewType("UserId", str)
RecordId = NewType("RecordId", str)

# Console section 3.6: ten minutes from the opening to the signature.
SESSION_LIFE = timedelta(minutes=10)


class SessionState(StrEnum):
    """Where a session is in its life. One that was not decided in time is expired."""

    OPEN = "open"
    DECIDED = "decided"
    EXPIRED = "expired"


class VerdictResult(StrEnum):
    """What a verification comes to."""

    VERIFIED = "verified"
    REFUSED = "refused"
    NEEDS_REVIEW = "needs_review"


class Outcome(StrEnum):
    """What one check came to."""

    PASS = "pass"
    FAIL = "fail"
    NOT_PERFORMED = "not_performed"


class CheckName(StrEnum):
    """The checks, in their order."""

    CHAIN = "chain"
    VALIDITY = "validity"
    USAGE = "usage"
    SIGNATURE = "signature"
    REVOCATION = "revocation"
    CHIP = "chip"
    DOCUMENT = "document"
    TEXT = "text"


class Binding(StrEnum):
    """What the signature is over."""

    # The session's own intent (`pkix.intent`): made here, shown to the person.
    INTENT = "intent"
    # A document that the tenant had signed by software of its own, given whole.
    DOCUMENT = "document"
    # The digest of such a document, with its declared structure.
    DIGEST = "digest"


class Attribute(StrEnum):
    """What a tenant's purpose may ask for."""

    NAME = "name"
    ADDRESS = "address"
    BIRTH = "birth"
    SEX = "sex"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what it came to, why, on what, when. `evidence` is the SHA-256 of what was looked
    at, or empty."""

    name: CheckName
    outcome: Outcome
    reason: Reason | None
    source: str
    at: datetime
    evidence: bytes = b""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A result with its checks. `reason` is the first that kept it from *verified*."""

    result: VerdictResult
    reason: Reason | None
    checks: Sequence[Check]


@dataclass(frozen=True, slots=True)
class DeclaredPurpose:
    """What a tenant verifies persons for, as it declared it.

    `text` is what the person is told; `attributes` what is handed out, once; `law` the regime
    (`rules.law`) that its confirmation records follow.
    """

    name: str
    text: str
    attributes: frozenset[Attribute]
    law: str


@dataclass(frozen=True, slots=True)
class NewSession:
    """What a tenant asks for when it opens a session.

    `document` is SHA-256 of the document to sign, `text` what the person is shown of it, `case`
    the tenant's own reference.
    """

    kind: CertificateKind
    purpose: str
    relying_party: str
    origin: str
    binding: Binding
    method: StatusMethod
    document: bytes | None
    text: str
    case: str
    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Session:
    """A session. `declared` is the purpose as it stood at the opening; `intent` is the octets to be
    signed, empty unless the binding is *intent*."""

    id: SessionId
    asked: NewSession
    declared: DeclaredPurpose
    legal_purpose: LegalPurpose
    challenge: bytes
    intent: bytes
    state: SessionState
    created_at: datetime
    expires_at: datetime
    verdict: Verdict | None = None
    decided_at: datetime | None = None
    user: UserId | None = None
    record: RecordId | None = None
    handed_out_at: datetime | None = None

    def state_at(self, now: datetime) -> SessionState:
        """Where it is at an instant."""
        if self.state is SessionState.OPEN and now >= self.expires_at:
            return SessionState.EXPIRED
        return self.state


class SignatureForm(StrEnum):
    """How a signature is submitted."""

    RAW = "raw"
    CMS = "cms"


class DigestStructure(StrEnum):
    """What a digest that the tenant computed is of, as the tenant declares it."""

    DOCUMENT = "document"
    PDF_BYTE_RANGE = "pdf-byte-range"
    CMS_SIGNED_ATTRIBUTES = "cms-signed-attributes"
    XML_SIGNED_INFO = "xml-signed-info"


@dataclass(frozen=True, slots=True)
class ChipData:
    """What shows that the card is the original: EF 0004 (who certified) and EF 0007 (the chip's
    own key) of its text AP, and the chip's signature over `pkix.intent.chip_octets`."""

    certificate: bytes
    chip_key: bytes
    chip_signature: bytes


@dataclass(frozen=True, slots=True)
class Submission:
    """What a person's software, or the tenant, submits.

    `document` is the document itself where the binding is *document*, `digest` and `structure`
    what the binding *digest* declares.
    """

    certificate: bytes
    signature: bytes
    form: SignatureForm
    document: bytes | None = None
    digest: bytes | None = None
    structure: DigestStructure | None = None
    chip: ChipData | None = None
