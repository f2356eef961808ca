"""The single-file witness as a process of its own, and a log's side of its protocol."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tests.standalone.writer import WrittenLog, consistency

WITNESS: Final = Path(__file__).parents[2] / "src/tegata/standalone/witness.py"


@dataclass
class RunningWitness:
    """A started witness."""

    process: subprocess.Popen[str]
    url: str
    vkey: str

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, str, str]:
        """Status, content type and body."""
        split = urlsplit(self.url)
        connection = http.client.HTTPConnection(split.hostname or "", split.port, timeout=30)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.headers["content-type"], answer.read().decode()
        finally:
            connection.close()

    def add(self, body: bytes) -> tuple[int, str, str]:
        """add-checkpoint."""
        return self.ask("POST", "/add-checkpoint", body)

    def known(self, origin: str) -> tuple[int, str, str]:
        """The last checkpoint that it cosigned."""
        return self.ask("GET", f"/{hashlib.sha256(origin.encode()).hexdigest()}/checkpoint")

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        self.process.wait()


def make_key(folder: Path, name: str = "witness.example.test") -> str:
    """A new key and state in a folder; its vkey."""
    command = _command("keygen", folder, "--name", name)
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def start(folder: Path, logs: Sequence[str]) -> RunningWitness:
    """Start the witness whose key is in a folder."""
    options = [part for vkey in logs for part in ("--log", vkey)]
    command = _command("serve", folder, "--listen", "127.0.0.1:0", *options)
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the witness ended before it was ready"
    said = json.loads(line)
    return RunningWitness(process, said["url"], said["vkey"])


def _command(command: str, folder: Path, *options: str) -> list[str]:
    files = ["--key", str(folder / "witness.key"), "--state", str(folder / "witness.db")]
    return [sys.executable, "-I", str(WITNESS), command, *files, *options]


@contextmanager
def running_witness(folder: Path, *logs: str) -> Iterator[RunningWitness]:
    """A witness that ends with the block."""
    witness = start(folder, logs)
    try:
        yield witness
    finally:
        witness.kill()
        if witness.process.stdout is not None:
            witness.process.stdout.close()


def request(log: WrittenLog, old: int, size: int, proof: Sequence[bytes] | None = None) -> bytes:
    """The body of add-checkpoint for a log of some size."""
    path = consistency(old, log.entries[:size]) if proof is None else proof
    hashes = "".join(base64.b64encode(each).decode() + "\n" for each in path)
    return f"old {old}\n{hashes}\n{log.checkpoint(size)}".encode()
