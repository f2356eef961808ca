"""What a combination's lives tell each other, beside the data that they work on.

Lines are written with one system call each, so a SIGKILL leaves them whole; acknowledgements are
on the disk before anything else happens, as an answer to a caller would be with the caller.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ledger:
    """The files of one combination."""

    folder: Path

    def intend(self, scenario: str, **fields: object) -> None:
        """Write what is about to be done."""
        self._append("intents", {"scenario": scenario, **fields})

    def acknowledge(self, kind: str, **fields: object) -> None:
        """Write what a caller has been told."""
        self._append("acknowledged", {"kind": kind, **fields})

    def sign(self, **fields: object) -> None:
        """Write what the signer is about to sign."""
        self._append("signed", fields)

    def last_intent(self) -> Line | None:
        """What the life before was doing."""
        intents = self._read("intents")
        return intents[-1] if intents else None

    def acknowledged(self, kind: str) -> list[Line]:
        """What callers have been told."""
        return [line for line in self._read("acknowledged") if line["kind"] == kind]

    def signed(self) -> list[Line]:
        """What the signer has signed, or was about to."""
        return self._read("signed")

    def _append(self, name: str, line: Line) -> None:
        octets = json.dumps(line).encode() + b"\n"
        path = self.folder / name
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            assert os.write(descriptor, octets) == len(octets)
            if name == "acknowledged":
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _read(self, name: str) -> list[Line]:
        path = self.folder / name
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text().splitlines()]
