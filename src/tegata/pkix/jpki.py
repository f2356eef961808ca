"""Certificates of the Japanese public certification service for individuals (公的個人認証).

The profile is the service's own: subject alternative names are otherNames under one arc, CRL
distribution points are directory names, the authority key identifier has all its three parts.
Nothing here decides; `identity` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from tegata.pkix import oids
from tegata.pkix.certificate import (
    CertificateParts,
    TbsCertificate,
    parse_certificate,
    parse_tbs_certificate,
)
from tegata.pkix.der import (
    INTEGER,
    OBJECT_IDENTIFIER,
    SEQUENCE,
    UTF8_STRING,
    DerError,
    content_of,
    dotted,
    split,
    split_integer,
    wrap,
)
from tegata.pkix.extensions import KeyUsage, parse_key_usage

SIGN_POLICY = "1.2.392.200149.8.5.1.1.20"
AUTH_POLICY = "1.2.392.200149.8.5.1.3.30"

_OTHER_NAMES = "1.2.392.200149.8.5.5."
NAME = _OTHER_NAMES + "1"
NAME_SUBSTITUTES = _OTHER_NAMES + "2"
SEX = _OTHER_NAMES + "3"
BIRTH = _OTHER_NAMES + "4"
ADDRESS = _OTHER_NAMES + "5"
ADDRESS_SUBSTITUTES = _OTHER_NAMES + "6"
# As certificates are issued; any other order is not one of theirs.
OTHER_NAME_ORDER = (NAME, BIRTH, SEX, ADDRESS, NAME_SUBSTITUTES, ADDRESS_SUBSTITUTES)

_DIRECTORY_NAME = 0xA4
_OTHER_NAME = 0xA0


@dataclass(frozen=True, slots=True)
class OtherName:
    """An otherName whose value is a UTF8String."""

    type_id: str
    text: str


@dataclass(frozen=True, slots=True)
class IssuerReference:
    """The three parts of an authorityKeyIdentifier. `name` is a Name (DER)."""

    key_identifier: bytes
    name: bytes
    serial: int


@dataclass(frozen=True, slots=True)
class JpkiCertificate:
    """An end-entity certificate taken apart; names are DER."""

    der: bytes
    parts: CertificateParts
    tbs: TbsCertificate
    issuer: IssuerReference
    policies: tuple[str, ...]
    key_usage: frozenset[KeyUsage]
    key_usage_critical: bool
    distribution_point: bytes


def parse_jpki_certificate(octets: bytes) -> JpkiCertificate:
    """Take a certificate apart; `DerError` when it is not DER or lacks what the profile has.

    Alternative names are read apart (`parse_other_names`): only one kind has them.
    """
    parts = parse_certificate(octets)
    tbs = parse_tbs_certificate(parts.tbs)
    if tbs.version != 2 or len(tbs.extensions) != len(tbs.extension_order):
        raise DerError("not version 3, or an extension stands twice")
    try:
        usage = tbs.extensions[oids.KEY_USAGE]
        policies = tbs.extensions[oids.CERTIFICATE_POLICIES].value
        authority = tbs.extensions[oids.AUTHORITY_KEY_IDENTIFIER].value
        points = tbs.extensions[oids.CRL_DISTRIBUTION_POINTS].value
    except KeyError as error:
        raise DerError(f"no extension {error}") from None
    return JpkiCertificate(
        der=octets,
        parts=parts,
        tbs=tbs,
        issuer=parse_issuer_reference(authority),
        policies=_policies(policies),
        key_usage=_key_usage(usage.value),
        key_usage_critical=usage.critical,
        distribution_point=parse_directory_point(points),
    )


@lru_cache(maxsize=16)
def _key_usage(value: bytes) -> frozenset[KeyUsage]:
    return parse_key_usage(value)


@lru_cache(maxsize=64)
def parse_issuer_reference(value: bytes) -> IssuerReference:
    """An authorityKeyIdentifier with all three parts (RFC 5280 section 4.2.1.1)."""
    fields = split(content_of(value, SEQUENCE))
    if [tag for tag, _content in fields] != [0x80, 0xA1, 0x82]:
        raise DerError("an authority key identifier with key, issuer and serial number")
    names = split(fields[1][1])
    if len(names) != 1 or names[0][0] != _DIRECTORY_NAME:
        raise DerError("the authority is named by one directory name")
    return IssuerReference(fields[0][1], names[0][1], split_integer(fields[2][1]))


@lru_cache(maxsize=64)
def _policies(value: bytes) -> tuple[str, ...]:
    found = []
    for tag, information in split(content_of(value, SEQUENCE)):
        parts = split(information)
        if tag != SEQUENCE or not parts or parts[0][0] != OBJECT_IDENTIFIER:
            raise DerError("not a PolicyInformation")
        found.append(dotted(parts[0][1]))
    return tuple(found)


@lru_cache(maxsize=4096)
def parse_directory_point(value: bytes) -> bytes:
    """The one directoryName (a Name, DER) of cRLDistributionPoints with one point."""
    points = split(content_of(value, SEQUENCE))
    if len(points) != 1 or points[0][0] != SEQUENCE:
        raise DerError("one distribution point")
    return _full_directory_name(points[0][1])


def parse_issuing_point(value: bytes) -> bytes:
    """The one directoryName of an issuingDistributionPoint that narrows nothing else (RFC 5280
    section 5.2.5), or only to user certificates."""
    fields = split(content_of(value, SEQUENCE))
    if not fields or fields[1:] not in ([], [(0x81, b"\xff")]):
        raise DerError("a list of some reasons only, or an indirect one")
    return _full_directory_name(wrap(*fields[0]))


def _full_directory_name(fields: bytes) -> bytes:
    named = split(content_of(content_of(fields, 0xA0), 0xA0))
    if len(named) != 1 or named[0][0] != _DIRECTORY_NAME:
        raise DerError("the point is named by one directory name")
    return named[0][1]


def parse_other_names(value: bytes) -> tuple[OtherName, ...]:
    """The otherNames of a subjectAltName, as they stand; `DerError` for any other kind of name,
    or a value that is not a UTF8String."""
    found = []
    for tag, content in split(content_of(value, SEQUENCE)):
        parts = split(content)
        if tag != _OTHER_NAME or [part[0] for part in parts] != [OBJECT_IDENTIFIER, 0xA0]:
            raise DerError("not an otherName")
        try:
            text = content_of(parts[1][1], UTF8_STRING).decode()
        except UnicodeDecodeError as error:
            raise DerError("not UTF-8") from error
        found.append(OtherName(dotted(parts[0][1]), text))
    return tuple(found)


def rsa_public_key(public_key: bytes) -> tuple[int, int]:
    """Modulus and exponent of a SubjectPublicKeyInfo (RFC 3279 section 2.3.1)."""
    fields = split(content_of(public_key, SEQUENCE))
    if len(fields) != 2:
        raise DerError("not a SubjectPublicKeyInfo")
    identifier = split(fields[0][1])
    if not identifier or identifier[0] != _RSA_ENCRYPTION:
        raise DerError("not an RSA key")
    numbers: Sequence[tuple[int, bytes]] = split(content_of(fields[1][1][1:], SEQUENCE))
    if len(numbers) != 2 or any(tag != INTEGER for tag, _content in numbers):
        raise DerError("not an RSAPublicKey")
    return split_integer(numbers[0][1]), split_integer(numbers[1][1])


_RSA_ENCRYPTION = (OBJECT_IDENTIFIER, bytes.fromhex("2a864886f70d010101"))
