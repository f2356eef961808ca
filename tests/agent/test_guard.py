"""The agent cannot read My Number: not by its commands, and not by any octets of its own."""

import re

import pytest

from tegata.agent.card import MyNumberCard, Pin
from tegata.agent.commands import card_group, show_status
from tegata.agent.flow import CardFlow
from tegata.agent.guard import JPKI, TEXT, CommandForbidden, Guard
from tegata.agent.problems import CardProblem
from tegata.agent.session import AskedSession
from tegata.pkix.intent import Intent, IntentPurpose, document_digest
from tegata.sandbox.card.issue import COMMON, SURFACE
from tegata.sandbox.people import PEOPLE
from tegata.sandbox.personas import Sandbox
from tests.agent.cards import Recorded, Scripted, Somebody, card_keys
from tests.house.source import package_sources

SELECT_TEXT = b"\x00\xa4\x04\x0c\x0a" + TEXT
SELECT_JPKI = b"\x00\xa4\x04\x0c\x0a" + JPKI


def asked(purpose: IntentPurpose) -> AskedSession:
    document = b"I open an account." if purpose is IntentPurpose.SIGN else None
    digest = None if document is None else document_digest(document)
    intent = Intent(purpose, "bank", "https://bank.example.test", "ivs_1", bytes(32), digest)
    return AskedSession(intent, "", document)


def every_command(sandbox: Sandbox, name: str) -> Recorded:
    """Whatever the agent can do with a card, done."""
    recorded = Recorded.of(sandbox, name)
    show_status(recorded)
    card = MyNumberCard(recorded)
    card.authentication_certificate()
    for pin in Pin:
        card.tries(pin)
    for purpose in IntentPurpose:
        for text in (False, True):
            flow = CardFlow(card, Somebody(), card_keys(sandbox), check_text=text)
            try:
                flow.run(asked(purpose))
            except CardProblem:
                continue
    return recorded


# Every file and PIN by which the My Number could be had, as (application, file).
FORBIDDEN = {
    (TEXT, 0x01),  # the number
    (TEXT, 0x14),  # the number, as a PIN
    (TEXT, 0x15),  # number B
    (SURFACE, None),  # nothing there is for us; EF 0005 is the number's picture
    (COMMON, None),
}


def reached(commands: list[bytes]) -> set[tuple[bytes, int | None]]:
    """What was selected, application by application, also by short identifiers."""
    found: set[tuple[bytes, int | None]] = set()
    application = b""
    for command in commands:
        if command[:3] == b"\x00\xa4\x04":
            application = command[5:15]
            found.add((application, None))
        elif command[:3] == b"\x00\xa4\x02":
            found.add((application, int.from_bytes(command[5:7], "big")))
        elif (command[1] == 0xB0 and command[2] & 0x80) or command[1] in (0xB2, 0x2A, 0x20, 0x88):
            short = command[2] & 0x1F if command[1] == 0xB0 else command[3] & 0x1F
            found.add((application, short))
    return found


@pytest.mark.parametrize("name", PEOPLE)
def test_no_command_of_the_agent_comes_near_the_my_number(sandbox: Sandbox, name: str) -> None:
    recorded = every_command(sandbox, name)
    assert len(recorded.commands) > 20
    assert reached(recorded.commands) & FORBIDDEN == set()
    assert not [each for each in recorded.commands if recorded.number in each]


def test_the_test_above_would_see_it(sandbox: Sandbox) -> None:
    """A planted reading of the number is found, however it is done."""
    number = Recorded.of(sandbox, "ordinary").number
    for planted in (
        [SELECT_TEXT, b"\x00\xa4\x02\x0c\x02\x00\x01"],
        [SELECT_TEXT, b"\x00\xb0\x81\x00\x00"],
        [SELECT_TEXT, b"\x00\x20\x00\x94\x0c" + number],
        [SELECT_TEXT, b"\x00\xa4\x02\x0c\x02\x00\x14", b"\x00\x20\x00\x80\x0c" + number],
        [b"\x00\xa4\x04\x0c\x0a" + SURFACE],
    ):
        assert reached(planted) & FORBIDDEN


