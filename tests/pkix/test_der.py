"""DER's primitive types, against asn1crypto."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from asn1crypto import core
from hypothesis import given
from hypothesis import strategies as st

from tegata.pkix import der
from tegata.pkix.der import DerError, GeneralizedTime, ObjectIdentifier, UTCTime, decode

BOUNDARIES = [0, 1, -1, 127, 128, -127, -128, -129, 255, 256, -255, -256, 32767, 32768, -32768]


@pytest.mark.parametrize("value", [*BOUNDARIES, -32769, 1 << 159, -(1 << 159), (1 << 160) - 1])
def test_an_integer_at_a_boundary_has_the_fewest_octets(value: int) -> None:
    assert der.encode_integer(value) == core.Integer(value).dump()


@given(st.integers(min_value=-(1 << 200), max_value=1 << 200))
def test_an_integer_is_what_asn1crypto_makes_of_it_and_reads_back(value: int) -> None:
    octets = der.encode_integer(value)
    assert octets == core.Integer(value).dump()
    assert decode(int, octets) == value


@pytest.mark.parametrize("octets", [b"\x02\x02\x00\x7f", b"\x02\x02\xff\x80", b"\x02\x00"])
def test_an_integer_with_needless_octets_is_refused(octets: bytes) -> None:
    with pytest.raises(DerError):
        decode(int, octets)


@pytest.mark.parametrize("value", [0, 1, 10, 127, 128])
def test_an_enumerated_differs_from_an_integer_in_its_tag_only(value: int) -> None:
    assert der.encode_enumerated(value) == b"\x0a" + core.Integer(value).dump()[1:]


ARCS = st.integers(min_value=0, max_value=1 << 140)


@given(
    st.one_of(
        st.tuples(st.sampled_from([0, 1]), st.integers(min_value=0, max_value=39)),
        st.tuples(st.just(2), ARCS),
    ),
    st.lists(ARCS, max_size=6),
)
def test_an_object_identifier_is_what_asn1crypto_makes_of_it(
    head: tuple[int, int], rest: list[int]
) -> None:
    dotted = ".".join(str(arc) for arc in (*head, *rest))
    assert der.encode_oid(dotted) == core.ObjectIdentifier(dotted).dump()


@pytest.mark.parametrize(
    "dotted",
    ["0.0", "1.39", "2.40", "2.999", "2.5.4.3", "1.2.16383.16384", f"2.25.{(1 << 64) - 1}"],
)
def test_an_object_identifier_reads_back(dotted: str) -> None:
    assert decode(ObjectIdentifier, der.encode_oid(dotted)).dotted_string == dotted


@given(st.frozensets(st.integers(min_value=0, max_value=20)))
def test_named_bits_leave_out_zero_bits_at_the_end(bits: frozenset[int]) -> None:
    class Named(core.BitString):
        _map = {bit: f"bit{bit}" for bit in range(21)}  # noqa: RUF012

    assert der.encode_named_bits(bits) == Named({f"bit{bit}" for bit in bits}).dump()


@given(st.binary(max_size=300))
def test_strings_of_octets_are_what_asn1crypto_makes_of_them(content: bytes) -> None:
    assert der.encode_octet_string(content) == core.OctetString(content).dump()
    assert der.encode_bit_string(content) == core.OctetBitString(content).dump()


@pytest.mark.parametrize("count", [0, 1, 127, 128, 255, 256, 65_535, 65_536, 1 << 24])
def test_a_length_is_definite_and_short(count: int) -> None:
    content = bytes(count)
    assert der.encode_octet_string(content) == core.OctetString(content).dump()


@given(st.lists(st.binary(max_size=5).map(der.encode_octet_string), max_size=8))
def test_a_set_of_is_sorted_so_that_the_strict_decoder_takes_it(parts: list[bytes]) -> None:
    octets = der.encode_set_of(parts)

    @der.sequence
    class Holder:
        items: der.SetOf[bytes]

    read = decode(Holder, der.encode_sequence(octets)).items.as_list()
    assert sorted(der.encode_octet_string(each) for each in read) == sorted(parts)


START, END = datetime(1950, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
INSTANTS = st.integers(min_value=0, max_value=int((END - START).total_seconds())).map(
    lambda seconds: START + timedelta(seconds=seconds)
)


@given(INSTANTS)
def test_a_time_is_what_asn1crypto_makes_of_it_and_reads_back(instant: datetime) -> None:
    if instant.year < 2050:
        expected = core.UTCTime(instant).dump()
        read = der.read_time(decode(UTCTime, der.encode_time(instant)))
    else:
        expected = core.GeneralizedTime(instant).dump()
        read = der.read_time(decode(GeneralizedTime, der.encode_time(instant)))
    assert der.encode_time(instant) == expected
    assert read == instant


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        (datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC), b"\x17\x0d491231235959Z"),
        (datetime(2050, 1, 1, tzinfo=UTC), b"\x18\x0f20500101000000Z"),
        (datetime(1950, 1, 1, tzinfo=UTC), b"\x17\x0d500101000000Z"),
        (datetime(1949, 12, 31, 23, 59, 59, tzinfo=UTC), b"\x18\x0f19491231235959Z"),
        (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), b"\x18\x0f99991231235959Z"),
    ],
)
def test_the_type_of_a_time_changes_where_two_digits_no_longer_say_the_year(
    instant: datetime, expected: bytes
) -> None:
    assert der.encode_time(instant) == expected


def test_a_time_is_written_in_utc() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert der.encode_time(datetime(2050, 1, 1, 8, tzinfo=tokyo)) == b"\x17\x0d491231230000Z"


def test_a_year_has_four_digits() -> None:
    assert der.encode_time(datetime(33, 4, 3, tzinfo=UTC)) == b"\x18\x0f00330403000000Z"


def test_a_generalized_time_where_a_utc_time_belongs_is_refused() -> None:
    early = decode(GeneralizedTime, der.encode_generalized_time(datetime(2049, 1, 1, tzinfo=UTC)))
    with pytest.raises(DerError):
        der.read_time(early)


def test_a_time_with_a_fraction_is_refused() -> None:
    fraction = decode(GeneralizedTime, b"\x18\x1120500101000000.5Z")
    with pytest.raises(DerError):
        der.read_time(fraction)


def test_elements_keep_their_octets() -> None:
    parts = [der.NULL_VALUE, der.encode_integer(7), der.explicit(3, der.TRUE), b"\x9f\x65\x01a"]
    elements = der.decode_elements(der.encode_sequence(*parts))
    assert [der.whole(element) for element in elements] == parts


def test_octets_after_the_value_are_refused() -> None:
    with pytest.raises(DerError):
        der.decode_elements(b"\x30\x00\x00")


elements = st.lists(
    st.tuples(st.integers(0, 255).filter(lambda tag: tag & 0x1F != 0x1F), st.binary(max_size=300)),
    max_size=5,
)


@given(elements)
def test_elements_are_split_as_they_were_joined(given: list[tuple[int, bytes]]) -> None:
    assert der.split(b"".join(der.wrap(tag, content) for tag, content in given)) == given


@given(st.binary(max_size=40))
def test_what_can_be_split_was_der_and_nothing_else_is(octets: bytes) -> None:
    try:
        found = der.split(octets)
    except DerError:
        return
    assert b"".join(der.wrap(tag, content) for tag, content in found) == octets


@pytest.mark.parametrize(
    "octets",
    [
        "30", "3001", "30800000", "308100", "30817f" + "00" * 127, "30820080" + "00" * 128,
        "3085000000000100", "308500000000000100", "1f1f00", "3081", "3082ff",
    ],
)  # fmt: skip
def test_elements_that_are_not_der_are_refused(octets: str) -> None:
    with pytest.raises(DerError):
        der.split(bytes.fromhex(octets))


def test_one_element_is_one_with_its_tag_and_nothing_after_it() -> None:
    assert der.content_of(bytes.fromhex("3003020105"), der.SEQUENCE) == bytes.fromhex("020105")
    for octets in ("", "3103020105", "30030201050500"):
        with pytest.raises(DerError):
            der.content_of(bytes.fromhex(octets), der.SEQUENCE)


@pytest.mark.parametrize("content", ["", "80", "8001", "2a80"])
def test_an_object_identifier_that_is_not_der_is_refused(content: str) -> None:
    with pytest.raises(DerError):
        der.dotted(bytes.fromhex(content))
