"""The files of a node's journal: frames in segments, read back with every doubt stated.

A segment is a file named after the place of its first record. It begins with a header in the
clear (whose journal, its sealed key); then one frame a record: length and CRC-32 (four octets
each, big-endian), and the record, sealed and bound to node and place. The CRC tells damage from
forgery; the seal refuses both.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

FRAME_MAXIMUM = 64 * 1024
_FRAME = struct.Struct(">II")
_VERSION = 1
_SUFFIX = ".acts"


class SegmentHeader(msgspec.Struct, array_like=True):
    """The first frame of a segment, in the clear."""

    version: int
    node: str
    first: int
    wrapped_key: bytes


@dataclass(slots=True)
class Copy:
    """One folder's copy of a journal, as it was read: sealed records from `first` on."""

    folder: Path
    first: int = 1
    records: list[bytes] = field(default_factory=list)
    node: str = ""
    wrapped_key: bytes = b""
    present: bool = False
    torn: bool = False
    faults: list[str] = field(default_factory=list)

    @property
    def last(self) -> int:
        """The place of the last record."""
        return self.first + len(self.records) - 1


def segment_name(first: int) -> str:
    """The name of the segment that begins with a place."""
    return f"{first:020d}{_SUFFIX}"


def segments(folder: Path) -> list[Path]:
    """The segments of a folder, oldest first."""
    return sorted(folder.glob(f"*{_SUFFIX}")) if folder.is_dir() else []


def frame(payload: bytes) -> bytes:
    """A payload as it stands in a segment."""
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


def header(node: str, first: int, wrapped_key: bytes) -> bytes:
    """The first frame of a segment."""
    return frame(msgspec.msgpack.encode(SegmentHeader(_VERSION, node, first, wrapped_key)))


def read_copy(folder: Path) -> Copy:
    """Read every segment of a folder as far as it can be read."""
    copy = Copy(folder)
    files = segments(folder)
    for file in files:
        _flush(file)
        _read_segment(copy, file, is_last=file == files[-1])
    return copy


def _read_segment(copy: Copy, file: Path, *, is_last: bool) -> None:
    octets = file.read_bytes()
    payloads, end = _payloads(octets)
    try:
        found = msgspec.msgpack.decode(payloads[0], type=SegmentHeader)
    except (IndexError, msgspec.DecodeError):
        copy.present = True
        copy.faults.append(f"{file.name} has no header that can be read")
        return
    if found.version != _VERSION:
        copy.faults.append(f"{file.name} is of a version that this build does not know")
    if not copy.present:
        copy.present, copy.first = True, found.first
        copy.node, copy.wrapped_key = found.node, found.wrapped_key
    if found.first != copy.last + 1 or file.name != segment_name(found.first):
        copy.faults.append(f"records are missing before {file.name}")
    if (found.node, found.wrapped_key) != (copy.node, copy.wrapped_key):
        copy.faults.append(f"{file.name} belongs to another journal")
    copy.records += payloads[1:]
    if end < len(octets):
        # What a crash tore off stands at the very end; a later segment begins where it began.
        if _has_frame_after(octets, end):
            copy.faults.append(f"a record in the middle of {file.name} is damaged")
        elif is_last:
            copy.torn = True


def _payloads(octets: bytes) -> tuple[list[bytes], int]:
    """The whole frames from the beginning on, and where they end."""
    found: list[bytes] = []
    place = 0
    while (payload := _payload_at(octets, place)) is not None:
        found.append(payload)
        place += _FRAME.size + len(payload)
    return found, place


def _payload_at(octets: bytes, place: int) -> bytes | None:
    if place + _FRAME.size > len(octets):
        return None
    length, checksum = _FRAME.unpack_from(octets, place)
    if not 0 < length <= FRAME_MAXIMUM or place + _FRAME.size + length > len(octets):
        return None
    payload = octets[place + _FRAME.size : place + _FRAME.size + length]
    return payload if zlib.crc32(payload) == checksum else None


def _has_frame_after(octets: bytes, place: int) -> bool:
    return any(_payload_at(octets, later) is not None for later in range(place + 1, len(octets)))


def _flush(file: Path) -> None:
    """What a killed run has written must not vanish after it was read."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_folder(folder: Path) -> None:
    """Make new names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def choose(copies: Sequence[Copy]) -> Copy:
    """The copy to believe: one without a fault that reaches as far as any other.

    When there is none, its faults say so.
    """
    present = [copy for copy in copies if copy.present]
    if not present:
        return copies[0]
    whole = [copy for copy in present if not copy.faults]
    if not whole:
        return max(present, key=lambda copy: copy.last)
    best = max(whole, key=lambda copy: (copy.last, not copy.torn, -copy.first))
    if any(copy.last > best.last for copy in present):
        best.faults.append("one copy of the journal is damaged, and the other ends before it")
    if any(
        copy.records[max(0, best.first - copy.first) :][:1] != best.records[:1] and copy is not best
        for copy in whole
        if copy.first <= best.first <= copy.last
    ):
        best.faults.append("the copies of the journal differ")
    return best


def rewrite(copy: Copy, folder: Path) -> None:
    """Make a folder hold what a copy holds, in one segment."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = folder / "copy.new"
    octets = header(copy.node, copy.first, copy.wrapped_key) + b"".join(map(frame, copy.records))
    write_whole(temporary, octets)
    for file in segments(folder):
        file.unlink()
    temporary.replace(folder / segment_name(copy.first))
    flush_folder(folder)


def write_whole(file: Path, octets: bytes) -> None:
    """Write a file that only its owner may read, durably."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(octets)
        opened.flush()
        os.fsync(opened.fileno())
