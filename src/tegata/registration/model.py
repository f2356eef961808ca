"""Questions about certificates, and their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tegata.kernel.finding import Finding
from tegata.kernel.ids import CertificateId, IssuerId
from tegata.kernel.signing import RefusalGround
from tegata.pkix.names import GeneralNameKind
from tegata.profiles.model import Profile
from tegata.revocation.model import CertificateStatus

PAGE_MAXIMUM = 200
PAGE_DEFAULT = 50


class CertificateState(StrEnum):
    """What a certificate is worth at an instant. Revoked and held ones may have expired too."""

    VALID = "valid"
    REVOKED = "revoked"
    HELD = "held"
    EXPIRED = "expired"


class Replacement(StrEnum):
    """How a certificate took another's place: with its key, or with a new one."""

    RENEW = "renew"
    REKEY = "rekey"


@dataclass(frozen=True, slots=True)
class Succession:
    """What a certificate replaced, and the last that replaced it."""

    predecessor: CertificateId | None = None
    successor: CertificateId | None = None


NO_SUCCESSION = Succession()


@dataclass(frozen=True, slots=True)
class NameMatch:
    """A subject alternative name, or its beginning; of host names a beginning is the subtree:
    the name itself and every name below it."""

    kind: GeneralNameKind
    value: str
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class SubjectMatch:
    """A subject as it is written in lists, or its beginning; upper and lower case differ."""

    value: str
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class SerialMatch:
    """Serial numbers from the lowest to the highest, both included."""

    lowest: int
    highest: int


@dataclass(frozen=True, slots=True)
class FingerprintMatch:
    """SHA-256 of a certificate's DER, or its beginning, in lower-case hexadecimal."""

    digits: str


@dataclass(frozen=True, slots=True)
class CertificateQuery:
    """Which certificates to list. At most one of name, subject, serial and fingerprint.

    The window holds what expires at `expires_after` or later, and before `expires_before`.
    `visible` are the issuers that the caller may see, None for all. `after` is the `following`
    of the page before, of the same query.
    """

    issuer: IssuerId | None = None
    profile: str | None = None
    state: CertificateState | None = None
    expires_after: datetime | None = None
    expires_before: datetime | None = None
    name: NameMatch | None = None
    subject: SubjectMatch | None = None
    serial: SerialMatch | None = None
    fingerprint: FingerprintMatch | None = None
    visible: frozenset[IssuerId] | None = None
    after: str | None = None
    limit: int = PAGE_DEFAULT


@dataclass(frozen=True, slots=True)
class RefusedKey:
    """A key that must not be certified: SHA-256 of its SubjectPublicKeyInfo, and why."""

    spki_sha256: bytes
    ground: RefusalGround
    since: datetime


@dataclass(frozen=True, slots=True)
class CertificateEntry:
    """A certificate in a list."""

    id: CertificateId
    issuer: IssuerId
    serial: int
    profile: str
    subject: str
    not_before: datetime
    not_after: datetime
    status: CertificateStatus


@dataclass(frozen=True, slots=True)
class ProfileVersion:
    """A version of a profile as it was put. `document` is TOML, `digest` that of its canonical
    form (SHA-256, hexadecimal); a built-in one was put by nobody."""

    name: str
    version: int
    document: str
    digest: str
    created_at: datetime | None
    retired_at: datetime | None


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A certificate that a document would have changed or refused, and why."""

    id: CertificateId
    serial: int
    subject: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a document would have done to the last certificates of the profile `of`: how many of
    them were examined, and among how many of all certificates they were found."""

    profile: Profile
    of: str
    examined: int
    looked_at: int
    rehearsed: tuple[Rehearsed, ...]


@dataclass(frozen=True, slots=True)
class CertificatePage:
    """A page of a list; `following` is the `after` of the next one, None at the end.

    A page may be short, even empty, and not the last: only so many certificates are looked at
    for one page.
    """

    entries: Sequence[CertificateEntry]
    following: str | None = None
