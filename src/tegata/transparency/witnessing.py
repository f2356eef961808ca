"""The witness protocol's messages (C2SP tlog-witness ``add-checkpoint``)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tegata.transparency.checkpoint import SIZE_MAXIMUM, parse_checkpoint
from tegata.transparency.merkle import HASH_OCTETS
from tegata.transparency.note import (
    Note,
    NoteInvalid,
    Signature,
    VerifierKey,
    parse_note,
    parse_signature_line,
    verify_signature,
)

SIZE_TYPE = "text/x.tlog.size"
PROOF_MAXIMUM = 63
_OLD = re.compile("old (0|[1-9][0-9]{0,18})")
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n")


class WitnessLied(ValueError):
    """An answer that an honest witness does not give; the message says what is wrong with it."""


class RequestInvalid(ValueError):
    """Not an add-checkpoint request."""


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request to cosign: what the witness saw last, the proof from there, the checkpoint."""

    old_size: int
    proof: tuple[bytes, ...]
    note: Note

    def encode(self) -> bytes:
        """The body of the request."""
        lines = [f"old {self.old_size}"]
        lines += [base64.b64encode(each).decode("ascii") for each in self.proof]
        return ("\n".join(lines) + "\n\n" + self.note.encode()).encode()


def parse_add_checkpoint(octets: bytes) -> AddCheckpoint:
    """Read a request's body; `RequestInvalid`, `NoteInvalid` or `CheckpointInvalid`."""
    head, separator, note = octets.partition(b"\n\n")
    if not separator:
        raise RequestInvalid("no blank line before the checkpoint")
    try:
        first, *lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise RequestInvalid("not ASCII before the checkpoint") from error
    match = _OLD.fullmatch(first)
    if match is None or int(match[1]) > SIZE_MAXIMUM:
        raise RequestInvalid("the first line is 'old' and a size")
    if len(lines) > PROOF_MAXIMUM:
        raise RequestInvalid("a proof of too many hashes")
    try:
        proof = tuple(base64.b64decode(line, validate=True) for line in lines)
    except (binascii.Error, ValueError) as error:
        raise RequestInvalid("a line of the proof is not base64") from error
    if any(len(each) != HASH_OCTETS for each in proof):
        raise RequestInvalid("a line of the proof is not a hash")
    found = AddCheckpoint(int(match[1]), proof, parse_note(note))
    parse_checkpoint(found.note.text)
    return found


def parse_known_size(octets: bytes) -> int:
    """The size that a witness says it knows (status 409); `WitnessLied` when it is no size."""
    match = _SIZE.fullmatch(octets)
    if match is None or int(match[1]) > SIZE_MAXIMUM:
        raise WitnessLied("it answered a conflict without a size")
    return int(match[1])


def read_cosignatures(keys: Sequence[VerifierKey], text: str, octets: bytes) -> list[Signature]:
    """The cosignatures of a witness in its answer (status 200), verified over the checkpoint.

    `WitnessLied` when one of its keys' does not verify, or none is there.
    """
    try:
        lines = octets.decode("utf-8").removesuffix("\n").split("\n")
        signatures = [parse_signature_line(line) for line in lines]
        found = []
        for signature in signatures:
            for key in keys:
                if (signature.name, signature.key_id) == (key.name, key.id):
                    verify_signature(key, text, signature)
                    found.append(signature)
    except (NoteInvalid, UnicodeDecodeError) as error:
        raise WitnessLied(str(error)) from error
    if not found:
        raise WitnessLied("it answered without a signature of its key")
    return found
