"""From a session to a submission: what is shown, checked, asked and signed, and what stops it."""

import base64
import hashlib
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tegata.agent.card import MyNumberCard, Pin, checked_pin
from tegata.agent.flow import CardCheck, CardFlow, Outcome
from tegata.agent.problems import CardCode, CardProblem
from tegata.agent.session import AskedSession, read_session
from tegata.pkix.intent import Intent, IntentPurpose, document_digest, encode_intent
from tegata.sandbox.card.issue import CardFaults
from tegata.sandbox.personas import Sandbox
from tests.agent.cards import Recorded, Scripted, Somebody, card_keys

TEXT = "口座を開設します。"


def answer(kind: str = "sign", **changes: Any) -> dict[str, Any]:
    """A session as the service answers it."""
    sign = kind == "sign"
    digest = document_digest(TEXT.encode()) if sign else None
    intent = Intent(
        IntentPurpose.SIGN if sign else IntentPurpose.AUTHENTICATE,
        "みなと銀行",
        "https://bank.example.test",
        "ivs_1",
        bytes(range(32)),
        digest,
    )
    return {
        "id": "ivs_1",
        "state": "open",
        "kind": kind,
        "binding": "intent",
        "relying_party": "みなと銀行",
        "origin": "https://bank.example.test",
        "document": digest.hex() if digest else None,
        "text": TEXT if sign else "",
        "challenge": base64.b64encode(bytes(range(32))).decode(),
        "intent": base64.b64encode(encode_intent(intent)).decode(),
    } | changes


def session(kind: str = "sign") -> AskedSession:
    return read_session(answer(kind), None)


def flow(
    sandbox: Sandbox,
    name: str = "ordinary",
    person: Somebody | None = None,
    faults: CardFaults | None = None,
    *,
    check_text: bool = False,
) -> tuple[CardFlow, Recorded]:
    recorded = Recorded.of(sandbox, name, faults)
    made = CardFlow(
        MyNumberCard(recorded), person or Somebody(), card_keys(sandbox), check_text=check_text
    )
    return made, recorded


def refused(made: CardFlow, asked: AskedSession, code: CardCode) -> CardProblem:
    with pytest.raises(CardProblem) as caught:
        made.run(asked)
    assert caught.value.code is code
    return caught.value


@pytest.mark.parametrize("kind", ["sign", "auth"])
def test_the_signature_is_over_the_intent_by_the_key_of_its_purpose(
    sandbox: Sandbox, kind: str
) -> None:
    made, _recorded = flow(sandbox)
    asked = session(kind)
    body = made.run(asked)
    certificate = x509.load_der_x509_certificate(base64.b64decode(str(body["certificate"])))
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.content_commitment == (kind == "sign")
    public = certificate.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    signature = base64.b64decode(str(body["signature"]))
    public.verify(signature, encode_intent(asked.intent), padding.PKCS1v15(), hashes.SHA256())


def test_the_person_is_shown_the_session_before_anything_is_asked(sandbox: Sandbox) -> None:
    person = Somebody(agreed=False)
    made, recorded = flow(sandbox, person=person)
    refused(made, session(), CardCode.DECLINED)
    assert [each.intent.relying_party for each in person.shown] == ["みなと銀行"]
    assert person.asked == []
    assert recorded.commands == []


def test_the_person_is_told_the_tries_before_the_pin_is_asked_for(sandbox: Sandbox) -> None:
    person = Somebody()
    flow(sandbox, person=person)[0].run(session())
    assert person.asked == [(Pin.SIGN, 5)]
    assert person.warned == []


def test_what_leaves_the_card_has_no_attributes_but_the_certificates(sandbox: Sandbox) -> None:
    made, _recorded = flow(sandbox, check_text=True)
    body = made.run(session("auth"))
    assert set(body) == {"certificate", "signature", "chip"}
    said = b"".join(base64.b64decode(each) for each in octets_of(body))
    assert "青山".encode() not in said
    assert b"\xff\x30" not in said  # EF 0003 has the digest of the My Number


def octets_of(body: dict[str, object]) -> list[str]:
    chip = body["chip"]
    assert isinstance(chip, dict)
    return [str(body["certificate"]), str(body["signature"]), *map(str, chip.values())]


