"""Profile documents: TOML that people write, read strictly into a `Profile`, and its digest.

`docs/reference/profiles.md` describes every field. The canonical form is the JSON of all that a
document says, defaults left out, members sorted (RFC 8785): two documents that say the same have
the same digest, whatever their comments, order and spacing.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace

from tegata.kernel.finding import Finding
from tegata.profiles.document_checks import contradictions, tenant_bounds
from tegata.profiles.document_errors import finding, refuse
from tegata.profiles.document_extensions import (
    custom_extensions,
    name_constraints,
    policies,
    security_identifier,
)
from tegata.profiles.document_form import canonical_form
from tegata.profiles.document_reader import Reader
from tegata.profiles.document_sections import (
    key_usage,
    names,
    public_keys,
    purposes,
    subject,
    validity,
)
from tegata.profiles.model import CertificateKind, Profile

DOCUMENT_MAXIMUM = 64 * 1024
_VERSION_MAXIMUM = 1_000_000
_NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")
_FIELDS = (
    "name", "version", "description", "selfSigned", "validity", "subjectPublicKeyInfo",
    "subject", "subjectAltName", "basicConstraints", "keyUsage", "extKeyUsage",
    "certificatePolicies", "nameConstraints", "cRLDistributionPoints", "authorityInfoAccess",
    "ocspNoCheck", "ntdsCaSecurity", "extensions", "serverSideKeys",
)  # fmt: skip


def parse_document(text: str, *, built_in: bool = False, version: int | None = None) -> Profile:
    """The profile of a TOML document; `Problem(profile.invalid)` with all that is wrong.

    Unless it is `built_in`, a document is a tenant's, and keeps within the platform's bounds.
    `version` is the one that it gets when it names none, and that it must name when it does.
    """
    if len(text.encode("utf-8", "surrogatepass")) > DOCUMENT_MAXIMUM:
        refuse([finding("document.too-large", "", maximum=str(DOCUMENT_MAXIMUM))])
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        reason = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "too deep"
        refuse([finding("document.syntax", "", reason=reason)])
        raise AssertionError from error
    return _profile(values, built_in=built_in, version=version)


def parse_canonical(octets: bytes) -> Profile:
    """The profile of a tenant's document in canonical form; `Problem(profile.invalid)` when it
    is not in that form, or not one that a tenant may have."""
    try:
        values = json.loads(octets)
    except (ValueError, RecursionError) as error:
        refuse([finding("document.syntax", "", reason="not JSON")])
        raise AssertionError from error
    if len(octets) > DOCUMENT_MAXIMUM or not isinstance(values, dict):
        refuse([finding("document.syntax", "", reason="not one object within bounds")])
    profile = _profile(values, built_in=False, version=None)
    if canonical_form(profile) != octets:
        refuse([finding("document.syntax", "", reason="not in canonical form")])
    return profile


def _profile(values: Mapping[str, object], *, built_in: bool, version: int | None) -> Profile:
    findings: list[Finding] = []
    reader = Reader(values, "", findings, *_FIELDS)
    profile = _read(reader, version, built_in=built_in)
    refuse(findings or contradictions(profile) or ([] if built_in else tenant_bounds(profile)))
    return replace(profile, digest=hashlib.sha256(canonical_form(profile)).hexdigest())


def _read(reader: Reader, version: int | None, *, built_in: bool) -> Profile:
    period, maximum, no_expiration = validity(reader)
    key_kinds, rsa_bits_minimum = public_keys(reader)
    subject_types, subject_required, subject_fixed = subject(reader)
    name_kinds, names_required, name_rules = names(reader)
    usages, key_encipherment, key_agreement = key_usage(reader)
    extended, critical = purposes(reader)
    constraints = reader.table("basicConstraints", "cA", "pathLenConstraint")
    is_ca = constraints.flag("cA", False)
    no_check = reader.flag("ocspNoCheck", False)
    access = reader.table("authorityInfoAccess", "ocsp", "caIssuers")
    description = reader.table("description", "en", "ja")
    return Profile(
        name=_name(reader),
        version=_version(reader, version),
        kind=CertificateKind.CA if is_ca else CertificateKind.END_ENTITY,
        validity=period,
        max_validity=maximum,
        no_expiration=no_expiration,
        key_kinds=key_kinds,
        rsa_bits_minimum=rsa_bits_minimum,
        key_usage=usages,
        key_encipherment_for_rsa=key_encipherment,
        key_agreement_for_ec=key_agreement,
        extended_key_usage=extended,
        extended_key_usage_critical=critical,
        subject_types=subject_types,
        subject_required=subject_required,
        subject_fixed=subject_fixed,
        name_kinds=name_kinds,
        names_required=names_required,
        name_rules=name_rules,
        path_length=constraints.number("pathLenConstraint", None, 0, 255),
        self_signed=reader.flag("selfSigned", False),
        ocsp_no_check=no_check,
        policies=policies(reader),
        name_constraints=name_constraints(reader),
        custom_extensions=custom_extensions(reader),
        security_identifier=security_identifier(reader),
        crl_distribution_points=reader.table("cRLDistributionPoints", "include").flag(
            "include", True
        ),
        ocsp=access.flag("ocsp", True),
        ca_issuers=access.flag("caIssuers", True),
        server_side_keys=reader.flag("serverSideKeys", False),
        description=(description.text("en"), description.text("ja")),
        public=not is_ca and not no_check,
        built_in=built_in,
    )


def _name(reader: Reader) -> str:
    name = reader.text("name")
    if not reader.has("name"):
        reader.wrong("document.missing-field", "name", example='name = "office-vpn"')
    elif not _NAME.fullmatch(name):
        reader.wrong("document.name", "name")
    return name


def _version(reader: Reader, expected: int | None) -> int:
    version = reader.number("version", expected, 1, _VERSION_MAXIMUM)
    if expected is not None and version != expected:
        reader.wrong("document.version", "version", next=str(expected))
    return version or 1