def test_every_command_of_the_command_line_is_driven_above() -> None:
    # `status` is show_status; `sign` is CardFlow. A new one needs its place in every_command.
    assert sorted(card_group.commands) == ["sign", "status"]


def guarded(*commands: bytes) -> None:
    guard = Guard(Scripted(lambda _command: b"\x90\x00"))
    for command in commands:
        guard.transmit(command)


@pytest.mark.parametrize(
    "command",
    [
        b"\x00\xa4\x04\x0c\x0a" + SURFACE,
        b"\x00\xa4\x04\x0c\x0a" + COMMON,
        b"\x00\xa4\x04\x0c\x0a" + bytes.fromhex("D3921000310001010401"),
        b"\x00\xa4\x04\x00\x0a" + TEXT,
        SELECT_TEXT + b"\x00",
        b"\x00\xa4\x02\x0c\x02\x00\x01",
        b"\x00\xa4\x02\x0c\x02\x00\x05",
        b"\x00\xa4\x02\x0c\x02\x00\x14",
        b"\x00\xa4\x02\x0c\x02\x00\x15",
        b"\x00\xa4\x02\x0c\x02\x00\x02\x00",
        b"\x00\xa4\x02\x0c\x00\x00\x02\x00\x01",
        b"\x00\xb0\x81\x00\x00",
        b"\x00\xb0\x00\x00",
        b"\x00\xb0\x00\x00\x00\x01\x00",
        b"\x00\xb2\x01\x0c\x00",
        b"\x00\x20\x00\x94\x0c123456789012",
        b"\x00\x20\x00\x80\x0c123456789012",
        b"\x80\x2a\x00\x93\x01\x00",
        b"\x00\x88\x00\x80\x01\x00",
        b"\x00\x24\x01\x80\x041234",
        b"\x08\xb0\x00\x00\x00",
        b"\x00\xca\x5f\x51\x00",
        b"",
        b"\x00",
    ],
)
def test_anything_off_the_list_is_never_sent(command: bytes) -> None:
    sent: list[bytes] = []

    def answer(octets: bytes) -> bytes:
        sent.append(octets)
        return b"\x90\x00"

    guard = Guard(Scripted(answer))
    guard.transmit(SELECT_TEXT)
    guard.transmit(b"\x00\xa4\x02\x0c\x02\x00\x02")
    with pytest.raises(CommandForbidden):
        guard.transmit(command)
    assert len(sent) == 2


def test_nothing_is_sent_before_an_application_is_selected() -> None:
    for command in (b"\x00\xa4\x02\x0c\x02\x00\x02", b"\x00\xb0\x00\x00\x00", b"\x00\x20\x00\x80"):
        with pytest.raises(CommandForbidden):
            guarded(command)


def test_a_file_of_one_application_is_no_file_of_another() -> None:
    with pytest.raises(CommandForbidden):
        guarded(SELECT_JPKI, b"\x00\xa4\x02\x0c\x02\x00\x01", SELECT_TEXT, b"\x00\xb0\x00\x00\x00")
    with pytest.raises(CommandForbidden):
        guarded(SELECT_JPKI, b"\x00\xa4\x02\x0c\x02\x00\x11")


def test_a_pin_is_verified_for_a_pin_and_a_key_only_signs() -> None:
    key = b"\x00\xa4\x02\x0c\x02\x00\x13"
    guarded(SELECT_TEXT, key, b"\x80\x2a\x00\x80\x01\x00\x00")
    for command in (b"\x00\x20\x00\x80\x041234", b"\x00\xb0\x00\x00\x00"):
        with pytest.raises(CommandForbidden):
            guarded(SELECT_TEXT, key, command)


def test_no_file_of_the_agent_names_the_surface_application() -> None:
    for source in package_sources():
        if source.room == "agent":
            assert not re.search(r"D392100031000101040[12]", source.text, re.IGNORECASE), (
                source.name
            )
