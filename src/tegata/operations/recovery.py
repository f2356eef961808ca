"""Use cases of a start and of a run: a database that lacks a negative act is noticed, and gets it.

Every step can be taken again: a start that dies is completed by the next one (ADR 15).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import NodeId
from tegata.kernel.negative import ActPlace
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import PLATFORM_TENANT, platform_acts
from tegata.operations.model import (
    Assessment,
    JournaledAct,
    Node,
    Recovered,
    RestoreRefused,
    Standing,
)
from tegata.operations.ports import NodeJournal, RecoveryStore
from tegata.operations.rules import assess, known_nodes, next_standing

_LOG = logging.getLogger(__name__)
_SCOPE = platform_acts(PLATFORM_TENANT, "restore")
# Acts done again side by side: their commits share the waiting for the disk.
_AT_ONCE = 64
# Seconds between looks at the other nodes, and between words about it in the log.
_LOOK = 0.5
_SAY = 20
# CRL numbers left out when a journal is lost: more than a platform publishes in 90 days.
_LOST_NUMBERS = 10_000_000


@dataclass(frozen=True, slots=True)
class RecoveryService:
    """One node's start, before anything is served."""

    store: RecoveryStore
    journal: NodeJournal
    node: NodeId

    async def recover(self, *, accept_loss: bool = False) -> Recovered:
        """Compare journal and database, and do again what the database lacks.

        Raises `RestoreRefused` when the journal cannot vouch for the database; `accept_loss`
        overrules that, and is recorded.
        """
        view = self.journal.view
        nodes = await self.store.nodes()
        row = nodes.get(self.node) or Node(self.node, Standing())
        found = assess(self.node, nodes, view, await self.store.applied(self.node))
        if not await self.store.is_open(PLATFORM_TENANT):
            return await self._first_start(found, row, accept_loss=accept_loss)
        if found.refusals and not accept_loss:
            raise RestoreRefused(_explained(found.refusals))
        if found.restored:
            # When this node is awaited, somebody else has announced it.
            others = () if row.is_awaited else known_nodes(nodes, view) | {self.node}
            await self._announce(found, others)
        if found.refusals:
            await self._record("journal:lost", {"reasons": "; ".join(found.refusals)})
        replayed, unknown = await self._replay(found.missing)
        if found.refusals:
            await self.store.raise_crl_numbers(_LOST_NUMBERS)
        generation = await self._begin(row, anew=bool(found.refusals))
        if found.restored or replayed or unknown:
            counts = {"replayed": str(replayed), "unknown": str(unknown)}
            await self._record("restore:complete", counts)
        return Recovered(generation, found.restored, found.refusals, replayed, unknown)

    async def write_off(self, node: NodeId) -> None:
        """Wait no longer for a node that is gone with its journal; recorded.

        Raises `RestoreRefused` when there is no such node.
        """
        async with self.store.open_unit(_SCOPE, essential=True) as unit:
            unit.write_off(node)
            unit.audit(_event("node:write-off", f"node:{node}", {}))
            try:
                await unit.commit()
            except Problem as problem:
                if problem.code is not ProblemCode.CONFLICT:
                    raise
                raise RestoreRefused(f"the database knows no node {node}") from problem

    async def wait_for_others(self) -> None:
        """Return when every node's journal is in the database, or written off."""
        rounds = 0
        while True:
            nodes = (await self.store.nodes()).values()
            awaited = [each.id for each in nodes if each.is_awaited and not each.written_off]
            if not awaited:
                return
            if rounds % round(_SAY / _LOOK) == 0:
                _LOG.error(
                    "the database was restored: nothing is served until these nodes have started, "
                    "each with its own data folder, or were written off "
                    "(tegata serve --write-off-node ID): %s",
                    ", ".join(awaited),
                )
            rounds += 1
            await asyncio.sleep(_LOOK)

    async def _first_start(self, found: Assessment, row: Node, *, accept_loss: bool) -> Recovered:
        """A start on a database without the platform's own tenant: its first, or a wrong one."""
        empty = found.restored or found.missing or found.refusals
        if empty and not accept_loss:
            raise RestoreRefused(
                _explained(("the database is empty, or another platform's: restore a backup",))
            )
        lost = ("the database was empty",) if empty else ()
        return Recovered(await self._begin(row, anew=bool(empty)), lost=lost)

    async def _announce(self, found: Assessment, nodes: Iterable[NodeId]) -> None:
        """Have every node bring its journal before any of them serves."""
        _LOG.error("this database is older than it was: %s", "; ".join(found.restored))
        async with self.store.open_unit(_SCOPE, essential=True) as unit:
            unit.essential()
            for node in nodes:
                unit.await_node(node)
            signs = {"signs": "; ".join(found.restored)}
            unit.audit(_event("restore:detect", f"node:{self.node}", signs))
            await unit.commit()

    async def _replay(self, missing: Sequence[JournaledAct]) -> tuple[int, int]:
        """Do acts again; how many were, and how many are of tenants that nobody knows."""
        replayed = unknown = 0
        for batch in _batches(missing):
            results = await asyncio.gather(
                *(self.store.replay(ActPlace(self.node, each.place), each.act) for each in batch)
            )
            replayed += sum(1 for result in results if result)
            unknown += sum(1 for result in results if result is None)
        if replayed:
            _LOG.error("%d negative acts were missing in the database and were done", replayed)
        if unknown:
            _LOG.error("%d negative acts are of tenants that the database has not", unknown)
        return replayed, unknown

    async def _begin(self, row: Node, *, anew: bool) -> int:
        """The run begins: its generation, in the journal first and then in the database."""
        view = self.journal.view
        standing = next_standing(self.node, row, view)
        if anew:
            await self.journal.replace(standing.mark + 1)
        await self.journal.begin_run()
        await self.journal.start(standing.generation, completed=False)
        await self.store.put_node(replace(row, standing=standing, is_awaited=False))
        await self.journal.start(standing.generation, completed=True)
        await self.journal.see(self.node, standing)
        return standing.generation

    async def _record(self, act: str, private: Mapping[str, str]) -> None:
        async with self.store.open_unit(_SCOPE, essential=True) as unit:
            unit.essential()
            unit.audit(_event(act, f"node:{self.node}", private))
            await unit.commit()


