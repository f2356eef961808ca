"""Every persona's verdict, as docs/reference/personas.md has it: card, agent and service."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tegata.cli.client import Client
from tegata.main.sandbox_play import verify_persona
from tegata.outbound.system import SystemClock
from tegata.sandbox.authority import CrlFault, OcspFault
from tegata.sandbox.card.issue import CardFaults
from tegata.sandbox.numbers import impossible_number
from tegata.sandbox.people import PEOPLE, Kind
from tegata.sandbox.personas import Sandbox
from tests.house.source import ROOT
from tests.journeys.platform import TEGATA, Server, environment, running

ROW = re.compile(r"\| `([a-z-]+)` \| .* \| `([^`]+)` \| `([^`]+)` \|")
TABLE = {
    row[0]: {Kind.SIGN: row[1], Kind.AUTH: row[2]}
    for row in ROW.findall((ROOT / "docs" / "reference" / "personas.md").read_text())
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("personas") / "data", "--demo") as server:
        yield server


@pytest.fixture(scope="module")
def client(demo: Server) -> Client:
    return Client.open(demo.data / "context.json", None)


@pytest.fixture(scope="module")
def sandbox(demo: Server) -> Sandbox:
    return Sandbox(demo.data / "sandbox", SystemClock())


def played(
    client: Client,
    sandbox: Sandbox,
    persona: str,
    kind: Kind = Kind.SIGN,
    status: str = "ocsp",
    faults: CardFaults | None = None,
) -> dict[str, Any]:
    return verify_persona(client, sandbox, persona, kind, status, faults or CardFaults())


def said(answer: dict[str, Any]) -> str:
    return " ".join(filter(None, (answer["verdict"], answer["reason"])))


def test_the_table_has_every_persona() -> None:
    assert list(TABLE) == list(PEOPLE)


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("persona", TABLE)
def test_every_persona_has_the_verdict_that_is_documented(
    client: Client, sandbox: Sandbox, persona: str, kind: Kind
) -> None:
    answer = played(client, sandbox, persona, kind)
    assert said(answer) == TABLE[persona][kind]
    assert answer["checks"] or answer["reason"].startswith("card.")


@pytest.mark.parametrize("persona", ["ordinary", "moved", "on-hold", "renewed-twice", "phone"])
def test_a_list_says_what_the_responder_says(
    client: Client, sandbox: Sandbox, persona: str
) -> None:
    assert said(played(client, sandbox, persona, status="crl")) == TABLE[persona][Kind.SIGN]


def test_a_person_is_one_user_with_both_certificates(client: Client, sandbox: Sandbox) -> None:
    users = {played(client, sandbox, "renewed-twice", kind)["user"] for kind in Kind}
    assert len(users) == 1


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        (CardFaults(frozenset({"sign"})), "card.pin-blocked"),
        (CardFaults(pull_after=1), "card.removed"),
        (CardFaults(pull_after=30), "card.removed"),
    ],
)
def test_a_fault_of_the_card_ends_in_its_own_reason(
    client: Client, sandbox: Sandbox, faults: CardFaults, reason: str
) -> None:
    answer = played(client, sandbox, "ordinary", faults=faults)
    assert said(answer) == f"refused {reason}"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (OcspFault.TRY_LATER, "status.try-later"),
        (OcspFault.STALE, "status.stale"),
        (OcspFault.UNKNOWN, "status.unknown"),
    ],
)
def test_a_fault_of_the_responder_never_becomes_a_yes(
    client: Client, sandbox: Sandbox, fault: OcspFault, reason: str
) -> None:
    sandbox.jlis.plant(ocsp=fault)
    try:
        answer = played(client, sandbox, "ordinary")
    finally:
        sandbox.jlis.plant()
    assert said(answer) == f"refused {reason}"


def test_a_gap_in_the_lists_never_becomes_a_yes(client: Client, sandbox: Sandbox) -> None:
    # Of a municipality whose list nobody has asked for before: a list is kept until it ends.
    sandbox.jlis.plant(crl=CrlFault.GAP, city="Otaru-shi")
    try:
        answer = played(client, sandbox, "overseas", status="crl")
    finally:
        sandbox.jlis.plant()
    assert said(answer) == "refused status.no-list"


@pytest.mark.parametrize(
    ("persona", "code"), [("ordinary", 0), ("revoked", 1), ("substitute-characters", 3)]
)
def test_the_command_prints_one_line_and_ends_with_the_verdict(
    demo: Server, persona: str, code: int
) -> None:
    done = command(demo, "--persona", persona)
    assert done.returncode == code, done.stderr
    (line,) = done.stdout.splitlines()
    answer = json.loads(line)
    assert {"verdict", "reason", "checks"} <= answer.keys()
    assert said(answer) == TABLE[persona][Kind.SIGN]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--persona", "nobody"),
        ("--persona", "ordinary", "--context", "/nonexistent"),
        ("--persona", "ordinary", "--token-file", "/nonexistent"),
    ],
)
def test_a_command_that_cannot_run_says_so(demo: Server, arguments: tuple[str, ...]) -> None:
    done = command(demo, *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Error: " in done.stderr


def command(demo: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TEGATA, "sandbox", "verify", *arguments],
        env=environment() | {"TEGATA_CONTEXT": str(demo.data / "context.json")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_store_and_log_have_no_pin_no_number_and_no_attribute_in_the_clear(
    demo: Server, client: Client, sandbox: Sandbox
) -> None:
    for kind in Kind:
        played(client, sandbox, "former-name", kind)
    kept = [file for file in demo.data.iterdir() if file.is_file()]
    assert (demo.data / "tegata.sqlite") in kept
    octets = b"".join(file.read_bytes() for file in kept) + (demo.log + demo.printed).encode()
    assert b"ten_demo" in octets
    person = PEOPLE["former-name"]
    for secret in (
        "TEGATA99",
        impossible_number(person),
        person.attributes.name,
        person.attributes.address,
        "田中　彩",
    ):
        assert secret.encode() not in octets
