"""Names and general names, against `cryptography` and asn1crypto."""

from __future__ import annotations

import ipaddress
import string
from typing import Any

import pytest
from asn1crypto import x509 as oracle
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from pyasn1.codec.der.encoder import encode as pyasn1_encode
from pyasn1.type import char, univ
from pyasn1_alt_modules import rfc4108

from tegata.pkix import oids
from tegata.pkix.der import (
    DerError,
    encode_oid,
    encode_sequence,
    encode_set_of,
    implicit,
    wrap,
)
from tegata.pkix.names import (
    GeneralName,
    GeneralNameKind,
    NameAttribute,
    encode_general_names,
    encode_name,
    name_text,
    parse_general_names,
    parse_name,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
PRINTABLE = st.text(string.ascii_letters + string.digits + " '()+,-./:=?", min_size=1, max_size=40)
ATTRIBUTES = st.one_of(
    st.tuples(
        st.sampled_from(
            [
                NameOID.COMMON_NAME,
                NameOID.ORGANIZATION_NAME,
                NameOID.ORGANIZATIONAL_UNIT_NAME,
                NameOID.LOCALITY_NAME,
                NameOID.STATE_OR_PROVINCE_NAME,
                NameOID.ORGANIZATION_IDENTIFIER,
            ]
        ),
        TEXT,
    ),
    st.tuples(st.just(NameOID.COUNTRY_NAME), st.sampled_from(["JP", "DE", "US"])),
    st.tuples(st.just(NameOID.SERIAL_NUMBER), PRINTABLE),
    st.tuples(st.just(NameOID.DOMAIN_COMPONENT), st.sampled_from(["example", "test"])),
)


@given(st.lists(ATTRIBUTES, max_size=6))
def test_a_name_is_what_cryptography_makes_of_it_and_reads_back(
    attributes: list[tuple[x509.ObjectIdentifier, str]],
) -> None:
    octets = encode_name([(kind.dotted_string, value) for kind, value in attributes])
    independent = x509.Name(
        [x509.NameAttribute(kind, value, _validate=False) for kind, value in attributes]
    )
    assert octets == independent.public_bytes()
    assert [(each.attribute_type, each.value) for rdn in parse_name(octets) for each in rdn] == [
        (kind.dotted_string, value) for kind, value in attributes
    ]


def test_a_name_is_read_right_by_asn1crypto() -> None:
    octets = encode_name(
        [(oids.COUNTRY, "JP"), (oids.ORGANIZATION, "手形株式会社"), (oids.COMMON_NAME, "a.test")]
    )
    assert dict(oracle.Name.load(octets, strict=True).native) == {
        "country_name": "JP",
        "organization_name": "手形株式会社",
        "common_name": "a.test",
    }


def test_an_empty_name_is_an_empty_sequence() -> None:
    assert encode_name([]) == b"\x30\x00"
    assert parse_name(b"\x30\x00") == ()


def test_a_relative_name_with_two_attributes_is_read_as_one() -> None:
    rdn = x509.RelativeDistinguishedName(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "a"),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, "7"),
        ]
    )
    (read,) = parse_name(x509.Name([rdn]).public_bytes())
    assert {(each.attribute_type, each.value) for each in read} == {
        (oids.COMMON_NAME, "a"),
        (oids.SERIAL_NUMBER, "7"),
    }


@pytest.mark.parametrize("kind", [oids.COUNTRY, oids.SERIAL_NUMBER])
@pytest.mark.parametrize("value", ["é", "a@b", "*", "a_b", "日本"])
def test_text_that_a_printable_string_cannot_hold_is_not_encoded(kind: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"PrintableString"):
        encode_name([(kind, value)])


def one_attribute(tag: int, content: bytes) -> bytes:
    attribute = encode_sequence(encode_oid(oids.COMMON_NAME), wrap(tag, content))
    return encode_sequence(encode_set_of([attribute]))


@pytest.mark.parametrize(
    ("tag", "content"),
    [
        (0x1E, "日本".encode("utf-16-be")),
        (0x14, b"T61"),
        (0x1C, "a".encode("utf-32-be")),
        (0x1A, b"visible"),
        (0x12, b"123"),
        (0x04, b"octets"),
    ],
    ids=["BMPString", "T61String", "UniversalString", "VisibleString", "NumericString", "octets"],
)
def test_a_string_type_that_certificates_no_longer_use_is_refused(tag: int, content: bytes) -> None:
    with pytest.raises(DerError, match="string type"):
        parse_name(one_attribute(tag, content))


@pytest.mark.parametrize(
    ("tag", "content"),
    [
        (0x0C, b"\xff\xfe"),
        (0x0C, b"\xed\xa0\x80"),
        (0x13, b"a@b"),
        (0x13, b"\xe9"),
        (0x16, b"\xe9"),
    ],
    ids=["not UTF-8", "a surrogate", "at sign", "Latin-1 Printable", "Latin-1 IA5"],
)
def test_octets_that_the_string_type_cannot_hold_are_refused(tag: int, content: bytes) -> None:
    with pytest.raises(DerError, match="attribute value"):
        parse_name(one_attribute(tag, content))


def test_a_relative_name_without_attributes_is_refused() -> None:
    with pytest.raises(DerError):
        parse_name(encode_sequence(encode_set_of([])))


def test_attributes_of_a_relative_name_out_of_order_are_refused() -> None:
    parts = sorted(
        encode_sequence(encode_oid(kind), wrap(0x0C, b"a"))
        for kind in (oids.COMMON_NAME, oids.LOCALITY)
    )
    with pytest.raises(DerError):
        parse_name(encode_sequence(wrap(0x31, b"".join(reversed(parts)))))


