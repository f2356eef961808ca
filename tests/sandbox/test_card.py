"""The card's answers, command by command: every status word, PIN states, faults."""

import hashlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils

from tegata.pkix.intent import digest_info
from tegata.sandbox.card.apdu import Refused, parse_command
from tegata.sandbox.card.card import ATR, Card, CardPulled
from tegata.sandbox.card.issue import (
    COMMON,
    JPKI,
    SURFACE,
    TEXT,
    CardFaults,
    insert_card,
    renew_pins,
)
from tegata.sandbox.keys import SandboxError
from tegata.sandbox.numbers import check_digit, impossible_number, number_b, security_code
from tegata.sandbox.people import PEOPLE, Kind
from tegata.sandbox.personas import Sandbox
from tests.fakes.system import CountingRandomness

DIGEST = digest_info(hashlib.sha256(b"octets").digest())


class Reader:
    """A card with the few commands that tests give it."""

    def __init__(self, card: Card) -> None:
        self.card = card

    def __call__(self, command: str) -> tuple[bytes, str]:
        answer = self.card.apdu(bytes.fromhex(command))
        return answer[:-2], answer[-2:].hex().upper()

    def status(self, command: str) -> str:
        return self(command)[1]

    def select(self, application: bytes, file: int | None = None) -> str:
        status = self.status(f"00A4040C0A{application.hex()}")
        return status if file is None else self.file(file)

    def file(self, file: int) -> str:
        return self.status(f"00A4020C02{file:04X}")

    def verify(self, pin: bytes) -> str:
        return self.status(f"00200080{len(pin):02X}{pin.hex()}")

    def read(self) -> bytes:
        octets = b""
        while True:
            part, status = self(f"00B0{len(octets):04X}00")
            if status != "9000":
                assert status == "6B00", status
                return octets
            octets += part


@pytest.fixture
def cards(sandbox: Sandbox, shared_folder: Path) -> Iterator[Sandbox]:
    yield sandbox
    for file in (shared_folder / "cards").glob("*.json"):
        file.unlink()


def inserted(sandbox: Sandbox, name: str = "ordinary", faults: CardFaults | None = None) -> Reader:
    return Reader(insert_card(sandbox, name, CountingRandomness(), faults))


@pytest.fixture
def reader(cards: Sandbox) -> Reader:
    return inserted(cards)


# --------------------------------------------------------------------------- selecting


@pytest.mark.parametrize("application", [JPKI, TEXT, SURFACE, COMMON])
def test_every_application_is_found_by_its_identifier(reader: Reader, application: bytes) -> None:
    assert reader.select(application) == "9000"


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("00A40400077601FF00000000", "6A82"),  # OpenSC asks thirty others first
        ("00A4040C0AD392F000260100000002", "6A82"),
        ("00A4040C", "6A82"),
        ("00A4040107A0000001510000", "6A86"),
        ("00A4010C020001", "6A86"),
        ("00A40000", "6A86"),
        ("00A40000023F00", "6A82"),
        ("00A4040007A0000001510000", "9000"),
        ("00A4020C020001", "6A82"),
        ("00CADF3005", "6A88"),
        ("00CB3FFF035C017E08", "6D00"),
        ("00FF0000", "6D00"),
        ("A0A40000", "6E00"),
        ("FF000000", "6E00"),
        ("01A4040C0AD392F000260100000001", "6881"),
        ("0CA4040C0AD392F000260100000001", "6882"),
        ("80FC0000", "6700"),
        ("00A404", "6700"),
        ("", "6700"),
        ("00A4040C0AD392F0002601000000", "6700"),
        ("00A4040C0AD392F00026010000000100FF", "6700"),
        ("00A4040C00000AD392F000260100000001", "9000"),  # extended Lc
    ],
)
def test_a_fresh_card_answers_with_its_status_words(
    reader: Reader, command: str, status: str
) -> None:
    assert reader.status(command) == status


def test_the_master_file_is_no_operation_once_an_application_is_selected(reader: Reader) -> None:
    reader.select(JPKI)
    assert reader.status("00A40000") == "9000"


def test_an_unknown_application_leaves_the_one_selected(reader: Reader) -> None:
    reader.select(JPKI)
    assert reader.select(bytes(10)) == "6A82"
    assert reader.file(0x0A) == "9000"


