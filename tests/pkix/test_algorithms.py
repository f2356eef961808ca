"""The table of signature algorithms, judged by cryptography and pyasn1; and verification."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from pyasn1.codec.der.decoder import decode as pyasn1_decode
from pyasn1_alt_modules import rfc5280, rfc9881

from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.signing import (
    SIGNATURE_ALGORITHMS,
    KeyAlgorithm,
    SignatureAlgorithm,
    choose_signature_algorithm,
)
from tegata.pkix import oids
from tegata.pkix.algorithms import (
    SCHEMES,
    algorithm_identifier,
    find_signature_algorithm,
)
from tegata.pkix.certificate import assemble, parse_certificate, parse_tbs_certificate
from tegata.pkix.crl import encode_tbs_cert_list
from tegata.pkix.der import (
    NULL_VALUE,
    encode_bit_string,
    encode_oid,
    encode_sequence,
    explicit,
)
from tegata.pkix.extensions import key_identifier, subject_public_key
from tegata.pkix.signatures import SignatureInvalid, verify, verify_certificate, verify_crl
from tegata.profiles.catalogue import ROOT_CA
from tests.issuance.drafts import NOW, ROOT_NAME, a_draft, tbs_of
from tests.pkix.keys import private_key, public_key, sign_as

OCTETS = b"what is signed"
PAIRS = [
    (algorithm, signature)
    for algorithm, signatures in SIGNATURE_ALGORITHMS.items()
    for signature in signatures
]


def self_signed(key: KeyAlgorithm, signature: SignatureAlgorithm) -> bytes:
    """Return a root's certificate whose key is of that algorithm."""
    tbs = tbs_of(a_draft(ROOT_CA, key)).replace(
        algorithm_identifier(SignatureAlgorithm.ECDSA_SHA256), algorithm_identifier(signature), 1
    )
    content = parse_whole(tbs)
    return assemble(content, signature, sign_as(private_key(key), signature, content))


def parse_whole(tbs: bytes) -> bytes:
    """Return the same content with the length that it has now."""
    return encode_sequence(tbs[4:])


@pytest.mark.parametrize(("key", "signature"), PAIRS)
def test_a_signature_of_every_algorithm_verifies_and_no_other_does(
    key: KeyAlgorithm, signature: SignatureAlgorithm
) -> None:
    made = sign_as(private_key(key), signature, OCTETS)
    verify(public_key(key), signature, made, OCTETS)
    for wrong in (
        (signature, made, OCTETS + b"!"),
        (signature, made[:-1] + bytes((made[-1] ^ 1,)), OCTETS),
        (signature, b"", OCTETS),
        *((other, made, OCTETS) for other in SignatureAlgorithm if other != signature),
    ):
        with pytest.raises(SignatureInvalid):
            verify(public_key(key), *wrong)


@pytest.mark.parametrize(("key", "signature"), PAIRS)
def test_a_certificate_of_every_algorithm_is_read_and_verified_by_cryptography(
    key: KeyAlgorithm, signature: SignatureAlgorithm
) -> None:
    octets = self_signed(key, signature)
    certificate = x509.load_der_x509_certificate(octets)
    certificate.verify_directly_issued_by(certificate)
    verify_certificate(octets, public_key(key))
    scheme, parameters = SCHEMES[signature], certificate.signature_algorithm_parameters
    if isinstance(scheme.padding, padding.PSS):
        assert isinstance(parameters, padding.PSS)
        assert parameters._salt_length == scheme.digest.digest_size  # type: ignore[union-attr]
    named = certificate.signature_hash_algorithm
    assert (named and named.name) == (scheme.digest and scheme.digest.name)


@pytest.mark.parametrize("signature", SignatureAlgorithm)
def test_an_identifier_names_its_algorithm(signature: SignatureAlgorithm) -> None:
    identifier = algorithm_identifier(signature)
    assert find_signature_algorithm(identifier) is signature
    read, rest = pyasn1_decode(identifier, asn1Spec=rfc5280.AlgorithmIdentifier())
    assert not rest
    assert read["parameters"].isValue == signature.startswith("rsa")


@pytest.mark.parametrize("bits", [44, 65, 87])
def test_ml_dsa_is_named_as_in_the_module_of_rfc_9881(bits: int) -> None:
    identifier = algorithm_identifier(SignatureAlgorithm(f"ml-dsa-{bits}"))
    read, _rest = pyasn1_decode(identifier, asn1Spec=rfc5280.AlgorithmIdentifier())
    assert read["algorithm"] == getattr(rfc9881, f"id_ml_dsa_{bits}")


def test_rsassa_pss_is_written_with_null_as_rfc_4055_wants_and_read_without() -> None:
    # What Mozilla's root store policy (section 5.1.1) prescribes, octet for octet.
    assert algorithm_identifier(SignatureAlgorithm.RSA_PSS_SHA256).hex() == (
        "304106092a864886f70d01010a3034a00f300d06096086480165030402010500"
        "a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120"
    )
    sha256 = encode_sequence(encode_oid(oids.SHA256))
    mgf = encode_sequence(encode_oid(oids.MGF1), sha256)
    parameters = encode_sequence(
        explicit(0, sha256), explicit(1, mgf), explicit(2, b"\x02\x01\x20")
    )
    bare = encode_sequence(encode_oid(oids.RSASSA_PSS), parameters)
    assert find_signature_algorithm(bare) is SignatureAlgorithm.RSA_PSS_SHA256


