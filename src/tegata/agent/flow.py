"""From a session to a submission: show, check the card, ask for the PIN, sign."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NoReturn, Protocol

from tegata.agent.card import PIN_OF, ChipProof, MyNumberCard, Pin, checked_pin
from tegata.agent.problems import CardCode, CardProblem
from tegata.agent.session import AskedSession
from tegata.pkix.card_text import (
    CardDataForged,
    CardDataInvalid,
    CardIssuerUnknown,
    CardVerifiable,
    parse_card_verifiable,
    trusted_signer,
    verify_chip,
    verify_chip_key,
    verify_text,
)
from tegata.pkix.intent import Intent, IntentPurpose, chip_octets


class Outcome(StrEnum):
    """What a check on the card came to."""

    PASS = "pass"
    FAIL = "fail"
    NOT_PERFORMED = "not_performed"


@dataclass(frozen=True, slots=True)
class CardCheck:
    """A check that the agent made: of the chip, or of the card's text. `reason` says why not."""

    name: str
    outcome: Outcome
    reason: str | None = None


class Person(Protocol):
    """The person at the card."""

    def agrees(self, session: AskedSession) -> bool:
        """Show what is to be signed and for whom, and ask whether to go on."""
        ...

    def pin(self, pin: Pin, tries: int) -> str:
        """Ask for a PIN, saying how many tries are left."""
        ...

    def dares(self, pin: Pin) -> bool:
        """Ask whether to use the last try."""
        ...


@dataclass(slots=True)
class CardFlow:
    """One card and one person.

    `trusted` has the keys that certify cards' data, by key identifier; without any the issuer of
    what a card says is not checked, and the checks say so. `check_text` reads the attributes on the
    card, for which the person gives another PIN.
    """

    card: MyNumberCard
    person: Person
    trusted: Mapping[bytes, bytes]
    check_text: bool = False
    checks: list[CardCheck] = field(default_factory=list)

    def run(self, session: AskedSession) -> dict[str, object]:
        """The body of a submission; `CardProblem` when there is to be none."""
        if not self.person.agrees(session):
            raise CardProblem(CardCode.DECLINED)
        intent = session.intent
        self._require_certificate(intent.purpose)
        chip = self._chip(intent)
        if self.check_text:
            self._text(chip)
        certificate, signature = self.card.sign(intent, self._pin(intent.purpose))
        body: dict[str, object] = {
            "certificate": _base64(certificate),
            "signature": _base64(signature),
        }
        if chip is not None:
            body["chip"] = {
                "certificate": _base64(chip.certificate),
                "key": _base64(chip.key),
                "signature": _base64(chip.signature),
            }
        return body

    def _require_certificate(self, purpose: IntentPurpose) -> None:
        status = self.card.status()
        if purpose is IntentPurpose.SIGN and not status.signing:
            raise CardProblem(CardCode.NO_SIGNING_CERTIFICATE)
        if purpose is IntentPurpose.AUTHENTICATE and not status.authentication:
            raise CardProblem(CardCode.NO_AUTHENTICATION_CERTIFICATE)

    def _pin(self, purpose: IntentPurpose) -> str | None:
        pin = PIN_OF[purpose]
        tries = self.card.tries(pin)
        if not tries:
            # Blocked, or a card that authenticates without one: the card itself knows.
            return None
        return self._asked(pin, tries)

    def _asked(self, pin: Pin, tries: int) -> str:
        if tries == 1 and not self.person.dares(pin):
            raise CardProblem(CardCode.LAST_TRY)
        return checked_pin(pin, self.person.pin(pin, tries))

    def _chip(self, intent: Intent) -> ChipProof | None:
        """The chip's proof, looked at here before the person signs anything with the card."""
        try:
            proof = self.card.chip(intent.session, intent.challenge)
            if proof is None:
                self._note("chip", Outcome.NOT_PERFORMED, "no-text-application")
                return None
            signer = self._signer(proof.certificate)
            key = verify_chip_key(proof.key, signer)
            verify_chip(key, chip_octets(intent.session, intent.challenge), proof.signature)
        except CardProblem as problem:
            self._failed("chip", problem.code, problem)
        except CardIssuerUnknown as error:
            self._failed("chip", CardCode.CHIP_KEY_UNKNOWN, error)
        except CardDataInvalid as error:
            self._failed("chip", CardCode.CHIP_MALFORMED, error)
        except CardDataForged as error:
            self._failed("chip", CardCode.CHIP_CLONED, error)
        if self.trusted:
            self._note("chip", Outcome.PASS)
            return proof
        # It holds together, but nobody has said whose key certified it.
        self._note("chip", Outcome.NOT_PERFORMED, "issuer-not-configured")
        return proof

    def _signer(self, certificate: bytes) -> CardVerifiable:
        if self.trusted:
            return trusted_signer(certificate, self.trusted)
        return parse_card_verifiable(certificate)

    def _text(self, chip: ChipProof | None) -> None:
        """Authenticate the attributes on the card; nothing of them is kept or sent."""
        tries = self.card.tries(Pin.TEXT) if chip is not None else None
        if chip is None or tries is None:
            self._note("card-text", Outcome.NOT_PERFORMED, "no-text-application")
            return
        if tries == 0:
            raise CardProblem(CardCode.PIN_BLOCKED)
        attributes, signed = self.card.text(self._asked(Pin.TEXT, tries))
        try:
            verify_text(attributes, signed, self._signer(chip.certificate))
        except CardIssuerUnknown as error:
            self._failed("card-text", CardCode.CHIP_KEY_UNKNOWN, error)
        except (CardDataInvalid, CardDataForged) as error:
            self._failed("card-text", CardCode.TEXT_FORGED, error)
        if self.trusted:
            self._note("card-text", Outcome.PASS)
        else:
            self._note("card-text", Outcome.NOT_PERFORMED, "issuer-not-configured")

    def _note(self, name: str, outcome: Outcome, reason: str | None = None) -> None:
        self.checks.append(CardCheck(name, outcome, reason))

    def _failed(self, name: str, code: CardCode, cause: Exception) -> NoReturn:
        self._note(name, Outcome.FAIL, code)
        raise CardProblem(code) from cause


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
