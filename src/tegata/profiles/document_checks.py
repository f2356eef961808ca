"""Documents that contradict themselves, and the bounds that a tenant's documents keep within."""

from __future__ import annotations

from datetime import timedelta

from tegata.kernel.finding import Finding
from tegata.pkix import oids
from tegata.pkix.algorithms import EC_KINDS, KeyKind
from tegata.pkix.extensions import KeyUsage
from tegata.pkix.names import GeneralNameKind
from tegata.profiles.document_errors import finding
from tegata.profiles.model import CertificateKind, Profile
from tegata.profiles.usage import impossible_key_usage
from tegata.profiles.vocabulary import KEY_USAGE_NAMES, NAME_KIND_NAMES, PURPOSE_NAMES

_CA_USAGES = frozenset({KeyUsage.KEY_CERT_SIGN, KeyUsage.CRL_SIGN})
_SIGN = frozenset({KeyUsage.DIGITAL_SIGNATURE, KeyUsage.CONTENT_COMMITMENT})
_SIGN_ONLY = frozenset({KeyUsage.DIGITAL_SIGNATURE})
_ANY_USE = _SIGN | {KeyUsage.KEY_ENCIPHERMENT, KeyUsage.KEY_AGREEMENT}
# Key usages of which one is consistent with a purpose (RFC 5280 section 4.2.1.12, RFC 9336).
_CONSISTENT = {
    oids.SERVER_AUTH: _ANY_USE - {KeyUsage.CONTENT_COMMITMENT},
    oids.CLIENT_AUTH: _SIGN_ONLY | {KeyUsage.KEY_AGREEMENT},
    oids.CODE_SIGNING: _SIGN_ONLY,
    oids.EMAIL_PROTECTION: _ANY_USE,
    oids.TIME_STAMPING: _SIGN,
    oids.OCSP_SIGNING: _SIGN,
    oids.DOCUMENT_SIGNING: _SIGN,
}
_DNS, _IP = GeneralNameKind.DNS, GeneralNameKind.IP
_NAMED_BY = {
    oids.SERVER_AUTH: frozenset({_DNS, _IP}),
    oids.EMAIL_PROTECTION: frozenset({GeneralNameKind.EMAIL, GeneralNameKind.SMTP_UTF8}),
    oids.SMART_CARD_LOGON: frozenset({GeneralNameKind.UPN}),
}
# What tenants' documents keep within: a server's as the CA/Browser Forum's, any other's as the
# longest that a subscriber's key is trusted with here.
LONGEST = timedelta(days=3653)
LONGEST_SERVER = timedelta(days=398)


def contradictions(profile: Profile) -> list[Finding]:
    """What in a document cannot be true together."""
    is_ca = profile.kind is CertificateKind.CA
    found = _of_ca(profile) if is_ca else _of_end_entity(profile)
    if not profile.key_usage:
        found.append(finding("document.no-key-usage", "keyUsage.always"))
    if profile.key_encipherment_for_rsa and KeyKind.RSA not in profile.key_kinds:
        found.append(finding("document.usage-without-key", "keyUsage.rsa"))
    if profile.key_agreement_for_ec and not profile.key_kinds & EC_KINDS:
        found.append(finding("document.usage-without-key", "keyUsage.ec"))
    found += _of_keys(profile)
    for purpose in profile.extended_key_usage:
        found += _of_purpose(profile, purpose)
    return found


def _of_keys(profile: Profile) -> list[Finding]:
    """Usages that some of the listed keys cannot have: requests with these would be refused."""
    found = []
    for usage in sorted(profile.key_usage):
        kinds = sorted(each for each in profile.key_kinds if usage in impossible_key_usage(each)[0])
        if kinds:
            name = KEY_USAGE_NAMES[usage]
            found.append(
                finding(
                    "document.usage-of-no-key",
                    "keyUsage.always",
                    kinds=", ".join(kinds),
                    usage=name,
                )
            )
    return found


