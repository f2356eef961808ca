"""Time-Stamp Protocol (RFC 3161, RFC 5816): requests, TSTInfo and answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Final

from tegata.pkix import oids
from tegata.pkix.der import (
    BIT_STRING,
    BOOLEAN,
    GENERALIZED_TIME,
    INTEGER,
    NULL_VALUE,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    TRUE,
    UTF8_STRING,
    DerError,
    content_of,
    dotted,
    encode_integer,
    encode_named_bits,
    encode_octet_string,
    encode_oid,
    encode_sequence,
    implicit,
    split,
    split_extensions,
    split_integer,
    wrap,
)

# RFC 3161 section 2.4.1 suggests 64 bits; nobody needs more than this.
NONCE_MAXIMUM = 64
REQUEST_MAXIMUM = 4096
# The hashes of imprints that are stamped, with the octets of their digests (RFC 5754 section 2).
IMPRINT_OCTETS: Final[Mapping[str, int]] = {oids.SHA256: 32, oids.SHA384: 48, oids.SHA512: 64}
_PARAMETERS = ((), ((0x05, b""),))
_VERSION_1 = encode_integer(1)
_FALSE_CONTENT, _TRUE_CONTENT = b"\x00", b"\xff"
_MILLISECONDS, _MICROSECONDS = 0x80, 0x81
_GEN_TIME = re.compile(
    rb"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})(\.[0-9]*[1-9])?Z"
)


class PkiStatus(IntEnum):
    """PKIStatus (RFC 3161 section 2.4.2)."""

    GRANTED = 0
    GRANTED_WITH_MODS = 1
    REJECTION = 2
    WAITING = 3
    REVOCATION_WARNING = 4
    REVOCATION_NOTIFICATION = 5


class FailureInfo(IntEnum):
    """The bits of PKIFailureInfo that a time-stamping authority may set (section 2.4.2)."""

    BAD_ALG = 0
    BAD_REQUEST = 2
    BAD_DATA_FORMAT = 5
    TIME_NOT_AVAILABLE = 14
    UNACCEPTED_POLICY = 15
    UNACCEPTED_EXTENSION = 16
    ADD_INFO_NOT_AVAILABLE = 17
    SYSTEM_FAILURE = 25


@dataclass(frozen=True, slots=True)
class MessageImprint:
    """A digest and its algorithm; `der` is the octets that the token repeats."""

    algorithm: str
    digest: bytes
    der: bytes


@dataclass(frozen=True, slots=True)
class TimeStampRequest:
    """A TimeStampReq (section 2.4.1). `extensions` are the identifiers of those it has."""

    version: int
    imprint: MessageImprint
    policy: str | None = None
    nonce: int | None = None
    certificates: bool = False
    extensions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TstInfo:
    """What a token says (section 2.4.2). `accuracy` is None where it says none."""

    policy: str
    imprint: MessageImprint
    serial: int
    gen_time: datetime
    accuracy: timedelta | None
    ordering: bool
    nonce: int | None


@dataclass(frozen=True, slots=True)
class TimeStampResponse:
    """A TimeStampResp: its status, why it failed, and the token's octets."""

    status: int
    failures: frozenset[int]
    text: str
    token: bytes | None


def message_imprint(algorithm: str, digest: bytes) -> MessageImprint:
    """A MessageImprint of ours: its algorithm without parameters (RFC 5754 section 2)."""
    identifier = encode_sequence(encode_oid(algorithm))
    der = encode_sequence(identifier, encode_octet_string(digest))
    return MessageImprint(algorithm, digest, der)


def encode_time_stamp_request(request: TimeStampRequest) -> bytes:
    """A TimeStampReq without extensions."""
    return encode_sequence(
        _VERSION_1,
        request.imprint.der,
        encode_oid(request.policy) if request.policy is not None else b"",
        encode_integer(request.nonce) if request.nonce is not None else b"",
        TRUE if request.certificates else b"",
    )


def parse_time_stamp_request(octets: bytes) -> TimeStampRequest:
    """Read a TimeStampReq; `DerError` when it is malformed."""
    fields = split(content_of(octets, SEQUENCE))
    if len(fields) < 2 or fields[0][0] != INTEGER:
        raise DerError("a TimeStampReq has a version and an imprint")
    version, imprint = split_integer(fields[0][1]), _imprint(*fields[1])
    rest = fields[2:]
    policy = dotted(rest.pop(0)[1]) if rest and rest[0][0] == OBJECT_IDENTIFIER else None
    nonce = _nonce(rest.pop(0)[1]) if rest and rest[0][0] == INTEGER else None
    wanted = _boolean(rest.pop(0)[1]) if rest and rest[0][0] == BOOLEAN else False
    extensions: tuple[str, ...] = ()
    if rest and rest[0][0] == 0xA0:
        extensions = tuple(name for name, _value in split_extensions(rest.pop(0)[1]))
    if rest:
        raise DerError("an unknown or misplaced field in TimeStampReq")
    return TimeStampRequest(version, imprint, policy, nonce, wanted, extensions)


