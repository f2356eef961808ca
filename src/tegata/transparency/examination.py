"""What somebody who doubts a log checks: the whole of it, its growth, single leaves.

Everything is computed again from what was read, and believed only where it leads to a signed root.
`docs/how-to/verify-the-log.md` says what each finding means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tegata.transparency.checkpoint import Checkpoint
from tegata.transparency.merkle import (
    HASH_OCTETS,
    ProofInvalid,
    consistency_ranges,
    fold,
    inclusion_ranges,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from tegata.transparency.note import Note, NoteInvalid, Signature, VerifierKey
from tegata.transparency.tiles import (
    ENTRIES,
    TILE_WIDTH,
    Tile,
    TileId,
    TileReader,
    TreeEdge,
    consistency_path,
    inclusion_path,
    item_octets,
    parse_bundle,
    tile_path,
    tiles_for,
    width_at,
)

# The octets of a tile or bundle: as many items as asked for, and not one more unless the file is
# of a wider tile that took its place.
ReadTile = Callable[[TileId, int], bytes]
_NAMED = 5


class Tampered(ValueError):
    """What was read cannot be an honest log's. `code` is stable, `place` says where."""

    def __init__(self, code: str, place: str) -> None:
        super().__init__(f"{code}: {place}")
        self.code = code
        self.place = place


def require_signatures(note: Note, keys: Sequence[VerifierKey]) -> list[Signature]:
    """The verified signatures of known keys; `Tampered` when one does not verify."""
    try:
        return note.signed_by(*keys)
    except NoteInvalid as error:
        raise Tampered("signature.invalid", str(error)) from error


def require_growth(old: Checkpoint, new: Checkpoint) -> None:
    """Refuse a checkpoint that an older one contradicts by itself."""
    if old.origin != new.origin:
        raise Tampered("origin.wrong", f"{old.origin}, {new.origin}")
    if old.size > new.size:
        raise Tampered("log.rolled-back", f"{old.size}, {new.size}")
    if old.size == new.size and old.root != new.root:
        raise Tampered("log.split-view", f"{old.size}")


def prove_growth(old: Checkpoint, new: Checkpoint, read: ReadTile) -> None:
    """Prove by tiles that a log only grew; `Tampered` when they do not show it."""
    require_growth(old, new)
    tiles = _read(consistency_ranges(old.size, new.size), new.size, read)
    path = consistency_path(old.size, new.size, TileReader(tiles))
    try:
        verify_consistency(old.size, old.root, new.size, new.root, path)
    except ProofInvalid as error:
        raise Tampered("log.split-view", f"{old.size}, {new.size}") from error


def prove_entry(index: int, entry: bytes, checkpoint: Checkpoint, read: ReadTile) -> None:
    """Prove by tiles that a leaf of the log is an entry's; `Tampered` when it is another's."""
    tiles = _read(inclusion_ranges(index, checkpoint.size), checkpoint.size, read)
    path = inclusion_path(index, checkpoint.size, TileReader(tiles))
    try:
        verify_inclusion(index, checkpoint.size, leaf_hash(entry), path, checkpoint.root)
    except ProofInvalid as error:
        raise Tampered("event.leaf", f"{index}") from error


def _read(ranges: Sequence[tuple[int, int]], size: int, read: ReadTile) -> dict[TileId, bytes]:
    return {tile: _whole(tile, size, read) for tile in tiles_for(ranges)}


def _whole(tile: TileId, size: int, read: ReadTile) -> bytes:
    """A tile as the tree of a size has it."""
    width = width_at(tile, size)
    octets = read(tile, width)
    kind = "entries" if tile.level == ENTRIES else "tile"
    if len(octets) < width * item_octets(tile.level):
        raise Tampered(f"{kind}.truncated", tile_path(tile, width))
    if len(octets) > width * item_octets(tile.level):
        raise Tampered(f"{kind}.oversize", tile_path(tile, width))
    return octets


@dataclass(slots=True)
class Examination:
    """All of a log, computed again from its entries. `tiles` counts those of each level."""

    checkpoint: Checkpoint
    read: ReadTile
    tiles: list[int] = field(default_factory=list)
    _roots: dict[int, bytes] = field(default_factory=dict)
    _altered: list[Tile] = field(default_factory=list)
    _differing: list[int] = field(default_factory=list)
    # The same tree from its tiles of level 0, to say which side was changed.
    _subtrees: list[bytes] = field(default_factory=list)

    def run(self, older: Sequence[Checkpoint] = ()) -> None:
        """Compare every leaf and every tile; `Tampered` names what differs. The log must continue
        each of the older checkpoints."""
        for old in older:
            require_growth(old, self.checkpoint)
        edge = TreeEdge(0, {})
        for number in range(-(-self.checkpoint.size // TILE_WIDTH)):
            self._take(number, edge, older)
        self._require_root(edge.root())
        for old in older:
            # An older one of this size or of none was compared before.
            if self._roots.get(old.size, old.root) != old.root:
                raise Tampered("log.split-view", f"{old.size}, {self.checkpoint.size}")

    def _take(self, number: int, edge: TreeEdge, older: Sequence[Checkpoint]) -> None:
        size = self.checkpoint.size
        bundle, tile = TileId(ENTRIES, number), TileId(0, number)
        octets = _whole(bundle, size, self.read)
        try:
            entries = parse_bundle(octets)
        except ValueError as error:
            raise Tampered("entries.oversize", tile_path(bundle)) from error
        found = _hashes(_whole(tile, size, self.read))
        self._subtrees.append(fold(found))
        pairs = zip(entries, found, strict=True)
        first = number * TILE_WIDTH
        self._differing += [
            first + at for at, (entry, hashed) in enumerate(pairs) if leaf_hash(entry) != hashed
        ]
        stops = {old.size for old in older}
        for part in _parts(entries, first, stops):
            self._compare(edge.append(part), edge.size)
            if edge.size in stops:
                self._roots[edge.size] = edge.root()

    def _compare(self, grown: Sequence[Tile], now: int) -> None:
        size = self.checkpoint.size
        for tile in grown:
            level, full = tile.id.level, item_octets(tile.id.level) * TILE_WIDTH
            if level == ENTRIES or (len(tile.octets) < full and now < size):
                continue  # bundles were compared entry by entry; edges only once they are final
            while len(self.tiles) <= level:
                self.tiles.append(0)
            self.tiles[level] += 1
            if level and _whole(tile.id, size, self.read) != tile.octets:
                self._altered.append(tile)

    def _require_root(self, root: bytes) -> None:
        listed = ", ".join(map(str, self._differing[:_NAMED]))
        places = listed + (", …" if len(self._differing) > _NAMED else "")
        signed = self.checkpoint.root
        if root != signed:
            if self._differing and fold(self._subtrees) == signed:
                raise Tampered("leaf.altered", places)
            raise Tampered("root.mismatch", places or f"{self.checkpoint.size}")
        if self._differing:
            raise Tampered("tile.altered", f"tile/0: {places}")
        for tile in self._altered[:1]:
            width = width_at(tile.id, self.checkpoint.size)
            raise Tampered("tile.altered", tile_path(tile.id, width))


def _hashes(octets: bytes) -> list[bytes]:
    return [octets[at : at + HASH_OCTETS] for at in range(0, len(octets), HASH_OCTETS)]


def _parts(entries: list[bytes], first: int, stops: set[int]) -> Iterator[list[bytes]]:
    """A bundle's entries, cut where an older tree ended."""
    inside = {stop - first for stop in stops if first < stop < first + len(entries)}
    before = 0
    for cut in sorted(inside | {len(entries)}):
        yield entries[before:cut]
        before = cut
