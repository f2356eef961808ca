"""Certification requests: those that clients make, and those that must be refused."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ed448, padding, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID

from tegata.kernel.problem import Problem, ProblemCode
from tegata.pkix import oids
from tegata.pkix.certificate import parse_tbs_certificate
from tegata.pkix.csr import MAXIMUM_OCTETS, CertificateRequest, parse_csr
from tegata.pkix.der import (
    NULL_VALUE,
    encode_bit_string,
    encode_integer,
    encode_oid,
    encode_sequence,
    encode_set_of,
    explicit,
    wrap,
)
from tegata.pkix.extensions import (
    basic_constraints,
    key_usage,
    parse_basic_constraints,
    subject_alternative_name,
    subject_public_key,
)
from tegata.pkix.names import (
    GeneralName,
    GeneralNameKind,
    parse_general_names,
    parse_name,
)
from tegata.profiles.catalogue import TLS_SERVER
from tegata.profiles.model import Subject
from tegata.profiles.public_key import key_kind, public_key_is_strong
from tests.issuance.drafts import a_draft, issuer_of, tbs_of
from tests.pkix.keys import KINDS, POST_QUANTUM, private_key, public_key, spki
from tests.pkix.requests import (
    ED448,
    ED25519,
    MD5_WITH_RSA,
    ML_DSA,
    SHA1_WITH_ECDSA,
    SHA1_WITH_RSA,
    SHA256_WITH_ECDSA,
    SHA256_WITH_RSA,
    SUBJECT,
    extension_request,
    request_der,
    request_info,
    request_pem,
    sign,
)

SAN = [GeneralName(GeneralNameKind.DNS, "www.example.test")]
BUILDER = x509.CertificateSigningRequestBuilder(
    x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "www.example.test")])
).add_extension(x509.SubjectAlternativeName([x509.DNSName("www.example.test")]), critical=False)


def pem_of(request: x509.CertificateSigningRequest) -> str:
    return request.public_bytes(Encoding.PEM).decode()


def assert_read_right(request: CertificateRequest, key: bytes) -> None:
    assert request.public_key == key
    assert request.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == key
    assert [
        (each.attribute_type, each.value) for rdn in parse_name(request.subject) for each in rdn
    ] == [(oids.COMMON_NAME, "www.example.test")]
    assert list(request.extensions) == [oids.SUBJECT_ALTERNATIVE_NAME]
    names = request.extensions[oids.SUBJECT_ALTERNATIVE_NAME].value
    assert parse_general_names(names) == tuple(SAN)


@pytest.mark.parametrize("kind", [*KINDS, "rsa-1024"])
def test_a_request_made_by_cryptography_is_read(kind: str) -> None:
    digest = None if kind == "ed25519" or kind in POST_QUANTUM else hashes.SHA256()
    request = BUILDER.sign(private_key(kind), digest)
    assert_read_right(parse_csr(pem_of(request)), public_key(kind))


@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "rsa-2048"])
@pytest.mark.parametrize("digest", [hashes.SHA256, hashes.SHA384, hashes.SHA512])
def test_a_request_may_be_signed_with_any_hash_of_the_family(
    kind: str, digest: Callable[[], hashes.SHA256 | hashes.SHA384 | hashes.SHA512]
) -> None:
    request = BUILDER.sign(private_key(kind), digest())
    assert_read_right(parse_csr(pem_of(request)), public_key(kind))


@pytest.mark.parametrize("salt", [0, 20, 32])
def test_a_request_may_be_signed_with_probabilistic_rsa(salt: int) -> None:
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), salt)
    request = BUILDER.sign(private_key("rsa-2048"), hashes.SHA256(), rsa_padding=pss)
    assert_read_right(parse_csr(pem_of(request)), public_key("rsa-2048"))


@pytest.mark.requires("openssl", "makes requests as its users do")
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("rsa-2048", []),
        ("rsa-2048", ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"]),
        ("p256", []),
        ("p384", ["-sha384"]),
        ("p521", ["-sha512"]),
        ("ed25519", []),
    ],
)
def test_a_request_made_by_openssl_is_read(tmp_path: Path, kind: str, options: list[str]) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(
        private_key(kind).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    made = subprocess.run(
        [
            *("openssl", "req", "-new", "-text", "-key", str(key)),
            *("-subj", "/CN=www.example.test"),
            *("-addext", "subjectAltName=DNS:www.example.test"),
            *options,
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert made.startswith("Certificate Request:")  # text before the PEM is nobody's business
    assert_read_right(parse_csr(made), public_key(kind))


def test_a_request_may_be_labelled_new() -> None:
    pem = request_pem(request_der("p256"), "NEW CERTIFICATE REQUEST")
    assert parse_csr(pem).public_key == public_key("p256")


def test_an_attribute_that_means_nothing_to_us_is_passed_over() -> None:
    password = encode_sequence(
        encode_oid("1.2.840.113549.1.9.7"), encode_set_of([wrap(0x0C, b"secret")])
    )
    extensions = extension_request(encode_sequence(basic_constraints(ca=True)))
    info = request_info(public_key("p256"), attributes=[password, extensions])
    request = parse_csr(request_pem(request_der("p256", info)))
    assert parse_basic_constraints(request.extensions[oids.BASIC_CONSTRAINTS].value).ca


def test_a_request_without_attributes_asks_for_no_extension() -> None:
    assert parse_csr(request_pem(request_der("p256"))).extensions == {}


def test_a_small_rsa_key_is_read_and_then_refused_by_the_lint() -> None:
    request = parse_csr(request_pem(request_der("rsa-1024")))
    tbs = parse_tbs_certificate(tbs_of(a_draft(TLS_SERVER)))
    weak = replace(tbs, public_key=request.public_key)
    finding = public_key_is_strong(Subject(weak, TLS_SERVER, issuer_of(TLS_SERVER).facts))
    assert finding is not None
    assert finding.code == "public-key.rsa-size"


def refuse(pem: str) -> ProblemCode:
    with pytest.raises(Problem) as caught:
        parse_csr(pem)
    return caught.value.code


GOOD = request_der("p256")


def with_attributes(*attributes: bytes) -> bytes:
    return request_der("p256", request_info(public_key("p256"), attributes=attributes))


def indefinite(octets: bytes) -> bytes:
    """Return BER: the outer SEQUENCE with an indefinite length."""
    header = 2 + (octets[1] & 0x7F if octets[1] & 0x80 else 0)
    return b"\x30\x80" + octets[header:] + b"\x00\x00"


_SAN_EXTENSION = subject_alternative_name(SAN)
_TWICE = encode_sequence(_SAN_EXTENSION, _SAN_EXTENSION)
_ONCE = encode_sequence(_SAN_EXTENSION)
_OTHER = encode_sequence(key_usage())
_EMPTY_ATTRIBUTE = encode_sequence(encode_oid(oids.EXTENSION_REQUEST), encode_set_of([]))
_LONG_LENGTH = GOOD.replace(b"\x02\x01\x00", b"\x02\x81\x01\x00", 1)

MALFORMED = {
    "octets after it": request_pem(GOOD + b"\x00"),
    "a second request after it": request_pem(GOOD + GOOD),
    "indefinite length": request_pem(indefinite(GOOD)),
    "a length too long for its number": request_pem(_LONG_LENGTH),
    "the last octet is missing": request_pem(GOOD[:-1]),
    "half of it is missing": request_pem(GOOD[: len(GOOD) // 2]),
    "nothing": "",
    "white space": " \n\n",
    "PEM of nothing": request_pem(b""),
    "PEM of an empty sequence": request_pem(b"\x30\x00"),
    "no PEM": GOOD.hex(),
    "another label": request_pem(GOOD, "CERTIFICATE"),
    "a label of nothing": request_pem(GOOD, ""),
    "two blocks": request_pem(GOOD) + request_pem(GOOD),
    "a private key beside it": request_pem(b"\x30\x00", "PRIVATE KEY") + request_pem(GOOD),
    "not ASCII around it": "日本語\n" + request_pem(GOOD),
    "not ASCII in it": request_pem(GOOD).replace("M", "Ｍ", 1),
    "not base 64": request_pem(GOOD).replace("M", "!", 1),
    "no end line": request_pem(GOOD).partition("-----END")[0],
    "a surrogate": "\ud800" + request_pem(GOOD),
    "version 2": request_pem(request_der("p256", request_info(public_key("p256"), version=1))),
    "no attributes field": request_pem(
        request_der("p256", encode_sequence(encode_integer(0), SUBJECT, public_key("p256")))
    ),
    "an extension twice": request_pem(with_attributes(extension_request(_TWICE))),
    "extensionRequest twice": request_pem(
        with_attributes(extension_request(_ONCE), extension_request(_OTHER))
    ),
    "extensionRequest twice, the same": request_pem(
        with_attributes(extension_request(_ONCE), extension_request(_ONCE))
    ),
    "extensionRequest with two values": request_pem(
        with_attributes(extension_request(_ONCE, _OTHER))
    ),
    "extensionRequest with no value": request_pem(with_attributes(_EMPTY_ATTRIBUTE)),
    "extensionRequest of an integer": request_pem(
        with_attributes(extension_request(encode_integer(1)))
    ),
    "extensionRequest of no extension": request_pem(
        with_attributes(extension_request(encode_sequence(encode_integer(1))))
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_request_is_refused(case: str) -> None:
    assert refuse(MALFORMED[case]) is ProblemCode.CSR_MALFORMED


@pytest.mark.parametrize("character", ["A", "é"])
def test_an_oversized_request_is_refused_before_it_is_read(character: str) -> None:
    assert refuse(character * (MAXIMUM_OCTETS + 1)) is ProblemCode.REQUEST_TOO_LARGE


def test_a_request_of_the_greatest_size_is_read() -> None:
    pem = request_pem(GOOD)
    assert parse_csr("\n" * (MAXIMUM_OCTETS - len(pem)) + pem).public_key == public_key("p256")


def test_a_request_with_a_huge_rsa_key_is_refused() -> None:
    number = (1 << 150_000) + 1
    info = request_info(rsa_spki(number, 65_537))
    algorithm_and_signature = SHA256_WITH_RSA + encode_bit_string(bytes(256))
    pem = request_pem(encode_sequence(info, algorithm_and_signature))
    assert refuse(pem) in {ProblemCode.CSR_UNSUPPORTED_KEY, ProblemCode.CSR_BAD_SIGNATURE}


def rsa_spki(modulus: int, exponent: int) -> bytes:
    key = encode_sequence(encode_integer(modulus), encode_integer(exponent))
    algorithm = encode_sequence(encode_oid(oids.RSA_ENCRYPTION), NULL_VALUE)
    return encode_sequence(algorithm, encode_bit_string(key))


def last_bit_flipped(octets: bytes) -> bytes:
    return octets[:-1] + bytes((octets[-1] ^ 1,))


HASHES = {
    "sha1": oids.SHA1,
    "sha224": "2.16.840.1.101.3.4.2.4",
    "sha256": oids.SHA256,
    "sha512": oids.SHA512,
}


def other_key(kind: str, signer: str) -> bytes:
    """Return a request for one key, signed by another of the same kind."""
    algorithm = {
        "p256": SHA256_WITH_ECDSA,
        "rsa-2048": SHA256_WITH_RSA,
        "ed25519": ED25519,
        **ML_DSA,
    }
    return request_der(signer, request_info(public_key(kind)), algorithm[kind])


def pss_identifier(digest: hashes.HashAlgorithm, mgf: hashes.HashAlgorithm, salt: int) -> bytes:
    """Return an AlgorithmIdentifier put together by hand (RFC 4055 section 3.1)."""
    named, of_mgf = (
        encode_sequence(encode_oid(HASHES[each.name]), NULL_VALUE) for each in (digest, mgf)
    )
    return encode_sequence(
        encode_oid(oids.RSASSA_PSS),
        encode_sequence(
            explicit(0, named),
            explicit(1, encode_sequence(encode_oid(oids.MGF1), of_mgf)),
            explicit(2, encode_integer(salt)),
        ),
    )


def pss_request(
    digest: hashes.HashAlgorithm, mgf: hashes.HashAlgorithm, key: bytes | None = None
) -> bytes:
    """Return a request whose RSASSA-PSS signature is good, whatever one thinks of its hashes."""
    private = private_key("rsa-2048")
    assert isinstance(private, rsa.RSAPrivateKey)
    info = request_info(public_key("rsa-2048") if key is None else key)
    signature = private.sign(info, padding.PSS(padding.MGF1(mgf), 32), digest)
    return encode_sequence(info, pss_identifier(digest, mgf, 32), encode_bit_string(signature))


def pss_key_request(digest: str | None, bound: bytes | None = None) -> bytes:
    """Return a request for a key that is bound to RSASSA-PSS with SHA-256, or with `bound`."""
    sha256 = hashes.SHA256()
    identifier = pss_identifier(sha256, sha256, 32) if bound is None else bound
    numbers = subject_public_key(public_key("rsa-2048"))
    key = encode_sequence(identifier, encode_bit_string(numbers))
    if digest is None:
        return request_der("rsa-2048", request_info(key))
    chosen = {"sha256": sha256, "sha512": hashes.SHA512()}[digest]
    return pss_request(chosen, chosen, key)


def test_a_key_for_rsassa_pss_is_taken_when_it_signed_as_it_must() -> None:
    request = parse_csr(request_pem(pss_key_request("sha256")))
    assert key_kind(request.public_key) == "rsa-pss"
    unbound = encode_sequence(encode_oid(oids.RSASSA_PSS))
    assert parse_csr(request_pem(pss_key_request("sha512", unbound))).public_key


def another_rsa() -> bytes:
    info = request_info(public_key("rsa-2048"))
    signature = sign(rsa.generate_private_key(65_537, 2048), info, hashes.SHA256)
    return encode_sequence(info, SHA256_WITH_RSA, encode_bit_string(signature))


UNPROVEN: dict[str, Callable[[], bytes]] = {
    "a flipped bit, P-256": lambda: last_bit_flipped(request_der("p256")),
    "a flipped bit, RSA": lambda: last_bit_flipped(request_der("rsa-2048")),
    "a flipped bit, Ed25519": lambda: last_bit_flipped(request_der("ed25519")),
    "another P-256 key": lambda: other_key("p256", "root"),
    "another RSA key": another_rsa,
    "a flipped bit, ML-DSA-44": lambda: last_bit_flipped(request_der("ml-dsa-44")),
    "a flipped bit, ML-DSA-87": lambda: last_bit_flipped(request_der("ml-dsa-87")),
    "a signature of another parameter set": lambda: other_key("ml-dsa-44", "ml-dsa-65"),
    "RSASSA-PSS with SHA-224": lambda: pss_request(hashes.SHA224(), hashes.SHA224()),
    "RSASSA-PSS with two hashes": lambda: pss_request(hashes.SHA512(), hashes.SHA256()),
    "a key for RSASSA-PSS that signed otherwise": lambda: pss_key_request(None),
    "a key for RSASSA-PSS with SHA-256 that signed with SHA-512": lambda: pss_key_request("sha512"),
    "a signature by a key of another kind": lambda: other_key("p256", "ed25519"),
    "SHA-1 with RSA": lambda: request_der("rsa-2048", None, SHA1_WITH_RSA, hashes.SHA1),
    "MD5 with RSA": lambda: request_der("rsa-2048", None, MD5_WITH_RSA, hashes.MD5),
    "SHA-1 with ECDSA": lambda: request_der("p256", None, SHA1_WITH_ECDSA, hashes.SHA1),
    "no signature": lambda: encode_sequence(
        request_info(public_key("p256")), SHA256_WITH_ECDSA, encode_bit_string(b"")
    ),
}


@pytest.mark.parametrize("case", UNPROVEN)
def test_a_request_that_does_not_prove_possession_is_refused(case: str) -> None:
    assert refuse(request_pem(UNPROVEN[case]())) is ProblemCode.CSR_BAD_SIGNATURE


def dsa_request() -> str:
    return pem_of(BUILDER.sign(dsa.generate_private_key(2048), hashes.SHA256()))


def x25519_request() -> str:
    raw = x25519.X25519PrivateKey.generate().public_key()
    key = raw.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return request_pem(request_der("ed25519", request_info(key)))


UNSUPPORTED: dict[str, Callable[[], str]] = {
    "secp256k1": lambda: request_pem(request_der("secp256k1")),
    "DSA": dsa_request,
    "Ed448": lambda: pem_of(BUILDER.sign(ed448.Ed448PrivateKey.generate(), None)),
    "X25519": x25519_request,
    "an ML-DSA key that is too short": lambda: request_pem(
        request_der(
            "ml-dsa-44",
            request_info(encode_sequence(ML_DSA["ml-dsa-44"], encode_bit_string(bytes(1311)))),
        )
    ),
    "a signature under another parameter set's name": lambda: request_pem(
        request_der("ml-dsa-44", None, ML_DSA["ml-dsa-65"])
    ),
    "an RSASSA-PSS key bound to a short salt": lambda: request_pem(
        pss_key_request("sha256", pss_identifier(hashes.SHA256(), hashes.SHA256(), 8))
    ),
    "an unknown key": lambda: request_pem(
        request_der(
            "p256",
            request_info(
                encode_sequence(encode_sequence(encode_oid("1.2.3")), encode_bit_string(b"a"))
            ),
        )
    ),
    "an unknown signature algorithm": lambda: request_pem(
        request_der("p256", None, encode_sequence(encode_oid("1.2.3")))
    ),
    "an EC signature under RSA's name": lambda: request_pem(
        request_der("p256", None, SHA256_WITH_RSA)
    ),
    "an RSA signature under ECDSA's name": lambda: request_pem(
        request_der("rsa-2048", None, SHA256_WITH_ECDSA)
    ),
    "an Ed25519 signature under ECDSA's name": lambda: request_pem(
        request_der("ed25519", None, SHA256_WITH_ECDSA)
    ),
    "an Ed25519 signature under Ed448's name": lambda: request_pem(
        request_der("ed25519", None, ED448)
    ),
    "a point that is not on its curve": lambda: request_pem(
        request_der("p256", request_info(last_bit_flipped(spki(private_key("p256")))))
    ),
}


@pytest.mark.parametrize("case", UNSUPPORTED)
def test_a_key_or_algorithm_that_we_do_not_take_is_refused(case: str) -> None:
    assert refuse(UNSUPPORTED[case]()) is ProblemCode.CSR_UNSUPPORTED_KEY


def test_the_reason_names_no_octet_of_the_request() -> None:
    with pytest.raises(Problem) as caught:
        parse_csr(MALFORMED["an extension twice"])
    assert caught.value.detail == "not a DER PKCS #10 request in PEM"


def test_algorithms_with_impossible_parameters_are_refused_as_malformed() -> None:
    with_null = encode_sequence(encode_oid(oids.ML_DSA_44), NULL_VALUE)
    key = encode_sequence(with_null, encode_bit_string(bytes(1312)))
    assert (
        refuse(request_pem(request_der("ml-dsa-44", request_info(key))))
        is ProblemCode.CSR_MALFORMED
    )
    assert (
        refuse(request_pem(pss_request(hashes.SHA256(), hashes.SHA1())))
        is ProblemCode.CSR_MALFORMED
    )
