"""Time-stamping authorities, their units, and what a clock says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tegata.issuance.model import Issuer
from tegata.kernel.ids import CertificateId, IssuerId, TenantId, TimestampAuthorityId
from tegata.kernel.signing import KeyAlgorithm, SignatureAlgorithm, SigningKey


@dataclass(frozen=True, slots=True)
class TimestampAuthority:
    """A tenant's time-stamping authority (RFC 3161 section 2). Nothing of it changes but that it
    is disabled.

    `policies` are dotted identifiers, the default first. `accuracy` is what its tokens promise,
    and the error of a clock beyond which it does not stamp; `ordering` says that its tokens can be
    ordered by genTime whatever their accuracy.
    """

    id: TimestampAuthorityId
    tenant: TenantId
    name: str
    issuer: IssuerId
    policies: tuple[str, ...]
    algorithm: KeyAlgorithm
    signature_algorithm: SignatureAlgorithm
    accuracy: timedelta
    ordering: bool
    created_at: datetime
    disabled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewTimestampAuthority:
    """An authority that is to be made; without a signature algorithm its keys sign as usual."""

    name: str
    issuer: IssuerId
    policies: tuple[str, ...]
    algorithm: KeyAlgorithm = KeyAlgorithm.P256
    signature_algorithm: SignatureAlgorithm | None = None
    accuracy: timedelta = timedelta(seconds=1)
    ordering: bool = False


@dataclass(frozen=True, slots=True)
class TimestampUnit:
    """A key that stamps for an authority, and its certificate (DER). It signs up to `key_until`;
    the certificate lasts longer, so that its tokens can be verified (RFC 3161 section 4.2)."""

    authority: TimestampAuthorityId
    number: int
    key: SigningKey
    certificate: bytes
    certificate_id: CertificateId
    serial: int
    not_after: datetime
    key_until: datetime


@dataclass(frozen=True, slots=True)
class Stamping:
    """All that decides whether an authority stamps: read together, and again every second.

    `revoked` says that its unit's certificate, or one above it, is revoked or held.
    """

    authority: TimestampAuthority
    unit: TimestampUnit
    issuer: Issuer
    tenant_works: bool
    revoked: bool


@dataclass(frozen=True, slots=True)
class Anchor:
    """A time-stamp of a checkpoint of the log: `response` is the TimeStampResp (DER) that grants
    it, `source` the address of whose it is."""

    size: int
    number: int
    source: str
    gen_time: datetime
    response: bytes


@dataclass(frozen=True, slots=True)
class ExternalAuthority:
    """Somebody else's authority: its address, and the certificates (DER) to one of which its path
    must lead."""

    url: str
    anchors: tuple[bytes, ...]


class ClockTrust(StrEnum):
    """What makes the time of day trusted: the kernel's word that it is synchronised, or only the
    operator's."""

    KERNEL = "kernel"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class ClockSample:
    """Both clocks at one moment: nanoseconds of Unix time and since the machine started, suspended
    or not. `synchronised` and `maximum_error` are the kernel's word (adjtimex(2))."""

    realtime: int
    boottime: int
    synchronised: bool
    maximum_error: timedelta


class ClockFault(StrEnum):
    """Why a clock is not trusted."""

    UNSYNCHRONISED = "unsynchronised"
    JUMPED = "jumped"


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The time of day with what is known of it. `maximum_error` is None where it is assumed."""

    instant: datetime
    fault: ClockFault | None
    maximum_error: timedelta | None
    jump: timedelta = timedelta()