@pytest.mark.parametrize("pin", ["WRONGPIN", "wrongpin"])
def test_a_wrong_pin_is_told_with_what_is_left(sandbox: Sandbox, pin: str) -> None:
    made, _recorded = flow(sandbox, person=Somebody(pins={Pin.SIGN: pin}))
    problem = refused(made, session(), CardCode.PIN_WRONG)
    assert problem.detail == "4"
    assert pin not in str(problem)


@pytest.mark.parametrize(
    "pin",
    ["", "1234", "SHORT", "A" * 17, "ÄÖÜäöü", "ABC 123", "ABC123\n", "ＡＢＣ１２３", "ABC-123"],
)
def test_what_cannot_be_the_signing_password_is_not_sent(sandbox: Sandbox, pin: str) -> None:
    made, recorded = flow(sandbox, person=Somebody(pins={Pin.SIGN: pin}))
    refused(made, session(), CardCode.PIN_FORMAT)
    assert recorded.sent_pins() == 0


@pytest.mark.parametrize("pin", ["", "123", "12345", "12a4", "１２３４", "TEGATA99", "123\n"])
def test_what_cannot_be_four_digits_is_not_sent(sandbox: Sandbox, pin: str) -> None:
    made, recorded = flow(sandbox, person=Somebody(pins={Pin.AUTHENTICATE: pin}))
    refused(made, session("auth"), CardCode.PIN_FORMAT)
    assert recorded.sent_pins() == 0


def test_small_letters_of_the_signing_password_are_taken_for_capitals(sandbox: Sandbox) -> None:
    assert checked_pin(Pin.SIGN, "tegata99") == "TEGATA99"
    assert flow(sandbox, person=Somebody(pins={Pin.SIGN: "tegata99"}))[0].run(session())


def exhaust(sandbox: Sandbox, tries: int) -> None:
    for _ in range(tries):
        made, _recorded = flow(sandbox, person=Somebody(pins={Pin.SIGN: "WRONGPIN"}))
        with pytest.raises(CardProblem):
            made.run(session())


def test_before_the_last_try_the_person_is_warned(sandbox: Sandbox) -> None:
    exhaust(sandbox, 4)
    timid = Somebody(daring=False)
    made, recorded = flow(sandbox, person=timid)
    refused(made, session(), CardCode.LAST_TRY)
    assert timid.warned == [Pin.SIGN]
    assert timid.asked == []
    assert recorded.sent_pins() == 0
    assert flow(sandbox, person=Somebody(daring=True))[0].run(session())


def test_the_last_wrong_try_says_that_the_pin_is_blocked(sandbox: Sandbox) -> None:
    exhaust(sandbox, 4)
    made, _recorded = flow(sandbox, person=Somebody(pins={Pin.SIGN: "WRONGPIN"}))
    refused(made, session(), CardCode.PIN_BLOCKED)


@pytest.mark.parametrize("kind", ["sign", "auth"])
def test_a_blocked_pin_is_told_and_not_asked_for(sandbox: Sandbox, kind: str) -> None:
    person = Somebody()
    made, recorded = flow(sandbox, person=person, faults=CardFaults(frozenset({kind})))
    refused(made, session(kind), CardCode.PIN_BLOCKED)
    assert person.asked == []
    assert recorded.sent_pins() == 0


def test_a_card_for_its_bearers_face_authenticates_without_a_pin(sandbox: Sandbox) -> None:
    person = Somebody()
    made, _recorded = flow(sandbox, "face-card", person)
    assert made.run(session("auth"))
    assert person.asked == []


@pytest.mark.parametrize("name", ["minor", "face-card"])
def test_who_has_no_signing_certificate_is_told_so_without_a_pin(
    sandbox: Sandbox, name: str
) -> None:
    person = Somebody()
    made, _recorded = flow(sandbox, name, person)
    refused(made, session(), CardCode.NO_SIGNING_CERTIFICATE)
    assert person.asked == []


