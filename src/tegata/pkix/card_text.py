"""The text application (券面事項入力補助AP) of a My Number Card, as far as it may be read.

Its files are BER-TLV under private tags. EF 0002 has the four attributes, EF 0003 signed digests,
EF 0004 the certificate of the key that signed them, EF 0007 the chip's own key, signed by the same
key. Who certifies the key of EF 0004 is published nowhere: its keys are configuration, by key
identifier, and what the signature in EF 0004 is over is known for the sandbox's cards only (the
value of 5F4E; ADR 23).

EF 0001 is not for us. EF 0003 tells its digest, from which twelve digits are found by trying all:
it is looked at where the card is, and goes nowhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tegata.kernel.signing import SignatureAlgorithm
from tegata.pkix import oids
from tegata.pkix.der import (
    NULL_VALUE,
    encode_bit_string,
    encode_integer,
    encode_oid,
    encode_sequence,
)
from tegata.pkix.signatures import SignatureInvalid, verify

KEY_ID_OCTETS: Final = 16
_FILLER = 0xFF
_MODULUS_OCTETS = 256
_EXPONENT = 65537
# No file of the application is longer.
_FILE_MAXIMUM = 8192


class CardDataInvalid(ValueError):
    """Octets that are not such a file."""


class CardDataForged(ValueError):
    """A file that its signature does not cover."""


class CardIssuerUnknown(ValueError):
    """A signing key that nobody trusted has certified."""


@dataclass(frozen=True, slots=True)
class TextAttributes:
    """The four attributes as the card writes them; `birth` is YYYYMMDD."""

    name: str
    address: str
    birth: str
    sex: str


@dataclass(frozen=True, slots=True)
class CardVerifiable:
    """A card-verifiable certificate (EF 0004). `public_key` is a SubjectPublicKeyInfo (DER)."""

    issuer: bytes
    subject: bytes
    public_key: bytes
    body: bytes
    signature: bytes


def split_tlv(octets: bytes) -> list[tuple[int, bytes, bytes]]:
    """BER-TLV objects one after the other: tag, value, and the object's own octets.

    Definite lengths in the fewest octets, tags of one octet or two; `CardDataInvalid` else.
    """
    found, place = [], 0
    while place < len(octets):
        tag, value, end = _object(octets, place)
        found.append((tag, value, octets[place:end]))
        place = end
    return found


def _object(octets: bytes, place: int) -> tuple[int, bytes, int]:
    wide = octets[place] & 0x1F == 0x1F
    after = place + 1 + wide
    tag = int.from_bytes(octets[place:after], "big")
    if after >= len(octets) or (wide and octets[place + 1] >= 0x80):
        raise CardDataInvalid("a tag")
    size, after = octets[after], after + 1
    if size >= 0x80:
        long = octets[after : after + (size & 0x7F)]
        after += len(long)
        size = int.from_bytes(long, "big")
        if not 1 <= len(long) <= 2 or long[0] == 0 or size < 0x80:
            raise CardDataInvalid("a length")
    value = octets[after : after + size]
    if len(value) != size:
        raise CardDataInvalid("an object is cut short")
    return tag, value, after + size


def _file(octets: bytes, tag: int) -> bytes:
    """The value of the one object in a file; behind it only filler."""
    if not octets or len(octets) > _FILE_MAXIMUM:
        raise CardDataInvalid("a file")
    found, value, end = _object(octets, 0)
    if found != tag or octets[end:].strip(bytes((_FILLER,))):
        raise CardDataInvalid(f"not the file of {tag:04X}")
    return value


def _fields(value: bytes, *tags: int) -> list[tuple[bytes, bytes]]:
    found = split_tlv(value)
    if [tag for tag, _value, _whole in found] != list(tags):
        raise CardDataInvalid("other objects than the file has")
    return [(value, whole) for _tag, value, whole in found]


def parse_text_attributes(octets: bytes) -> TextAttributes:
    """EF 0002."""
    _offsets, *fields = _fields(_file(octets, 0xFF20), 0xDF21, 0xDF22, 0xDF23, 0xDF24, 0xDF25)
    try:
        name, address, birth, sex = (value.decode() for value, _whole in fields)
    except UnicodeDecodeError as error:
        raise CardDataInvalid("not UTF-8") from error
    if len(birth) != 8 or not (birth.isascii() and birth.isdigit()) or sex not in set("0129"):
        raise CardDataInvalid("a birth date or sex")
    return TextAttributes(name, address, birth, sex)


def parse_card_verifiable(octets: bytes) -> CardVerifiable:
    """EF 0004."""
    (body, _), (signature, _) = _fields(_file(octets, 0x7F21), 0x5F4E, 0x5F37)
    ids, key = body[: 2 * KEY_ID_OCTETS], body[2 * KEY_ID_OCTETS :]
    if len(ids) != 2 * KEY_ID_OCTETS:
        raise CardDataInvalid("two key identifiers")
    return CardVerifiable(
        ids[:KEY_ID_OCTETS], ids[KEY_ID_OCTETS:], parse_public_key(key), body, signature
    )


def parse_public_key(octets: bytes) -> bytes:
    """Tags 90 (exponent) and 91 (modulus) of RSA with 2048 bits, as SubjectPublicKeyInfo (DER)."""
    (exponent, _), (modulus, _) = _fields(octets, 0x90, 0x91)
    number = int.from_bytes(modulus, "big")
    if (
        int.from_bytes(exponent, "big") != _EXPONENT
        or len(modulus) != _MODULUS_OCTETS
        or number.bit_length() != 8 * _MODULUS_OCTETS
    ):
        raise CardDataInvalid("not an RSA key of 2048 bits with exponent 65537")
    key = encode_sequence(encode_integer(number), encode_integer(_EXPONENT))
    algorithm = encode_sequence(encode_oid(oids.RSA_ENCRYPTION), NULL_VALUE)
    return encode_sequence(algorithm, encode_bit_string(key))


def trusted_signer(ef_0004: bytes, trusted: Mapping[bytes, bytes]) -> CardVerifiable:
    """The certificate in EF 0004, if a trusted key certified it.

    `trusted` has SubjectPublicKeyInfo (DER) by key identifier. `CardIssuerUnknown` when it has no
    such key, `CardDataForged` when that key did not sign.
    """
    certificate = parse_card_verifiable(ef_0004)
    key = trusted.get(certificate.issuer)
    if key is None:
        raise CardIssuerUnknown("the key that certifies the card's data is not trusted")
    _verify(key, certificate.signature, certificate.body)
    return certificate


def verify_text(ef_0002: bytes, ef_0003: bytes, signer: CardVerifiable) -> TextAttributes:
    """The attributes of EF 0002, if EF 0003 covers them and the signer signed it."""
    attributes = parse_text_attributes(ef_0002)
    objects = split_tlv(_file(ef_0002, 0xFF20))
    signed = b"".join(whole for _tag, _value, whole in objects[1:])
    fields = _fields(_file(ef_0003, 0xFF30), 0xDF31, 0xDF32, 0xDF33)
    (_number, first), (digest, second), (signature, _) = fields
    _verify(signer.public_key, signature, first + second)
    if digest != hashlib.sha256(signed).digest():
        raise CardDataForged("the attributes are not those that were signed")
    return attributes


def verify_chip_key(ef_0007: bytes, signer: CardVerifiable) -> bytes:
    """The chip's own public key (SubjectPublicKeyInfo, DER), if the signer signed it."""
    (key, _), (signature, _) = _fields(_file(ef_0007, 0xFF50), 0xDF51, 0xDF52)
    _verify(signer.public_key, signature, key)
    return parse_public_key(key)


def verify_chip(chip_key: bytes, octets: bytes, signature: bytes) -> None:
    """That the chip with a key signed these octets (`pkix.intent.chip_octets`) just now."""
    _verify(chip_key, signature, octets)


def _verify(public_key: bytes, signature: bytes, octets: bytes) -> None:
    try:
        verify(public_key, SignatureAlgorithm.RSA_PKCS1_SHA256, signature, octets)
    except SignatureInvalid as error:
        raise CardDataForged("a signature on the card does not verify") from error
