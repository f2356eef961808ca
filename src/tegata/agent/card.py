"""A My Number Card as the agent uses it: tries left, certificates, signatures, the chip's proof."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tegata.agent.guard import JPKI, TEXT, Guard, Transport
from tegata.agent.problems import CardCode, CardProblem
from tegata.pkix.intent import Intent, IntentPurpose, chip_octets, digest_info, intent_digest

_OK = 0x9000
_TRIES = 0x63C0
_SECURITY_STATUS = 0x6982
_BLOCKED = frozenset({0x6983, 0x6984})
_NOT_FOUND = frozenset({0x6A82, 0x6A83, 0x6A88})
_CHUNK = 256
# A transparent file of the card is read to its object's end; none is longer.
_FILE_MAXIMUM = 8192
_SIGNATURE_OCTETS = 256


class Pin(StrEnum):
    """The PINs that the agent may ask for."""

    AUTHENTICATE = "authenticate"
    SIGN = "sign"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class _Place:
    application: bytes
    file: int
    form: re.Pattern[str]


_PINS: Final = {
    Pin.AUTHENTICATE: _Place(JPKI, 0x18, re.compile(r"[0-9]{4}")),
    Pin.SIGN: _Place(JPKI, 0x1B, re.compile(r"[A-Z0-9]{6,16}")),
    Pin.TEXT: _Place(TEXT, 0x11, re.compile(r"[0-9]{4}")),
}
_KEYS: Final = {IntentPurpose.AUTHENTICATE: 0x17, IntentPurpose.SIGN: 0x1A}
_CERTIFICATES: Final = {IntentPurpose.AUTHENTICATE: 0x0A, IntentPurpose.SIGN: 0x01}
PIN_OF: Final = {IntentPurpose.AUTHENTICATE: Pin.AUTHENTICATE, IntentPurpose.SIGN: Pin.SIGN}


@dataclass(frozen=True, slots=True)
class CardStatus:
    """What a card tells without a PIN. Tries are None where the card has no such PIN."""

    label: str
    signing: bool
    authentication: bool
    tries: dict[Pin, int | None]
    has_text: bool


@dataclass(frozen=True, slots=True)
class ChipProof:
    """EF 0004, EF 0007, and the chip's signature over `pkix.intent.chip_octets`."""

    certificate: bytes
    key: bytes
    signature: bytes


def checked_pin(pin: Pin, typed: str) -> str:
    """A PIN as the card has it; `CardProblem` (card.pin-format) for what cannot be one.

    The signing password has capital letters, so small ones are taken for them.
    """
    value = typed.upper() if pin is Pin.SIGN else typed
    if not _PINS[pin].form.fullmatch(value):
        raise CardProblem(CardCode.PIN_FORMAT)
    return value


