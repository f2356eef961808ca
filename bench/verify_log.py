"""Measure the verifiers: ``python -m bench.verify_log [LEAVES]``, a million by default.

Prints seconds of wall-clock and of processor time for one log in a folder: `verify.py`, `tegata
audit verify`, and Go's sumdb code with an inclusion proof for every leaf.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.conformance.golang import build_sumdb
from tests.standalone.writer import Signer, WrittenLog, entry

ROOT = Path(__file__).parents[1]
VERIFY = ROOT / "src/tegata/standalone/verify.py"
TEGATA = Path(sys.executable).with_name("tegata")


def measure(name: str, *command: str | Path) -> None:
    """Run a verifier, which must accept, and print what it took."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - began
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{name}: {seconds:.1f} s, {used:.1f} s of processor time")


def main() -> None:
    """Write a log, and verify it three times."""
    leaves = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    folder = Path(tempfile.mkdtemp(prefix="tegata-bench-log-"))
    try:
        signer = Signer("log.example.test/log")
        log = WrittenLog(signer, [entry(number) for number in range(leaves)])
        mirror = log.write(folder / "log")
        print(f"{leaves} leaves")
        measure("verify.py", sys.executable, "-I", VERIFY, "--vkey", signer.vkey, "log", mirror)
        command = (TEGATA, "audit", "verify", "--vkey", signer.vkey, "--log", mirror)
        measure("tegata audit verify", *command)
        measure("Go's sumdb", build_sumdb(folder), signer.vkey, mirror)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
