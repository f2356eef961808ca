"""The lint: every rule, listed by hand, over the octets that are about to be signed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from tegata.kernel.finding import Finding
from tegata.pkix import oids
from tegata.pkix.certificate import parse_tbs_certificate
from tegata.pkix.der import DerError
from tegata.profiles import (
    authority,
    basic_fields,
    further_extensions,
    public_key,
    security_identifier,
    subject_alternative_name,
    subject_name,
    usage,
    validity,
)
from tegata.profiles.catalogue import CATALOGUE
from tegata.profiles.model import IssuerFacts, Profile, Rule, Subject, error
from tegata.profiles.public_key import key_kind

# What these look at is equal in all certificates of one shape.
SHAPE_RULES: Sequence[Rule] = (
    basic_fields.version_is_3,
    basic_fields.signature_algorithm_allowed,
    basic_fields.issuer_name_matches,
    public_key.authority_key_identifier_matches,
    usage.key_usage_as_profiled,
    usage.key_usage_fits_key,
    usage.extended_key_usage_as_profiled,
    usage.basic_constraints_as_profiled,
    usage.extensions_known,
    usage.extensions_not_critical,
    usage.status_can_be_found,
    further_extensions.extensions_as_profiled,
    public_key.key_kind_allowed,
    authority.path_length_within_issuer,
    authority.constraints_within_issuer,
)
# What these look at differs from certificate to certificate.
CERTIFICATE_RULES: Sequence[Rule] = (
    basic_fields.serial_number_in_bounds,
    basic_fields.self_signed_as_profiled,
    validity.validity_in_order,
    validity.validity_within_profile,
    validity.validity_within_issuer,
    subject_name.subject_is_well_formed,
    subject_alternative_name.alternative_names_allowed,
    subject_alternative_name.alternative_name_criticality,
    subject_alternative_name.common_name_is_certified,
    public_key.public_key_is_strong,
    public_key.rsa_key_long_enough,
    public_key.subject_key_identifier_matches,
    security_identifier.security_identifier_as_profiled,
    usage.key_period_as_certified,
    authority.names_within_constraints,
)
RULES: Sequence[Rule] = (*SHAPE_RULES, *CERTIFICATE_RULES)
_VARYING = frozenset(
    {
        oids.SUBJECT_ALTERNATIVE_NAME,
        oids.SUBJECT_KEY_IDENTIFIER,
        oids.NTDS_CA_SECURITY,
        oids.PRIVATE_KEY_USAGE_PERIOD,
    }
)
_SHAPES_KEPT = 4096
_REVISION = 6

Shape = tuple[object, ...]


class Lint:
    """The lint, remembering the shapes that it found nothing wrong with.

    A shape is everything of a certificate but its serial number, validity, subject, public key
    and alternative names. A certificate of a remembered shape needs the rules for the rest only.
    """

    def __init__(self) -> None:
        self._clean: dict[Shape, None] = {}

    def findings(self, subject: Subject) -> list[Finding]:
        """Every finding on a TBSCertificate; empty when nothing is wrong with it."""
        shape = _shape(subject)
        if shape in self._clean:
            return _apply(CERTIFICATE_RULES, subject)
        findings = _apply(SHAPE_RULES, subject)
        if not findings:
            # The CRL shard is part of a shape, so shapes come and go: the oldest makes room.
            if len(self._clean) >= _SHAPES_KEPT:
                del self._clean[next(iter(self._clean))]
            self._clean[shape] = None
        return findings + _apply(CERTIFICATE_RULES, subject)


def _shape(subject: Subject) -> Shape:
    tbs = subject.tbs
    extensions = tuple(
        (name, extension.critical, b"" if name in _VARYING else extension.value)
        for name, extension in tbs.extensions.items()
    )
    return (
        subject.profile.name,
        subject.profile.version,
        subject.profile.digest,
        subject.issuer.subject,
        subject.issuer.key_identifier,
        subject.issuer.signature_algorithm,
        subject.issuer.path_length,
        subject.issuer.constraints,
        tbs.version,
        tbs.signature,
        tbs.issuer,
        key_kind(tbs.public_key),
        len(tbs.extension_order),
        extensions,
    )


def _apply(rules: Sequence[Rule], subject: Subject) -> list[Finding]:
    return [finding for rule in rules if (finding := rule(subject)) is not None]


def lint(tbs: bytes, profile: Profile, issuer: IssuerFacts) -> list[Finding]:
    """Every finding on a TBSCertificate; empty when nothing is wrong with it."""
    try:
        subject = Subject(parse_tbs_certificate(tbs), profile, issuer)
    except DerError as problem:
        return [malformed(str(problem))]
    return _apply(RULES, subject)


def malformed(message: str) -> Finding:
    """The finding on octets that are no TBSCertificate."""
    return error("tbs.malformed", "RFC 5280 section 4.1", message)


def _rule_set() -> bytes:
    names = [rule.__module__ + "." + getattr(rule, "__name__", "") for rule in RULES]
    # What a rule does is not in its name: raise this number with every change of one.
    names.append(f"revision {_REVISION}")
    profiles = [
        f"{profile.name}/{profile.version}/{profile.digest}" for profile in CATALOGUE.values()
    ]
    return hashlib.sha256("\n".join(names + profiles).encode()).digest()


# Names the rules and profile versions, so that a signer and a caller of different builds notice.
RULE_SET = _rule_set()
