"""The DER a token does not speak: signatures and public keys as certificates carry them."""

from __future__ import annotations

from typing import Final

from tegata.signers.pkcs11.errors import TokenError

# OBJECT IDENTIFIER prime256v1 (RFC 5480 section 2.1.1.1), as CKA_EC_PARAMS wants it.
P256_PARAMETERS: Final = bytes.fromhex("06082a8648ce3d030107")
_ID_EC_PUBLIC_KEY: Final = bytes.fromhex("06072a8648ce3d0201")
# rsaEncryption with its NULL parameters (RFC 3279 section 2.3.1).
_RSA_ENCRYPTION: Final = bytes.fromhex("06092a864886f70d0101010500")

_INTEGER: Final = 0x02
_BIT_STRING: Final = 0x03
_OCTET_STRING: Final = 0x04
_SEQUENCE: Final = 0x30

P256_RAW_SIGNATURE_SIZE: Final = 64
_P256_POINT_SIZE: Final = 65
_UNCOMPRESSED: Final = 0x04


def _encode(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def _encode_integer(magnitude: bytes) -> bytes:
    """INTEGER of an unsigned big-endian number: minimal, and never read as negative."""
    content = magnitude.lstrip(b"\0")
    if not content or content[0] & 0x80:
        content = b"\0" + content
    return _encode(_INTEGER, content)


def _encode_subject_public_key_info(algorithm: bytes, key: bytes) -> bytes:
    return _encode(_SEQUENCE, _encode(_SEQUENCE, algorithm) + _encode(_BIT_STRING, b"\0" + key))


def encode_p256_signature(raw: bytes) -> bytes:
    """Ecdsa-Sig-Value (RFC 3279 section 2.2.3) of the r and s of CKM_ECDSA."""
    if len(raw) != P256_RAW_SIGNATURE_SIZE:
        raise TokenError(f"a P-256 signature of {len(raw)} octets")
    half = P256_RAW_SIGNATURE_SIZE // 2
    return _encode(_SEQUENCE, _encode_integer(raw[:half]) + _encode_integer(raw[half:]))


def encode_p256_public_key(point: bytes) -> bytes:
    """SubjectPublicKeyInfo (RFC 5480 section 2) of a CKA_EC_POINT."""
    # PKCS#11 v2.40 section 2.3.3 wants the point inside an OCTET STRING; some modules
    # hand it out bare, which its length tells apart.
    if point[:2] == bytes((_OCTET_STRING, _P256_POINT_SIZE)):
        point = point[2:]
    if len(point) != _P256_POINT_SIZE or point[0] != _UNCOMPRESSED:
        raise TokenError("CKA_EC_POINT is not an uncompressed P-256 point")
    return _encode_subject_public_key_info(_ID_EC_PUBLIC_KEY + P256_PARAMETERS, point)


def encode_rsa_public_key(modulus: bytes, public_exponent: bytes) -> bytes:
    """SubjectPublicKeyInfo (RFC 3279 section 2.3.1) of CKA_MODULUS and CKA_PUBLIC_EXPONENT."""
    key = _encode(_SEQUENCE, _encode_integer(modulus) + _encode_integer(public_exponent))
    return _encode_subject_public_key_info(_RSA_ENCRYPTION, key)
