"""Go's ML-DSA, in a program of ours (`mldsa/`) that knows nothing of what it verifies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from tests.components import require
from tests.conformance.running import run

SOURCE: Final = Path(__file__).parent / "mldsa"


def build_verifier(folder: Path) -> Path:
    """Build the program in a folder.

    Go 1.26 has ML-DSA for its own use only, so the build lays a package of ours over its standard
    library, from where it may be imported. Nothing of the installation is changed.
    """
    go = require("go", "verifies ML-DSA with an implementation that is not OpenSSL's")
    root = Path(run(go, "env", "GOROOT").strip())
    bridge = root / "src" / "crypto" / "tegatamldsa" / "bridge.go"
    overlay = folder / "overlay.json"
    overlay.write_text(json.dumps({"Replace": {str(bridge): str(SOURCE / "bridge.go")}}))
    program = folder / "verify"
    # The directory of the package is built alone: the bridge beside it is the overlay's.
    build = ("build", "-buildvcs=false", "-overlay", overlay, "-o", program, "main.go")
    run(go, *build, folder=SOURCE, environment={"GOTOOLCHAIN": "local", "GOFLAGS": ""})
    return program
