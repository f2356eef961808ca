"""What the agent says at the terminal; keys of the catalogue."""

from __future__ import annotations

import os
from typing import Final

from tegata.agent.card import Pin
from tegata.agent.problems import TEXTS as PROBLEMS
from tegata.agent.problems import CardProblem
from tegata.kernel.wording import choose_language, translate

READERS: Final = "Readers"
CARD: Final = "Card"
SIGNING: Final = "Signing certificate"
AUTHENTICATION: Final = "User-authentication certificate"
THERE: Final = "on the card"
MISSING: Final = "none"
ENDS: Final = "valid until {date}"
TRIES: Final = "tries left: {tries}"
BLOCKED: Final = "blocked"
FOR_WHOM: Final = "You are asked by: {relying_party} ({origin})"
LOG_IN: Final = "You log in with your user-authentication certificate. Nothing else is signed."
SIGN: Final = "You sign this document with your signing certificate, as with your seal:"
GO_ON: Final = "Go on?"
LAST: Final = "This is the last try. If it is wrong, the PIN is blocked. Use it?"
MORE: Final = "Tries left after this one: {tries}"

PIN_NAMES: Final = {
    Pin.AUTHENTICATE: "PIN for user authentication (4 digits)",
    Pin.SIGN: "Password for signing (6 to 16 capital letters and digits)",
    Pin.TEXT: "PIN for the attributes on the card (4 digits)",
}

SAID: Final = (
    READERS, CARD, SIGNING, AUTHENTICATION, THERE, MISSING, ENDS, TRIES, BLOCKED, FOR_WHOM, LOG_IN,
    SIGN, GO_ON, LAST, MORE, *PIN_NAMES.values(), *PROBLEMS.values(),
)  # fmt: skip


def language() -> str:
    """The language that the environment asks for (POSIX: the first of these that is set)."""
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    wish = next((os.environ[name] for name in names if os.environ.get(name)), "")
    return choose_language(wish.partition(".")[0].replace("_", "-"))


def say(text: str, **values: object) -> str:
    """A text in the terminal's language."""
    return translate(text, language()).format(**values)


def explain(problem: CardProblem) -> str:
    """A problem with what to do, and its code."""
    detail = f", {problem.detail}" if problem.detail else ""
    return f"{say(PROBLEMS[problem.code])} ({problem.code}{detail})"