def test_a_file_identifier_has_two_octets(reader: Reader) -> None:
    reader.select(JPKI)
    assert reader.status("00A4020C0101") == "6700"
    assert reader.file(0x99) == "6A82"


@pytest.mark.parametrize("file", [0x05, 0x09, 0x10, 0x16, 0x19, 0x1C, 0x1E])
def test_internal_files_are_there_and_tell_nothing(reader: Reader, file: int) -> None:
    assert reader.select(JPKI, file) == "9000"
    assert reader.status("00B0000000") == "6981"


def test_the_atr_is_given_without_its_first_octet(reader: Reader) -> None:
    assert reader("00CA5F5100") == (ATR[1:], "9000")


# --------------------------------------------------------------------------- reading


def test_certificates_are_read_as_they_were_issued(reader: Reader, sandbox: Sandbox) -> None:
    auth = sandbox.persona("ordinary").held(Kind.AUTH)
    assert auth is not None
    reader.select(JPKI, 0x0A)
    assert reader.read() == auth.der
    reader.file(0x0B)
    assert reader.read() == auth.root.der


def test_a_short_identifier_selects_and_reads_at_once(reader: Reader) -> None:
    reader.select(JPKI)
    octets, status = reader("00B08A0004")
    assert (octets[:2], status) == (b"\x30\x82", "9000")
    assert reader("00B0000004") == (octets, "9000")


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("00B0000000", "6986"),
        ("00B0990000", "6981"),
        ("00B0950000", "6A82"),
        ("00B0EA0000", "6A86"),
        ("00B0800000", "6A86"),
        ("00B0", "6700"),
        ("00B00000", "6700"),
        ("00B2010400", "6986"),
        ("00B2010500", "6A86"),
    ],
)
def test_reading_what_cannot_be_read_is_refused(reader: Reader, command: str, status: str) -> None:
    reader.select(JPKI)
    assert reader.status(command) == status


def test_reading_ends_at_the_files_end(reader: Reader) -> None:
    reader.select(JPKI, 0x06)
    assert reader.status("00B000A000") == "6B00"
    assert len(reader("00B0009F00")[0]) == 1


def test_keys_and_pins_are_not_read(reader: Reader) -> None:
    for file in (0x17, 0x18, 0x1A, 0x1B):
        reader.select(JPKI, file)
        assert reader.status("00B0000000") == "6981"


def test_token_information_has_the_label_and_160_octets(reader: Reader) -> None:
    reader.select(JPKI, 0x06)
    token = reader.read()
    assert token[:32] == b"JPKIAPICCTOKEN2".ljust(32)
    assert len(token) == 160
    assert token[140:144] == b"0301"


@pytest.mark.parametrize(
    ("name", "available"),
    [("ordinary", "8F8F00"), ("minor", "008F00"), ("face-card", "008F00")],
)
def test_availability_says_which_certificates_there_are(
    cards: Sandbox, name: str, available: str
) -> None:
    reader = inserted(cards, name)
    reader.select(JPKI, 0x08)
    assert reader.read().hex().upper() == available


def test_the_common_application_has_one_record(reader: Reader) -> None:
    reader.select(COMMON)
    octets, status = reader("00B2010C00")
    assert status == "9000"
    assert octets[:2] == b"\x01\x1c"
    assert octets[17:22] == b"13221"
    assert reader.status("00B2020C00") == "6A83"
    assert reader.status("00B2000C00") == "6A83"
    reader.file(0x1C)
    assert reader.status("00B2010400") == "6981"


# --------------------------------------------------------------------------- PINs


def test_asking_for_tries_costs_none(reader: Reader) -> None:
    reader.select(JPKI, 0x18)
    assert [reader.status("00200080") for _ in range(5)] == ["63C3"] * 5
    reader.file(0x1B)
    assert reader.status("00200080") == "63C5"


def test_asking_for_tries_is_answered_alike_after_a_success(reader: Reader) -> None:
    # OpenSC fails on 9000 here.
    reader.select(JPKI, 0x18)
    assert reader.verify(b"1234") == "9000"
    assert reader.status("00200080") == "63C3"