@pytest.mark.parametrize("kind", ["sign", "auth"])
def test_a_phone_signs_and_has_no_chip_to_check(sandbox: Sandbox, kind: str) -> None:
    made, _recorded = flow(sandbox, "phone", check_text=True)
    assert "chip" not in made.run(session(kind))
    assert [(check.name, check.outcome) for check in made.checks] == [
        ("chip", Outcome.NOT_PERFORMED),
        ("card-text", Outcome.NOT_PERFORMED),
    ]


# --------------------------------------------------------------------------- chip and text


def test_a_genuine_card_passes_both_checks(sandbox: Sandbox) -> None:
    made, _recorded = flow(sandbox, check_text=True)
    made.run(session())
    assert made.checks == [CardCheck("chip", Outcome.PASS), CardCheck("card-text", Outcome.PASS)]


def test_a_clone_is_found_before_the_person_types_a_pin(sandbox: Sandbox) -> None:
    person = Somebody()
    made, recorded = flow(sandbox, "cloned", person)
    refused(made, session(), CardCode.CHIP_CLONED)
    assert made.checks == [CardCheck("chip", Outcome.FAIL, "chip.not-genuine")]
    assert person.asked == []
    assert recorded.sent_pins() == 0


def test_a_changed_text_is_found_and_nothing_is_signed(sandbox: Sandbox) -> None:
    made, recorded = flow(sandbox, "tampered-text", check_text=True)
    refused(made, session(), CardCode.TEXT_FORGED)
    assert made.checks[-1] == CardCheck("card-text", Outcome.FAIL, "chip.attributes-not-authentic")
    assert not [each for each in recorded.commands if each == b"\x00\xa4\x02\x0c\x02\x00\x1a"]


def test_without_trusted_keys_nothing_is_said_to_have_passed(sandbox: Sandbox) -> None:
    recorded = Recorded.of(sandbox, "ordinary")
    made = CardFlow(MyNumberCard(recorded), Somebody(), {}, check_text=True)
    made.run(session())
    assert {(check.outcome, check.reason) for check in made.checks} == {
        (Outcome.NOT_PERFORMED, "issuer-not-configured")
    }


def test_a_card_certified_by_a_stranger_is_refused(sandbox: Sandbox) -> None:
    recorded = Recorded.of(sandbox, "ordinary")
    made = CardFlow(MyNumberCard(recorded), Somebody(), {bytes(16): b""}, check_text=True)
    refused(made, session(), CardCode.CHIP_KEY_UNKNOWN)


def test_a_chip_that_signs_something_else_is_a_clone(sandbox: Sandbox) -> None:
    genuine = Recorded.of(sandbox, "ordinary")

    def replayed(command: bytes) -> bytes:
        given = genuine.transmit(command)
        # A signature of another day.
        return bytes(256) + b"\x90\x00" if command[:2] == b"\x80\x2a" else given

    made = CardFlow(MyNumberCard(Scripted(replayed)), Somebody(), card_keys(sandbox))
    refused(made, session(), CardCode.CHIP_CLONED)


def commands_of_a_whole_run(sandbox: Sandbox) -> int:
    made, recorded = flow(sandbox, check_text=True)
    made.run(session())
    return len(recorded.commands)


def test_a_card_pulled_at_any_moment_ends_in_one_plain_problem(sandbox: Sandbox) -> None:
    whole = commands_of_a_whole_run(sandbox)
    assert whole > 20
    for after in range(1, whole + 1):
        made, recorded = flow(sandbox, faults=CardFaults(pull_after=after), check_text=True)
        refused(made, session(), CardCode.REMOVED)
        assert len(recorded.commands) == after


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (b"", CardCode.UNEXPECTED),
        (b"\x90", CardCode.UNEXPECTED),
        (b"\x6a\x82", CardCode.NOT_A_CARD),
        (b"\x6f\x00", CardCode.NOT_A_CARD),
        (b"\x90\x00", CardCode.UNEXPECTED),
        (b"\xff" * 300 + b"\x90\x00", CardCode.UNEXPECTED),
    ],
)
def test_a_card_that_makes_no_sense_is_no_card(
    sandbox: Sandbox, given: bytes, code: CardCode
) -> None:
    made = CardFlow(MyNumberCard(Scripted(lambda _command: given)), Somebody(), {})
    refused(made, session(), code)


