"""Rules for what a certificate may be used for (RFC 5280 sections 4.2.1.3, .9 and .12)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tegata.kernel.finding import Finding
from tegata.pkix import oids
from tegata.pkix.algorithms import EC_KINDS, ML_DSA_KINDS, KeyKind
from tegata.pkix.der import NULL_VALUE, CertificateExtension, DerError
from tegata.pkix.extensions import (
    KeyUsage,
    parse_authority_information_access,
    parse_basic_constraints,
    parse_crl_distribution_points,
    parse_extended_key_usage,
    parse_key_usage,
    parse_private_key_usage_period,
)
from tegata.profiles.further_extensions import further_extensions_known
from tegata.profiles.model import CertificateKind, Profile, Subject, error
from tegata.profiles.public_key import key_kind

# What relying parties fetch; the signature is on what they get, so TLS adds nothing.
_HTTP_URL = re.compile(r"https?://[!-~]+")
_KNOWN = frozenset(
    {
        oids.SUBJECT_KEY_IDENTIFIER,
        oids.KEY_USAGE,
        oids.SUBJECT_ALTERNATIVE_NAME,
        oids.BASIC_CONSTRAINTS,
        oids.CRL_DISTRIBUTION_POINTS,
        oids.AUTHORITY_KEY_IDENTIFIER,
        oids.EXTENDED_KEY_USAGE,
        oids.AUTHORITY_INFORMATION_ACCESS,
        oids.OCSP_NO_CHECK,
    }
)


# RFC 5280 sections 4.2.1.1, 4.2.1.2 and 4.2.2.1 (MUST), 4.2.1.13 (SHOULD); RFC 6960 section
# 4.2.2.2.1 (SHOULD).
_NOT_CRITICAL = frozenset(
    {
        oids.AUTHORITY_KEY_IDENTIFIER,
        oids.SUBJECT_KEY_IDENTIFIER,
        oids.AUTHORITY_INFORMATION_ACCESS,
        oids.CRL_DISTRIBUTION_POINTS,
        oids.OCSP_NO_CHECK,
    }
)


_ENCIPHERMENT = frozenset({KeyUsage.KEY_ENCIPHERMENT, KeyUsage.DATA_ENCIPHERMENT})
_AGREEMENT = frozenset({KeyUsage.KEY_AGREEMENT, KeyUsage.ENCIPHER_ONLY, KeyUsage.DECIPHER_ONLY})
# What keys of a kind cannot do, and who says so.
_IMPOSSIBLE: Mapping[KeyKind, tuple[frozenset[KeyUsage], str]] = {
    KeyKind.RSA: (_AGREEMENT, "RFC 3279 section 2.3.1"),
    KeyKind.RSA_PSS: (_ENCIPHERMENT | _AGREEMENT, "RFC 4055 section 1.2"),
    **dict.fromkeys(EC_KINDS, (_ENCIPHERMENT, "RFC 8813 section 3")),
    KeyKind.ED25519: (_ENCIPHERMENT | _AGREEMENT, "RFC 9295 section 3"),
    **dict.fromkeys(ML_DSA_KINDS, (_ENCIPHERMENT | _AGREEMENT, "RFC 9881 section 5")),
}


def impossible_key_usage(kind: KeyKind) -> tuple[frozenset[KeyUsage], str]:
    """What a key of a kind cannot be used for, and who says so."""
    return _IMPOSSIBLE.get(kind, (frozenset[KeyUsage](), ""))


def expected_key_usage(profile: Profile, public_key: bytes) -> frozenset[KeyUsage]:
    """The profile's key usages; RSA servers may also be sent keys (RFC 5246 section 7.4.2).

    Not those whose keys are for RSASSA-PSS only (RFC 4055 section 1.2).
    """
    if profile.key_encipherment_for_rsa and key_kind(public_key) is KeyKind.RSA:
        return profile.key_usage | {KeyUsage.KEY_ENCIPHERMENT}
    if profile.key_agreement_for_ec and key_kind(public_key) in EC_KINDS:
        return profile.key_usage | {KeyUsage.KEY_AGREEMENT}
    return profile.key_usage


def key_usage_as_profiled(subject: Subject) -> Finding | None:
    """keyUsage is critical and has the profile's bits."""
    extension = subject.tbs.extensions.get(oids.KEY_USAGE)
    expected = expected_key_usage(subject.profile, subject.tbs.public_key)
    try:
        if (
            extension is not None
            and extension.critical
            and parse_key_usage(extension.value) == expected
        ):
            return None
    except DerError:
        pass
    return error(
        "key-usage.not-as-profiled",
        "RFC 5280 section 4.2.1.3",
        f"critical, with {', '.join(usage.name for usage in sorted(expected))}",
    )


def key_usage_fits_key(subject: Subject) -> Finding | None:
    """The profile asks for nothing that a key of the subject's kind cannot do."""
    kind = key_kind(subject.tbs.public_key)
    impossible, cites = impossible_key_usage(kind)
    # That the extension has the profile's usages is for `key_usage_as_profiled` to say.
    wrong = sorted(expected_key_usage(subject.profile, subject.tbs.public_key) & impossible)
    if not wrong:
        return None
    names = ", ".join(usage.name for usage in wrong)
    return error("key-usage.not-for-key", cites, f"a key of kind {kind} is not for {names}")


