"""Matching, ages, My Numbers, laws, trust: what is decided without asking anybody."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tegata.identity.jlis import CertificateKind, Roots
from tegata.identity.rules.law import Law, MethodCode, find_method, retain_until
from tegata.identity.rules.matching import (
    Match,
    is_over,
    match_address,
    match_birth,
    match_name,
    match_sex,
)
from tegata.identity.rules.my_number import has_my_number, is_my_number, redact
from tegata.identity.rules.trust import TrustRefused, pin
from tests.identity.desk import Desk

KIYOSE = "東京都清瀬市中里五丁目９９９番地"
SUITA = "大阪府吹田市山田西９丁目９９番９号"


@pytest.mark.parametrize(
    ("certified", "written", "result"),
    [
        (KIYOSE, "東京都清瀬市中里5-999", Match.MATCH),
        (KIYOSE, "清瀬市中里５丁目９９９", Match.MATCH),
        (KIYOSE, "東京都 清瀬市 中里 五丁目 999番地", Match.MATCH),
        (KIYOSE, "東京都清瀬市中里5−999", Match.MATCH),
        (KIYOSE, "東京都清瀬市中里5-99", Match.MISMATCH),
        (KIYOSE, "東京都清瀬市中里5-9990", Match.MISMATCH),
        (KIYOSE, "東京都清瀬市中里5-999 狸荘101", Match.NEEDS_REVIEW),
        (KIYOSE, "", Match.MISMATCH),
        (SUITA, "大阪府吹田市山田西9-99-9", Match.MATCH),
        (SUITA, "吹田市山田西九丁目99番9号", Match.MATCH),
        (SUITA, "大阪府吹田市山田東9-99-9", Match.MISMATCH),
    ],
)
def test_an_address_is_compared_however_it_is_written(
    certified: str, written: str, result: Match
) -> None:
    assert match_address(certified, "0" * len(certified), written) is result


@pytest.mark.parametrize(
    ("certified", "marks", "written", "result"),
    [
        ("青山　花子", "00000", "青山 花子", Match.MATCH),
        ("青山　花子", "00000", "青山花子", Match.MATCH),
        ("青山　花子", "00000", "青山　華子", Match.MISMATCH),
        ("高木　彩", "0000", "髙木彩", Match.MATCH),
        ("渡辺　誠", "0000", "渡邉 誠", Match.MATCH),
        ("葛󠄀城　誠", "00000", "葛城 誠", Match.MATCH),
        ("つ屋　光", "1000", "𡈽屋　光", Match.NEEDS_REVIEW),
        ("つ屋　光", "1000", "𡈽屋　輝", Match.MISMATCH),
        ("つ屋　光", "1000", "つ屋　光", Match.MATCH),
        ("高木［田中］　彩", "00000000", "田中 彩", Match.MATCH),
        ("高木［田中］　彩", "00000000", "高木 彩", Match.MATCH),
        ("ＬＥＥ　ＭＩＮＡ（森田　美奈）", "0" * 15, "森田美奈", Match.MATCH),
        ("ＬＥＥ　ＭＩＮＡ（森田　美奈）", "0" * 15, "Lee Mina", Match.MATCH),
        ("ＬＥＥ　ＭＩＮＡ（森田　美奈）", "0" * 15, "Lee Mino", Match.MISMATCH),
    ],
)
def test_a_name_is_compared_however_it_is_written(
    certified: str, marks: str, written: str, result: Match
) -> None:
    assert match_name(certified, marks, written) is result


def test_an_unknown_birth_date_or_sex_needs_a_look() -> None:
    assert match_birth("319800217", date(1980, 2, 17)) is Match.MATCH
    assert match_birth("319800217", date(1980, 2, 18)) is Match.MISMATCH
    assert match_birth("319800000", date(1980, 2, 18)) is Match.NEEDS_REVIEW
    assert match_birth("319800000", date(1981, 2, 18)) is Match.MISMATCH
    assert match_sex("0", "1") is Match.NEEDS_REVIEW
    assert match_sex("2", "1") is Match.MISMATCH


@pytest.mark.parametrize(
    ("birth", "day", "result"),
    [
        ("420080716", date(2026, 7, 15), Match.MISMATCH),
        ("420080716", date(2026, 7, 16), Match.MATCH),
        ("420080229", date(2026, 2, 28), Match.MISMATCH),
        ("420080229", date(2026, 3, 1), Match.MATCH),
        ("420080000", date(2026, 6, 1), Match.NEEDS_REVIEW),
        ("420080000", date(2027, 1, 1), Match.MATCH),
        ("420080700", date(2026, 6, 30), Match.MISMATCH),
        ("000000000", date(2026, 6, 30), Match.NEEDS_REVIEW),
    ],
)
def test_an_age_is_reached_on_the_birthday(birth: str, day: date, result: Match) -> None:
    assert is_over(birth, 18, day) is result


@pytest.mark.parametrize(
    "text",
    [
        "123456789018", "１２３４５６７８９０１８", "1234-5678-9018",
        "番号１２３４　５６７８　９０１８",
        "no. 1234 5678 9018.", "1234−5678−9018", "１２３４ー５６７８ー９０１８", "x123456789018y",
        "１２３４－５６７８－９０１８",
    ],
)  # fmt: skip
def test_a_my_number_is_found_however_it_is_written(text: str) -> None:
    assert has_my_number(text)
    assert "9018" not in redact(text).replace("９０１８", "9018")


@pytest.mark.parametrize(
    "text", ["123456789012", "1234567890181", "0123456789018", "2026-11-23 04:00", "", "12345678"]
)
def test_other_numbers_are_left_alone(text: str) -> None:
    assert not has_my_number(text)
    assert redact(text) == text


@given(st.integers(0, 10**11 - 1))
def test_exactly_one_check_digit_passes(eleven: int) -> None:
    numbers = [f"{eleven:011d}{digit}" for digit in range(10)]
    assert sum(map(is_my_number, numbers)) == 1


def at(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T00:00:00+09:00")


def test_a_law_is_that_of_the_day_in_japan() -> None:
    law = Law.CRIMINAL_PROCEEDS
    last = find_method(law, MethodCode.IMAGE_FACE, at("2027-03-31"))
    first = find_method(law, MethodCode.IMAGE_FACE, at("2027-04-01"))
    assert (last.version, last.permitted) == (date(2025, 6, 24), True)
    assert (first.version, first.permitted) == (date(2027, 4, 1), False)
    # Midnight in Japan is 15:00 UTC of the day before.
    eve = datetime(2027, 3, 31, 14, 59, 59, tzinfo=UTC)
    assert find_method(law, MethodCode.IMAGE_FACE, eve).permitted
    phones = Law.MOBILE_PHONE
    assert find_method(phones, MethodCode.IMAGE_FACE, at("2026-03-31")).permitted
    assert not find_method(phones, MethodCode.IMAGE_FACE, at("2026-04-01")).permitted
    assert find_method(phones, MethodCode.JPKI_SIGN, at("2026-04-01")).permitted


def test_a_letter_that_is_not_settled_is_not_given() -> None:
    law = Law.CRIMINAL_PROCEEDS
    assert find_method(law, MethodCode.JPKI_SIGN, at("2025-06-23")).article == "6条1項1号ワ"
    assert find_method(law, MethodCode.JPKI_SIGN, at("2025-06-24")).article == ""


def test_a_record_is_kept_to_the_end_of_the_day_seven_years_on() -> None:
    assert retain_until(at("2026-07-15")) == at("2033-07-16")
    assert retain_until(at("2024-02-29")) == at("2031-03-02")


def test_simulated_roots_are_trusted_by_a_sandbox_only(desk: Desk) -> None:
    roots = desk.gateway.roots()
    assert pin(roots, simulated=True).find(desk.root().key_identifier)
    with pytest.raises(TrustRefused, match="a real root is wanted"):
        pin(roots, simulated=False)


def test_what_is_not_a_root_is_not_pinned(desk: Desk) -> None:
    leaf = desk.held("ordinary").der
    for octets in (leaf, b"", desk.root().der[:-1]):
        with pytest.raises(TrustRefused):
            pin(Roots({CertificateKind.SIGN: [octets]}, {}), simulated=True)
    with pytest.raises(TrustRefused, match="no roots"):
        pin(Roots({}, {}), simulated=True)
