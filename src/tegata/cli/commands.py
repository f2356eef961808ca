"""The client commands."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from tegata.cli.authorities import ca_group, resume, stop
from tegata.cli.bulk import bulk_group
from tegata.cli.client import Client
from tegata.cli.connection import FILE, F, connected, item_path
from tegata.cli.connection import show as show_answer
from tegata.cli.profiles import profile_group
from tegata.cli.renewals import rekey, renew
from tegata.cli.timestamps import tsa_group

_KEYS_AT_ONCE = 1000


@click.group("certificate")
def certificate() -> None:
    """Certificates: issue, show, list, renew, re-key, revoke, hold, release."""


@certificate.command("issue")
@connected
@click.option("--issuer", help="By default the context's.")
@click.option("--profile", default="tls-server", show_default=True)
@click.option("--csr", type=FILE, required=True, help="A PKCS #10 request in PEM.")
@click.option("--out", type=click.Path(path_type=Path), help="Write certificate and path here.")
@click.option("--idempotency-key", help="Makes a retry return the first certificate.")
def issue(
    context: Path,
    token_file: Path | None,
    issuer: str | None,
    profile: str,
    csr: Path,
    out: Path | None,
    idempotency_key: str | None,
) -> None:
    """Issue a certificate for a certification request."""
    client = Client.open(context, token_file)
    chosen = issuer or client.context.get("issuer")
    if chosen is None:
        raise click.ClickException("give --issuer: the context names none")
    body = {"issuer": chosen, "profile": profile, "csr": csr.read_text()}
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    answer = client.call("POST", "/v1/certificates", body, headers=headers)
    if out is not None:
        out.write_text(answer["certificate"] + "".join(answer["chain"]))
    show_answer(answer)


@certificate.command("show")
@connected
@click.argument("identifier")
def show(context: Path, token_file: Path | None, identifier: str) -> None:
    """Show a certificate and its status."""
    show_answer(Client.open(context, token_file).call("GET", item_path("certificates", identifier)))


@certificate.command("get")
@connected
@click.argument("identifier")
@click.option(
    "--format",
    "form",
    type=click.Choice(["pem", "der", "chain", "pkcs7"]),
    default="pem",
    show_default=True,
    help="chain is PEM without the root; pkcs7 has all certificates, in DER.",
)
@click.option("--out", type=click.Path(path_type=Path), help="By default standard output.")
def get(
    context: Path, token_file: Path | None, identifier: str, form: str, out: Path | None
) -> None:
    """Download a certificate."""
    client = Client.open(context, token_file)
    octets = client.fetch("GET", item_path("certificates", identifier), query={"format": form})
    if out is not None:
        out.write_bytes(octets)
    else:
        sys.stdout.buffer.write(octets)


_FILTERS = (
    ("--issuer", "Only of this issuer."),
    ("--profile", "Only of this profile."),
    ("--state", "valid, revoked, held or expired."),
    ("--expires-after", "A date, or a time as RFC 3339 writes it."),
    ("--expires-before", "A date, or a time as RFC 3339 writes it."),
    ("--name", "KIND:VALUE; kinds are dns, ip, email, uri."),
    ("--name-prefix", "KIND:VALUE; dns:example.com is that name and its subtree."),
    ("--dns-name", "The same as --name dns:..."),
    ("--subject", "As lists show it."),
    ("--subject-prefix", "How the subject begins."),
    ("--serial", "Hexadecimal."),
    ("--serial-prefix", "Hexadecimal; at least 10 digits without --issuer."),
    ("--fingerprint", "SHA-256 of the DER, hexadecimal."),
    ("--fingerprint-prefix", "At least 8 digits."),
    ("--after", "The `next` of the page before."),
)


def _filters(function: F) -> F:
    """The options of a search."""
    for name, text in reversed(_FILTERS):
        function = click.option(name, help=text)(function)
    return function


@certificate.command("list")
@connected
@_filters
@click.option("--limit", type=int)
def list_certificates(
    context: Path, token_file: Path | None, limit: int | None, **filters: str | None
) -> None:
    """List and search certificates."""
    query = {**filters, "limit": str(limit) if limit is not None else None}
    show_answer(Client.open(context, token_file).call("GET", "/v1/certificates", query=query))


@certificate.command("revoke")
@connected
@click.argument("identifier")
@click.option("--reason", default="unspecified", show_default=True, help="As RFC 5280 names it.")
@click.option("--invalidity-date", help="Since when it is not good: RFC 3339, with a time zone.")
def revoke(
    context: Path,
    token_file: Path | None,
    identifier: str,
    reason: str,
    invalidity_date: str | None,
) -> None:
    """Revoke a certificate, for good (what is on hold as well)."""
    body = {"reason": reason}
    body |= {"invalidity_date": invalidity_date} if invalidity_date is not None else {}
    _change(context, token_file, identifier, "revoke", body)


@certificate.command("hold")
@connected
@click.argument("identifier")
def hold(context: Path, token_file: Path | None, identifier: str) -> None:
    """Put a certificate on hold; it can be released."""
    _change(context, token_file, identifier, "revoke", {"reason": "certificateHold"})


@certificate.command("release")
@connected
@click.argument("identifier")
def release(context: Path, token_file: Path | None, identifier: str) -> None:
    """Release a certificate that is on hold."""
    _change(context, token_file, identifier, "release", None)


def _change(
    context: Path, token_file: Path | None, identifier: str, act: str, body: dict[str, Any] | None
) -> None:
    client = Client.open(context, token_file)
    show_answer(client.call("POST", f"{item_path('certificates', identifier)}/{act}", body))


def _lister(name: str, path: str, text: str, *, paged: bool = True) -> click.Command:
    @click.command(name, help=text)
    @connected
    def command(context: Path, token_file: Path | None) -> None:
        client = Client.open(context, token_file)
        show_answer(client.collect(path) if paged else client.call("GET", path))

    return command


@click.group("issuer")
def issuer_group() -> None:
    """Certification authorities."""


@click.group("notice")
def notice_group() -> None:
    """Notices by mail before certificates expire."""


@notice_group.command("set")
@connected
@click.option("--address", "addresses", multiple=True, help="Whom to tell; none turns it off.")
@click.option("--days", multiple=True, type=int, help="How many days before: 30, 14, 7 and 1.")
@click.option("--language", type=click.Choice(["en", "ja"]), default="en", show_default=True)
def set_notices(
    context: Path,
    token_file: Path | None,
    addresses: tuple[str, ...],
    days: tuple[int, ...],
    language: str,
) -> None:
    """Say who is told before certificates expire, and when."""
    body: dict[str, Any] = {"addresses": list(addresses), "language": language}
    body |= {"days": list(days)} if days else {}
    show_answer(Client.open(context, token_file).call("PUT", "/v1/expiry-notices", body))


@click.group("token")
def token_group() -> None:
    """Tokens: create, list, revoke."""


@token_group.command("create")
@connected
@click.argument("name")
@click.option("--action", "actions", multiple=True, help="Bound it to actions.")
@click.option("--issuer", "issuers", multiple=True, help="Bound it to issuers.")
def create_token(
    context: Path,
    token_file: Path | None,
    name: str,
    actions: tuple[str, ...],
    issuers: tuple[str, ...],
) -> None:
    """Create a token; its secret is shown once."""
    body: dict[str, Any] = {"name": name}
    body |= {"actions": list(actions)} if actions else {}
    body |= {"issuers": list(issuers)} if issuers else {}
    show_answer(Client.open(context, token_file).call("POST", "/v1/tokens", body))


@token_group.command("revoke")
@connected
@click.argument("identifier")
def revoke_token(context: Path, token_file: Path | None, identifier: str) -> None:
    """Revoke a token, for good."""
    Client.open(context, token_file).call("DELETE", item_path("tokens", identifier))


@click.group("refused-key")
def refused_key_group() -> None:
    """Keys that must not be certified: add, allow again, list."""


@refused_key_group.command("add")
@connected
@click.argument("file", type=FILE)
def add_refused_keys(context: Path, token_file: Path | None, file: Path) -> None:
    """Refuse the keys of a file: a SHA-256 of a SubjectPublicKeyInfo in hexadecimal on each line.

    An operator's are refused to all tenants.
    """
    keys = [line.split()[0] for line in file.read_text().splitlines() if line.split()]
    keys = [key for key in keys if not key.startswith("#")]
    client = Client.open(context, token_file)
    for first in range(0, len(keys), _KEYS_AT_ONCE):
        client.call("POST", "/v1/refused-keys", {"keys": keys[first : first + _KEYS_AT_ONCE]})
    show_answer({"keys": len(keys)})


@refused_key_group.command("allow")
@connected
@click.argument("keys", nargs=-1, required=True, metavar="DIGEST...")
def allow_keys(context: Path, token_file: Path | None, keys: tuple[str, ...]) -> None:
    """Take keys off one's own list again: all of them, or none.

    A key that was revoked for compromise stays refused for good.
    """
    body = {"keys": list(keys)}
    Client.open(context, token_file).call("POST", "/v1/refused-keys/allow", body)
    show_answer({"keys": len(keys)})


@refused_key_group.command("list")
@connected
@click.option("--after", help="The `next` of the page before.")
@click.option("--limit", type=int)
def list_refused_keys(
    context: Path, token_file: Path | None, after: str | None, limit: int | None
) -> None:
    """List refused keys, by digest."""
    query = {"after": after, "limit": str(limit) if limit is not None else None}
    show_answer(Client.open(context, token_file).call("GET", "/v1/refused-keys", query=query))


@click.group("tenant")
def tenant_group() -> None:
    """Tenants (operators only)."""


@tenant_group.command("open")
@connected
@click.argument("name")
def open_tenant(context: Path, token_file: Path | None, name: str) -> None:
    """Open a tenant with a root, an issuing CA and an administrator's token."""
    show_answer(Client.open(context, token_file).call("POST", "/v1/tenants", {"name": name}))


@tenant_group.command("token")
@connected
@click.argument("tenant")
@click.option("--name", default="administrator", show_default=True)
def create_tenant_token(context: Path, token_file: Path | None, tenant: str, name: str) -> None:
    """Create an administrator's token for a tenant."""
    path = item_path("tenants", tenant) + "/tokens"
    show_answer(Client.open(context, token_file).call("POST", path, {"name": name}))


certificate.add_command(renew)
certificate.add_command(rekey)
issuer_group.add_command(_lister("list", "/v1/issuers", "List certification authorities."))
notice_group.add_command(
    _lister("show", "/v1/expiry-notices", "Show who is told, and when.", paged=False)
)
profile_group.add_command(_lister("list", "/v1/profiles", "List certificate profiles."))
token_group.add_command(_lister("list", "/v1/tokens", "List tokens, without their secrets."))
tenant_group.add_command(_lister("list", "/v1/tenants", "List tenants."))

CLIENT_COMMANDS: tuple[click.Command, ...] = (
    certificate,
    bulk_group,
    issuer_group,
    ca_group,
    stop,
    resume,
    profile_group,
    notice_group,
    tsa_group,
    token_group,
    refused_key_group,
    tenant_group,
)
