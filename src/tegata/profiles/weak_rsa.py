"""RSA keys that are weak whatever their size (CA/Browser Forum TLS BR 6.1.1.3 and 6.1.6).

What is looked for costs well under a millisecond. What is not: primes that other keys share
(that takes all keys together), a modulus that is itself prime, and factors above `_SMALL_BELOW`.
"""

from __future__ import annotations

from math import gcd, isqrt, prod

# NIST SP 800-56B's and the BR's bounds; 3 invites low-exponent attacks.
_EXPONENT_LEAST = 65_537
_EXPONENT_BITS = 256
# The BR asks for 752; going on costs nothing.
_SMALL_BELOW = 10_000
# BR 6.1.1.3 (5): so many rounds of Fermat's method find primes that are too close.
_FERMAT_ROUNDS = 100
# The largest prime in the moduli that CVE-2017-15361's generator works with, for its shortest
# keys; those for longer keys hold these primes too.
_ROCA_LARGEST = 167
_SQUARES = frozenset(number * number % 256 for number in range(256))


def _primes(below: int) -> list[int]:
    return [n for n in range(2, below) if all(n % d for d in range(2, isqrt(n) + 1))]


def _powers(prime: int) -> frozenset[int]:
    """The residues of the powers of 65537."""
    found, power = set(), 1
    while power not in found:
        found.add(power)
        power = power * 65_537 % prime
    return frozenset(found)


_SMALL = prod(_primes(_SMALL_BELOW))
_ROCA = tuple(
    (prime, powers)
    for prime in _primes(_ROCA_LARGEST + 1)
    # Where 65537 generates all residues they tell nothing.
    if len(powers := _powers(prime)) < prime - 1
)
_ROCA_PRODUCT = prod(prime for prime, _ in _ROCA)


def is_weak_exponent(exponent: int) -> bool:
    """Whether a public exponent is small, even, or longer than 256 bits."""
    bits = exponent.bit_length()
    return exponent < _EXPONENT_LEAST or exponent % 2 == 0 or bits > _EXPONENT_BITS


def modulus_weakness(modulus: int) -> str | None:
    """Why a modulus can be factored, or None when nothing of that kind is found."""
    if gcd(modulus, _SMALL) != 1:
        return f"the modulus has a prime factor below {_SMALL_BELOW}"
    if _is_roca(modulus):
        return "the key has the fingerprint of CVE-2017-15361 (ROCA)"
    if _has_close_primes(modulus):
        return "the primes of the modulus are too close to each other"
    return None


def _is_roca(modulus: int) -> bool:
    """Whether a modulus is a power of 65537 modulo every one of the generator's small primes.

    Its primes are k * M + (65537^a mod M), M a product of the first primes, so their product is
    a power of 65537 modulo each of those (Nemec et al., "The Return of Coppersmith's Attack",
    section 2). One of some 200 million other moduli is, too.
    """
    rest = modulus % _ROCA_PRODUCT
    return all(rest % prime in powers for prime, powers in _ROCA)


def _has_close_primes(modulus: int) -> bool:
    """Fermat's method: modulus = a^2 - b^2 with a just above its square root."""
    a = isqrt(modulus - 1) + 1
    square = a * a - modulus
    for _ in range(_FERMAT_ROUNDS):
        if square & 0xFF in _SQUARES and isqrt(square) ** 2 == square:
            return True
        square += 2 * a + 1
        a += 1
    return False