def test_wrong_pins_count_down_and_then_block(reader: Reader) -> None:
    reader.select(JPKI, 0x18)
    assert [reader.verify(b"9999") for _ in range(3)] == ["63C2", "63C1", "63C0"]
    assert reader.verify(b"1234") == "6984"
    assert reader.status("00200080") == "63C0"


def test_a_right_pin_gives_the_tries_back(reader: Reader) -> None:
    reader.select(JPKI, 0x1B)
    assert reader.verify(b"WRONG99") == "63C4"
    assert reader.verify(b"TEGATA99") == "9000"
    assert reader.status("00200080") == "63C5"


def test_tries_outlive_the_power(reader: Reader, cards: Sandbox) -> None:
    reader.select(JPKI, 0x18)
    reader.verify(b"9999")
    reader.card.reset()
    again = inserted(cards)
    again.select(JPKI, 0x18)
    assert again.status("00200080") == "63C2"


def test_the_municipal_office_gives_them_back(reader: Reader, cards: Sandbox) -> None:
    reader.select(JPKI, 0x18)
    for _ in range(3):
        reader.verify(b"9999")
    renew_pins(cards, "ordinary")
    assert reader.verify(b"1234") == "9000"


def test_a_wrong_pin_takes_away_what_the_right_one_gave(reader: Reader) -> None:
    reader.select(JPKI, 0x1B)
    reader.verify(b"TEGATA99")
    reader.verify(b"WRONG99")
    reader.file(0x01)
    assert reader.status("00B0000004") == "6982"


def test_a_pin_may_be_named_by_its_short_identifier(reader: Reader) -> None:
    reader.select(JPKI)
    assert reader.status("0020009B085445474154413939") == "9000"
    reader.file(0x01)
    assert reader("00B0000004")[0][:2] == b"\x30\x82"
    assert reader.status("00200095") == "6A88"
    assert reader.status("00200018") == "6A86"
    assert reader.status("00200180") == "6A86"


@pytest.mark.parametrize(
    ("command", "status"),
    [("0020008011" + "31" * 17, "6700"), ("0020008000000131", "63C2"), ("002000800031", "6700")],
)
def test_the_length_of_a_pin_is_looked_at(reader: Reader, command: str, status: str) -> None:
    reader.select(JPKI, 0x18)
    assert reader.status(command) == status


def test_there_is_no_pin_without_a_file_and_none_in_a_file_of_data(reader: Reader) -> None:
    reader.select(JPKI)
    assert reader.verify(b"1234") == "6986"
    reader.file(0x0A)
    assert reader.verify(b"1234") == "6981"


def test_selecting_an_application_again_forgets_the_pin(reader: Reader) -> None:
    reader.select(JPKI, 0x1B)
    reader.verify(b"TEGATA99")
    reader.select(JPKI, 0x01)
    assert reader.status("00B0000004") == "6982"


def test_a_reset_forgets_everything(reader: Reader) -> None:
    reader.select(JPKI, 0x1B)
    reader.verify(b"TEGATA99")
    reader.card.reset()
    assert reader.status("00B0000004") == "6986"


def test_a_pin_is_changed_by_who_knows_it(reader: Reader) -> None:
    reader.select(JPKI, 0x1B)
    assert reader.status("00240180084E45575041535331") == "6982"
    reader.verify(b"TEGATA99")
    assert reader.status("00240180046E657770") == "6A80"
    assert reader.status("00240080084E45575041535331") == "6A86"
    assert reader.status("80320080084E45575041535331") == "6D00"
    assert reader.status("00240180084E45575041535331") == "9000"
    assert reader.verify(b"TEGATA99") == "63C4"
    assert reader.verify(b"NEWPASS1") == "9000"


def test_the_common_application_changes_its_pin_in_its_own_way(reader: Reader) -> None:
    reader.select(COMMON, 0x1C)
    reader.verify(b"1234")
    assert reader.status("002401800439393939") == "6D00"
    assert reader.status("803200800439393939") == "9000"
    assert reader.verify(b"9999") == "9000"


def test_numbers_on_the_card_are_not_changed(reader: Reader, sandbox: Sandbox) -> None:
    reader.select(TEXT, 0x14)
    reader.verify(impossible_number(PEOPLE["ordinary"]).encode())
    assert reader.status("002401800C" + "31" * 12) == "6985"


