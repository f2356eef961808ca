"""Command and response APDUs (ISO/IEC 7816-4), short and extended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Status(IntEnum):
    """The status words that a card answers with."""

    OK = 0x9000
    WRONG_UNLIMITED = 0x6300
    # 63Cx: x tries are left.
    TRIES_LEFT = 0x63C0
    WRONG_LENGTH = 0x6700
    CHANNEL_UNSUPPORTED = 0x6881
    SECURE_MESSAGING_UNSUPPORTED = 0x6882
    FILE_INCOMPATIBLE = 0x6981
    SECURITY_STATUS = 0x6982
    BLOCKED = 0x6984
    CONDITIONS = 0x6985
    NO_CURRENT_FILE = 0x6986
    DATA_REFUSED = 0x6A80
    FILE_NOT_FOUND = 0x6A82
    RECORD_NOT_FOUND = 0x6A83
    WRONG_PARAMETERS = 0x6A86
    REFERENCE_NOT_FOUND = 0x6A88
    OFFSET = 0x6B00
    INSTRUCTION_UNKNOWN = 0x6D00
    CLASS_UNKNOWN = 0x6E00


class Refused(Exception):
    """A command that the card does not carry out; `status` is what it answers."""

    def __init__(self, status: int) -> None:
        super().__init__(f"{status:04X}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Command:
    """A command APDU. `expected` is Le: None where there is none, else 1 to 65536."""

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes
    expected: int | None


def parse_command(octets: bytes) -> Command:
    """Take a command apart; `Refused` (6700) when its lengths contradict its octets."""
    if len(octets) < 4:
        raise Refused(Status.WRONG_LENGTH)
    data, expected = _body(octets[4:])
    return Command(octets[0], octets[1], octets[2], octets[3], data, expected)


def _body(body: bytes) -> tuple[bytes, int | None]:
    """The data and Le of the seven forms of ISO/IEC 7816-3 section 12.1.3."""
    if not body:
        return b"", None
    if len(body) == 1:
        return b"", body[0] or 256
    if body[0] == 0 and len(body) == 3:
        return b"", int.from_bytes(body[1:], "big") or 65536
    if body[0] == 0:
        count, rest, wide = int.from_bytes(body[1:3], "big"), body[3:], 2
    else:
        count, rest, wide = body[0], body[1:], 1
    data, last = rest[:count], rest[count:]
    if count == 0 or len(data) != count or len(last) not in (0, wide):
        raise Refused(Status.WRONG_LENGTH)
    if not last:
        return data, None
    return data, int.from_bytes(last, "big") or 1 << (8 * wide)


def answer(status: int, data: bytes = b"") -> bytes:
    """A response APDU."""
    return data + status.to_bytes(2, "big")
