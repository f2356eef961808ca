"""`tegata card`: what is in the reader, and signing what a service asks for.

A PIN comes from the terminal or from standard input, never from an argument: arguments are seen by
every user of a machine and stay in histories.
"""

from __future__ import annotations

import base64
import binascii
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from cryptography import x509

from tegata.agent import wording
from tegata.agent.card import MyNumberCard, Pin
from tegata.agent.flow import CardFlow
from tegata.agent.guard import Transport
from tegata.agent.pcsc import opened_card, reader_names
from tegata.agent.problems import CardProblem
from tegata.agent.service import Service, ServiceProblem
from tegata.agent.session import AskedSession, read_session
from tegata.pkix.intent import IntentPurpose

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_DOCUMENT_MAXIMUM = 16 << 20
_SHOWN_CHARACTERS = 2000
_EXIT = {"verified": 0, "refused": 1, "needs_review": 3}
_COULD_NOT = 2

Opened = Callable[[str | None], AbstractContextManager[Transport]]


class CardFailure(click.ClickException):
    """What ends a command that could not do its work: exit code 2."""

    exit_code = _COULD_NOT


@contextmanager
def explained() -> Iterator[None]:
    """Problems as messages."""
    try:
        yield
    except CardProblem as problem:
        raise CardFailure(wording.explain(problem)) from problem
    except ServiceProblem as problem:
        raise CardFailure(str(problem)) from problem


@click.group("card")
def card_group() -> None:
    """My Number Cards: show what is in the reader, sign what a service asks for."""


@card_group.command("status")
@click.option("--reader", help="A part of the reader's name; by default the first with a card.")
def status_command(reader: str | None) -> None:
    """Show readers, the card, and how many tries its PINs have left. It spends none."""
    with explained():
        click.echo(f"{wording.say(wording.READERS)}: {', '.join(reader_names())}")
        with opened_card(reader) as transport:
            show_status(transport)


def show_status(transport: Transport) -> None:
    """Print what a card tells without a PIN."""
    card = MyNumberCard(transport)
    status = card.status()
    click.echo(f"{wording.say(wording.CARD)}: {status.label}")
    there = {True: wording.THERE, False: wording.MISSING}
    click.echo(f"{wording.say(wording.SIGNING)}: {wording.say(there[status.signing])}")
    click.echo(f"{wording.say(wording.AUTHENTICATION)}: {_validity(card, status.authentication)}")
    for pin, tries in status.tries.items():
        if tries is not None:
            left = wording.say(wording.TRIES, tries=tries) if tries else wording.BLOCKED
            click.echo(f"{wording.say(wording.PIN_NAMES[pin])}: {wording.say(left)}")


def _validity(card: MyNumberCard, available: bool) -> str:
    octets = card.authentication_certificate() if available else None
    if octets is None:
        return wording.say(wording.THERE if available else wording.MISSING)
    try:
        ends = x509.load_der_x509_certificate(octets).not_valid_after_utc
    except ValueError:
        return wording.say(wording.THERE)
    return wording.say(wording.ENDS, date=ends.date().isoformat())


