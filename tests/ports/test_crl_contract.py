"""What lists are made of, on both engines: shards, changes, numbers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tegata.issuance.model import IssuedCertificate
from tegata.issuance.shards import SHARD_PLACES
from tegata.kernel.ids import CertificateId, IssuerId, TenantId, encode_certificate_id
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope, platform_acts
from tegata.kernel.signing import DataKeyKind, Sealer
from tegata.pkix.crl import RevocationReason
from tegata.revocation.model import CrlBase, CrlKind, PublishedCrl, Status
from tegata.revocation.rules import release_of, revocation_of
from tegata.store.database import Database
from tegata.store.store import Store
from tests.fakes.system import CountingRandomness, FakeClock, PlainSealer

SCOPE: TenantScope = platform_acts(TenantId("ten_lists"), "test")
ISSUER = IssuerId("iss_lists")
NOW = datetime(2026, 7, 15, 9, 30, tzinfo=UTC)
MONTH = (2026 - 2000) * 12 + 6
HOLD = RevocationReason.CERTIFICATE_HOLD


class _Keys:
    async def sealer(self, tenant: TenantId, kind: DataKeyKind) -> Sealer:
        return PlainSealer()


@pytest.fixture
async def store(database: Database) -> Store:
    clock, randomness = FakeClock(NOW), CountingRandomness("lists")
    made = Store(database, _Keys(), clock, randomness, "http://a.test", lambda *_each: None)
    async with made.open_unit(SCOPE) as unit:
        for shard in range(3):
            unit.open_shard(ISSUER, shard, f"http://a.test/{shard}.crl", NOW)
        await unit.commit()
    return made


def certificate(number: int, shard: int, month: int = MONTH) -> IssuedCertificate:
    """A certificate as far as its revocation looks at it."""
    not_after = datetime(2000 + month // 12, month % 12 + 1, 20, tzinfo=UTC)
    return IssuedCertificate(
        id=CertificateId(encode_certificate_id(number.to_bytes(16, "big"))),
        tenant=SCOPE.tenant,
        issuer=ISSUER,
        serial=1 << 144 | month << 128 | number,
        profile="tls-server",
        profile_version=1,
        subject="",
        not_before=NOW - timedelta(days=1),
        not_after=not_after,
        der=b"",
        shard=shard,
    )


async def revoke(
    store: Store,
    number: int,
    shard: int,
    reason: RevocationReason = RevocationReason.SUPERSEDED,
    month: int = MONTH,
) -> IssuedCertificate:
    found = certificate(number, shard, month)
    _pass_time(store)
    async with store.open_unit(SCOPE) as unit:
        unit.add_revocation(revocation_of(found, reason, NOW))
        unit.want_crls(ISSUER, shard, NOW)
        await unit.commit()
    return found


async def release(store: Store, found: IssuedCertificate) -> None:
    _pass_time(store)
    async with store.open_unit(SCOPE) as unit:
        unit.release_hold(release_of(found, NOW))
        await unit.commit()


def _pass_time(store: Store) -> None:
    """A certificate's status does not change twice in one millisecond."""
    assert isinstance(store.clock, FakeClock)
    store.clock.advance(timedelta(milliseconds=1))


async def count(store: Store, shard: int, since: datetime = NOW) -> int:
    entries = await store.crl_entries(SCOPE, ISSUER, shard, since)
    return entries.count


async def test_a_shard_lists_its_own_and_the_complete_list_everything(store: Store) -> None:
    for number, shard in ((1, 1), (2, 2), (3, 2)):
        await revoke(store, number, shard)
    assert [await count(store, shard) for shard in range(3)] == [3, 1, 2]


async def test_an_entry_is_listed_until_its_month_is_over(store: Store) -> None:
    await revoke(store, 1, 1)
    await revoke(store, 2, 1, month=MONTH + 1)
    august = datetime(2026, 8, 1, tzinfo=UTC)
    assert [await count(store, 1, since) for since in (august, august + timedelta(1))] == [2, 1]
    assert await count(store, 0, august + timedelta(1)) == 1


