"""DER (X.690): the encoder of the hot paths, and the one door to the library's typed decoder.

Encoding joins octets, because most of what we sign is assembled from parts encoded once.
Decoding is the library's: strict DER, typed. Its interface is provisional, so nothing outside
`pkix` imports it, and nothing in `pkix` but this module imports it under its own name.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, TypeVar

from cryptography.hazmat import asn1
from cryptography.hazmat.asn1 import TLV as TLV
from cryptography.hazmat.asn1 import BitString as BitString
from cryptography.hazmat.asn1 import Default as Default
from cryptography.hazmat.asn1 import Explicit as Explicit
from cryptography.hazmat.asn1 import GeneralizedTime as GeneralizedTime
from cryptography.hazmat.asn1 import Implicit as Implicit
from cryptography.hazmat.asn1 import Null as Null
from cryptography.hazmat.asn1 import SetOf as SetOf
from cryptography.hazmat.asn1 import Size as Size
from cryptography.hazmat.asn1 import UTCTime as UTCTime
from cryptography.hazmat.asn1 import sequence as sequence
from cryptography.x509 import ObjectIdentifier as ObjectIdentifier

T = TypeVar("T")

BOOLEAN = 0x01
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
NULL = 0x05
OBJECT_IDENTIFIER = 0x06
ENUMERATED = 0x0A
UTF8_STRING = 0x0C
PRINTABLE_STRING = 0x13
IA5_STRING = 0x16
UTC_TIME = 0x17
GENERALIZED_TIME = 0x18
SEQUENCE = 0x30
SET = 0x31

# What the two digits of a UTCTime's year can say.
_UTC_TIME_YEARS = range(1950, 2050)

# Of a long length: no more than any certificate or list can need.
_LENGTH_OCTETS = 4

TRUE = b"\x01\x01\xff"
NULL_VALUE = b"\x05\x00"


class DerError(ValueError):
    """Octets that are not the DER of the type asked for."""


@sequence
class _Elements:
    items: list[TLV]


def decode(kind: type[T], octets: bytes) -> T:
    """Decode strict DER as `kind`; `DerError` for anything else, trailing octets included."""
    try:
        return asn1.decode_der(kind, octets)
    except (ValueError, OverflowError) as error:
        raise DerError(str(error)) from None


def decode_elements(octets: bytes) -> list[TLV]:
    """The elements of a SEQUENCE OF; `octets` include its header."""
    return decode(_Elements, wrap(SEQUENCE, octets)).items


def split(octets: bytes) -> list[tuple[int, bytes]]:
    """The elements that stand in these octets one after the other: tag and content of each.

    For shallow structures on hot paths, where the typed decoder's objects cost more than the
    octets do. Strict as DER is (X.690 section 10.1): definite lengths, in the fewest octets. Tags
    beyond 30 do not occur in what we read.
    """
    found = []
    place, end = 0, len(octets)
    while place < end:
        tag = octets[place]
        if tag & 0x1F == 0x1F or place + 1 == end:
            raise DerError("a tag beyond 30, or an element cut short")
        size = octets[place + 1]
        place += 2
        if size >= 0x80:
            long = octets[place : place + (size & 0x7F)]
            place += len(long)
            size = int.from_bytes(long, "big")
            if size < 0x80 or long[0] == 0 or len(long) > _LENGTH_OCTETS:
                raise DerError("a length that is not definite, or not in the fewest octets")
        content = octets[place : place + size]
        if len(content) != size:
            raise DerError("an element cut short")
        found.append((tag, content))
        place += size
    return found


def content_of(octets: bytes, tag: int) -> bytes:
    """The content of the one element that these octets are; `DerError` for another tag."""
    elements = split(octets)
    if len(elements) != 1 or elements[0][0] != tag:
        raise DerError(f"not one element with tag {tag:#04x}")
    return elements[0][1]


@lru_cache(maxsize=512)
def dotted(content: bytes) -> str:
    """The dotted form of an OBJECT IDENTIFIER's content; `DerError` when it is malformed."""
    return decode(ObjectIdentifier, wrap(OBJECT_IDENTIFIER, content)).dotted_string


def whole(element: TLV) -> bytes:
    """An element's octets with its header, as they stood."""
    content = bytes(element.data)
    return element.tag_bytes + length(len(content)) + content


