"""Proof files (C2SP tlog-proof): a leaf's place in a checkpoint, to be verified offline."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from tegata.transparency.checkpoint import SIZE_MAXIMUM, Checkpoint, parse_checkpoint
from tegata.transparency.merkle import HASH_OCTETS, leaf_hash, verify_inclusion
from tegata.transparency.note import Note, parse_note

# tlog-proof has no tagged release: this is the version that we read and write.
HEADER = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile("0|[1-9][0-9]{0,18}")
_PATH_MAXIMUM = 63


class ProofFileInvalid(ValueError):
    """Not a proof file; the message says why."""


@dataclass(frozen=True, slots=True)
class ProofFile:
    """An inclusion proof with the checkpoint that it leads to. `extra` is not authenticated."""

    index: int
    path: tuple[bytes, ...]
    note: Note
    extra: bytes = b""

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint, whose signatures nobody has verified yet."""
        return parse_checkpoint(self.note.text)

    def encode(self) -> str:
        """The file."""
        lines = [HEADER]
        if self.extra:
            lines.append(f"extra {base64.b64encode(self.extra).decode('ascii')}")
        lines.append(f"index {self.index}")
        lines += [base64.b64encode(each).decode("ascii") for each in self.path]
        return "\n".join(lines) + "\n\n" + self.note.encode()

    def require_entry(self, entry: bytes) -> None:
        """Verify that it proves this entry; `ProofInvalid` if it does not. The checkpoint's
        signatures are verified apart from it."""
        checkpoint = self.checkpoint
        leaf = leaf_hash(entry)
        verify_inclusion(self.index, checkpoint.size, leaf, self.path, checkpoint.root)


def parse_proof_file(octets: bytes) -> ProofFile:
    """Read a proof file; `ProofFileInvalid`, `NoteInvalid` or `CheckpointInvalid` if it is none."""
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProofFileInvalid("a proof file is not UTF-8") from error
    head, separator, note = text.partition("\n\n")
    lines = head.split("\n")
    if not separator or lines[0] != HEADER:
        raise ProofFileInvalid(f"a proof file begins with {HEADER}")
    del lines[0]
    extra = b""
    if lines and lines[0].startswith("extra "):
        extra = _base64(lines.pop(0).removeprefix("extra "))
    if not lines or not lines[0].startswith("index "):
        raise ProofFileInvalid("a proof file has no index")
    index = lines.pop(0).removeprefix("index ")
    if not _INDEX.fullmatch(index) or int(index) > SIZE_MAXIMUM:
        raise ProofFileInvalid("the index is not a number")
    path = tuple(map(_base64, lines))
    if len(path) > _PATH_MAXIMUM or any(len(each) != HASH_OCTETS for each in path):
        raise ProofFileInvalid("the path is not one of SHA-256 hashes")
    found = ProofFile(int(index), path, parse_note(note.encode()), extra)
    parse_checkpoint(found.note.text)
    return found


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProofFileInvalid("a line is not base64") from error
