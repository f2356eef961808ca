"""The personas: who they are, which certificates they were given, and what has happened since.

All are made up. Times are days before the sandbox's first day, so that a sandbox is as good next
year as today. What each persona is for stands in docs/reference/personas.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from tegata.pkix.crl import RevocationReason


class Kind(StrEnum):
    """The two certificates of a person (JPKI)."""

    SIGN = "sign"
    AUTH = "auth"


class Holder(StrEnum):
    """What holds the keys. A card for its bearer's face has one key, and no PIN for it."""

    CARD = "card"
    FACE_CARD = "face-card"
    PHONE = "phone"


class Flaw(StrEnum):
    """What is wrong with a card."""

    NONE = "none"
    # The chip's own key (EF 0013 of the text application) did not come along.
    CLONED = "cloned"
    # The attributes on the chip are others than those that were signed.
    TAMPERED_TEXT = "tampered-text"


@dataclass(frozen=True, slots=True)
class Municipality:
    """Who keeps a person's record: its code, and its name as certificates write it."""

    code: str
    prefecture: str
    city: str


@dataclass(frozen=True, slots=True)
class Attributes:
    """The four basic attributes. `sex` is "1" male, "2" female, "9" not applicable.

    The flags have one "0" or "1" for each character: "1" where another character stands for one
    that the certificate's character set lacks.
    """

    name: str
    address: str
    birth: date
    sex: str
    name_flags: str = ""
    address_flags: str = ""

    def __post_init__(self) -> None:
        for text, flags in ((self.name, self.name_flags), (self.address, self.address_flags)):
            if flags and (len(flags) != len(text) or set(flags) - {"0", "1"}):
                raise ValueError("a flag for each character")