def length(count: int) -> bytes:
    """The length octets of a definite length (X.690 section 8.1.3)."""
    if count < 0x80:
        return bytes((count,))
    octets = count.to_bytes((count.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(octets),)) + octets


def wrap(tag: int, content: bytes) -> bytes:
    """Tag, length and content."""
    return bytes((tag,)) + length(len(content)) + content


def encode_sequence(*parts: bytes) -> bytes:
    """A SEQUENCE of parts already encoded."""
    return wrap(SEQUENCE, b"".join(parts))


def encode_set_of(parts: Iterable[bytes]) -> bytes:
    """A SET OF, its parts in DER's order (X.690 section 11.6)."""
    return wrap(SET, b"".join(sorted(parts)))


def encode_integer(value: int) -> bytes:
    """An INTEGER."""
    return wrap(INTEGER, _twos_complement(value))


def encode_enumerated(value: int) -> bytes:
    """An ENUMERATED."""
    return wrap(ENUMERATED, _twos_complement(value))


def _twos_complement(value: int) -> bytes:
    # The fewest octets (X.690 section 8.3.2): -128 fits one, 128 does not.
    bits = (value if value >= 0 else ~value).bit_length()
    return value.to_bytes(bits // 8 + 1, "big", signed=True)


@lru_cache(maxsize=512)
def encode_oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER from its dotted form."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    content = bytearray()
    for arc in (first * 40 + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(0x80 | (arc & 0x7F))
        content.extend(reversed(groups))
    return wrap(OBJECT_IDENTIFIER, bytes(content))


def encode_octet_string(content: bytes) -> bytes:
    """An OCTET STRING."""
    return wrap(OCTET_STRING, content)


def encode_bit_string(content: bytes) -> bytes:
    """A BIT STRING of whole octets."""
    return wrap(BIT_STRING, b"\x00" + content)


def encode_named_bits(bits: Iterable[int]) -> bytes:
    """A BIT STRING with a named bit list: trailing zero bits are left out (X.690 11.2.2)."""
    value = sum(1 << bit for bit in set(bits))
    if not value:
        return wrap(BIT_STRING, b"\x00")
    used = value.bit_length()
    octets = (used + 7) // 8
    reversed_bits = int(f"{value:0{octets * 8}b}"[::-1], 2)
    return wrap(BIT_STRING, bytes((octets * 8 - used,)) + reversed_bits.to_bytes(octets, "big"))


@lru_cache(maxsize=256)
def encode_time(instant: datetime) -> bytes:
    """A Time as RFC 5280 section 4.1.2.5 asks: UTCTime to the end of 2049, then GeneralizedTime."""
    instant = instant.astimezone(UTC)
    if instant.year in _UTC_TIME_YEARS:
        return wrap(UTC_TIME, instant.strftime("%y%m%d%H%M%SZ").encode("ascii"))
    return encode_generalized_time(instant)


def encode_generalized_time(instant: datetime) -> bytes:
    """A GeneralizedTime without fractions (RFC 5280 section 4.1.2.5.2)."""
    text = instant.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").zfill(15)
    return wrap(GENERALIZED_TIME, text.encode("ascii"))


def read_time(time: UTCTime | GeneralizedTime) -> datetime:
    """The instant of a Time; `DerError` when it is not written as RFC 5280 section 4.1.2.5 asks."""
    instant = time.as_datetime().astimezone(UTC)
    if (instant.year in _UTC_TIME_YEARS) != isinstance(time, UTCTime) or instant.microsecond:
        raise DerError("a time to the end of 2049 is UTCTime, a later one whole GeneralizedTime")
    return instant


def explicit(number: int, content: bytes) -> bytes:
    """A context-specific constructed tag around whole elements."""
    return wrap(0xA0 | number, content)


def implicit(number: int, content: bytes, *, constructed: bool = False) -> bytes:
    """A context-specific tag in place of an element's own; `content` has no header."""
    return wrap((0xA0 if constructed else 0x80) | number, content)


@sequence
class Extension:
    """An extension as RFC 5280 section 4.1 writes it; `value` is the OCTET STRING's content."""

    extension_id: ObjectIdentifier
    critical: Annotated[bool, Default(False)]
    value: bytes
