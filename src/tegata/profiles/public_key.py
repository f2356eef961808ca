"""Rules for the subject's public key and its identifier (RFC 5280 sections 4.1.2.7, 4.2.1.2)."""

from __future__ import annotations

from tegata.kernel.finding import Finding
from tegata.kernel.signing import KeyAlgorithm
from tegata.pkix import oids
from tegata.pkix.algorithms import PSS_PARAMETERS, RSA_KINDS, KeyKind
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
from tegata.profiles.model import RSA_BITS_MINIMUM, Subject, error
from tegata.profiles.weak_rsa import is_weak_exponent, modulus_weakness

_RSA = encode_oid(oids.RSA_ENCRYPTION)
_PSS = encode_oid(oids.RSASSA_PSS)
_EC = encode_oid(oids.EC_PUBLIC_KEY)
_ED25519 = encode_oid(oids.ED25519)
# Named curves of RFC 5480 section 2.1.1.1, P-256, P-384 and P-521, with the octets of a
# coordinate.
_CURVES = {
    encode_oid(oids.P256): (32, KeyKind.EC_P256),
    encode_oid(oids.P384): (48, KeyKind.EC_P384),
    encode_oid(oids.P521): (66, KeyKind.EC_P521),
}
# Algorithms whose keys are octets of one number (RFC 8410 section 4, RFC 9881 section 4).
_WHOLE = {
    _ED25519: (32, KeyKind.ED25519),
    encode_oid(oids.ML_DSA_44): (1312, KeyKind.ML_DSA_44),
    encode_oid(oids.ML_DSA_65): (1952, KeyKind.ML_DSA_65),
    encode_oid(oids.ML_DSA_87): (2592, KeyKind.ML_DSA_87),
}


def _prefix(
    kind: KeyKind, algorithm: bytes, point: int, first: bytes = b""
) -> tuple[int, tuple[bytes, KeyKind]]:
    # All SubjectPublicKeyInfos of one curve are equal up to the point, and of one length.
    whole_key = encode_sequence(algorithm, encode_bit_string(first + bytes(point)))
    return len(whole_key), (whole_key[: len(whole_key) - point], kind)


_PREFIXES = dict(
    (
        *(
            _prefix(kind, encode_sequence(algorithm), octets)
            for algorithm, (octets, kind) in _WHOLE.items()
        ),
        *(
            _prefix(kind, encode_sequence(_EC, curve), 2 * coordinate, b"\x04")
            for curve, (coordinate, kind) in _CURVES.items()
        ),
    )
)
RSA_BITS = (RSA_BITS_MINIMUM, 8192)
_RSA_ALGORITHMS = {
    2048: KeyAlgorithm.RSA_2048, 3072: KeyAlgorithm.RSA_3072, 4096: KeyAlgorithm.RSA_4096,
}  # fmt: skip
_ALGORITHMS = {
    KeyKind.EC_P256: KeyAlgorithm.P256,
    KeyKind.EC_P384: KeyAlgorithm.P384,
    KeyKind.EC_P521: KeyAlgorithm.P521,
    KeyKind.ED25519: KeyAlgorithm.ED25519,
    KeyKind.ML_DSA_44: KeyAlgorithm.ML_DSA_44,
    KeyKind.ML_DSA_65: KeyAlgorithm.ML_DSA_65,
    KeyKind.ML_DSA_87: KeyAlgorithm.ML_DSA_87,
}
_CITES = "RFC 5280 section 4.1.2.7"
# Headers and identifiers of a SubjectPublicKeyInfo, the longest those of a named curve.
_START = 26


@sequence
class _RsaPublicKey:
    modulus: int
    exponent: int


def key_kind(public_key: bytes) -> KeyKind:
    """The kind of a SubjectPublicKeyInfo's key, by its algorithm; whether the key is whole is
    for `public_key_is_strong` to say."""
    known = _PREFIXES.get(len(public_key))
    if known is not None and public_key.startswith(known[0]):
        return known[1]
    start = public_key[:_START]
    return KeyKind.RSA if _RSA in start else _unusual_kind(start)