@pytest.mark.parametrize(
    "identifier",
    [
        encode_sequence(encode_oid(oids.ECDSA_WITH_SHA256), NULL_VALUE),
        encode_sequence(encode_oid(oids.SHA256_WITH_RSA)),
        encode_sequence(encode_oid(oids.RSASSA_PSS)),
        encode_sequence(encode_oid(oids.RSASSA_PSS), encode_sequence()),
        encode_sequence(encode_oid(oids.ML_DSA_44), NULL_VALUE),
        encode_sequence(encode_oid("1.2.840.113549.1.1.5"), NULL_VALUE),
        b"",
    ],
    ids=["ECDSA with NULL", "RSA without", "PSS without", "PSS's defaults", "ML-DSA with NULL",
         "SHA-1 with RSA", "nothing"],
)  # fmt: skip
def test_an_identifier_with_other_parameters_names_nothing(identifier: bytes) -> None:
    assert find_signature_algorithm(identifier) is None


def test_a_certificate_whose_algorithms_differ_is_refused() -> None:
    octets = self_signed(KeyAlgorithm.RSA_2048, SignatureAlgorithm.RSA_PKCS1_SHA256)
    parts = parse_certificate(octets)
    assert parts.algorithm == parse_tbs_certificate(parts.tbs).signature
    other = assemble(parts.tbs, SignatureAlgorithm.RSA_PSS_SHA256, parts.signature)
    with pytest.raises(SignatureInvalid, match="differs"):
        verify_certificate(other, public_key("rsa-2048"))


def test_a_certificate_signed_with_what_is_not_accepted_is_refused() -> None:
    sha1 = encode_sequence(encode_oid("1.2.840.113549.1.1.5"), NULL_VALUE)
    tbs = tbs_of(a_draft(ROOT_CA, "rsa-2048"))
    own = algorithm_identifier(SignatureAlgorithm.ECDSA_SHA256)
    content = parse_whole(tbs.replace(own, sha1, 1))
    octets = encode_sequence(content, sha1, encode_bit_string(bytes(256)))
    with pytest.raises(SignatureInvalid, match="not a signature algorithm"):
        verify_certificate(octets, public_key("rsa-2048"))


@pytest.mark.parametrize("key", ["rsa-2048", "ed25519", "ml-dsa-65"])
def test_a_crl_verifies_by_its_issuer_s_key_and_by_no_other(key: str) -> None:
    signature = SIGNATURE_ALGORITHMS[KeyAlgorithm(key)][0]
    tbs = encode_tbs_cert_list(
        issuer=ROOT_NAME,
        this_update=NOW,
        next_update=NOW,
        entries=(),
        authority_key=key_identifier(public_key(key)),
        number=1,
        signature_algorithm=signature,
    )
    octets = assemble(tbs, signature, sign_as(private_key(key), signature, tbs))
    verify_crl(octets, public_key(key))
    with pytest.raises(SignatureInvalid):
        verify_crl(octets, public_key("p256"))
    with pytest.raises(SignatureInvalid, match="differs"):
        verify_crl(assemble(tbs, SignatureAlgorithm.RSA_PSS_SHA512, bytes(256)), public_key(key))


def test_a_key_bound_to_rsassa_pss_makes_no_other_signatures() -> None:
    numbers = encode_bit_string(subject_public_key(public_key("rsa-2048")))
    key = encode_sequence(algorithm_identifier(SignatureAlgorithm.RSA_PSS_SHA256), numbers)
    private = private_key("rsa-2048")
    good = SignatureAlgorithm.RSA_PSS_SHA256
    verify(key, good, sign_as(private, good, OCTETS), OCTETS)
    for other in (SignatureAlgorithm.RSA_PSS_SHA512, SignatureAlgorithm.RSA_PKCS1_SHA256):
        with pytest.raises(SignatureInvalid, match="does not make"):
            verify(key, other, sign_as(private, other, OCTETS), OCTETS)


def test_a_signature_with_another_salt_is_refused() -> None:
    private = private_key("rsa-2048")
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 20)
    made = private.sign(OCTETS, pss, hashes.SHA256())  # type: ignore[call-arg, arg-type]
    with pytest.raises(SignatureInvalid):
        verify(public_key("rsa-2048"), SignatureAlgorithm.RSA_PSS_SHA256, made, OCTETS)


@pytest.mark.parametrize("octets", [b"", b"\x30\x00", bytes(91)])
def test_what_is_no_key_verifies_nothing(octets: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        verify(octets, SignatureAlgorithm.ECDSA_SHA256, b"", OCTETS)


def test_a_key_signs_as_it_usually_does_unless_told_otherwise() -> None:
    pss = SignatureAlgorithm.RSA_PSS_SHA384
    assert choose_signature_algorithm(KeyAlgorithm.P384) is SignatureAlgorithm.ECDSA_SHA384
    assert choose_signature_algorithm(KeyAlgorithm.RSA_3072, pss) is pss
    for algorithm in (KeyAlgorithm.P256, KeyAlgorithm.ML_DSA_65):
        with pytest.raises(Problem) as refused:
            choose_signature_algorithm(algorithm, pss)
        assert refused.value.code is ProblemCode.KEY_ALGORITHM_REFUSED
        assert "rsa-pss-sha384" in refused.value.detail


def test_every_key_algorithm_has_ways_to_sign_and_every_way_a_scheme() -> None:
    assert set(SIGNATURE_ALGORITHMS) == set(KeyAlgorithm)
    assert set(SCHEMES) == set(SignatureAlgorithm)
    assert len({scheme.identifier for scheme in SCHEMES.values()}) == len(SCHEMES)
