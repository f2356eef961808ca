"""Certificate profiles and the facts about an issuer that their rules need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property

from tegata.kernel.finding import Finding, Severity
from tegata.kernel.signing import KeyPurpose, SignatureAlgorithm
from tegata.pkix import oids
from tegata.pkix.algorithms import KEY_KINDS, KeyKind
from tegata.pkix.certificate import TbsCertificate
from tegata.pkix.extensions import KeyUsage
from tegata.pkix.names import (
    GeneralName,
    GeneralNameKind,
    NameAttribute,
    parse_general_names,
    parse_name,
)
from tegata.pkix.policy_extensions import CertificatePolicy, NameConstraints

# "No well-defined expiration date" (RFC 5280 section 4.1.2.5).
NO_EXPIRATION = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
NAMES_MAXIMUM = 100
RSA_BITS_MINIMUM = 2048


class CertificateKind(StrEnum):
    """What a certificate makes of its subject (RFC 5280 section 3.2)."""

    CA = "ca"
    END_ENTITY = "end-entity"


class Demand(StrEnum):
    """Whether something must, may or must not be there."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True)
class NameRule:
    """What a profile says of one kind of alternative names, where it says more than the kind.

    `within` lists domains (host names, mailboxes, URIs, principal names) or networks (addresses)
    in one of which each name must lie; empty allows all.
    """

    kind: GeneralNameKind
    minimum: int = 0
    maximum: int = NAMES_MAXIMUM
    wildcard: bool = False
    within: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CustomExtension:
    """An extension that all certificates of a profile carry as it stands. `value` is DER."""

    extension_id: str
    critical: bool
    value: bytes


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of certificate. `version` changes whenever what it demands changes.

    `subject_types` are the attribute types (OIDs) its subjects may have, `name_kinds` the
    general names it may certify; `public` profiles are offered to tenants. `digest` is the
    SHA-256 (hexadecimal) of the document it was made from, `built_in` whether that came with
    the software. `max_validity` says nothing where `no_expiration` is set.
    """

    name: str
    version: int
    kind: CertificateKind
    validity: timedelta
    max_validity: timedelta
    key_usage: frozenset[KeyUsage]
    key_encipherment_for_rsa: bool
    extended_key_usage: tuple[str, ...]
    subject_types: frozenset[str]
    name_kinds: frozenset[GeneralNameKind]
    names_required: bool
    path_length: int | None = None
    self_signed: bool = False
    public: bool = True
    ocsp_no_check: bool = False
    key_agreement_for_ec: bool = False
    extended_key_usage_critical: bool = False
    no_expiration: bool = False
    key_kinds: frozenset[KeyKind] = frozenset(KEY_KINDS)
    rsa_bits_minimum: int = RSA_BITS_MINIMUM
    subject_required: frozenset[str] = frozenset()
    subject_fixed: tuple[tuple[str, str], ...] = ()
    name_rules: tuple[NameRule, ...] = ()
    policies: tuple[CertificatePolicy, ...] = ()
    name_constraints: NameConstraints | None = None
    custom_extensions: tuple[CustomExtension, ...] = ()
    security_identifier: Demand = Demand.FORBIDDEN
    crl_distribution_points: bool = True
    ocsp: bool = True
    ca_issuers: bool = True
    server_side_keys: bool = False
    description: tuple[str, str] = ("", "")
    digest: str = field(default="", compare=False)
    built_in: bool = field(default=True, compare=False)

    @property
    def reference(self) -> str:
        """How the signer knows it: a built-in one by its name, any other by its document."""
        return self.name if self.built_in else f"sha256:{self.digest}"

    @property
    def subject_purpose(self) -> KeyPurpose | None:
        """What its subject's key is made for, where that must be a key of ours."""
        if self.kind is CertificateKind.CA:
            if self.self_signed:
                return KeyPurpose.ROOT_CA
            return KeyPurpose.ISSUING_CA if self.path_length == 0 else KeyPurpose.SUBORDINATE_CA
        return KeyPurpose.OCSP_RESPONDER if self.ocsp_no_check else None


@dataclass(frozen=True, slots=True)
class IssuerFacts:
    """What a rule must know of the issuer: its name, key identifier, end (if known), how its
    key signs, the name constraints that bind it (its own and those above), and its path length."""

    subject: bytes
    key_identifier: bytes
    not_after: datetime | None
    signature_algorithm: SignatureAlgorithm
    constraints: tuple[NameConstraints, ...] = ()
    path_length: int | None = None


# Not slotted: what several rules read is parsed once and kept in the instance.
@dataclass(frozen=True)
class Subject:
    """What the rules look at: the octets read back, the profile, and the issuer."""

    tbs: TbsCertificate
    profile: Profile
    issuer: IssuerFacts

    @cached_property
    def rdns(self) -> tuple[tuple[NameAttribute, ...], ...]:
        """The subject's attributes; `DerError` when it is malformed."""
        return parse_name(self.tbs.subject)

    @cached_property
    def names(self) -> tuple[GeneralName, ...] | None:
        """The alternative names, None without the extension; `DerError` when malformed."""
        extension = self.tbs.extensions.get(oids.SUBJECT_ALTERNATIVE_NAME)
        return None if extension is None else parse_general_names(extension.value)


Rule = Callable[[Subject], Finding | None]


def error(code: str, cites: str, message: str) -> Finding:
    """A finding that refuses."""
    return Finding(code, Severity.ERROR, cites, message)
