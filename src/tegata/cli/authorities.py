"""The commands on certification authorities, and the stop switch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tegata.cli.client import Client
from tegata.cli.connection import FILE, connected, item_path, show
from tegata.cli.take_over import revoke_serial, take_over_group
from tegata.issuance.outline import outline

_KINDS = click.Choice(["root", "subordinate", "issuing"])


@click.group("ca")
def ca_group() -> None:
    """Certification authorities: create, draw, re-key, stop."""


@ca_group.command("create")
@connected
@click.argument("name")
@click.option("--kind", type=_KINDS, required=True, help="subordinate has CAs below it.")
@click.option("--parent", help="The id of the CA above; none for a root.")
@click.option("--external", is_flag=True, help="To be certified elsewhere: see csr, install.")
@click.option("--subject", multiple=True, metavar="ATTRIBUTE=VALUE", help="commonName=...")
@click.option("--key-algorithm", default="p256", show_default=True)
@click.option("--signature-algorithm", help="By default the key's usual one.")
@click.option("--path-length", type=int, help="How many CAs may stand below it in a path.")
@click.option("--days", type=int, help="How long it is valid; by default as its profile says.")
@click.option("--permit", multiple=True, metavar="KIND:BASE", help="dns:example.co.jp")
@click.option("--exclude", multiple=True, metavar="KIND:BASE", help="ip:192.0.2.0/24")
@click.option("--policy", multiple=True, metavar="OID", help="A certificate policy.")
def create(
    context: Path,
    token_file: Path | None,
    name: str,
    kind: str,
    subject: tuple[str, ...],
    permit: tuple[str, ...],
    exclude: tuple[str, ...],
    policy: tuple[str, ...],
    days: int | None,
    **given: Any,
) -> None:
    """Create a CA. Asking again for the same finds it."""
    attributes = dict(each.partition("=")[::2] for each in subject) or {"commonName": name}
    body: dict[str, Any] = {"name": name, "kind": kind, "subject": attributes}
    body |= {key: value for key, value in given.items() if value is not None}
    body |= {"validity_days": days} if days is not None else {}
    if permit or exclude:
        body["name_constraints"] = {"permitted": list(permit), "excluded": list(exclude)}
    body["policies"] = [{"identifier": each} for each in policy]
    show(Client.open(context, token_file).call("POST", "/v1/issuers", body))


@ca_group.command("list")
@connected
def list_authorities(context: Path, token_file: Path | None) -> None:
    """List CAs."""
    show(Client.open(context, token_file).collect("/v1/issuers"))


@ca_group.command("tree")
@connected
def tree(context: Path, token_file: Path | None) -> None:
    """Draw the hierarchy: names, states, algorithms, ends."""
    items = Client.open(context, token_file).collect("/v1/issuers")["items"]
    for line in draw(items):
        click.echo(line)


def draw(items: list[dict[str, Any]]) -> list[str]:
    """The hierarchy in lines; a CA whose parent is not among the items stands at the left."""
    known = {item["id"] for item in items}
    below: dict[str | None, list[dict[str, Any]]] = {}
    for item in items:
        below.setdefault(item["parent"] if item["parent"] in known else None, []).append(item)
    lines: list[str] = []

    def branch(parent: str | None, lead: str) -> None:
        children = below.get(parent, [])
        for place, item in enumerate(children):
            last = place == len(children) - 1
            mark = "" if parent is None else ("└── " if last else "├── ")
            lines.append(lead + mark + _line(item))
            branch(item["id"], lead + ("" if parent is None else "    " if last else "│   "))

    branch(None, "")
    return lines


def _line(item: dict[str, Any]) -> str:
    # A name is somebody's text: nothing of it may move the cursor.
    name = "".join(each if each.isprintable() else "�" for each in item["name"])
    end = item["not_after"][:10] or "-"
    algorithms = f"{item['key_algorithm']}/{item['signature_algorithm']}"
    return f"{name}  [{item['kind']}, {item['state']}]  {algorithms}  {end}  {item['id']}"


@ca_group.command("show")
@connected
@click.argument("identifier")
def show_authority(context: Path, token_file: Path | None, identifier: str) -> None:
    """Show a CA."""
    show(Client.open(context, token_file).call("GET", item_path("issuers", identifier)))


@ca_group.command("csr")
@connected
@click.argument("identifier")
def csr(context: Path, token_file: Path | None, identifier: str) -> None:
    """Print the request of a CA that waits for its certificate."""
    found = Client.open(context, token_file).call("GET", item_path("issuers", identifier))
    if not found.get("csr"):
        raise click.ClickException("the CA has its certificate")
    click.echo(found["csr"], nl=False)


@ca_group.command("install")
@connected
@click.argument("identifier")
@click.argument("file", type=FILE)
def install(context: Path, token_file: Path | None, identifier: str, file: Path) -> None:
    """Install a certificate and those above it up to a root: a PEM file."""
    path = item_path("issuers", identifier) + "/certificate"
    body = {"certificate": file.read_text()}
    show(Client.open(context, token_file).call("POST", path, body))


@ca_group.command("rekey")
@connected
@click.argument("identifier")
@click.option("--key-algorithm", help="By default as before.")
@click.option("--signature-algorithm", help="By default as before.")
def rekey(context: Path, token_file: Path | None, identifier: str, **given: str | None) -> None:
    """Make a CA's next generation, and retire this one."""
    path = item_path("issuers", identifier) + "/rekey"
    body = {key: value for key, value in given.items() if value is not None}
    show(Client.open(context, token_file).call("POST", path, body))


