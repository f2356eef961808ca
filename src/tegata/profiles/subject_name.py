"""Rules for the subject (RFC 5280 section 4.1.2.6 and appendix A.1)."""

from __future__ import annotations

from tegata.kernel.finding import Finding
from tegata.pkix import oids
from tegata.pkix.der import IA5_STRING, PRINTABLE_STRING, UTF8_STRING, DerError
from tegata.pkix.names import NameAttribute
from tegata.profiles.model import CertificateKind, Subject, error

# Upper bounds of RFC 5280 appendix A.1 (ub-...), in characters.
_UPPER_BOUNDS = {
    oids.COUNTRY: 2,
    oids.STATE_OR_PROVINCE: 128,
    oids.LOCALITY: 128,
    oids.ORGANIZATION: 64,
    oids.ORGANIZATIONAL_UNIT: 64,
    oids.COMMON_NAME: 64,
    oids.SERIAL_NUMBER: 64,
    oids.TITLE: 64,
    oids.SURNAME: 32_768,
    oids.GIVEN_NAME: 32_768,
    oids.PSEUDONYM: 128,
    oids.ORGANIZATION_IDENTIFIER: 128,
    # A host name's label (RFC 2247 section 3); RFC 4519 leaves uid's bound to its users.
    oids.DOMAIN_COMPONENT: 63,
    oids.USER_ID: 256,
}
# DirectoryString as section 4.1.2.4 leaves it; these two types are PrintableString.
_DIRECTORY_STRING = frozenset({UTF8_STRING, PRINTABLE_STRING})
_STRING_TAGS = {
    oids.COUNTRY: frozenset({PRINTABLE_STRING}),
    oids.SERIAL_NUMBER: frozenset({PRINTABLE_STRING}),
    oids.DOMAIN_COMPONENT: frozenset({IA5_STRING}),
}
_APPENDIX = "RFC 5280 appendix A.1"


def subject_is_well_formed(subject: Subject) -> Finding | None:
    """Every attribute is of a type the profile knows, in bounds, and without control characters."""
    try:
        rdns = subject.rdns
    except DerError as problem:
        return error("subject.malformed", "RFC 5280 section 4.1.2.4", str(problem))
    seen: set[str] = set()
    for attribute in (attribute for rdn in rdns for attribute in rdn):
        finding = _attribute(attribute, subject, seen)
        if finding is not None:
            return finding
        seen.add(attribute.attribute_type)
    if not rdns and subject.profile.kind is CertificateKind.CA:
        return error(
            "subject.empty", "RFC 5280 section 4.1.2.6", "the subject of a CA must not be empty"
        )
    return _broken_demand(subject, rdns, seen)


def _broken_demand(
    subject: Subject, rdns: tuple[tuple[NameAttribute, ...], ...], seen: set[str]
) -> Finding | None:
    profile = subject.profile
    missing = profile.subject_required - seen
    if missing:
        return error(
            "subject.attribute-missing",
            "RFC 5280 section 4.1.2.6",
            f"{profile.name} asks for subject attribute {', '.join(sorted(missing))}",
        )
    for kind, value in profile.subject_fixed:
        found = {each.value for rdn in rdns for each in rdn if each.attribute_type == kind}
        if found != {value}:
            return error(
                "subject.attribute-value",
                "RFC 5280 section 4.1.2.6",
                f"subject attribute {kind} must be {value}",
            )
    return None


def _attribute(attribute: NameAttribute, subject: Subject, seen: set[str]) -> Finding | None:
    kind, value = attribute.attribute_type, attribute.value
    if kind not in subject.profile.subject_types:
        return error(
            "subject.attribute-not-allowed",
            "RFC 5280 section 4.1.2.6",
            f"{subject.profile.name} has no subject attribute {kind}",
        )
    if kind == oids.COMMON_NAME and kind in seen:
        return error("subject.common-name-repeated", _APPENDIX, "more than one common name")
    if attribute.tag not in _STRING_TAGS.get(kind, _DIRECTORY_STRING):
        return error("subject.string-type", _APPENDIX, f"attribute {kind} has another string type")
    if not value or len(value) > _UPPER_BOUNDS[kind]:
        return error(
            "subject.attribute-length",
            _APPENDIX,
            f"attribute {kind} must have 1 to {_UPPER_BOUNDS[kind]} characters",
        )
    if kind == oids.COUNTRY and not (len(value) == 2 and value.isascii() and value.isupper()):
        return error("subject.country-code", _APPENDIX, "country must be two capital letters")
    if not value.isprintable():
        return error("subject.control-character", _APPENDIX, f"attribute {kind}")
    return None
