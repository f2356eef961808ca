"""Certificates (RFC 5280 section 4.1): the TBSCertificate that is signed, and what it holds."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Annotated

from tegata.kernel.signing import SignatureAlgorithm
from tegata.pkix.algorithms import algorithm_identifier
from tegata.pkix.der import (
    TLV,
    BitString,
    DerError,
    Explicit,
    Extension,
    GeneralizedTime,
    UTCTime,
    decode,
    encode_bit_string,
    encode_integer,
    encode_sequence,
    encode_time,
    explicit,
    length,
    read_time,
    sequence,
    whole,
)

_VERSION_3 = explicit(0, encode_integer(2))


@sequence
class Validity:
    """Validity (RFC 5280 section 4.1.2.5)."""

    not_before: UTCTime | GeneralizedTime
    not_after: UTCTime | GeneralizedTime


@sequence
class _TbsCertificate:
    version: Annotated[int, Explicit(0)]
    serial: int
    signature: TLV
    issuer: TLV
    validity: Validity
    subject: TLV
    public_key: TLV
    extensions: Annotated[list[Extension], Explicit(3)]


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
    extensions: Mapping[str, Extension]
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
    tbs = decode(_TbsCertificate, octets)
    order = [extension.extension_id.dotted_string for extension in tbs.extensions]
    return TbsCertificate(
        der=octets,
        version=tbs.version,
        serial=tbs.serial,
        signature=whole(tbs.signature),
        issuer=whole(tbs.issuer),
        not_before=read_time(tbs.validity.not_before),
        not_after=read_time(tbs.validity.not_after),
        subject=whole(tbs.subject),
        public_key=whole(tbs.public_key),
        extensions=dict(zip(order, tbs.extensions, strict=True)),
        extension_order=order,
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
