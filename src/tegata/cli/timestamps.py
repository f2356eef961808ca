"""The client commands on time-stamping authorities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tegata.cli.client import Client
from tegata.cli.connection import connected, item_path, show

_PATH = "/v1/timestamp-authorities"


@click.group("tsa")
def tsa_group() -> None:
    """Time-stamping authorities: create, list, show, disable."""


@tsa_group.command("create")
@connected
@click.argument("name")
@click.option("--issuer", required=True, help="The issuing CA that certifies its units.")
@click.option(
    "--policy", "policies", multiple=True, required=True, metavar="OID",
    help="A policy it stamps under; the first is the default.",
)  # fmt: skip
@click.option("--key-algorithm", default="p256", show_default=True)
@click.option("--signature-algorithm", help="By default the key's usual one.")
@click.option(
    "--accuracy", "accuracy_milliseconds", type=int, default=1000, show_default=True,
    help="Milliseconds that its tokens promise.",
)  # fmt: skip
@click.option("--ordering", is_flag=True, help="Tokens can be ordered by time; one at a time.")
def create(context: Path, token_file: Path | None, policies: tuple[str, ...], **given: Any) -> None:
    """Create a time-stamping authority. Asking again for the same finds it."""
    body = {key: value for key, value in given.items() if value is not None}
    body["policies"] = list(policies)
    show(Client.open(context, token_file).call("POST", _PATH, body))


@tsa_group.command("list")
@connected
@click.option("--after", help="The `next` of the page before.")
@click.option("--limit", type=int)
def list_authorities(
    context: Path, token_file: Path | None, after: str | None, limit: int | None
) -> None:
    """List time-stamping authorities."""
    query = {"after": after, "limit": str(limit) if limit is not None else None}
    show(Client.open(context, token_file).call("GET", _PATH, query=query))


@tsa_group.command("show")
@connected
@click.argument("identifier")
def show_authority(context: Path, token_file: Path | None, identifier: str) -> None:
    """Show a time-stamping authority."""
    path = item_path("timestamp-authorities", identifier)
    show(Client.open(context, token_file).call("GET", path))


@tsa_group.command("disable")
@connected
@click.argument("identifier")
def disable(context: Path, token_file: Path | None, identifier: str) -> None:
    """Have a time-stamping authority stamp no more, for good."""
    path = item_path("timestamp-authorities", identifier) + "/disable"
    show(Client.open(context, token_file).call("POST", path))
