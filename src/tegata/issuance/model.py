"""Issuers, and the states a certificate passes through on its way out.

Only a `Linted` draft can be reserved, only a `Reserved` one signed, only a `Signed` one
verified and recorded, only a recorded one is released as an `IssuedCertificate`: each type is
made by the step before it, so the wrong order cannot be written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tegata.issuance.serials import SerialBlock
from tegata.kernel.ids import CertificateId, IssuerId, TenantId
from tegata.kernel.signing import SigningKey
from tegata.pkix.names import GeneralName
from tegata.profiles.model import IssuerFacts, Profile


@dataclass(frozen=True, slots=True)
class Issuer:
    """A certification authority of one tenant.

    `chain` is its own certificate (DER) and those above it, root last; the URLs are those that
    its certificates carry.
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
