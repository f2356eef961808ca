"""The My Number (個人番号) must not be collected (番号法15条, 20条): find it before it is kept.

One random number of twelve digits in ten passes its check digit, so what is found in free text is
for a person to look at; identity fields have no business with such numbers at all.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_DIGITS: Final = 12
# Digits of any width in one run, or in three groups of four with anything but letters between:
# any other grouping is a date or a telephone number as often as not.
_CANDIDATE = re.compile(r"(?<!\d)(?:\d{12}|\d{4}[\W_ーｰ]{1,3}\d{4}[\W_ーｰ]{1,3}\d{4})(?!\d)")
REDACTED: Final = "[My Number]"


def is_my_number(digits: str) -> bool:
    """Whether twelve ASCII digits have a My Number's check digit (番号法施行令8条; 行政手続にお
    ける…検査用数字を算出する算式)."""
    if len(digits) != _DIGITS or not (digits.isascii() and digits.isdigit()):
        return False
    total = 0
    for place in range(1, _DIGITS):
        weight = place + 1 if place <= 6 else place - 5
        total += int(digits[_DIGITS - 1 - place]) * weight
    remainder = total % 11
    return int(digits[-1]) == (0 if remainder <= 1 else 11 - remainder)


def has_my_number(text: str) -> bool:
    """Whether a text has a number that passes, also full-width or in groups."""
    return any(is_my_number(_plain(found.group())) for found in _CANDIDATE.finditer(text))


def redact(text: str) -> str:
    """The text with every number that passes replaced."""
    return _CANDIDATE.sub(
        lambda found: REDACTED if is_my_number(_plain(found.group())) else found.group(), text
    )


def _plain(text: str) -> str:
    digits = (unicodedata.digit(character, None) for character in text)
    return "".join(str(digit) for digit in digits if digit is not None)
