"""Questions about certificates, and their answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tegata.kernel.finding import Finding
from tegata.kernel.ids import CertificateId, IssuerId
from tegata.kernel.signing import RefusalGround
from tegata.profiles.model import Profile
from tegata.revocation.model import CertificateStatus

PAGE_MAXIMUM = 200
PAGE_DEFAULT = 50


@dataclass(frozen=True, slots=True)
class CertificateQuery:
    """Which certificates to list, newest first. `serial` is looked up within `issuer`."""

    issuer: IssuerId | None = None
    serial: int | None = None
    dns_name: str | None = None
    before: CertificateId | None = None
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
