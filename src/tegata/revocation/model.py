"""Revocations, lists and answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tegata.issuance.model import Issuer
from tegata.kernel.ids import CertificateId, IssuerId
from tegata.kernel.signing import SigningKey
from tegata.pkix.crl import RevocationReason


@dataclass(frozen=True, slots=True)
class Revocation:
    """That a certificate is revoked. `entry` is its CRL entry (DER), which stands in the CRL
    until one that was issued after `listed_until` (RFC 5280 section 3.3)."""

    issuer: IssuerId
    serial: int
    certificate: CertificateId | None
    revoked_at: datetime
    reason: RevocationReason
    entry: bytes
    listed_until: datetime


class Status(StrEnum):
    """CertStatus (RFC 6960 section 4.2.1)."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """The status of one serial number."""

    status: Status
    revoked_at: datetime | None = None
    reason: RevocationReason | None = None


@dataclass(frozen=True, slots=True)
class Responder:
    """An issuer's delegated OCSP responder."""

    key: SigningKey
    certificate: bytes
    not_after: datetime


@dataclass(frozen=True, slots=True)
class StatusAuthority:
    """An issuer that status is asked of, and who answers for it."""

    issuer: Issuer
    responder: Responder


@dataclass(frozen=True, slots=True)
class CrlEntries:
    """What a complete CRL is made of, read in one instant."""

    entries: tuple[bytes, ...]
    last_number: int


@dataclass(frozen=True, slots=True)
class PublishedCrl:
    """A signed complete CRL."""

    issuer: IssuerId
    number: int
    this_update: datetime
    next_update: datetime
    entries: int
    der: bytes
