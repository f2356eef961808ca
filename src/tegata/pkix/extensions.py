"""Certificate extensions (RFC 5280 section 4.2): encoders, and readers for the lint."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import IntEnum
from functools import lru_cache
from typing import Annotated

from tegata.pkix import oids
from tegata.pkix.der import (
    GENERALIZED_TIME,
    NULL_VALUE,
    SEQUENCE,
    TLV,
    TRUE,
    BitString,
    Default,
    DerError,
    GeneralizedTime,
    Implicit,
    ObjectIdentifier,
    content_of,
    decode,
    decode_elements,
    encode_generalized_time,
    encode_integer,
    encode_named_bits,
    encode_octet_string,
    encode_oid,
    encode_sequence,
    explicit,
    implicit,
    sequence,
    split,
    whole,
    wrap,
)
from tegata.pkix.names import (
    GeneralName,
    GeneralNameKind,
    encode_general_names,
    parse_general_name,
)


class KeyUsage(IntEnum):
    """Bits of keyUsage (RFC 5280 section 4.2.1.3)."""

    DIGITAL_SIGNATURE = 0
    CONTENT_COMMITMENT = 1
    KEY_ENCIPHERMENT = 2
    DATA_ENCIPHERMENT = 3
    KEY_AGREEMENT = 4
    KEY_CERT_SIGN = 5
    CRL_SIGN = 6
    ENCIPHER_ONLY = 7
    DECIPHER_ONLY = 8


@sequence
class BasicConstraints:
    """basicConstraints (RFC 5280 section 4.2.1.9)."""

    ca: Annotated[bool, Default(False)]
    path_length: int | None


@sequence
class AuthorityKeyIdentifier:
    """authorityKeyIdentifier with its key identifier only (RFC 5280 section 4.2.1.1)."""

    key_identifier: Annotated[bytes | None, Implicit(0)]


@sequence
class _PublicKeyInfo:
    algorithm: TLV
    key: BitString


@sequence
class _DistributionPointName:
    full_name: Annotated[list[TLV], Implicit(0)]


@sequence
class _DistributionPoint:
    name: Annotated[_DistributionPointName, Implicit(0)]


@sequence
class _AccessDescription:
    method: ObjectIdentifier
    location: TLV


def encode_extension(extension_id: str, value: bytes, *, critical: bool = False) -> bytes:
    """An Extension around an encoded value."""
    flag = TRUE if critical else b""
    return encode_sequence(encode_oid(extension_id), flag, encode_octet_string(value))


def basic_constraints(*, ca: bool, path_length: int | None = None) -> bytes:
    """Critical basicConstraints (RFC 5280 section 4.2.1.9)."""
    limit = b"" if path_length is None else encode_integer(path_length)
    value = encode_sequence(TRUE if ca else b"", limit)
    return encode_extension(oids.BASIC_CONSTRAINTS, value, critical=True)


def key_usage(*usages: KeyUsage) -> bytes:
    """Critical keyUsage (RFC 5280 section 4.2.1.3)."""
    return encode_extension(oids.KEY_USAGE, encode_named_bits(usages), critical=True)


def private_key_usage_period(not_before: datetime, not_after: datetime) -> bytes:
    """privateKeyUsagePeriod (RFC 3280 section 4.2.1.4; RFC 5280 leaves it to X.509 clause
    9.2.2.5): when the key signs, within which its certificate outlives it."""
    value = encode_sequence(
        implicit(0, encode_generalized_time(not_before)[2:]),
        implicit(1, encode_generalized_time(not_after)[2:]),
    )
    return encode_extension(oids.PRIVATE_KEY_USAGE_PERIOD, value)


def extended_key_usage(*purposes: str, critical: bool = False) -> bytes:
    """extKeyUsage (RFC 5280 section 4.2.1.12)."""
    value = encode_sequence(*(encode_oid(purpose) for purpose in purposes))
    return encode_extension(oids.EXTENDED_KEY_USAGE, value, critical=critical)


@lru_cache(maxsize=256)
def key_identifier(public_key: bytes) -> bytes:
    """The key identifier of a SubjectPublicKeyInfo: the leftmost 160 bits of the SHA-256 of its
    BIT STRING's content (RFC 7093 section 2, method 1)."""
    return hashlib.sha256(subject_public_key(public_key)).digest()[:20]


def subject_public_key(public_key: bytes) -> bytes:
    """The content of subjectPublicKey, without its unused-bits octet (RFC 5280 section 4.1)."""
    key = decode(_PublicKeyInfo, public_key).key
    if key.padding_bits():
        raise DerError("a public key is whole octets")
    return key.as_bytes()


def subject_key_identifier(identifier: bytes) -> bytes:
    """subjectKeyIdentifier (RFC 5280 section 4.2.1.2)."""
    return encode_extension(oids.SUBJECT_KEY_IDENTIFIER, encode_octet_string(identifier))


