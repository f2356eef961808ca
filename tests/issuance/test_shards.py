"""Which shard a block of serials goes to."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tegata.issuance.serials import BLOCK_MAXIMUM
from tegata.issuance.shards import OPEN_AHEAD, SHARD_PLACES, Shard, place_block, shard_url

URL = "http://crl.example.test/crl/iss_1.crl"


def shard(number: int, places: int) -> Shard:
    return Shard(number, shard_url(URL, number), places)


def test_a_shards_list_is_below_the_complete_one() -> None:
    assert shard_url(URL, 7) == "http://crl.example.test/crl/iss_1/7.crl"


def test_the_first_block_opens_the_first_shard() -> None:
    placement = place_block((), 8, URL)
    assert (placement.shard, placement.opens) == (1, (1,))


def test_a_shard_with_room_takes_the_block() -> None:
    placement = place_block([shard(1, 0)], 512, URL)
    assert (placement.shard, placement.url, placement.opens) == (1, shard_url(URL, 1), ())


def test_the_next_shard_is_opened_while_there_is_room_in_the_last() -> None:
    placement = place_block([shard(1, SHARD_PLACES - OPEN_AHEAD)], 8, URL)
    assert (placement.shard, placement.opens) == (1, (2,))
    # And once only.
    placement = place_block([shard(1, SHARD_PLACES - OPEN_AHEAD), shard(2, 0)], 8, URL)
    assert (placement.shard, placement.opens) == (1, ())


def test_a_block_that_does_not_fit_goes_to_the_next_shard() -> None:
    placement = place_block([shard(1, SHARD_PLACES - 511), shard(2, 0)], 512, URL)
    assert (placement.shard, placement.opens) == (2, ())


def test_a_shard_of_another_address_is_left_as_it_is() -> None:
    placement = place_block([shard(1, 8), shard(2, 0)], 8, "http://other.example.test/iss_1.crl")
    assert (placement.shard, placement.opens) == (3, (3,))


@given(st.lists(st.integers(min_value=1, max_value=BLOCK_MAXIMUM), max_size=200))
def test_no_shard_is_ever_given_more_than_it_has_room_for(sizes: list[int]) -> None:
    places: dict[int, int] = {}
    for size in sizes:
        newest = [shard(number, places[number]) for number in sorted(places)[-2:]]
        placement = place_block(newest, size, URL)
        for opened in placement.opens:
            assert opened == max(places, default=0) + 1
            places[opened] = 0
        places[placement.shard] += size
    assert all(taken <= SHARD_PLACES for taken in places.values())
