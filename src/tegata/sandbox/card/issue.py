"""Cards for personas: the applications with their files, as they are handed over."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from tegata.kernel.ports import Randomness
from tegata.sandbox.card.card import Card
from tegata.sandbox.card.files import (
    Application,
    DataFile,
    File,
    InternalFile,
    KeyFile,
    PinFile,
    PinForm,
    RecordFile,
)
from tegata.sandbox.card.memory import CardMemory
from tegata.sandbox.card.pictures import PHOTO, blank
from tegata.sandbox.card.tlv import (
    ROOT_KEY_ID,
    SIGNER_KEY_ID,
    card_verifiable,
    public_key,
    signature,
    tlv,
)
from tegata.sandbox.keys import Cabinet
from tegata.sandbox.numbers import card_serial, era_date, impossible_number, number_b
from tegata.sandbox.people import Flaw, Holder, Kind, Person
from tegata.sandbox.personas import Held, Persona, Sandbox

JPKI: Final = bytes.fromhex("D392F000260100000001")
TEXT: Final = bytes.fromhex("D3921000310001010408")
SURFACE: Final = bytes.fromhex("D3921000310001010402")
COMMON: Final = bytes.fromhex("D3921000310001010100")

# Every card of the sandbox has these.
AUTH_PIN: Final = b"1234"
SIGN_PIN: Final = b"TEGATA99"
TEXT_PIN: Final = b"1234"

_FREE: Final[frozenset[int]] = frozenset()
_LABELS = {
    Holder.CARD: b"JPKIAPICCTOKEN2",
    Holder.FACE_CARD: b"JPKIAPICCTOKEN2",
    Holder.PHONE: b"JPKIAPGPSETOKEN",
}
_CARD_YEARS = 10
_INTERNAL = (0x0005, 0x0009, 0x0010, 0x0016, 0x0019, 0x001C, 0x001E)


@dataclass(frozen=True, slots=True)
class CardFaults:
    """What shall go wrong: PINs ("sign", "auth") that are blocked, a card pulled out."""

    blocked: frozenset[str] = frozenset()
    pull_after: int | None = None


def insert_card(
    sandbox: Sandbox, name: str, randomness: Randomness, faults: CardFaults | None = None
) -> Card:
    """The card of a persona; `SandboxError` when there is none of that name."""
    persona = sandbox.persona(name)
    chosen = faults or CardFaults()
    # A fault is not the persona's card's for good: it has a memory of its own.
    memory = CardMemory(sandbox.cabinet, f"{name}.blocked" if chosen.blocked else name)
    phone = persona.person.holder is Holder.PHONE
    applications = [_jpki(persona)]
    if not phone:
        applications += [_text(sandbox, persona), _surface(sandbox, persona)]
        applications.append(_common(sandbox, persona))
    for kind in chosen.blocked:
        memory.set_left("jpki/001B" if kind == "sign" else "jpki/0018", 0)
    return Card(applications, memory, randomness, phone=phone, pull_after=chosen.pull_after)


def renew_pins(sandbox: Sandbox, name: str) -> None:
    """What a municipal office does for who has blocked a PIN: all are as they were issued."""
    person = sandbox.persona(name).person
    CardMemory(sandbox.cabinet, person.name).clear()


def trusted_card_keys(sandbox: Sandbox) -> dict[bytes, rsa.RSAPublicKey]:
    """The public keys that certify what is on the cards, by key identifier."""
    return {ROOT_KEY_ID: sandbox.cabinet.rsa_key("card-root").public_key()}


def _jpki(persona: Persona) -> Application:
    person, auth, sign = persona.person, persona.held(Kind.AUTH), persona.held(Kind.SIGN)
    free_key = person.holder is Holder.FACE_CARD
    read_auth = frozenset({0x18}) if person.holder is Holder.PHONE else _FREE
    files: dict[int, File] = {
        0x0001: DataFile(sign.der if sign else b"", frozenset({0x1B})),
        0x0002: DataFile(sign.root.der if sign else b""),
        0x0006: DataFile(token_information(person)),
        # One octet for each certificate: it is there, or it is not.
        0x0008: DataFile(bytes((0x8F if sign else 0, 0x8F if auth else 0, 0))),
        0x000A: DataFile(auth.der if auth else b"", read_auth),
        0x000B: DataFile(auth.root.der if auth else b""),
        0x0018: PinFile(AUTH_PIN, PinForm.DIGITS_4, 0 if free_key else 3, changeable=True),
        0x001B: PinFile(SIGN_PIN, PinForm.SIGNING, 5 if sign else 0, changeable=True),
    }
    if auth is not None:
        files[0x0017] = KeyFile(_key_of(auth), _FREE if free_key else frozenset({0x18}))
    if sign is not None:
        files[0x001A] = KeyFile(_key_of(sign), frozenset({0x1B}))
    files |= {each: InternalFile() for each in _INTERNAL}
    return Application(JPKI, "jpki", files)


def token_information(person: Person) -> bytes:
    """EF 0006: a CK_TOKEN_INFO of PKCS#11, numbers big-endian."""
    texts = _LABELS[person.holder].ljust(32) + b"JPKI-SIM".ljust(32) + b"SIMULATED".ljust(16)
    serial = card_serial(person)[:16].encode().ljust(16)
    # CKF_WRITE_PROTECTED, LOGIN_REQUIRED, USER_PIN_INITIALIZED, TOKEN_INITIALIZED; no counts.
    numbers = (0x040E, 0, 0, 0, 0, 16, 4, 0, 0, 0, 0)
    return (
        texts
        + serial
        + b"".join(number.to_bytes(4, "big") for number in numbers)
        + b"03"
        + b"01"
        + b" " * 16
    )


