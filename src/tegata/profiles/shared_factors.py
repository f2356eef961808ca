"""RSA moduli that have a prime in common: whoever has both has both keys.

Bernstein's batch GCD ("How to find smooth parts of integers", 2004; Heninger et al., "Mining your
Ps and Qs", 2012): the product of all moduli, taken modulo the square of each by a tree of
remainders. It takes arithmetic that is faster than Python's own, so the numbers are GMP's.
"""

from __future__ import annotations

from collections.abc import Sequence

import gmpy2
from gmpy2 import mpz


def with_shared_factors(moduli: Sequence[int]) -> list[int]:
    """The places of the moduli that have a factor in common with another one (no modulus may
    stand there twice). Other threads run meanwhile."""
    if len(moduli) < 2:
        return []
    with gmpy2.context(gmpy2.get_context(), allow_release_gil=True):
        leaves = [mpz(modulus) for modulus in moduli]
        remainders = _remainders(_products(leaves))
        return [
            place
            for place, (modulus, rest) in enumerate(zip(leaves, remainders, strict=True))
            if gmpy2.gcd(rest // modulus, modulus) != 1
        ]


def _products(leaves: list[mpz]) -> list[list[mpz]]:
    """The tree of products, leaves first; a node without a neighbour goes up as it is."""
    tree = [leaves]
    while len(tree[-1]) > 1:
        level = tree[-1]
        pairs = zip(level[::2], level[1::2], strict=False)
        tree.append([*(one * other for one, other in pairs), *level[len(level) & ~1 :]])
    return tree


def _remainders(tree: list[list[mpz]]) -> list[mpz]:
    """The product of all, modulo the square of each leaf. Takes the tree apart as it goes."""
    remainders = tree.pop()
    while tree:
        level = tree.pop()
        remainders = [
            remainders[place // 2] % (product * product) for place, product in enumerate(level)
        ]
    return remainders
