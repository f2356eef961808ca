"""Certificate profiles and the facts about an issuer that their rules need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

from tegata.kernel.finding import Finding, Severity
from tegata.kernel.signing import SignatureAlgorithm
from tegata.pkix import oids
from tegata.pkix.certificate import TbsCertificate
from tegata.pkix.extensions import KeyUsage
from tegata.pkix.names import (
    GeneralName,
    GeneralNameKind,
    NameAttribute,
    parse_general_names,
    parse_name,
)


class CertificateKind(StrEnum):
    """What a certificate makes of its subject (RFC 5280 section 3.2)."""

    CA = "ca"
    END_ENTITY = "end-entity"


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of certificate. `version` changes whenever what it demands changes.

    `subject_types` are the attribute types (OIDs) its subjects may have, `name_kinds` the
    general names it may certify; `public` profiles are offered to tenants.
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


@dataclass(frozen=True, slots=True)
class IssuerFacts:
    """What a rule must know of the issuer: its name, key identifier, end (if known), and how
    its key signs."""

    subject: bytes
    key_identifier: bytes
    not_after: datetime | None
    signature_algorithm: SignatureAlgorithm


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