def _of_ca(profile: Profile) -> list[Finding]:
    found = []
    usages = profile.key_usage
    if KeyUsage.KEY_CERT_SIGN not in usages or usages - _CA_USAGES - _SIGN_ONLY:
        found.append(finding("document.ca-key-usage", "keyUsage.always"))
    if profile.extended_key_usage:
        value = ", ".join(PURPOSE_NAMES.get(each, each) for each in profile.extended_key_usage)
        found.append(finding("document.ca-purposes", "extKeyUsage.purposes", value=value))
    return found


def _of_end_entity(profile: Profile) -> list[Finding]:
    found = [
        finding("document.end-entity-key-usage", "keyUsage.always", value=KEY_USAGE_NAMES[usage])
        for usage in sorted(profile.key_usage & _CA_USAGES)
    ]
    for field, given in (
        ("basicConstraints.pathLenConstraint", profile.path_length is not None),
        ("nameConstraints", profile.name_constraints is not None),
        ("selfSigned", profile.self_signed),
    ):
        if given:
            found.append(finding("document.ca-only", field, field=field))
    if oids.ANY_POLICY in {each.policy_identifier for each in profile.policies}:
        found.append(finding("document.any-policy", "certificatePolicies"))
    has_minimum = any(rule.minimum for rule in profile.name_rules)
    if not (profile.subject_types or profile.name_kinds):
        found.append(finding("document.nobody", "subject.allowed"))
    if not (profile.crl_distribution_points or profile.ocsp or profile.ocsp_no_check):
        found.append(finding("document.no-status", "authorityInfoAccess.ocsp"))
    if has_minimum and not profile.name_kinds:
        found.append(finding("document.nobody", "subjectAltName"))
    return found


def _of_purpose(profile: Profile, purpose: str) -> list[Finding]:
    found = []
    name = PURPOSE_NAMES.get(purpose, purpose)
    wanted = _CONSISTENT.get(purpose, frozenset())
    usages = profile.key_usage
    if profile.key_encipherment_for_rsa:
        usages |= {KeyUsage.KEY_ENCIPHERMENT}
    if profile.key_agreement_for_ec:
        usages |= {KeyUsage.KEY_AGREEMENT}
    if wanted and not wanted & usages:
        listed = ", ".join(KEY_USAGE_NAMES[usage] for usage in sorted(wanted))
        found.append(
            finding("document.purpose-key-usage", "keyUsage.always", purpose=name, usages=listed)
        )
    kinds = _NAMED_BY.get(purpose, frozenset())
    if kinds and not kinds & profile.name_kinds:
        listed = ", ".join(NAME_KIND_NAMES[kind] for kind in sorted(kinds))
        found.append(
            finding("document.purpose-names", "subjectAltName", purpose=name, kinds=listed)
        )
    alone = len(profile.extended_key_usage) == 1 and profile.extended_key_usage_critical
    if purpose == oids.TIME_STAMPING and not alone:
        found.append(finding("document.time-stamping", "extKeyUsage"))
    return found


def tenant_bounds(profile: Profile) -> list[Finding]:
    """What a tenant's document may not have: it makes no CA and no responder, and its
    certificates do not last longer than the platform's own would."""
    purposes = profile.extended_key_usage
    own = (
        ("basicConstraints.cA", profile.kind is CertificateKind.CA),
        ("selfSigned", profile.self_signed),
        ("ocspNoCheck", profile.ocsp_no_check),
        ("extKeyUsage.purposes: OCSPSigning", oids.OCSP_SIGNING in purposes),
    )
    found = [
        finding("document.not-for-tenants", field.partition(":")[0], field=field)
        for field, given in own
        if given
    ]
    if oids.ANY_EXTENDED_KEY_USAGE in purposes:
        found.append(finding("document.any-purpose", "extKeyUsage.purposes"))
    if profile.no_expiration:
        devices = GeneralNameKind.HARDWARE_MODULE
        demanded = any(rule.kind is devices and rule.minimum for rule in profile.name_rules)
        if not demanded or oids.SERVER_AUTH in purposes:
            found.append(finding("document.end-without-device", "validity.notAfter"))
        return found
    bound = LONGEST_SERVER if oids.SERVER_AUTH in purposes else LONGEST
    if max(profile.validity, profile.max_validity) > bound:
        found.append(finding("document.beyond-bounds", "validity.maximum", bound=f"{bound.days}d"))
    return found
