"""The platform's list of compromised keys: a sorted file of digests, looked up where it lies.

Octets of the file: `_MAGIC`, the number of digests (8, big-endian), SHA-256 over the digests
(32), then the digests (SHA-256 of SubjectPublicKeyInfo, 32 each, ascending, each once). It is
mapped into memory, not read: ten million keys take 320 MB of file and no memory of their own.
"""

from __future__ import annotations

import hashlib
import heapq
import logging
import mmap
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

_LOG = logging.getLogger(__name__)
_MAGIC = b"tegata-keys-1\0\0\0"
_HEADER = len(_MAGIC) + 8 + 32
_OCTETS = 32
# Digests that are sorted in memory at once: some 80 MB.
_RUN = 1_000_000
_HEXADECIMAL = re.compile(rb"[0-9A-Fa-f]{64}")


class KeyListError(ValueError):
    """Not a list of keys; the message says where."""


@dataclass(frozen=True, slots=True)
class KeyListFacts:
    """What a list holds: how many keys, and SHA-256 over their sorted digests."""

    keys: int
    digest: bytes


def build_key_list(sources: Sequence[Path], target: Path, run: int = _RUN) -> KeyListFacts:
    """Make a list of text files, or folders of them, with a digest in hexadecimal on each line.

    Blank lines and those that begin with ``#`` are left out, and so is what follows a digest
    after white space. The target is replaced at once or not at all. Raises `KeyListError`.
    """
    with TemporaryDirectory(dir=target.parent, prefix=target.name) as folder:
        runs = list(_sorted_runs(_digests(sources), Path(folder), run))
        temporary = Path(folder) / "list"
        facts = _write(temporary, heapq.merge(*(_records(each) for each in runs)))
        temporary.replace(target)
    return facts


def _digests(sources: Sequence[Path]) -> Iterator[bytes]:
    for source in sources:
        files = sorted(source.iterdir()) if source.is_dir() else [source]
        for file in files:
            if file.is_file():
                yield from _digests_of(file)


def _digests_of(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        for number, line in enumerate(opened, 1):
            words = line.split(maxsplit=1)
            if not words or words[0].startswith(b"#"):
                continue
            if not _HEXADECIMAL.fullmatch(words[0]):
                raise KeyListError(f"{file}, line {number}: not 64 hexadecimal digits")
            yield bytes.fromhex(words[0].decode())


def _sorted_runs(digests: Iterable[bytes], folder: Path, size: int) -> Iterator[Path]:
    gathered: list[bytes] = []
    number = 0
    for digest in digests:
        gathered.append(digest)
        if len(gathered) >= size:
            yield _write_run(folder / str(number), gathered)
            number += 1
            gathered = []
    yield _write_run(folder / str(number), gathered)


def _write_run(file: Path, gathered: list[bytes]) -> Path:
    gathered.sort()
    file.write_bytes(b"".join(gathered))
    return file


def _records(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while block := opened.read(_OCTETS * 4096):
            for place in range(0, len(block), _OCTETS):
                yield block[place : place + _OCTETS]


def _write(file: Path, digests: Iterable[bytes]) -> KeyListFacts:
    keys, hashed, last = 0, hashlib.sha256(), b""
    with file.open("wb") as opened:
        opened.write(bytes(_HEADER))
        for digest in digests:
            if digest != last:
                opened.write(digest)
                hashed.update(digest)
                keys, last = keys + 1, digest
        opened.seek(0)
        opened.write(_MAGIC + keys.to_bytes(8, "big") + hashed.digest())
        opened.flush()
        os.fsync(opened.fileno())
    return KeyListFacts(keys, hashed.digest())


class KeyListFile:
    """A list in use; without a file it holds nothing."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._seen: tuple[int, int, int] | None = None
        self._map: mmap.mmap | bytes = bytes(_HEADER)
        self.facts = KeyListFacts(0, bytes(32))

    def refresh(self) -> bool:
        """Use the file as it is now; whether it is another than before.

        Raises `KeyListError` when it cannot be used; what was in use stays so.
        """
        if self._file is None:
            return False
        try:
            status = self._file.stat()
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
            if seen == self._seen:
                return False
            with self._file.open("rb") as opened:
                mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise KeyListError(f"{self._file}: {error}") from error
        facts = _facts(mapped)
        if facts is None:
            raise KeyListError(f"{self._file}: not made by `tegata key-list`, or not whole")
        self._map, self.facts, self._seen = mapped, facts, seen
        return True

    def holds(self, spki_sha256: bytes) -> bool:
        """Whether a key is on the list."""
        octets, low, high = self._map, 0, self.facts.keys
        while low < high:
            middle = (low + high) // 2
            place = _HEADER + _OCTETS * middle
            found = octets[place : place + _OCTETS]
            if found < spki_sha256:
                low = middle + 1
            elif found == spki_sha256:
                return True
            else:
                high = middle
        return False


def _facts(mapped: mmap.mmap) -> KeyListFacts | None:
    if mapped[: len(_MAGIC)] != _MAGIC:
        return None
    keys = int.from_bytes(mapped[len(_MAGIC) : len(_MAGIC) + 8], "big")
    if len(mapped) != _HEADER + _OCTETS * keys:
        return None
    return KeyListFacts(keys, mapped[_HEADER - 32 : _HEADER])