# What stands before the digest in imprints of these hashes, as everybody writes them: with NULL
# or without parameters (RFC 5754 section 2). Nothing else of them needs to be read.
_BEFORE_DIGEST: Final[Mapping[bytes, tuple[str, int]]] = {
    encode_sequence(encode_oid(oid), parameters) + bytes((OCTET_STRING, octets)): (oid, octets)
    for oid, octets in IMPRINT_OCTETS.items()
    for parameters in (b"", NULL_VALUE)
}


def _imprint(tag: int, content: bytes) -> MessageImprint:
    for octets in (32, 64, 48):
        known = _BEFORE_DIGEST.get(content[:-octets])
        if known is not None and known[1] == octets and tag == SEQUENCE:
            return MessageImprint(known[0], content[-octets:], wrap(tag, content))
    parts = split(content)
    if tag != SEQUENCE or [part[0] for part in parts] != [SEQUENCE, OCTET_STRING]:
        raise DerError("not a MessageImprint")
    algorithm = split(parts[0][1])
    if not algorithm or algorithm[0][0] != OBJECT_IDENTIFIER:
        raise DerError("not an AlgorithmIdentifier")
    # RFC 5754 section 2: absent, or NULL.
    if tuple(algorithm[1:]) not in _PARAMETERS:
        raise DerError("a hash algorithm has no parameters")
    return MessageImprint(dotted(algorithm[0][1]), parts[1][1], wrap(tag, content))


def _nonce(content: bytes) -> int:
    if len(content) > NONCE_MAXIMUM:
        raise DerError(f"a nonce has at most {NONCE_MAXIMUM} octets")
    return split_integer(content)


def _boolean(content: bytes) -> bool:
    # DER leaves out FALSE, the default; some clients write it.
    if content not in (_FALSE_CONTENT, _TRUE_CONTENT):
        raise DerError("not a BOOLEAN")
    return content == _TRUE_CONTENT


def encode_gen_time(instant: datetime) -> bytes:
    """A GeneralizedTime with as many digits after the second as are needed, in UTC."""
    # Several times as fast as strftime.
    text = instant.astimezone(UTC).isoformat(timespec="microseconds")
    fraction = text[19:26].rstrip("0").rstrip(".")
    digits = f"{text[:4]}{text[5:7]}{text[8:10]}{text[11:13]}{text[14:16]}{text[17:19]}"
    return wrap(GENERALIZED_TIME, f"{digits}{fraction}Z".encode("ascii"))


def parse_gen_time(content: bytes) -> datetime:
    """The instant of a genTime, whose fraction has no trailing zero (section 2.4.2)."""
    match = _GEN_TIME.fullmatch(content)
    if match is None:
        raise DerError("not a genTime")
    *parts, fraction = match.groups()
    year, month, day, hour, minute, second = map(int, parts)
    microsecond = int(fraction[1:7].ljust(6, b"0")) if fraction else 0
    try:
        return datetime(year, month, day, hour, minute, second, microsecond, UTC)
    except ValueError as error:
        raise DerError("not a genTime") from error


def encode_accuracy(accuracy: timedelta) -> bytes:
    """An Accuracy (section 2.4.2); each part only where it is not zero."""
    seconds = accuracy.days * 86_400 + accuracy.seconds
    millis, micros = divmod(accuracy.microseconds, 1000)
    return encode_sequence(
        encode_integer(seconds) if seconds else b"",
        implicit(0, encode_integer(millis)[2:]) if millis else b"",
        implicit(1, encode_integer(micros)[2:]) if micros else b"",
    )


def _accuracy(content: bytes) -> timedelta:
    seconds = millis = micros = 0
    parts = split(content)
    tags = [tag for tag, _octets in parts]
    if tags != [tag for tag in (INTEGER, _MILLISECONDS, _MICROSECONDS) if tag in tags]:
        raise DerError("not an Accuracy")
    for tag, octets in parts:
        number = split_integer(octets)
        if tag == INTEGER:
            seconds = number
        elif not 1 <= number <= 999:
            raise DerError("not an Accuracy")
        elif tag == _MILLISECONDS:
            millis = number
        else:
            micros = number
    if not 0 <= seconds < 10**9:
        raise DerError("not an Accuracy")
    return timedelta(seconds=seconds, milliseconds=millis, microseconds=micros)


