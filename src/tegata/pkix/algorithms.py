"""Signature algorithms: the one table from a name to its AlgorithmIdentifier, key kind and hash.

RFC 5758 section 3.2 (ECDSA), RFC 4055 sections 3.1 and 5 (RSA), RFC 8410 section 6 (Ed25519)
and RFC 9881 section 3 (ML-DSA). An algorithm without parameters has none, not NULL, except
PKCS #1 v1.5, which has NULL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from tegata.kernel.signing import SignatureAlgorithm
from tegata.pkix import oids
from tegata.pkix.der import (
    NULL_VALUE,
    DerError,
    decode_elements,
    encode_integer,
    encode_oid,
    encode_sequence,
    explicit,
    whole,
)


class KeyKind(StrEnum):
    """What a public key can be used for depends on its kind, not on its size."""

    RSA = "rsa"
    RSA_PSS = "rsa-pss"
    EC = "ec"
    ED25519 = "ed25519"
    ML_DSA = "ml-dsa"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class SignatureScheme:
    """What an algorithm is made of.

    `identifier` is its AlgorithmIdentifier (DER); `digest` is None where the algorithm hashes
    within itself; `padding` is RSA's. A key of `kind` makes such signatures.
    """

    identifier: bytes
    kind: KeyKind
    digest: hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None = None
    padding: padding.PKCS1v15 | padding.PSS | None = None


_SHA256, _SHA384, _SHA512 = hashes.SHA256(), hashes.SHA384(), hashes.SHA512()
_DIGESTS: Final = ((_SHA256, oids.SHA256), (_SHA384, oids.SHA384), (_SHA512, oids.SHA512))


def _pss_parameters(digest: str, size: int, null: bytes) -> bytes:
    """RSASSA-PSS-params (RFC 4055 section 3.1): MGF1 with the same hash, a salt of its size."""
    hash_algorithm = encode_sequence(encode_oid(digest), null)
    return encode_sequence(
        explicit(0, hash_algorithm),
        explicit(1, encode_sequence(encode_oid(oids.MGF1), hash_algorithm)),
        explicit(2, encode_integer(size)),
    )


def _bare(oid: str) -> bytes:
    return encode_sequence(encode_oid(oid))


def _with_null(oid: str) -> bytes:
    return encode_sequence(encode_oid(oid), NULL_VALUE)


def _pss(
    digest: hashes.SHA256 | hashes.SHA384 | hashes.SHA512, oid: str, null: bytes = NULL_VALUE
) -> bytes:
    parameters = _pss_parameters(oid, digest.digest_size, null)
    return encode_sequence(encode_oid(oids.RSASSA_PSS), parameters)


def _salted(digest: hashes.SHA256 | hashes.SHA384 | hashes.SHA512) -> padding.PSS:
    return padding.PSS(padding.MGF1(digest), digest.digest_size)


SCHEMES: Final[Mapping[SignatureAlgorithm, SignatureScheme]] = {
    SignatureAlgorithm.ECDSA_SHA256: SignatureScheme(
        _bare(oids.ECDSA_WITH_SHA256), KeyKind.EC, _SHA256
    ),
    SignatureAlgorithm.ECDSA_SHA384: SignatureScheme(
        _bare(oids.ECDSA_WITH_SHA384), KeyKind.EC, _SHA384
    ),
    SignatureAlgorithm.ECDSA_SHA512: SignatureScheme(
        _bare(oids.ECDSA_WITH_SHA512), KeyKind.EC, _SHA512
    ),
    SignatureAlgorithm.RSA_PKCS1_SHA256: SignatureScheme(
        _with_null(oids.SHA256_WITH_RSA), KeyKind.RSA, _SHA256, padding.PKCS1v15()
    ),
    SignatureAlgorithm.RSA_PKCS1_SHA384: SignatureScheme(
        _with_null(oids.SHA384_WITH_RSA), KeyKind.RSA, _SHA384, padding.PKCS1v15()
    ),
    SignatureAlgorithm.RSA_PKCS1_SHA512: SignatureScheme(
        _with_null(oids.SHA512_WITH_RSA), KeyKind.RSA, _SHA512, padding.PKCS1v15()
    ),
    SignatureAlgorithm.RSA_PSS_SHA256: SignatureScheme(
        _pss(_SHA256, oids.SHA256), KeyKind.RSA, _SHA256, _salted(_SHA256)
    ),
    SignatureAlgorithm.RSA_PSS_SHA384: SignatureScheme(
        _pss(_SHA384, oids.SHA384), KeyKind.RSA, _SHA384, _salted(_SHA384)
    ),
    SignatureAlgorithm.RSA_PSS_SHA512: SignatureScheme(
        _pss(_SHA512, oids.SHA512), KeyKind.RSA, _SHA512, _salted(_SHA512)
    ),
    SignatureAlgorithm.ED25519: SignatureScheme(_bare(oids.ED25519), KeyKind.ED25519),
    SignatureAlgorithm.ML_DSA_44: SignatureScheme(_bare(oids.ML_DSA_44), KeyKind.ML_DSA),
    SignatureAlgorithm.ML_DSA_65: SignatureScheme(_bare(oids.ML_DSA_65), KeyKind.ML_DSA),
    SignatureAlgorithm.ML_DSA_87: SignatureScheme(_bare(oids.ML_DSA_87), KeyKind.ML_DSA),
}
_IDENTIFIERS: Final = {name: scheme.identifier for name, scheme in SCHEMES.items()}
# RFC 4055 section 2.1: a hash's parameters are NULL when written, NULL or absent when read.
_NAMES: Final[Mapping[bytes, SignatureAlgorithm]] = {
    **{identifier: name for name, identifier in _IDENTIFIERS.items()},
    _pss(_SHA256, oids.SHA256, b""): SignatureAlgorithm.RSA_PSS_SHA256,
    _pss(_SHA384, oids.SHA384, b""): SignatureAlgorithm.RSA_PSS_SHA384,
    _pss(_SHA512, oids.SHA512, b""): SignatureAlgorithm.RSA_PSS_SHA512,
}
# The parameters that bind an id-RSASSA-PSS key to one hash, with the hash's name.
PSS_PARAMETERS: Final[Mapping[bytes, str]] = {
    _pss_parameters(oid, digest.digest_size, null): digest.name
    for digest, oid in _DIGESTS
    for null in (NULL_VALUE, b"")
}
# The first two fields of the parameters, which name the hash; a salt of any length follows.
_PSS_HASHES: Final[Mapping[bytes, str]] = {
    explicit(0, named) + explicit(1, encode_sequence(encode_oid(oids.MGF1), named)): digest.name
    for digest, oid in _DIGESTS
    for named in (_with_null(oid), _bare(oid))
}
_PSS_FIELDS: Final = ([b"\xa0", b"\xa1"], [b"\xa0", b"\xa1", b"\xa2"])
_RSASSA_PSS: Final = encode_oid(oids.RSASSA_PSS)


def algorithm_identifier(algorithm: SignatureAlgorithm) -> bytes:
    """The AlgorithmIdentifier (DER) of a signature algorithm."""
    return _IDENTIFIERS[algorithm]


def find_signature_algorithm(identifier: bytes) -> SignatureAlgorithm | None:
    """The algorithm that an AlgorithmIdentifier (DER) names, if it is one of ours, octet for
    octet: other hashes, salts or stray parameters are none of ours."""
    return _NAMES.get(identifier)


def pss_digest(identifier: bytes) -> str | None:
    """The hash of an RSASSA-PSS AlgorithmIdentifier, whatever its salt (RFC 4055 section 3.1).

    None for a hash that is not of ours, for MGF1 with another, and for a trailer field.
    """
    match decode_elements(identifier):
        case [_, parameters]:
            fields = decode_elements(whole(parameters))
            # DER leaves out a salt of 20 octets, the default.
            if [field.tag_bytes for field in fields] in _PSS_FIELDS:
                return _PSS_HASHES.get(whole(fields[0]) + whole(fields[1]))
    return None


def pss_key_digest(public_key: bytes) -> str | None:
    """The hash that an id-RSASSA-PSS key is bound to, "" when to none; None for other keys.

    Raises `DerError` for parameters that are none of `PSS_PARAMETERS`.
    """
    if _RSASSA_PSS not in public_key[:24]:
        return None
    parameters = decode_elements(whole(decode_elements(public_key)[0]))[1:]
    if not parameters:
        return ""
    bound = PSS_PARAMETERS.get(whole(parameters[0]))
    if bound is None:
        raise DerError("parameters of an RSASSA-PSS key that are not accepted")
    return bound
