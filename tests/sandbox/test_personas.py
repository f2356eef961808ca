"""Personas' certificates have the real profile, under roots that cannot pass as real ones."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID, NameOID

from tegata.sandbox.hierarchy import GENERATIONS, Root
from tegata.sandbox.keys import SandboxError
from tegata.sandbox.people import PEOPLE, Attributes, Holder, Kind
from tegata.sandbox.personas import Persona, Sandbox
from tegata.sandbox.profile import birth_text, validity
from tests.fakes.system import FakeClock


def required(persona: Persona, kind: Kind = Kind.SIGN) -> x509.Certificate:
    held = persona.held(kind)
    assert held is not None
    return held.certificate


def test_all_generations_of_a_kind_share_one_name_and_no_key(sandbox: Sandbox) -> None:
    for kind in Kind:
        roots = [sandbox.hierarchy.root(kind, each) for each in GENERATIONS]
        assert len({root.certificate.subject.public_bytes() for root in roots}) == 1
        assert len({root.key_identifier for root in roots}) == len(GENERATIONS)


def test_generations_overlap_and_the_first_has_ended(sandbox: Sandbox) -> None:
    first, second, third = (
        sandbox.hierarchy.root(Kind.SIGN, each).certificate for each in GENERATIONS
    )
    now = FakeClock().now()
    assert first.not_valid_after_utc < now
    assert second.not_valid_before_utc < first.not_valid_after_utc
    assert third.not_valid_before_utc < second.not_valid_after_utc
    assert second.not_valid_after_utc > now


def test_no_simulated_root_has_the_name_of_a_real_one(sandbox: Sandbox) -> None:
    for der in sandbox.roots():
        subject = x509.load_der_x509_certificate(der).subject
        assert [
            each.value for each in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        ] == ["JPKI-SIM"]


def test_a_signing_certificate_carries_the_attributes_in_the_order_of_issue(
    sandbox: Sandbox,
) -> None:
    certificate = required(sandbox.persona("substitute-characters"))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    others = [
        (each.type_id.dotted_string[-1], each.value)
        for each in names
        if isinstance(each, x509.OtherName)
    ]
    assert [number for number, _value in others] == ["1", "4", "3", "5", "2", "6"]
    assert dict(others)["1"] == b"\x0c\x0c" + "つ屋　光".encode()
    assert dict(others)["2"] == b"\x0c\x041000"
    assert dict(others)["4"] == b"\x0c\x09319750621"


def test_the_extensions_are_those_of_the_profile(sandbox: Sandbox) -> None:
    persona = sandbox.persona("ordinary")
    common = [
        ExtensionOID.KEY_USAGE,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.ISSUER_ALTERNATIVE_NAME,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    ]
    auth = [each.oid for each in required(persona, Kind.AUTH).extensions]
    assert auth == common
    sign = [each.oid for each in required(persona).extensions]
    assert sign == [common[0], ExtensionOID.SUBJECT_ALTERNATIVE_NAME, *common[1:]]
    critical = [each.oid for each in required(persona).extensions if each.critical]
    assert critical == [ExtensionOID.KEY_USAGE, ExtensionOID.CERTIFICATE_POLICIES]


def test_no_certificate_says_where_its_status_is(sandbox: Sandbox) -> None:
    for kind in Kind:
        der = required(sandbox.persona("ordinary"), kind).public_bytes(Encoding.DER)
        assert der.count(b"http") == 1  # the CPS


def test_the_authority_key_identifier_names_key_issuer_and_serial(sandbox: Sandbox) -> None:
    held = sandbox.persona("ordinary").held(Kind.SIGN)
    assert held is not None
    authority = held.certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    assert authority.value.key_identifier == held.root.key_identifier
    assert authority.value.authority_cert_serial_number == held.root.certificate.serial_number
    assert authority.value.authority_cert_issuer == [
        x509.DirectoryName(held.root.certificate.subject)
    ]


@pytest.mark.parametrize("name", PEOPLE)
def test_every_persona_has_the_certificates_its_table_says(sandbox: Sandbox, name: str) -> None:
    persona = sandbox.persona(name)
    for kind in Kind:
        held = persona.held(kind)
        assert (held is not None) == bool(persona.person.given(kind))
        if held is None:
            continue
        flawed = name in ("wrong-generation", "forged")
        assert signed_by(held.certificate, held.root) != flawed
        assert held.certificate.serial_number < 1 << 31
        assert len(held.der) >= 256  # OpenSC sizes a file from a long-form length


def signed_by(certificate: x509.Certificate, root: Root) -> bool:
    try:
        certificate.verify_directly_issued_by(root.certificate)
    except InvalidSignature:
        return False
    return True


def test_the_wrong_generation_signed_under_a_name_that_fits(sandbox: Sandbox) -> None:
    certificate = required(sandbox.persona("wrong-generation"))
    certificate.verify_directly_issued_by(sandbox.hierarchy.root(Kind.SIGN, "03").certificate)


def test_every_serial_is_somebodys_alone(sandbox: Sandbox) -> None:
    serials = [
        held.serial
        for name in PEOPLE
        for held in (*sandbox.persona(name).sign, *sandbox.persona(name).auth)
    ]
    assert len(set(serials)) == len(serials)


def test_a_phone_is_typed_by_its_policy(sandbox: Sandbox) -> None:
    phone, card = (
        required(sandbox.persona(each))
        .extensions.get_extension_for_class(x509.CertificatePolicies)
        .value[0]
        .policy_identifier.dotted_string
        for each in ("phone", "ordinary")
    )
    assert card == "1.2.392.200149.8.5.1.1.20"
    assert phone.startswith("2.25.")


def test_a_held_key_signs_for_its_certificate(sandbox: Sandbox) -> None:
    held = sandbox.persona("ordinary").held(Kind.AUTH)
    assert held is not None
    key = held.certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(held.sign(b"octets"), b"octets", padding.PKCS1v15(), hashes.SHA256())


def test_a_sandbox_found_again_is_the_same(shared_folder: Path, sandbox: Sandbox) -> None:
    later = FakeClock(datetime(2027, 3, 1, tzinfo=UTC))
    again = Sandbox(shared_folder, later)
    assert again.roots() == sandbox.roots()
    assert required(again.persona("ordinary")) == required(sandbox.persona("ordinary"))


def test_nothing_is_made_before_it_is_asked_for(tmp_path: Path) -> None:
    Sandbox(tmp_path / "sandbox", FakeClock())
    assert not (tmp_path / "sandbox").exists()


def test_keys_are_readable_by_their_owner_only(shared_folder: Path, sandbox: Sandbox) -> None:
    assert sandbox.roots()
    modes = {file.stat().st_mode & 0o777 for file in (shared_folder / "keys").iterdir()}
    assert modes == {0o600}


@pytest.mark.parametrize("name", ["nobody", "", "../ordinary", "Ordinary"])
def test_an_unknown_persona_is_refused_by_name(sandbox: Sandbox, name: str) -> None:
    with pytest.raises(SandboxError, match="no persona"):
        sandbox.persona(name)


@pytest.mark.parametrize("octets", [b"", b"not a date", b"2026-13-01"])
def test_a_folder_with_a_broken_first_day_is_refused(tmp_path: Path, octets: bytes) -> None:
    (tmp_path / "first-day").write_bytes(octets)
    with pytest.raises(SandboxError, match="not a date"):
        Sandbox(tmp_path, FakeClock()).roots()


def test_a_broken_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "root-sign-01.pem").write_text("broken")
    with pytest.raises(SandboxError, match="not a private key"):
        Sandbox(tmp_path, FakeClock()).roots()


@pytest.mark.parametrize(
    ("issued", "birth", "expected"),
    [
        (date(2025, 10, 27), date(1980, 2, 17), date(2030, 2, 17)),
        (date(2025, 10, 27), date(1980, 12, 1), date(2029, 12, 1)),
        (date(2025, 2, 17), date(1980, 2, 17), date(2030, 2, 17)),
        (date(2025, 10, 27), date(1980, 2, 29), date(2030, 2, 28)),
    ],
)
def test_a_certificate_ends_with_the_fifth_birthday_after_its_issue(
    issued: date, birth: date, expected: date
) -> None:
    begins = datetime(issued.year, issued.month, issued.day, tzinfo=UTC)
    _begins, ends = validity(begins, birth)
    assert ends == datetime(expected.year, expected.month, expected.day, 14, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("birth", "text"),
    [
        (date(2019, 5, 1), "520190501"),
        (date(2019, 4, 30), "420190430"),
        (date(1989, 1, 7), "319890107"),
        (date(1926, 12, 24), "219261224"),
        (date(1912, 7, 29), "119120729"),
        (date(1850, 1, 1), "018500101"),
    ],
)
def test_a_birth_date_is_written_with_its_era(birth: date, text: str) -> None:
    assert birth_text(birth) == text


@pytest.mark.parametrize("flags", ["1", "10000", "2000", "abcd"])
def test_flags_stand_for_each_character(flags: str) -> None:
    with pytest.raises(ValueError, match="each character"):
        Attributes("つ屋　光", "", date(1975, 6, 21), "1", flags)


def test_who_has_no_signing_certificate_has_none(sandbox: Sandbox) -> None:
    assert sandbox.persona("minor").held(Kind.SIGN) is None
    face_card = sandbox.persona("face-card")
    assert face_card.held(Kind.SIGN) is None
    assert face_card.person.holder is Holder.FACE_CARD