def _unusual_kind(start: bytes) -> KeyKind:
    if _PSS in start:
        return KeyKind.RSA_PSS
    named = _CURVES if _EC in start else _WHOLE
    return next((kind for oid, (_, kind) in named.items() if oid in start), KeyKind.OTHER)


def find_key_algorithm(public_key: bytes) -> KeyAlgorithm | None:
    """The algorithm of a SubjectPublicKeyInfo's key, if it is one that the platform signs with."""
    kind = key_kind(public_key)
    if kind is not KeyKind.RSA:
        return _ALGORITHMS.get(kind)
    try:
        bits = decode(_RsaPublicKey, subject_public_key(public_key)).modulus.bit_length()
    except DerError:
        return None
    return _RSA_ALGORITHMS.get(bits)


def key_kind_allowed(subject: Subject) -> Finding | None:
    """The key is of a kind that the profile lists; `public_key_is_strong` reports one of none."""
    kind = key_kind(subject.tbs.public_key)
    if kind is KeyKind.OTHER or kind in subject.profile.key_kinds:
        return None
    allowed = ", ".join(sorted(subject.profile.key_kinds))
    return error(
        "public-key.type-not-allowed", _CITES, f"{subject.profile.name} takes keys of {allowed}"
    )


def rsa_key_long_enough(subject: Subject) -> Finding | None:
    """An RSA key has the bits that the profile asks for, where it asks for more than all do."""
    minimum = subject.profile.rsa_bits_minimum
    if minimum <= RSA_BITS_MINIMUM or key_kind(subject.tbs.public_key) not in RSA_KINDS:
        return None
    try:
        key = decode(_RsaPublicKey, subject_public_key(subject.tbs.public_key))
    except DerError:
        return None  # `public_key_is_strong` reports it
    if key.modulus.bit_length() >= minimum:
        return None
    return error("public-key.rsa-too-short", _CITES, f"RSA keys have at least {minimum} bits")


def public_key_is_strong(subject: Subject) -> Finding | None:
    """The key is RSA of 2048 to 8192 bits, on P-256, P-384, P-521 or edwards25519, or ML-DSA."""
    return key_weakness(subject.tbs.public_key)


def key_weakness(public_key: bytes) -> Finding | None:
    """What speaks against a SubjectPublicKeyInfo, as far as its octets tell."""
    known = _PREFIXES.get(len(public_key))
    if known is not None and public_key.startswith(known[0]):
        return None
    try:
        key = subject_public_key(public_key)
        algorithm = decode_elements(public_key)[0]
        match [whole(element) for element in decode_elements(whole(algorithm))]:
            case [kind, curve] if kind == _EC and curve in _CURVES:
                # RFC 5480 section 2.2: uncompressed MUST be supported, compressed MAY be, and
                # often is not.
                return _malformed("the point must be uncompressed, with whole coordinates")
            case [kind] if kind in _WHOLE:
                return _malformed(f"the key must have {_WHOLE[kind][0]} octets")
            case [kind, parameters] if kind == _RSA and parameters == NULL_VALUE:
                return _rsa(decode(_RsaPublicKey, key))
            case [kind] if kind == _PSS:
                return _rsa(decode(_RsaPublicKey, key))
            case [kind, parameters] if kind == _PSS:
                return _pss(parameters) or _rsa(decode(_RsaPublicKey, key))
    except DerError as problem:
        return _malformed(str(problem))
    return error(
        "public-key.algorithm-not-allowed",
        _CITES,
        "RSA, P-256, P-384, P-521, Ed25519 or ML-DSA, with the parameters of its standard",
    )


def _pss(parameters: bytes) -> Finding | None:
    if parameters in PSS_PARAMETERS:
        return None
    return error(
        "public-key.pss-parameters",
        "RFC 4055 section 3.1",
        "SHA-256, SHA-384 or SHA-512, the same for MGF1, and a salt as long as the hash",
    )


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
