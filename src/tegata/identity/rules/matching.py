"""Whether what a person wrote is what the certificate says: match, mismatch or needs review.

Storage stays true to the byte; only the comparison folds: widths (NFKC), spaces, dashes, variation
selectors, characters with an older or another form, and the ways to write a block and house number.
Where the certificate had to replace a character, nobody but a person can tell.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from enum import StrEnum
from typing import Final


class Match(StrEnum):
    """What a comparison comes to."""

    MATCH = "match"
    MISMATCH = "mismatch"
    NEEDS_REVIEW = "needs_review"


# The form that a character is compared as, and its older and other forms. The table is our own.
_FORMS: Final = (
    "高髙 崎﨑嵜碕 浜濵濱 辺邊邉 沢澤 斎齋 斉齊 島嶋嶌 広廣 徳德 恵惠 真眞 桜櫻 瀬瀨 "
    "滝瀧 竜龍 国國 円圓 栄榮 応應 会會 学學 寛寬 実實 将將 巌巖 弥彌 戸戶 曽曾 条條 "
    "来來 浅淺 淵渕渊 渋澁 為爲 狭狹 穣穰 万萬 蔵藏 薮藪 豊豐 遥遙 郷鄕 鉄鐵 関關 静靜 "
    "顕顯 黒黑 吉𠮷 館舘 柳栁 桑桒 橋𣘺 岡崗 富冨 峰峯 土圡 寿壽 槙槇 桧檜 芸藝 団團 "
    "県縣 済濟 児兒 壮壯 礼禮 与與 譲讓 亜亞 縦縱 乗乘 浄淨 糸絲"
)
_FOLDED: Final = {ord(other): forms[0] for forms in _FORMS.split() for other in forms[1:]}
_DASHES: Final = re.compile("[‐‑‒–—―−ー－ｰ﹣]")
_SELECTORS: Final = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_KANJI_DIGITS: Final = "〇一二三四五六七八九"
_KANJI_NUMBER: Final = re.compile("[〇一二三四五六七八九十百]+(?=丁目|番|号|の|-|$)")
_BLOCKS: Final = re.compile(r"(?<=\d)(?:丁目|番地の|番地|番|号|の|-)(?=\d|$)|(?<=\d)(?:番地|番|号)")
_PREFECTURE: Final = re.compile("^(?:東京都|北海道|(?:大阪|京都)府|[^都道府県]{2,3}県)")
# Former names and names by which a foreign resident is known stand in brackets.
_BRACKETS: Final = re.compile(r"[(\[]([^)\]]*)[)\]]")


def match_name(certified: str, substitutes: str, written: str) -> Match:
    """Compare a name, a former name or a known name too."""
    claim = _fold_name(written)
    if not claim:
        return Match.MISMATCH
    if claim in {_fold_name(each) for each in _names(certified)}:
        return Match.MATCH
    return _review(certified, substitutes, claim, _fold_name)


def match_address(certified: str, substitutes: str, written: str) -> Match:
    """Compare an address; one that goes on (a building's name) needs a look."""
    own, claim = _fold_address(certified), _fold_address(written)
    if not claim:
        return Match.MISMATCH
    if claim == own or claim == _PREFECTURE.sub("", own):
        return Match.MATCH
    for whole in (own, _PREFECTURE.sub("", own)):
        rest = claim.removeprefix(whole)
        if rest != claim and not rest[:1].isdigit():
            return Match.NEEDS_REVIEW
    return _review(certified, substitutes, claim, _fold_address)


def match_birth(certified: str, written: date) -> Match:
    """Compare a birth date with one of a certificate: era's digit and YYYYMMDD, unknown parts
    zero."""
    digits = certified[1:]
    if "00" in (digits[4:6], digits[6:8]) or digits[:4] == "0000":
        known = [(digits[:4], f"{written.year:04d}"), (digits[4:6], f"{written.month:02d}")]
        differs = any(own.strip("0") and own != claim for own, claim in known)
        return Match.MISMATCH if differs else Match.NEEDS_REVIEW
    return Match.MATCH if digits == written.strftime("%Y%m%d") else Match.MISMATCH


def match_sex(certified: str, written: str) -> Match:
    """Compare a sex; one that is not recorded matches nothing."""
    if certified == "0":
        return Match.NEEDS_REVIEW
    return Match.MATCH if certified == written else Match.MISMATCH


def is_over(certified: str, years: int, day: date) -> Match:
    """Whether a person has reached an age on a day in Japan; what is unknown of the birth date may
    leave it open.

    An age is reached when the day before the birthday ends (年齢計算ニ関スル法律), so who was born
    on 29 February reaches it on 1 March of other years.
    """
    digits = certified[1:]
    year, month, born = int(digits[:4]), int(digits[4:6]), int(digits[6:8])
    if not year:
        return Match.NEEDS_REVIEW
    earliest = _birthday(year + years, month or 1, born or 1)
    latest = _birthday(year + years, month or 12, born or _last(year, month or 12))
    if latest <= day:
        return Match.MATCH
    return Match.MISMATCH if day < earliest else Match.NEEDS_REVIEW


def _birthday(year: int, month: int, day: int) -> date:
    # The day after the one on which the year of life is full.
    return date(year, month, 1) + timedelta(days=day - 1)


def _last(year: int, month: int) -> int:
    following = date(year + month // 12, month % 12 + 1, 1)
    return (following - timedelta(days=1)).day


def _names(certified: str) -> Iterator[str]:
    folded = unicodedata.normalize("NFKC", certified)
    yield folded
    found = _BRACKETS.search(folded)
    if found is None:
        return
    inside, before, after = found.group(1), folded[: found.start()], folded[found.end() :]
    yield before + after
    # 高木[田中] 彩 is 田中 彩; LEE MINA(森田 美奈) is 森田 美奈.
    yield inside + after
    yield inside


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", _SELECTORS.sub("", text))
    return _DASHES.sub("-", folded).translate(_FOLDED).casefold()


def _fold_name(text: str) -> str:
    return "".join(_plain(text).split()).replace("・", "").replace("-", "")


def _fold_address(text: str) -> str:
    plain = "".join(_plain(text).split())
    plain = _KANJI_NUMBER.sub(lambda found: str(_number(found.group())), plain)
    return _BLOCKS.sub("-", plain).rstrip("-").replace("ヶ", "ケ").replace("が", "ケ")


def _number(text: str) -> int:
    if not any(each in text for each in "十百"):
        return int("".join(str(_KANJI_DIGITS.index(each)) for each in text))
    total = digit = 0
    for each in text:
        if each in "十百":
            total += (digit or 1) * (10 if each == "十" else 100)
            digit = 0
        else:
            digit = _KANJI_DIGITS.index(each)
    return total + digit


def _review(certified: str, substitutes: str, claim: str, fold: Callable[[str], str]) -> Match:
    """Needs review if everything but the replaced characters is the same."""
    if "1" not in substitutes:
        return Match.MISMATCH
    # A character of the private use area stands for each that was replaced, through the folding.
    marked = "".join(
        "\ue000" if mark == "1" else character
        for character, mark in zip(certified, substitutes, strict=True)
    )
    pattern = re.escape(fold(marked)).replace("\ue000", ".{1,2}")
    return Match.NEEDS_REVIEW if re.fullmatch(pattern, claim) else Match.MISMATCH
