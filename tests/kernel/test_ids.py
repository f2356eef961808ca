"""Identifiers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tegata.kernel.ids import (
    certificate_id_month,
    encode_certificate_id,
    encode_id,
    parse_certificate_id,
    parse_id,
    time_ordered,
)
from tegata.kernel.problem import Problem, ProblemCode

OCTETS = st.binary(min_size=16, max_size=16)


@given(OCTETS)
def test_an_id_reads_back(octets: bytes) -> None:
    text = encode_id("iss", octets)
    assert text.startswith("iss_")
    assert len(text) == 4 + 26
    assert parse_id("iss", text, ProblemCode.ISSUER_UNKNOWN) == octets


@given(OCTETS, OCTETS)
def test_ids_sort_as_their_octets_do(one: bytes, other: bytes) -> None:
    assert (encode_id("iss", one) < encode_id("iss", other)) == (one < other)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (bytes(16), "crt_" + "0" * 26),
        (b"\xff" * 16, "crt_7" + "z" * 25),
        (bytes(15) + b"\x20", "crt_" + "0" * 24 + "10"),
    ],
)
def test_the_text_of_an_id_never_changes(octets: bytes, text: str) -> None:
    assert encode_certificate_id(octets) == text
    assert parse_certificate_id(text) == octets


@pytest.mark.parametrize(
    "text",
    [
        "",
        "crt",
        "crt_",
        "crt_" + "0" * 25,
        "crt_" + "0" * 27,
        "iss_" + "0" * 26,
        "CRT_" + "0" * 26,
        "crt-" + "0" * 26,
        "_" + "0" * 26,
        "crt_" + "0" * 25 + "l",
        "crt_" + "0" * 25 + "A",
        "crt_" + "0" * 25 + "_",
        "crt_" + "0" * 25 + "０",
        "crt_" + "0" * 25 + "\n",
        "crt_8" + "0" * 25,
        "crt_" + "z" * 26,
    ],
)
def test_text_that_is_no_id_is_refused_with_the_code_of_its_kind(text: str) -> None:
    with pytest.raises(Problem) as caught:
        parse_certificate_id(text)
    assert caught.value.code is ProblemCode.CERTIFICATE_UNKNOWN


@given(st.text(max_size=40))
def test_text_at_random_is_refused(text: str) -> None:
    with pytest.raises(Problem):
        parse_id("crt", text, ProblemCode.CERTIFICATE_UNKNOWN)


MILLISECONDS = st.integers(min_value=0, max_value=(1 << 48) - 1)


@given(MILLISECONDS, MILLISECONDS, st.binary(min_size=10, max_size=16), st.binary(min_size=10))
def test_an_id_made_later_sorts_later(
    one: int, other: int, chance: bytes, other_chance: bytes
) -> None:
    earlier, later = time_ordered(one, chance), time_ordered(other, other_chance)
    assert len(earlier) == 16
    if one != other:
        assert (earlier < later) == (one < other)


def test_an_id_is_time_and_chance() -> None:
    assert time_ordered(0x0102, bytes(range(10))) == b"\0\0\0\0\1\2" + bytes(range(10))


@given(MILLISECONDS, st.integers(min_value=0, max_value=32_767))
def test_a_certificates_id_carries_its_month(milliseconds: int, month: int) -> None:
    octets = time_ordered(milliseconds, bytes(range(10)), month)
    assert certificate_id_month(octets) == month
    assert octets[8:] == bytes(range(2, 10))
