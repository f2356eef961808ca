"""The commands for files with many requests."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from tegata.cli.client import Client
from tegata.cli.connection import FILE, connected, item_path
from tegata.cli.connection import show as show_answer

_LOOK_SECONDS = 1.0
_ACTS = ("issue", "renew", "revoke", "hold", "release")


@click.group("bulk")
def bulk_group() -> None:
    """Files with many requests: run, show, results, cancel."""


@bulk_group.command("run")
@connected
@click.argument("file", type=FILE)
@click.option("--act", type=click.Choice(_ACTS), default="issue", show_default=True)
@click.option("--issuer", help="Of rows that name none; of issue, by default the context's.")
@click.option("--profile", help="Of rows that name none; of issue, by default tls-server.")
@click.option("--reason", help="Of revocations that name none.")
@click.option("--output", type=click.Path(path_type=Path), help="Write the results here (CSV).")
@click.option("--wait/--no-wait", default=True, show_default=True)
def run(
    context: Path,
    token_file: Path | None,
    file: Path,
    act: str,
    issuer: str | None,
    profile: str | None,
    reason: str | None,
    output: Path | None,
    *,
    wait: bool,
) -> None:
    """Do what every row of a CSV file asks for, and write what became of each."""
    client = Client.open(context, token_file)
    if act == "issue":
        issuer, profile = issuer or client.context.get("issuer"), profile or "tls-server"
    query = {"act": act, "issuer": issuer, "profile": profile, "reason": reason}
    with file.open("rb") as opened:
        bulk = client.send_file("/v1/bulk", opened, query)
    if wait or output is not None:
        bulk = _wait(client, bulk)
    if output is not None:
        _save(client, bulk["id"], output)
    show_answer(bulk)


def _wait(client: Client, bulk: dict[str, Any]) -> dict[str, Any]:
    with click.progressbar(length=bulk["rows"], label=bulk["id"], file=sys.stderr) as bar:
        done = 0
        while bulk["state"] not in ("done", "cancelled"):
            time.sleep(_LOOK_SECONDS)
            bulk = client.call("GET", item_path("bulk", bulk["id"]))
            bar.update(bulk["succeeded"] + bulk["refused"] - done)
            done = bulk["succeeded"] + bulk["refused"]
    return bulk


def _save(client: Client, identifier: str, output: Path) -> None:
    with output.open("wb") as target:
        client.save(item_path("bulk", identifier) + "/results", target)


@bulk_group.command("show")
@connected
@click.argument("identifier", required=False)
def show_bulk(context: Path, token_file: Path | None, identifier: str | None) -> None:
    """Show how far a file is; without an id, all of them."""
    path = "/v1/bulk" if identifier is None else item_path("bulk", identifier)
    show_answer(Client.open(context, token_file).call("GET", path))


@bulk_group.command("results")
@connected
@click.argument("identifier")
@click.option("--output", type=click.Path(path_type=Path), required=True)
def results(context: Path, token_file: Path | None, identifier: str, output: Path) -> None:
    """Write what became of each row as CSV."""
    _save(Client.open(context, token_file), identifier, output)


@bulk_group.command("cancel")
@connected
@click.argument("identifier")
def cancel(context: Path, token_file: Path | None, identifier: str) -> None:
    """Do no more of a file's rows."""
    path = item_path("bulk", identifier) + "/cancel"
    show_answer(Client.open(context, token_file).call("POST", path))
