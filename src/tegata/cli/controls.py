"""Client commands on promises: list, show, run, history; and the white paper."""

from __future__ import annotations

import json
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path

import click

from tegata.cli.client import Client, language
from tegata.cli.connection import connected, item_path, show

_TIMEOUT = 60.0
_MEDIA_TYPES = {"html": "text/html", "json": "application/json"}


@click.group("control")
def control_group() -> None:
    """Promises and their evidence (operators only)."""


@control_group.command("list")
@connected
@click.option("--json", "as_json", is_flag=True, help="All that is known of each.")
def list_controls(context: Path, token_file: Path | None, *, as_json: bool) -> None:
    """List promises and their verdicts."""
    answer = Client.open(context, token_file).call("GET", "/v1/controls")
    if as_json:
        show(answer)
        return
    for item in answer["items"]:
        click.echo(f"{item['section']:<11} {item['verdict']:<19} {item['name']}: {item['title']}")


@control_group.command("show")
@connected
@click.argument("control")
def show_control(context: Path, token_file: Path | None, control: str) -> None:
    """Show a promise, by its name or section, and what its verdict rests on."""
    show(Client.open(context, token_file).call("GET", item_path("controls", control)))


@control_group.command("run")
@connected
@click.argument("control")
def run_control(context: Path, token_file: Path | None, control: str) -> None:
    """Have a promise's probes look, and faults be planted for them, as soon as may be.

    What the monitor measures has its own time.
    """
    show(Client.open(context, token_file).call("POST", item_path("controls", control) + "/run"))


@control_group.command("history")
@connected
@click.argument("control")
@click.option("--probe", help="By default the first.")
@click.option("--before", help="The `next` of the page before.")
@click.option("--limit", type=int)
def list_history(
    context: Path,
    token_file: Path | None,
    control: str,
    probe: str | None,
    before: str | None,
    limit: int | None,
) -> None:
    """List a promise's evidence, newest first."""
    query = {"probe": probe, "before": before, "limit": str(limit) if limit is not None else None}
    path = item_path("controls", control) + "/records"
    show(Client.open(context, token_file).call("GET", path, query=query))


@click.command("paper")
@connected
@click.option("--lang", type=click.Choice(["ja", "en"]), help="By default the environment's.")
@click.option(
    "--format", "form", type=click.Choice(["html", "json"]), default="html", show_default=True
)
@click.option("--out", type=click.Path(path_type=Path), help="By default standard output.")
def paper(
    context: Path, token_file: Path | None, lang: str | None, form: str, out: Path | None
) -> None:
    """Fetch the white paper as evidence carries it now. No token is needed."""
    described = Client.open(context, token_file).context
    url = f"{described['api']}/trust?lang={lang or language()}"
    request = urllib.request.Request(url, headers={"Accept": _MEDIA_TYPES[form]})  # noqa: S310 (https, from context)
    tls = ssl.create_default_context(cafile=described["tls_ca"])
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT, context=tls) as answer:  # noqa: S310 (as above)
            octets: bytes = answer.read()
    except urllib.error.URLError as error:
        raise click.ClickException(str(error)) from error
    if form == "json":
        octets = json.dumps(json.loads(octets), indent=2, ensure_ascii=False).encode() + b"\n"
    if out is not None:
        out.write_bytes(octets)
    else:
        sys.stdout.buffer.write(octets)