@dataclass(frozen=True, slots=True)
class Given:
    """A certificate that a person was given. `days` counts back from the sandbox's first day.

    `generation` is the key that its AKI names; `signed_by` the one that signed it, if another;
    `revoked` is when, and why.
    """

    days: int
    generation: str = "03"
    signed_by: str | None = None
    revoked: tuple[int, RevocationReason] | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A persona before anything is made for it. `sign` and `auth` are oldest first.

    `attributes` are those of the certificates; `latest` those of the resident record, where they
    differ (None after death); `written_name` is how the person writes the name, where that differs.
    """

    name: str
    municipality: Municipality
    attributes: Attributes
    sign: tuple[Given, ...]
    auth: tuple[Given, ...]
    latest: Attributes | None
    alive: bool = True
    holder: Holder = Holder.CARD
    flaw: Flaw = Flaw.NONE
    written_name: str | None = None

    def given(self, kind: Kind) -> tuple[Given, ...]:
        """The certificates of a kind, oldest first."""
        return self.sign if kind is Kind.SIGN else self.auth


_KIYOSE = Municipality("13221", "Tokyo-to", "Kiyose-shi")
_SUITA = Municipality("27205", "Osaka-fu", "Suita-shi")
_OTARU = Municipality("01203", "Hokkaido", "Otaru-shi")
_SETO = Municipality("23204", "Aichi-ken", "Seto-shi")
MUNICIPALITIES: Final = (_KIYOSE, _SUITA, _OTARU, _SETO)

_A_YEAR_AGO = (Given(days=365),)
_AFFILIATION = RevocationReason.AFFILIATION_CHANGED
_ENDED = RevocationReason.CESSATION_OF_OPERATION


def _revoked(reason: RevocationReason) -> tuple[Given, ...]:
    return (Given(days=365, revoked=(30, reason)),)


def _person(
    name: str,
    called: str,
    birth: str,
    sex: str = "2",
    *,
    at: Municipality = _KIYOSE,
    address: str = "東京都清瀬市中里五丁目９９９番地",
    sign: tuple[Given, ...] = _A_YEAR_AGO,
    auth: tuple[Given, ...] = _A_YEAR_AGO,
    flags: str = "",
) -> Person:
    attributes = Attributes(called, address, date.fromisoformat(birth), sex, flags)
    return Person(name, at, attributes, sign, auth, latest=attributes)


def _renewed(*givens: tuple[int, str]) -> tuple[Given, ...]:
    """Certificates that each took the place of the one before."""
    made = [Given(days, generation) for days, generation in givens]
    for place, after in enumerate(made[1:]):
        superseded = after.days, RevocationReason.SUPERSEDED
        made[place] = dataclasses.replace(made[place], revoked=superseded)
    return tuple(made)


def _changed(person: Person, **changes: str) -> Person:
    latest = dataclasses.replace(person.attributes, name_flags="", address_flags="")
    return dataclasses.replace(
        person,
        latest=dataclasses.replace(
            latest,
            name=changes.get("name", latest.name),
            address=changes.get("address", latest.address),
        ),
    )


_THREE_CARDS = _renewed((3290, "01"), (1900, "02"), (475, "03"))
_LONG_AGO = (Given(days=2010, generation="02"),)
_WRONG = (Given(days=365, generation="02", signed_by="03"),)
_FORGED = (Given(days=365, generation="03", signed_by="forged"),)

_PEOPLE = (
    _person("ordinary", "青山　花子", "1980-02-17"),
    _changed(
        _person("moved", "石川　健", "1991-07-30", "1", sign=_revoked(_AFFILIATION)),
        address="大阪府吹田市山田西９丁目９９番９号",
    ),
    _changed(
        _person("married", "上野　美咲", "1994-11-03", sign=_revoked(_AFFILIATION)),
        name="江口　美咲",
    ),
    dataclasses.replace(
        _person(
            "died", "小川　正", "1941-01-09", "1", sign=_revoked(_ENDED), auth=_revoked(_ENDED)
        ),
        latest=None,
        alive=False,
    ),
    _person("minor", "加藤　陽", "2018-05-05", "1", sign=()),
    dataclasses.replace(
        _person("substitute-characters", "つ屋　光", "1975-06-21", flags="1000"),
        written_name="𡈽屋　光",
    ),
    _person("renewed-twice", "工藤　誠", "1968-09-14", "1", sign=_THREE_CARDS, auth=_THREE_CARDS),
    _person(
        "on-hold",
        "小林　葵",
        "1999-12-24",
        sign=_revoked(RevocationReason.CERTIFICATE_HOLD),
        auth=_revoked(RevocationReason.CERTIFICATE_HOLD),
        at=_SUITA,
        address="大阪府吹田市千里山９９丁目９番９号",
    ),
    _person(
        "revoked",
        "斎藤　律",
        "1987-03-31",
        "1",
        sign=_revoked(RevocationReason.KEY_COMPROMISE),
        auth=_revoked(RevocationReason.KEY_COMPROMISE),
        at=_SUITA,
        address="大阪府吹田市江坂町９９丁目９番９号",
    ),
    _person("expired", "島田　節子", "1953-04-29", sign=_LONG_AGO, auth=_LONG_AGO),
    dataclasses.replace(_person("phone", "鈴木　海斗", "2001-08-11", "1"), holder=Holder.PHONE),
    dataclasses.replace(
        _person("face-card", "関　ハル", "1936-10-02", sign=()), holder=Holder.FACE_CARD
    ),
    dataclasses.replace(
        _person(
            "foreign-resident",
            "ＬＥＥ　ＭＩＮＡ（森田　美奈）",
            "1990-05-19",
            at=_SETO,
            address="愛知県瀬戸市上本町９９９番地",
        ),
        written_name="森田　美奈",
    ),
    dataclasses.replace(
        _person("former-name", "高木［田中］　彩", "1985-01-27"), written_name="田中　彩"
    ),
    _person("overseas", "内藤　渉", "1979-09-09", "1", at=_OTARU, address="国外転出"),
    _person("wrong-generation", "野口　玲", "1983-02-28", "9", sign=_WRONG, auth=_WRONG),
    _person("forged", "橋本　仁", "1972-12-12", "1", sign=_FORGED, auth=_FORGED),
    dataclasses.replace(_person("cloned", "平野　岳", "1996-06-06", "1"), flaw=Flaw.CLONED),
    dataclasses.replace(
        _person("tampered-text", "藤田　楓", "1998-04-17"), flaw=Flaw.TAMPERED_TEXT
    ),
)

PEOPLE: Final[Mapping[str, Person]] = {person.name: person for person in _PEOPLE}