class MyNumberCard:
    """A card behind the guard."""

    def __init__(self, transport: Transport) -> None:
        self._guard = Guard(transport)

    def status(self) -> CardStatus:
        """What the card has and how many tries are left; it costs none."""
        self._application(JPKI)
        # CK_TOKEN_INFO begins with the label; which PIN opens the certificate depends on it.
        label = self._read(0x06, 32)[:32].decode("ascii", "replace").rstrip()
        available = self._read(0x08, 3)
        tries = {pin: self._tries_here(_PINS[pin]) for pin in (Pin.AUTHENTICATE, Pin.SIGN)}
        has_text = self._has_text()
        tries[Pin.TEXT] = self._tries_here(_PINS[Pin.TEXT]) if has_text else None
        signing, authentication = (
            len(available) > place and available[place] != 0 for place in (0, 1)
        )
        return CardStatus(label, signing, authentication, tries, has_text)

    def tries(self, pin: Pin) -> int | None:
        """How many tries a PIN has left; asking costs none. None: there is no such PIN."""
        if pin is Pin.TEXT:
            return self._tries_here(_PINS[pin]) if self._has_text() else None
        self._application(JPKI)
        return self._tries_here(_PINS[pin])

    def authentication_certificate(self) -> bytes | None:
        """The user-authentication certificate, if the card shows it without a PIN."""
        self._application(JPKI)
        try:
            return self._read(_CERTIFICATES[IntentPurpose.AUTHENTICATE])
        except CardProblem:
            return None

    def sign(self, intent: Intent, pin: str | None) -> tuple[bytes, bytes]:
        """The certificate (DER) of the intent's purpose, and its key's signature over the intent.

        Without a PIN only a card for its bearer's face signs; `CardProblem` (card.pin-blocked)
        from every other.
        """
        self._application(JPKI)
        if pin is not None:
            self._verify(PIN_OF[intent.purpose], pin)
        certificate = self._read(_CERTIFICATES[intent.purpose])
        self._file(_KEYS[intent.purpose])
        return certificate, self._signature(digest_info(intent_digest(intent)))

    def chip(self, session: str, challenge: bytes) -> ChipProof | None:
        """The chip's proof that it is no copy; None from what has no such application (a phone).

        `CardProblem` (chip.not-genuine) when the chip's key is not there.
        """
        if not self._has_text():
            return None
        certificate, key = self._read(0x04), self._read(0x07)
        try:
            self._file(0x13)
        except CardProblem as problem:
            if problem.code is CardCode.NOT_A_CARD:
                raise CardProblem(CardCode.CHIP_CLONED) from problem
            raise
        digest = hashlib.sha256(chip_octets(session, challenge)).digest()
        return ChipProof(certificate, key, self._signature(digest_info(digest)))

    def text(self, pin: str) -> tuple[bytes, bytes]:
        """EF 0002 and EF 0003: the attributes and what authenticates them. Both stay here."""
        self._application(TEXT)
        self._verify(Pin.TEXT, pin)
        return self._read(0x02), self._read(0x03)

    # ----------------------------------------------------------------------- commands

    def _application(self, application: bytes) -> None:
        _data, status = self._send(b"\x00\xa4\x04\x0c\x0a" + application)
        if status != _OK:
            raise CardProblem(CardCode.NOT_A_CARD, f"{status:04X}")

    def _has_text(self) -> bool:
        try:
            self._application(TEXT)
        except CardProblem as problem:
            if problem.code is CardCode.NOT_A_CARD:
                return False
            raise
        return True

    def _file(self, file: int) -> None:
        _data, status = self._send(b"\x00\xa4\x02\x0c\x02" + file.to_bytes(2, "big"))
        if status in _NOT_FOUND:
            raise CardProblem(CardCode.NOT_A_CARD, f"EF {file:04X}")
        self._require(status)

    def _read(self, file: int, size: int | None = None) -> bytes:
        """A file to its object's end, or its first octets."""
        self._file(file)
        if size is not None:
            return self._part(0, size)
        octets = self._part(0, _CHUNK)
        total = _object_size(octets)
        while len(octets) < total:
            part = self._part(len(octets), min(_CHUNK, total - len(octets)))
            if not part:
                raise CardProblem(CardCode.UNEXPECTED, "a file ends early")
            octets += part
        return octets[:total]

    def _part(self, offset: int, size: int) -> bytes:
        data, status = self._send(b"\x00\xb0" + offset.to_bytes(2, "big") + bytes((size % _CHUNK,)))
        self._require(status)
        return data

    def _tries_here(self, place: _Place) -> int | None:
        try:
            self._file(place.file)
        except CardProblem as problem:
            if problem.code is CardCode.NOT_A_CARD:
                return None
            raise
        _data, status = self._send(b"\x00\x20\x00\x80")
        if status in _BLOCKED:
            return 0
        if status & 0xFFF0 != _TRIES:
            raise CardProblem(CardCode.UNEXPECTED, f"{status:04X}")
        return status & 0x0F

    def _verify(self, pin: Pin, value: str) -> None:
        octets = checked_pin(pin, value).encode()
        self._file(_PINS[pin].file)
        _data, status = self._send(b"\x00\x20\x00\x80" + bytes((len(octets),)) + octets)
        if status == _OK:
            return
        if status in _BLOCKED or status == _TRIES:
            raise CardProblem(CardCode.PIN_BLOCKED)
        if status & 0xFFF0 == _TRIES:
            raise CardProblem(CardCode.PIN_WRONG, str(status & 0x0F))
        raise CardProblem(CardCode.UNEXPECTED, f"{status:04X}")

    def _signature(self, content: bytes) -> bytes:
        data, status = self._send(b"\x80\x2a\x00\x80" + bytes((len(content),)) + content + b"\x00")
        self._require(status)
        if len(data) != _SIGNATURE_OCTETS:
            raise CardProblem(CardCode.UNEXPECTED, "a signature of another length")
        return data

    def _send(self, command: bytes) -> tuple[bytes, int]:
        answer = self._guard.transmit(command)
        if len(answer) < 2:
            raise CardProblem(CardCode.UNEXPECTED, "an answer without a status word")
        return answer[:-2], int.from_bytes(answer[-2:], "big")

    def _require(self, status: int) -> None:
        if status == _SECURITY_STATUS:
            raise CardProblem(CardCode.PIN_BLOCKED)
        if status != _OK:
            raise CardProblem(CardCode.UNEXPECTED, f"{status:04X}")


def _object_size(octets: bytes) -> int:
    """How long the object is that a file begins with: tags of one octet or two."""
    wide = bool(octets) and octets[0] & 0x1F == 0x1F
    place = 2 if wide else 1
    if len(octets) <= place + 3:
        raise CardProblem(CardCode.UNEXPECTED, "an empty file")
    first = octets[place]
    if first < 0x80:
        return place + 1 + first
    count = first & 0x7F
    size = place + 1 + count + int.from_bytes(octets[place + 1 : place + 1 + count], "big")
    if not 1 <= count <= 2 or size > _FILE_MAXIMUM:
        raise CardProblem(CardCode.UNEXPECTED, "a file of an unlikely length")
    return size
