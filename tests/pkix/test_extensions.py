"""Certificate extensions, against `cryptography` and asn1crypto."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Mapping

import pytest
from asn1crypto import core
from asn1crypto import x509 as oracle
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID
from hypothesis import given
from hypothesis import strategies as st

from tegata.pkix import extensions, oids
from tegata.pkix.der import (
    DerError,
    Extension,
    decode,
    encode_oid,
    encode_sequence,
    explicit,
    implicit,
    wrap,
)
from tegata.pkix.extensions import KeyUsage
from tegata.pkix.names import GeneralName, GeneralNameKind
from tests.pkix.keys import CLASSICAL, private_key, public_key

URL = "http://crl.example.test/a.crl"
OCSP = "http://ocsp.example.test/"
ISSUERS = "http://ca.example.test/a.cer"


def key_usage_of(usages: frozenset[KeyUsage]) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=KeyUsage.DIGITAL_SIGNATURE in usages,
        content_commitment=KeyUsage.CONTENT_COMMITMENT in usages,
        key_encipherment=KeyUsage.KEY_ENCIPHERMENT in usages,
        data_encipherment=KeyUsage.DATA_ENCIPHERMENT in usages,
        key_agreement=KeyUsage.KEY_AGREEMENT in usages,
        key_cert_sign=KeyUsage.KEY_CERT_SIGN in usages,
        crl_sign=KeyUsage.CRL_SIGN in usages,
        encipher_only=KeyUsage.ENCIPHER_ONLY in usages,
        decipher_only=KeyUsage.DECIPHER_ONLY in usages,
    )


def access(kind: x509.ObjectIdentifier, url: str) -> x509.AccessDescription:
    return x509.AccessDescription(kind, x509.UniformResourceIdentifier(url))


_DIGEST = bytes(range(20))
_NAMES = [GeneralName(GeneralNameKind.DNS, "a.test"), GeneralName(GeneralNameKind.IP, "::1")]
_SAN = x509.SubjectAlternativeName(
    [x509.DNSName("a.test"), x509.IPAddress(ipaddress.ip_address("::1"))]
)
_POINTS = x509.CRLDistributionPoints(
    [x509.DistributionPoint([x509.UniformResourceIdentifier(URL)], None, None, None)]
)
_OCSP_ACCESS = access(AuthorityInformationAccessOID.OCSP, OCSP)
_ISSUERS_ACCESS = access(AuthorityInformationAccessOID.CA_ISSUERS, ISSUERS)
ENCODED: Mapping[str, tuple[bytes, x509.ExtensionType, bool]] = {
    "not a CA": (
        extensions.basic_constraints(ca=False),
        x509.BasicConstraints(ca=False, path_length=None),
        True,
    ),
    "CA": (
        extensions.basic_constraints(ca=True),
        x509.BasicConstraints(ca=True, path_length=None),
        True,
    ),
    "CA of the last level": (
        extensions.basic_constraints(ca=True, path_length=0),
        x509.BasicConstraints(ca=True, path_length=0),
        True,
    ),
    "CA with 200 levels": (
        extensions.basic_constraints(ca=True, path_length=200),
        x509.BasicConstraints(ca=True, path_length=200),
        True,
    ),
    "extended key usage": (
        extensions.extended_key_usage(oids.SERVER_AUTH, oids.CLIENT_AUTH),
        x509.ExtendedKeyUsage(
            [x509.ObjectIdentifier(oids.SERVER_AUTH), x509.ObjectIdentifier(oids.CLIENT_AUTH)]
        ),
        False,
    ),
    "subject key identifier": (
        extensions.subject_key_identifier(_DIGEST),
        x509.SubjectKeyIdentifier(_DIGEST),
        False,
    ),
    "authority key identifier": (
        extensions.authority_key_identifier(_DIGEST),
        x509.AuthorityKeyIdentifier(_DIGEST, None, None),
        False,
    ),
    "subject alternative name": (extensions.subject_alternative_name(_NAMES), _SAN, False),
    "critical subject alternative name": (
        extensions.subject_alternative_name(_NAMES, critical=True),
        _SAN,
        True,
    ),
    "CRL distribution points": (extensions.crl_distribution_points(URL), _POINTS, False),
    "authority information access": (
        extensions.authority_information_access(ocsp=OCSP, ca_issuers=ISSUERS),
        x509.AuthorityInformationAccess([_OCSP_ACCESS, _ISSUERS_ACCESS]),
        False,
    ),
    "OCSP access alone": (
        extensions.authority_information_access(ocsp=OCSP, ca_issuers=None),
        x509.AuthorityInformationAccess([_OCSP_ACCESS]),
        False,
    ),
    "CA issuers alone": (
        extensions.authority_information_access(ocsp=None, ca_issuers=ISSUERS),
        x509.AuthorityInformationAccess([_ISSUERS_ACCESS]),
        False,
    ),
    "no check of a responder": (extensions.ocsp_no_check(), x509.OCSPNoCheck(), False),
}


@pytest.mark.parametrize("case", ENCODED)
def test_an_extension_is_what_cryptography_makes_of_it(case: str) -> None:
    octets, independent, critical = ENCODED[case]
    extension = decode(Extension, octets)
    assert extension.extension_id == independent.oid
    assert extension.value == independent.public_bytes()
    assert extension.critical is critical


@pytest.mark.parametrize("case", ENCODED)
def test_an_extension_is_what_asn1crypto_makes_of_its_content(case: str) -> None:
    octets, _independent, critical = ENCODED[case]
    read = oracle.Extension.load(octets, strict=True)
    assert read["critical"].native is critical
    content = read["extn_value"].parsed
    assert content.native is not None or isinstance(content, core.Null)
    assert content.dump(force=True) == decode(Extension, octets).value


_ASN1CRYPTO_NAMES = {
    KeyUsage.DIGITAL_SIGNATURE: "digital_signature",
    KeyUsage.CONTENT_COMMITMENT: "non_repudiation",
    KeyUsage.KEY_ENCIPHERMENT: "key_encipherment",
    KeyUsage.DATA_ENCIPHERMENT: "data_encipherment",
    KeyUsage.KEY_AGREEMENT: "key_agreement",
    KeyUsage.KEY_CERT_SIGN: "key_cert_sign",
    KeyUsage.CRL_SIGN: "crl_sign",
    KeyUsage.ENCIPHER_ONLY: "encipher_only",
    KeyUsage.DECIPHER_ONLY: "decipher_only",
}
USAGES = [
    frozenset(usages)
    for size in range(len(KeyUsage) + 1)
    for usages in itertools.combinations(KeyUsage, size)
]


def test_every_set_of_key_usages_is_what_the_others_make_of_it_and_reads_back() -> None:
    for usages in USAGES:
        extension = decode(Extension, extensions.key_usage(*usages))
        assert extensions.parse_key_usage(extension.value) == usages
        read = oracle.KeyUsage.load(extension.value, strict=True)
        assert read.native == {_ASN1CRYPTO_NAMES[usage] for usage in usages}
        # cryptography's constructor refuses these two without keyAgreement, as RFC 5280 does.
        if KeyUsage.KEY_AGREEMENT in usages or not usages & {7, 8}:
            assert extension.value == key_usage_of(usages).public_bytes()


@pytest.mark.parametrize(
    "value",
    [b"\x03\x02\x00\x80", b"\x03\x03\x07\x80\x00", b"\x03\x03\x06\x80\x40", b"\x03\x02\x01\x81"],
    ids=["bits at the end", "an octet at the end", "a bit without a name", "padding not zero"],
)
def test_key_usage_that_is_not_a_named_bit_list_is_refused(value: bytes) -> None:
    with pytest.raises(DerError):
        extensions.parse_key_usage(value)


@pytest.mark.parametrize("path_length", [None, 0, 1, 127, 128, 255])
@pytest.mark.parametrize("ca", [True, False])
def test_basic_constraints_read_back(ca: bool, path_length: int | None) -> None:
    encoded = extensions.basic_constraints(ca=ca, path_length=path_length)
    read = extensions.parse_basic_constraints(decode(Extension, encoded).value)
    assert (read.ca, read.path_length) == (ca, path_length)


def test_a_default_that_is_written_out_is_refused() -> None:
    with pytest.raises(DerError):
        extensions.parse_basic_constraints(b"\x30\x03\x01\x01\x00")


@given(st.lists(st.sampled_from([oids.SERVER_AUTH, oids.OCSP_SIGNING, "2.5.29.37.0"])))
def test_extended_key_usages_read_back_in_order(purposes: list[str]) -> None:
    encoded = decode(Extension, extensions.extended_key_usage(*purposes)).value
    assert extensions.parse_extended_key_usage(encoded) == tuple(purposes)


def test_distribution_points_read_back() -> None:
    value = decode(Extension, extensions.crl_distribution_points(URL)).value
    assert extensions.parse_crl_distribution_points(value) == (URL,)


def test_distribution_points_of_others_are_read_right() -> None:
    names = [x509.UniformResourceIdentifier(each) for each in (URL, OCSP)]
    points = [x509.DistributionPoint([name], None, None, None) for name in names]
    value = x509.CRLDistributionPoints(points).public_bytes()
    assert extensions.parse_crl_distribution_points(value) == (URL, OCSP)
    both = x509.CRLDistributionPoints([x509.DistributionPoint(names, None, None, None)])
    assert extensions.parse_crl_distribution_points(both.public_bytes()) == (URL, OCSP)


@pytest.mark.parametrize(
    "value",
    [
        encode_sequence(encode_sequence()),
        encode_sequence(encode_sequence(explicit(0, explicit(0, implicit(2, b"a.test"))))),
        encode_sequence(encode_sequence(explicit(0, explicit(1, b"")))),
        encode_sequence(encode_sequence(explicit(0, explicit(0, implicit(6, b"\xe9"))))),
    ],
    ids=["no name", "a host", "a name relative to the issuer", "not ASCII"],
)
def test_a_distribution_point_that_is_not_urls_is_refused(value: bytes) -> None:
    with pytest.raises(DerError):
        extensions.parse_crl_distribution_points(value)


def test_access_descriptions_read_back() -> None:
    encoded = extensions.authority_information_access(ocsp=OCSP, ca_issuers=ISSUERS)
    assert extensions.parse_authority_information_access(decode(Extension, encoded).value) == (
        (oids.ACCESS_OCSP, OCSP),
        (oids.ACCESS_CA_ISSUERS, ISSUERS),
    )


def test_an_access_location_that_is_no_url_is_refused() -> None:
    description = encode_sequence(encode_oid(oids.ACCESS_OCSP), implicit(2, b"a.test"))
    with pytest.raises(DerError):
        extensions.parse_authority_information_access(encode_sequence(description))


@pytest.mark.parametrize("kind", CLASSICAL)
def test_a_key_identifier_is_method_1_of_rfc_7093(kind: str) -> None:
    key = public_key(kind)
    read = oracle.PublicKeyInfo.load(key, strict=True)
    # asn1crypto: SHA-256 of the BIT STRING's content.
    assert extensions.key_identifier(key) == read.sha256[:20]


@pytest.mark.parametrize("kind", CLASSICAL)
def test_a_public_key_is_the_content_of_its_bit_string(kind: str) -> None:
    key = private_key(kind).public_key()
    independent = x509.SubjectKeyIdentifier.from_public_key(key).digest
    info = oracle.PublicKeyInfo.load(public_key(kind), strict=True)
    assert info.sha1 == independent
    content = core.BitString.load(info["public_key"].dump(), strict=True)
    assert wrap(3, b"\x00" + extensions.subject_public_key(public_key(kind))) == content.dump()


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"\x30\x00",
        encode_sequence(encode_sequence()),
        encode_sequence(encode_sequence(), wrap(3, b"")),
        encode_sequence(encode_sequence(), wrap(3, b"\x01\x02")),
        encode_sequence(encode_sequence(), wrap(4, b"\x00\x02")),
        encode_sequence(encode_sequence(), wrap(3, b"\x00"), wrap(3, b"\x00")),
    ],
    ids=["nothing", "empty", "no key", "no octet", "7 bits", "octet string", "two keys"],
)
def test_a_malformed_public_key_is_refused(key: bytes) -> None:
    with pytest.raises(DerError):
        extensions.key_identifier(key)
