"""Software keys of every kind, made once in a process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tegata.kernel.signing import SignatureAlgorithm

MlDsaKey = mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | MlDsaKey

_MAKERS: Final[Mapping[str, Callable[[], PrivateKey]]] = {
    "rsa-1024": lambda: rsa.generate_private_key(65_537, 1024),
    "rsa-2048": lambda: rsa.generate_private_key(65_537, 2048),
    "rsa-3072": lambda: rsa.generate_private_key(65_537, 3072),
    "rsa-4096": lambda: rsa.generate_private_key(65_537, 4096),
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ml-dsa-44": mldsa.MLDSA44PrivateKey.generate,
    "ml-dsa-65": mldsa.MLDSA65PrivateKey.generate,
    "ml-dsa-87": mldsa.MLDSA87PrivateKey.generate,
    # Those whose certificates are in the tests; each signs with P-256.
    "root": lambda: ec.generate_private_key(ec.SECP256R1()),
    "issuing": lambda: ec.generate_private_key(ec.SECP256R1()),
    "responder": lambda: ec.generate_private_key(ec.SECP256R1()),
}
# How those three sign.
ECDSA_SHA256: Final = SignatureAlgorithm.ECDSA_SHA256
# What subscribers may bring.
CLASSICAL: Final = ("rsa-2048", "p256", "p384", "p521", "ed25519")
POST_QUANTUM: Final = ("ml-dsa-44", "ml-dsa-65", "ml-dsa-87")
KINDS: Final = (*CLASSICAL, *POST_QUANTUM)


def make_key(kind: str) -> PrivateKey:
    """Return a new key of that kind, or key algorithm."""
    return _MAKERS[kind]()


@cache
def private_key(kind: str) -> PrivateKey:
    """Return the key of that kind; the same for the whole run."""
    return make_key(kind)


def public_key(kind: str) -> bytes:
    """Return the SubjectPublicKeyInfo of the key of that kind."""
    return spki(private_key(kind))


def spki(key: PrivateKey) -> bytes:
    """Return a key's SubjectPublicKeyInfo."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def sign_p256(kind: str, octets: bytes) -> bytes:
    """Return the ECDSA signature with SHA-256 that our own certificates carry."""
    key = private_key(kind)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key.sign(octets, ec.ECDSA(SHA256()))


_DIGESTS: Final = {"sha256": SHA256(), "sha384": SHA384(), "sha512": SHA512()}


def sign_as(key: PrivateKey, algorithm: SignatureAlgorithm, octets: bytes) -> bytes:
    """Return the signature that an algorithm's name asks for."""
    if isinstance(key, ed25519.Ed25519PrivateKey | MlDsaKey):
        return key.sign(octets)
    digest = _DIGESTS[algorithm.rpartition("-")[2]]
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(octets, ec.ECDSA(digest))
    if "pss" in algorithm:
        pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
        return key.sign(octets, pss, digest)
    return key.sign(octets, padding.PKCS1v15(), digest)
