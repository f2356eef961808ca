"""RSA keys that are weak by design, made as the published descriptions say, once in a process."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from math import gcd, isqrt, prod
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

EXPONENT: Final = 65_537
# Nemec et al., "The Return of Coppersmith's Attack", table 1: M for keys of 1984 to 3936 bits is
# the product of the first 126 primes; for shorter ones of the first 39.
_PRIMES: Final = [n for n in range(2, 702) if all(n % d for d in range(2, isqrt(n) + 1))]
assert len(_PRIMES) == 126
PRIMORIAL: Final = prod(_PRIMES)
# Not for secrets: the same weak keys in every run.
_CHANCE: Final = random.Random(20171016)


def probable_prime(number: int) -> bool:
    """Fermat's test, which chance does not fool at these sizes."""
    return gcd(number, PRIMORIAL) == 1 and pow(2, number - 1, number) == 1


def _roca_candidates(bits: int) -> Iterator[int]:
    while True:
        k = _CHANCE.getrandbits(bits - PRIMORIAL.bit_length()) | 1 << (
            bits - PRIMORIAL.bit_length()
        )
        yield k * PRIMORIAL + pow(EXPONENT, _CHANCE.getrandbits(256), PRIMORIAL)


def _first_prime(candidates: Iterator[int]) -> int:
    return next(each for each in candidates if probable_prime(each))


def _from(start: int) -> Iterator[int]:
    number = start | 1
    while True:
        yield number
        number += 2


def _roca() -> tuple[int, int, int]:
    return _first_prime(_roca_candidates(1025)), _first_prime(_roca_candidates(1025)), EXPONENT


def _close_primes() -> tuple[int, int, int]:
    start = _CHANCE.getrandbits(1024) | 3 << 1022
    first = _first_prime(_from(start))
    return first, _first_prime(_from(first + 2)), EXPONENT


def _small_exponent() -> tuple[int, int, int]:
    numbers = rsa.generate_private_key(3, 2048).private_numbers()
    return numbers.p, numbers.q, 3


_MAKERS: Final[Mapping[str, Callable[[], tuple[int, int, int]]]] = {
    "ROCA": _roca,
    "close primes": _close_primes,
    "exponent 3": _small_exponent,
}
WEAKNESSES: Final = tuple(_MAKERS)


@cache
def weak_key(weakness: str) -> rsa.RSAPrivateKey:
    """A whole key with a weakness: it signs as any other."""
    return rsa_key(*_MAKERS[weakness]())


def rsa_key(p: int, q: int, exponent: int) -> rsa.RSAPrivateKey:
    """The key of two primes and an exponent."""
    d = pow(exponent, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(exponent, p * q)
    crt = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    return rsa.RSAPrivateNumbers(p, q, d, *crt, public).private_key()


def another_exponent(key: rsa.RSAPrivateKey, exponent: int = 65_539) -> rsa.RSAPrivateKey:
    """A key with the same modulus."""
    numbers = key.private_numbers()
    return rsa_key(numbers.p, numbers.q, exponent)


def shared_prime_keys() -> tuple[rsa.RSAPrivateKey, rsa.RSAPrivateKey]:
    """Two keys with one prime in common."""
    one, other = (rsa.generate_private_key(EXPONENT, 2048).private_numbers() for _ in range(2))
    # Both moduli have 2048 bits: the primes begin with two ones.
    return rsa_key(one.p, one.q, EXPONENT), rsa_key(one.p, other.q, EXPONENT)
