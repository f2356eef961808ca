"""User-facing text in English and Japanese, through one catalogue.

The English text is the key; `locale/ja/LC_MESSAGES/tegata.po` holds the Japanese.
"""

from __future__ import annotations

import gettext
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "ja")


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    if language == "en":
        return gettext.NullTranslations()
    octets = files("tegata").joinpath(f"locale/{language}/LC_MESSAGES/tegata.mo")
    with octets.open("rb") as file:
        return gettext.GNUTranslations(file)


def translate(text: str, language: str) -> str:
    """A text of the catalogue in one of `LANGUAGES`."""
    return _catalogue(language).gettext(text)


def choose_language(accept_language: str) -> str:
    """The first of `LANGUAGES` that an Accept-Language header names (RFC 9110 section 12.5.4)."""
    for wish in accept_language.split(","):
        tag = wish.split(";")[0].strip().lower()
        for language in LANGUAGES:
            if tag == language or tag.startswith(language + "-"):
                return language
    return "en"
