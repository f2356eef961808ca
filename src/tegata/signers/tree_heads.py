"""What the signer has signed of each log: the largest tree, kept on the disk beside the database.

It is durable before a signature leaves: a caller that was given an older database, or another
one, obtains no signature over a tree that is not a continuation of what was signed before.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

from tegata.kernel.ids import KeyId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.transparency.checkpoint import Checkpoint
from tegata.transparency.merkle import EMPTY_ROOT, ProofInvalid, verify_consistency

# Size, root, and a CRC-32 of both; two slots are written in turn, so that one is always whole.
_HEAD = struct.Struct(">Q32s")
_SLOT = struct.Struct(">Q32sI")
_SLOTS = 2
# Slots lie on blocks of their own: a torn write spoils one.
_SLOT_STEP = 4096
_NAME = re.compile("[a-z0-9_]+")

Head = tuple[int, bytes]
NO_HEAD: Head = (0, EMPTY_ROOT)


class TreeHeads:
    """The tree heads of the signer's log keys, one file for each key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._heads: dict[KeyId, Head] = {}
        self._turn: dict[KeyId, int] = {}

    def last(self, key: KeyId) -> Head:
        """The largest tree that a key has signed: its size and root."""
        if key not in self._heads:
            self._heads[key], self._turn[key] = _read(self._file(key))
        return self._heads[key]

    def advance(self, key: KeyId, checkpoint: Checkpoint, proof: Sequence[bytes]) -> None:
        """Move a key to a tree, durably, if that tree continues the one before.

        Raises `Problem(log.inconsistent)` when it is smaller, or not proved to continue it;
        `Problem(storage.exhausted)` when it cannot be noted.
        """
        size, root = self.last(key)
        if checkpoint.size < size:
            raise Problem(
                ProblemCode.LOG_INCONSISTENT,
                f"a tree of {checkpoint.size} leaves, after one of {size} was signed",
            )
        try:
            verify_consistency(size, root, checkpoint.size, checkpoint.root, proof)
        except ProofInvalid as error:
            raise Problem(ProblemCode.LOG_INCONSISTENT, str(error)) from error
        if checkpoint.size == size:
            return
        turn = 1 - self._turn[key]
        try:
            _write(self._file(key), turn, (checkpoint.size, checkpoint.root))
        except OSError as error:
            raise Problem(
                ProblemCode.STORAGE_EXHAUSTED, "the signer cannot note a tree head"
            ) from error
        self._heads[key], self._turn[key] = (checkpoint.size, checkpoint.root), turn

    def _file(self, key: KeyId) -> Path:
        if not _NAME.fullmatch(key):
            raise Problem(ProblemCode.KEY_PURPOSE_REFUSED, "not a key's id")
        return self._folder / f"{key}.heads"


def _read(file: Path) -> tuple[Head, int]:
    """The larger of a file's two heads, and the slot that it is in."""
    best: tuple[Head, int] = (NO_HEAD, 1)
    octets = file.read_bytes() if file.exists() else b""
    for slot in range(_SLOTS):
        part = octets[slot * _SLOT_STEP : slot * _SLOT_STEP + _SLOT.size]
        if len(part) < _SLOT.size:
            continue
        size, root, checksum = _SLOT.unpack(part)
        if zlib.crc32(part[: _HEAD.size]) == checksum and size >= best[0][0]:
            best = ((size, root), slot)
    return best


def _write(file: Path, slot: int, head: Head) -> None:
    is_new = not file.exists()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    packed = _HEAD.pack(*head)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        octets = packed + zlib.crc32(packed).to_bytes(4, "big")
        if os.pwrite(descriptor, octets, slot * _SLOT_STEP) != len(octets):
            raise OSError("a short write")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        for folder in (file.parent, file.parent.parent):
            _flush_folder(folder)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
