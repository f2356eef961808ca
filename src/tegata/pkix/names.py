"""Distinguished names and general names (RFC 5280 sections 4.1.2.4 and 4.2.1.6)."""

from __future__ import annotations

import ipaddress
import string
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, NamedTuple

from cryptography.x509 import ObjectIdentifier

from tegata.pkix import oids
from tegata.pkix.der import (
    IA5_STRING,
    OBJECT_IDENTIFIER,
    PRINTABLE_STRING,
    SEQUENCE,
    SET,
    TLV,
    UTF8_STRING,
    DerError,
    Explicit,
    content_of,
    decode,
    dotted,
    encode_octet_string,
    encode_oid,
    encode_sequence,
    encode_set_of,
    explicit,
    implicit,
    sequence,
    split,
    whole,
    wrap,
)

_SHORT = {
    oids.COMMON_NAME: "CN",
    oids.SERIAL_NUMBER: "serialNumber",
    oids.COUNTRY: "C",
    oids.LOCALITY: "L",
    oids.STATE_OR_PROVINCE: "ST",
    oids.ORGANIZATION: "O",
    oids.ORGANIZATIONAL_UNIT: "OU",
    oids.ORGANIZATION_IDENTIFIER: "organizationIdentifier",
    oids.DOMAIN_COMPONENT: "DC",
    oids.SURNAME: "SN",
    oids.GIVEN_NAME: "GN",
    oids.TITLE: "title",
    oids.PSEUDONYM: "pseudonym",
    oids.USER_ID: "UID",
}
# RFC 5280 appendix A: these types are PrintableString, domainComponent is IA5String.
_STRING_TAGS = {
    oids.COUNTRY: PRINTABLE_STRING,
    oids.SERIAL_NUMBER: PRINTABLE_STRING,
    oids.DOMAIN_COMPONENT: IA5_STRING,
}
_ENCODINGS = {UTF8_STRING: "utf-8", PRINTABLE_STRING: "ascii", IA5_STRING: "ascii"}
# NumericString, TeletexString (which few wrote as T.61 says), UniversalString, BMPString.
_FOREIGN_ENCODINGS = {
    **{tag: (encoding,) for tag, encoding in _ENCODINGS.items()},
    0x12: ("ascii",),
    0x14: ("utf-8", "latin-1"),
    0x1C: ("utf-32-be",),
    0x1E: ("utf-16-be",),
}
# X.680 section 41.4.
_PRINTABLE = frozenset(string.ascii_letters + string.digits + " '()+,-./:=?")


class NameAttribute(NamedTuple):
    """One attribute of a distinguished name; `tag` is its string type's tag."""

    attribute_type: str
    value: str
    tag: int


class GeneralNameKind(StrEnum):
    """The kinds of general names that the platform issues."""

    DNS = "dns"
    IP = "ip"
    EMAIL = "email"
    URI = "uri"
    # Kinds of otherName: Microsoft's user principal name, RFC 4108 and RFC 9598.
    UPN = "upn"
    HARDWARE_MODULE = "hardware-module"
    SMTP_UTF8 = "smtp-utf8"


class GeneralName(NamedTuple):
    """A subject alternative name. An IP address is in its usual text form; a hardware module is
    its type (dotted) and its serial number (hexadecimal), with a colon between them."""

    kind: GeneralNameKind
    value: str


_GENERAL_TAGS = {
    0x81: GeneralNameKind.EMAIL,
    0x82: GeneralNameKind.DNS,
    0x86: GeneralNameKind.URI,
    0x87: GeneralNameKind.IP,
}
_TAG_NUMBERS = {kind: tag & 0x1F for tag, kind in _GENERAL_TAGS.items()}
_OTHER_NAME = 0xA0
_OTHER_NAMES = {
    oids.USER_PRINCIPAL_NAME: GeneralNameKind.UPN,
    oids.HARDWARE_MODULE_NAME: GeneralNameKind.HARDWARE_MODULE,
    oids.SMTP_UTF8_MAILBOX: GeneralNameKind.SMTP_UTF8,
}
_OTHER_OIDS = {kind: name for name, kind in _OTHER_NAMES.items()}


@sequence
class _OtherName:
    type_id: ObjectIdentifier
    value: Annotated[TLV, Explicit(0)]


@sequence
class _HardwareModuleName:
    hardware_type: ObjectIdentifier
    serial_number: bytes


def encode_name(attributes: Sequence[tuple[str, str]]) -> bytes:
    """The Name with one attribute to each RDN; `attributes` are (OID, text) in order.

    ValueError for text that the attribute's string type cannot hold.
    """
    rdns = []
    for attribute_type, value in attributes:
        tag = _STRING_TAGS.get(attribute_type, UTF8_STRING)
        if tag == PRINTABLE_STRING and not _PRINTABLE.issuperset(value):
            raise ValueError(f"attribute {attribute_type} is a PrintableString")
        text = wrap(tag, value.encode(_ENCODINGS[tag]))
        rdns.append(encode_set_of([encode_sequence(encode_oid(attribute_type), text)]))
    return encode_sequence(*rdns)


def parse_name(octets: bytes) -> tuple[tuple[NameAttribute, ...], ...]:
    """The RDNs of a Name; `DerError` for string types that RFC 5280 tells CAs not to use."""
    return tuple([_relative_name(tag, rdn) for tag, rdn in split(content_of(octets, SEQUENCE))])


