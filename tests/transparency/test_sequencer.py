"""The sequencer on both engines: once, in order, by one node at a time, and never back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import bindparam, delete

from tegata.kernel.event import log_entry
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import PLATFORM_TENANT, platform_acts
from tegata.store.database import Database
from tegata.store.log_files import FolderMirror
from tegata.store.schema import log_queue
from tegata.store.statement import Statement
from tegata.transparency.checkpoint import Checkpoint
from tegata.transparency.merkle import EMPTY_ROOT, consistency_ranges, verify_consistency
from tegata.transparency.model import Published, WaitingLeaf, interleave
from tegata.transparency.opening import LogBehind
from tegata.transparency.sequencer import LEASE
from tegata.transparency.tiles import TileId, TileReader, consistency_path, tiles_for
from tests.fakes.system import FakeClock
from tests.fakes.unit import FreeUnit
from tests.ports.conftest import database as database
from tests.transparency.world import (
    ONE,
    TWO,
    DirectSigner,
    FakeMemory,
    Node,
    digest,
    node_on,
    open_tenants,
    places_of,
    require_whole,
    store_on,
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def node(database: Database, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Node]:
    await open_tenants(store_on(database, clock, "tenants"))
    made = await node_on(database, tmp_path, clock)
    yield made
    made.signer.close()


async def test_an_event_gets_a_place_a_checkpoint_and_a_proof(node: Node) -> None:
    await node.happen(ONE, "first", "second")
    assert await node.publisher.turn()
    size = await require_whole(node)
    assert size == len(await node.store.all_tenants()) + 1 + 2
    for sequence in (1, 2, 3):
        scope = platform_acts(ONE, "test")
        proof = await node.service.proof(scope, sequence)
        (event,) = await node.store.list_events(scope, sequence - 1, 1)
        assert event.salt is not None
        assert event.place == proof.index

        proof.require_entry(log_entry(event.salt, event.canonical))


async def test_nothing_new_is_no_new_checkpoint(node: Node) -> None:
    assert await node.publisher.turn()
    before = node.service.published
    assert not await node.publisher.turn()
    assert node.service.published is before


async def test_each_tenants_events_stay_in_order_over_many_batches(node: Node) -> None:
    for number in range(30):
        await node.happen(ONE, *(f"{number}-{each}" for each in range(20)))
        await node.happen(TWO, f"{number}")
        if number % 4 == 0:
            await node.publisher.turn()
    await node.publisher.turn()
    await require_whole(node)


async def test_an_order_that_tells_nothing_keeps_each_tenants() -> None:

    waiting = [
        WaitingLeaf(tenant, number, digest(f"{tenant}{number}"))
        for tenant in (ONE, TWO)
        for number in range(1, 201)
    ]
    ordered = interleave(waiting)
    assert sorted(ordered, key=lambda leaf: (leaf.tenant, leaf.sequence)) == waiting
    for tenant in (ONE, TWO):
        assert [leaf.sequence for leaf in ordered if leaf.tenant == tenant] == list(range(1, 201))
    firsts = [leaf.tenant for leaf in ordered[:200]]
    assert 60 < firsts.count(ONE) < 140


async def test_a_tenant_sees_its_own_places_and_no_others(node: Node) -> None:
    await node.happen(ONE, "secret")
    await node.publisher.turn()
    with pytest.raises(Problem) as refused:
        await node.service.proof(platform_acts(TWO, "test"), 2)
    assert refused.value.code is ProblemCode.EVENT_UNKNOWN
    await node.happen(TWO, "later")
    with pytest.raises(Problem) as early:
        await node.service.proof(platform_acts(TWO, "test"), 2)
    assert early.value.code is ProblemCode.LOG_NOT_SEQUENCED


async def test_only_what_a_checkpoint_covers_is_served(node: Node) -> None:
    await node.happen(ONE, *(f"{each}" for each in range(300)))
    assert await node.service.tile(TileId(0, 0), 1) is None
    await node.publisher.turn()
    assert node.service.published is not None
    size = node.service.published.checkpoint.size
    assert await node.service.tile(TileId(0, 0), 256) is not None
    assert await node.service.tile(TileId(1, 0), 1) is not None
    assert await node.service.tile(TileId(0, 1), size - 256) is not None
    assert await node.service.tile(TileId(0, 1), size - 255) is None
    assert await node.service.tile(TileId(0, 2), 1) is None


async def test_one_node_sequences_and_another_takes_over_when_its_lease_lapses(
    node: Node, database: Database, tmp_path: Path, clock: FakeClock
) -> None:
    other = await node_on(database, tmp_path, clock, "nod_b")
    assert await node.publisher.turn()
    await node.happen(ONE, "while the first reigns")
    assert not await other.publisher.turn()
    assert other.service.published is not None
    assert not other.sequencer.reigns
    clock.advance(LEASE + timedelta(seconds=1))
    assert await other.publisher.turn()
    await require_whole(other)
    other.signer.close()


async def test_a_sequencer_that_was_taken_for_dead_changes_nothing_any_more(
    node: Node, database: Database, tmp_path: Path, clock: FakeClock
) -> None:
    other = await node_on(database, tmp_path, clock, "nod_b")
    await node.happen(ONE, "a")
    stale = await node.sequencer.turn()
    assert stale is not None
    clock.advance(LEASE + timedelta(seconds=1))
    await other.happen(ONE, "b")
    assert await other.publisher.turn()
    # Its checkpoint is a true one, but earlier; and its next leaves find another fence.
    assert not await node.sequencer.keep(stale)
    newest = other.service.published
    assert newest is not None
    assert newest.checkpoint.size > stale.checkpoint.size
    assert (await node.store.log_state()).note == newest.octets
    other.signer.close()


async def test_nodes_that_race_put_every_event_in_once(
    node: Node, database: Database, tmp_path: Path, clock: FakeClock
) -> None:
    other = await node_on(database, tmp_path, clock, "nod_b")
    nodes = (node, other)
    history: list[Published] = []

    async def write() -> None:
        for number in range(60):
            await node.happen((ONE, TWO)[number % 2], f"{number}")
            await asyncio.sleep(0)

    async def sequence(each: Node) -> None:
        for _ in range(25):
            # Leases that lapse all the time: everybody believes to be the one.
            clock.advance(LEASE + timedelta(seconds=1))
            try:
                if await each.publisher.turn() and each.service.published is not None:
                    history.append(each.service.published)
            except Problem:
                await asyncio.sleep(0)

    await asyncio.gather(write(), sequence(node), sequence(other))
    for each in nodes:
        clock.advance(LEASE + timedelta(seconds=1))
        await each.publisher.turn()
    await other.service.refresh()
    await require_whole(other)
    roots = {each.checkpoint.size: each.checkpoint.root for each in history}
    assert all(roots[each.checkpoint.size] == each.checkpoint.root for each in history)
    other.signer.close()


async def test_events_older_than_the_log_get_their_places(
    database: Database, tmp_path: Path, clock: FakeClock
) -> None:

    store = store_on(database, clock, "tenants")
    await open_tenants(store)
    forget = Statement(delete(log_queue).where(log_queue.c.tenant == bindparam("tenant")))
    for tenant in (PLATFORM_TENANT, ONE, TWO):
        unit = FreeUnit(database, tenant)
        unit.execute(forget, {"tenant": tenant}, expect=None)
        await unit.commit()
    made = await node_on(database, tmp_path, clock)
    await made.happen(ONE, "new")
    await made.publisher.turn()
    assert await require_whole(made) == 3 + 1 + 1
    (old, new) = await made.store.list_events(platform_acts(ONE, "test"), 0, 10)
    for event in (old, new):
        proof = await made.service.proof(platform_acts(ONE, "test"), event.sequence)

        assert event.salt is not None
        proof.require_entry(log_entry(event.salt, event.canonical))
    made.signer.close()


async def test_the_signer_refuses_a_smaller_or_a_forked_tree(node: Node) -> None:
    await node.happen(ONE, "a")
    await node.publisher.turn()
    published = node.service.published
    assert published is not None
    key, size = node.log.keys[0], published.checkpoint.size
    for other in (
        Checkpoint(node.log.origin, size - 1, bytes(32)),
        Checkpoint(node.log.origin, size, bytes(32)),
        Checkpoint(node.log.origin, size + 1, bytes(32)),
        Checkpoint(node.log.origin, 0, EMPTY_ROOT),
    ):
        with pytest.raises(Problem) as refused:
            await node.signer.sign_checkpoint(key, other.text(), [], 0)
        assert refused.value.code is ProblemCode.LOG_INCONSISTENT
    other_log = Checkpoint("other/log", size, bytes(32))
    with pytest.raises(Problem) as foreign:
        await node.signer.sign_checkpoint(key, other_log.text(), [], 0)
    assert foreign.value.code is ProblemCode.KEY_PURPOSE_REFUSED


async def test_the_signer_remembers_over_its_own_death(
    node: Node, tmp_path: Path, clock: FakeClock
) -> None:
    await node.happen(ONE, "a")
    await node.publisher.turn()
    again = DirectSigner(tmp_path / "nod_a", clock)
    assert node.service.published is not None
    checkpoint = node.service.published.checkpoint
    assert await again.tree_head(node.log.keys[0]) == (checkpoint.size, checkpoint.root)
    (file, *_others) = sorted((tmp_path / "nod_a" / "heads").iterdir())
    octets = bytearray(file.read_bytes())
    octets[-1] ^= 1  # a torn write of the newer slot
    file.write_bytes(octets)
    assert (await DirectSigner(tmp_path / "nod_a", clock).tree_head(node.log.keys[0]))[0] >= 0


async def test_an_older_database_is_refused_without_the_rest_of_the_log(
    database: Database, tmp_path: Path, clock: FakeClock
) -> None:
    await open_tenants(store_on(database, clock, "tenants"))
    memory = FakeMemory()
    first = await node_on(database, tmp_path, clock, memory=memory)
    await first.publisher.turn()
    ahead = Checkpoint(first.log.origin, 1000, bytes(32))
    first.signer.heads._heads[first.log.keys[0].id] = (ahead.size, ahead.root)
    with pytest.raises(LogBehind, match="--log-mirror"):
        await node_on(database, tmp_path, clock, memory=memory, signer=first.signer)
    with pytest.raises(LogBehind, match="lacks"):
        await node_on(
            database,
            tmp_path,
            clock,
            memory=memory,
            signer=first.signer,
            copy=FolderMirror(tmp_path / "empty"),
        )
    first.signer.close()


async def test_another_database_of_the_same_size_is_refused(
    database: Database, tmp_path: Path, clock: FakeClock
) -> None:
    await open_tenants(store_on(database, clock, "tenants"))
    first = await node_on(database, tmp_path, clock)
    await first.publisher.turn()
    size, _root = first.signer.heads.last(first.log.keys[0].id)
    first.signer.heads._heads[first.log.keys[0].id] = (size, bytes(32))
    with pytest.raises(LogBehind, match="not those that were published"):
        await node_on(database, tmp_path, clock, signer=first.signer)
    first.signer.close()


async def test_the_mirror_has_what_is_served(node: Node, tmp_path: Path) -> None:
    mirror = FolderMirror(tmp_path / "mirror")
    node.publisher.mirror = mirror
    for number in range(4):
        await node.happen(ONE, *(f"{number}-{each}" for each in range(200)))
        assert await node.publisher.turn()
        published = node.service.published
        assert published is not None
        assert (tmp_path / "mirror" / "checkpoint").read_bytes() == published.octets
    assert node.service.published is not None
    size = node.service.published.checkpoint.size
    whole = (tmp_path / "mirror/tile/0/000").read_bytes()
    assert whole == await node.service.tile(TileId(0, 0), 256)
    last = tmp_path / f"mirror/tile/entries/{size // 256:03d}.p/{size % 256}"
    assert last.read_bytes() == await node.service.tile(TileId(-1, size // 256), size % 256)
    # Partial tiles behind the growing one are gone, once whole ones stand there.
    assert not (tmp_path / "mirror/tile/0/000.p").exists()


async def test_a_mirror_that_cannot_be_written_stops_nothing_and_catches_up(
    node: Node, tmp_path: Path
) -> None:
    (tmp_path / "mirror").write_text("in the way")
    node.publisher.mirror = FolderMirror(tmp_path / "mirror")
    await node.happen(ONE, "a")
    assert await node.publisher.turn()
    (tmp_path / "mirror").unlink()
    await node.happen(ONE, "b")
    assert await node.publisher.turn()
    assert node.service.published is not None
    assert (tmp_path / "mirror/checkpoint").read_bytes() == node.service.published.octets


async def test_published_checkpoints_are_consistent_with_each_other(node: Node) -> None:

    history = []
    for number in range(8):
        await node.happen(ONE, *(f"{number}-{each}" for each in range(number * 30 + 1)))
        await node.publisher.turn()
        assert node.service.published is not None
        history.append(node.service.published.checkpoint)
    newest = history[-1]
    for old in history:
        tiles = await node.store.read_tiles(tiles_for(consistency_ranges(old.size, newest.size)))
        path = consistency_path(old.size, newest.size, TileReader(tiles))
        verify_consistency(old.size, old.root, newest.size, newest.root, path)
    assert await places_of(node.store, ONE)
