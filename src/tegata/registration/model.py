"""Questions about certificates, and their answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tegata.kernel.ids import CertificateId, IssuerId
from tegata.kernel.signing import RefusalGround
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
