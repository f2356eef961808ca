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
    until one that was issued after the month of `listed_until`, the certificate's notAfter or the
    last instant that one under a void serial may have (RFC 5280 section 3.3)."""

    issuer: IssuerId
    serial: int
    certificate: CertificateId | None
    revoked_at: datetime
    reason: RevocationReason
    entry: bytes
    listed_until: datetime
    shard: int
    invalid_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """That the hold since an instant was taken back. `entry` is what delta CRLs say of it:
    removeFromCRL."""

    issuer: IssuerId
    serial: int
    certificate: CertificateId
    held_since: datetime
    released_at: datetime
    entry: bytes
    shard: int


@dataclass(frozen=True, slots=True)
class ForeignSerial:
    """A serial number that an issuer gave before it was taken over: the month of its expiry, which
    it need not carry, and the list that names it beside the complete one (0 for none)."""

    issuer: IssuerId
    serial: int
    month: int
    shard: int
    not_after: datetime


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
    invalid_since: datetime | None = None

    @property
    def is_hold(self) -> bool:
        """Whether it can be taken back (RFC 5280 section 5.3.1)."""
        return self.reason is RevocationReason.CERTIFICATE_HOLD


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


class CrlKind(StrEnum):
    """A list of everything in its scope, or of what changed since one (RFC 5280 section 5.2.4)."""

    FULL = "full"
    DELTA = "delta"


@dataclass(frozen=True, slots=True)
class CrlEntries:
    """Encoded entries, many in each item, and how many there are."""

    octets: tuple[bytes, ...]
    count: int


@dataclass(frozen=True, slots=True)
class CrlBase:
    """The full list that deltas start from: its number, the count of changes that it contains
    all of, when it was made and how long it is. Number 0 stands for none."""

    number: int
    change: int
    made_at: datetime
    entries: int = 0


@dataclass(frozen=True, slots=True)
class CrlState:
    """Where the lists of a scope stand, read before their entries are.

    `url` is the distribution point of a shard; `number` the last number given to a list of the
    scope, `full` and `delta` those of the last published ones; `changes` the issuer's count of
    changes; `last_epoch` the last month in which something issued in it expires; `closed` that
    nothing more is issued in it; `previous_update` when the last full list was made.
    """

    shard: int
    url: str
    number: int
    full: int
    delta: int
    changes: int
    base: CrlBase
    last_epoch: int
    closed: bool
    previous_update: datetime | None


@dataclass(frozen=True, slots=True)
class PublishedCrl:
    """A signed CRL. A `scheduled` one is kept after it was replaced."""

    issuer: IssuerId
    shard: int
    kind: CrlKind
    number: int
    this_update: datetime
    next_update: datetime
    entries: int
    scheduled: bool
    der: bytes
