"""A platform under measurement, and the processor time that it takes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TICKS = os.sysconf("SC_CLK_TCK")
_START = 60.0


def cpu_seconds(pids: list[int]) -> float:
    """Processor time, user and system, of processes that are alive."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


@dataclass(frozen=True, slots=True)
class Running:
    """A running platform: its context, and its processes (with the signer)."""

    context: dict[str, Any]
    pids: list[int]
    ready_seconds: float


@contextmanager
def running(
    data: Path, *options: str, environment: dict[str, str] | None = None
) -> Iterator[Running]:
    """Start the demo on free ports."""
    command = [
        str(Path(sys.executable).with_name("tegata")), "serve", "--demo", "--data", str(data),
        "--listen", "127.0.0.1:0", "--public-listen", "127.0.0.1:0", *options,
    ]  # fmt: skip
    begun = time.perf_counter()
    log = (data.parent / f"{data.name}.log").open("wb")
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=log, env={**os.environ, **(environment or {})}
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    ready = time.perf_counter() - begun
    try:
        if not line:
            raise SystemExit(f"the platform did not start: see {log.name}")
        yield Running(json.loads(line), [process.pid, *children(process.pid)], ready)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_START)
        log.close()


def load(plan: dict[str, Any]) -> dict[str, Any]:
    """Run the load generator."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=json.dumps(plan).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result
