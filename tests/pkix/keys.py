"""Software keys of every kind, made once in a process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

_MAKERS: Final[Mapping[str, Callable[[], PrivateKey]]] = {
    "rsa-1024": lambda: rsa.generate_private_key(65_537, 1024),
    "rsa-2048": lambda: rsa.generate_private_key(65_537, 2048),
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    # Those whose certificates are in the tests; each signs with P-256, as all of ours do.
    "root": lambda: ec.generate_private_key(ec.SECP256R1()),
    "issuing": lambda: ec.generate_private_key(ec.SECP256R1()),
    "responder": lambda: ec.generate_private_key(ec.SECP256R1()),
}
# What subscribers may bring.
KINDS: Final = ("rsa-2048", "p256", "p384", "p521", "ed25519")


@cache
def private_key(kind: str) -> PrivateKey:
    """Return the key of that kind; the same for the whole run."""
    return _MAKERS[kind]()


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
