"""Internationalised host names: what an A-label shows must be what it seems to be.

Certificates carry A-labels only (RFC 5280 section 7.2). One is refused when IDNA 2008 does not
know it, when it mixes scripts that no language mixes, or when every letter of it looks like a
Latin one, as browsers do before they show its Unicode form.
"""

from __future__ import annotations

import unicodedata
from urllib.parse import urlsplit

import idna

from tegata.pkix.names import GeneralName, GeneralNameKind

_PREFIX = "xn--"
# Scripts that languages mix (UTS 39 section 5.2, "highly restrictive"): Japanese, Chinese, Korean.
_MIXED = (
    frozenset({"LATIN", "CJK", "HIRAGANA", "KATAKANA"}),
    frozenset({"LATIN", "CJK", "BOPOMOFO"}),
    frozenset({"LATIN", "CJK", "HANGUL"}),
)
# Cyrillic and Greek letters that many fonts draw as Latin ones.
_LOOKALIKES = frozenset("асԁеһіјӏорԛѕԝхуъьҽпгѵѡ" + "αονρικτυωχγ")


def host_is_sound(name: GeneralName) -> bool:
    """Whether the host in a name shows what it seems to show. Names without A-labels do."""
    if _PREFIX not in name.value.lower():
        return True
    return all(_label_is_sound(label) for label in host_of(name).split("."))


def host_of(name: GeneralName) -> str:
    """The host in a name, in lower case; empty for kinds that have none."""
    host = ""
    match name.kind:
        case GeneralNameKind.DNS:
            host = name.value.removeprefix("*.")
        case GeneralNameKind.URI:
            host = urlsplit(name.value).hostname or ""
        case GeneralNameKind.EMAIL | GeneralNameKind.UPN | GeneralNameKind.SMTP_UTF8:
            host = name.value.rpartition("@")[2]
        case GeneralNameKind.IP | GeneralNameKind.HARDWARE_MODULE:
            pass
    return host.lower()


def _label_is_sound(label: str) -> bool:
    if not label.startswith(_PREFIX):
        return True
    try:
        shown = idna.ulabel(label)
    except (idna.IDNAError, UnicodeError):
        return False
    scripts = {script for character in shown if (script := _script(character))}
    if len(scripts) > 1 and not any(scripts <= allowed for allowed in _MIXED):
        return False
    letters = {character for character in shown if _script(character)}
    return not (letters and letters <= _LOOKALIKES)


def _script(character: str) -> str:
    """The script that a letter's name begins with; empty for digits, hyphens and marks."""
    if unicodedata.category(character)[0] != "L":
        return ""
    name = unicodedata.name(character, "UNKNOWN")
    # The prolonged sound mark and the iteration mark go with Japanese.
    if name.startswith(("CJK", "KATAKANA-HIRAGANA", "IDEOGRAPHIC")):
        return "CJK"
    return name.split(" ")[0].split("-")[0]