class NodeKeeper:
    """While the node runs: says how far it is, looks how far the others are, and notices when the
    database is not the one any more that it was."""

    def __init__(self, store: RecoveryStore, journal: NodeJournal, node: NodeId) -> None:
        self._store = store
        self._journal = journal
        self._node = node
        self._known: dict[NodeId, Standing] = {}
        # What the database says of this node; two when a commit was not answered.
        self._own: list[Standing] = []

    async def begin(self) -> None:
        """Take what the start has left."""
        self._known = {each.id: each.standing for each in (await self._store.nodes()).values()}
        self._own = [self._known[self._node]]

    async def look(self, *, beat: bool) -> None:
        """Look, and say. `beat` asks for a word even when nothing has happened.

        Raises `RestoreRefused` when the database is older than it was: stop serving, and start
        again.
        """
        nodes = await self._store.nodes()
        row = nodes.get(self._node)
        if row is None or row.is_awaited or row.standing not in self._own:
            raise RestoreRefused(
                "the database has been replaced by an older one while this node ran: start again"
            )
        self._own = [row.standing]
        for node in nodes.values():
            if node.id != self._node and self._known.get(node.id) != node.standing:
                self._known[node.id] = node.standing
                await self._journal.see(node.id, node.standing)
        settled = self._journal.settled()
        if beat or settled > row.standing.mark:
            await self._say(row.standing, settled, beat=beat)

    async def _say(self, before: Standing, settled: int, *, beat: bool) -> None:
        after = Standing(before.generation, max(settled, before.mark), before.beat + beat)
        self._own.append(after)
        if not await self._store.move_mark(self._node, before, after):
            raise RestoreRefused("the database does not know any more how far this node is")
        self._own = [after]
        await self._journal.see(self._node, after)


def _batches(acts: Sequence[JournaledAct]) -> Iterator[Sequence[JournaledAct]]:
    """Acts that may be done side by side: none is about what another one is about."""
    batch: list[JournaledAct] = []
    subjects: set[str] = set()
    for each in acts:
        if each.act.subject in subjects or len(batch) == _AT_ONCE:
            yield batch
            batch, subjects = [], set()
        batch.append(each)
        subjects.add(each.act.subject)
    if batch:
        yield batch


def _explained(refusals: Sequence[str]) -> str:
    return (
        f"{'; '.join(refusals)}. Serving could take back a revocation. Give this node its own "
        "journal back (folder negative-acts, or the copy of --journal), or accept the loss: "
        "tegata serve --accept-journal-loss"
    )


def _event(act: str, subject: str, private: Mapping[str, str]) -> AuditEvent:
    return AuditEvent(
        actor=_SCOPE.actor,
        action=f"operations:{act}",
        decision=Decision.ALLOWED,
        subject=subject,
        request_digest=bytes(32),
        private=private,
    )
