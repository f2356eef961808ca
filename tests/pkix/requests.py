"""Certification requests put together by hand, so that they can be wrong in any place."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from tegata.pkix import oids
from tegata.pkix.certificate import encode_pem
from tegata.pkix.der import (
    NULL_VALUE,
    encode_bit_string,
    encode_integer,
    encode_oid,
    encode_sequence,
    encode_set_of,
    implicit,
)
from tegata.pkix.names import encode_name
from tests.pkix.keys import PrivateKey, private_key, spki

SHA256_WITH_RSA = encode_sequence(encode_oid("1.2.840.113549.1.1.11"), NULL_VALUE)
SHA1_WITH_RSA = encode_sequence(encode_oid("1.2.840.113549.1.1.5"), NULL_VALUE)
MD5_WITH_RSA = encode_sequence(encode_oid("1.2.840.113549.1.1.4"), NULL_VALUE)
SHA1_WITH_ECDSA = encode_sequence(encode_oid("1.2.840.10045.4.1"))
SHA256_WITH_ECDSA = encode_sequence(encode_oid(oids.ECDSA_WITH_SHA256))
ED25519 = encode_sequence(encode_oid(oids.ED25519))
ML_DSA = {
    "ml-dsa-44": encode_sequence(encode_oid(oids.ML_DSA_44)),
    "ml-dsa-65": encode_sequence(encode_oid(oids.ML_DSA_65)),
    "ml-dsa-87": encode_sequence(encode_oid(oids.ML_DSA_87)),
}
ED448 = encode_sequence(encode_oid("1.3.101.113"))

SUBJECT = encode_name([(oids.COMMON_NAME, "www.example.test")])


def extension_request(*values: bytes) -> bytes:
    """Return an extensionRequest attribute with these values."""
    return encode_sequence(encode_oid(oids.EXTENSION_REQUEST), encode_set_of(values))


def request_info(
    public_key: bytes,
    *,
    version: int = 0,
    subject: bytes = SUBJECT,
    attributes: Sequence[bytes] = (),
) -> bytes:
    """Return a CertificationRequestInfo."""
    return encode_sequence(
        encode_integer(version),
        subject,
        public_key,
        implicit(0, b"".join(sorted(attributes)), constructed=True),
    )


def sign(key: PrivateKey, octets: bytes, digest: Callable[[], hashes.HashAlgorithm]) -> bytes:
    """Return the key's signature."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(octets, padding.PKCS1v15(), digest())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(octets, ec.ECDSA(digest()))
    return key.sign(octets)


def request_der(
    kind: str,
    info: bytes | None = None,
    algorithm: bytes | None = None,
    digest: Callable[[], hashes.HashAlgorithm] = hashes.SHA256,
) -> bytes:
    """Return a request signed by the key of that kind, under whatever algorithm it claims."""
    key = private_key(kind)
    content = request_info(spki(key)) if info is None else info
    if algorithm is None:
        algorithm = SHA256_WITH_ECDSA
        if isinstance(key, rsa.RSAPrivateKey):
            algorithm = SHA256_WITH_RSA
        elif isinstance(key, ed25519.Ed25519PrivateKey):
            algorithm = ED25519
        elif not isinstance(key, ec.EllipticCurvePrivateKey):
            algorithm = ML_DSA[kind]
    return encode_sequence(content, algorithm, encode_bit_string(sign(key, content, digest)))


def request_pem(octets: bytes, label: str = "CERTIFICATE REQUEST") -> str:
    """Return the request in PEM."""
    return encode_pem(label, octets)
