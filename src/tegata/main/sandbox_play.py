"""A persona plays: its card is held to the agent, which talks to the running platform."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tegata.agent.card import MyNumberCard, Pin
from tegata.agent.flow import CardCheck, CardFlow
from tegata.agent.problems import CardCode, CardProblem
from tegata.agent.session import AskedSession, read_session
from tegata.agent.wording import explain
from tegata.cli.client import Client
from tegata.outbound.system import SystemRandomness
from tegata.sandbox.card.card import Card, CardPulled
from tegata.sandbox.card.issue import (
    AUTH_PIN,
    SIGN_PIN,
    TEXT_PIN,
    CardFaults,
    insert_card,
    trusted_card_keys,
)
from tegata.sandbox.people import PEOPLE, Kind
from tegata.sandbox.personas import Sandbox

_PURPOSE = "sandbox"
_DOCUMENT = "口座開設申込書（サンドボックス）"
_PINS = {Pin.AUTHENTICATE: AUTH_PIN, Pin.SIGN: SIGN_PIN, Pin.TEXT: TEXT_PIN}


@dataclass(frozen=True, slots=True)
class CardInHand:
    """An emulated card as the agent's transport."""

    card: Card

    def transmit(self, command: bytes) -> bytes:
        """The card's answer, or that it was taken away."""
        try:
            return self.card.apdu(command)
        except CardPulled as error:
            raise CardProblem(CardCode.REMOVED) from error


class Willing:
    """A persona that agrees to everything and knows its PINs."""

    def agrees(self, session: AskedSession) -> bool:
        """Yes."""
        del session
        return True

    def pin(self, pin: Pin, tries: int) -> str:
        """As every card of the sandbox was issued."""
        del tries
        return _PINS[pin].decode()

    def dares(self, pin: Pin) -> bool:
        """Yes: the PIN is known."""
        del pin
        return True


def verify_persona(
    client: Client, sandbox: Sandbox, persona: str, kind: Kind, status: str, faults: CardFaults
) -> dict[str, Any]:
    """Open a session as the relying tenant, sign it as the persona, and tell the verdict.

    What the agent itself refuses never reaches the platform, and is told as a verdict of its own.
    """
    card = insert_card(sandbox, persona, SystemRandomness(), faults)
    keys = {
        identifier: key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        for identifier, key in trusted_card_keys(sandbox).items()
    }
    flow = CardFlow(MyNumberCard(CardInHand(card)), Willing(), keys, check_text=True)
    client.call("PUT", f"/v1/identity/purposes/{_PURPOSE}", _declaration())
    session = client.call("POST", "/v1/identity/sessions", _session(kind, status))
    told = {"persona": persona, "kind": kind.value, "session": session["id"]}
    try:
        body = flow.run(read_session(session, None))
    except CardProblem as problem:
        return {
            "verdict": "refused",
            "reason": problem.code.value,
            "text": explain(problem),
            "advice": "",
            **told,
            "user": None,
            "record": None,
            "checks": [_card_check(check) for check in flow.checks],
        }
    path = f"/v1/identity/sessions/{session['id']}"
    decided = client.call("POST", f"{path}/submission", body)
    verdict = decided["verdict"]
    answer = {
        **{name: verdict[name] for name in ("verdict", "reason", "text", "advice")},
        **told,
        "user": decided["user"],
        "record": decided["record"],
        "checks": [
            *({name: each[name] for name in _CHECK} for each in verdict["checks"]),
            *(_card_check(check) for check in flow.checks if check.name == "card-text"),
        ],
    }
    if kind is Kind.SIGN and verdict["verdict"] == "verified":
        _compare(answer, client.call("POST", f"{path}/match", {"claims": _claims(persona)}))
    return answer


_CHECK = ("name", "outcome", "reason", "source")
# What a comparison comes to, as a check, and what the verdict becomes if it is the worst.
_COMPARED = {
    "match": ("pass", None, None),
    "needs_review": ("not_performed", "attributes.substituted-characters", "needs_review"),
    "mismatch": ("fail", "attributes.mismatch", "refused"),
}


def _claims(persona: str) -> dict[str, str]:
    """What the persona writes on the relying tenant's form."""
    person = PEOPLE[persona]
    own = person.attributes
    return {
        "name": person.written_name or own.name,
        "address": own.address,
        "birth": own.birth.isoformat(),
        "sex": own.sex,
    }


def _compare(answer: dict[str, Any], compared: dict[str, str]) -> None:
    """Do with a comparison what a careful tenant would: look where somebody must look."""
    for name, result in compared.items():
        outcome, reason, verdict = _COMPARED[result]
        answer["checks"].append(
            {"name": f"match.{name}", "outcome": outcome, "reason": reason, "source": "form"}
        )
        if verdict is not None and answer["verdict"] != "refused":
            answer["verdict"], answer["reason"] = verdict, reason


def _card_check(check: CardCheck) -> dict[str, str | None]:
    return {
        "name": check.name,
        "outcome": check.outcome.value,
        "reason": check.reason,
        "source": "agent",
    }


def _declaration() -> dict[str, Any]:
    return {
        "text": "サンドボックスでの本人確認の試行",
        "attributes": ["name", "address", "birth", "sex"],
        "law": "criminal-proceeds",
    }


def _session(kind: Kind, status: str) -> dict[str, Any]:
    session = {
        "kind": kind.value,
        "purpose": _PURPOSE,
        "relying_party": "狸銀行（サンドボックス）",
        "origin": "https://bank.example.test",
        "status": status,
    }
    if kind is Kind.SIGN:
        session["document"] = hashlib.sha256(_DOCUMENT.encode()).hexdigest()
        session["text"] = _DOCUMENT
    return session
