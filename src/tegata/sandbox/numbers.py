"""Numbers on a persona's card. None of them is, or could be, anybody's My Number.

The file of the text application that would hold it exists, since card software asks for it and its
digest is signed; it holds twelve digits whose check digit is wrong, so no check that looks for a My
Number finds one here (ADR 23).
"""

from __future__ import annotations

import hashlib
from datetime import date

from tegata.sandbox.people import Person

# The first day of each era that living people were born in.
_ERAS = ((date(2019, 5, 1), 2018), (date(1989, 1, 8), 1988), (date(1926, 12, 25), 1925))
_TAISHO = 1911


def check_digit(eleven: str) -> int:
    """The check digit of a My Number (Order of the Ministry of Internal Affairs, 2014 No. 85)."""
    total = 0
    for place, digit in enumerate(reversed(eleven), start=1):
        total += int(digit) * (place + 1 if place <= 6 else place - 5)
    return 0 if total % 11 <= 1 else 11 - total % 11


def impossible_number(person: Person) -> str:
    """Twelve digits with a wrong check digit, the same each time for a persona."""
    digest = hashlib.sha256(f"number/{person.name}".encode()).digest()
    eleven = f"{int.from_bytes(digest[:8], 'big') % 10**11:011d}"
    return f"{eleven}{(check_digit(eleven) + 5) % 10}"


def era_date(birth: date) -> str:
    """A birth date as card faces write it: the era's year, month, day, two digits each."""
    before = next((base for begins, base in _ERAS if birth >= begins), _TAISHO)
    return f"{birth.year - before:02d}{birth.month:02d}{birth.day:02d}"


def security_code(person: Person) -> str:
    """The four digits on the card's face."""
    return f"{hashlib.sha256(f'code/{person.name}'.encode()).digest()[0] * 37 % 10000:04d}"


def number_b(person: Person, expiry: date) -> str:
    """照合番号B: birth date, the year in which the card ends, security code."""
    return f"{era_date(person.attributes.birth)}{expiry.year:04d}{security_code(person)}"


def card_serial(person: Person) -> str:
    """The card's own number: fifteen digits."""
    digest = hashlib.sha256(f"card/{person.name}".encode()).digest()
    return f"{int.from_bytes(digest[:8], 'big') % 10**15:015d}"
