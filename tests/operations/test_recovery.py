"""A start on an older database, on stand-ins: what is done again, what is refused, what a crash
leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from tegata.kernel.event import AuditEvent
from tegata.kernel.ids import NodeId, TenantId
from tegata.kernel.negative import ActKind, ActPlace, NegativeAct
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import PLATFORM_TENANT, TenantScope
from tegata.operations.model import (
    JournaledAct,
    JournalView,
    Node,
    Recovered,
    RestoreRefused,
    Standing,
)
from tegata.operations.recovery import NodeKeeper, RecoveryService

ONE, TWO = NodeId("nod_one"), NodeId("nod_two")
TENANT = TenantId("ten_one")


class Crash(BaseException):
    """The end of a run."""


@dataclass
class World:
    """A database and a journal that outlive a crash."""

    nodes: dict[NodeId, Node] = field(default_factory=dict)
    open_tenants: set[TenantId] = field(default_factory=lambda: {PLATFORM_TENANT, TENANT})
    applied: dict[NodeId, set[int]] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    raised: int = 0
    acts: list[JournaledAct] = field(default_factory=list)
    first: int = 1
    last: int = 0
    starting: int = 0
    started: int = 0
    seen: dict[NodeId, Standing] = field(default_factory=dict)
    torn: bool = False
    present: bool = True
    faults: tuple[str, ...] = ()
    crash_at: int | None = None
    calls: int = 0

    def reach(self) -> None:
        self.calls += 1
        if self.calls == self.crash_at:
            raise Crash

    def act(self, place: int, kind: ActKind = ActKind.TOKEN_REVOKED, *, done: bool | None) -> None:
        """An act that is in the journal."""
        made = NegativeAct(kind, TENANT, f"token:{place}", {})
        self.acts.append(JournaledAct(place, made, done))
        self.last = max(self.last, place)

    async def start(self, *, accept_loss: bool = False) -> Recovered:
        journal = FakeJournal(self)
        service = RecoveryService(FakeStore(self), journal, ONE)
        return await service.recover(accept_loss=accept_loss)


class FakeJournal:
    def __init__(self, world: World) -> None:
        self._world = world
        self.view = JournalView(
            world.present, world.first, world.last, tuple(world.acts), world.starting,
            world.started, dict(world.seen), world.torn, world.faults,
        )  # fmt: skip

    async def replace(self, first: int) -> None:
        self._world.reach()
        self._world.first, self._world.last, self._world.acts = first, first - 1, []
        self._world.faults, self._world.present = (), True

    async def begin_run(self) -> None:
        self._world.reach()
        self._world.present = True

    async def start(self, generation: int, *, completed: bool) -> None:
        self._world.reach()
        self._world.last += 1
        if completed:
            self._world.started = generation
        self._world.starting = generation

    async def see(self, node: NodeId, standing: Standing) -> None:
        self._world.reach()
        self._world.last += 1
        self._world.seen[node] = standing

    def settled(self) -> int:
        return max((each.place for each in self._world.acts), default=0)


class FakeUnit:
    def __init__(self, world: World) -> None:
        self._world = world
        self._nodes: dict[NodeId, Node] = {}
        self._events: list[str] = []
        self._conflict = False

    def essential(self) -> None:
        """Disks have room here."""

    def audit(self, event: AuditEvent) -> None:
        self._events.append(event.action)

    def await_node(self, node: NodeId) -> None:
        known = self._world.nodes.get(node) or Node(node, Standing())
        self._nodes[node] = replace(known, is_awaited=True)

    def write_off(self, node: NodeId) -> None:
        known = self._world.nodes.get(node)
        self._conflict = known is None
        if known is not None:
            self._nodes[node] = replace(known, written_off=True)

    async def commit(self) -> None:
        self._world.reach()
        if self._conflict:
            raise Problem(ProblemCode.CONFLICT)
        self._world.nodes.update(self._nodes)
        self._world.events += self._events
        self._world.reach()


class FakeStore:
    def __init__(self, world: World) -> None:
        self._world = world

    @asynccontextmanager
    async def open_unit(
        self, scope: TenantScope, *, essential: bool = False
    ) -> AsyncIterator[FakeUnit]:
        assert scope.tenant == PLATFORM_TENANT
        assert essential
        yield FakeUnit(self._world)

    async def is_open(self, tenant: TenantId) -> bool:
        return tenant in self._world.open_tenants

    async def nodes(self) -> Mapping[NodeId, Node]:
        return dict(self._world.nodes)

    async def applied(self, node: NodeId) -> Collection[int]:
        return frozenset(self._world.applied.get(node, ()))

    async def put_node(self, node: Node) -> None:
        self._world.reach()
        self._world.nodes[node.id] = replace(node, is_awaited=False, written_off=False)
        self._world.reach()

    async def move_mark(self, node: NodeId, before: Standing, after: Standing) -> bool:
        self._world.reach()
        if self._world.nodes[node].standing != before:
            return False
        self._world.nodes[node] = replace(self._world.nodes[node], standing=after)
        return True

    async def raise_crl_numbers(self, by: int) -> None:
        self._world.raised += by

    async def replay(self, place: ActPlace, act: NegativeAct) -> bool | None:
        self._world.reach()
        if act.tenant not in self._world.open_tenants:
            return None
        known = self._world.applied.setdefault(place.node, set())
        assert place.place not in known
        known.add(place.place)
        self._world.done.append(act.subject)
        self._world.reach()
        return True


def restored(**more: object) -> World:
    """A node that ran three times; its database is from the second run, its journal is not."""
    world = World(
        nodes={ONE: Node(ONE, Standing(2, 10, 5))}, starting=3, started=3,
        seen={ONE: Standing(3, 13, 9)}, last=20,
    )  # fmt: skip
    for place, done in ((9, None), (11, None), (12, True), (14, False), (15, None)):
        world.act(place, done=done)
    world.applied[ONE] = {12}
    for name, value in more.items():
        setattr(world, name, value)
    return world


async def test_what_the_database_lacks_is_done_again_and_nothing_else() -> None:
    world = restored()
    found = await world.start()
    assert world.done == ["token:11", "token:15"]
    assert (found.replayed, found.unknown, bool(found.restored)) == (2, 0, True)
    assert world.events == ["operations:restore:detect", "operations:restore:complete"]
    assert world.nodes[ONE] == Node(ONE, Standing(4, 20, 10))
    assert (await world.start()).replayed == 0
    assert world.done == ["token:11", "token:15"]


async def test_a_crash_between_journal_and_commit_is_completed_without_alarm() -> None:
    world = World(nodes={ONE: Node(ONE, Standing(1, 0, 1))}, starting=1, started=1)
    world.act(3, done=None)
    found = await world.start()
    assert (world.done, found.restored) == (["token:3"], ())
    assert "operations:restore:detect" not in world.events


async def test_an_act_that_lifts_another_is_done_again_only_when_it_was_done() -> None:
    world = World(nodes={ONE: Node(ONE, Standing(1, 0, 1))}, starting=1, started=1)
    world.act(3, ActKind.TENANT_RESUMED, done=None)
    world.act(4, ActKind.TENANT_RESUMED, done=True)
    found = await world.start()
    assert world.done == ["token:4"]
    assert found.restored == ("an act that was done is missing",)


async def test_acts_of_tenants_that_the_database_has_not_are_counted() -> None:
    found = await restored(open_tenants={PLATFORM_TENANT}).start()
    assert (found.replayed, found.unknown) == (0, 2)


@pytest.mark.parametrize("crash_at", range(1, 15))
async def test_a_start_that_dies_is_completed_by_the_next(crash_at: int) -> None:
    world = restored(crash_at=crash_at)
    world.nodes[TWO] = Node(TWO, Standing(1, 1, 1))
    with pytest.raises(Crash):
        await world.start()
    await world.start()
    assert sorted(world.done) == ["token:11", "token:15"]
    assert not world.nodes[ONE].is_awaited
    assert world.nodes[TWO].is_awaited
    assert "operations:restore:detect" in world.events
    assert (await world.start()).restored == ()


async def test_every_node_that_was_ever_seen_is_awaited() -> None:
    world = restored()
    world.seen[TWO] = Standing(1, 1, 1)
    await world.start()
    assert world.nodes[TWO].is_awaited


async def test_what_another_node_wrote_and_the_database_lacks_is_a_sign() -> None:
    world = World(nodes={ONE: Node(ONE, Standing(1, 0, 1))}, starting=1, started=1)
    world.nodes[TWO] = Node(TWO, Standing(5, 5, 5))
    world.seen[TWO] = Standing(5, 5, 6)
    assert (await world.start()).restored == (
        f"the database is older than what {TWO} had written to it",
    )
    assert world.nodes[TWO].is_awaited


async def test_a_node_that_was_awaited_wakes_nobody_again() -> None:
    world = restored()
    world.nodes = {
        ONE: Node(ONE, Standing(2, 10, 5), is_awaited=True),
        TWO: Node(TWO, Standing(4, 4, 4)),
    }
    await world.start()
    assert not world.nodes[TWO].is_awaited


REFUSED = {
    "missing": (
        World(nodes={ONE: Node(ONE, Standing(1, 1, 1))}, present=False),
        "is missing",
    ),
    "damaged": (restored(faults=("record 4 is damaged",)), "record 4 is damaged"),
    "rolled back": (
        World(nodes={ONE: Node(ONE, Standing(5, 9, 1))}, starting=5, started=5, last=8),
        "older than the database",
    ),
    "of an earlier start": (
        World(nodes={ONE: Node(ONE, Standing(5, 9, 1))}, starting=4, started=4, last=20),
        "older than the database",
    ),
    "too short": (restored(first=12), "reaches back"),
    "torn": (restored(torn=True), "last record is damaged"),
    "without the platform": (restored(open_tenants=set()), "empty, or another platform's"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_journal_that_cannot_vouch_for_the_database_is_refused(name: str) -> None:
    world, said = REFUSED[name]
    with pytest.raises(RestoreRefused, match=said):
        await world.start()
    assert world.done == []
    assert world.events == []
    found = await world.start(accept_loss=True)
    assert found.lost
    if name != "without the platform":
        assert "operations:journal:lost" in world.events
        assert world.raised
    assert (await world.start()).lost == ()


async def test_a_torn_record_without_a_restore_is_what_a_crash_leaves() -> None:
    world = World(nodes={ONE: Node(ONE, Standing(1, 3, 1))}, starting=1, started=1, last=3)
    world.torn = True
    assert (await world.start()).restored == ()


async def test_a_first_start_needs_no_journal() -> None:
    world = World(open_tenants=set(), present=False)
    found = await world.start()
    assert (found.generation, found.lost) == (1, ())


@pytest.mark.parametrize("crash_at", range(1, 7))
async def test_a_first_start_that_dies_is_no_restore(crash_at: int) -> None:
    world = World(open_tenants=set(), present=False, crash_at=crash_at)
    with pytest.raises(Crash):
        await world.start()
    found = await world.start()
    assert (found.restored, found.lost) == ((), ())


async def test_a_node_waits_for_no_node_that_is_written_off() -> None:
    world = restored()
    world.seen[TWO] = Standing(1, 1, 1)
    await world.start()
    service = RecoveryService(FakeStore(world), FakeJournal(world), ONE)
    await service.write_off(TWO)
    await service.wait_for_others()
    with pytest.raises(RestoreRefused, match="no node"):
        await service.write_off(NodeId("nod_none"))


async def test_a_node_that_runs_notices_another_database() -> None:
    world = World(open_tenants={PLATFORM_TENANT}, present=False)
    await world.start()
    keeper = NodeKeeper(FakeStore(world), FakeJournal(world), ONE)
    await keeper.begin()
    await keeper.look(beat=True)
    older = world.nodes[ONE]
    world.act(50, done=None)
    await keeper.look(beat=False)
    assert world.nodes[ONE].standing.mark == 50
    world.nodes[ONE] = older
    with pytest.raises(RestoreRefused, match="replaced by an older one"):
        await keeper.look(beat=False)


async def test_a_node_that_runs_stops_when_it_is_awaited() -> None:
    world = World(open_tenants={PLATFORM_TENANT}, present=False)
    await world.start()
    keeper = NodeKeeper(FakeStore(world), FakeJournal(world), ONE)
    await keeper.begin()
    world.nodes[ONE] = replace(world.nodes[ONE], is_awaited=True)
    with pytest.raises(RestoreRefused):
        await keeper.look(beat=False)


async def test_a_node_that_runs_notes_how_far_the_others_are() -> None:
    world = World(open_tenants={PLATFORM_TENANT}, present=False)
    await world.start()
    keeper = NodeKeeper(FakeStore(world), FakeJournal(world), ONE)
    await keeper.begin()
    world.nodes[TWO] = Node(TWO, Standing(1, 2, 3))
    await keeper.look(beat=False)
    assert world.seen[TWO] == Standing(1, 2, 3)
