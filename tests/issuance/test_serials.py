"""Serial numbers: their layout, and that a block lists them again."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tegata.issuance.serials import (
    BLOCK_MAXIMUM,
    OCTETS,
    PRF_SERIAL,
    SerialBlock,
    serial_month,
    serial_octets,
)
from tegata.kernel.ids import BlockId
from tegata.kernel.month import LAST_MONTH, expiry_month
from tegata.pkix.der import encode_integer

KEY = bytes(range(32))


def a_block(month: int = 318, size: int = BLOCK_MAXIMUM, key: bytes = KEY) -> SerialBlock:
    return SerialBlock(BlockId("blk_1"), month, size, key)


def test_a_serial_is_a_type_octet_a_month_and_sixteen_octets_of_the_prf() -> None:
    octets = a_block(month=0x013E).serial(5).to_bytes(OCTETS, "big")
    # The same by hand: HMAC-SHA-256 of the counter in eight octets.
    prf = hmac.new(KEY, b"\0\0\0\0\0\0\0\5", hashlib.sha256).digest()
    assert octets == bytes([PRF_SERIAL, 0x01, 0x3E]) + prf[:16]


@given(
    st.integers(min_value=0, max_value=LAST_MONTH),
    st.integers(min_value=0, max_value=BLOCK_MAXIMUM - 1),
    st.binary(min_size=32, max_size=32),
)
def test_a_serial_is_positive_and_always_has_nineteen_octets(
    month: int, counter: int, key: bytes
) -> None:
    serial = a_block(month, key=key).serial(counter)
    assert serial > 0
    assert encode_integer(serial)[:2] == bytes([0x02, OCTETS])
    assert serial_month(serial) == month


def test_a_block_lists_its_serials_again() -> None:
    first, again = a_block(), a_block()
    listed = [first.serial(counter) for counter in range(first.size)]
    assert listed == [again.serial(counter) for counter in range(again.size)]


def test_no_serial_of_a_block_is_like_another() -> None:
    serials = {a_block().serial(counter) for counter in range(BLOCK_MAXIMUM)}
    assert len(serials) == BLOCK_MAXIMUM


def test_blocks_with_other_keys_or_months_have_no_serial_in_common() -> None:
    blocks = [a_block(), a_block(key=bytes(32)), a_block(month=319)]
    serials = [block.serial(counter) for block in blocks for counter in range(64)]
    assert len(set(serials)) == len(serials)


@pytest.mark.parametrize("counter", [-1, 4, 5])
def test_a_counter_outside_its_block_has_no_serial(counter: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        a_block(size=4).serial(counter)


def test_the_last_counter_of_a_block_has_a_serial() -> None:
    assert a_block(size=4).serial(3) > 0


@pytest.mark.parametrize("serial", [-1, 0, 1, 1 << 151, 1 << 152, (1 << 159) - 1, 0x02 << 144])
def test_a_serial_that_is_not_ours_has_no_month(serial: int) -> None:
    assert serial_month(serial) is None


def test_a_certificate_that_never_expires_has_the_last_month() -> None:
    forever = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert serial_month(a_block(month=expiry_month(forever)).serial(0)) == LAST_MONTH


@given(
    st.integers(min_value=0, max_value=(1 << 160) - 1),
    st.integers(min_value=0, max_value=(1 << 160) - 1),
)
def test_the_octets_of_serials_sort_as_their_numbers_do(one: int, other: int) -> None:
    assert len(serial_octets(one)) == 20
    assert (serial_octets(one) < serial_octets(other)) == (one < other)
