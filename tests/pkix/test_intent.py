"""The structure that a card signs: one way to write it, and no other is read."""

import dataclasses
import hashlib
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils

from tegata.pkix.intent import (
    INTENT_PREFIX,
    Intent,
    IntentInvalid,
    IntentPurpose,
    chip_octets,
    digest_info,
    document_digest,
    encode_intent,
    intent_digest,
    parse_intent,
)

LOG_IN = Intent(
    purpose=IntentPurpose.AUTHENTICATE,
    relying_party="みなと銀行",
    origin="https://bank.example.test",
    session="ids_01",
    challenge=bytes(range(32)),
)
SIGNATURE = dataclasses.replace(
    LOG_IN, purpose=IntentPurpose.SIGN, document=document_digest(b"I open an account.")
)


def test_the_octets_are_those_that_the_module_documents() -> None:
    expected = (
        b"tegata-intent-v1\x00"
        b'{"challenge":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",'
        b'"document":"' + hashlib.sha256(b"I open an account.").hexdigest().encode() + b'",'
        b'"origin":"https://bank.example.test","purpose":"sign",'
        b'"relying_party":"' + "みなと銀行".encode() + b'","session":"ids_01"}'
    )
    assert encode_intent(SIGNATURE) == expected
    assert intent_digest(SIGNATURE) == hashlib.sha256(expected).digest()


@pytest.mark.parametrize("intent", [LOG_IN, SIGNATURE])
def test_an_intent_is_read_back(intent: Intent) -> None:
    assert parse_intent(encode_intent(intent)) == intent


def test_quotes_and_backslashes_are_escaped_and_nothing_else() -> None:
    named = dataclasses.replace(LOG_IN, relying_party='A "B" \\ C é')
    assert '"relying_party":"A \\"B\\" \\\\ C é"'.encode() in encode_intent(named)
    assert parse_intent(encode_intent(named)) == named


def test_a_log_in_and_a_signature_never_have_the_same_octets() -> None:
    assert encode_intent(LOG_IN) != encode_intent(SIGNATURE)
    with pytest.raises(IntentInvalid, match="document"):
        dataclasses.replace(LOG_IN, document=SIGNATURE.document)
    with pytest.raises(IntentInvalid, match="document"):
        dataclasses.replace(SIGNATURE, document=None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("relying_party", ""),
        ("relying_party", " bank"),
        ("relying_party", "b" * 201),
        ("relying_party", "knab\u202e"),
        ("relying_party", "bank\x00"),
        ("relying_party", "bank\nfor nothing"),
        ("relying_party", "\ud800"),
        ("origin", "http://bank.example.test"),
        ("origin", "https://bank.example.test/"),
        ("origin", "https://user@bank.example.test"),
        ("origin", "https://BANK.example.test"),
        ("session", ""),
        ("session", "a/b"),
        ("session", "a" * 65),
        ("challenge", bytes(31)),
        ("challenge", bytes(33)),
    ],
)
def test_fields_that_could_mislead_are_refused(field: str, value: object) -> None:
    with pytest.raises(IntentInvalid, match=field):
        dataclasses.replace(LOG_IN, **{field: value})  # type: ignore[arg-type]


def fields() -> dict[str, object]:
    return json.loads(encode_intent(SIGNATURE)[len(INTENT_PREFIX) :])  # type: ignore[no-any-return]


def written(value: object, **options: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, **options)  # type: ignore[arg-type]
    return INTENT_PREFIX + text.encode()


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        encode_intent(SIGNATURE)[len(INTENT_PREFIX) :],
        encode_intent(SIGNATURE) + b" ",
        encode_intent(SIGNATURE)[:-1],
        INTENT_PREFIX + b"[]",
        INTENT_PREFIX + b"[" * 3000,
        INTENT_PREFIX + b"\xff",
        written(fields()),
        written(dict(reversed(fields().items())), separators=(",", ":")),
        written(fields() | {"extra": "x"}, separators=(",", ":"), sort_keys=True),
        written(fields() | {"purpose": "both"}, separators=(",", ":"), sort_keys=True),
        written(fields() | {"purpose": 1}, separators=(",", ":"), sort_keys=True),
        written(fields() | {"challenge": "AA"}, separators=(",", ":"), sort_keys=True),
        written(fields() | {"challenge": "é"}, separators=(",", ":"), sort_keys=True),
        written(fields() | {"document": "AB" * 32}, separators=(",", ":"), sort_keys=True),
        encode_intent(SIGNATURE).replace(b'{"ch', b'{"session":"x","ch'),
        encode_intent(SIGNATURE).replace(b"sign", b"\\u0073ign"),
        encode_intent(SIGNATURE) + b" " * 4096,
    ],
)
def test_octets_written_any_other_way_are_refused(octets: bytes) -> None:
    with pytest.raises(IntentInvalid):
        parse_intent(octets)


def test_a_missing_field_is_named() -> None:
    left = {name: value for name, value in fields().items() if name != "origin"}
    with pytest.raises(IntentInvalid, match="origin is missing"):
        parse_intent(written(left, separators=(",", ":"), sort_keys=True))


def test_a_card_that_pads_the_digest_info_makes_an_ordinary_signature() -> None:
    key = rsa.generate_private_key(65537, 2048)
    padded = digest_info(intent_digest(SIGNATURE))
    signature = key.sign(padded, padding.PKCS1v15(), utils.NoDigestInfo())
    key.public_key().verify(
        signature, encode_intent(SIGNATURE), padding.PKCS1v15(), hashes.SHA256()
    )


@pytest.mark.parametrize("digest", [b"", bytes(20), bytes(31), bytes(33), bytes(64)])
def test_only_a_sha_256_digest_becomes_a_digest_info(digest: bytes) -> None:
    with pytest.raises(IntentInvalid):
        digest_info(digest)


def test_what_the_chip_signs_is_no_intent() -> None:
    octets = chip_octets(LOG_IN.session, LOG_IN.challenge)
    assert octets == b"tegata-chip-v1\x00ids_01\x00" + bytes(range(32))
    with pytest.raises(IntentInvalid):
        parse_intent(octets)


@pytest.mark.parametrize(
    ("session", "challenge"), [("", bytes(32)), ("a\x00b", bytes(32)), ("a", bytes(16))]
)
def test_what_the_chip_signs_is_bound_to_one_session(session: str, challenge: bytes) -> None:
    with pytest.raises(IntentInvalid):
        chip_octets(session, challenge)
