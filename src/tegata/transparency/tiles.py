"""Tiles and entry bundles (C2SP tlog-tiles): how the tree is stored, served and proved.

A tile has up to 256 hashes of one level; levels are eight levels of the tree apart. Tiles only
grow, so the octets of a partial tile are the first octets of the whole one, and one row for each
tile serves every width.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import NamedTuple

from tegata.transparency.merkle import (
    EMPTY_ROOT,
    HASH_OCTETS,
    consistency_ranges,
    fold_perfect,
    inclusion_ranges,
    leaf_hash,
    node_hash,
)

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
# Entry bundles stand beside the tiles of level 0 and are stored as this level.
ENTRIES = -1
LEVEL_MAXIMUM = 63
_WORTH_KEEPING = 8
# Every entry of this log is a commitment of 32 octets, after its length in two.
ENTRY_OCTETS = 32
_ENTRY_HEAD = ENTRY_OCTETS.to_bytes(2, "big")
_FRAMED_ENTRY = len(_ENTRY_HEAD) + ENTRY_OCTETS

_PATH = re.compile(
    r"(?P<level>entries|0|[1-9][0-9]?)/(?P<number>(?:x[0-9]{3}/)*[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)
# Numbers of tiles fit the store's column.
_GROUPS_MAXIMUM = 6


class TileId(NamedTuple):
    """Which tile: its level (`ENTRIES` for a bundle) and its number in that level."""

    level: int
    number: int


class Tile(NamedTuple):
    """A tile or bundle with its octets so far."""

    id: TileId
    octets: bytes


def item_octets(level: int) -> int:
    """Octets of one item of a tile of a level."""
    return _FRAMED_ENTRY if level == ENTRIES else HASH_OCTETS


def tile_path(tile: TileId, width: int = TILE_WIDTH) -> str:
    """A tile's address below the log's prefix."""
    groups = [f"{tile.number % 1000:03d}"]
    number = tile.number // 1000
    while number:
        groups.insert(0, f"x{number % 1000:03d}")
        number //= 1000
    level = "entries" if tile.level == ENTRIES else str(tile.level)
    partial = f".p/{width}" if width < TILE_WIDTH else ""
    return f"tile/{level}/{'/'.join(groups)}{partial}"


def parse_tile_path(path: str) -> tuple[TileId, int] | None:
    """The tile and the width that an address below ``tile/`` names; None for any other."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    groups = match["number"].split("/")
    width = int(match["width"] or TILE_WIDTH)
    level = ENTRIES if match["level"] == "entries" else int(match["level"])
    unusual = len(groups) > _GROUPS_MAXIMUM or (len(groups) > 1 and groups[0] == "x000")
    if unusual or level > LEVEL_MAXIMUM or (match["width"] and width >= TILE_WIDTH):
        return None
    return TileId(level, int("".join(group.removeprefix("x") for group in groups))), width


def width_at(tile: TileId, size: int) -> int:
    """How many items a tile has in a tree of a size; 0 when there is no such tile."""
    items = size >> (TILE_HEIGHT * max(tile.level, 0))
    return max(0, min(TILE_WIDTH, items - tile.number * TILE_WIDTH))


def frame_entry(entry: bytes) -> bytes:
    """An entry as it stands in a bundle."""
    return _ENTRY_HEAD + entry


def parse_bundle(octets: bytes) -> list[bytes]:
    """The entries of a bundle; ValueError when it is truncated or not one of this log's."""
    if len(octets) % _FRAMED_ENTRY:
        raise ValueError("a truncated entry bundle")
    entries = []
    for at in range(0, len(octets), _FRAMED_ENTRY):
        if octets[at : at + 2] != _ENTRY_HEAD:
            raise ValueError("an entry of another size")
        entries.append(octets[at + 2 : at + _FRAMED_ENTRY])
    return entries


