"""The client commands about certificate profiles; two of them need no platform."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tegata.cli.client import Client, language
from tegata.cli.connection import FILE, connected, item_path, show
from tegata.kernel.wording import translate

if TYPE_CHECKING:
    from tegata.kernel.problem import Problem

_OPTIONAL = click.option(
    "--context",
    type=FILE,
    envvar="TEGATA_CONTEXT",
    help="The context.json of a running platform (or TEGATA_CONTEXT).",
)
_TOKEN = click.option("--token-file", type=FILE, envvar="TEGATA_TOKEN_FILE")


@click.group("profile")
def profile_group() -> None:
    """Certificate profiles: show, check, simulate, put, retire, list."""


@profile_group.command("show")
@_OPTIONAL
@_TOKEN
@click.argument("name")
@click.option("--version", type=int, help="By default the newest that is not retired.")
@click.option("--json", "as_json", is_flag=True, help="All that the platform says of it.")
def show_profile(
    context: Path | None, token_file: Path | None, name: str, version: int | None, as_json: bool
) -> None:
    """Show a profile's document. Without a platform, one that comes with the software."""
    if context is None:
        click.echo(_built_in(name), nl=False)
        return
    query = {"version": str(version) if version is not None else None}
    found = Client.open(context, token_file).call("GET", item_path("profiles", name), query=query)
    if as_json:
        show(found)
    else:
        click.echo(found["document"], nl=False)


@profile_group.command("check")
@_OPTIONAL
@_TOKEN
@click.option("--offline", is_flag=True, help="Ask no platform, even if one is known.")
@click.argument("file", type=FILE)
def check_profile(context: Path | None, token_file: Path | None, offline: bool, file: Path) -> None:
    """Check a profile's document; with a platform, as its next version there."""
    document = _read(file)
    if context is not None and not offline:
        show(Client.open(context, token_file).call("POST", "/v1/profile-checks", document))
        return
    # A second's import that no other command should wait for.
    from tegata.kernel.problem import Problem
    from tegata.profiles.document import parse_document

    try:
        profile = parse_document(document["document"])
    except Problem as problem:
        raise click.ClickException(_explain(problem)) from problem
    click.echo(f"{profile.name}/{profile.version} sha256:{profile.digest}")


@profile_group.command("simulate")
@connected
@click.argument("file", type=FILE)
@click.option("--last", type=int, default=100, show_default=True, help="How many certificates.")
@click.option("--of", help="Certificates of this profile; by default the one the file names.")
@click.option("--json", "as_json", is_flag=True)
def simulate_profile(
    context: Path, token_file: Path | None, file: Path, last: int, of: str | None, as_json: bool
) -> None:
    """Show what a document would have refused among the last certificates."""
    body: dict[str, Any] = {**_read(file), "last": last} | ({"of": of} if of is not None else {})
    answer = Client.open(context, token_file).call("POST", "/v1/profile-simulations", body)
    if as_json:
        show(answer)
        return
    for item in answer["items"]:
        click.echo(f"{item['id']} {item['subject']}")
        for each in item["findings"]:
            click.echo(f"    {each['severity']}: {each['code']}: {each['message']}")
    summary = translate(
        "{of}: {examined} certificates examined; {refused} would have been refused, "
        "{changed} changed.",
        language(),
    )
    click.echo(summary.format(**answer))


@profile_group.command("put")
@connected
@click.argument("file", type=FILE)
def put_profile(context: Path, token_file: Path | None, file: Path) -> None:
    """Put a document as a new version of the profile that it names."""
    document = _read(file)
    client = Client.open(context, token_file)
    name = client.call("POST", "/v1/profile-checks", document)["name"]
    show(client.call("PUT", item_path("profiles", name), document))


@profile_group.command("retire")
@connected
@click.argument("name")
@click.option("--version", type=int, help="By default the newest.")
def retire_profile(context: Path, token_file: Path | None, name: str, version: int | None) -> None:
    """Retire a version of a profile, for good."""
    path = item_path("profiles", name) + "/retire"
    Client.open(context, token_file).call("POST", path, {"version": version})


def _read(file: Path) -> dict[str, str]:
    try:
        return {"document": file.read_text("utf-8")}
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{file}: {error}") from error


def _built_in(name: str) -> str:
    from tegata.profiles.catalogue import CATALOGUE, built_in_document

    if name not in CATALOGUE:
        known = ", ".join(CATALOGUE)
        raise click.ClickException(f"{name}: not one of {known}; give --context for others")
    return built_in_document(name)


def _explain(problem: Problem) -> str:
    lines = []
    for each in problem.findings:
        text = translate(each.key, language()).format(**dict(each.values))
        lines.append(f"{each.place}: {text}" if each.place else text)
    return "\n".join(lines)
