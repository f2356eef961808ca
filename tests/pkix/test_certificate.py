"""Certificates: our TBSCertificate is, octet for octet, what `cryptography`'s builder makes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from asn1crypto import pem
from asn1crypto import x509 as asn1crypto_x509
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID
from pyasn1.codec.der.decoder import decode as pyasn1_decode
from pyasn1.codec.der.encoder import encode as pyasn1_encode
from pyasn1_alt_modules import rfc5280

from tegata.issuance.model import Draft, Issuer
from tegata.issuance.rules import EMPTY_NAME
from tegata.issuance.shards import shard_url
from tegata.pkix import oids
from tegata.pkix.algorithms import algorithm_identifier
from tegata.pkix.certificate import (
    assemble,
    encode_pem,
    encode_tbs_certificate,
    parse_certificate,
    parse_tbs_certificate,
)
from tegata.pkix.der import DerError, encode_sequence, wrap
from tegata.pkix.extensions import KeyUsage, basic_constraints, key_identifier
from tegata.pkix.names import GeneralName, GeneralNameKind
from tegata.profiles.catalogue import CATALOGUE, TLS_CLIENT, TLS_SERVER
from tegata.profiles.model import CertificateKind, Profile
from tegata.profiles.public_key import key_kind
from tegata.profiles.usage import expected_key_usage
from tests.issuance.drafts import (
    CA_ISSUERS_URL,
    CRL_URL,
    OCSP_URL,
    ROOT_NAME,
    a_draft,
    a_place,
    issuer_of,
    tbs_of,
)
from tests.pkix.keys import CLASSICAL, ECDSA_SHA256, private_key, public_key, sign_p256
from tests.pkix.test_extensions import access, key_usage_of
from tests.pkix.test_names import independent_name

# asn1crypto, one of the judges, knows no others; `test_algorithms` has judges for ML-DSA.
CASES = [
    (profile.name, kind)
    for profile in CATALOGUE.values()
    for kind in CLASSICAL
    if key_kind(public_key(kind)) in profile.key_kinds
    and not (kind == "rsa-2048" and profile.rsa_bits_minimum > 2048)
]
USAGES = {
    0: "digital_signature", 1: "non_repudiation", 2: "key_encipherment", 4: "key_agreement",
    5: "key_cert_sign", 6: "crl_sign",
}  # fmt: skip


def independent_subject(draft: Draft) -> x509.Name:
    values = [pair.split("=", 1) for pair in draft.subject_text.split(", ") if pair]
    kinds = {
        "C": NameOID.COUNTRY_NAME,
        "O": NameOID.ORGANIZATION_NAME,
        "CN": NameOID.COMMON_NAME,
        "serialNumber": NameOID.SERIAL_NUMBER,
    }
    return x509.Name([x509.NameAttribute(kinds[kind], value) for kind, value in values])


def independent_extensions(draft: Draft, issuer: Issuer) -> list[tuple[x509.ExtensionType, bool]]:
    """The extensions of a certificate, in the order of our template."""
    profile = draft.profile
    usages = set(profile.key_usage)
    if profile.key_encipherment_for_rsa and draft.public_key == public_key("rsa-2048"):
        usages.add(KeyUsage.KEY_ENCIPHERMENT)
    curves = [public_key(kind) for kind in ("p256", "p384", "p521")]
    if profile.key_agreement_for_ec and draft.public_key in curves:
        usages.add(KeyUsage.KEY_AGREEMENT)
    is_ca = profile.kind is CertificateKind.CA
    identifier = asn1crypto_x509.PublicKeyInfo.load(draft.public_key).sha256[:20]
    found: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=is_ca, path_length=profile.path_length), True),
        (key_usage_of(frozenset(usages)), True),
    ]
    if profile.extended_key_usage:
        purposes = [x509.ObjectIdentifier(each) for each in profile.extended_key_usage]
        found.append((x509.ExtendedKeyUsage(purposes), profile.name == "time-stamping"))
    found.append((x509.SubjectKeyIdentifier(identifier), False))
    found.append((x509.AuthorityKeyIdentifier(issuer.facts.key_identifier, None, None), False))
    if profile.ocsp_no_check:
        found.append((x509.OCSPNoCheck(), False))
    elif not profile.self_signed:
        point = x509.DistributionPoint(
            [x509.UniformResourceIdentifier(shard_url(CRL_URL, 1))], None, None, None
        )
        found.append((x509.CRLDistributionPoints([point]), False))
        ocsp = access(AuthorityInformationAccessOID.OCSP, OCSP_URL)
        issuers = access(AuthorityInformationAccessOID.CA_ISSUERS, CA_ISSUERS_URL)
        found.append((x509.AuthorityInformationAccess([ocsp, issuers]), False))
    if draft.names:
        names = x509.SubjectAlternativeName([independent_name(name) for name in draft.names])
        found.append((names, draft.subject == EMPTY_NAME))
    return found


def independent_tbs(draft: Draft) -> bytes:
    issuer = issuer_of(draft.profile)
    builder = x509.CertificateBuilder(
        issuer_name=x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tanuki 株式会社"),
                x509.NameAttribute(
                    NameOID.COMMON_NAME,
                    "Tanuki Root CA" if issuer.name == "root" else "Tanuki Issuing CA",
                ),
            ]
        ),
        subject_name=independent_subject(draft),
        public_key=load_der_public_key(draft.public_key),  # type: ignore[arg-type]
        serial_number=a_place(draft).serial,
        not_valid_before=draft.not_before.replace(tzinfo=None),
        not_valid_after=draft.not_after.replace(tzinfo=None),
    )
    for extension, critical in independent_extensions(draft, issuer):
        builder = builder.add_extension(extension, critical)
    signing_key = private_key("issuing")
    assert isinstance(signing_key, ec.EllipticCurvePrivateKey)
    return builder.sign(signing_key, SHA256()).tbs_certificate_bytes


def key_for(profile: Profile, kind: str) -> str:
    # A root's own key is its issuer's key, or the lint would refuse it.
    return "root" if profile.self_signed else kind


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_tbs_certificate_is_what_cryptography_makes_of_the_same_content(
    name: str, kind: str
) -> None:
    draft = a_draft(CATALOGUE[name], key_for(CATALOGUE[name], kind))
    assert tbs_of(draft) == independent_tbs(draft)


@pytest.mark.parametrize("profile", [TLS_SERVER, TLS_CLIENT], ids=lambda each: each.name)
def test_a_certificate_without_subject_is_what_cryptography_makes_of_it(profile: Profile) -> None:
    draft = a_draft(profile, subject=EMPTY_NAME)
    assert tbs_of(draft) == independent_tbs(draft)


def test_a_certificate_of_a_hundred_names_is_what_cryptography_makes_of_it() -> None:
    names = tuple(GeneralName(GeneralNameKind.DNS, f"n{n}.example.test") for n in range(99))
    own = GeneralName(GeneralNameKind.DNS, "www.example.test")
    draft = a_draft(TLS_SERVER, names=(*names, own))
    assert tbs_of(draft) == independent_tbs(draft)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_certificate_is_read_right_by_asn1crypto_and_pyasn1(name: str, kind: str) -> None:
    draft = a_draft(CATALOGUE[name], key_for(CATALOGUE[name], kind))
    tbs = tbs_of(draft)
    octets = assemble(tbs, ECDSA_SHA256, sign_p256("issuing", tbs))
    read = asn1crypto_x509.Certificate.load(octets, strict=True)
    assert read.native["tbs_certificate"]["validity"] == {
        "not_before": draft.not_before,
        "not_after": draft.not_after,
    }
    assert read.serial_number == a_place(draft).serial
    assert read.key_usage_value.native == {
        USAGES[usage] for usage in expected_key_usage(draft.profile, draft.public_key)
    }
    assert read.key_identifier == key_identifier(draft.public_key)
    decoded, rest = pyasn1_decode(octets, asn1Spec=rfc5280.Certificate())
    assert (rest, pyasn1_encode(decoded)) == (b"", octets)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_tbs_certificate_reads_back(name: str, kind: str) -> None:
    draft = a_draft(CATALOGUE[name], key_for(CATALOGUE[name], kind))
    issuer = issuer_of(draft.profile)
    read = parse_tbs_certificate(tbs_of(draft))
    assert read.version == 2
    assert read.serial == a_place(draft).serial
    assert read.signature == algorithm_identifier(ECDSA_SHA256)
    assert (read.issuer, read.subject) == (issuer.facts.subject, draft.subject)
    assert (read.not_before, read.not_after) == (draft.not_before, draft.not_after)
    assert read.public_key == draft.public_key
    assert list(read.extension_order) == [
        extension.oid.dotted_string for extension, _ in independent_extensions(draft, issuer)
    ]


def test_a_certificate_comes_apart_into_what_was_put_together() -> None:
    tbs = tbs_of(a_draft(TLS_SERVER))
    signature = sign_p256("issuing", tbs)
    parts = parse_certificate(assemble(tbs, ECDSA_SHA256, signature))
    assert (parts.tbs, parts.signature) == (tbs, signature)
    loaded = x509.load_der_x509_certificate(assemble(tbs, ECDSA_SHA256, signature))
    assert (loaded.tbs_certificate_bytes, loaded.signature) == (tbs, signature)


@pytest.mark.parametrize(
    "signature",
    [wrap(4, b"\x00ab"), wrap(3, b""), wrap(3, b"\x01\x02"), wrap(3, b"\x08a")],
    ids=["an octet string", "no octet", "7 bits", "8 bits unused"],
)
def test_a_certificate_whose_signature_is_not_whole_octets_is_refused(signature: bytes) -> None:
    with pytest.raises(DerError):
        parse_certificate(
            encode_sequence(b"\x30\x00", algorithm_identifier(ECDSA_SHA256), signature)
        )


def tbs_between(not_before: datetime, not_after: datetime) -> bytes:
    return encode_tbs_certificate(
        serial=1,
        issuer=ROOT_NAME,
        not_before=not_before,
        not_after=not_after,
        subject=ROOT_NAME,
        public_key=public_key("root"),
        extensions=[basic_constraints(ca=True)],
        signature_algorithm=ECDSA_SHA256,
    )


@pytest.mark.parametrize("year", [2049, 2050, 9999])
def test_a_validity_period_over_the_boundary_of_2050_reads_back(year: int) -> None:
    start = datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)
    end = datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)
    read = parse_tbs_certificate(tbs_between(start, end))
    assert (read.not_before, read.not_after) == (start, end)


def test_a_time_in_the_wrong_type_is_refused() -> None:
    instant = datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)
    octets = tbs_between(instant, instant)
    wrong = octets.replace(b"\x17\x0d491231235959Z", b"\x18\x0f20491231235959Z")
    content = wrong[4:]  # both lengths have two octets
    with pytest.raises(DerError, match="UTCTime"):
        parse_tbs_certificate(wrap(0x30, fix_validity(content)))


def fix_validity(content: bytes) -> bytes:
    """Make the length of the validity SEQUENCE right after its times grew."""
    return content.replace(b"\x30\x1e\x18\x0f2049", b"\x30\x22\x18\x0f2049")


def test_an_extension_that_stands_twice_is_seen_in_the_order() -> None:
    octets = encode_tbs_certificate(
        serial=1,
        issuer=ROOT_NAME,
        not_before=datetime(2026, 1, 1, tzinfo=UTC),
        not_after=datetime(2027, 1, 1, tzinfo=UTC),
        subject=ROOT_NAME,
        public_key=public_key("root"),
        extensions=[basic_constraints(ca=True), basic_constraints(ca=False)],
        signature_algorithm=ECDSA_SHA256,
    )
    assert list(parse_tbs_certificate(octets).extension_order) == [oids.BASIC_CONSTRAINTS] * 2


@pytest.mark.parametrize("count", [0, 1, 47, 48, 49, 1000])
def test_pem_is_what_asn1crypto_makes_of_it(count: int) -> None:
    octets = bytes(range(256)) * 4
    text = encode_pem("CERTIFICATE", octets[:count])
    assert pem.unarmor(text.encode()) == ("CERTIFICATE", {}, octets[:count])
    if count:
        assert text.encode() == pem.armor("CERTIFICATE", octets[:count])
