"""The confirmation record (確認記録) of a verification, and users as tenants know them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from tegata.identity.jlis import (
    CertificateKind,
    CertificateReference,
    FourAttributes,
    LegalPurpose,
    StatusMethod,
)
from tegata.identity.model import Check, RecordId, SessionId, UserId
from tegata.identity.reasons import Reason


class Fact(StrEnum):
    """What the tenant must find out itself, and may keep in the record (犯収法施行規則20条)."""

    TRANSACTION = "transaction"
    TRANSACTION_PURPOSE = "transaction_purpose"
    OCCUPATION = "occupation"
    BUSINESS = "business"
    BENEFICIAL_OWNER = "beneficial_owner"
    AGENT = "agent"
    AGENT_AUTHORITY = "agent_authority"
    AGENT_CONFIRMATION = "agent_confirmation"
    ACCOUNT = "account"
    RISK = "risk"


@dataclass(frozen=True, slots=True)
class Step:
    """Something that was done, and when."""

    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Method:
    """How a person was confirmed: our own stable code, and what it is called in a law's version.

    `article` is empty where the letter of the version in force is not certain.
    """

    code: str
    law: str
    version: date
    article: str
    permitted: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """The sealed part of a record. `identifier` is a keyed commitment to the certificate's
    issuer and serial number: the number itself stays with the platform."""

    method: Method
    relying_party: str
    verified_by: str
    recorded_by: str
    purpose: str
    case: str
    document: str
    identifier: str
    person: FourAttributes | None
    steps: Sequence[Step]
    facts: Sequence[tuple[str, str]]
    checks: Sequence[Check]
    legal_purpose: LegalPurpose
    binding: str
    text: str


@dataclass(frozen=True, slots=True)
class ConfirmationRecord:
    """A record. It is kept for seven years from the end of the contract; a hold keeps it longer."""

    id: RecordId
    session: SessionId
    user: UserId
    made_at: datetime
    evidence: Evidence
    contract_ended_at: datetime | None = None
    retain_until: datetime | None = None
    legal_hold: bool = False


@dataclass(frozen=True, slots=True)
class KnownCertificate:
    """A certificate that a tenant's user has shown, or that J-LIS linked to one that was shown.

    `tag` is the keyed commitment to its issuer and serial number. `point` is the distribution
    point of its list (a Name, DER), empty for one that was never shown.
    """

    tag: bytes
    user: UserId
    reference: CertificateReference
    point: bytes
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class KnownTag:
    """Whose a known certificate is, and whether it was shown or only linked."""

    user: UserId
    shown: bool


@dataclass(frozen=True, slots=True)
class WatchedCertificate:
    """A certificate that was shown, and what a watch found last: None for *good*."""

    certificate: KnownCertificate
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class ChangedStatus:
    """A status that is not what it was."""

    tag: bytes
    user: UserId
    kind: CertificateKind
    reason: Reason | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Watch:
    """A tenant's scheduled status checks: where news goes, how often is looked. `after` is the tag
    up to which a run has looked, None between runs."""

    url: str
    secret: bytes
    hours: int
    method: StatusMethod
    changed_at: datetime
    after: bytes | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """News that waits to be sent: JSON."""

    id: str
    created_at: datetime
    body: bytes
