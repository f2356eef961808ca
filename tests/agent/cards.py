"""Cards for the agent: emulated ones, recorded, and ones that answer what a test wants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tegata.agent.card import Pin
from tegata.agent.problems import CardCode, CardProblem
from tegata.agent.session import AskedSession
from tegata.sandbox.card.card import Card, CardPulled
from tegata.sandbox.card.issue import CardFaults, insert_card, trusted_card_keys
from tegata.sandbox.numbers import impossible_number
from tegata.sandbox.people import PEOPLE
from tegata.sandbox.personas import Sandbox
from tests.fakes.system import CountingRandomness

PINS = {Pin.AUTHENTICATE: "1234", Pin.SIGN: "TEGATA99", Pin.TEXT: "1234"}


@dataclass
class Recorded:
    """An emulated card that keeps every command, and what went before it could be My Number."""

    card: Card
    number: bytes
    commands: list[bytes] = field(default_factory=list)

    @classmethod
    def of(cls, sandbox: Sandbox, name: str, faults: CardFaults | None = None) -> Recorded:
        card = insert_card(sandbox, name, CountingRandomness(), faults)
        return cls(card, impossible_number(PEOPLE[name]).encode())

    def transmit(self, command: bytes) -> bytes:
        self.commands.append(command)
        try:
            return self.card.apdu(command)
        except CardPulled as error:
            raise CardProblem(CardCode.REMOVED) from error

    def sent_pins(self) -> int:
        return sum(each[:4] == b"\x00\x20\x00\x80" and len(each) > 4 for each in self.commands)


@dataclass
class Scripted:
    """A card that gives one answer to everything."""

    answer: Callable[[bytes], bytes]

    def transmit(self, command: bytes) -> bytes:
        return self.answer(command)


@dataclass
class Somebody:
    """The person at the card."""

    pins: Mapping[Pin, str] = field(default_factory=lambda: PINS)
    agreed: bool = True
    daring: bool = True
    shown: list[AskedSession] = field(default_factory=list)
    asked: list[tuple[Pin, int]] = field(default_factory=list)
    warned: list[Pin] = field(default_factory=list)

    def agrees(self, session: AskedSession) -> bool:
        self.shown.append(session)
        return self.agreed

    def pin(self, pin: Pin, tries: int) -> str:
        self.asked.append((pin, tries))
        return self.pins[pin]

    def dares(self, pin: Pin) -> bool:
        self.warned.append(pin)
        return self.daring


def card_keys(sandbox: Sandbox) -> dict[bytes, bytes]:
    return {
        identifier: key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        for identifier, key in trusted_card_keys(sandbox).items()
    }
