"""What other CAs have made, read as it may be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from tegata.pkix.der import DerError, encode_oid, encode_sequence, encode_set_of, wrap
from tegata.pkix.extensions import key_identifier
from tegata.pkix.foreign import ForeignIssuer, authority_key_of
from tegata.pkix.names import GeneralName, GeneralNameKind, legible_name
from tegata.pkix.signatures import SignatureInvalid

NOW = datetime(2026, 7, 15, tzinfo=UTC)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
SUBJECT = x509.Name(
    [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Société", _ASN1Type.T61String),
        x509.NameAttribute(NameOID.COMMON_NAME, "手形", _ASN1Type.BMPString),
    ]
)


def a_ca(key: Key) -> bytes:
    builder = x509.CertificateBuilder(SUBJECT, SUBJECT, key.public_key(), 1, NOW, NOW)
    builder = builder.add_extension(x509.BasicConstraints(True, None), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def a_leaf(
    key: Key,
    *names: x509.GeneralName,
    digest: hashes.SHA256 | hashes.SHA384 | None = None,
    serial: int = 5,
    end: datetime = NOW + timedelta(days=9),
) -> bytes:
    builder = x509.CertificateBuilder(
        SUBJECT, SUBJECT, key.public_key(), serial, datetime(1990, 1, 1, tzinfo=UTC), end
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    else:
        builder = builder.add_extension(x509.OCSPNoCheck(), critical=False)
    return builder.sign(key, digest or hashes.SHA256()).public_bytes(Encoding.DER)


KEY = ec.generate_private_key(ec.SECP384R1())
ISSUER = ForeignIssuer(a_ca(KEY))


@pytest.mark.parametrize("digest", [hashes.SHA256(), hashes.SHA384()])
def test_a_certificate_is_read_whatever_hash_its_ca_used(
    digest: hashes.SHA256 | hashes.SHA384,
) -> None:
    found = ISSUER.read_certificate(a_leaf(KEY, digest=digest))
    assert (found.serial, found.not_after, found.names) == (5, NOW + timedelta(days=9), ())
    assert found.subject == "O=Société, CN=手形"


def test_names_of_kinds_that_are_not_searched_for_are_passed_over() -> None:
    names = (
        x509.DNSName("A.Example"),
        x509.UniformResourceIdentifier("http://a.example/" + "x" * 3000),
        x509.DirectoryName(SUBJECT),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
        x509.DNSName("a.example"),
        x509.DNSName("nul\0.example"),
        x509.RFC822Name("a@a.example"),
    )
    found = ISSUER.read_certificate(a_leaf(KEY, *names))
    assert found.names == (
        GeneralName(GeneralNameKind.DNS, "a.example"),
        GeneralName(GeneralNameKind.EMAIL, "a@a.example"),
    )


def test_what_another_key_signed_is_not_the_cas() -> None:
    other = ec.generate_private_key(ec.SECP384R1())
    with pytest.raises(SignatureInvalid):
        ISSUER.read_certificate(a_leaf(other))
    changed = bytearray(a_leaf(KEY))
    changed[-1] ^= 1
    with pytest.raises(SignatureInvalid):
        ISSUER.read_certificate(bytes(changed))


def test_what_cannot_have_a_place_here_is_refused() -> None:
    with pytest.raises(DerError, match="before the year 2000"):
        ISSUER.read_certificate(a_leaf(KEY, end=datetime(1999, 1, 1, tzinfo=UTC)))
    with pytest.raises(DerError):
        ISSUER.read_certificate(b"\x30\x03abc")
    with pytest.raises(DerError):
        ISSUER.read_certificate(a_leaf(KEY) + b"\0")


def test_a_ca_is_named_by_its_own_identifier_or_ours() -> None:
    assert authority_key_of(ISSUER.tbs) == key_identifier(ISSUER.tbs.public_key)


def test_what_is_no_text_is_shown_in_hexadecimal() -> None:
    value = encode_sequence(encode_oid("2.5.4.3"), wrap(0x13, b"\xff"))
    assert legible_name(encode_sequence(encode_set_of([value]))) == "CN=#ff"
    latin = encode_sequence(encode_oid("2.5.4.3"), wrap(0x14, b"Soci\xe9t\xe9"))
    assert legible_name(encode_sequence(encode_set_of([latin]))) == "CN=Société"
    nul = encode_sequence(encode_oid("2.5.4.3"), wrap(0x0C, b"a\0b"))
    assert legible_name(encode_sequence(encode_set_of([nul]))) == "CN=a\N{REPLACEMENT CHARACTER}b"
    with pytest.raises(DerError):
        legible_name(b"\x31\x00")
