"""What a start does: makes the log once, and refuses, or mends, a database that is behind it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import NodeId, TenantId
from tegata.kernel.ports import Clock
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import PLATFORM_TENANT, platform_acts
from tegata.kernel.signing import KeyAlgorithm, KeyPurpose
from tegata.transparency.checkpoint import Checkpoint, CheckpointInvalid, parse_checkpoint
from tegata.transparency.model import Log, WaitingLeaf
from tegata.transparency.note import Note, NoteInvalid
from tegata.transparency.ports import LogSigner, LogStore, Memory, TileStore
from tegata.transparency.sequencer import LEASE
from tegata.transparency.tiles import (
    ENTRIES,
    TILE_WIDTH,
    TileReader,
    TreeEdge,
    edge_tiles,
    parse_bundle,
    perfect_ranges,
    tiles_for,
)

_LOG = logging.getLogger(__name__)
_BUNDLES_AT_ONCE = 16
_LACKS = (
    "the mirror of the log lacks entries that were published: give --log-mirror a folder that has "
    "them; anybody who reads the log may have a copy"
)
_WAITING_AT_ONCE = 4096


class LogBehind(Exception):
    """The database lacks leaves that were published; the message says what to do."""


@dataclass(frozen=True, slots=True)
class LogOpening:
    """The log at a node's start."""

    store: LogStore
    signer: LogSigner
    memory: Memory
    # Where lost leaves can be read: the mirror's files.
    copy: TileStore | None
    clock: Clock
    node: NodeId

    async def ensure(self, origin: str, *, accept_loss: bool = False) -> Log:
        """The log, made with its keys when there is none yet."""
        found = await self.store.find_log()
        if found is not None:
            return found
        known = await self._remembered(origin, None)
        if known is not None and not accept_loss:
            raise LogBehind(
                f"the log {origin} was published up to {known.size} leaves, and the database has "
                "no log: restore a later one"
            )
        try:
            await self._create(origin)
        except Problem as problem:
            # Another node was first.
            if problem.code is not ProblemCode.CONFLICT:
                raise
        made = await self.store.find_log()
        if made is None:
            raise Problem(ProblemCode.LOG_UNAVAILABLE, "the log could not be made")
        return made

    async def _create(self, origin: str) -> None:
        subject, algorithms = origin.encode(), (KeyAlgorithm.ED25519, KeyAlgorithm.ML_DSA_44)
        keys = []
        for algorithm in algorithms:
            try:
                key = await self.signer.create_key(
                    PLATFORM_TENANT, KeyPurpose.LOG, subject, algorithm=algorithm
                )
            except Problem as problem:
                # C2SP tlog-checkpoint: Ed25519 is a must, ML-DSA stands beside it.
                is_needed = algorithm is KeyAlgorithm.ED25519
                if is_needed or problem.code is not ProblemCode.KEY_ALGORITHM_REFUSED:
                    raise
                _LOG.warning("the log signs with Ed25519 alone: %s", problem)
            else:
                keys.append(key)
        scope, now = platform_acts(PLATFORM_TENANT, "log"), self.clock.now()
        async with self.store.open_unit(scope) as unit:
            for key in keys:
                unit.add_signing_key(key, now)
            unit.add_log(origin)
            unit.audit(
                AuditEvent(
                    actor=scope.actor,
                    action="transparency:log:create",
                    decision=Decision.ALLOWED,
                    subject=f"log:{origin}",
                    request_digest=bytes(32),
                )
            )
            await unit.commit()

    async def require_current(self, log: Log) -> int:
        """Have every leaf in the database that was ever signed or published, as far as this node
        and the copy know. The number of leaves that were brought back.

        Raises `LogBehind` when that is not possible.
        """
        known = await self._newest_known(log)
        state = await self.store.log_state()
        if known is None:
            return 0
        if known.size <= state.size:
            await self._require_root(known, self.store)
            return 0
        if self.copy is None:
            raise LogBehind(
                f"the log was published up to {known.size} leaves, and the database has "
                f"{state.size}: start with --log-mirror and a folder that holds the rest"
            )
        brought = await self._bring_back(log, known, state.size)
        _LOG.error("%d leaves of the log were not in the database; most have no event", brought)
        return brought

    async def _newest_known(self, log: Log) -> Checkpoint | None:
        known = await self._remembered(log.origin, log)
        for key in log.keys:
            size, root = await self.signer.tree_head(key)
            if size and (known is None or size > known.size):
                known = Checkpoint(log.origin, size, root)
        return known

    async def _remembered(self, origin: str, log: Log | None) -> Checkpoint | None:
        """The largest checkpoint of the log that is kept outside the database."""
        found: Checkpoint | None = None
        for note in await self.memory.recall():
            checkpoint = _believed(note, log)
            if checkpoint is None or checkpoint.origin != origin:
                continue
            if found is None or checkpoint.size > found.size:
                found = checkpoint
        return found

    async def _require_root(self, known: Checkpoint, tiles: TileStore) -> None:
        """The tree in the database begins with the one that was published."""
        ranges = perfect_ranges(0, known.size)
        reader = TileReader(await tiles.read_tiles(tiles_for(ranges)))
        try:
            root = reader.hash_over(0, known.size)
        except KeyError as error:
            raise LogBehind("a tile of the log is not in the database") from error
        if known.size and root != known.root:
            raise LogBehind(
                f"the first {known.size} leaves in the database are not those that were published"
            )

    async def _bring_back(self, log: Log, known: Checkpoint, size: int) -> int:
        """Append the leaves from the copy; entries that wait and are among them have their
        places there and are not put in again."""
        now = self.clock.now()
        fence = await self.store.take_log_lease(self.node, now, now + LEASE)
        if fence is None:
            raise LogBehind("another node is at work on the log; start again in a few seconds")
        entries = await self._copied_entries(size, known.size)
        edge = TreeEdge(size, await self.store.read_tiles(edge_tiles(size)))
        tiles = edge.append(entries)
        if edge.root() != known.root:
            raise LogBehind("the mirror of the log is not the log that was published")
        waiting = await self._all_waiting()
        places = {entry: size + number for number, entry in enumerate(entries)}
        settled = [(leaf, places[leaf.entry]) for leaf in waiting if leaf.entry in places]
        marks = await self._marks([leaf for leaf, _place in settled])
        await self.store.append_leaves(fence, size, settled, marks, edge, tiles)
        await self._record(log, known, len(entries) - len(settled))
        return len(entries)

    async def _copied_entries(self, size: int, until: int) -> list[bytes]:
        assert self.copy is not None
        entries: list[bytes] = []
        number, last = size // TILE_WIDTH, -(-until // TILE_WIDTH)
        while number < last:
            end = min(last, number + _BUNDLES_AT_ONCE)
            tiles = await self.copy.read_tile_range(ENTRIES, number, end)
            if [tile.id.number for tile in tiles] != list(range(number, end)):
                raise LogBehind(_LACKS)
            for tile in tiles:
                entries += parse_bundle(tile.octets)
            number = end
        first = size - size % TILE_WIDTH
        found = entries[size - first : until - first]
        if len(found) != until - size:
            raise LogBehind(_LACKS)
        return found

    async def _all_waiting(self) -> Sequence[WaitingLeaf]:
        found: list[WaitingLeaf] = []
        for tenant in await self.store.all_tenants():
            # Those that were in the published log are a tenant's first ones.
            more = await self.store.waiting_leaves_of(tenant, _WAITING_AT_ONCE)
            found += more
        return found

    async def _marks(self, settled: Sequence[WaitingLeaf]) -> Mapping[TenantId, tuple[int, int]]:
        marks: dict[TenantId, tuple[int, int]] = {}
        for leaf in settled:
            before, _last = marks.get(leaf.tenant) or (await self.store.log_mark(leaf.tenant), 0)
            marks[leaf.tenant] = before, leaf.sequence
        return marks

    async def _record(self, log: Log, known: Checkpoint, lost: int) -> None:
        scope = platform_acts(PLATFORM_TENANT, "log")
        async with self.store.open_unit(scope, essential=True) as unit:
            unit.audit(
                AuditEvent(
                    actor=scope.actor,
                    action="transparency:log:bring-back",
                    decision=Decision.ALLOWED,
                    subject=f"log:{log.origin}",
                    request_digest=bytes(32),
                    private={"size": str(known.size), "leaves_without_event": str(lost)},
                )
            )
            await unit.commit()


def _believed(note: Note, log: Log | None) -> Checkpoint | None:
    """A kept checkpoint, if it is one and, where the log's keys are known, signed by them."""
    try:
        if log is not None and not note.signed_by(*log.verifiers):
            return None
        return parse_checkpoint(note.text)
    except (NoteInvalid, CheckpointInvalid):
        return None
