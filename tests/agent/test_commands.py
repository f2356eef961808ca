"""The agent's command line: what it shows and asks, and files that make no sense."""

import base64
import io
import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tegata.agent.card import Pin
from tegata.agent.commands import (
    CardFailure,
    TerminalPerson,
    card_group,
    explained,
    read_card_keys,
)
from tegata.agent.problems import CardCode, CardProblem
from tegata.agent.service import Service, ServiceProblem
from tegata.agent.session import AskedSession
from tegata.pkix.intent import Intent, IntentPurpose, document_digest


def session(text: str = "口座を開設します。", purpose: str = "sign") -> AskedSession:
    digest = document_digest(text.encode()) if purpose == "sign" else None
    intent = Intent(
        IntentPurpose(purpose),
        "みなと銀行",
        "https://bank.example.test",
        "ivs_1",
        bytes(32),
        digest,
    )
    return AskedSession(intent, text, text.encode())


def shown(asked: AskedSession, typed: str = "", *, yes: bool = True) -> tuple[bool, str]:
    """Whether the person agreed, and what was on the terminal."""
    answers: list[bool] = []

    @click.command()
    def command() -> None:
        answers.append(TerminalPerson(pin_stdin=False, yes=yes).agrees(asked))

    result = CliRunner().invoke(command, input=typed, env={"LC_ALL": "C.UTF-8"})
    assert result.exception is None, result.output
    return answers[0], result.output


def test_the_person_sees_for_whom_what_and_its_digest() -> None:
    agreed, text = shown(session())
    assert agreed
    assert "みなと銀行 (https://bank.example.test)" in text
    assert "口座を開設します。" in text
    assert document_digest("口座を開設します。".encode()).hex() in text


def test_a_log_in_is_called_one() -> None:
    assert "You log in" in shown(session("", "authenticate"))[1]


@pytest.mark.parametrize(("typed", "agreed"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_without_yes_the_person_is_asked(typed: str, agreed: bool) -> None:
    assert shown(session(), typed, yes=False)[0] is agreed


@pytest.mark.parametrize("character", ["\x1b", "\x07", "\r", "\u202e", "\u2066", "\u200b"])
def test_text_that_would_change_the_terminal_is_shown_as_such(character: str) -> None:
    text = shown(session(f"口座{character}を　開設"))[1]
    assert character not in text.replace("\r\n", "\n")
    assert "口座\N{REPLACEMENT CHARACTER}を　開設" in text


def test_a_pin_from_a_pipe_is_a_line_and_the_last_try_is_not_taken() -> None:
    taken: list[object] = []

    @click.command()
    def command() -> None:
        person = TerminalPerson(pin_stdin=True, yes=True)
        taken.extend((person.pin(Pin.SIGN, 5), person.pin(Pin.TEXT, 3), person.dares(Pin.SIGN)))

    result = CliRunner().invoke(command, input="TEGATA99\r\n1234\n")
    assert taken == ["TEGATA99", "1234", False]
    assert "TEGATA99" not in result.output


def test_a_pin_that_is_typed_is_not_shown() -> None:
    taken: list[str] = []

    @click.command()
    def command() -> None:
        taken.append(TerminalPerson(pin_stdin=False, yes=True).pin(Pin.SIGN, 5))

    result = CliRunner().invoke(command, input="TEGATA99\n", env={"LC_ALL": "C.UTF-8"})
    assert taken == ["TEGATA99"]
    assert "TEGATA99" not in result.output
    assert "Tries left after this one: 4" in result.output


def test_no_command_takes_a_pin_as_an_argument() -> None:
    for command in card_group.commands.values():
        names = [name for parameter in command.params for name in parameter.opts]
        assert [name for name in names if "pin" in name] in ([], ["--pin-stdin"])


@pytest.mark.parametrize(
    "written",
    ["", "[]", "{", '{"zz": "AAAA"}', '{"00": 1}', '{"00": "*"}', '"text"', "\x00"],
)
def test_card_keys_that_make_no_sense_are_refused(tmp_path: Path, written: str) -> None:
    file = tmp_path / "keys.json"
    file.write_text(written)
    with pytest.raises(CardFailure, match="keys"):
        read_card_keys(file)


def test_card_keys_are_read(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"00ff": base64.b64encode(b"key").decode()}))
    assert read_card_keys(file) == {b"\x00\xff": b"key"}


@pytest.mark.parametrize(
    "written",
    [
        "", "[]", "{}", '{"api": "https://localhost"}',
        '{"api": "http://localhost:1", "tls_ca": "x", "token_file": "y"}',
        '{"api": "https://localhost:1", "tls_ca": "x"}',
    ],
)  # fmt: skip
def test_a_context_that_is_none_is_refused(tmp_path: Path, written: str) -> None:
    file = tmp_path / "context.json"
    file.write_text(written)
    with pytest.raises(ServiceProblem):
        Service.open(file, None, "en")


def test_a_service_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret-token")
    file = tmp_path / "context.json"
    ca = tmp_path / "missing.pem"
    context = {
        "api": "https://127.0.0.1:1",
        "tls_ca": str(ca),
        "token_file": str(tmp_path / "token"),
    }
    file.write_text(json.dumps(context))
    with pytest.raises(ServiceProblem) as caught:
        Service.open(file, None, "en").session("ivs_1")
    assert "secret-token" not in str(caught.value)


@pytest.mark.parametrize("code", list(CardCode))
def test_every_problem_is_told_with_its_code_and_ends_with_two(code: CardCode) -> None:
    with pytest.raises(CardFailure) as caught, explained():
        raise CardProblem(code, "3")
    assert f"({code}, 3)" in caught.value.message
    assert caught.value.exit_code == 2
    told = io.StringIO()
    caught.value.show(told)
    assert code in told.getvalue()
