"""pcscd with vsmartcard's virtual reader, and a persona's card in it."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.components import missing, require
from tests.conformance.running import attempt, end, first_line, start, until

PCSCD_SOCKET: Final = Path("/run/pcscd/pcscd.comm")
_SECONDS: Final = 20.0


@dataclass(frozen=True)
class VirtualReaders:
    """A running pcscd: where its virtual reader listens, and where the sandbox is."""

    port: int
    data: Path
    folder: Path

    @contextmanager
    def card(self, persona: str, *options: str) -> Generator[subprocess.Popen[str]]:
        """A persona's card in the reader, found by pcscd."""
        log = self.folder / f"{persona}.log"
        reset = ("sandbox", "reset-card", "--persona", persona, "--data", str(self.data))
        process = start(reset, log)
        assert process.wait(_SECONDS) == 0, log.read_text()
        end(process)
        vpcd = ("--data", str(self.data), "--vpcd", f"127.0.0.1:{self.port}")
        process = start(("sandbox", "card", "--persona", persona, *vpcd, *options), log)
        try:
            first_line(process, log)
            until(lambda: present() or None, _SECONDS, "the card in the reader")
            yield process
        finally:
            end(process)
            until(lambda: not present() or None, _SECONDS, "the card out of the reader")


def present() -> bool:
    """Whether the first reader has a card, as opensc-tool sees it."""
    _code, text = attempt("opensc-tool", "--list-readers")
    return any(line.startswith("0 ") and "Yes" in line for line in text.splitlines())


@contextmanager
def virtual_readers(folder: Path) -> Generator[VirtualReaders]:
    """pcscd with one virtual reader, on a port of its own; there is one pcscd on a machine."""
    daemon = require("pcscd", "gives card software its readers")
    driver = require("vpcd", "is the virtual reader that the card connects to")
    require("opensc", "is the card software that is asked")
    if os.geteuid() != 0:
        missing("pcscd", "it needs root")
    with (Path(tempfile.gettempdir()) / "tegata-pcscd.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_served():
            missing("pcscd", "another one runs already")
        port = free_port()
        configuration = folder / "readers"
        configuration.mkdir()
        (configuration / "vpcd").write_text(
            f'FRIENDLYNAME "Virtual PCD"\nDEVICENAME /dev/null:{port:#x}\n'
            f"LIBPATH {driver}\nCHANNELID {port:#x}\n"
        )
        with (folder / "pcscd.log").open("w") as log:
            process = subprocess.Popen(
                [daemon, "--foreground", "--config", configuration], stdout=log, stderr=log
            )
        try:
            until(lambda: is_served() or None, _SECONDS, "pcscd")
            yield VirtualReaders(port, folder / "data", folder)
        finally:
            process.terminate()
            process.wait(_SECONDS)


def is_served() -> bool:
    """Whether a pcscd answers."""
    with socket.socket(socket.AF_UNIX) as asked:
        try:
            asked.connect(str(PCSCD_SOCKET))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port with a free one after it: the driver has two slots."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
        return port
