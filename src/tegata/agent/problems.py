"""Why the agent does not go on, and what the person can do.

The texts are keys of the catalogue (`kernel.wording`). Codes that the service has too are spelled
as there.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class CardCode(StrEnum):
    """Every reason of the agent's own."""

    NO_DRIVER = "card.no-driver"
    NO_READER = "card.no-reader"
    NO_CARD = "card.absent"
    REMOVED = "card.removed"
    NOT_A_CARD = "card.not-a-my-number-card"
    UNEXPECTED = "card.unexpected-answer"
    NO_SIGNING_CERTIFICATE = "card.no-signing-certificate"
    NO_AUTHENTICATION_CERTIFICATE = "card.no-authentication-certificate"
    PIN_FORMAT = "card.pin-format"
    PIN_WRONG = "card.pin-wrong"
    PIN_BLOCKED = "card.pin-blocked"
    LAST_TRY = "card.last-try-declined"
    DECLINED = "card.declined"
    INTENT_DIFFERS = "session.intent-differs"
    DOCUMENT_DIFFERS = "session.document-differs"
    DOCUMENT_MISSING = "session.document-missing"
    NOT_OPEN = "session.not-open"
    NOT_OURS = "session.binding-not-supported"
    CHIP_CLONED = "chip.not-genuine"
    CHIP_MALFORMED = "chip.malformed"
    CHIP_KEY_UNKNOWN = "chip.unknown-key"
    TEXT_FORGED = "chip.attributes-not-authentic"


class CardProblem(Exception):
    """The agent does not go on. `detail` has no PIN and nothing that was read from the card."""

    def __init__(self, code: CardCode, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else str(code))
        self.code = code
        self.detail = detail


TEXTS: Final[Mapping[CardCode, str]] = {
    CardCode.NO_DRIVER: "Card readers need the extra package: pip install 'tegata[card]'",
    CardCode.NO_READER: "There is no card reader. Connect one, and check that pcscd runs.",
    CardCode.NO_CARD: "There is no card in the reader. Hold it to the reader until you are told.",
    CardCode.REMOVED: "The card was taken away too early. Nothing was sent: start again.",
    CardCode.NOT_A_CARD: "This is not a My Number Card, or not one with these certificates.",
    CardCode.UNEXPECTED: (
        "The card gave an answer that is not understood. Hold it still and try again."
    ),
    CardCode.NO_SIGNING_CERTIFICATE: (
        "The card has no signing certificate (under 15, or a card without PINs). "
        "The municipal office can say whether one can be issued."
    ),
    CardCode.NO_AUTHENTICATION_CERTIFICATE: (
        "The card has no user-authentication certificate. The municipal office can issue one."
    ),
    CardCode.PIN_FORMAT: "This cannot be the PIN, so it was not sent. No try was spent.",
    CardCode.PIN_WRONG: "The PIN is wrong.",
    CardCode.PIN_BLOCKED: (
        "The PIN is blocked. The municipal office resets it; the signing password can also be "
        "reset at a convenience store with the phone app."
    ),
    CardCode.LAST_TRY: "Stopped before the last try. No try was spent.",
    CardCode.DECLINED: "Nothing was signed.",
    CardCode.INTENT_DIFFERS: (
        "The service asks for another signature than it shows. Do not go on; tell the service."
    ),
    CardCode.DOCUMENT_DIFFERS: "This is another document than the one that is to be signed.",
    CardCode.DOCUMENT_MISSING: "The document itself is needed: give it with --document.",
    CardCode.NOT_OPEN: "The session is over. Ask the service to open a new one.",
    CardCode.NOT_OURS: "The session is for other software than this.",
    CardCode.CHIP_CLONED: (
        "The card could not show that it is the original. Do not use it; report it."
    ),
    CardCode.CHIP_MALFORMED: "What the card's chip says cannot be read.",
    CardCode.CHIP_KEY_UNKNOWN: "The key that certifies the card's data is not trusted here.",
    CardCode.TEXT_FORGED: "The attributes on the card are not authentic. Report the card.",
}
