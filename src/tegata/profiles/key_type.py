"""Rules for the kind of the subject's key: only those that the profile lists."""

from __future__ import annotations

from tegata.kernel.finding import Finding
from tegata.pkix import oids
from tegata.pkix.der import NULL_VALUE, DerError, decode, encode_oid, encode_sequence, sequence
from tegata.pkix.extensions import subject_public_key
from tegata.profiles.model import RSA_BITS_MINIMUM, Subject, error

_CITES = "RFC 5280 section 4.1.2.7"
_EC = encode_oid(oids.EC_PUBLIC_KEY)
# AlgorithmIdentifiers (RFC 5480 section 2.1.1.1, RFC 8017, RFC 8410, RFC 9881 section 2), in the
# order in which requests are likely to have them.
_ALGORITHMS = (
    (encode_sequence(_EC, encode_oid("1.2.840.10045.3.1.7")), "ec-p256"),
    (encode_sequence(encode_oid(oids.RSA_ENCRYPTION), NULL_VALUE), "rsa"),
    (encode_sequence(_EC, encode_oid("1.3.132.0.34")), "ec-p384"),
    (encode_sequence(_EC, encode_oid("1.3.132.0.35")), "ec-p521"),
    (encode_sequence(encode_oid(oids.ED25519)), "ed25519"),
    (encode_sequence(encode_oid("2.16.840.1.101.3.4.3.17")), "ml-dsa-44"),
    (encode_sequence(encode_oid("2.16.840.1.101.3.4.3.18")), "ml-dsa-65"),
    (encode_sequence(encode_oid("2.16.840.1.101.3.4.3.19")), "ml-dsa-87"),
)
# Tag and length of SubjectPublicKeyInfo, and the longest of the algorithms.
_HEAD = 32


@sequence
class _RsaPublicKey:
    modulus: int
    exponent: int


def key_type(public_key: bytes) -> str:
    """The kind of a SubjectPublicKeyInfo's key, as documents name it; empty when unknown."""
    head = public_key[:_HEAD]
    for algorithm, name in _ALGORITHMS:
        if algorithm in head:
            return name
    return ""


def key_type_allowed(subject: Subject) -> Finding | None:
    """The key is of a kind that the profile lists; one of no known kind is reported elsewhere."""
    kind = key_type(subject.tbs.public_key)
    if not kind or kind in subject.profile.key_types:
        return None
    allowed = ", ".join(sorted(subject.profile.key_types))
    return error(
        "public-key.type-not-allowed", _CITES, f"{subject.profile.name} takes keys of {allowed}"
    )


def rsa_key_long_enough(subject: Subject) -> Finding | None:
    """An RSA key has the bits that the profile asks for, where it asks for more than all do."""
    minimum = subject.profile.rsa_bits_minimum
    if minimum <= RSA_BITS_MINIMUM or key_type(subject.tbs.public_key) != "rsa":
        return None
    try:
        key = decode(_RsaPublicKey, subject_public_key(subject.tbs.public_key))
    except DerError:
        return None  # the rule for the key reports it
    if key.modulus.bit_length() >= minimum:
        return None
    return error("public-key.rsa-too-short", _CITES, f"RSA keys have at least {minimum} bits")
