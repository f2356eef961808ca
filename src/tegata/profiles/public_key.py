"""Rules for the subject's public key and its identifier (RFC 5280 sections 4.1.2.7, 4.2.1.2)."""

from __future__ import annotations

from tegata.kernel.finding import Finding
from tegata.pkix import oids
from tegata.pkix.der import (
    NULL_VALUE,
    DerError,
    decode,
    decode_elements,
    encode_bit_string,
    encode_oid,
    encode_sequence,
    sequence,
    whole,
)
from tegata.pkix.extensions import AuthorityKeyIdentifier, key_identifier, subject_public_key
from tegata.profiles.model import Subject, error
from tegata.profiles.weak_rsa import is_weak_exponent, modulus_weakness

_RSA = encode_oid(oids.RSA_ENCRYPTION)
_EC = encode_oid(oids.EC_PUBLIC_KEY)
_ED25519 = encode_oid(oids.ED25519)
# Named curves of RFC 5480 section 2.1.1.1, P-256, P-384 and P-521, with the octets of a
# coordinate.
_CURVES = {
    encode_oid("1.2.840.10045.3.1.7"): 32,
    encode_oid("1.3.132.0.34"): 48,
    encode_oid("1.3.132.0.35"): 66,
}
_ED25519_OCTETS = 32


def _prefix(algorithm: bytes, point: int, first: bytes = b"") -> tuple[int, bytes]:
    # All SubjectPublicKeyInfos of one curve are equal up to the point, and of one length.
    whole_key = encode_sequence(algorithm, encode_bit_string(first + bytes(point)))
    return len(whole_key), whole_key[: len(whole_key) - point]


_PREFIXES = dict(
    (
        _prefix(encode_sequence(_ED25519), _ED25519_OCTETS),
        *(
            _prefix(encode_sequence(_EC, curve), 2 * coordinate, b"\x04")
            for curve, coordinate in _CURVES.items()
        ),
    )
)
RSA_BITS = (2048, 8192)
_CITES = "RFC 5280 section 4.1.2.7"


@sequence
class _RsaPublicKey:
    modulus: int
    exponent: int


def is_rsa(public_key: bytes) -> bool:
    """Whether a SubjectPublicKeyInfo holds an RSA key."""
    return _RSA in public_key[:24]


def public_key_is_strong(subject: Subject) -> Finding | None:
    """The key is RSA of 2048 to 8192 bits, or on P-256, P-384, P-521 or edwards25519."""
    prefix = _PREFIXES.get(len(subject.tbs.public_key))
    if prefix is not None and subject.tbs.public_key.startswith(prefix):
        return None
    try:
        key = subject_public_key(subject.tbs.public_key)
        algorithm = decode_elements(subject.tbs.public_key)[0]
        match [whole(element) for element in decode_elements(whole(algorithm))]:
            case [kind, curve] if kind == _EC and curve in _CURVES:
                # RFC 5480 section 2.2: uncompressed MUST be supported, compressed MAY be, and
                # often is not.
                return _malformed("the point must be uncompressed, with whole coordinates")
            case [kind] if kind == _ED25519:
                return _malformed(f"the key must have {_ED25519_OCTETS} octets")
            case [kind, parameters] if kind == _RSA and parameters == NULL_VALUE:
                return _rsa(decode(_RsaPublicKey, key))
    except DerError as problem:
        return _malformed(str(problem))
    return error("public-key.algorithm-not-allowed", _CITES, "RSA, P-256, P-384, P-521, Ed25519")


def _malformed(message: str) -> Finding:
    return error("public-key.malformed", _CITES, message)


def _rsa(key: _RsaPublicKey) -> Finding | None:
    modulus, exponent = key.modulus, key.exponent
    low, high = RSA_BITS
    if modulus < 0 or not low <= modulus.bit_length() <= high:
        return error("public-key.rsa-size", _CITES, f"RSA keys have {low} to {high} bits")
    if is_weak_exponent(exponent):
        return error("public-key.rsa-exponent", _CITES, "the exponent is odd and at least 65537")
    weakness = modulus_weakness(modulus)
    if weakness is not None:
        return error("public-key.rsa-weak-modulus", _CITES, weakness)
    return None


def subject_key_identifier_matches(subject: Subject) -> Finding | None:
    """subjectKeyIdentifier is derived from the key (RFC 7093 section 2, method 1)."""
    extension = subject.tbs.extensions.get(oids.SUBJECT_KEY_IDENTIFIER)
    try:
        if extension is not None and decode(bytes, extension.value) == key_identifier(
            subject.tbs.public_key
        ):
            return None
    except DerError:
        pass
    return error(
        "subject-key-identifier.mismatch",
        "RFC 5280 section 4.2.1.2",
        "the identifier must be the key's",
    )


def authority_key_identifier_matches(subject: Subject) -> Finding | None:
    """authorityKeyIdentifier is the issuer's subjectKeyIdentifier."""
    extension = subject.tbs.extensions.get(oids.AUTHORITY_KEY_IDENTIFIER)
    try:
        if extension is not None and (
            decode(AuthorityKeyIdentifier, extension.value).key_identifier
            == subject.issuer.key_identifier
        ):
            return None
    except DerError:
        pass
    return error(
        "authority-key-identifier.mismatch",
        "RFC 5280 section 4.2.1.1",
        "the identifier must be that of the issuer's key",
    )
