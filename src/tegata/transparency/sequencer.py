"""The sequencer: gives waiting entries their places, signs what the tree has become.

There is one at a time. Whoever holds the lease has a fence, and every write names it, so that a
sequencer that was taken for dead changes nothing any more (ADR 20). The order of what becomes
true is: leaves and tiles in the store, then the signature, then the checkpoint in the store, then
what the world sees. A crash between any two leaves a state from which the next turn goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from tegata.kernel.ids import NodeId, TenantId
from tegata.kernel.ports import Clock
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import platform_acts
from tegata.kernel.signing import SigningKey
from tegata.transparency.checkpoint import Checkpoint
from tegata.transparency.merkle import consistency_ranges
from tegata.transparency.model import Log, Published, WaitingLeaf, interleave
from tegata.transparency.note import Note, Signature, VerifierKey, assemble, parse_note
from tegata.transparency.ports import LogSigner, LogStore
from tegata.transparency.tiles import TileReader, TreeEdge, consistency_path, edge_tiles, tiles_for

_LOG = logging.getLogger(__name__)
# How long a node that died keeps the others from sequencing. The one that lives renews it thrice.
LEASE = timedelta(seconds=6)
BATCH_MAXIMUM = 4096
# Batches of one checkpoint, so that there is one every second however much waits.
BATCHES_MAXIMUM = 6
_OLD_EVENTS_AT_ONCE = 500

Head = tuple[int, bytes]


@dataclass(slots=True)
class _Reign:
    """What a sequencer knows while it is the one."""

    fence: int
    edge: TreeEdge
    lease_until: datetime
    # Size of the newest checkpoint in the store; -1 before the first.
    published: int
    # What each key has signed last.
    signed: list[Head]
    marks: dict[TenantId, int] = field(default_factory=dict)
    after: str = ""


class Sequencer:
    """One node's sequencer; it may have to wait until another's lease ends."""

    def __init__(
        self,
        store: LogStore,
        signer: LogSigner,
        log: Log,
        clock: Clock,
        node: NodeId,
        lease: timedelta = LEASE,
    ) -> None:
        self._lease = lease
        self._store = store
        self._signer = signer
        self._log = log
        self._clock = clock
        self._node = node
        self._reign: _Reign | None = None

    @property
    def reigns(self) -> bool:
        """Whether this node is the sequencer, as far as it knows."""
        return self._reign is not None

    async def turn(self) -> Published | None:
        """Put what waits into the log and sign; None when there is nothing new, or another node
        is the sequencer. What is returned is not in the store yet: `keep` does that.

        Raises `Problem`; the next turn then begins with what the store has.
        """
        try:
            reign = self._reign or await self._begin()
            if reign is None:
                return None
            if not await self._keeps_lease(reign):
                self._reign = None
                return None
            for _ in range(BATCHES_MAXIMUM):
                if not await self._append(reign):
                    break
            if reign.edge.size <= reign.published:
                return None
            return await self._sign(reign)
        except BaseException:
            self._reign = None
            raise

    async def keep(self, published: Published) -> bool:
        """Have a signed checkpoint in the store; False when this is not the sequencer any more."""
        reign, size = self._reign, published.checkpoint.size
        if reign is None or not await self._store.publish_note(reign.fence, size, published.octets):
            self._reign = None
            return False
        reign.published = size
        return True

    async def stop(self) -> None:
        """Let another node go on."""
        if self._reign is not None:
            await self._store.give_log_lease(self._reign.fence, self._clock.now())
            self._reign = None

    async def _begin(self) -> _Reign | None:
        now = self._clock.now()
        fence = await self._store.take_log_lease(self._node, now, now + self._lease)
        if fence is None:
            return None
        state = await self._store.log_state()
        if state.fence != fence:
            return None
        signed = [await self._signer.tree_head(key) for key in self._log.keys]
        if any(size > state.size for size, _root in signed):
            raise Problem(
                ProblemCode.LOG_INCONSISTENT, "the database is behind what the log has signed"
            )
        edge = TreeEdge(state.size, await self._store.read_tiles(edge_tiles(state.size)))
        published = -1
        if state.note is not None:
            published = Published.of(parse_note(state.note)).checkpoint.size
        reign = self._reign = _Reign(fence, edge, now + self._lease, published, signed)
        for tenant in await self._store.all_tenants():
            await self._queue_old(tenant)
        return reign

    async def _keeps_lease(self, reign: _Reign) -> bool:
        now = self._clock.now()
        if reign.lease_until - now > self._lease * 2 / 3:
            return True
        reign.lease_until = now + self._lease
        return await self._store.keep_log_lease(reign.fence, reign.lease_until)

    async def _append(self, reign: _Reign) -> bool:
        """Give a batch its places; whether there may be more."""
        waiting = await self._store.waiting_leaves(reign.after, BATCH_MAXIMUM)
        is_full, had_after = len(waiting) == BATCH_MAXIMUM, bool(reign.after)
        # Tenants behind a busy one come first next time.
        reign.after = waiting[-1].tenant if is_full else ""
        if not waiting:
            return had_after
        marks = await self._marks(reign, waiting)
        if marks is None:
            return True
        size, ordered = reign.edge.size, interleave(waiting)
        tiles = reign.edge.append([leaf.entry for leaf in ordered])
        places = list(zip(ordered, range(size, reign.edge.size), strict=True))
        await self._store.append_leaves(reign.fence, size, places, marks, reign.edge, tiles)
        reign.marks.update({tenant: now_at for tenant, (_before, now_at) in marks.items()})
        return is_full or had_after

    async def _marks(
        self, reign: _Reign, waiting: Sequence[WaitingLeaf]
    ) -> dict[TenantId, tuple[int, int]] | None:
        """From where to where each tenant's record gets into the log; None when events of the
        time before the log had to be queued first."""
        marks: dict[TenantId, tuple[int, int]] = {}
        for leaf in waiting:
            first, _last = marks.get(leaf.tenant, (leaf.sequence, 0))
            marks[leaf.tenant] = first, leaf.sequence
        for before, leaf in pairwise(waiting):
            if before.tenant == leaf.tenant and before.sequence + 1 != leaf.sequence:
                raise Problem(ProblemCode.LOG_INCONSISTENT, f"a gap in the queue of {leaf.tenant}")
        for tenant, (first, last) in marks.items():
            if tenant not in reign.marks:
                reign.marks[tenant] = await self._store.log_mark(tenant)
            mark = reign.marks[tenant]
            if first <= mark:
                raise Problem(
                    ProblemCode.LOG_INCONSISTENT, f"event {first} of {tenant} is in the log"
                )
            if first > mark + 1:
                await self._queue_old(tenant)
                reign.after = ""
                return None
            marks[tenant] = mark, last
        return marks

    async def _queue_old(self, tenant: TenantId) -> None:
        """Have a tenant's events of the time before the log wait for their places."""
        first, end = await self._store.missing_events(tenant)
        if first < end:
            _LOG.info("%d events of %s are older than the log", end - first, tenant)
        while first < end:
            until = min(end, first + _OLD_EVENTS_AT_ONCE)
            events = await self._store.canonical_events(tenant, first, until)
            if len(events) != until - first:
                raise Problem(ProblemCode.LOG_INCONSISTENT, f"a gap in the record of {tenant}")
            scope = platform_acts(tenant, "log")
            async with self._store.open_unit(scope, essential=True) as unit:
                for sequence, canonical in events:
                    unit.queue_old_event(sequence, canonical)
                await unit.commit()
            first = until

    async def _sign(self, reign: _Reign) -> Published:
        size, root = reign.edge.size, reign.edge.root()
        text = Checkpoint(self._log.origin, size, root).text()
        time = int(self._clock.now().timestamp())

        async def sign(place: int, key: SigningKey, verifier: VerifierKey) -> Signature:
            proof = await self._proof(reign.signed[place][0], size)
            timed = time if verifier.type.is_timed else 0
            octets = await self._signer.sign_checkpoint(key, text, proof, timed)
            reign.signed[place] = size, root
            return assemble(verifier, octets, timed)

        pairs = enumerate(zip(self._log.keys, self._log.verifiers, strict=True))
        signatures = await asyncio.gather(*(sign(place, *pair) for place, pair in pairs))
        note = Note(text, tuple(signatures))
        if len(note.signed_by(*self._log.verifiers)) != len(self._log.keys):
            raise Problem(ProblemCode.LOG_INCONSISTENT, "a signature under another key")
        return Published.of(note)

    async def _proof(self, old: int, size: int) -> list[bytes]:
        tiles = await self._store.read_tiles(tiles_for(consistency_ranges(old, size)))
        return consistency_path(old, size, TileReader(tiles))
