"""`tegata sandbox`: personas and their cards, for developers of everything that reads one."""

from __future__ import annotations

import base64
import json
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tegata.cli.client import Client
from tegata.main.sandbox_play import verify_persona
from tegata.outbound.system import SystemClock, SystemRandomness
from tegata.sandbox.authority import CrlFault, OcspFault
from tegata.sandbox.card.issue import (
    AUTH_PIN,
    SIGN_PIN,
    TEXT_PIN,
    CardFaults,
    insert_card,
    renew_pins,
    trusted_card_keys,
)
from tegata.sandbox.card.vpcd import PORT, VirtualReader
from tegata.sandbox.keys import SandboxError
from tegata.sandbox.people import MUNICIPALITIES, PEOPLE, Kind
from tegata.sandbox.personas import Sandbox
from tegata.sandbox.wire import JLisServer

_EXIT = {"verified": 0, "refused": 1, "needs_review": 3}
_COULD_NOT_RUN = 2
_DEMO = Path("var/demo")
_PERSONA = click.Choice(list(PEOPLE))

Command = Callable[..., Any]


@click.group("sandbox")
def sandbox_group() -> None:
    """Made-up persons with made-up cards: show, hold to a reader, verify."""


def _data(function: Command) -> Command:
    option = click.option(
        "--data",
        type=click.Path(path_type=Path),
        default=_DEMO,
        show_default=True,
        help="The data folder of a platform that runs with a demo tenant.",
    )
    return option(function)


def _persona(function: Command) -> Command:
    option = click.option("--persona", required=True, type=_PERSONA, metavar="NAME")
    return option(function)


def _sandbox(data: Path) -> Sandbox:
    return Sandbox(data / "sandbox", SystemClock())


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (SandboxError, OSError) as error:
        raise click.ClickException(str(error)) from error


@sandbox_group.command("personas")
@_data
def personas_command(data: Path) -> None:
    """List personas with what their certificates say, and the PINs of all cards."""
    with _explained():
        sandbox = _sandbox(data)
        listed = [_described(sandbox, name) for name in PEOPLE]
    pins = {"authenticate": AUTH_PIN, "sign": SIGN_PIN, "text": TEXT_PIN}
    said = {"pins": {name: pin.decode() for name, pin in pins.items()}, "personas": listed}
    click.echo(json.dumps(said, ensure_ascii=False, indent=2))


def _described(sandbox: Sandbox, name: str) -> dict[str, Any]:
    person = PEOPLE[name]
    latest = sandbox.jlis.register.attributes(person)
    certificates = {}
    for kind in Kind:
        serial = sandbox.jlis.register.current(person, kind)
        entry = sandbox.jlis.register.find(kind, serial) if serial is not None else None
        if entry is not None:
            reason = entry.revoked[1].text if entry.revoked is not None else None
            certificates[kind.value] = {"serial": f"{entry.serial:08X}", "revoked": reason}
    return {
        "persona": name,
        "holder": person.holder.value,
        "name": person.attributes.name,
        "written_name": person.written_name or person.attributes.name,
        "birth": person.attributes.birth.isoformat(),
        "address": person.attributes.address,
        "municipality": person.municipality.code,
        "certificates": certificates,
        "latest": None if latest is None else {"name": latest.name, "address": latest.address},
    }


@sandbox_group.command("card")
@_persona
@_data
@click.option("--vpcd", default=f"127.0.0.1:{PORT}", show_default=True, help="HOST:PORT")
@click.option("--blocked", type=click.Choice(["sign", "auth"]), multiple=True)
@click.option("--pull-after", type=click.IntRange(min=1), help="Pull it out in that command.")
@click.option("--verbose", is_flag=True, help="Say when the reader comes and goes.")
def card_command(
    persona: str,
    data: Path,
    vpcd: str,
    blocked: tuple[str, ...],
    pull_after: int | None,
    *,
    verbose: bool,
) -> None:
    """Hold a persona's card to the virtual reader of vsmartcard, until Ctrl+C."""
    host, separator, port = vpcd.rpartition(":")
    if not separator or not port.isdecimal() or not 0 < int(port) <= 65_535:
        raise click.BadParameter(f"{vpcd}: HOST:PORT", param_hint="--vpcd")
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, stream=sys.stderr)
    with _explained():
        faults = CardFaults(frozenset(blocked), pull_after)
        card = insert_card(_sandbox(data), persona, SystemRandomness(), faults)
        reader = VirtualReader(card, host.strip("[]"), int(port))
        click.echo(json.dumps({"card": persona, "vpcd": vpcd}))
        with _until_told(reader.stop):
            reader.run()


