"""Every persona and every forgery gets a verdict of its own, and the reason for it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

import pytest
from cryptography import x509

from tegata.identity.jlis import CertificateKind, LegalPurpose, StatusMethod
from tegata.identity.model import (
    Binding,
    CheckName,
    DigestStructure,
    Outcome,
    SignatureForm,
    Submission,
    VerdictResult,
)
from tegata.identity.reasons import Reason
from tegata.pkix import jpki
from tegata.pkix.intent import digest_info
from tegata.sandbox.authority import CrlFault, OcspFault
from tegata.sandbox.gateway import SandboxGateway
from tests.identity.desk import AUTH, DOCUMENT, NAMES, SIGN, Desk, forge, raw

PERSONAS = [
    ("ordinary", SIGN, None),
    ("ordinary", AUTH, None),
    ("moved", SIGN, Reason.REVOKED_CHANGED),
    ("moved", AUTH, None),
    ("married", SIGN, Reason.REVOKED_CHANGED),
    ("died", AUTH, Reason.REVOKED_CEASED),
    ("minor", AUTH, None),
    ("substitute-characters", SIGN, None),
    ("renewed-twice", SIGN, None),
    ("on-hold", SIGN, Reason.REVOKED_HELD),
    ("revoked", SIGN, Reason.REVOKED_KEY),
    ("expired", SIGN, Reason.EXPIRED),
    ("phone", SIGN, None),
    ("phone", AUTH, None),
    ("face-card", AUTH, None),
    ("foreign-resident", SIGN, None),
    ("former-name", SIGN, None),
    ("overseas", SIGN, None),
    ("wrong-generation", SIGN, Reason.ISSUER_SIGNATURE),
    ("forged", AUTH, Reason.ISSUER_SIGNATURE),
]


@pytest.mark.parametrize("method", StatusMethod)
@pytest.mark.parametrize(("persona", "kind", "reason"), PERSONAS)
async def test_every_persona_has_its_verdict(
    desk: Desk, persona: str, kind: CertificateKind, reason: Reason | None, method: StatusMethod
) -> None:
    session = desk.session(kind, method=method)
    verdict = await desk.verdict(session, raw(desk.held(persona, kind), session.intent))
    assert verdict.reason is reason
    assert verdict.result is (VerdictResult.REFUSED if reason else VerdictResult.VERIFIED)
    assert {check.name for check in verdict.checks} >= set(CheckName) - {
        CheckName.TEXT, CheckName.DOCUMENT,
    }  # fmt: skip
    failed = [check for check in verdict.checks if check.outcome is Outcome.FAIL]
    assert [check.reason for check in failed] == ([reason] if reason else [])
    assert all(check.evidence for check in verdict.checks if check.outcome is Outcome.PASS)


async def test_an_authentication_certificate_signs_no_document(desk: Desk) -> None:
    session = desk.session(SIGN)
    submission = raw(desk.held("ordinary", AUTH), session.intent)
    assert await desk.reason(session, submission) is Reason.AUTHENTICATION_CERTIFICATE


async def test_a_signing_certificate_logs_nobody_in(desk: Desk) -> None:
    session = desk.session(AUTH)
    submission = raw(desk.held("ordinary", SIGN), session.intent)
    assert await desk.reason(session, submission) is Reason.SIGNING_CERTIFICATE


async def test_what_was_signed_for_another_session_is_refused(desk: Desk) -> None:
    first, second = desk.session(), desk.session()
    submission = raw(desk.held("ordinary"), first.intent)
    assert await desk.reason(first, submission) is None
    assert await desk.reason(second, submission) is Reason.SIGNATURE_CONTENT


async def test_a_log_in_is_no_document_even_if_it_is_called_one(desk: Desk) -> None:
    log_in = desk.session(AUTH)
    session = desk.session(binding=Binding.DOCUMENT)
    held = desk.held("ordinary")
    submission = replace(raw(held, log_in.intent), document=log_in.intent)
    assert await desk.reason(session, submission) is Reason.LOG_IN_AS_DOCUMENT


async def test_a_document_signed_by_other_software_is_verified_as_that(desk: Desk) -> None:
    session = desk.session(binding=Binding.DOCUMENT)
    submission = replace(raw(desk.held("ordinary"), DOCUMENT), document=DOCUMENT)
    verdict = await desk.verdict(session, submission)
    (document,) = (each for each in verdict.checks if each.name is CheckName.DOCUMENT)
    assert verdict.result is VerdictResult.VERIFIED
    assert (document.outcome, document.source) == (Outcome.PASS, "document")
    assert document.evidence == hashlib.sha256(DOCUMENT).digest()


async def test_a_digest_that_the_caller_chose_is_said_to_be_one(desk: Desk) -> None:
    session = desk.session(binding=Binding.DIGEST)
    submission = replace(
        raw(desk.held("ordinary"), DOCUMENT),
        digest=hashlib.sha256(DOCUMENT).digest(),
        structure=DigestStructure.PDF_BYTE_RANGE,
    )
    verdict = await desk.verdict(session, submission)
    (document,) = (each for each in verdict.checks if each.name is CheckName.DOCUMENT)
    assert verdict.result is VerdictResult.VERIFIED
    assert document.outcome is Outcome.NOT_PERFORMED
    assert (document.reason, document.source) == (Reason.DIGEST_GIVEN, "pdf-byte-range")


@pytest.mark.parametrize("octets", [0, 20, 31, 33, 64])
async def test_a_digest_of_another_length_is_refused(desk: Desk, octets: int) -> None:
    session = desk.session(binding=Binding.DIGEST)
    submission = replace(
        raw(desk.held("ordinary"), DOCUMENT),
        digest=bytes(octets),
        structure=DigestStructure.DOCUMENT,
    )
    assert await desk.reason(session, submission) is Reason.DIGEST_LENGTH


def padded(block: bytes) -> bytes:
    """A whole block of 256 octets."""
    assert len(block) == 256
    return block


def open_with(desk: Desk, block: bytes) -> bytes:
    """What a key makes of a block, whatever is in it."""
    numbers = desk.held("ordinary").key.private_numbers()
    modulus = numbers.public_numbers.n
    return pow(int.from_bytes(padded(block), "big"), numbers.d, modulus).to_bytes(256, "big")


async def forged_signature(desk: Desk, block: bytes) -> Reason | None:
    session = desk.session()
    signature = open_with(desk, block)
    submission = Submission(desk.held("ordinary").der, signature, SignatureForm.RAW)
    return await desk.reason(session, submission)


async def test_lax_padding_is_refused(desk: Desk) -> None:
    """Bleichenbacher 2006: a short padding, a right DigestInfo, and octets of choice behind it."""
    session = desk.session()
    info = digest_info(hashlib.sha256(session.intent).digest())
    start = b"\x00\x01" + b"\xff" * 8 + b"\x00" + info
    signature = open_with(desk, start + bytes(range(256 - len(start))))
    submission = Submission(desk.held("ordinary").der, signature, SignatureForm.RAW)
    assert await desk.reason(session, submission) is Reason.SIGNATURE_PADDING


@pytest.mark.parametrize("trick", ["no NULL", "long length", "parameters"])
async def test_a_digest_info_that_means_the_same_is_refused(desk: Desk, trick: str) -> None:
    session = desk.session()
    digest = hashlib.sha256(session.intent).digest()
    info = {
        "no NULL": bytes.fromhex("302f300b0609608648016503040201") + b"\x04\x20" + digest,
        "long length": bytes.fromhex("308131300d060960864801650304020105000420") + digest,
        "parameters": bytes.fromhex("3036301206096086480165030402010405fffefdfcfb0420") + digest,
    }[trick]
    block = b"\x00\x01" + b"\xff" * (253 - len(info)) + b"\x00" + info
    signature = open_with(desk, block)
    submission = Submission(desk.held("ordinary").der, signature, SignatureForm.RAW)
    assert await desk.reason(session, submission) is Reason.SIGNATURE_PADDING


async def test_a_signature_over_sha_1_is_told_from_noise(desk: Desk) -> None:
    info = bytes.fromhex("3021300906052b0e03021a05000414") + bytes(20)
    block = b"\x00\x01" + b"\xff" * (253 - len(info)) + b"\x00" + info
    assert await forged_signature(desk, block) is Reason.SIGNATURE_ALGORITHM
    assert await forged_signature(desk, b"\x00\x02" + bytes(254)) is Reason.SIGNATURE_KEY


@pytest.mark.parametrize("octets", [0, 1, 255, 257])
async def test_a_signature_of_another_length_is_refused(desk: Desk, octets: int) -> None:
    session = desk.session()
    submission = Submission(desk.held("ordinary").der, bytes(octets), SignatureForm.RAW)
    assert await desk.reason(session, submission) is Reason.SIGNATURE_LENGTH


async def test_a_forged_chain_under_the_same_name_is_refused(desk: Desk) -> None:
    session, held = desk.session(), desk.held("ordinary")
    impostor = desk.held("revoked").key
    certificate = forge(desk.root(), impostor, held.key.public_key())
    submission = replace(raw(held, session.intent), certificate=certificate)
    assert await desk.reason(session, submission) is Reason.ISSUER_SIGNATURE


async def forged_certificate(desk: Desk, **changes: object) -> Reason | None:
    """The verdict on a certificate that the authority itself signed, with something wrong in it."""
    session, held, root = desk.session(), desk.held("ordinary"), desk.root()
    certificate = forge(root, root.key, held.key.public_key(), **changes)  # type: ignore[arg-type]
    return await desk.reason(session, replace(raw(held, session.intent), certificate=certificate))


async def test_what_the_authority_never_issued_is_unknown_to_its_responder(desk: Desk) -> None:
    assert await forged_certificate(desk) is Reason.STATUS_UNKNOWN


async def test_swapped_other_names_are_refused(desk: Desk) -> None:
    swapped = [NAMES[0], NAMES[2], NAMES[1], *NAMES[3:]]
    assert await forged_certificate(desk, names=swapped) is Reason.OTHER_NAMES_ORDER
    assert await forged_certificate(desk, names=NAMES[:-1]) is Reason.OTHER_NAMES_ORDER
    assert await forged_certificate(desk, names=[*NAMES, NAMES[0]]) is Reason.OTHER_NAMES_ORDER


async def test_unknown_other_names_are_refused(desk: Desk) -> None:
    unknown = [*NAMES, ("1.2.392.200149.8.5.5.7", "x")]
    assert await forged_certificate(desk, names=unknown) is Reason.OTHER_NAMES_UNKNOWN


@pytest.mark.parametrize(
    ("oid", "text"),
    [
        (jpki.NAME_SUBSTITUTES, "000000"), (jpki.NAME_SUBSTITUTES, "00002"),
        (jpki.BIRTH, "919800217"), (jpki.BIRTH, "19800217"), (jpki.SEX, "3"), (jpki.SEX, ""),
    ],
)  # fmt: skip
async def test_attributes_that_cannot_be_are_refused(desk: Desk, oid: str, text: str) -> None:
    names = [(name, text if name == oid else value) for name, value in NAMES]
    assert await forged_certificate(desk, names=names) is Reason.OTHER_NAMES_MALFORMED


async def test_policy_and_key_usage_must_agree_with_the_authority(desk: Desk) -> None:
    assert await forged_certificate(desk, policy=jpki.AUTH_POLICY) is Reason.POLICY
    assert await forged_certificate(desk, policy="2.5.29.32.0") is Reason.POLICY
    assert await forged_certificate(desk, commit=False) is Reason.KEY_USAGE
    further = {x509.InhibitAnyPolicy(0): True}
    assert await forged_certificate(desk, further=further) is Reason.CRITICAL_EXTENSION


async def test_a_certificate_must_name_the_authority_that_signed_it(desk: Desk) -> None:
    other = desk.root(AUTH).certificate.subject
    assert await forged_certificate(desk, issuer=other) is Reason.ISSUER_NAME


def test_every_generation_has_the_same_name(desk: Desk) -> None:
    names = {desk.root(generation=each).certificate.subject for each in ("01", "02", "03")}
    keys = {desk.root(generation=each).key_identifier for each in ("01", "02", "03")}
    assert (len(names), len(keys)) == (1, 3)


@pytest.mark.parametrize("trick", ["indefinite", "padded length", "trailing", "cut", "empty"])
async def test_ber_is_not_der(desk: Desk, trick: str) -> None:
    session, held = desk.session(), desk.held("ordinary")
    der = held.der
    assert der[:2] == b"\x30\x82"
    octets = {
        "indefinite": b"\x30\x80" + der[4:] + b"\x00\x00",
        "padded length": b"\x30\x83\x00" + der[2:],
        "trailing": der + b"\x00",
        "cut": der[:-1],
        "empty": b"",
    }[trick]
    submission = replace(raw(held, session.intent), certificate=octets)
    assert await desk.reason(session, submission) is Reason.CERTIFICATE_MALFORMED


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (OcspFault.TRY_LATER, Reason.STATUS_TRY_LATER),
        (OcspFault.STALE, Reason.STATUS_STALE),
        (OcspFault.UNKNOWN, Reason.STATUS_UNKNOWN),
    ],
)
async def test_without_an_answer_of_the_responder_nobody_is_verified(
    desk: Desk, fault: OcspFault, reason: Reason
) -> None:
    desk.sandbox.jlis.plant(ocsp=fault)
    session = desk.session()
    assert await desk.reason(session, raw(desk.held("ordinary"), session.intent)) is reason


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(CrlFault.GAP, Reason.STATUS_NO_LIST), (CrlFault.STALE, Reason.STATUS_STALE)],
)
async def test_without_a_list_nobody_is_verified(
    desk: Desk, fault: CrlFault, reason: Reason
) -> None:
    desk.sandbox.jlis.plant(crl=fault)
    session = desk.session(method=StatusMethod.CRL)
    assert await desk.reason(session, raw(desk.held("ordinary"), session.intent)) is reason


async def test_a_list_that_was_fetched_serves_until_it_ends_and_no_longer(desk: Desk) -> None:
    session = desk.session(method=StatusMethod.CRL)
    submission = raw(desk.held("ordinary"), session.intent)
    assert await desk.reason(session, submission) is None
    desk.sandbox.jlis.plant(crl=CrlFault.GAP)
    desk.clock.advance(timedelta(hours=12))
    assert await desk.reason(session, submission) is None
    desk.clock.advance(timedelta(days=2))
    assert await desk.reason(session, submission) is Reason.STATUS_STALE


async def test_an_earlier_answer_cannot_be_played_again(desk: Desk) -> None:
    session, held = desk.session(), desk.held("ordinary")
    desk.ask(Replaying(desk.sandbox, desk.clock))
    assert await desk.reason(session, raw(held, session.intent)) is None
    assert await desk.reason(session, raw(held, session.intent)) is Reason.STATUS_NOT_AUTHENTIC


class Replaying(SandboxGateway):
    """A responder that answers everything with its first answer."""

    kept: ClassVar[list[bytes]] = []

    async def ask_ocsp(self, request: bytes, purpose: LegalPurpose) -> bytes:
        if not self.kept:
            self.kept.append(await SandboxGateway.ask_ocsp(self, request, purpose))
        return self.kept[0]