def _key_of(held: Held) -> Callable[[], rsa.RSAPrivateKey]:
    return lambda: held.key


def _chip_key(cabinet: Cabinet, person: Person) -> Callable[[], rsa.RSAPrivateKey]:
    return lambda: cabinet.rsa_key(f"{person.name}-chip")


def _common_key(cabinet: Cabinet, person: Person) -> Callable[[], rsa.RSAPrivateKey]:
    return lambda: cabinet.rsa_key(f"{person.name}-common")


def card_expiry(sandbox: Sandbox, person: Person) -> date:
    """When the card ends: on the tenth birthday after it was handed over, a year ago."""
    first_day = sandbox.cabinet.first_day()
    born = person.attributes.birth
    return date(first_day.year - 1 + _CARD_YEARS, born.month, min(born.day, 28))


def _signed_by(sandbox: Sandbox) -> rsa.RSAPrivateKey:
    return sandbox.cabinet.rsa_key("card-signer")


def _certificate(sandbox: Sandbox) -> bytes:
    root, signer = sandbox.cabinet.rsa_key("card-root"), _signed_by(sandbox)
    return card_verifiable(root, signer, ROOT_KEY_ID, SIGNER_KEY_ID)


def _text(sandbox: Sandbox, persona: Persona) -> Application:
    person = persona.person
    expiry = card_expiry(sandbox, person)
    number = impossible_number(person).encode()
    number_file = tlv(0xFF10, number) + b"\xff\xff"
    fields = _text_fields(person, person.attributes.name)
    digests = tlv(0xDF31, hashlib.sha256(number_file).digest()) + tlv(
        0xDF32, hashlib.sha256(b"".join(fields)).digest()
    )
    shown = fields
    if person.flaw is Flaw.TAMPERED_TEXT:
        shown = _text_fields(person, "藤田　楓花")
    signer = _signed_by(sandbox)
    chip = _chip_key(sandbox.cabinet, person)
    chip_public = public_key(chip())
    by_pin, by_a, by_b = 0x11, 0x14, 0x15
    files: dict[int, File] = {
        0x0001: DataFile(number_file, frozenset({by_pin, by_a})),
        0x0002: DataFile(_with_offsets(shown), frozenset({by_pin, by_b})),
        0x0003: DataFile(
            tlv(0xFF30, digests + tlv(0xDF33, signature(signer, digests))),
            frozenset({by_pin, by_a, by_b}),
        ),
        0x0004: DataFile(_certificate(sandbox)),
        0x0005: DataFile(
            tlv(
                0xFF40,
                tlv(0xDF41, bytes.fromhex("01030E01"))
                + tlv(0xDF42, SIGNER_KEY_ID)
                + tlv(0xDF43, bytes(128)),
            )
        ),
        0x0007: DataFile(
            tlv(0xFF50, tlv(0xDF51, chip_public) + tlv(0xDF52, signature(signer, chip_public)))
        ),
        0x0011: PinFile(TEXT_PIN, PinForm.DIGITS_4, 3, changeable=True),
        0x0012: PinFile(b"0000", PinForm.DIGITS_4, 0),
        0x0014: PinFile(number, PinForm.DIGITS_12, 10),
        0x0015: PinFile(number_b(person, expiry).encode(), PinForm.DIGITS_14, 10),
    }
    if person.flaw is not Flaw.CLONED:
        files[0x0013] = KeyFile(chip)
    return Application(TEXT, "text", files)


def _text_fields(person: Person, name: str) -> tuple[bytes, ...]:
    attributes = person.attributes
    return (
        tlv(0xDF22, name.encode()),
        tlv(0xDF23, attributes.address.encode()),
        tlv(0xDF24, f"{attributes.birth:%Y%m%d}".encode()),
        tlv(0xDF25, attributes.sex.encode()),
    )


