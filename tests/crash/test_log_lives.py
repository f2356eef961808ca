"""A sequencer killed at every kind of write and flush: no acknowledged event is lost, no published
checkpoint is rolled back or forked, every event has one leaf, and the mirror is whole.

TEGATA_LOG_LIVES says how often (10,000 in a long run); TEGATA_CRASH_SEED repeats a run.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.components import require

LIVES = int(os.environ.get("TEGATA_LOG_LIVES", "200"))
SEED = os.environ.get("TEGATA_CRASH_SEED", "1")
HERE = Path(__file__).parent


@pytest.mark.timeout(120 + LIVES)
def test_a_sequencer_killed_at_any_write_or_flush_keeps_every_promise(tmp_path: Path) -> None:
    compiler = require("gcc", "it builds the library that counts writes")
    library = tmp_path / "crashpoints.so"
    source = HERE / "crashpoints.c"
    subprocess.run(
        [compiler, "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source, "-ldl"],
        check=True,
    )
    command = [sys.executable, "-m", "tests.crash.log_lives", str(tmp_path / "d"), str(LIVES), SEED]
    done = subprocess.run(
        command,
        env={**os.environ, "LD_PRELOAD": str(library)},
        cwd=HERE.parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    sys.stdout.write(done.stdout)
    places = {line.split(maxsplit=1)[1] for line in done.stdout.splitlines()}
    # It died in all of the places that matter, or the run shows little.
    for wanted in (
        "pwrite tegata.sqlite-wal",
        "fdatasync tegata.sqlite-wal",
        "fsync",
        "rename",
        "write",
    ):
        assert any(place.startswith(wanted) for place in places), places
