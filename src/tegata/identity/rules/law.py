"""Which method of which law a verification is, by the date of the law's version.

Codes are our own and stable; letters of ordinances move. Where sources conflict the letter is left
empty. This is a developer's reading, to be checked against the ordinances before it is relied on.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Final

from tegata.identity.record import Method

# Laws come into force on a day in Japan.
JAPAN: Final = timezone(timedelta(hours=9))
# Seven years from the end of the contract (犯収法6条2項).
RETENTION_YEARS: Final = 7


class Law(StrEnum):
    """The regimes that a declared purpose can follow."""

    # No law asks for the confirmation; a record is kept all the same.
    NONE = "none"
    # 犯罪による収益の移転防止に関する法律
    CRIMINAL_PROCEEDS = "criminal-proceeds"
    # 携帯電話不正利用防止法
    MOBILE_PHONE = "mobile-phone"


class MethodCode(StrEnum):
    """How a person is confirmed, whatever a law's version calls it."""

    JPKI_SIGN = "JPKI_SIGN"
    JPKI_AUTH = "JPKI_AUTH"
    IC_FACE = "IC_FACE"
    WALLET_MDOC = "WALLET_MDOC"
    IMAGE_FACE = "IMAGE_FACE"
    IC_BANK = "IC_BANK"
    MAIL_COPY = "MAIL_COPY"
    MAIL_ORIGINAL = "MAIL_ORIGINAL"


# The earliest version that is told apart here.
_BEFORE: Final = date(2018, 11, 30)
_ONLINE = frozenset({MethodCode.JPKI_SIGN, MethodCode.IC_FACE, MethodCode.MAIL_ORIGINAL})
_WALLET = _ONLINE | {MethodCode.WALLET_MDOC}
_IMAGES = frozenset({MethodCode.IMAGE_FACE, MethodCode.IC_BANK, MethodCode.MAIL_COPY})
# What each version of a law allows when the person is not met, newest first.
_VERSIONS: Final[Mapping[Law, tuple[tuple[date, frozenset[MethodCode]], ...]]] = {
    Law.NONE: ((_BEFORE, frozenset(MethodCode)),),
    Law.CRIMINAL_PROCEEDS: (
        (date(2027, 4, 1), _WALLET),
        (date(2025, 6, 24), _WALLET | _IMAGES),
        (_BEFORE, _ONLINE | _IMAGES),
    ),
    Law.MOBILE_PHONE: (
        (date(2026, 4, 1), _WALLET),
        (_BEFORE, _ONLINE | _IMAGES),
    ),
}
# Letters of 犯収法施行規則6条1項1号 before the amendment of 2025-06-24; after it they moved, and
# which is which is not settled in what could be read.
_ARTICLES: Final = {
    (Law.CRIMINAL_PROCEEDS, _BEFORE, MethodCode.JPKI_SIGN): "6条1項1号ワ",
    (Law.CRIMINAL_PROCEEDS, _BEFORE, MethodCode.IC_FACE): "6条1項1号ヘ",
    (Law.CRIMINAL_PROCEEDS, _BEFORE, MethodCode.IMAGE_FACE): "6条1項1号ホ",
    (Law.CRIMINAL_PROCEEDS, _BEFORE, MethodCode.IC_BANK): "6条1項1号ト",
}


def find_method(law: Law, code: MethodCode, at: datetime) -> Method:
    """What a method is under the version of a law in force at an instant."""
    day = at.astimezone(JAPAN).date()
    versions = _VERSIONS[law]
    effective, permitted = next(
        (version for version in versions if version[0] <= day), versions[-1]
    )
    article = _ARTICLES.get((law, effective, code), "")
    return Method(code, law, effective, article, code in permitted)


def retain_until(contract_ended_at: datetime) -> datetime:
    """Until when a record is kept: seven years from the end of the contract, to the end of that
    day in Japan."""
    ended = contract_ended_at.astimezone(JAPAN)
    day = date(ended.year + RETENTION_YEARS, ended.month, 1) + timedelta(days=ended.day - 1)
    return datetime(day.year, day.month, day.day, tzinfo=JAPAN) + timedelta(days=1)