def authority_key_identifier(identifier: bytes) -> bytes:
    """authorityKeyIdentifier by key identifier (RFC 5280 section 4.2.1.1)."""
    value = encode_sequence(implicit(0, identifier))
    return encode_extension(oids.AUTHORITY_KEY_IDENTIFIER, value)


def subject_alternative_name(names: Sequence[GeneralName], *, critical: bool = False) -> bytes:
    """subjectAltName (RFC 5280 section 4.2.1.6: critical when the subject is empty)."""
    value = encode_general_names(names)
    return encode_extension(oids.SUBJECT_ALTERNATIVE_NAME, value, critical=critical)


def distribution_point_name(url: str) -> bytes:
    """The distributionPoint field with one URL as its fullName, in the certificate's extension
    and in the list's own (RFC 5280 sections 4.2.1.13 and 5.2.5)."""
    return explicit(0, explicit(0, implicit(6, url.encode("ascii"))))


def crl_distribution_points(url: str) -> bytes:
    """cRLDistributionPoints with one URL (RFC 5280 section 4.2.1.13)."""
    value = encode_sequence(encode_sequence(distribution_point_name(url)))
    return encode_extension(oids.CRL_DISTRIBUTION_POINTS, value)


def freshest_crl(url: str) -> bytes:
    """freshestCRL with one URL (RFC 5280 sections 4.2.1.15 and 5.2.6)."""
    value = encode_sequence(encode_sequence(distribution_point_name(url)))
    return encode_extension(oids.FRESHEST_CRL, value)


def authority_information_access(*, ocsp: str | None, ca_issuers: str | None) -> bytes:
    """authorityInfoAccess (RFC 5280 section 4.2.2.1)."""
    methods = [
        encode_sequence(encode_oid(method), implicit(6, url.encode("ascii")))
        for method, url in ((oids.ACCESS_OCSP, ocsp), (oids.ACCESS_CA_ISSUERS, ca_issuers))
        if url is not None
    ]
    return encode_extension(oids.AUTHORITY_INFORMATION_ACCESS, encode_sequence(*methods))


def ocsp_no_check() -> bytes:
    """id-pkix-ocsp-nocheck (RFC 6960 section 4.2.2.2.1)."""
    return encode_extension(oids.OCSP_NO_CHECK, NULL_VALUE)


def parse_basic_constraints(value: bytes) -> BasicConstraints:
    """basicConstraints from its value."""
    return decode(BasicConstraints, value)


def parse_key_usage(value: bytes) -> frozenset[KeyUsage]:
    """keyUsage from its value."""
    bits = decode(BitString, value).as_bytes()
    usages = frozenset(
        usage
        for usage in KeyUsage
        if usage // 8 < len(bits) and bits[usage // 8] >> (7 - usage % 8) & 1
    )
    if encode_named_bits(usages) != value:
        raise DerError("bits without a name, or zero bits at the end (X.690 section 11.2.2)")
    return usages


def parse_private_key_usage_period(value: bytes) -> tuple[datetime, datetime]:
    """Both ends of privateKeyUsagePeriod from its value; `DerError` when one is missing."""
    parts = split(content_of(value, SEQUENCE))
    if [tag for tag, _content in parts] != [0x80, 0x81]:
        raise DerError("a privateKeyUsagePeriod with both ends")
    begin, end = (
        decode(GeneralizedTime, wrap(GENERALIZED_TIME, content)).as_datetime().astimezone(UTC)
        for _tag, content in parts
    )
    return begin, end


def parse_extended_key_usage(value: bytes) -> tuple[str, ...]:
    """extKeyUsage from its value, as dotted identifiers."""
    return tuple(
        decode(ObjectIdentifier, whole(element)).dotted_string for element in decode_elements(value)
    )


def parse_crl_distribution_points(value: bytes) -> tuple[str, ...]:
    """The URLs of cRLDistributionPoints; `DerError` for points that are not just URLs."""
    return tuple(
        _url(name)
        for point in decode_elements(value)
        for name in decode(_DistributionPoint, whole(point)).name.full_name
    )


def parse_issuing_distribution_point(value: bytes) -> str:
    """The one URL of an issuingDistributionPoint; `DerError` for any narrower scope."""
    names = decode(_DistributionPoint, value).name.full_name
    if len(names) != 1:
        raise DerError("an issuing distribution point with one URL")
    return _url(names[0])


def parse_authority_information_access(value: bytes) -> tuple[tuple[str, str], ...]:
    """authorityInfoAccess as (method, URL); `DerError` for locations that are not URLs."""
    descriptions = [decode(_AccessDescription, whole(each)) for each in decode_elements(value)]
    return tuple((each.method.dotted_string, _url(each.location)) for each in descriptions)


def _url(element: TLV) -> str:
    name = parse_general_name(element.tag_bytes[0], bytes(element.data))
    if name.kind is not GeneralNameKind.URI:
        raise DerError("not a uniform resource identifier")
    return name.value
