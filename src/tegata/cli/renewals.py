"""The commands that put a certificate in another's place."""

from __future__ import annotations

from pathlib import Path

import click

from tegata.cli.client import Client
from tegata.cli.connection import FILE, F, connected, item_path, show


def _written(function: F) -> F:
    out = click.option(
        "--out", type=click.Path(path_type=Path), help="Write certificate and path here."
    )
    key = click.option("--idempotency-key", help="Makes a retry return the first certificate.")
    return out(key(function))


def _replace(
    client: Client,
    target: str,
    body: dict[str, str] | None,
    out: Path | None,
    idempotency_key: str | None,
) -> None:
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    answer = client.call("POST", target, body, headers=headers)
    if out is not None:
        out.write_text(answer["certificate"] + "".join(answer["chain"]))
    show(answer)


@click.command("renew")
@connected
@click.argument("identifier")
@_written
def renew(
    context: Path,
    token_file: Path | None,
    identifier: str,
    out: Path | None,
    idempotency_key: str | None,
) -> None:
    """Renew a certificate: the same key and names, a new validity."""
    client = Client.open(context, token_file)
    target = item_path("certificates", identifier) + "/renew"
    _replace(client, target, None, out, idempotency_key)


@click.command("rekey")
@connected
@click.argument("identifier")
@click.option("--csr", type=FILE, required=True, help="A PKCS #10 request with the new key.")
@_written
def rekey(
    context: Path,
    token_file: Path | None,
    identifier: str,
    csr: Path,
    out: Path | None,
    idempotency_key: str | None,
) -> None:
    """Re-key a certificate: the same names, a new key and validity."""
    client = Client.open(context, token_file)
    target = item_path("certificates", identifier) + "/rekey"
    _replace(client, target, {"csr": csr.read_text()}, out, idempotency_key)