# --------------------------------------------------------------------------- signing


def key(sandbox: Sandbox, kind: Kind, name: str = "ordinary") -> rsa.RSAPublicKey:
    held = sandbox.persona(name).held(kind)
    assert held is not None
    public = held.certificate.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    return public


def test_a_digest_info_is_padded_and_signed(reader: Reader, sandbox: Sandbox) -> None:
    reader.select(JPKI, 0x18)
    reader.verify(b"1234")
    reader.file(0x17)
    signature, status = reader(f"802A0080{len(DIGEST):02X}{DIGEST.hex()}00")
    assert status == "9000"
    key(sandbox, Kind.AUTH).verify(signature, b"octets", padding.PKCS1v15(), hashes.SHA256())


@pytest.mark.parametrize(
    ("scheme", "data"),
    [(2, hashlib.sha256(b"octets").digest()), (3, b"octets")],
)
def test_the_card_hashes_when_it_is_told_to(
    reader: Reader, sandbox: Sandbox, scheme: int, data: bytes
) -> None:
    reader.select(JPKI, 0x1B)
    reader.verify(b"TEGATA99")
    signature, _ = reader(f"802A{scheme:02X}9A{len(data):02X}{data.hex()}00")
    key(sandbox, Kind.SIGN).verify(signature, b"octets", padding.PKCS1v15(), hashes.SHA256())


def test_scheme_one_pads_a_hash_without_saying_which(reader: Reader, sandbox: Sandbox) -> None:
    reader.select(JPKI, 0x18)
    reader.verify(b"1234")
    signature, _ = reader("802A0197066F637465747300")
    recovered = key(sandbox, Kind.AUTH).recover_data_from_signature(
        signature, padding.PKCS1v15(), None
    )
    assert recovered == hashlib.sha256(b"octets").digest()


@pytest.mark.parametrize(
    ("scheme", "data"), [(4, hashlib.sha256(b"octets").digest()), (5, b"octets")]
)
def test_the_card_makes_pss_signatures(
    reader: Reader, sandbox: Sandbox, scheme: int, data: bytes
) -> None:
    reader.select(JPKI, 0x18)
    reader.verify(b"1234")
    signature, _ = reader(f"802A{scheme:02X}97{len(data):02X}{data.hex()}00")
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    key(sandbox, Kind.AUTH).verify(
        signature, hashlib.sha256(b"octets").digest(), pss, utils.Prehashed(hashes.SHA256())
    )


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("802A0080", "6700"),
        ("802A0080F6" + "00" * 246 + "00", "6700"),
        ("802A02800161", "6700"),
        ("802A06800161", "6A86"),
        ("802A00800161", "9000"),
        ("802A0080F5" + "00" * 245 + "00", "9000"),
        ("002A00800161", "6D00"),
        ("802A00950161", "6A88"),
        ("802A00170161", "6A86"),
    ],
)
def test_what_is_signed_must_fit_the_scheme(reader: Reader, command: str, status: str) -> None:
    reader.select(JPKI, 0x18)
    reader.verify(b"1234")
    reader.file(0x17)
    assert reader.status(command) == status


def test_a_key_wants_to_be_selected_and_its_pin(reader: Reader) -> None:
    reader.select(JPKI)
    sign = f"802A0080{len(DIGEST):02X}{DIGEST.hex()}00"
    assert reader.status(sign) == "6985"
    reader.file(0x0A)
    assert reader.status(sign) == "6985"
    reader.file(0x17)
    assert reader.status(sign) == "6982"


def test_one_pin_does_not_open_the_others_key(reader: Reader) -> None:
    reader.select(JPKI, 0x18)
    reader.verify(b"1234")
    reader.file(0x1A)
    assert reader.status(f"802A0080{len(DIGEST):02X}{DIGEST.hex()}00") == "6982"


