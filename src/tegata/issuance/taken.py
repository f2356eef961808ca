"""A CA that is being taken over: what was handed in of it, until it is an issuer (ADR 18)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tegata.issuance.index_file import TakenRevocation
from tegata.issuance.model import IssuedCertificate
from tegata.kernel.ids import IssuerId
from tegata.kernel.signing import KeyPurpose, SignatureAlgorithm, SigningKey
from tegata.pkix.names import GeneralName

# What certificates are said to be of that nobody named a profile for. A tenant that makes a
# profile of this name can have them renewed by it.
TAKEN_PROFILE = "taken-over"


class TakeOverState(StrEnum):
    """Things are handed in; or all of it is being recorded, which nobody stops any more."""

    OPEN = "open"
    COMPLETING = "completing"


@dataclass(frozen=True, slots=True)
class NewTakeOver:
    """A CA that is to be taken over: its certificate and those above it (DER, its own first)."""

    name: str
    purpose: KeyPurpose
    chain: tuple[bytes, ...]
    signature_algorithm: SignatureAlgorithm | None = None
    crl_number: int | None = None


@dataclass(frozen=True, slots=True)
class TakeOver:
    """How far it is. `id` is the issuer's to be.

    `crl_number` is the highest that the CA is known to have given to a list; `point` the address
    that its lists say they are for (RFC 5280 section 5.2.5); `told` that revocations were handed
    in, by a list or an index. `entries` counts serial numbers of all sources, `certificates`
    those with a certificate, `revoked` those that are revoked. `revision` changes with each step.
    """

    id: IssuerId
    name: str
    key: SigningKey
    chain: tuple[bytes, ...]
    state: TakeOverState
    created_at: datetime
    crl_number: int | None = None
    point: str | None = None
    told: bool = False
    entries: int = 0
    certificates: int = 0
    revoked: int = 0
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Staged:
    """What was handed in of one serial number. `not_after` is what an index says."""

    serial: int
    der: bytes | None
    profile: str
    not_after: datetime | None
    revoked: TakenRevocation | None


@dataclass(frozen=True, slots=True)
class TakenRecord:
    """What is recorded of one serial number: with its certificate, or the number alone.

    `listed_until` is the end of its validity, `shard` the list that names it beside the complete
    one (0 for none).
    """

    issuer: IssuerId
    serial: int
    certificate: IssuedCertificate | None
    names: tuple[GeneralName, ...]
    revoked: TakenRevocation | None
    listed_until: datetime
    shard: int


StagedBySerial = Mapping[int, Staged]
