"""Expiry months."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tegata.kernel.month import LAST_MONTH, expiry_month, month_start


@pytest.mark.parametrize(
    ("not_after", "month"),
    [
        (datetime(2000, 1, 1, tzinfo=UTC), 0),
        (datetime(2000, 1, 31, 23, 59, 59, tzinfo=UTC), 0),
        (datetime(2000, 2, 1, tzinfo=UTC), 1),
        (datetime(2026, 11, 22, tzinfo=UTC), 322),
        (datetime(4730, 8, 31, tzinfo=UTC), LAST_MONTH),
        (datetime(4730, 7, 31, tzinfo=UTC), LAST_MONTH - 1),
        (datetime(4730, 9, 1, tzinfo=UTC), LAST_MONTH),
        (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), LAST_MONTH),
    ],
)
def test_a_month_counts_from_january_2000_up_to_the_last(not_after: datetime, month: int) -> None:
    assert expiry_month(not_after) == month


@given(st.integers(min_value=0, max_value=LAST_MONTH))
def test_a_month_starts_where_the_one_before_it_ends(month: int) -> None:
    start = month_start(month)
    assert expiry_month(start) == month
    if month:
        assert expiry_month(start - timedelta(microseconds=1)) == month - 1


def test_a_month_fits_a_signed_integer_of_two_octets() -> None:
    assert LAST_MONTH.to_bytes(2, "big", signed=True) == b"\x7f\xff"
