"""Take-overs and foreign serial numbers on both engines."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tegata.issuance.index_file import TakenRevocation
from tegata.issuance.model import IssuedCertificate
from tegata.issuance.serials import serial_month
from tegata.issuance.taken import TakenRecord, TakeOver, TakeOverState
from tegata.kernel.ids import IssuerId, KeyId, TenantId, encode_certificate_id, time_ordered
from tegata.kernel.month import expiry_month
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import platform_acts
from tegata.kernel.signing import (
    DataKeyKind,
    KeyAlgorithm,
    KeyPurpose,
    SignatureAlgorithm,
    SigningKey,
    TenantSecret,
)
from tegata.pkix.crl import RevocationReason, entry_serial
from tegata.pkix.names import GeneralName, GeneralNameKind
from tegata.registration.model import (
    CertificateQuery,
    CertificateState,
    NameMatch,
    SerialMatch,
)
from tegata.revocation.model import Status
from tegata.revocation.rules import revocation_of, revocation_of_serial
from tegata.store.database import Database
from tegata.store.negative import revoked_act
from tegata.store.replay import REPLAYS, RecoveringStore
from tests.fakes.journal import FakeJournal
from tests.fakes.system import CountingRandomness, FakeClock, PlainSealer
from tests.issuance.drafts import an_issuer
from tests.pkix.keys import public_key

NOW = datetime(2026, 7, 15, 9, 30, tzinfo=UTC)
TANUKI = platform_acts(TenantId("ten_tanuki"), "test")
KITSUNE = platform_acts(TenantId("ten_kitsune"), "test")
ISSUER = IssuerId("iss_issuing")
REVOKED = TakenRevocation(NOW - timedelta(days=9), RevocationReason.SUPERSEDED)
EARLIER = TakenRevocation(
    NOW - timedelta(days=99), RevocationReason.KEY_COMPROMISE, NOW - timedelta(days=100)
)
# One octet, twenty of them, and 19 that look like ours of a month long over, or still to come.
SERIALS = (0, 1, 0x7F << 152, (1 << 160) - 1, 0x01_0001 << 128 | 5, 0x01_7FFF << 128 | 5)


class _Keys:
    async def sealer(self, tenant: TenantId, kind: DataKeyKind) -> TenantSecret:
        return PlainSealer()


def a_store(database: Database) -> RecoveringStore:
    return RecoveringStore(
        database, _Keys(), FakeClock(NOW), CountingRandomness("taken"), "http://a.test",
        lambda *_each: None, FakeJournal(),
    )  # fmt: skip


def a_key(tenant: TenantId = TANUKI.tenant) -> SigningKey:
    return SigningKey(
        KeyId("key_old"), tenant, KeyPurpose.ISSUING_CA, KeyAlgorithm.P256,
        SignatureAlgorithm.ECDSA_SHA256, public_key("issuing"), b"sealed",
    )  # fmt: skip


def a_take_over() -> TakeOver:
    chain = (b"own", b"root")
    return TakeOver(ISSUER, "Old CA", a_key(), chain, TakeOverState.OPEN, NOW, 7)


async def begin(store: RecoveringStore) -> TakeOver:
    begun = a_take_over()
    async with store.open_unit(TANUKI) as unit:
        unit.add_signing_key(begun.key, NOW)
        unit.add_take_over(begun)
        await unit.commit()
    return begun


async def test_a_take_over_is_its_tenants_and_moves_from_where_it_was(database: Database) -> None:
    store = a_store(database)
    begun = await begin(store)
    assert await store.find_take_over(TANUKI, ISSUER) == begun
    assert list(await store.list_take_overs(TANUKI)) == [begun]
    assert await store.find_take_over(KITSUNE, ISSUER) is None
    assert await store.list_take_overs(KITSUNE) == []
    moved = replace(
        begun, state=TakeOverState.COMPLETING, crl_number=9, point="http://x.test/a.crl",
        told=True, entries=3, certificates=2, revoked=1, revision=1,
    )  # fmt: skip
    for code in (None, ProblemCode.CONFLICT):
        async with store.open_unit(TANUKI) as unit:
            unit.move_take_over(begun, moved)
            await expect(unit.commit(), code)
    assert await store.find_take_over(TANUKI, ISSUER) == moved


async def test_a_ca_is_taken_over_once_at_a_time(database: Database) -> None:
    store = a_store(database)
    begun = await begin(store)
    again = replace(begun, id=IssuerId("iss_again"), key=replace(begun.key, id=KeyId("key_again")))
    async with store.open_unit(TANUKI) as unit:
        unit.add_signing_key(again.key, NOW)
        unit.add_take_over(again)
        await expect(unit.commit(), ProblemCode.CONFLICT)
    assert list(await store.list_take_overs(TANUKI)) == [begun]


async def expect(commit: object, code: ProblemCode | None) -> None:
    if code is None:
        await commit  # type: ignore[misc]
        return
    with pytest.raises(Problem) as caught:
        await commit  # type: ignore[misc]
    assert caught.value.code is code


async def test_a_cancelled_take_over_leaves_nothing(database: Database) -> None:
    store = a_store(database)
    begun = await begin(store)
    async with store.open_unit(TANUKI) as unit:
        unit.stage_certificate(ISSUER, 5, b"der", "p")
        await unit.commit()
    async with store.open_unit(KITSUNE) as unit:
        unit.remove_take_over(begun)
        await expect(unit.commit(), ProblemCode.CONFLICT)
    async with store.open_unit(TANUKI) as unit:
        unit.remove_take_over(begun)
        unit.remove_signing_key(begun.key.id)
        await unit.commit()
    assert await store.find_take_over(TANUKI, ISSUER) is None
    assert await store.next_staged(TANUKI, ISSUER, 9) == []
    assert await store.signing_key_ids(TANUKI) == []


async def test_what_is_staged_adds_up_and_a_list_has_the_last_word(database: Database) -> None:
    store = a_store(database)
    await begin(store)
    end = NOW + timedelta(days=30)
    async with store.open_unit(TANUKI) as unit:
        unit.stage_entry(ISSUER, 5, end, EARLIER, published=False)
        unit.stage_certificate(ISSUER, 5, b"der", "p")
        unit.stage_entry(ISSUER, 6, end, None, published=False)
        unit.stage_entry(ISSUER, 7, None, REVOKED, published=True)
        await unit.commit()
    async with store.open_unit(TANUKI) as unit:
        unit.stage_entry(ISSUER, 5, None, REVOKED, published=True)
        unit.stage_entry(ISSUER, 7, end, EARLIER, published=False)
        unit.stage_certificate(ISSUER, 5, b"der", "q")
        await unit.commit()
    async with store.open_unit(TANUKI) as unit:
        unit.stage_certificate(ISSUER, 5, b"another", "q")
        await expect(unit.commit(), ProblemCode.CONFLICT)
    found = await store.find_staged(TANUKI, ISSUER, [*range(150), 5])
    assert found.keys() == {5, 6, 7}
    assert (found[5].der, found[5].profile, found[5].not_after) == (b"der", "q", end)
    assert (found[5].revoked, found[6].revoked, found[7].revoked) == (REVOKED, None, REVOKED)
    assert found[7].not_after == end
    assert await store.find_staged(KITSUNE, ISSUER, [5]) == {}
    assert [each.serial for each in await store.next_staged(TANUKI, ISSUER, 2)] == [5, 6]
    async with store.open_unit(TANUKI) as unit:
        unit.strike_staged(ISSUER, 6)
        await unit.commit()
    assert [each.serial for each in await store.next_staged(TANUKI, ISSUER, 2)] == [7]


def a_record(
    serial: int, revoked: TakenRevocation | None = None, *, days: int = 30, shard: int = 0
) -> tuple[TakenRecord, bytes]:
    end = NOW + timedelta(days=days)
    octets = time_ordered(
        1, serial.to_bytes(20, "big")[-4:] + serial.to_bytes(20, "big")[:6], expiry_month(end)
    )
    certificate = IssuedCertificate(
        encode_certificate_id(octets), TANUKI.tenant, ISSUER, serial, "taken-over", 0,
        f"CN={serial:x}", NOW - timedelta(days=300), end, b"der %x" % serial, shard,
    )  # fmt: skip
    names = (GeneralName(GeneralNameKind.DNS, f"n{serial:x}.example"),)
    return TakenRecord(ISSUER, serial, certificate, names, revoked, end, shard), octets


async def record(
    store: RecoveringStore, *records: tuple[TakenRecord, bytes], key: bool = True
) -> None:
    issuer = replace(an_issuer(), id=ISSUER, tenant=TANUKI.tenant, key=a_key(), parent=None)
    async with store.open_unit(TANUKI) as unit:
        if key:
            unit.add_signing_key(issuer.key, NOW)
        unit.add_issuer(issuer, NOW)
        unit.open_shard(ISSUER, 0, "http://a.test/crl/iss_issuing.crl", NOW)
        unit.raise_crl_floor(ISSUER, 41)
        for each, octets in records:
            unit.record_taken(each, octets)
        await unit.commit()


@pytest.mark.parametrize("serial", SERIALS)
async def test_a_foreign_serial_is_answered_searched_revoked_and_listed(
    database: Database, serial: int
) -> None:
    store = a_store(database)
    taken, octets = a_record(serial)
    await record(store, (taken, octets))
    assert (await store.certificate_status(TANUKI, ISSUER, serial)).status is Status.GOOD
    assert (await store.certificate_status(TANUKI, ISSUER, serial ^ 64)).status is Status.UNKNOWN
    assert (await store.certificate_status(KITSUNE, ISSUER, serial)).status is Status.UNKNOWN
    assert taken.certificate is not None
    found = await store.get_certificate(TANUKI, taken.certificate.id)
    assert found == taken.certificate
    name = NameMatch(GeneralNameKind.DNS, f"n{serial:x}.example", prefix=False)
    queries = [CertificateQuery(name=name), CertificateQuery(issuer=ISSUER)]
    if serial:
        queries.append(CertificateQuery(serial=SerialMatch(serial, serial), issuer=ISSUER))
    if serial and serial_month(serial) is None:
        queries.append(CertificateQuery(serial=SerialMatch(serial, serial)))
    for query in queries:
        page = await store.list_certificates(TANUKI, query, NOW)
        assert [each.serial for each in page.entries] == [serial]
    async with store.open_unit(TANUKI) as unit:
        unit.add_revocation(revocation_of(found, RevocationReason.SUPERSEDED, NOW))
        await unit.commit()
    assert (await store.certificate_status(TANUKI, ISSUER, serial)).status is Status.REVOKED
    assert await listed(store) == [serial]
    query = CertificateQuery(state=CertificateState.REVOKED)
    page = await store.list_certificates(TANUKI, query, NOW)
    assert [each.serial for each in page.entries] == [serial]


async def listed(store: RecoveringStore, shard: int = 0) -> list[int]:
    entries = await store.crl_entries(TANUKI, ISSUER, shard, NOW)
    octets, serials = b"".join(entries.octets), []
    while octets:
        size = 2 + octets[1]
        serials.append(entry_serial(octets[:size]))
        octets = octets[size:]
    assert len(serials) == entries.count
    return serials


async def test_inherited_revocations_are_listed_in_order_and_in_no_delta(
    database: Database,
) -> None:
    store = a_store(database)
    await record(store, *(a_record(serial, REVOKED) for serial in SERIALS))
    assert await listed(store) == sorted(SERIALS)
    assert (await store.changed_entries(TANUKI, ISSUER, 0, 0)).count == 0
    found = await store.find_revocation(TANUKI, ISSUER, 1)
    assert found is not None
    assert (found.revoked_at, found.reason) == (REVOKED.revoked_at, REVOKED.reason)
    state = await store.crl_state(TANUKI, ISSUER, 0)
    assert state.number == 41


async def test_an_entry_leaves_the_list_when_its_certificate_has_ended(database: Database) -> None:
    store = a_store(database)
    await record(store, *(a_record(each, REVOKED, days=-90) for each in SERIALS))
    assert await listed(store) == []


async def test_a_serial_that_only_an_index_knows_is_good_until_it_is_revoked(
    database: Database,
) -> None:
    store = a_store(database)
    end = NOW + timedelta(days=3)
    alone = TakenRecord(ISSUER, 9, None, (), None, end, 2)
    await record(store, (alone, b""))
    assert (await store.certificate_status(TANUKI, ISSUER, 9)).status is Status.GOOD
    foreign = await store.find_foreign_serial(TANUKI, ISSUER, 9)
    assert foreign is not None
    assert (foreign.shard, foreign.not_after, foreign.month) == (2, end, expiry_month(end))
    assert await store.find_foreign_serial(KITSUNE, ISSUER, 9) is None
    assert not await store.recorded_serials(TANUKI, ISSUER, foreign.month, [9])
    async with store.open_unit(TANUKI) as unit:
        unit.add_revocation(revocation_of_serial(foreign, RevocationReason.SUPERSEDED, NOW))
        await unit.commit()
    assert (await store.certificate_status(TANUKI, ISSUER, 9)).status is Status.REVOKED
    assert (await listed(store), await listed(store, 2), await listed(store, 1)) == ([9], [9], [])


async def test_a_revocation_since_is_done_again_while_the_take_over_is_not_complete(
    database: Database,
) -> None:
    store = a_store(database)
    await begin(store)
    held = TakenRevocation(NOW - timedelta(days=9), RevocationReason.CERTIFICATE_HOLD)
    plain, on_hold = a_record(5), a_record(6, held)
    acts = []
    for taken, _octets in (plain, on_hold):
        assert taken.certificate is not None
        revocation = revocation_of(taken.certificate, RevocationReason.SUPERSEDED, NOW)
        acts.append(revoked_act(TANUKI.tenant, revocation))
    for act in acts:
        effect = await REPLAYS[act.kind](store, TANUKI, act)
        assert effect is not None
        async with store.open_unit(TANUKI) as unit:
            effect(unit)
            await unit.commit()
        assert await REPLAYS[act.kind](store, KITSUNE, act) is None
    await record(store, plain, on_hold, key=False)
    for serial in (5, 6):
        found = await store.find_revocation(TANUKI, ISSUER, serial)
        assert found is not None
        assert found.reason is RevocationReason.SUPERSEDED
    assert await listed(store) == [5, 6]


async def test_a_hold_that_was_recorded_is_revoked_for_good_by_a_later_act(
    database: Database,
) -> None:
    store = a_store(database)
    await begin(store)
    held = TakenRevocation(NOW - timedelta(days=9), RevocationReason.CERTIFICATE_HOLD)
    taken, octets = a_record(6, held)
    async with store.open_unit(TANUKI) as unit:
        unit.record_taken(taken, octets)
        await unit.commit()
    assert taken.certificate is not None
    later = revocation_of(taken.certificate, RevocationReason.SUPERSEDED, NOW)
    act = revoked_act(TANUKI.tenant, later)
    effect = await REPLAYS[act.kind](store, TANUKI, act)
    assert effect is not None
    async with store.open_unit(TANUKI) as unit:
        effect(unit)
        await unit.commit()
    found = await store.find_revocation(TANUKI, ISSUER, 6)
    assert found is not None
    assert found.reason is RevocationReason.SUPERSEDED


async def test_a_key_is_an_issuers_whoever_asks(database: Database) -> None:
    store = a_store(database)
    assert not await store.is_issuer_key(public_key("issuing"))
    await record(store)
    assert await store.is_issuer_key(public_key("issuing"))
    assert not await store.is_issuer_key(public_key("p384"))
