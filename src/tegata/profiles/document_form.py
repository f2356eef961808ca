"""The canonical form of a profile's document."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from tegata.pkix.algorithms import RSA_KINDS
from tegata.pkix.names import GeneralName
from tegata.profiles.document_sections import NO_END
from tegata.profiles.model import CertificateKind, Demand, NameRule, Profile
from tegata.profiles.vocabulary import (
    ATTRIBUTE_NAMES,
    KEY_USAGE_NAMES,
    NAME_KIND_NAMES,
    NAME_KINDS,
    PURPOSE_NAMES,
)

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
Value = str | int | bool | Sequence["Value"] | Mapping[str, "Value"]
_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def canonical_form(profile: Profile) -> bytes:
    """What a profile says, as the JSON of a document that says it."""
    return _ENCODER.encode(_document(profile)).encode()


def _document(profile: Profile) -> dict[str, Value]:
    found: dict[str, Value] = {
        "name": profile.name,
        "version": profile.version,
        "validity": _validity(profile),
        "subjectPublicKeyInfo": _public_keys(profile),
        "subject": _subject(profile),
        "subjectAltName": _names(profile),
        "keyUsage": {
            "always": sorted(KEY_USAGE_NAMES[usage] for usage in profile.key_usage),
            "rsa": ["keyEncipherment"] if profile.key_encipherment_for_rsa else [],
            "ec": ["keyAgreement"] if profile.key_agreement_for_ec else [],
        },
        "extKeyUsage": {
            "purposes": [PURPOSE_NAMES.get(each, each) for each in profile.extended_key_usage],
            "critical": profile.extended_key_usage_critical,
        },
        "cRLDistributionPoints": {"include": profile.crl_distribution_points},
        "authorityInfoAccess": {"ocsp": profile.ocsp, "caIssuers": profile.ca_issuers},
    }
    return found | _rarer(profile)


def _rarer(profile: Profile) -> dict[str, Value]:
    found: dict[str, Value] = {}
    if profile.kind is CertificateKind.CA:
        constraints: dict[str, Value] = {"cA": True}
        if profile.path_length is not None:
            constraints["pathLenConstraint"] = profile.path_length
        found["basicConstraints"] = constraints
    for field, given in (
        ("selfSigned", profile.self_signed),
        ("ocspNoCheck", profile.ocsp_no_check),
        ("serverSideKeys", profile.server_side_keys),
    ):
        if given:
            found[field] = True
    if profile.policies:
        found["certificatePolicies"] = [
            _filled(
                policyIdentifier=each.policy_identifier,
                cPSuri=each.cps_uri,
                userNotice=each.user_notice,
            )
            for each in profile.policies
        ]
    if profile.name_constraints is not None:
        found["nameConstraints"] = {
            "permittedSubtrees": _subtrees(profile.name_constraints.permitted),
            "excludedSubtrees": _subtrees(profile.name_constraints.excluded),
        }
    if profile.security_identifier is not Demand.FORBIDDEN:
        found["ntdsCaSecurity"] = {"objectSid": profile.security_identifier.value}
    if profile.custom_extensions:
        found["extensions"] = [
            {"extnID": each.extension_id, "critical": each.critical, "der": each.value.hex()}
            for each in profile.custom_extensions
        ]
    if any(profile.description):
        found["description"] = _filled(en=profile.description[0], ja=profile.description[1])
    return found


def _filled(**texts: str) -> dict[str, Value]:
    return {name: text for name, text in texts.items() if text}


def _validity(profile: Profile) -> dict[str, Value]:
    if profile.no_expiration:
        return {"notAfter": NO_END}
    return {"period": _duration(profile.validity), "maximum": _duration(profile.max_validity)}


def _duration(period: timedelta) -> str:
    return f"{period // _HOUR}h" if period % _DAY else f"{period // _DAY}d"


def _public_keys(profile: Profile) -> dict[str, Value]:
    found: dict[str, Value] = {"algorithms": sorted(profile.key_kinds)}
    if profile.key_kinds & RSA_KINDS:
        found["rsaMinimumBits"] = profile.rsa_bits_minimum
    return found


def _subject(profile: Profile) -> dict[str, Value]:
    return {
        "allowed": sorted(ATTRIBUTE_NAMES[each] for each in profile.subject_types),
        "required": sorted(ATTRIBUTE_NAMES[each] for each in profile.subject_required),
        "fixed": {ATTRIBUTE_NAMES[kind]: value for kind, value in profile.subject_fixed},
    }


def _names(profile: Profile) -> dict[str, Value]:
    found: dict[str, Value] = {"required": profile.names_required}
    rules = {rule.kind: rule for rule in profile.name_rules}
    for field, kind in NAME_KINDS.items():
        if kind in profile.name_kinds:
            found[field] = _name_rule(rules.get(kind, NameRule(kind, wildcard=True)), field)
    return found


def _name_rule(rule: NameRule, field: str) -> Value:
    found: dict[str, Value] = {
        "minimum": rule.minimum,
        "maximum": rule.maximum,
        "within": list(rule.within),
    }
    return found | ({"wildcard": rule.wildcard} if field == "dNSName" else {})


def _subtrees(names: Iterable[GeneralName]) -> dict[str, Value]:
    found: dict[str, list[Value]] = {}
    for name in names:
        found.setdefault(NAME_KIND_NAMES[name.kind], []).append(name.value)
    return dict(found)
