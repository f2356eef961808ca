"""Issuers, and the states a certificate passes through on its way out.

Only a `Linted` draft can be reserved, only a `Reserved` one signed, only a `Signed` one
verified and recorded, only a recorded one is released as an `IssuedCertificate`: each type is
made by the step before it, so the wrong order cannot be written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tegata.issuance.serials import SerialBlock
from tegata.kernel.ids import CertificateId, IssuerId, TenantId
from tegata.kernel.signing import KeyAlgorithm, KeyPurpose, SignatureAlgorithm, SigningKey
from tegata.pkix.names import GeneralName
from tegata.profiles.authority import AuthorityBounds
from tegata.profiles.model import IssuerFacts, Profile


@dataclass(frozen=True, slots=True)
class Issuer:
    """A certification authority of one tenant.

    `chain` is its own certificate (DER) and those above it, root last; the URLs are those that
    its certificates carry. `bounds` are what it was made with, `predecessor` is the issuer that
    it was re-keyed from, `ancestors` are the tenant's issuers above it.
    """

    id: IssuerId
    tenant: TenantId
    name: str
    parent: IssuerId | None
    key: SigningKey
    certificate: bytes
    chain: tuple[bytes, ...]
    facts: IssuerFacts
    not_before: datetime
    ocsp_url: str
    crl_url: str
    ca_issuers_url: str
    bounds: AuthorityBounds | None = None
    predecessor: IssuerId | None = None
    ancestors: tuple[IssuerId, ...] = ()


@dataclass(frozen=True, slots=True)
class NewAuthority:
    """A CA that is to be made: `subject` is a Name (DER), `validity` by default the profile's.

    Without `signature_algorithm` its key signs as keys of its algorithm usually do.
    """

    name: str
    purpose: KeyPurpose
    subject: bytes
    algorithm: KeyAlgorithm = KeyAlgorithm.P256
    signature_algorithm: SignatureAlgorithm | None = None
    validity: timedelta | None = None
    bounds: AuthorityBounds | None = None
    predecessor: IssuerId | None = None


@dataclass(frozen=True, slots=True)
class PendingAuthority:
    """A CA that waits for its certificate from elsewhere; `request` is a PKCS #10 (DER).
    `predecessor` is the generation that it is to follow."""

    id: IssuerId
    name: str
    key: SigningKey
    subject: bytes
    request: bytes
    bounds: AuthorityBounds | None
    predecessor: IssuerId | None = None


class LinkKind(StrEnum):
    """Further certificates of an issuer: of the CAs above an externally signed one, and those
    that join two generations of a root (RFC 4210 section 4.4)."""

    ABOVE = "above"
    NEW_WITH_OLD = "new-with-old"
    OLD_WITH_NEW = "old-with-new"


class StopCause(StrEnum):
    """Why something does not issue. Only `STOPPED` and `DISABLED` are ever taken back."""

    STOPPED = "stopped"
    DISABLED = "disabled"
    RETIRED = "retired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Stop:
    """Nothing is issued: by one issuer, by all of a tenant (no issuer), or by anybody (neither).

    Only who set it takes it back: `owner`, the tenant itself or the operator's.
    """

    owner: TenantId
    tenant: TenantId | None
    issuer: IssuerId | None
    cause: StopCause
    since: datetime


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """A version of an issuer's certificate policy or practice statement (RFC 3647)."""

    issuer: IssuerId
    version: int
    title: str
    language: str
    media_type: str
    text: str
    published_at: datetime


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be certified: everything but the serial number.

    `subject` (Name) and `public_key` (SubjectPublicKeyInfo) are DER; `extensions` are those,
    encoded, that differ from certificate to certificate beside the names.
    """

    profile: Profile
    subject: bytes
    subject_text: str
    public_key: bytes
    names: tuple[GeneralName, ...]
    not_before: datetime
    not_after: datetime
    extensions: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Linted:
    """A draft whose shape the lint has passed, and how its extensions are encoded once it is
    known which CRL it will name."""

    draft: Draft
    extensions: Callable[[Draft, str], tuple[bytes, ...]]


@dataclass(frozen=True, slots=True)
class ReservedSerial:
    """A serial number of a block that is durable, and the CRL shard that it belongs to."""

    block: SerialBlock
    counter: int
    serial: int
    shard: int
    crl_url: str


@dataclass(frozen=True, slots=True)
class Reserved:
    """A linted draft under a reserved serial: the octets that will be signed."""

    linted: Linted
    place: ReservedSerial
    tbs: bytes


@dataclass(frozen=True, slots=True)
class Signed:
    """A certificate whose signature has been verified, not yet recorded and not yet released."""

    reserved: Reserved
    der: bytes


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A recorded certificate."""

    id: CertificateId
    tenant: TenantId
    issuer: IssuerId
    serial: int
    profile: str
    profile_version: int
    subject: str
    not_before: datetime
    not_after: datetime
    der: bytes
    shard: int = 0


@dataclass(frozen=True, slots=True)
class VoidSerial:
    """A reserved serial under which nothing was recorded before a crash."""

    issuer: IssuerId
    serial: int
    month: int
    shard: int
