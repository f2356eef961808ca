"""Certificates (RFC 5280 section 4.1): the TBSCertificate that is signed, and what it holds."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from tegata.kernel.signing import SignatureAlgorithm
from tegata.pkix.algorithms import algorithm_identifier
from tegata.pkix.der import (
    INTEGER,
    SEQUENCE,
    TLV,
    BitString,
    CertificateExtension,
    DerError,
    content_of,
    decode,
    encode_bit_string,
    encode_integer,
    encode_sequence,
    encode_time,
    explicit,
    length,
    sequence,
    split,
    split_extensions,
    split_integer,
    split_time,
    whole,
    wrap,
)

_VERSION_3 = explicit(0, encode_integer(2))


# version, serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo, extensions;
# unique identifiers do not occur (RFC 5280 section 4.1.2.8). Algorithms, names and keys are for
# others to read.
_TBS_TAGS = [0xA0, INTEGER, None, None, SEQUENCE, None, None, 0xA3]


@sequence
class _Certificate:
    tbs: TLV
    algorithm: TLV
    signature: BitString


@dataclass(frozen=True, slots=True)
class TbsCertificate:
    """A TBSCertificate read back from its octets. Names, keys and algorithms are DER.

    `extension_order` has every extension as it stands; of one that stands twice `extensions`
    has the last, so whoever relies on it looks at the order too (`profiles` does).
    """

    der: bytes
    version: int
    serial: int
    signature: bytes
    issuer: bytes
    not_before: datetime
    not_after: datetime
    subject: bytes
    public_key: bytes
    extensions: Mapping[str, CertificateExtension]
    extension_order: Sequence[str]


@dataclass(frozen=True, slots=True)
class CertificateParts:
    """A signed certificate taken apart; `tbs` is exactly the octets that were signed.

    `algorithm` is the outer AlgorithmIdentifier (DER), which the signature does not cover.
    """

    tbs: bytes
    algorithm: bytes
    signature: bytes


def encode_tbs_certificate(
    *,
    serial: int,
    issuer: bytes,
    not_before: datetime,
    not_after: datetime,
    subject: bytes,
    public_key: bytes,
    extensions: Sequence[bytes],
    signature_algorithm: SignatureAlgorithm,
) -> bytes:
    """A version 3 TBSCertificate to be signed with an algorithm.

    `issuer`, `subject` and `public_key` are DER, `extensions` encoded Extensions in order.
    """
    return encode_sequence(
        _VERSION_3,
        encode_integer(serial),
        algorithm_identifier(signature_algorithm),
        issuer,
        encode_sequence(encode_time(not_before), encode_time(not_after)),
        subject,
        public_key,
        explicit(3, encode_sequence(*extensions)),
    )


def parse_tbs_certificate(octets: bytes) -> TbsCertificate:
    """Read a TBSCertificate; `DerError` when it is not DER or has no extensions."""
    fields = split(content_of(octets, SEQUENCE))
    if len(fields) != len(_TBS_TAGS) or any(
        tag not in (None, field[0]) for tag, field in zip(_TBS_TAGS, fields, strict=True)
    ):
        raise DerError("the fields of a TBSCertificate with extensions")
    (_, version), (_, serial), signature, issuer, (_, validity), subject, key, (_, last) = fields
    times = split(validity)
    if len(times) != 2:
        raise DerError("a Validity has two times")
    found = split_extensions(content_of(last, SEQUENCE))
    return TbsCertificate(
        der=octets,
        version=split_integer(content_of(version, INTEGER)),
        serial=split_integer(serial),
        signature=wrap(*signature),
        issuer=wrap(*issuer),
        not_before=split_time(*times[0]),
        not_after=split_time(*times[1]),
        subject=wrap(*subject),
        public_key=wrap(*key),
        extensions=dict(found),
        extension_order=[name for name, _extension in found],
    )


def assemble(tbs: bytes, algorithm: SignatureAlgorithm, signature: bytes) -> bytes:
    """Put a signature beside what was signed: Certificate, CertificateList (sections 4.1, 5.1)."""
    parts = tbs, algorithm_identifier(algorithm), encode_bit_string(signature)
    # One join, tag and length included: a CRL may have tens of millions of octets.
    return b"".join((b"\x30", length(sum(map(len, parts))), *parts))


def parse_certificate(octets: bytes) -> CertificateParts:
    """Take a Certificate or CertificateList apart without interpreting it."""
    parts = decode(_Certificate, octets)
    if parts.signature.padding_bits():
        raise DerError("a signature is whole octets")
    return CertificateParts(whole(parts.tbs), whole(parts.algorithm), parts.signature.as_bytes())


@lru_cache(maxsize=256)
def encode_pem(label: str, octets: bytes) -> str:
    """The textual encoding of RFC 7468."""
    text = base64.b64encode(octets).decode("ascii")
    lines = "\n".join(text[start : start + 64] for start in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n"
