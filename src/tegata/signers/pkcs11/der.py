"""The DER a token does not speak: signatures and public keys as certificates carry them."""

from __future__ import annotations

from typing import Final

from tegata.signers.pkcs11.errors import TokenError

# OBJECT IDENTIFIERs of curves (RFC 5480 section 2.1.1.1), as CKA_EC_PARAMS wants them, with
# the octets of a coordinate.
P256_PARAMETERS: Final = bytes.fromhex("06082a8648ce3d030107")
P384_PARAMETERS: Final = bytes.fromhex("06052b81040022")
P521_PARAMETERS: Final = bytes.fromhex("06052b81040023")
COORDINATE_SIZES: Final = {P256_PARAMETERS: 32, P384_PARAMETERS: 48, P521_PARAMETERS: 66}
# id-Ed25519 (RFC 8410 section 3), which PKCS#11 v3.0 (section 2.3.10) takes as a curve too.
ED25519_PARAMETERS: Final = bytes.fromhex("06032b6570")
_ED25519_SIZE: Final = 32
_ID_EC_PUBLIC_KEY: Final = bytes.fromhex("06072a8648ce3d0201")
# rsaEncryption with its NULL parameters (RFC 3279 section 2.3.1).
_RSA_ENCRYPTION: Final = bytes.fromhex("06092a864886f70d0101010500")

_INTEGER: Final = 0x02
_BIT_STRING: Final = 0x03
_OCTET_STRING: Final = 0x04
_SEQUENCE: Final = 0x30

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


def encode_ecdsa_signature(raw: bytes, coordinate: int) -> bytes:
    """Ecdsa-Sig-Value (RFC 3279 section 2.2.3) of the r and s of CKM_ECDSA."""
    if len(raw) != 2 * coordinate:
        raise TokenError(f"an ECDSA signature of {len(raw)} octets")
    return _encode(_SEQUENCE, _encode_integer(raw[:coordinate]) + _encode_integer(raw[coordinate:]))


def encode_ec_public_key(parameters: bytes, point: bytes) -> bytes:
    """SubjectPublicKeyInfo (RFC 5480 section 2) of CKA_EC_PARAMS and CKA_EC_POINT."""
    coordinate = COORDINATE_SIZES.get(parameters)
    if coordinate is None:
        raise TokenError("CKA_EC_PARAMS does not name P-256, P-384 or P-521")
    size = 1 + 2 * coordinate
    point = _bare_point(point, size)
    if len(point) != size or point[0] != _UNCOMPRESSED:
        raise TokenError("CKA_EC_POINT is not an uncompressed point of its curve")
    return _encode_subject_public_key_info(_ID_EC_PUBLIC_KEY + parameters, point)


def encode_ed25519_public_key(point: bytes) -> bytes:
    """SubjectPublicKeyInfo (RFC 8410 section 4) of a CKA_EC_POINT."""
    point = _bare_point(point, _ED25519_SIZE)
    if len(point) != _ED25519_SIZE:
        raise TokenError("CKA_EC_POINT is not an Ed25519 key")
    return _encode_subject_public_key_info(ED25519_PARAMETERS, point)


def _bare_point(point: bytes, size: int) -> bytes:
    # PKCS#11 v2.40 section 2.3.3 wants the point inside an OCTET STRING; some modules hand it
    # out bare, which its length tells apart.
    header = _encode(_OCTET_STRING, bytes(size))[:-size]
    if len(point) == len(header) + size and point.startswith(header):
        return point[len(header) :]
    return point


def encode_rsa_public_key(modulus: bytes, public_exponent: bytes) -> bytes:
    """SubjectPublicKeyInfo (RFC 3279 section 2.3.1) of CKA_MODULUS and CKA_PUBLIC_EXPONENT."""
    key = _encode(_SEQUENCE, _encode_integer(modulus) + _encode_integer(public_exponent))
    return _encode_subject_public_key_info(_RSA_ENCRYPTION, key)