def edge_tiles(size: int) -> list[TileId]:
    """The tiles that grow next: the last one of each level that is not full, and the bundle."""
    found = []
    if size % TILE_WIDTH:
        found.append(TileId(ENTRIES, size // TILE_WIDTH))
    level, items = 0, size
    while items:
        if items % TILE_WIDTH:
            found.append(TileId(level, items // TILE_WIDTH))
        level, items = level + 1, items // TILE_WIDTH
    return found


class TreeEdge:
    """The right edge of a tree: all that is needed to add leaves and to know the root.

    `append` changes it in memory only; a caller whose write fails loads it again.
    """

    def __init__(self, size: int, tiles: Mapping[TileId, bytes]) -> None:
        """From the octets of `edge_tiles(size)`; longer ones are cut, KeyError if one lacks."""
        self.size = size
        self._bundle = bytearray()
        self._levels: list[bytearray] = []
        if size % TILE_WIDTH:
            kept = size % TILE_WIDTH * _FRAMED_ENTRY
            self._bundle += tiles[TileId(ENTRIES, size // TILE_WIDTH)][:kept]
        level, items = 0, size
        while items:
            octets = bytearray()
            if items % TILE_WIDTH:
                wanted = tiles[TileId(level, items // TILE_WIDTH)]
                octets += wanted[: items % TILE_WIDTH * HASH_OCTETS]
            self._levels.append(octets)
            level, items = level + 1, items // TILE_WIDTH

    def append(self, entries: Sequence[bytes]) -> list[Tile]:
        """Add entries; the tiles and bundles that are new or longer now, as they are now."""
        changed: list[Tile] = []
        for entry in entries:
            self._bundle += _ENTRY_HEAD
            self._bundle += entry
            self._add(0, leaf_hash(entry), changed)
            self.size += 1
            if not self.size % TILE_WIDTH:
                number = self.size // TILE_WIDTH - 1
                changed.append(Tile(TileId(ENTRIES, number), bytes(self._bundle)))
                self._bundle.clear()
        for tile in edge_tiles(self.size):
            octets = self._bundle if tile.level == ENTRIES else self._levels[tile.level]
            changed.append(Tile(tile, bytes(octets)))
        return changed

    def root(self) -> bytes:
        """The root over all leaves."""
        found: bytes | None = None
        for octets in self._levels:
            for subtree in _perfect(bytes(octets)):
                found = subtree if found is None else node_hash(subtree, found)
        return EMPTY_ROOT if found is None else found

    def _add(self, level: int, item: bytes, changed: list[Tile]) -> None:
        if level == len(self._levels):
            self._levels.append(bytearray())
        octets = self._levels[level]
        octets += item
        if len(octets) == TILE_WIDTH * HASH_OCTETS:
            whole = bytes(octets)
            number = self._number(level)
            changed.append(Tile(TileId(level, number), whole))
            octets.clear()
            self._add(level + 1, fold_perfect(whole), changed)

    def _number(self, level: int) -> int:
        # `size` does not count the leaf that is being added.
        return self.size >> (TILE_HEIGHT * (level + 1))


def _perfect(hashes: bytes) -> list[bytes]:
    """The roots of the perfect subtrees over hashes, the last and smallest one first."""
    found, end, width = [], len(hashes), HASH_OCTETS
    while end:
        if end & width:
            found.append(fold_perfect(hashes[end - width : end]))
            end -= width
        width <<= 1
    return found


def perfect_ranges(start: int, end: int) -> list[tuple[int, int]]:
    """The perfect subtrees that a range of a proof consists of, largest first."""
    found = []
    while start < end:
        width = 1 << ((end - start).bit_length() - 1)
        found.append((start, start + width))
        start += width
    return found


def _place(start: int, end: int) -> tuple[TileId, int, int]:
    """The tile that a perfect subtree is in, and which of its hashes are the subtree's."""
    height = (end - start).bit_length() - 1
    level = height // TILE_HEIGHT
    first = start >> (TILE_HEIGHT * level)
    count = 1 << (height % TILE_HEIGHT)
    return TileId(level, first // TILE_WIDTH), first % TILE_WIDTH, count


def tiles_for(ranges: Iterable[tuple[int, int]]) -> set[TileId]:
    """The tiles from which the hashes over ranges of leaves are made."""
    return {_place(*subtree)[0] for start, end in ranges for subtree in perfect_ranges(start, end)}


class TileReader:
    """Hashes over ranges of leaves, made from tiles that were read; KeyError if one lacks.

    `known` has hashes over whole tiles' perfect parts, which never change: readers may share it.
    """

    def __init__(
        self,
        tiles: Mapping[TileId, bytes],
        known: MutableMapping[tuple[TileId, int, int], bytes] | None = None,
    ) -> None:
        self._tiles = tiles
        self._known = known

    def hash_over(self, start: int, end: int) -> bytes:
        """The hash over the leaves [start, end), a range of a proof."""
        found: bytes | None = None
        for subtree in reversed(perfect_ranges(start, end)):
            each = self._perfect(*subtree)
            found = each if found is None else node_hash(each, found)
        return EMPTY_ROOT if found is None else found

    def _perfect(self, start: int, end: int) -> bytes:
        tile, first, count = place = _place(start, end)
        if self._known is not None and place in self._known:
            return self._known[place]
        octets = self._tiles[tile][first * HASH_OCTETS : (first + count) * HASH_OCTETS]
        if len(octets) != count * HASH_OCTETS:
            raise KeyError(tile)
        found = fold_perfect(octets)
        # Tiles of level 0 are as many as there are leaves; those above are in every proof. A
        # small part is as soon made as found.
        if self._known is not None and tile.level > 0 and count >= _WORTH_KEEPING:
            self._known[place] = found
        return found


def inclusion_path(index: int, size: int, reader: TileReader) -> list[bytes]:
    """The audit path of a leaf, its sibling first."""
    return [reader.hash_over(*each) for each in inclusion_ranges(index, size)]


def consistency_path(old: int, size: int, reader: TileReader) -> list[bytes]:
    """The consistency proof from a tree of `old` leaves to one of `size`."""
    return [reader.hash_over(*each) for each in consistency_ranges(old, size)]
