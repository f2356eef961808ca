"""Records and standings as octets."""

from __future__ import annotations

import pytest
from hypothesis import given

from tegata.compliance.canonical import canonical_octets
from tegata.compliance.records import (
    decode_record,
    decode_standing,
    encode_record,
    encode_standing,
)
from tests.compliance.test_kernel import STEPS, Step, chain_of


@given(STEPS)
def test_what_is_written_is_read_again(steps: list[Step]) -> None:
    chain = chain_of(steps)
    assert decode_standing(encode_standing(chain.standing)) == chain.standing
    for record in chain.records:
        assert decode_record(encode_record(record)) == record


def test_names_are_sorted_as_the_standard_sorts_them() -> None:
    # The object of RFC 8785 section 3.2.3.
    value = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    expected = (
        '{"\\r":"Carriage Return","1":"One","\u0080":"Control",'
        '"ö":"Latin Small Letter O With Diaeresis","€":"Euro Sign",'
        '"😀":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}'
    )
    assert canonical_octets(value) == expected.encode()


def test_a_number_that_not_every_reader_keeps_is_refused() -> None:
    with pytest.raises(ValueError, match="8785"):
        canonical_octets({"count": 2**53})