def extended_key_usage_as_profiled(subject: Subject) -> Finding | None:
    """extKeyUsage has the profile's purposes and nothing else."""
    extension = subject.tbs.extensions.get(oids.EXTENDED_KEY_USAGE)
    try:
        purposes = parse_extended_key_usage(extension.value) if extension is not None else ()
        if purposes == subject.profile.extended_key_usage:
            return None
    except DerError:
        pass
    return error(
        "extended-key-usage.not-as-profiled",
        "RFC 5280 section 4.2.1.12",
        "the purposes must be the profile's",
    )


def basic_constraints_as_profiled(subject: Subject) -> Finding | None:
    """basicConstraints is critical, says whether the subject is a CA, and bounds its path."""
    extension = subject.tbs.extensions.get(oids.BASIC_CONSTRAINTS)
    profile = subject.profile
    try:
        if extension is not None and extension.critical:
            constraints = parse_basic_constraints(extension.value)
            is_ca = profile.kind is CertificateKind.CA
            if constraints.ca == is_ca and constraints.path_length == profile.path_length:
                return None
    except DerError:
        pass
    return error(
        "basic-constraints.not-as-profiled",
        "RFC 5280 section 4.2.1.9",
        f"critical, {profile.kind}, path length {profile.path_length}",
    )


def _is_for_stamping(profile: Profile) -> bool:
    return profile.extended_key_usage == (oids.TIME_STAMPING,)


def key_period_as_certified(subject: Subject) -> Finding | None:
    """A unit's privateKeyUsagePeriod lies within its certificate's validity."""
    extension = subject.tbs.extensions.get(oids.PRIVATE_KEY_USAGE_PERIOD)
    if extension is None:
        return None
    try:
        begin, end = parse_private_key_usage_period(extension.value)
        within = subject.tbs.not_before <= begin < end <= subject.tbs.not_after
        if within and not extension.critical:
            return None
    except DerError:
        pass
    return error(
        "private-key-usage-period.not-within-validity",
        "RFC 3280 section 4.2.1.4; ETSI EN 319 422 clause 6.2",
        "not critical, with both ends, within the certificate's validity",
    )


def extensions_known(subject: Subject) -> Finding | None:
    """Every extension is one whose content a rule looks at, and stands once."""
    order = subject.tbs.extension_order
    if len(set(order)) != len(order):
        return error("extension.repeated", "RFC 5280 section 4.2", "an extension stands twice")
    unknown = [name for name in order if name not in _KNOWN]
    if unknown:
        known = further_extensions_known(subject.profile)
        if _is_for_stamping(subject.profile):
            known |= {oids.PRIVATE_KEY_USAGE_PERIOD}
        unknown = [name for name in unknown if name not in known]
    if unknown:
        return error(
            "extension.not-allowed", "RFC 5280 section 4.2", f"extension {', '.join(unknown)}"
        )
    return None


def extensions_not_critical(subject: Subject) -> Finding | None:
    """What a relying party may ignore is not critical; extKeyUsage is as the profile says."""
    wrong = [
        name
        for name, extension in subject.tbs.extensions.items()
        if extension.critical and name in _NOT_CRITICAL
    ]
    purposes = subject.tbs.extensions.get(oids.EXTENDED_KEY_USAGE)
    if purposes is not None and purposes.critical != subject.profile.extended_key_usage_critical:
        wrong.append(oids.EXTENDED_KEY_USAGE)
    if not wrong:
        return None
    return error(
        "extension.criticality",
        "RFC 5280 section 4.2",
        f"extension {', '.join(wrong)} has the wrong criticality",
    )


def status_can_be_found(subject: Subject) -> Finding | None:
    """An end-entity certificate and an issuing CA's say where their status is; a root's does not.

    A responder's certificate has id-pkix-ocsp-nocheck instead (RFC 6960 section 4.2.2.2.1).
    """
    profile = subject.profile
    no_check = subject.tbs.extensions.get(oids.OCSP_NO_CHECK)
    crl = subject.tbs.extensions.get(oids.CRL_DISTRIBUTION_POINTS)
    access = subject.tbs.extensions.get(oids.AUTHORITY_INFORMATION_ACCESS)
    # The value of id-pkix-ocsp-nocheck is NULL.
    if profile.ocsp_no_check == (no_check is not None and no_check.value == NULL_VALUE):
        if profile.ocsp_no_check or profile.self_signed:
            if crl is None and access is None:
                return None
        elif _points_to_status(profile, crl, access):
            return None
    return error(
        "status.not-findable",
        "RFC 5280 sections 4.2.1.13 and 4.2.2.1",
        "CRL distribution point and OCSP access must be there, or ocsp-nocheck for a responder",
    )


def _points_to_status(
    profile: Profile, crl: CertificateExtension | None, access: CertificateExtension | None
) -> bool:
    wanted = profile.crl_distribution_points, profile.ocsp or profile.ca_issuers
    if (crl is not None, access is not None) != wanted:
        return False
    try:
        points = parse_crl_distribution_points(crl.value) if crl is not None else ()
        found = parse_authority_information_access(access.value) if access is not None else ()
    except DerError:
        return False
    methods = {method for method, _url in found}
    expected = {oids.ACCESS_OCSP} if profile.ocsp else set()
    expected |= {oids.ACCESS_CA_ISSUERS} if profile.ca_issuers else set()
    urls = (*points, *(url for _method, url in found))
    return (
        bool(points) == profile.crl_distribution_points
        and methods == expected
        and all(_HTTP_URL.fullmatch(url) for url in urls)
    )
