"""What `identity.ports.IdentityStore` promises, on both engines."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from tegata.identity.jlis import (
    CertificateKind,
    CertificateReference,
    FourAttributes,
    LegalPurpose,
    StatusMethod,
)
from tegata.identity.model import (
    Attribute,
    Binding,
    Check,
    CheckName,
    DeclaredPurpose,
    NewSession,
    Outcome,
    RecordId,
    Session,
    SessionId,
    SessionState,
    UserId,
    Verdict,
    VerdictResult,
)
from tegata.identity.reasons import Reason
from tegata.identity.record import (
    ChangedStatus,
    ConfirmationRecord,
    Delivery,
    Evidence,
    KnownCertificate,
    Method,
    Step,
    Watch,
)
from tegata.kernel.ids import IssuerId, TenantId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope, platform_acts
from tegata.kernel.signing import DataKeyKind, TenantSecret
from tegata.signers.sealing import TenantSealer
from tegata.store.database import Database
from tegata.store.store import Store
from tests.fakes.system import CountingRandomness, FakeClock

ONE = platform_acts(TenantId("ten_one"), "test")
TWO = platform_acts(TenantId("ten_two"), "test")
NOW = datetime(2026, 7, 1, tzinfo=UTC)
PURPOSE = DeclaredPurpose("account", "口座開設", frozenset({Attribute.NAME}), "none")
PERSON = FourAttributes("青山　花子", "東京都", "319800217", "2", "00000", "000")
VERDICT = Verdict(
    VerdictResult.REFUSED,
    Reason.REVOKED_HELD,
    (Check(CheckName.REVOCATION, Outcome.FAIL, Reason.REVOKED_HELD, "crl", NOW, b"\x01" * 32),),
)


class Keys:
    """Real sealing under keys of nought: every tenant and kind has its own context."""

    async def sealer(self, tenant: TenantId, kind: DataKeyKind) -> TenantSecret:
        return TenantSealer(bytes(32), tenant, kind, CountingRandomness("keys"))


@pytest.fixture
def store(database: Database) -> Store:
    def withdraw(_issuer: IssuerId, _serial: int) -> None:
        """Nobody answers from memory here."""

    return Store(
        database, Keys(), FakeClock(), CountingRandomness(), "http://a.test", withdraw, None
    )


def a_session(name: str = "ivs_1") -> Session:
    asked = NewSession(
        CertificateKind.SIGN, "account", "狸銀行", "https://bank.test", Binding.INTENT,
        StatusMethod.CRL, bytes(32), "申込書", "case", [("occupation", "会社員")],
    )  # fmt: skip
    return Session(
        SessionId(name), asked, PURPOSE, LegalPurpose.SIGNATURE_VERIFICATION, bytes(32), b"intent",
        SessionState.OPEN, NOW, NOW + timedelta(minutes=10),
    )  # fmt: skip


def decided(session: Session) -> Session:
    return replace(session, state=SessionState.DECIDED, verdict=VERDICT, decided_at=NOW)


def known(tag: int, user: str, *, shown: bool = True) -> KnownCertificate:
    reference = CertificateReference(CertificateKind.AUTH, b"key", tag)
    point = b"point" if shown else b""
    return KnownCertificate(bytes((tag,)) * 32, UserId(user), reference, point, NOW)


def a_record(name: str, case: str = "case") -> ConfirmationRecord:
    method = Method("JPKI_SIGN", "none", date(2018, 11, 30), "", permitted=True)
    evidence = Evidence(
        method, "狸銀行", "tegata", "token:x", "口座開設", case, "署名用電子証明書", "ab", PERSON,
        [Step("recorded", NOW)], [("occupation", "会社員")], list(VERDICT.checks),
        LegalPurpose.SIGNATURE_VERIFICATION, "intent", "申込書",
    )  # fmt: skip
    return ConfirmationRecord(RecordId(name), SessionId("ivs_1"), UserId("usr_1"), NOW, evidence)


async def keep(store: Store, scope: TenantScope, *things: object) -> None:
    """Keep sessions, certificates, records, watches or news, each in a unit of its own."""
    for thing in things:
        async with store.open_identity_unit(scope) as unit:
            match thing:
                case Session():
                    unit.add_session(thing)
                case KnownCertificate():
                    unit.add_known_certificate(thing)
                case ConfirmationRecord():
                    unit.add_record(thing)
                case Watch():
                    unit.set_watch(thing)
                case Delivery():
                    unit.add_delivery(thing)
            await unit.commit()


async def test_a_session_comes_back_as_it_was_and_to_its_tenant_only(store: Store) -> None:
    session = a_session()
    await keep(store, ONE, session)
    assert await store.find_session(ONE, session.id) == session
    assert await store.find_session(TWO, session.id) is None


async def test_a_session_is_decided_once(store: Store) -> None:
    session = a_session()
    await keep(store, ONE, session)
    async with store.open_identity_unit(ONE) as unit:
        unit.decide_session(decided(session))
        await unit.commit()
    assert await store.find_session(ONE, session.id) == decided(session)
    for scope in (ONE, TWO):
        async with store.open_identity_unit(scope) as unit:
            unit.decide_session(decided(session))
            with pytest.raises(Problem) as refused:
                await unit.commit()
        assert refused.value.code is ProblemCode.SESSION_DECIDED


async def test_attributes_are_handed_out_once(store: Store) -> None:
    await keep(store, ONE, a_session())
    async with store.open_identity_unit(ONE) as unit:
        unit.hand_out(SessionId("ivs_1"), NOW)
        await unit.commit()
    async with store.open_identity_unit(ONE) as unit:
        unit.hand_out(SessionId("ivs_1"), NOW)
        with pytest.raises(Problem) as refused:
            await unit.commit()
    assert refused.value.code is ProblemCode.ATTRIBUTES_HANDED_OUT


async def test_a_certificate_stays_with_its_user_and_is_known_better_when_shown(
    store: Store,
) -> None:
    linked, shown = known(1, "usr_1", shown=False), known(1, "usr_2")
    await keep(store, ONE, linked, shown, linked)
    found = (await store.find_users(ONE, [linked.tag]))[linked.tag]
    assert (found.user, found.shown) == ("usr_1", True)
    assert await store.find_users(TWO, [linked.tag]) == {}
    (certificate,) = await store.user_certificates(ONE, UserId("usr_1"))
    assert certificate == replace(shown, user=UserId("usr_1"))
    assert await store.user_certificates(TWO, UserId("usr_1")) == []


async def test_shown_certificates_come_in_pages_and_linked_ones_not_at_all(store: Store) -> None:
    shown = [known(tag, "usr_1") for tag in (1, 2, 4)]
    await keep(store, ONE, *shown, known(3, "usr_1", shown=False))
    first = await store.shown_certificates(ONE, None, 2)
    rest = await store.shown_certificates(ONE, first[-1].tag, 2)
    assert [*first, *rest] == shown
    assert await store.shown_certificates(TWO, None, 2) == []


async def test_tags_and_user_ids_are_each_tenants_own(store: Store) -> None:
    reference = CertificateReference(CertificateKind.AUTH, b"key", 7)
    one, two = await store.identity_vault(ONE), await store.identity_vault(TWO)
    assert one.tag(reference) == one.tag(reference) != two.tag(reference)
    assert one.user_id(reference) != two.user_id(reference)
    assert one.tag(replace(reference, serial=8)) != one.tag(reference)
    assert one.tag(replace(reference, kind=CertificateKind.SIGN)) != one.tag(reference)


async def test_a_record_is_found_by_its_case_and_forgotten_when_due_unless_held(
    store: Store,
) -> None:
    records = [a_record("cfr_1"), a_record("cfr_2"), a_record("cfr_3", "another")]
    await keep(store, ONE, *records)
    assert await store.list_records(ONE, "case", None, 10) == records[:2]
    assert await store.list_records(ONE, "case", RecordId("cfr_1"), 10) == records[1:2]
    assert await store.list_records(TWO, "case", None, 10) == []
    due = [replace(each, contract_ended_at=NOW, retain_until=NOW) for each in records[:2]]
    held = replace(due[1], legal_hold=True)
    async with store.open_identity_unit(ONE) as unit:
        unit.set_record(due[0])
        unit.set_record(held)
        await unit.commit()
    assert await store.find_record(ONE, RecordId("cfr_2")) == held
    assert await store.records_due(ONE, NOW - timedelta(days=1), 10) == []
    assert await store.records_due(ONE, NOW, 10) == ["cfr_1"]
    assert await store.records_due(TWO, NOW, 10) == []
    async with store.open_identity_unit(ONE) as unit:
        unit.remove_record(RecordId("cfr_2"))
        with pytest.raises(Problem) as refused:
            await unit.commit()
    assert refused.value.code is ProblemCode.RECORD_REFUSED


async def test_a_watch_knows_how_far_it_is_and_what_it_found(store: Store) -> None:
    watch = Watch("https://a.test/", b"\x07" * 32, 24, StatusMethod.CRL, NOW, None)
    certificate = known(1, "usr_1")
    await keep(store, ONE, watch, certificate, Delivery("dlv_1", NOW, b"{}"))
    assert await store.find_watch(ONE) == watch
    assert await store.find_watch(TWO) is None
    changed = ChangedStatus(
        certificate.tag, UserId("usr_1"), CertificateKind.AUTH, Reason.REVOKED_HELD, NOW
    )
    async with store.open_identity_unit(ONE) as unit:
        unit.set_watch_place(certificate.tag)
        unit.set_known_reasons([changed])
        await unit.commit()
    assert await store.find_watch(ONE) == replace(watch, after=certificate.tag)
    (watched,) = await store.watched_certificates(ONE, None, 10)
    assert watched.reason is Reason.REVOKED_HELD
    assert await store.find_delivery(ONE) == Delivery("dlv_1", NOW, b"{}")
    async with store.open_identity_unit(ONE) as unit:
        unit.remove_watch()
        await unit.commit()
    assert await store.find_delivery(ONE) is None
