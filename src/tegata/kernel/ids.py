"""Identifiers: 128 bits, time-ordered, written as a prefix and 26 base-32 characters.

Layout of the 16 octets (big-endian): 6 octets Unix time in milliseconds, 2 octets expiry
month (certificates; random elsewhere), 8 octets from the system's random source. Sorting by
the octets sorts by time of creation, and a certificate's partition is read from its id alone.
"""

from __future__ import annotations

from typing import NewType

from tegata.kernel.problem import Problem, ProblemCode

TenantId = NewType("TenantId", str)
IssuerId = NewType("IssuerId", str)
KeyId = NewType("KeyId", str)
TokenId = NewType("TokenId", str)
BlockId = NewType("BlockId", str)
NodeId = NewType("NodeId", str)
CertificateId = NewType("CertificateId", str)
TimestampAuthorityId = NewType("TimestampAuthorityId", str)

# Crockford's base 32 in lower case: no i, l, o, u, so an id survives being read aloud.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_VALUE = {character: value for value, character in enumerate(_ALPHABET)}
_LENGTH = 26
_OCTETS = 16
# Where in the number each pair of characters stands.
_PLACES = range(5 * (_LENGTH - 2), -1, -10)


def encode_id(prefix: str, octets: bytes) -> str:
    """Write 16 octets as ``prefix_`` and 26 characters."""
    number = int.from_bytes(octets, "big")
    pairs = [_PAIRS[(number >> place) & 1023] for place in _PLACES]
    return f"{prefix}_{''.join(pairs)}"


def parse_id(prefix: str, text: str, unknown: ProblemCode) -> bytes:
    """The 16 octets of an id; `Problem(unknown)` when it is not one with that prefix."""
    head, separator, tail = text.partition("_")
    if head != prefix or not separator or len(tail) != _LENGTH:
        raise Problem(unknown)
    number = 0
    for character in tail:
        value = _VALUE.get(character)
        if value is None:
            raise Problem(unknown)
        number = (number << 5) | value
    if number >> (8 * _OCTETS):
        raise Problem(unknown)
    return number.to_bytes(_OCTETS, "big")


def is_key_id(text: str) -> bool:
    """Whether a text is a signing key's id."""
    try:
        parse_id("key", text, ProblemCode.KEY_PURPOSE_REFUSED)
    except Problem:
        return False
    return True


def key_id_milliseconds(key: KeyId) -> int:
    """When a key was made, as its id says: Unix time in milliseconds."""
    return int.from_bytes(parse_id("key", key, ProblemCode.KEY_PURPOSE_REFUSED)[:6], "big")


def time_ordered(milliseconds: int, random_octets: bytes, month: int | None = None) -> bytes:
    """The 16 octets of a new id.

    `milliseconds` is Unix time, `random_octets` at least 10 octets; `month` replaces the
    first two random octets when the id must name its partition.
    """
    middle = random_octets[:2] if month is None else month.to_bytes(2, "big")
    return milliseconds.to_bytes(6, "big") + middle + random_octets[2:10]


def parse_certificate_id(text: str) -> bytes:
    """The octets of a certificate's id; `Problem(certificate.unknown)` when malformed."""
    return parse_id("crt", text, ProblemCode.CERTIFICATE_UNKNOWN)


def encode_certificate_id(octets: bytes) -> CertificateId:
    """The text of a certificate's id."""
    return CertificateId(encode_id("crt", octets))


def certificate_id_month(octets: bytes) -> int:
    """The expiry month (`kernel.month`) that a certificate's id carries."""
    return int.from_bytes(octets[6:8], "big")
