"""The commands that take a CA over."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from tegata.cli.client import Client
from tegata.cli.connection import FILE, connected, item_path, show

_LOOK_SECONDS = 0.5
_PART = 1 << 16
_SUFFIXES = (".pem", ".crt", ".cer", ".der")
_KINDS = click.Choice(["root", "subordinate", "issuing"])
_ANY = click.Path(path_type=Path, exists=True)


@click.group("take-over")
def take_over_group() -> None:
    """Take over a CA that exists: begin, hand things in, complete."""


@take_over_group.command("begin")
@connected
@click.argument("name")
@click.option("--kind", type=_KINDS, required=True, help="issuing: it issues to end entities.")
@click.option(
    "--certificate", type=FILE, required=True, help="PEM: its own, and those above it up to a root."
)
@click.option("--signature-algorithm", help="By default the key's usual one.")
@click.option("--crl-number", type=int, help="The last one that it gave, if no CRL says so.")
def begin(
    context: Path,
    token_file: Path | None,
    name: str,
    kind: str,
    certificate: Path,
    **given: Any,
) -> None:
    """Begin. An operator has authorised the key (tegata authorise-key)."""
    body = {"name": name, "kind": kind, "certificate": certificate.read_text("ascii", "replace")}
    body |= {key: value for key, value in given.items() if value is not None}
    show(Client.open(context, token_file).call("POST", "/v1/take-overs", body))


@take_over_group.command("certificates")
@connected
@click.argument("identifier")
@click.argument("paths", type=_ANY, nargs=-1, required=True)
@click.option("--profile", help="What they are renewed by.")
def certificates(
    context: Path,
    token_file: Path | None,
    identifier: str,
    paths: tuple[Path, ...],
    profile: str | None,
) -> None:
    """Hand in certificates that the CA issued: files, or folders of them. Again, if need be."""
    path = item_path("take-overs", identifier) + "/certificates"
    client = Client.open(context, token_file)
    query = {"profile": profile}
    show(client.send_parts(path, _certificates(paths), "application/x-pem-file", query))


def _certificates(paths: Sequence[Path]) -> Iterator[bytes]:
    for path in paths:
        files = [path]
        if path.is_dir():
            files = sorted(each for each in path.iterdir() if each.suffix.lower() in _SUFFIXES)
        for file in files:
            with file.open("rb") as opened:
                first = opened.read(_PART)
                if first[:1] == b"\x30":
                    yield ssl.DER_cert_to_PEM_cert(first + opened.read()).encode()
                    continue
                while first:
                    yield first
                    first = opened.read(_PART)
                yield b"\n"


def _handing(name: str, media_type: str, text: str) -> click.Command:
    @click.command(name, help=text)
    @connected
    @click.argument("identifier")
    @click.argument("file", type=FILE)
    def command(context: Path, token_file: Path | None, identifier: str, file: Path) -> None:
        path = item_path("take-overs", identifier) + f"/{name}"
        with file.open("rb") as opened:
            show(Client.open(context, token_file).send_file(path, opened, {}, media_type))

    return command


take_over_group.add_command(
    _handing("index", "text/plain", "Hand in the CA's index (OpenSSL's index.txt).")
)
take_over_group.add_command(
    _handing("crl", "application/pkix-crl", "Hand in the CA's last CRL (PEM or DER).")
)


@take_over_group.command("show")
@connected
@click.argument("identifier", required=False)
def show_take_over(context: Path, token_file: Path | None, identifier: str | None) -> None:
    """Show how far one is; without an id, all of them."""
    path = "/v1/take-overs" if identifier is None else item_path("take-overs", identifier)
    show(Client.open(context, token_file).call("GET", path))


@take_over_group.command("complete")
@connected
@click.argument("identifier")
@click.option("--wait/--no-wait", default=True, show_default=True)
def complete(context: Path, token_file: Path | None, identifier: str, *, wait: bool) -> None:
    """Have it recorded; then the CA works."""
    client = Client.open(context, token_file)
    found = client.call("POST", item_path("take-overs", identifier) + "/complete")
    while wait and found.get("state") == "completing":
        time.sleep(_LOOK_SECONDS)
        under_way = client.call("GET", "/v1/take-overs")["items"]
        found = next((each for each in under_way if each["id"] == identifier), {})
        if not found:
            found = client.call("GET", item_path("issuers", identifier))
    show(found)


@take_over_group.command("cancel")
@connected
@click.argument("identifier")
def cancel(context: Path, token_file: Path | None, identifier: str) -> None:
    """Forget it, with all that was handed in."""
    path = item_path("take-overs", identifier) + "/cancel"
    show(Client.open(context, token_file).call("POST", path))


@click.command("revoke-serial")
@connected
@click.argument("identifier")
@click.argument("serial")
@click.option("--reason", default="unspecified", show_default=True)
def revoke_serial(
    context: Path, token_file: Path | None, identifier: str, serial: str, reason: str
) -> None:
    """Revoke what a CA brought along without its certificate: a serial number in hexadecimal."""
    path = item_path("issuers", identifier) + f"/serials/{quote(serial, safe='')}/revoke"
    show(Client.open(context, token_file).call("POST", path, {"reason": reason}))
