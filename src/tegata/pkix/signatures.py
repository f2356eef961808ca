"""Signatures over structures (RFC 5758 section 3.2): ours, verified before anybody sees them."""

from __future__ import annotations

from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

_ECDSA_SHA256 = ec.ECDSA(hashes.SHA256())


class SignatureInvalid(ValueError):
    """A signature that its key did not make over these octets."""


def verify_ecdsa_sha256(public_key: bytes, signature: bytes, octets: bytes) -> None:
    """Verify ecdsa-with-SHA256; `SignatureInvalid` when it does not hold.

    `public_key` is a SubjectPublicKeyInfo, `signature` a DER Ecdsa-Sig-Value.
    """
    try:
        _load(public_key).verify(signature, octets, _ECDSA_SHA256)
    except InvalidSignature as error:
        raise SignatureInvalid("the signature does not verify") from error


@lru_cache(maxsize=1024)
def _load(public_key: bytes) -> ec.EllipticCurvePublicKey:
    key = load_der_public_key(public_key)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise SignatureInvalid("not an elliptic-curve key")
    return key
