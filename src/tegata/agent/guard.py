"""What may be sent to a card: a short list, enforced on the octets, whatever the rest of us does.

The card also holds the My Number (EF 0001 of the text application, EF 0005 of the surface
application, and number A as a PIN of both). Nobody may collect it outside statutory use, so there
is no way from here to it: the surface application is not selected, EF 0001 of the text application
is not selected, files are not named by short identifiers, and a PIN is only ever verified for the
file selected before, of which there are three (ADR 23).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

JPKI: Final = bytes.fromhex("D392F000260100000001")
TEXT: Final = bytes.fromhex("D3921000310001010408")

# JPKI: certificates of both kinds and of their CAs, token information, availability, keys, PINs.
# Text: attributes, their signature, the signer's certificate, the chip's key, and the PIN.
_FILES: Final = {
    JPKI: frozenset({0x01, 0x02, 0x06, 0x08, 0x0A, 0x0B, 0x17, 0x18, 0x1A, 0x1B}),
    TEXT: frozenset({0x02, 0x03, 0x04, 0x07, 0x11, 0x13}),
}
_PINS: Final = {JPKI: frozenset({0x18, 0x1B}), TEXT: frozenset({0x11})}
_KEYS: Final = {JPKI: frozenset({0x17, 0x1A}), TEXT: frozenset({0x13})}

_SELECT_APPLICATION = bytes.fromhex("00A4040C0A")
_SELECT_FILE = bytes.fromhex("00A4020C02")
_READ = bytes.fromhex("00B0")
_VERIFY = bytes.fromhex("00200080")
_SIGN = bytes.fromhex("802A0080")


class Transport(Protocol):
    """A card in a reader."""

    def transmit(self, command: bytes) -> bytes:
        """The answer (data and status word) to a command APDU.

        Raises `CardProblem` (card.removed) when there is none.
        """
        ...


class CommandForbidden(Exception):
    """A command that must never reach a card: a bug of ours, and not sent."""


@dataclass(slots=True)
class Guard:
    """A transport that lets only these commands through."""

    transport: Transport
    _application: bytes | None = None
    _file: int | None = None

    def transmit(self, command: bytes) -> bytes:
        """Send what is allowed; `CommandForbidden` for anything else."""
        application, file = self._after(command)
        # Whatever the card says: what is selected from now on is not what was before.
        self._application, self._file = application, file
        return self.transport.transmit(command)

    def _after(self, command: bytes) -> tuple[bytes | None, int | None]:
        """What will be selected; `CommandForbidden` when the command is not allowed now."""
        chosen, file = self._application, self._file
        if command[:5] == _SELECT_APPLICATION and command[5:] in _FILES:
            return command[5:], None
        if command[:5] == _SELECT_FILE and len(command) == 7 and chosen is not None:
            wanted = int.from_bytes(command[5:], "big")
            if wanted in _FILES[chosen]:
                return chosen, wanted
        elif chosen is not None and file is not None and self._uses(command, chosen, file):
            return chosen, file
        raise CommandForbidden(command[:4].hex())

    @staticmethod
    def _uses(command: bytes, chosen: bytes, file: int) -> bool:
        """Whether a command uses the selected file as one of its kind may be used."""
        special = file in _PINS[chosen] | _KEYS[chosen]
        if command[:2] == _READ:
            # The highest bit of P1 would name another file than the selected one.
            return len(command) == 5 and command[2] < 0x80 and not special
        if command[:4] == _VERIFY:
            return file in _PINS[chosen]
        return command[:4] == _SIGN and file in _KEYS[chosen]