def test_the_common_application_authenticates_the_card(reader: Reader) -> None:
    reader.select(COMMON, 0x19)
    signature, status = reader("0088008004AABBCCDD00")
    assert (len(signature), status) == (256, "9000")
    assert reader.status("0088009904AABBCCDD00") == "9000"
    assert reader.status("0088008000") == "6700"
    assert reader.status("0088018004AABBCCDD00") == "6A86"
    assert reader.status("802A00800161") == "6985"
    reader.select(JPKI, 0x17)
    assert reader.status("0088008004AABBCCDD00") == "6985"


def test_challenges_are_as_long_as_is_asked(reader: Reader) -> None:
    assert len(reader("0084000000")[0]) == 256
    first, second = reader("0084000008")[0], reader("0084000008")[0]
    assert len(first) == 8
    assert first != second
    assert reader.status("0084000000FFFF") == "6700"
    assert reader.status("00840000") == "6700"
    assert reader.status("0084010008") == "6A86"


# --------------------------------------------------------------------------- text and surface


def test_the_attributes_are_behind_a_pin(reader: Reader) -> None:
    reader.select(TEXT, 0x02)
    assert reader.status("00B0000000") == "6982"
    reader.file(0x11)
    reader.verify(b"1234")
    reader.file(0x02)
    octets = reader.read()
    assert octets[:2] == b"\xff\x20"
    assert "青山　花子".encode() in octets


def test_offsets_point_at_the_tags(reader: Reader) -> None:
    reader.select(TEXT, 0x11)
    reader.verify(b"1234")
    reader.file(0x02)
    octets = reader.read()
    start = octets.index(b"\xdf\x21\x08") + 3
    places = [int.from_bytes(octets[start + i : start + i + 2], "big") for i in range(0, 8, 2)]
    assert [octets[place : place + 2].hex() for place in places] == ["df22", "df23", "df24", "df25"]


def test_number_b_opens_the_attributes_and_not_the_number(reader: Reader, sandbox: Sandbox) -> None:
    person = PEOPLE["ordinary"]
    reader.select(COMMON)
    expiry_year = int(reader("00B2010C00")[0][22:26])
    value = f"550217{expiry_year}{security_code(person)}".encode()
    reader.select(TEXT, 0x15)
    assert reader.verify(value) == "9000"
    reader.file(0x02)
    assert reader.status("00B0000004") == "9000"
    reader.file(0x01)
    assert reader.status("00B0000004") == "6982"


def test_no_persona_has_a_number_that_could_be_a_my_number() -> None:
    assert check_digit("12345678901") == 8  # the one known example
    for person in PEOPLE.values():
        number = impossible_number(person)
        assert len(number) == 12
        assert int(number[-1]) != check_digit(number[:-1])


def test_the_numbers_file_has_its_filler_and_its_digest_is_signed(
    reader: Reader, sandbox: Sandbox
) -> None:
    reader.select(TEXT, 0x11)
    reader.verify(b"1234")
    reader.file(0x01)
    number = reader.read()
    assert number == b"\xff\x10\x0c" + impossible_number(PEOPLE["ordinary"]).encode() + b"\xff\xff"
    reader.file(0x03)
    assert hashlib.sha256(number).digest() in reader.read()


def test_the_surface_applications_numbers_have_another_order(reader: Reader) -> None:
    reader.select(SURFACE, 0x11)
    assert reader.verify(b"550217") == "9000"
    reader.file(0x01)
    assert b"19800217" in reader.read()
    reader.file(0x02)
    assert reader.status("00B0000004") == "6982"
    reader.file(0x13)
    assert reader.verify(impossible_number(PEOPLE["ordinary"]).encode()) == "9000"
    reader.file(0x02)
    face = reader.read()
    assert b"\x89PNG" in face
    assert b"jP  \r\n" in face
    start = face.index(b"\xdf\x21\x12") + 3
    places = [int.from_bytes(face[start + i : start + i + 2], "big") for i in range(0, 18, 2)]
    assert [face[place + 1] for place in places] == [
        0x22,
        0x23,
        0x24,
        0x25,
        0x26,
        0x27,
        0x28,
        0x29,
        0x2A,
    ]


# --------------------------------------------------------------------------- other cards, faults


