"""Moduli with a prime in common are found among others, whatever their number."""

from __future__ import annotations

import random
from math import gcd, prod

from hypothesis import given
from hypothesis import strategies as st

from tegata.profiles.shared_factors import with_shared_factors
from tests.pkix.weak_rsa import shared_prime_keys

PRIMES = [n for n in range(100, 1000) if all(n % d for d in range(2, 32))]


def pairwise(moduli: list[int]) -> list[int]:
    """As anybody would say it."""
    return [
        place
        for place, one in enumerate(moduli)
        if any(gcd(one, other) != 1 for at, other in enumerate(moduli) if at != place)
    ]


@given(st.lists(st.sets(st.sampled_from(PRIMES), min_size=2, max_size=2).map(prod), unique=True))
def test_the_tree_finds_what_comparing_each_with_each_finds(moduli: list[int]) -> None:
    assert with_shared_factors(moduli) == pairwise(moduli)


def test_two_keys_of_usual_size_are_found_among_many() -> None:
    chance = random.Random(1)
    one, other = (key.public_key().public_numbers().n for key in shared_prime_keys())
    primes = [chance.getrandbits(2048) | 1 for _ in range(60)]
    others = [each for each in primes if gcd(each, one * other) == 1]
    moduli = [*others[:20], one, *others[20:], other]
    assert {20, len(moduli) - 1} <= set(with_shared_factors(moduli))