async def test_what_changed_is_counted_and_found_by_its_count(store: Store) -> None:
    await revoke(store, 1, 1)
    before = (await store.crl_state(SCOPE, ISSUER, 1)).changes
    held = await revoke(store, 2, 1, HOLD)
    await revoke(store, 3, 2)
    assert (await store.changed_entries(SCOPE, ISSUER, 0, before)).count == 2
    assert (await store.changed_entries(SCOPE, ISSUER, 1, before)).count == 1
    middle = (await store.crl_state(SCOPE, ISSUER, 1)).changes
    await release(store, held)
    (removed,) = (await store.changed_entries(SCOPE, ISSUER, 1, middle)).octets
    assert removed == release_of(held, NOW).entry
    assert (await store.changed_entries(SCOPE, ISSUER, 1, before)).count == 1
    await revoke(store, 2, 1, HOLD)
    (again,) = (await store.changed_entries(SCOPE, ISSUER, 1, before)).octets
    assert again == revocation_of(held, HOLD, NOW).entry


async def test_only_what_is_held_can_be_released_or_revoked_for_good(store: Store) -> None:
    final, held = await revoke(store, 1, 1), await revoke(store, 2, 1, HOLD)
    with pytest.raises(Problem) as refused:
        await release(store, final)
    assert refused.value.code is ProblemCode.CERTIFICATE_NOT_HELD
    _pass_time(store)
    async with store.open_unit(SCOPE) as unit:
        unit.replace_hold(revocation_of(held, RevocationReason.KEY_COMPROMISE, NOW))
        await unit.commit()
    status = await store.find_revocation(SCOPE, ISSUER, held.serial)
    assert status is not None
    assert (status.status, status.reason) == (Status.REVOKED, RevocationReason.KEY_COMPROMISE)
    with pytest.raises(Problem):
        await release(store, held)


async def test_many_revocations_at_once_have_counts_of_their_own(store: Store) -> None:
    await asyncio.gather(*(revoke(store, number, 1) for number in range(1, 41)))
    state = await store.crl_state(SCOPE, ISSUER, 0)
    assert state.changes == 40
    for since in (0, 17, 39, 40):
        assert (await store.changed_entries(SCOPE, ISSUER, 1, since)).count == 40 - since


async def test_a_shard_is_never_filled_beyond_its_places(store: Store) -> None:
    async def fill(size: int) -> bool:
        try:
            async with store.open_unit(SCOPE) as unit:
                unit.fill_shard(ISSUER, 1, size, MONTH)
                await unit.commit()
        except Problem as problem:
            return problem.code is not ProblemCode.CONFLICT
        return True

    done = await asyncio.gather(*(fill(512) for _ in range(25)))
    assert sum(done) == SHARD_PLACES // 512
    newest = await store.newest_shards(SCOPE, ISSUER)
    assert [(each.number, each.places) for each in newest] == [(1, 19 * 512), (2, 0)]


async def test_a_number_is_taken_once_and_a_list_replaced_by_the_next_only(store: Store) -> None:
    state = await store.crl_state(SCOPE, ISSUER, 1)

    async def take() -> bool:
        try:
            async with store.open_unit(SCOPE) as unit:
                unit.take_crl_number(ISSUER, state)
                await unit.commit()
        except Problem:
            return False
        return True

    assert sorted(await asyncio.gather(*(take() for _ in range(5)))) == [False] * 4 + [True]
    crl = PublishedCrl(ISSUER, 1, CrlKind.FULL, 1, NOW, NOW, 0, scheduled=True, der=b"crl")

    async def publish() -> None:
        async with store.open_unit(SCOPE) as unit:
            unit.replace_full_crl(ISSUER, state, 1, CrlBase(1, 0, NOW))
            unit.add_crl(crl)
            await unit.commit()

    await publish()
    with pytest.raises(Problem):
        await publish()
    after = await store.crl_state(SCOPE, ISSUER, 1)
    assert (after.number, after.full, after.base.number) == (1, 1, 1)
    assert after.previous_update == NOW