@card_group.command("sign")
@click.option("--session", required=True, help="The session's id, from the service.")
@click.option(
    "--context",
    type=_FILE,
    envvar="TEGATA_CONTEXT",
    required=True,
    help="The context.json of a running platform (or TEGATA_CONTEXT).",
)
@click.option(
    "--token-file",
    type=_FILE,
    envvar="TEGATA_TOKEN_FILE",
    help="A file with a token; by default the one that the context names.",
)
@click.option("--document", type=_FILE, help="The document to sign, where it is not shown whole.")
@click.option("--reader", help="A part of the reader's name; by default the first with a card.")
@click.option("--card-keys", type=_FILE, help="Keys that certify cards' data: JSON, id to base64.")
@click.option("--check-text", is_flag=True, help="Authenticate the attributes on the card too.")
@click.option("--pin-stdin", is_flag=True, help="Read PINs from standard input, one a line.")
@click.option("--yes", is_flag=True, help="Do not ask whether to go on; show it all the same.")
def sign_command(
    session: str,
    context: Path,
    token_file: Path | None,
    document: Path | None,
    reader: str | None,
    card_keys: Path | None,
    *,
    check_text: bool,
    pin_stdin: bool,
    yes: bool,
) -> None:
    """Sign what a session asks for, submit it, and show the verdict.

    Exit code 0: verified; 1: refused; 3: needs review; 2: it could not be done.
    """
    with explained():
        service = Service.open(context, token_file, wording.language())
        asked = read_session(service.session(session), _octets(document))
        trusted = read_card_keys(card_keys) if card_keys is not None else {}
        with opened_card(reader) as transport:
            person = TerminalPerson(pin_stdin=pin_stdin, yes=yes)
            flow = CardFlow(MyNumberCard(transport), person, trusted, check_text=check_text)
            body = flow.run(asked)
        verdict = service.submit(session, body).get("verdict")
    click.echo(json.dumps(verdict, ensure_ascii=False, indent=2))
    result = verdict.get("verdict") if isinstance(verdict, dict) else None
    sys.exit(_EXIT.get(str(result), _COULD_NOT))


def _octets(document: Path | None) -> bytes | None:
    if document is None:
        return None
    if document.stat().st_size > _DOCUMENT_MAXIMUM:
        raise CardFailure(f"{document}: more than {_DOCUMENT_MAXIMUM >> 20} MiB")
    return document.read_bytes()


def read_card_keys(file: Path) -> dict[bytes, bytes]:
    """Keys that certify cards' data: a JSON object, key identifier (hexadecimal) to
    SubjectPublicKeyInfo (base64)."""
    try:
        written = json.loads(file.read_text())
        return {
            bytes.fromhex(name): base64.b64decode(key, validate=True)
            for name, key in written.items()
        }
    except (OSError, ValueError, AttributeError, TypeError, binascii.Error) as error:
        raise CardFailure(f"{file}: {error}") from error


@dataclass(slots=True)
class TerminalPerson:
    """The person at a terminal. Everything but the verdict goes to standard error."""

    pin_stdin: bool
    yes: bool

    def agrees(self, session: AskedSession) -> bool:
        """Show what is asked, and ask."""
        for line in _shown(session):
            click.echo(line, err=True)
        return self.yes or click.confirm(wording.say(wording.GO_ON), err=True)

    def pin(self, pin: Pin, tries: int) -> str:
        """From the terminal without echo, or a line of standard input."""
        if self.pin_stdin:
            return sys.stdin.readline().rstrip("\r\n")
        click.echo(wording.say(wording.MORE, tries=tries - 1), err=True)
        typed = click.prompt(wording.say(wording.PIN_NAMES[pin]), hide_input=True, err=True)
        return str(typed)

    def dares(self, pin: Pin) -> bool:
        """Warn, and ask; whoever reads PINs from a pipe has not seen the warning."""
        click.echo(wording.say(wording.PIN_NAMES[pin]), err=True)
        if self.pin_stdin:
            return False
        return click.confirm(wording.say(wording.LAST), err=True)


def _shown(session: AskedSession) -> Iterator[str]:
    intent = session.intent
    yield wording.say(wording.FOR_WHOM, relying_party=intent.relying_party, origin=intent.origin)
    if intent.purpose is IntentPurpose.AUTHENTICATE:
        yield wording.say(wording.LOG_IN)
    else:
        yield wording.say(wording.SIGN)
        yield f"SHA-256 {(intent.document or b'').hex()}"
    if session.text:
        text = session.text[:_SHOWN_CHARACTERS]
        # What moves the cursor, or turns the text round, would show another text.
        yield "".join(each if _shows(each) else "\N{REPLACEMENT CHARACTER}" for each in text)


def _shows(character: str) -> bool:
    return character.isprintable() or character in "\n\N{IDEOGRAPHIC SPACE}"