@sandbox_group.command("reset-card")
@_persona
@_data
def reset_card_command(persona: str, data: Path) -> None:
    """Give a persona's card its PINs and tries back, as a municipal office does."""
    with _explained():
        renew_pins(_sandbox(data), persona)


@sandbox_group.command("card-keys")
@_data
def card_keys_command(data: Path) -> None:
    """Print the keys that certify these cards' data, for `tegata card sign --card-keys`."""
    with _explained():
        keys = trusted_card_keys(_sandbox(data))
    spki = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    said = {
        identifier.hex(): base64.b64encode(key.public_bytes(*spki)).decode()
        for identifier, key in keys.items()
    }
    click.echo(json.dumps(said))


@sandbox_group.command("serve")
@_data
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="By default a free one.")
def serve_command(data: Path, port: int) -> None:
    """Serve OCSP, CRLs and roots of JPKI-SIM on loopback, until Ctrl+C."""
    with _explained():
        server = JLisServer(_sandbox(data), port)
        server.start()
        click.echo(json.dumps({"url": server.url, "ocsp": f"{server.url}/ocsp"}))
        with _until_told(server.close):
            server.wait()


@sandbox_group.command("fault")
@_data
@click.option("--ocsp", type=click.Choice([each.value for each in OcspFault]), default="none")
@click.option("--crl", type=click.Choice([each.value for each in CrlFault]), default="none")
@click.option(
    "--city",
    type=click.Choice([each.city for each in MUNICIPALITIES]),
    default=None,
    help="Bound the CRL's fault to one municipality.",
)
@click.option("--down", is_flag=True, help="Nothing answers.")
def fault_command(data: Path, ocsp: str, crl: str, city: str | None, *, down: bool) -> None:
    """Plant faults in the stand-in of J-LIS; without options, take them away."""
    with _explained():
        _sandbox(data).jlis.plant(OcspFault(ocsp), CrlFault(crl), city or "", down=down)


@sandbox_group.command("verify")
@_persona
@click.option(
    "--context",
    type=click.Path(path_type=Path),
    envvar="TEGATA_CONTEXT",
    default=_DEMO / "context.json",
    show_default=True,
    help="The context.json of a running platform (or TEGATA_CONTEXT).",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    envvar="TEGATA_TOKEN_FILE",
    help="A file with a token; by default the one that the context names.",
)
@click.option("--kind", type=click.Choice(["sign", "auth"]), help="By default sign, if there is.")
@click.option("--status", type=click.Choice(["ocsp", "crl"]), default="ocsp", show_default=True)
@click.option("--blocked", is_flag=True, help="The PIN is blocked.")
@click.option("--pull-after", type=click.IntRange(min=1), help="The card is pulled out then.")
def verify_command(
    persona: str,
    context: Path,
    token_file: Path | None,
    kind: str | None,
    status: str,
    *,
    blocked: bool,
    pull_after: int | None,
) -> None:
    """Verify a persona: play card, agent and relying tenant; print one JSON line.

    Exit code 0: verified; 1: refused; 3: needs review; 2: it could not run.
    """
    chosen = Kind(kind) if kind else (Kind.SIGN if PEOPLE[persona].sign else Kind.AUTH)
    faults = CardFaults(frozenset({chosen.value} if blocked else ()), pull_after)
    try:
        client = Client.open(context, token_file)
        sandbox = _sandbox_of(client)
        answer = verify_persona(client, sandbox, persona, chosen, status, faults)
    except (click.ClickException, SandboxError, OSError) as error:
        text = error.message if isinstance(error, click.ClickException) else str(error)
        click.echo(f"Error: {text}", err=True)
        sys.exit(_COULD_NOT_RUN)
    click.echo(json.dumps(answer, ensure_ascii=False))
    sys.exit(_EXIT[answer["verdict"]])


def _sandbox_of(client: Client) -> Sandbox:
    folder = client.context.get("sandbox")
    if folder is None:
        raise click.ClickException("the platform has no sandbox: start it with --demo")
    return Sandbox(Path(folder), SystemClock())


@contextmanager
def _until_told(stop: Callable[[], None]) -> Iterator[None]:
    """Run in the foreground until SIGTERM or SIGINT, and end without a trace of it."""

    def handle(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
    try:
        yield
    except KeyboardInterrupt:
        stop()