def test_a_name_for_people_stands_in_the_order_of_its_octets() -> None:
    rdns = (
        (NameAttribute(oids.COUNTRY, "JP", 0x13),),
        (NameAttribute(oids.COMMON_NAME, "a", 0x0C), NameAttribute("1.2.3", "b", 0x0C)),
    )
    assert name_text(rdns) == "C=JP, CN=a+1.2.3=b"


LABELS = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=20)
GENERAL_NAMES = st.one_of(
    st.lists(LABELS, min_size=2, max_size=4).map(
        lambda labels: GeneralName(GeneralNameKind.DNS, ".".join(labels))
    ),
    st.tuples(LABELS, LABELS).map(
        lambda parts: GeneralName(GeneralNameKind.EMAIL, f"{parts[0]}@{parts[1]}.test")
    ),
    LABELS.map(lambda each: GeneralName(GeneralNameKind.URI, f"spiffe://example.test/{each}")),
    st.ip_addresses().map(lambda each: GeneralName(GeneralNameKind.IP, str(each))),
    st.tuples(TEXT, LABELS).map(
        lambda parts: GeneralName(GeneralNameKind.UPN, f"{parts[0]}@{parts[1]}.test")
    ),
    LABELS.map(lambda each: GeneralName(GeneralNameKind.SMTP_UTF8, f"太郎@{each}.test")),
    st.tuples(st.integers(0, 1 << 40), st.binary(min_size=1, max_size=32)).map(
        lambda parts: GeneralName(
            GeneralNameKind.HARDWARE_MODULE, f"1.3.6.1.4.1.{parts[0]}:{parts[1].hex()}"
        )
    ),
)


def independent_name(name: GeneralName) -> x509.GeneralName:
    match name.kind:
        case GeneralNameKind.DNS:
            return x509.DNSName(name.value)
        case GeneralNameKind.EMAIL:
            return x509.RFC822Name(name.value)
        case GeneralNameKind.URI:
            return x509.UniformResourceIdentifier(name.value)
        case GeneralNameKind.IP:
            return x509.IPAddress(ipaddress.ip_address(name.value))
        case GeneralNameKind.UPN:
            return other_name("1.3.6.1.4.1.311.20.2.3", char.UTF8String(name.value))
        case GeneralNameKind.SMTP_UTF8:
            return other_name("1.3.6.1.5.5.7.8.9", char.UTF8String(name.value))
        case GeneralNameKind.HARDWARE_MODULE:
            kind, _, serial = name.value.partition(":")
            module = rfc4108.HardwareModuleName()
            module["hwType"] = univ.ObjectIdentifier(kind)
            module["hwSerialNum"] = univ.OctetString(bytes.fromhex(serial))
            return other_name("1.3.6.1.5.5.7.8.4", module)


def other_name(kind: str, value: Any) -> x509.GeneralName:
    """An otherName whose value another implementation has encoded."""
    return x509.OtherName(x509.ObjectIdentifier(kind), pyasn1_encode(value))


@given(st.lists(GENERAL_NAMES, min_size=1, max_size=8))
def test_general_names_are_what_cryptography_makes_of_them_and_read_back(
    names: list[GeneralName],
) -> None:
    octets = encode_general_names(names)
    independent = x509.SubjectAlternativeName([independent_name(name) for name in names])
    assert octets == independent.public_bytes()
    assert parse_general_names(octets) == tuple(names)


def test_general_names_are_read_right_by_asn1crypto() -> None:
    octets = encode_general_names(
        [
            GeneralName(GeneralNameKind.DNS, "*.example.test"),
            GeneralName(GeneralNameKind.EMAIL, "a@example.test"),
            GeneralName(GeneralNameKind.URI, "https://example.test/a?b=c"),
            GeneralName(GeneralNameKind.IP, "192.0.2.255"),
            GeneralName(GeneralNameKind.IP, "2001:db8::ff"),
        ]
    )
    read = oracle.GeneralNames.load(octets, strict=True)
    assert [(name.name, name.native) for name in read] == [
        ("dns_name", "*.example.test"),
        ("rfc822_name", "a@example.test"),
        ("uniform_resource_identifier", "https://example.test/a?b=c"),
        ("ip_address", "192.0.2.255"),
        ("ip_address", "2001:db8::ff"),
    ]


@pytest.mark.parametrize("octets", [0, 3, 5, 8, 15, 17, 32])
def test_an_address_of_another_length_is_refused(octets: int) -> None:
    with pytest.raises(DerError, match="iPAddress"):
        parse_general_names(encode_sequence(implicit(7, bytes(octets))))


@pytest.mark.parametrize(
    "element",
    [
        oracle.GeneralName("directory_name", oracle.Name.build({"common_name": "a"})).dump(),
        oracle.GeneralName("registered_id", "1.2.3").dump(),
        b"\xa0\x0b\x06\x04\x2a\x03\x04\x05\xa0\x03\x0c\x01a",
        b"\xa2\x03\x82\x01a",
        b"\x0c\x01a",
    ],
    ids=["directoryName", "registeredID", "otherName", "constructed dNSName", "no tag"],
)
def test_a_general_name_of_another_kind_is_refused(element: bytes) -> None:
    with pytest.raises(DerError, match=r"general name|otherName of type 1\.2\.3\.4\.5"):
        parse_general_names(encode_sequence(element))


def test_a_general_name_that_is_not_ascii_is_refused() -> None:
    with pytest.raises(DerError, match="IA5String"):
        parse_general_names(encode_sequence(implicit(2, "é.test".encode())))
