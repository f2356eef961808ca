"""`tegata sandbox`: personas against a running demo, through its real door."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import click

from tegata.cli.client import Client
from tegata.cli.connection import connected
from tegata.outbound.system import SystemClock
from tegata.sandbox.keys import SandboxError
from tegata.sandbox.people import PEOPLE, Kind
from tegata.sandbox.personas import Held, Sandbox

_PURPOSE = "sandbox"
_DOCUMENT = "口座開設申込書（サンドボックス）"
_EXIT = {"verified": 0, "refused": 1, "needs_review": 3}
_COULD_NOT_RUN = 2


@click.group("sandbox")
def sandbox_group() -> None:
    """Made-up persons with made-up cards, for a platform that runs with --demo."""


@sandbox_group.command("verify")
@connected
@click.option("--persona", required=True, type=click.Choice(sorted(PEOPLE)), metavar="NAME")
@click.option("--kind", type=click.Choice(["sign", "auth"]), help="By default sign, if there is.")
@click.option("--status", type=click.Choice(["ocsp", "crl"]), default="ocsp", show_default=True)
def verify_command(
    context: Path, token_file: Path | None, persona: str, kind: str | None, status: str
) -> None:
    """Verify a persona; print one JSON line.

    Exit codes: 0 verified, 1 refused, 3 needs review, 2 could not run.
    """
    try:
        client = Client.open(context, token_file)
        answer = _verify(client, persona, kind, status)
    except (click.ClickException, SandboxError) as error:
        text = error.message if isinstance(error, click.ClickException) else str(error)
        click.echo(f"Error: {text}", err=True)
        sys.exit(_COULD_NOT_RUN)
    click.echo(json.dumps(answer, ensure_ascii=False))
    sys.exit(_EXIT[answer["verdict"]])


def _verify(client: Client, persona: str, kind: str | None, status: str) -> dict[str, Any]:
    folder = client.context.get("sandbox")
    if folder is None:
        raise click.ClickException("the platform has no sandbox: start it with --demo")
    held = _held(Sandbox(Path(folder), SystemClock()), persona, kind)
    purpose = {
        "text": "サンドボックスでの本人確認の試行",
        "attributes": ["name", "address", "birth", "sex"],
        "law": "criminal-proceeds",
    }
    client.call("PUT", f"/v1/identity/purposes/{_PURPOSE}", purpose)
    session = client.call("POST", "/v1/identity/sessions", _session(held, status))
    submission = {
        "certificate": base64.b64encode(held.der).decode(),
        "signature": base64.b64encode(held.sign(base64.b64decode(session["intent"]))).decode(),
    }
    decided = client.call("POST", f"/v1/identity/sessions/{session['id']}/submission", submission)
    verdict = decided["verdict"]
    return {
        "verdict": verdict["verdict"],
        "reason": verdict["reason"],
        "text": verdict["text"],
        "advice": verdict["advice"],
        "persona": persona,
        "kind": held.kind.value,
        "session": decided["id"],
        "user": decided["user"],
        "record": decided["record"],
        "checks": [
            {name: each[name] for name in ("name", "outcome", "reason", "source", "at")}
            for each in verdict["checks"]
        ],
    }


def _held(sandbox: Sandbox, persona: str, kind: str | None) -> Held:
    person = sandbox.persona(persona)
    wanted = [Kind(kind)] if kind is not None else [Kind.SIGN, Kind.AUTH]
    for each in wanted:
        held = person.held(each)
        if held is not None:
            return held
    raise click.ClickException(f"the persona {persona} has no {wanted[0]} certificate")


def _session(held: Held, status: str) -> dict[str, Any]:
    session = {
        "kind": held.kind.value,
        "purpose": _PURPOSE,
        "relying_party": "狸銀行（サンドボックス）",
        "origin": "https://bank.example.test",
        "status": status,
    }
    if held.kind is Kind.SIGN:
        session["document"] = hashlib.sha256(_DOCUMENT.encode()).hexdigest()
        session["text"] = _DOCUMENT
    return session
