"""Time-stamping authorities and anchors on both engines."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tegata.kernel.ids import CertificateId, IssuerId, KeyId, NodeId, TimestampAuthorityId
from tegata.kernel.negative import ActKind
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import PLATFORM_TENANT, platform_acts
from tegata.kernel.signing import KeyAlgorithm, KeyPurpose, SignatureAlgorithm, SigningKey
from tegata.store.database import Database
from tegata.store.jobs import ANCHOR_JOB, LONG, TIMESTAMP_JOB, JobQueue
from tegata.store.negative import disabled_act
from tegata.store.replay import REPLAYS, RecoveringStore
from tegata.timestamping.model import Anchor, TimestampAuthority, TimestampUnit
from tests.fakes.system import START
from tests.ports.test_authority_contract import KITSUNE, NOW, TANUKI, a_node

ISSUER = IssuerId("iss_issuing")
NODE = NodeId("nod_one")
IDS = [TimestampAuthorityId(f"tsa_{number}") for number in range(3)]


def an_authority(place: int = 0, name: str = "stamps") -> TimestampAuthority:
    return TimestampAuthority(
        IDS[place], TANUKI.tenant, name, ISSUER, ("1.2.3", "1.2.4"), KeyAlgorithm.P256,
        SignatureAlgorithm.ECDSA_SHA256, timedelta(milliseconds=250), True, NOW,
    )  # fmt: skip


def a_unit(number: int, place: int = 0) -> TimestampUnit:
    key = SigningKey(
        KeyId(f"key_{place}{number}"), TANUKI.tenant, KeyPurpose.TIMESTAMP, KeyAlgorithm.P256,
        SignatureAlgorithm.ECDSA_SHA256, b"public", b"sealed",
    )  # fmt: skip
    identifier = CertificateId("crt_" + "0" * 26)
    return TimestampUnit(
        IDS[place], number, key, b"certificate", identifier, 1 << 144,
        NOW + timedelta(days=9), NOW + timedelta(days=3),
    )  # fmt: skip


async def put(store: RecoveringStore, authority: TimestampAuthority, unit: TimestampUnit) -> None:
    async with store.open_unit(TANUKI) as work:
        work.add_signing_key(unit.key, NOW)
        work.add_timestamp_authority(authority)
        work.add_timestamp_unit(unit, NOW + timedelta(days=2), NOW)
        await work.commit()


async def test_an_authority_is_read_as_it_was_written_and_by_its_tenant_only(
    database: Database,
) -> None:
    store = a_node(database)
    await put(store, an_authority(), a_unit(1))
    assert await store.find_timestamp_authority(TANUKI, IDS[0]) == an_authority()
    assert await store.find_timestamp_authority_named(TANUKI, "stamps") == an_authority()
    assert await store.newest_timestamp_unit(TANUKI, IDS[0]) == a_unit(1)
    assert await store.timestamp_tenant(IDS[0]) == TANUKI.tenant
    assert await store.timestamp_tenant(IDS[1]) is None
    assert await store.find_timestamp_authority(KITSUNE, IDS[0]) is None
    assert await store.newest_timestamp_unit(KITSUNE, IDS[0]) is None
    assert await store.list_timestamp_authorities(KITSUNE, "", 10) == []
    # Its renewal is due two days later.
    queue = JobQueue(database, NODE)
    assert await queue.claim(NOW + timedelta(days=1)) == []
    (job,) = await queue.claim(NOW + timedelta(days=2))
    assert (job.kind, job.key) == (TIMESTAMP_JOB, IDS[0])


async def test_the_newest_unit_stamps_and_a_number_is_taken_once(database: Database) -> None:
    store = a_node(database)
    await put(store, an_authority(), a_unit(1))
    for number, refused in ((2, False), (2, True), (10, False)):
        async with store.open_unit(TANUKI) as work:
            unit = a_unit(number, place=0)
            if not refused:
                work.add_signing_key(unit.key, NOW)
            work.add_timestamp_unit(unit, NOW, NOW)
            if refused:
                with pytest.raises(Problem) as caught:
                    await work.commit()
                assert caught.value.code is ProblemCode.CONFLICT
            else:
                await work.commit()
    newest = await store.newest_timestamp_unit(TANUKI, IDS[0])
    assert newest is not None
    assert newest.number == 10


async def test_lists_go_on_where_a_page_ended_and_a_name_is_one_authoritys(
    database: Database,
) -> None:
    store = a_node(database)
    for place in range(3):
        await put(store, an_authority(place, f"name {place}"), a_unit(1, place))
    page = await store.list_timestamp_authorities(TANUKI, "", 2)
    assert [each.id for each in page] == IDS[:2]
    page = await store.list_timestamp_authorities(TANUKI, IDS[1], 2)
    assert [each.id for each in page] == IDS[2:]
    with pytest.raises(Problem) as caught:
        await put(store, an_authority(0, "name 1"), a_unit(2, 0))
    assert caught.value.code is ProblemCode.CONFLICT


async def test_the_order_goes_forward_only(database: Database) -> None:
    store = a_node(database)
    await put(store, an_authority(), a_unit(1))

    async def advance(instant: datetime) -> bool:
        async with store.open_unit(TANUKI) as work:
            work.advance_timestamp_order(IDS[0], instant)
            try:
                await work.commit()
            except Problem as problem:
                return problem.code is not ProblemCode.CONFLICT
        return True

    step = timedelta(microseconds=1)
    tries = [NOW, NOW, NOW + step, NOW - step, NOW + step, NOW + 2 * step]
    assert [await advance(each) for each in tries] == [True, False, True, False, False, True]


async def test_disabling_is_done_once_and_again_on_a_database_that_lacks_it(
    database: Database,
) -> None:
    store = a_node(database)
    await put(store, an_authority(), a_unit(1))
    act = disabled_act(TANUKI.tenant, IDS[0], NOW)
    effect = await REPLAYS[ActKind.TIMESTAMPING_DISABLED](store, TANUKI, act)
    assert effect is not None
    async with store.open_unit(TANUKI) as work:
        effect(work)
        await work.commit()
    found = await store.find_timestamp_authority(TANUKI, IDS[0])
    assert found is not None
    assert found.disabled_at == NOW
    assert await REPLAYS[ActKind.TIMESTAMPING_DISABLED](store, TANUKI, act) is None


async def test_a_block_of_serials_is_one_runs(database: Database) -> None:
    store = a_node(database)
    for expected in (True, False):
        async with store.open_unit(TANUKI) as work:
            work.add_timestamp_block(IDS[0], b"\x01" * 12, NOW)
            try:
                await work.commit()
            except Problem:
                assert not expected
            else:
                assert expected


async def test_anchors_are_kept_with_their_checkpoint_for_everybody(database: Database) -> None:
    store, scope = a_node(database), platform_acts(PLATFORM_TENANT, "anchor")
    anchors = [
        Anchor(size, number, f"http://tsa.test/{number}", START, b"response")
        for size in (5, 9, 1 << 40)
        for number in (0, 1)
    ]
    for anchor in anchors:
        async with store.open_unit(scope) as work:
            work.add_anchored_checkpoint(anchor.size, f"note {anchor.size}".encode(), NOW)
            work.add_anchor(anchor, NOW)
            await work.commit()
    assert await store.anchors_of(9) == anchors[2:4]
    assert await store.list_anchors(1 << 62, 3) == [*anchors[4:], anchors[2]]
    assert await store.list_anchors(9, 10) == anchors[:2]
    assert await store.anchored_checkpoint(9) == b"note 9"
    assert await store.anchored_checkpoint(6) is None
    async with store.open_unit(scope) as work:
        work.add_anchor(anchors[0], NOW)
        with pytest.raises(Problem) as caught:
            await work.commit()
    assert caught.value.code is ProblemCode.CONFLICT


async def test_what_may_take_long_holds_up_nothing_else(database: Database) -> None:
    queue = JobQueue(database, NODE)
    for kind in LONG:
        await queue.want(kind, "one", PLATFORM_TENANT, NOW)
    assert await queue.claim(NOW) == []
    (job,) = await queue.claim(NOW, long=ANCHOR_JOB)
    assert job.kind == ANCHOR_JOB