def encode_tst_info(
    *,
    policy: bytes,
    imprint: bytes,
    serial: int,
    gen_time: datetime,
    tail: bytes,
    nonce: int | None,
) -> bytes:
    """A TSTInfo. `policy` and `imprint` are DER, as is `tail`: accuracy and ordering, which are
    equal in all tokens of an authority."""
    return encode_sequence(
        _VERSION_1,
        policy,
        imprint,
        encode_integer(serial),
        encode_gen_time(gen_time),
        tail,
        encode_integer(nonce) if nonce is not None else b"",
    )


def tst_info_tail(accuracy: timedelta | None, *, ordering: bool) -> bytes:
    """Accuracy and ordering as a TSTInfo has them."""
    return (encode_accuracy(accuracy) if accuracy else b"") + (TRUE if ordering else b"")


def parse_tst_info(octets: bytes) -> TstInfo:
    """Read a TSTInfo; `DerError` when it is malformed."""
    fields = split(content_of(octets, SEQUENCE))
    first = [tag for tag, _content in fields[:5]]
    if first != [INTEGER, OBJECT_IDENTIFIER, SEQUENCE, INTEGER, GENERALIZED_TIME]:
        raise DerError("not a TSTInfo")
    if split_integer(fields[0][1]) != 1:
        raise DerError("not a version 1 TSTInfo")
    rest = fields[5:]
    accuracy = _accuracy(rest.pop(0)[1]) if rest and rest[0][0] == SEQUENCE else None
    ordering = _boolean(rest.pop(0)[1]) if rest and rest[0][0] == BOOLEAN else False
    nonce = _nonce(rest.pop(0)[1]) if rest and rest[0][0] == INTEGER else None
    # tsa and extensions say nothing that we act on.
    if [tag for tag, _content in rest] not in ([], [0xA0], [0xA1], [0xA0, 0xA1]):
        raise DerError("an unknown or misplaced field in TSTInfo")
    return TstInfo(
        policy=dotted(fields[1][1]),
        imprint=_imprint(*fields[2]),
        serial=split_integer(fields[3][1]),
        gen_time=parse_gen_time(fields[4][1]),
        accuracy=accuracy,
        ordering=ordering,
        nonce=nonce,
    )


_GRANTED = encode_sequence(encode_integer(PkiStatus.GRANTED))


def encode_granted(token: bytes) -> bytes:
    """A TimeStampResp with a token."""
    return encode_sequence(_GRANTED, token)


def encode_rejection(failure: FailureInfo, text: str = "") -> bytes:
    """A TimeStampResp that refuses, and says why (section 2.4.2)."""
    return encode_sequence(
        encode_sequence(
            encode_integer(PkiStatus.REJECTION),
            encode_sequence(wrap(UTF8_STRING, text.encode())) if text else b"",
            encode_named_bits([failure]),
        )
    )


def parse_time_stamp_response(octets: bytes) -> TimeStampResponse:
    """Read a TimeStampResp; `DerError` when it is malformed. The token is not looked into."""
    fields = split(content_of(octets, SEQUENCE))
    if [tag for tag, _content in fields] not in ([SEQUENCE], [SEQUENCE, SEQUENCE]):
        raise DerError("not a TimeStampResp")
    parts = split(fields[0][1])
    tags = [tag for tag, _content in parts]
    if tags[:1] != [INTEGER] or tags[1:] not in (
        [], [SEQUENCE], [BIT_STRING], [SEQUENCE, BIT_STRING],
    ):  # fmt: skip
        raise DerError("not a PKIStatusInfo")
    text, failures = "", frozenset[int]()
    for tag, content in parts[1:]:
        if tag == SEQUENCE:
            text = " ".join(each.decode("utf-8", "replace") for _tag, each in split(content))
        else:
            failures = _bits(content)
    token = wrap(*fields[1]) if len(fields) == 2 else None
    return TimeStampResponse(split_integer(parts[0][1]), failures, text, token)


def _bits(content: bytes) -> frozenset[int]:
    octets = content[1:]
    return frozenset(
        place * 8 + bit
        for place, octet in enumerate(octets)
        for bit in range(8)
        if octet >> (7 - bit) & 1
    )