def _relative_name(tag: int, rdn: bytes) -> tuple[NameAttribute, ...]:
    # RelativeDistinguishedName ::= SET SIZE (1..MAX) OF AttributeTypeAndValue
    attributes = split(rdn)
    if tag != SET or not attributes:
        raise DerError("a relative distinguished name is a SET of at least one attribute")
    if len(attributes) > 1 and attributes != sorted(attributes, key=_whole):
        raise DerError("a SET OF that is not in order (X.690 section 11.6)")
    return tuple([_attribute(tag, attribute) for tag, attribute in attributes])


def _whole(element: tuple[int, bytes]) -> bytes:
    return wrap(*element)


def _attribute(tag: int, attribute: bytes) -> NameAttribute:
    parts = split(attribute)
    if tag != SEQUENCE or len(parts) != 2 or parts[0][0] != OBJECT_IDENTIFIER:
        raise DerError("not an AttributeTypeAndValue")
    kind, content = parts[1]
    encoding = _ENCODINGS.get(kind)
    if encoding is None:
        raise DerError(f"string type {kind:#04x} in a name")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DerError(f"attribute value is not {encoding}") from error
    if kind == PRINTABLE_STRING and not _PRINTABLE.issuperset(text):
        raise DerError("attribute value is not PrintableString")
    return NameAttribute(dotted(parts[0][1]), text, kind)


def name_text(rdns: Sequence[Sequence[NameAttribute]]) -> str:
    """A name for people, in the order it is encoded (not RFC 4514's reversed one)."""
    return ", ".join(
        "+".join(
            f"{_SHORT.get(attribute.attribute_type, attribute.attribute_type)}={attribute.value}"
            for attribute in rdn
        )
        for rdn in rdns
    )


def legible_name(octets: bytes) -> str:
    """A Name as another CA wrote it, for people: string types that RFC 5280 tells CAs not to use
    are read too, and what is no text is shown in hexadecimal. `DerError` when it is no Name."""
    rdns = [
        "+".join([_legible_attribute(attribute) for _tag, attribute in split(rdn)])
        for _set, rdn in split(content_of(octets, SEQUENCE))
    ]
    return ", ".join(rdns)


def _legible_attribute(attribute: bytes) -> str:
    parts = split(attribute)
    if len(parts) != 2 or parts[0][0] != OBJECT_IDENTIFIER:
        raise DerError("not an AttributeTypeAndValue")
    name, (kind, content) = dotted(parts[0][1]), parts[1]
    text = "#" + content.hex()
    for encoding in _FOREIGN_ENCODINGS.get(kind, ()):
        try:
            # No store keeps a NUL in a text.
            text = content.decode(encoding).replace("\0", "\N{REPLACEMENT CHARACTER}")
        except UnicodeDecodeError:
            continue
        break
    return f"{_SHORT.get(name, name)}={text}"


def encode_general_names(names: Sequence[GeneralName]) -> bytes:
    """GeneralNames, as the value of a subjectAltName."""
    return encode_sequence(*(_encode_general_name(name) for name in names))


def _encode_general_name(name: GeneralName) -> bytes:
    if name.kind is GeneralNameKind.IP:
        return implicit(_TAG_NUMBERS[name.kind], ipaddress.ip_address(name.value).packed)
    if name.kind in _OTHER_OIDS:
        content = encode_oid(_OTHER_OIDS[name.kind]) + explicit(0, _other_value(name))
        return implicit(0, content, constructed=True)
    return implicit(_TAG_NUMBERS[name.kind], name.value.encode("ascii"))


def _other_value(name: GeneralName) -> bytes:
    if name.kind is GeneralNameKind.HARDWARE_MODULE:
        kind, _, serial = name.value.partition(":")
        return encode_sequence(encode_oid(kind), encode_octet_string(bytes.fromhex(serial)))
    return wrap(UTF8_STRING, name.value.encode())


def parse_general_names(octets: bytes) -> tuple[GeneralName, ...]:
    """The names of a subjectAltName value; `DerError` for kinds the platform does not issue."""
    names = split(content_of(octets, SEQUENCE))
    return tuple([parse_general_name(tag, content) for tag, content in names])


def parse_general_name(tag: int, content: bytes) -> GeneralName:
    """One GeneralName; `DerError` for kinds the platform does not issue."""
    if tag == _OTHER_NAME:
        return _parse_other_name(content)
    kind = _GENERAL_TAGS.get(tag)
    if kind is None:
        raise DerError(f"general name with tag {tag:02x}")
    if kind is GeneralNameKind.IP:
        if len(content) not in (4, 16):
            raise DerError("iPAddress is neither 4 nor 16 octets")
        return GeneralName(kind, str(ipaddress.ip_address(content)))
    try:
        return GeneralName(kind, content.decode("ascii"))
    except UnicodeDecodeError as error:
        raise DerError("general name is not IA5String") from error


def _parse_other_name(octets: bytes) -> GeneralName:
    other = decode(_OtherName, wrap(SEQUENCE, octets))
    kind = _OTHER_NAMES.get(other.type_id.dotted_string)
    value = whole(other.value)
    if kind is None:
        raise DerError(f"otherName of type {other.type_id.dotted_string}")
    if kind is GeneralNameKind.HARDWARE_MODULE:
        module = decode(_HardwareModuleName, value)
        return GeneralName(
            kind, f"{module.hardware_type.dotted_string}:{module.serial_number.hex()}"
        )
    return GeneralName(kind, decode(str, value))