def test_a_phone_shows_no_certificate_without_its_pin(cards: Sandbox) -> None:
    phone = inserted(cards, "phone")
    phone.select(JPKI, 0x0A)
    assert phone.status("00B0000004") == "6982"
    phone.file(0x18)
    phone.verify(b"1234")
    phone.file(0x0A)
    assert phone.status("00B0000004") == "9000"
    assert phone.status("80FC0000") == "9000"
    assert phone.select(TEXT) == "6A82"
    assert phone.select(SURFACE) == "6A82"


def test_a_card_for_its_bearers_face_signs_without_a_pin(cards: Sandbox) -> None:
    card = inserted(cards, "face-card")
    card.select(JPKI, 0x18)
    assert card.status("00200080") == "63C0"
    assert card.verify(b"1234") == "6984"
    card.file(0x17)
    assert card.status(f"802A0080{len(DIGEST):02X}{DIGEST.hex()}00") == "9000"


def test_a_minor_has_no_signing_key(cards: Sandbox) -> None:
    card = inserted(cards, "minor")
    assert card.select(JPKI, 0x1A) == "6A82"
    card.file(0x1B)
    assert card.verify(b"TEGATA99") == "6984"


def test_a_clone_has_everything_but_the_chips_key(cards: Sandbox) -> None:
    card = inserted(cards, "cloned")
    assert card.select(TEXT, 0x07) == "9000"
    assert card.file(0x13) == "6A82"


def test_a_blocked_pin_stays_with_the_fault(cards: Sandbox) -> None:
    card = inserted(cards, faults=CardFaults(blocked=frozenset({"sign"})))
    card.select(JPKI, 0x1B)
    assert card.verify(b"TEGATA99") == "6984"
    whole = inserted(cards)
    whole.select(JPKI, 0x1B)
    assert whole.verify(b"TEGATA99") == "9000"


def test_a_card_is_pulled_in_the_middle_of_a_command(cards: Sandbox) -> None:
    card = inserted(cards, faults=CardFaults(pull_after=3))
    card.select(JPKI, 0x18)
    with pytest.raises(CardPulled):
        card.verify(b"1234")
    assert card.verify(b"1234") == "6986"


def test_a_memory_that_makes_no_sense_is_refused(cards: Sandbox, shared_folder: Path) -> None:
    (shared_folder / "cards").mkdir(exist_ok=True)
    (shared_folder / "cards" / "ordinary.json").write_text('{"jpki/0018": {"left": 99}}')
    reader = inserted(cards)
    reader.select(JPKI, 0x18)
    with pytest.raises(SandboxError):
        reader.status("00200080")


@pytest.mark.parametrize(
    ("octets", "data", "expected"),
    [
        ("00B00000", b"", None),
        ("00B0000004", b"", 4),
        ("00B0000000", b"", 256),
        ("00B00000000100", b"", 256),
        ("00B00000000000", b"", 65536),
        ("0020008002AABB", b"\xaa\xbb", None),
        ("0020008002AABB00", b"\xaa\xbb", 256),
        ("00200080000002AABB", b"\xaa\xbb", None),
        ("00200080000002AABB0010", b"\xaa\xbb", 16),
        ("00200080000002AABB0000", b"\xaa\xbb", 65536),
    ],
)
def test_all_seven_forms_of_a_command_are_read(
    octets: str, data: bytes, expected: int | None
) -> None:
    command = parse_command(bytes.fromhex(octets))
    assert (command.data, command.expected) == (data, expected)


@pytest.mark.parametrize(
    "octets",
    ["00B000", "0020008002AA", "0020008002AABB0000", "00200080000002AA", "00200080000002AABB00",
     "002000800000", "00200080000000AA"],
)  # fmt: skip
def test_lengths_that_contradict_the_octets_are_refused(octets: str) -> None:
    with pytest.raises(Refused, match="6700"):
        parse_command(bytes.fromhex(octets))


def test_number_b_is_made_of_what_the_face_shows() -> None:
    made = number_b(PEOPLE["ordinary"], date(2035, 2, 17))
    assert made[:10] == "5502172035"
    assert len(made) == 14


def test_certificates_on_the_card_are_long_enough_for_opensc(sandbox: Sandbox) -> None:
    for name in PEOPLE:
        for held in sandbox.persona(name).auth:
            assert x509.load_der_x509_certificate(held.der) == held.certificate
            assert held.der[:2] == b"\x30\x82"
