"""Weak RSA keys are told from others by their numbers."""

from __future__ import annotations

from math import gcd

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tegata.profiles.weak_rsa import is_weak_exponent, modulus_weakness
from tests.pkix.keys import private_key
from tests.pkix.weak_rsa import PRIMORIAL, weak_key


def modulus_of(key: rsa.RSAPrivateKey) -> int:
    return key.public_key().public_numbers().n


@pytest.mark.parametrize("bits", [2048, 2056, 3072, 4096])
def test_an_ordinary_key_has_no_weakness(bits: int) -> None:
    assert modulus_weakness(modulus_of(rsa.generate_private_key(65_537, bits))) is None


def test_a_key_of_the_flawed_library_has_its_fingerprint() -> None:
    modulus = modulus_of(weak_key("ROCA"))
    assert modulus.bit_length() >= 2048
    assert gcd(modulus, PRIMORIAL) == 1
    assert "CVE-2017-15361" in (modulus_weakness(modulus) or "")


def test_one_prime_of_the_flawed_kind_is_not_enough_for_the_fingerprint() -> None:
    ordinary = private_key("rsa-2048")
    assert isinstance(ordinary, rsa.RSAPrivateKey)
    mixed = weak_key("ROCA").private_numbers().p * ordinary.private_numbers().p
    assert modulus_weakness(mixed) is None


def test_primes_next_to_each_other_are_found() -> None:
    assert "too close" in (modulus_weakness(modulus_of(weak_key("close primes"))) or "")


def test_a_square_is_found() -> None:
    prime = weak_key("close primes").private_numbers().p
    assert "too close" in (modulus_weakness(prime * prime) or "")


@pytest.mark.parametrize("factor", [2, 3, 751, 9973])
def test_a_small_factor_is_found(factor: int) -> None:
    prime = weak_key("close primes").private_numbers().p
    assert "below 10000" in (modulus_weakness(factor * prime) or "")


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 17, 65_535, 65_536, 65_538, (1 << 256) + 1])
def test_a_small_even_or_huge_exponent_is_weak(exponent: int) -> None:
    assert is_weak_exponent(exponent)


@pytest.mark.parametrize("exponent", [65_537, 65_539, (1 << 256) - 1])
def test_an_odd_exponent_from_65537_is_not_weak(exponent: int) -> None:
    assert not is_weak_exponent(exponent)