def _with_offsets(fields: tuple[bytes, ...]) -> bytes:
    """EF 0002: the fields behind the places where their tags stand, from the file's start."""
    size = sum(map(len, fields)) + 3 + 2 * len(fields)
    place = 2 + (1 if size < 0x80 else 2 if size < 0x100 else 3) + 3 + 2 * len(fields)
    offsets = b""
    for field in fields:
        offsets += place.to_bytes(2, "big")
        place += len(field)
    return tlv(0xFF20, tlv(0xDF21, offsets) + b"".join(fields))


def _surface(sandbox: Sandbox, persona: Persona) -> Application:
    person = persona.person
    expiry = card_expiry(sandbox, person)
    signer, chip = _signed_by(sandbox), public_key(_chip_key(sandbox.cabinet, person)())
    born = tlv(0xDF11, f"{person.attributes.birth:%Y%m%d}".encode()) + tlv(0xDF12, chip)
    by_birth, by_b, by_a = 0x11, 0x12, 0x13
    number_image = tlv(0xDF41, blank(320, 40))
    files: dict[int, File] = {
        0x0001: DataFile(
            tlv(0xFF10, born + tlv(0xDF13, signature(signer, born))), frozenset({by_birth})
        ),
        0x0002: DataFile(_face(person, expiry, chip, signer), frozenset({by_a, by_b})),
        0x0003: DataFile(
            tlv(
                0xFF30,
                tlv(0xDF31, bytes.fromhex("06030E01"))
                + tlv(0xDF32, SIGNER_KEY_ID)
                + tlv(0xDF33, b"03")
                + tlv(0xDF34, person.municipality.code.encode())
                + tlv(0xDF35, bytes(272)),
            )
        ),
        0x0004: DataFile(_certificate(sandbox)),
        0x0005: DataFile(
            tlv(
                0xFF40,
                number_image
                + tlv(0xDF42, chip)
                + tlv(0xDF43, signature(signer, number_image + tlv(0xDF42, chip))),
            ),
            frozenset({by_a}),
        ),
        0x0011: PinFile(era_date(person.attributes.birth).encode(), PinForm.DIGITS_6, 10),
        0x0012: PinFile(number_b(person, expiry).encode(), PinForm.DIGITS_14, 10),
        0x0013: PinFile(impossible_number(person).encode(), PinForm.DIGITS_12, 10),
    }
    return Application(SURFACE, "surface", files)


def _face(person: Person, expiry: date, chip: bytes, signer: rsa.RSAPrivateKey) -> bytes:
    """EF 0002: three groups hashed on their own; expiry and security code are not signed."""
    groups = (
        tlv(0xDF22, f"{person.attributes.birth:%Y%m%d}".encode())
        + tlv(0xDF23, person.attributes.sex.encode())
        + tlv(0xDF24, chip),
        tlv(0xDF25, blank(320, 40)) + tlv(0xDF26, blank(320, 80)),
        tlv(0xDF27, PHOTO),
    )
    digests = b"".join(hashlib.sha256(group).digest() for group in groups)
    rest = (
        b"".join(groups)
        + tlv(0xDF28, signature(signer, digests))
        + tlv(0xDF29, f"{expiry:%Y%m%d}".encode())
        + tlv(0xDF2A, blank(80, 40))
    )
    # Nine places of two octets, and a length of three octets: the file is longer than 255.
    place, offsets, left = 2 + 3 + 3 + 18, b"", rest
    while left:
        offsets += place.to_bytes(2, "big")
        size = _size(left)
        place, left = place + size, left[size:]
    return tlv(0xFF20, tlv(0xDF21, offsets) + rest)


def _size(octets: bytes) -> int:
    """How long the first object is, tag and length included; its tag has two octets."""
    first = octets[2]
    if first < 0x80:
        return 3 + first
    count = first & 0x7F
    return 3 + count + int.from_bytes(octets[3 : 3 + count], "big")


def _common(sandbox: Sandbox, persona: Persona) -> Application:
    person = persona.person
    content = card_serial(person) + person.municipality.code
    record = f"{content}{card_expiry(sandbox, person):%Y%m%d}".encode()
    files: dict[int, File] = {
        0x0001: RecordFile((tlv(0x01, record),)),
        0x0019: KeyFile(_common_key(sandbox.cabinet, person), internal=True),
        0x001C: PinFile(b"1234", PinForm.DIGITS_4, 3, changeable=True),
    }
    return Application(COMMON, "common", files, change=(0x80, 0x32))