@ca_group.command("revoke")
@connected
@click.argument("identifier")
@click.option("--reason", default="cACompromise", show_default=True)
def revoke(context: Path, token_file: Path | None, identifier: str, reason: str) -> None:
    """Revoke a subordinate CA's certificate, for good."""
    path = item_path("issuers", identifier) + "/revoke"
    show(Client.open(context, token_file).call("POST", path, {"reason": reason}))


@ca_group.command("publish-policy")
@connected
@click.argument("identifier")
@click.argument("file", type=FILE)
@click.option("--title", required=True)
@click.option("--language", type=click.Choice(["en", "ja"]), default="en", show_default=True)
def publish_policy(
    context: Path, token_file: Path | None, identifier: str, file: Path, title: str, language: str
) -> None:
    """Publish a version of a CP or CPS (RFC 3647): Markdown, or plain text (.txt)."""
    media_type = "text/plain" if file.suffix == ".txt" else "text/markdown"
    body = {
        "title": title,
        "text": file.read_text("utf-8"),
        "language": language,
        "media_type": media_type,
    }
    path = item_path("issuers", identifier) + "/policies"
    show(Client.open(context, token_file).call("PUT", path, body))


@ca_group.command("policy-outline")
@click.option("--language", type=click.Choice(["en", "ja"]), default="en", show_default=True)
def policy_outline(language: str) -> None:
    """Print a CP or CPS to be filled in: Markdown with every section of RFC 3647."""
    click.echo(outline(language), nl=False)


ca_group.add_command(take_over_group)
ca_group.add_command(revoke_serial)


def _act(name: str, text: str) -> click.Command:
    @click.command(name, help=text)
    @connected
    @click.argument("identifier")
    def command(context: Path, token_file: Path | None, identifier: str) -> None:
        path = item_path("issuers", identifier) + f"/{name}"
        show(Client.open(context, token_file).call("POST", path))

    return command


for _name, _text in (
    ("disable", "Have a CA issue no more for now."),
    ("enable", "Have a disabled CA issue again."),
    ("retire", "Have a CA issue no more, for good; what it issued keeps its status."),
):
    ca_group.add_command(_act(_name, _text))


def _switch(name: str, tail: str, text: str) -> click.Command:
    @click.command(name, help=text)
    @connected
    @click.option("--issuer", help="Only this CA.")
    @click.option("--tenant", help="This tenant (operators).")
    @click.option("--platform", is_flag=True, help="All tenants (operators).")
    def command(
        context: Path,
        token_file: Path | None,
        issuer: str | None,
        tenant: str | None,
        platform: bool,
    ) -> None:
        if (issuer is not None) + (tenant is not None) + platform > 1:
            raise click.UsageError("give one of --issuer, --tenant and --platform")
        path = f"/v1/platform/{name}" if platform else f"/v1/issuance/{name}"
        if issuer is not None:
            path = item_path("issuers", issuer) + f"/{name}"
        if tenant is not None:
            path = item_path("tenants", tenant) + f"/{tail}"
        show(Client.open(context, token_file).call("POST", path))

    return command


stop = _switch("stop", "stop", "Stop all issuance of the tenant, or what the options say.")
resume = _switch("resume", "resume-issuance", "Take a stop back.")