def test_a_file_that_never_ends_is_given_up(sandbox: Sandbox) -> None:
    genuine = Recorded.of(sandbox, "ordinary")

    def endless(command: bytes) -> bytes:
        if command[:2] == b"\x00\xb0" and command[2:4] != b"\x00\x00":
            return b"\x90\x00"
        return genuine.transmit(command)

    made = CardFlow(MyNumberCard(Scripted(endless)), Somebody(), card_keys(sandbox))
    refused(made, session(), CardCode.UNEXPECTED)


# --------------------------------------------------------------------------- sessions


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"state": "expired"}, CardCode.NOT_OPEN),
        ({"state": "decided"}, CardCode.NOT_OPEN),
        ({"binding": "digest"}, CardCode.NOT_OURS),
        ({"kind": "seal"}, CardCode.NOT_OURS),
        ({"relying_party": "another bank"}, CardCode.INTENT_DIFFERS),
        ({"relying_party": "bank\u202e"}, CardCode.INTENT_DIFFERS),
        ({"origin": "https://elsewhere.example.test"}, CardCode.INTENT_DIFFERS),
        ({"origin": "http://bank.example.test"}, CardCode.INTENT_DIFFERS),
        ({"id": "ivs_2"}, CardCode.INTENT_DIFFERS),
        ({"challenge": base64.b64encode(bytes(32)).decode()}, CardCode.INTENT_DIFFERS),
        ({"challenge": "***"}, CardCode.INTENT_DIFFERS),
        ({"challenge": ""}, CardCode.INTENT_DIFFERS),
        ({"intent": ""}, CardCode.INTENT_DIFFERS),
        ({"kind": "auth"}, CardCode.INTENT_DIFFERS),
        ({"text": "something else"}, CardCode.DOCUMENT_MISSING),
        ({"document": "00" * 32}, CardCode.DOCUMENT_MISSING),
        ({"document": None}, CardCode.DOCUMENT_MISSING),
    ],
)
def test_a_session_that_says_one_thing_and_wants_another_is_not_signed(
    changes: dict[str, Any], code: CardCode
) -> None:
    with pytest.raises(CardProblem) as caught:
        read_session(answer() | changes, None)
    assert caught.value.code is code


def test_a_log_in_that_hides_a_document_is_not_signed() -> None:
    with pytest.raises(CardProblem) as caught:
        read_session(answer("auth", intent=answer("sign")["intent"]), None)
    assert caught.value.code is CardCode.INTENT_DIFFERS


def test_the_document_itself_is_hashed_here() -> None:
    document = b"%PDF-1.7 a contract"
    digest = hashlib.sha256(document).digest()
    intent = Intent(
        IntentPurpose.SIGN,
        "みなと銀行",
        "https://bank.example.test",
        "ivs_1",
        bytes(range(32)),
        digest,
    )
    given = answer(document=digest.hex(), intent=base64.b64encode(encode_intent(intent)).decode())
    assert read_session(given, document).intent == intent
    with pytest.raises(CardProblem) as caught:
        read_session(given, b"%PDF-1.7 another contract")
    assert caught.value.code is CardCode.DOCUMENT_DIFFERS


def test_a_session_without_its_fields_is_no_session() -> None:
    with pytest.raises(CardProblem):
        read_session({}, None)


# --------------------------------------------------------------------------- status


def test_status_tells_what_there_is_and_spends_no_try(sandbox: Sandbox) -> None:
    recorded = Recorded.of(sandbox, "ordinary")
    status = MyNumberCard(recorded).status()
    assert status.label == "JPKIAPICCTOKEN2"
    assert (status.signing, status.authentication, status.has_text) == (True, True, True)
    assert status.tries == {Pin.AUTHENTICATE: 3, Pin.SIGN: 5, Pin.TEXT: 3}
    assert recorded.sent_pins() == 0
    assert MyNumberCard(recorded).status() == status


def test_status_of_a_phone_has_no_text_pin(sandbox: Sandbox) -> None:
    status = MyNumberCard(Recorded.of(sandbox, "phone")).status()
    assert status.label == "JPKIAPGPSETOKEN"
    assert status.tries[Pin.TEXT] is None
