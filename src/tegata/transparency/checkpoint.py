"""Checkpoints (C2SP tlog-checkpoint): the text that says how large the tree is, and its root."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from tegata.transparency.merkle import EMPTY_ROOT, HASH_OCTETS

SIZE_MAXIMUM = 2**63 - 1
_SIZE = re.compile("0|[1-9][0-9]{0,18}")
_ORIGIN = re.compile(r"[!-*,-~]{1,255}")


class CheckpointInvalid(ValueError):
    """Not a checkpoint; the message says why."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head by the log's name. `extensions` are further lines, which ours has none of."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """The body that is signed."""
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode("ascii"))
        return "\n".join((*lines, *self.extensions)) + "\n"

    def short(self) -> str:
        """Size and the beginning of the root, as API answers carry it."""
        return f"{self.size}/{self.root[:8].hex()}"


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a body; `CheckpointInvalid` when it is not one."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1]:
        raise CheckpointInvalid("a checkpoint has three lines or more")
    origin, size, root, *extensions = lines[:-1]
    if not origin or any(not each for each in extensions):
        raise CheckpointInvalid("a checkpoint has an empty line")
    if not _SIZE.fullmatch(size) or int(size) > SIZE_MAXIMUM:
        raise CheckpointInvalid("a checkpoint's size is not a number")
    try:
        octets = base64.b64decode(root, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CheckpointInvalid("a checkpoint's root is not base64") from error
    if len(octets) != HASH_OCTETS or base64.b64encode(octets).decode("ascii") != root:
        raise CheckpointInvalid("a checkpoint's root is not one of SHA-256")
    if size == "0" and octets != EMPTY_ROOT:
        raise CheckpointInvalid("an empty tree has another root")
    return Checkpoint(origin, int(size), octets, tuple(extensions))


def log_origin(public_url: str) -> str:
    """A log's name from the platform's public URL: without its scheme, with ``/log``.

    ValueError when that cannot be the name of a key.
    """
    origin = public_url.partition("://")[2].rstrip("/") + "/log"
    if not _ORIGIN.fullmatch(origin):
        raise ValueError(f"{origin} cannot be the name of a log")
    return origin
