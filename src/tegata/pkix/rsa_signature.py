"""RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2.2) by strict comparison, with the reason of a refusal.

The block that the key opens is compared whole with the one block that is right. Nothing in it is
parsed to decide: that is what let forged signatures pass elsewhere (Bleichenbacher 2006). Only a
block that was refused is looked into, to say why.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")
_SHA256_OCTETS = 32


class Fault(StrEnum):
    """Why a signature is not one."""

    # Not as long as the modulus, or not less than it.
    LENGTH = "length"
    # The padding, or the DigestInfo, is not what RFC 8017 section 9.2 writes.
    PADDING = "padding"
    # A well-formed block of another hash.
    ALGORITHM = "algorithm"
    # A well-formed block of another digest.
    DIGEST = "digest"
    # No block at all: another key's signature, or noise.
    KEY = "key"


def find_fault(public_key: bytes, signature: bytes, digest: bytes) -> Fault | None:
    """What is wrong with a signature over a SHA-256 digest; None when nothing is.

    `public_key` is a SubjectPublicKeyInfo (DER) of RSA. ValueError for another key, or a digest
    that is not 32 octets.
    """
    if len(digest) != _SHA256_OCTETS:
        raise ValueError("a SHA-256 digest has 32 octets")
    key = _load(public_key)
    if len(signature) != (key.key_size + 7) // 8:
        return Fault.LENGTH
    try:
        # The library takes the padding away only if it fills the block to the octet; so when the
        # DigestInfo is the right one, the block is.
        recovered = key.recover_data_from_signature(signature, padding.PKCS1v15(), None)
    except (InvalidSignature, ValueError):
        return _explain(key.public_numbers(), signature, digest)
    if recovered == SHA256_PREFIX + digest:
        return None
    return _explain(key.public_numbers(), signature, digest)


@lru_cache(maxsize=1024)
def _load(public_key: bytes) -> rsa.RSAPublicKey:
    try:
        key = load_der_public_key(public_key)
    except UnsupportedAlgorithm as error:
        raise ValueError("not a key that is known") from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("not an RSA key")
    return key


def _explain(numbers: rsa.RSAPublicNumbers, signature: bytes, digest: bytes) -> Fault:
    opened = int.from_bytes(signature, "big")
    if opened >= numbers.n:
        return Fault.LENGTH
    block = pow(opened, numbers.e, numbers.n).to_bytes(len(signature), "big")
    return _name(block, _block(len(signature), SHA256_PREFIX + digest))


def _block(size: int, digest_info: bytes) -> bytes:
    return b"\x00\x01" + b"\xff" * (size - 3 - len(digest_info)) + b"\x00" + digest_info


def _name(block: bytes, wanted: bytes) -> Fault:
    if block[:2] != b"\x00\x01" or block[2:3] != b"\xff":
        return Fault.KEY
    if block[:-_SHA256_OCTETS] == wanted[:-_SHA256_OCTETS]:
        return Fault.DIGEST
    padding, zero, rest = block[2:].partition(b"\x00")
    # Padding to the end and one SEQUENCE that fills the rest: a DigestInfo of another hash.
    whole = zero and len(padding) >= 8 and not padding.strip(b"\xff")
    if whole and rest[:1] == b"\x30" and len(rest) > 1 and rest[1] == len(rest) - 2:
        return Fault.PADDING if SHA256_PREFIX[4:15] in rest else Fault.ALGORITHM
    return Fault.PADDING
