"""The log as files: the mirror that any web server can serve, and a node's own last checkpoint.

Every file is written beside its place, flushed, renamed, and its folder flushed: who reads sees
the old file or the new one, and a crash loses nothing that a later file refers to.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tegata.transparency.checkpoint import Checkpoint, CheckpointInvalid, parse_checkpoint
from tegata.transparency.note import Note, NoteInvalid, parse_note
from tegata.transparency.ports import TileStore
from tegata.transparency.tiles import (
    ENTRIES,
    TILE_HEIGHT,
    TILE_WIDTH,
    Tile,
    TileId,
    item_octets,
    tile_path,
    width_at,
)

_LOG = logging.getLogger(__name__)
_AT_ONCE = 64
_CHECKPOINT = "checkpoint"


class FolderMirror:
    """The log's public files in a folder; also where lost leaves are read from."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Tiles of the tree of this size are all there.
        self._size: int | None = None

    async def write_tiles(self, checkpoint: Checkpoint, tiles: TileStore) -> None:
        """Have every tile that a checkpoint needs, durably. Raises OSError or `Problem`."""
        if self._size is None:
            self._size = await asyncio.to_thread(self._size_of_checkpoint)
        level, before, now = 0, min(self._size, checkpoint.size), checkpoint.size
        await self._write_level(ENTRIES, before, checkpoint.size, tiles)
        while now:
            await self._write_level(level, before, checkpoint.size, tiles)
            level, before, now = level + 1, before >> TILE_HEIGHT, now >> TILE_HEIGHT
        self._size = checkpoint.size

    async def _write_level(self, level: int, before: int, size: int, tiles: TileStore) -> None:
        """Write the tiles of a level from the item after the first `before` ones on."""
        items = size >> (TILE_HEIGHT * max(level, 0))
        last = -(-items // TILE_WIDTH)
        for first in range(before // TILE_WIDTH, last, _AT_ONCE):
            found = await tiles.read_tile_range(level, first, min(last, first + _AT_ONCE))
            cut = []
            for tile in found:
                width = width_at(tile.id, size)
                octets = tile.octets[: width * item_octets(level)]
                cut.append((self._folder / tile_path(tile.id, width), octets))
            await asyncio.to_thread(_write_all, cut)

    async def write_checkpoint(self, note: bytes, size: int) -> None:
        """Replace the checkpoint, durably. Raises OSError."""
        await asyncio.to_thread(_write_all, [(self._folder / _CHECKPOINT, note)])
        await asyncio.to_thread(self._forget_partials, size)

    async def read_tiles(self, tiles: Iterable[TileId]) -> Mapping[TileId, bytes]:
        """The octets of tiles, as many as there are; what is not there is left out."""
        return await asyncio.to_thread(lambda: {each: _read(self._folder, each) for each in tiles})

    async def read_tile_range(self, level: int, first: int, end: int) -> Sequence[Tile]:
        """The tiles of a level from a number up to another, as far as they are there."""
        wanted = [TileId(level, number) for number in range(first, end)]
        found = await self.read_tiles(wanted)
        return [Tile(each, found[each]) for each in wanted if found[each]]

    def _size_of_checkpoint(self) -> int:
        """How far an earlier run has come: only what its checkpoint needs is sure to be there."""
        note = _read_note(self._folder / _CHECKPOINT)
        if note is None:
            return 0
        try:
            return parse_checkpoint(note.text).size
        except CheckpointInvalid:
            return 0

    def _forget_partials(self, size: int) -> None:
        """Delete partial tiles whose whole ones are there (tlog-tiles allows that)."""
        for level, items in ((ENTRIES, size), *_levels(size)):
            number = items // TILE_WIDTH - 1
            # Those of the tile before the growing one; readers of the last checkpoint may still
            # ask for those of the growing one.
            if number < 1:
                continue
            whole = self._folder / tile_path(TileId(level, number - 1))
            folder = whole.with_name(whole.name + ".p")
            if whole.exists() and folder.is_dir():
                for partial in folder.iterdir():
                    partial.unlink()
                folder.rmdir()


class CheckpointMemory:
    """The newest published checkpoint, in files outside the database."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files

    async def remember(self, note: bytes) -> None:
        """Keep it durably. Raises OSError."""
        await asyncio.to_thread(_write_all, [(file, note) for file in self._files])

    async def recall(self) -> Sequence[Note]:
        """The checkpoints that are kept; those that cannot be read are left out."""
        return await asyncio.to_thread(
            lambda: [note for file in self._files if (note := _read_note(file)) is not None]
        )


def mirror_checkpoint(folder: Path) -> Path:
    """Where a mirror's checkpoint is."""
    return folder / _CHECKPOINT


def _levels(size: int) -> list[tuple[int, int]]:
    found, level = [], 0
    while size:
        found.append((level, size))
        level, size = level + 1, size >> TILE_HEIGHT
    return found


def _read(folder: Path, tile: TileId) -> bytes:
    """A tile, whole or the widest partial one."""
    whole = folder / tile_path(tile)
    if whole.is_file():
        return whole.read_bytes()
    partials = whole.with_name(whole.name + ".p")
    if not partials.is_dir():
        return b""
    widths = [int(each.name) for each in partials.iterdir() if each.name.isdigit()]
    return (partials / str(max(widths))).read_bytes() if widths else b""


def _read_note(file: Path) -> Note | None:
    try:
        return parse_note(file.read_bytes())
    except FileNotFoundError:
        return None
    except (NoteInvalid, OSError) as error:
        _LOG.warning("%s cannot be read: %s", file, error)
        return None


def _write_all(files: Sequence[tuple[Path, bytes]]) -> None:
    folders = set()
    for file, octets in files:
        if not file.parent.is_dir():
            file.parent.mkdir(parents=True, exist_ok=True)
            folders |= {file.parent.parent, file.parent.parent.parent}
        temporary = file.with_name(file.name + ".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(octets)
            opened.flush()
            os.fsync(opened.fileno())
        temporary.replace(file)
        folders.add(file.parent)
    for folder in folders:
        if folder.is_dir():
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
