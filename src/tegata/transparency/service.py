"""The log as it is read: the newest checkpoint, tiles, and tenants' proofs of their own events."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope
from tegata.transparency.merkle import inclusion_ranges
from tegata.transparency.model import Log, Published
from tegata.transparency.note import parse_note
from tegata.transparency.ports import LogStore
from tegata.transparency.proof_file import ProofFile
from tegata.transparency.tiles import (
    TILE_WIDTH,
    TileId,
    TileReader,
    inclusion_path,
    item_octets,
    tiles_for,
    width_at,
)

# Whole tiles, which never change: 32 MiB at most.
_TILES_KEPT = 4096
# Hashes over parts of tiles: some 20 MiB, for a log of 60 million leaves.
_HASHES_KEPT = 65_536


class LogService:
    """What is published. It never goes back to an earlier checkpoint."""

    def __init__(self, store: LogStore, log: Log) -> None:
        self._store = store
        self.log = log
        self._published: Published | None = None
        self._tiles: OrderedDict[TileId, bytes] = OrderedDict()
        self._hashes: dict[tuple[TileId, int, int], bytes] = {}
        self._short = ""

    @property
    def published(self) -> Published | None:
        """The newest checkpoint that this node knows."""
        return self._published

    @property
    def short(self) -> str:
        """The newest checkpoint's size and the beginning of its root; empty before the first."""
        return self._short

    def show(self, published: Published) -> None:
        """Publish a checkpoint, unless a later one, or one with more signatures, is published."""
        before = self._published
        if before is not None:
            now_at = published.checkpoint.size, len(published.note.signatures)
            if now_at < (before.checkpoint.size, len(before.note.signatures)):
                return
        self._published, self._short = published, published.checkpoint.short()

    async def refresh(self) -> None:
        """See what another node has published."""
        note = (await self._store.log_state()).note
        if note is not None and (self._published is None or note != self._published.octets):
            self.show(Published.of(parse_note(note)))

    async def tile(self, tile: TileId, width: int) -> bytes | None:
        """The first items of a tile or bundle; None when the newest checkpoint has not so many."""
        if self._published is None or width > width_at(tile, self._published.checkpoint.size):
            return None
        octets = (await self._read([tile]))[tile]
        return octets[: width * item_octets(tile.level)]

    async def proof(self, scope: TenantScope, sequence: int) -> ProofFile:
        """The proof that one of the tenant's own events is in the log.

        Raises `Problem(event.unknown)`, and `Problem(log.not-sequenced)` while no checkpoint
        covers it.
        """
        place = await self._store.place_of(scope, sequence)
        published = self._published
        if place is None or published is None or place >= published.checkpoint.size:
            raise Problem(ProblemCode.LOG_NOT_SEQUENCED, "ask again in a second")
        return await self.prove(place, published)

    async def prove(self, place: int, published: Published) -> ProofFile:
        """The proof of a leaf in a published tree, which has it."""
        size = published.checkpoint.size
        tiles = await self._read(tiles_for(inclusion_ranges(place, size)))
        path = inclusion_path(place, size, TileReader(tiles, self._hashes))
        if len(self._hashes) > _HASHES_KEPT:
            self._hashes.clear()
        return ProofFile(place, tuple(path), published.note)

    async def _read(self, tiles: set[TileId] | list[TileId]) -> Mapping[TileId, bytes]:
        found = {each: self._tiles[each] for each in tiles if each in self._tiles}
        lacking = [each for each in tiles if each not in found]
        if lacking:
            read = await self._store.read_tiles(lacking)
            for tile, octets in read.items():
                if len(octets) == TILE_WIDTH * item_octets(tile.level):
                    self._tiles[tile] = octets
            while len(self._tiles) > _TILES_KEPT:
                self._tiles.popitem(last=False)
            found |= read
        if len(found) < len(tiles):
            raise Problem(ProblemCode.LOG_UNAVAILABLE, "a tile of the log is missing")
        return found
