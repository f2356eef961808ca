"""The text application's files: what is signed is taken, anything else is refused."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from tegata.pkix.card_text import (
    CardDataForged,
    CardDataInvalid,
    CardIssuerUnknown,
    TextAttributes,
    parse_card_verifiable,
    parse_public_key,
    parse_text_attributes,
    split_tlv,
    trusted_signer,
    verify_chip,
    verify_chip_key,
    verify_text,
)

ROOT_ID, SIGNER_ID = b"9000001" + bytes(9), b"9000023" + bytes(9)
KEYS = [rsa.generate_private_key(65537, 2048) for _ in range(3)]
ROOT, SIGNER, CHIP = KEYS


def tlv(tag: int, value: bytes) -> bytes:
    size = len(value)
    length = bytes((size,)) if size < 0x80 else (
        b"\x81" + bytes((size,)) if size < 0x100 else b"\x82" + size.to_bytes(2, "big")
    )  # fmt: skip
    return tag.to_bytes(2 if tag > 0xFF else 1, "big") + length + value


def signed(key: rsa.RSAPrivateKey, octets: bytes) -> bytes:
    return key.sign(octets, padding.PKCS1v15(), hashes.SHA256())


def spki(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def public(key: rsa.RSAPrivateKey) -> bytes:
    modulus = key.public_key().public_numbers().n.to_bytes(256, "big")
    return tlv(0x90, b"\x01\x00\x01") + tlv(0x91, modulus)


def digest(octets: bytes) -> bytes:
    hashed = hashes.Hash(hashes.SHA256())
    hashed.update(octets)
    return hashed.finalize()


def attributes(name: str = "青山　花子") -> bytes:
    fields = (name.encode(), "東京都".encode(), b"19800217", b"2")
    body = b"".join(tlv(0xDF22 + place, each) for place, each in enumerate(fields))
    return tlv(0xFF20, tlv(0xDF21, bytes(8)) + body)


BODY = ROOT_ID + SIGNER_ID + public(SIGNER)
EF_0002 = attributes()
DIGESTS = tlv(0xDF31, bytes(32)) + tlv(0xDF32, digest(EF_0002[EF_0002.index(b"\xdf\x22") :]))
EF_0003 = tlv(0xFF30, DIGESTS + tlv(0xDF33, signed(SIGNER, DIGESTS)))
EF_0004 = tlv(0x7F21, tlv(0x5F4E, BODY) + tlv(0x5F37, signed(ROOT, BODY)))
EF_0007 = tlv(0xFF50, tlv(0xDF51, public(CHIP)) + tlv(0xDF52, signed(SIGNER, public(CHIP))))
TRUSTED = {ROOT_ID: spki(ROOT)}


def test_a_card_is_followed_from_its_root_to_its_attributes_and_its_chip() -> None:
    signer = trusted_signer(EF_0004, TRUSTED)
    assert signer.public_key == spki(SIGNER)
    assert (signer.issuer, signer.subject) == (ROOT_ID, SIGNER_ID)
    assert verify_text(EF_0002, EF_0003, signer) == TextAttributes(
        "青山　花子", "東京都", "19800217", "2"
    )
    assert verify_chip_key(EF_0007, signer) == spki(CHIP)
    verify_chip(spki(CHIP), b"challenge", signed(CHIP, b"challenge"))


def test_filler_behind_a_file_is_left_out_and_nothing_else_is() -> None:
    assert parse_text_attributes(EF_0002 + b"\xff\xff").name == "青山　花子"
    with pytest.raises(CardDataInvalid):
        parse_text_attributes(EF_0002 + b"\x00")


def test_a_root_that_is_not_trusted_is_unknown() -> None:
    with pytest.raises(CardIssuerUnknown):
        trusted_signer(EF_0004, {})
    with pytest.raises(CardDataForged):
        trusted_signer(EF_0004, {ROOT_ID: spki(CHIP)})
    with pytest.raises(CardDataForged):
        trusted_signer(EF_0004, {ROOT_ID: b"not a key"})


def test_other_attributes_than_those_signed_are_forged() -> None:
    signer = parse_card_verifiable(EF_0004)
    with pytest.raises(CardDataForged, match="not those"):
        verify_text(attributes("藤田　楓花"), EF_0003, signer)


def test_digests_that_the_signer_did_not_sign_are_forged() -> None:
    signer = parse_card_verifiable(EF_0004)
    mine = tlv(0xFF30, DIGESTS + tlv(0xDF33, signed(CHIP, DIGESTS)))
    with pytest.raises(CardDataForged):
        verify_text(EF_0002, mine, signer)
    own = tlv(0xFF50, tlv(0xDF51, public(CHIP)) + tlv(0xDF52, signed(CHIP, public(CHIP))))
    with pytest.raises(CardDataForged):
        verify_chip_key(own, signer)
    with pytest.raises(CardDataForged):
        verify_chip(spki(CHIP), b"challenge", signed(CHIP, b"another"))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\xff",
        b"\xff\x20",
        EF_0002[:-1],
        EF_0003,
        tlv(0xFF20, b""),
        tlv(0xFF20, EF_0002[3:] * 2),
        EF_0002.replace(b"19800217", b"1980021x"),
        EF_0002.replace(b"19800217", "１９".encode() + b"80"),
        EF_0002.replace(b"\xdf\x25\x01\x32", b"\xdf\x25\x01\x33"),
        EF_0002.replace("東".encode(), b"\xff\xff\xff"),
        b"\xff\x20\x80" + EF_0002[3:] + b"\x00\x00",
        b"\xff\x20\x82\x00" + bytes((len(EF_0002) - 3,)) + EF_0002[3:],
        tlv(0xFF20, bytes(9000)),
        b"\xff" * 300,
    ],
)
def test_what_is_no_file_of_attributes_is_refused(octets: bytes) -> None:
    with pytest.raises(CardDataInvalid):
        parse_text_attributes(octets)


@pytest.mark.parametrize(
    "key",
    [
        b"",
        tlv(0x90, b"\x03") + tlv(0x91, bytes(256)),
        tlv(0x90, b"\x01\x00\x01") + tlv(0x91, bytes(256)),
        tlv(0x90, b"\x01\x00\x01") + tlv(0x91, b"\xff" * 128),
        tlv(0x91, b"\xff" * 256) + tlv(0x90, b"\x01\x00\x01"),
    ],
)
def test_a_weak_or_odd_key_is_refused(key: bytes) -> None:
    with pytest.raises(CardDataInvalid):
        parse_public_key(key)


def test_a_certificate_without_two_identifiers_is_refused() -> None:
    for body in (b"", bytes(31), bytes(32)):
        with pytest.raises(CardDataInvalid):
            parse_card_verifiable(tlv(0x7F21, tlv(0x5F4E, body) + tlv(0x5F37, bytes(256))))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=64))
def test_any_octets_are_taken_apart_or_refused(octets: bytes) -> None:
    try:
        found = split_tlv(octets)
    except CardDataInvalid:
        return
    assert b"".join(whole for _tag, _value, whole in found) == octets


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(EF_0002) - 1), st.integers(1, 255))
def test_no_single_octet_can_be_changed(place: int, mask: int) -> None:
    changed = bytearray(EF_0002)
    changed[place] ^= mask
    # The offsets are not signed; nothing reads them.
    offsets = range(EF_0002.index(b"\xdf\x21") + 3, EF_0002.index(b"\xdf\x22"))
    try:
        found = verify_text(bytes(changed), EF_0003, parse_card_verifiable(EF_0004))
    except (CardDataInvalid, CardDataForged):
        return
    assert place in offsets
    assert found.name == "青山　花子"
