"""BER-TLV as the card's files write it, and what stands in several of them."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tegata.pkix.der import length

# The card-verifiable certificates' keys: seven digits, two octets, three digits, four of filler.
# Real ones begin with 5 (production) and 6 (test).
ROOT_KEY_ID: Final = b"9000001\x08\x05001    "
SIGNER_KEY_ID: Final = b"9000023\x08\x05001    "
_EXPONENT = bytes.fromhex("010001")


def tlv(tag: int, value: bytes) -> bytes:
    """An object with a tag of one octet or two."""
    return tag.to_bytes(2 if tag > 0xFF else 1, "big") + length(len(value)) + value


def public_key(key: rsa.RSAPrivateKey) -> bytes:
    """An RSA public key: exponent and modulus."""
    modulus = key.public_key().public_numbers().n
    return tlv(0x90, _EXPONENT) + tlv(0x91, modulus.to_bytes(256, "big"))


def signature(key: rsa.RSAPrivateKey, octets: bytes) -> bytes:
    """RSASSA-PKCS1-v1_5 with SHA-256."""
    return key.sign(octets, padding.PKCS1v15(), hashes.SHA256())


def card_verifiable(
    root: rsa.RSAPrivateKey, signer: rsa.RSAPrivateKey, root_id: bytes, signer_id: bytes
) -> bytes:
    """The certificate of the key that signs what is on the cards."""
    body = root_id + signer_id + public_key(signer)
    return tlv(0x7F21, tlv(0x5F4E, body) + tlv(0x5F37, signature(root, body)))
