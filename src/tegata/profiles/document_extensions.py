"""The tables of a document for policies, name constraints and a profile's own extensions."""

from __future__ import annotations

import re

from tegata.pkix.der import (
    BOOLEAN,
    IA5_STRING,
    NULL_VALUE,
    TLV,
    TRUE,
    UTF8_STRING,
    DerError,
    decode,
    encode_integer,
    encode_oid,
    whole,
    wrap,
)
from tegata.pkix.names import GeneralName, GeneralNameKind
from tegata.pkix.policy_extensions import CertificatePolicy, NameConstraints
from tegata.profiles.document_reader import Reader
from tegata.profiles.document_sections import is_network
from tegata.profiles.further_extensions import is_reserved
from tegata.profiles.model import CustomExtension, Demand
from tegata.profiles.subject_alternative_name import is_dns_name
from tegata.profiles.vocabulary import NAME_KINDS

_URI = re.compile(r"https?://[!-~]+")
_HEXADECIMAL = re.compile(r"(?:[0-9a-f]{2})+")
# RFC 5280 section 4.2.1.4: explicitText has at most 200 characters.
_NOTICE_MAXIMUM = 200
_CONSTRAINED = ("dNSName", "iPAddress", "rfc822Name", "uniformResourceIdentifier")
_BASES = {
    GeneralNameKind.IP: "192.0.2.0/24",
    GeneralNameKind.EMAIL: "example.co.jp / .example.co.jp",
    GeneralNameKind.URI: "www.example.co.jp / .example.co.jp",
}
_VALUES = ("der", "utf8String", "ia5String", "integer", "boolean", "objectIdentifier", "null")


def policies(reader: Reader) -> tuple[CertificatePolicy, ...]:
    """certificatePolicies, in order."""
    found: list[CertificatePolicy] = []
    known = ("policyIdentifier", "cPSuri", "userNotice")
    for table in reader.tables("certificatePolicies", *known):
        uri = table.text("cPSuri")
        if uri and not _URI.fullmatch(uri):
            table.wrong("document.uri", "cPSuri")
        identifier = table.oid("policyIdentifier")
        if identifier in {each.policy_identifier for each in found}:
            table.wrong("document.repeated", "policyIdentifier", value=identifier)
        notice = table.text("userNotice", maximum=_NOTICE_MAXIMUM)
        found.append(CertificatePolicy(identifier, uri, notice))
    return tuple(found)


def name_constraints(reader: Reader) -> NameConstraints | None:
    """nameConstraints, None without the table."""
    if not reader.has("nameConstraints"):
        return None
    fields = ("permittedSubtrees", "excludedSubtrees")
    table = reader.table("nameConstraints", *fields)
    permitted, excluded = (_subtrees(table.table(field, *_CONSTRAINED)) for field in fields)
    if not permitted and not excluded:
        example = 'permittedSubtrees = { dNSName = ["example.co.jp"] }'
        table.wrong("document.missing-field", "permittedSubtrees", example=example)
    return NameConstraints(permitted, excluded)


def _subtrees(table: Reader) -> tuple[GeneralName, ...]:
    found = []
    for field in _CONSTRAINED:
        kind = NAME_KINDS[field]
        for base in table.texts(field):
            if not _is_subtree(kind, base):
                example = _BASES.get(kind, "example.co.jp")
                table.wrong("document.base", field, value=base, kind=field, example=example)
            found.append(GeneralName(kind, base))
    return tuple(found)


def _is_subtree(kind: GeneralNameKind, base: str) -> bool:
    if kind is GeneralNameKind.IP:
        return is_network(base)
    # RFC 5280 section 4.2.1.10: a leading period means all hosts below; host names need none.
    host = base if kind is GeneralNameKind.DNS else base.removeprefix(".")
    return is_dns_name(host) and not host.startswith("*.")


def security_identifier(reader: Reader) -> Demand:
    """Whether certificates name an account's SID (Microsoft's extension)."""
    table = reader.table("ntdsCaSecurity", "objectSid")
    return Demand(table.choice("objectSid", Demand.FORBIDDEN, tuple(Demand)))


def custom_extensions(reader: Reader) -> tuple[CustomExtension, ...]:
    """A profile's own extensions, in order."""
    found: list[CustomExtension] = []
    for table in reader.tables("extensions", "extnID", "critical", *_VALUES):
        identifier = table.oid("extnID")
        if is_reserved(identifier):
            table.wrong("document.reserved-extension", "extnID", value=identifier)
        if identifier in {each.extension_id for each in found}:
            table.wrong("document.repeated", "extnID", value=identifier)
        found.append(CustomExtension(identifier, table.flag("critical", False), _value(table)))
    return tuple(found)


def _value(table: Reader) -> bytes:
    given = [field for field in _VALUES if table.has(field)]
    if len(given) != 1:
        table.wrong("document.one-of", "der", fields=", ".join(_VALUES))
        return NULL_VALUE
    match given[0]:
        case "der":
            return _der(table)
        case "utf8String":
            return wrap(UTF8_STRING, table.text("utf8String").encode())
        case "ia5String":
            text = table.text("ia5String")
            if not text.isascii():
                table.wrong("document.text", "ia5String")
                return NULL_VALUE
            return wrap(IA5_STRING, text.encode())
        case "integer":
            return encode_integer(table.number("integer", 0, -(1 << 63), (1 << 63) - 1) or 0)
        case "boolean":
            return TRUE if table.flag("boolean", False) else wrap(BOOLEAN, b"\x00")
        case "objectIdentifier":
            return encode_oid(table.oid("objectIdentifier") or "0.0")
        case _:
            if not table.flag("null", True):
                table.wrong("document.type", "null", expected="true")
            return NULL_VALUE


def _der(table: Reader) -> bytes:
    text = table.text("der", maximum=16_384).lower()
    if _HEXADECIMAL.fullmatch(text):
        octets = bytes.fromhex(text)
        try:
            if whole(decode(TLV, octets)) == octets:
                return octets
        except DerError:
            pass
    table.wrong("document.der", "der")
    return NULL_VALUE
