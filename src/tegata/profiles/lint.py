"""The lint: every rule, listed by hand, over the octets that are about to be signed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from tegata.kernel.finding import Finding
from tegata.pkix.certificate import parse_tbs_certificate
from tegata.pkix.der import DerError
from tegata.profiles import (
    basic_fields,
    public_key,
    subject_alternative_name,
    subject_name,
    usage,
    validity,
)
from tegata.profiles.catalogue import CATALOGUE
from tegata.profiles.model import IssuerFacts, Profile, Rule, Subject, error

RULES: Sequence[Rule] = (
    basic_fields.version_is_3,
    basic_fields.serial_number_in_bounds,
    basic_fields.signature_algorithm_allowed,
    basic_fields.issuer_name_matches,
    basic_fields.self_signed_as_profiled,
    validity.validity_in_order,
    validity.validity_within_profile,
    validity.validity_within_issuer,
    subject_name.subject_is_well_formed,
    subject_alternative_name.alternative_names_allowed,
    subject_alternative_name.alternative_name_criticality,
    subject_alternative_name.common_name_is_certified,
    public_key.public_key_is_strong,
    public_key.subject_key_identifier_matches,
    public_key.authority_key_identifier_matches,
    usage.key_usage_as_profiled,
    usage.extended_key_usage_as_profiled,
    usage.basic_constraints_as_profiled,
    usage.extensions_known,
    usage.extensions_not_critical,
    usage.status_can_be_found,
)


def lint(tbs: bytes, profile: Profile, issuer: IssuerFacts) -> list[Finding]:
    """Every finding on a TBSCertificate; empty when nothing is wrong with it."""
    try:
        subject = Subject(parse_tbs_certificate(tbs), profile, issuer)
    except DerError as problem:
        return [error("tbs.malformed", "RFC 5280 section 4.1", str(problem))]
    return [finding for rule in RULES if (finding := rule(subject)) is not None]


def _rule_set() -> bytes:
    names = [rule.__module__ + "." + getattr(rule, "__name__", "") for rule in RULES]
    profiles = [f"{profile.name}/{profile.version}" for profile in CATALOGUE.values()]
    return hashlib.sha256("\n".join(names + profiles).encode()).digest()


# Names the rules and profile versions, so that a signer and a caller of different builds notice.
RULE_SET = _rule_set()
