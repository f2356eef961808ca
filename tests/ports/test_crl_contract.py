"""What lists are made of, on both engines: shards, changes, numbers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tegata.issuance.model import IssuedCertificate
from tegata.issuance.serials import SerialBlock
from tegata.issuance.shards import SHARD_PLACES
from tegata.kernel.ids import (
    BlockId,
    CertificateId,
    IssuerId,
    KeyId,
    NodeId,
    TenantId,
    encode_certificate_id,
)
from tegata.kernel.negative import ActKind, NegativeAct
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope, platform_acts
from tegata.kernel.signing import (
    DataKeyKind,
    KeyAlgorithm,
    KeyPurpose,
    SignatureAlgorithm,
    SigningKey,
    TenantSecret,
)
from tegata.pkix.certificate import assemble
from tegata.pkix.crl import RevocationReason
from tegata.profiles.catalogue import ISSUING_CA
from tegata.revocation.model import CrlBase, CrlKind, PublishedCrl, Revocation, Status
from tegata.revocation.rules import release_of, revocation_of
from tegata.store.database import Database
from tegata.store.negative import (
    numbered_act,
    release_from,
    released_act,
    revocation_from,
    revoked_act,
)
from tegata.store.replay import REPLAYS, RecoveringStore
from tegata.store.store import Store
from tests.fakes.journal import FakeJournal
from tests.fakes.system import CountingRandomness, FakeClock, PlainSealer
from tests.issuance.drafts import a_draft, an_issuer, tbs_of
from tests.pkix.keys import public_key, sign_p256

SCOPE: TenantScope = platform_acts(TenantId("ten_lists"), "test")
ISSUER = IssuerId("iss_lists")
NOW = datetime(2026, 7, 15, 9, 30, tzinfo=UTC)
MONTH = (2026 - 2000) * 12 + 6
HOLD = RevocationReason.CERTIFICATE_HOLD


class _Keys:
    async def sealer(self, tenant: TenantId, kind: DataKeyKind) -> TenantSecret:
        return PlainSealer()


@pytest.fixture
async def store(database: Database) -> RecoveringStore:
    clock, randomness = FakeClock(NOW), CountingRandomness("lists")
    made = RecoveringStore(
        database, _Keys(), clock, randomness, "http://a.test", lambda *_each: None, FakeJournal()
    )
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
    async with store.open_unit(SCOPE) as unit:
        unit.add_revocation(revocation_of(found, reason, NOW))
        unit.want_crls(ISSUER, shard, NOW)
        await unit.commit()
    return found


async def release(store: Store, found: IssuedCertificate) -> None:
    async with store.open_unit(SCOPE) as unit:
        unit.release_hold(release_of(found, NOW.replace(microsecond=0), NOW))
        await unit.commit()


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
    july, august = datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 8, 1, tzinfo=UTC)
    assert [await count(store, 1, since) for since in (july, august)] == [2, 1]
    assert await count(store, 0, august) == 1


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
    assert removed == release_of(held, NOW, NOW).entry
    assert (await store.changed_entries(SCOPE, ISSUER, 1, before)).count == 1
    await revoke(store, 2, 1, HOLD)
    (again,) = (await store.changed_entries(SCOPE, ISSUER, 1, before)).octets
    assert again == revocation_of(held, HOLD, NOW).entry


async def test_only_what_is_held_can_be_released_or_revoked_for_good(store: Store) -> None:
    final, held = await revoke(store, 1, 1), await revoke(store, 2, 1, HOLD)
    with pytest.raises(Problem) as refused:
        await release(store, final)
    assert refused.value.code is ProblemCode.CERTIFICATE_NOT_HELD
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


def journal_of(store: Store) -> FakeJournal:
    assert isinstance(store.journal, FakeJournal)
    return store.journal


async def replay(store: RecoveringStore, *acts: NegativeAct) -> list[bool]:
    """Do acts again, as after a restore: whether there was something to do."""
    done = []
    for act in acts:
        effect = await REPLAYS[act.kind](store, SCOPE, act)
        async with store.open_unit(SCOPE) as unit:
            if effect is not None:
                effect(unit)
            await unit.commit()
        done.append(effect is not None)
    return done


async def add_issuer(store: RecoveringStore) -> None:
    """An issuer with a key, as far as recovery looks at it."""
    key = SigningKey(
        KeyId("key_lists"), SCOPE.tenant, KeyPurpose.ISSUING_CA, KeyAlgorithm.P256,
        SignatureAlgorithm.ECDSA_SHA256, public_key("issuing"), b"",
    )  # fmt: skip
    tbs = tbs_of(a_draft(ISSUING_CA, "issuing"))
    octets = assemble(tbs, SignatureAlgorithm.ECDSA_SHA256, sign_p256("root", tbs))
    issuer = replace(
        an_issuer("issuing"), id=ISSUER, tenant=SCOPE.tenant, key=key, certificate=octets
    )
    async with store.open_unit(SCOPE) as unit:
        unit.add_signing_key(key, NOW)
        unit.add_issuer(issuer, NOW)
        await unit.commit()


async def status(store: Store, found: IssuedCertificate) -> tuple[RevocationReason | None, ...]:
    standing = await store.find_revocation(SCOPE, ISSUER, found.serial)
    return () if standing is None else (standing.reason,)


def held(number: int, since: datetime, shard: int = 1) -> Revocation:
    return revocation_of(certificate(number, shard), HOLD, since)


async def test_a_hold_its_end_and_what_becomes_of_it_are_journaled(store: RecoveringStore) -> None:
    found = await revoke(store, 1, 1, HOLD)
    await release(store, found)
    await revoke(store, 1, 1, HOLD)
    async with store.open_unit(SCOPE) as unit:
        unit.replace_hold(revocation_of(found, RevocationReason.SUPERSEDED, NOW, NOW))
        await unit.commit()
    acts = journal_of(store).acts
    revoked, released = ActKind.CERTIFICATE_REVOKED, ActKind.CERTIFICATE_RELEASED
    assert [act.kind for act in acts] == [revoked, released, revoked, revoked]
    assert len({act.subject for act in acts}) == 1
    assert release_from(acts[1]) == release_of(found, NOW, NOW)
    assert revocation_from(acts[3]) == revocation_of(found, RevocationReason.SUPERSEDED, NOW, NOW)


async def test_a_revocation_is_done_again_over_a_hold(store: RecoveringStore) -> None:
    await add_issuer(store)
    found = await revoke(store, 1, 1, HOLD)
    final = revoked_act(SCOPE.tenant, revocation_of(found, RevocationReason.SUPERSEDED, NOW))
    hold = revoked_act(SCOPE.tenant, held(1, NOW))
    assert await replay(store, final, final, hold) == [True, False, False]
    assert await status(store, found) == (RevocationReason.SUPERSEDED,)


async def test_the_end_of_a_hold_is_done_again_for_that_hold_only(store: RecoveringStore) -> None:
    await add_issuer(store)
    found, later = certificate(1, 1), NOW + timedelta(minutes=1)
    first, again = (revoked_act(SCOPE.tenant, held(1, since)) for since in (NOW, later))
    end = released_act(SCOPE.tenant, release_of(found, NOW, NOW))
    assert await replay(store, first, end) == [True, True]
    assert await status(store, found) == ()
    # Another node's journal has the end of the first hold, and is replayed last.
    assert await replay(store, first, again, end) == [True, True, False]
    assert await status(store, found) == (HOLD,)


async def test_a_shard_that_a_restored_database_lacks_is_opened(store: RecoveringStore) -> None:
    await add_issuer(store)
    assert await replay(store, revoked_act(SCOPE.tenant, held(1, NOW, shard=4))) == [True]
    assert list(await store.list_shards(ISSUER)) == [1, 2, 3, 4]
    assert await count(store, 4) == 1


async def test_a_lost_block_counts_in_the_shard_that_it_was_of(store: RecoveringStore) -> None:
    await add_issuer(store)
    block = SerialBlock(BlockId("blk_lost"), MONTH, 512, bytes(32))
    scope = SCOPE.tenant, KeyId("key_lists"), block
    async with store.open_unit(SCOPE) as unit:
        unit.add_data_key(DataKeyKind.DISCLOSURE, b"", NOW)
        unit.fill_shard(ISSUER, 2, SHARD_PLACES, MONTH)
        await unit.commit()
    node = NodeId("nod_1")
    assert await store.adopt_block(*scope, 2, node) is True
    assert await store.adopt_block(*scope, 2, node) is False
    newest = await store.newest_shards(SCOPE, ISSUER)
    assert [(each.number, each.places) for each in newest] == [(1, 0), (2, SHARD_PLACES + 512)]
    (left,) = await store.open_blocks(SCOPE, node)
    assert left.shard == 2


async def test_numbers_of_every_scope_go_on_above_the_floor(store: RecoveringStore) -> None:
    async def take(shard: int) -> int:
        state = await store.crl_state(SCOPE, ISSUER, shard)
        async with store.open_unit(SCOPE) as unit:
            unit.take_crl_number(ISSUER, state)
            await unit.commit()
        return (await store.crl_state(SCOPE, ISSUER, shard)).number

    assert [await take(shard) for shard in (1, 1, 2)] == [1, 2, 1]
    assert await store.highest_crl_number(SCOPE, ISSUER) == 2
    numbered = journal_of(store).acts
    assert [act.values["number"] for act in numbered] == [1, 2, 1]
    assert await replay(store, numbered_act(SCOPE.tenant, ISSUER, 70), *numbered) == [True] * 4
    async with store.open_unit(SCOPE) as unit:
        unit.open_shard(ISSUER, 3, "http://a.test/3.crl", NOW)
        await unit.commit()
    assert [await take(shard) for shard in (0, 1, 2, 3, 3)] == [71, 71, 71, 71, 72]
    assert await store.highest_crl_number(SCOPE, ISSUER) == 72
