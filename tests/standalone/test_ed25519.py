"""Ed25519 in the single files against OpenSSL's, and what RFC 8032 refuses."""

from __future__ import annotations

import secrets

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tegata.standalone import verify

# y of the points of order 1, 2, 4 and 8 (RFC 8032 section 5.1: the cofactor is 8).
SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
]
NOT_CANONICAL = [
    # y = p, p + 1, and 2^255 - 1.
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    # x = 0 with the sign bit.
    "0100000000000000000000000000000000000000000000000000000000000080",
]


@pytest.mark.parametrize("length", [0, 1, 64, 1000])
def test_what_openssl_signs_verifies_and_nothing_changed_does(length: int) -> None:
    key = Ed25519PrivateKey.generate()
    public, message = key.public_key().public_bytes_raw(), secrets.token_bytes(length)
    signature = key.sign(message)
    assert verify.is_usable_key(public)
    assert verify.is_signed(public, message, signature)
    assert not verify.is_signed(public, message + b"x", signature)
    for at in range(64):
        changed = bytearray(signature)
        changed[at] ^= 1
        assert not verify.is_signed(public, message, bytes(changed))
    assert not verify.is_signed(public, message, signature[:-1])
    assert not verify.is_signed(public, message, signature + b"\0")


def test_a_signature_has_one_form_only() -> None:
    key = Ed25519PrivateKey.generate()
    signature = key.sign(b"message")
    order = 2**252 + 27742317777372353535851937790883648493
    scalar = int.from_bytes(signature[32:], "little") + order
    other = signature[:32] + scalar.to_bytes(32, "little")
    assert not verify.is_signed(key.public_key().public_bytes_raw(), b"message", other)


@pytest.mark.parametrize("point", SMALL_ORDER + NOT_CANONICAL)
def test_a_key_under_which_anything_verifies_is_no_key(point: str) -> None:
    assert not verify.is_usable_key(bytes.fromhex(point))


def test_what_is_no_point_is_no_key() -> None:
    assert not verify.is_usable_key((2).to_bytes(32, "little"))
    assert not verify.is_usable_key(b"short")
