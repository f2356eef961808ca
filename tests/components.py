"""Real components that tests use: a token, a database server, other people's clients.

Outside continuous integration a missing component skips the tests that need it and says why; in
continuous integration (CI=true) it fails them, because a build that tested less than it claims is
worse than a red one. tests/conftest.py holds every other skip to the same rule.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn

import pytest

# Where a component is when it is not simply an executable of that name on the PATH: patterns
# under /, the newest match wins.
PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "softhsm2": ("usr/lib/softhsm/libsofthsm2.so", "usr/lib/*/softhsm/libsofthsm2.so"),
    "opensc": ("usr/bin/pkcs11-tool",),
    "gnutls": ("usr/bin/gnutls-cli",),
    "nss": ("usr/bin/certutil",),
    # System folders that are on the path of root only.
    "hostapd": ("usr/sbin/hostapd",),
    "krb5kdc": ("usr/sbin/krb5kdc",),
    "pcscd": ("usr/sbin/pcscd",),
    "vpcd": ("usr/lib/pcsc/drivers/serial/libifdvpcd.so",),
    "postgresql": ("usr/lib/postgresql/*/bin/initdb",),
}


def in_continuous_integration() -> bool:
    """Tell whether a missing component must fail its tests."""
    return os.environ.get("CI") == "true"


def find_component(component: str) -> Path | None:
    """Return the library or executable that stands for the component."""
    patterns = PLACES.get(component)
    if patterns is None:
        # What Python packages bring along stands beside the interpreter.
        own = Path(sys.executable).parent
        found = shutil.which(component, path=f"{own}{os.pathsep}{os.environ.get('PATH', '')}")
        return Path(found) if found else None
    matches = [match for pattern in patterns for match in Path("/").glob(pattern)]
    return max(matches, key=_version, default=None)


def require(component: str, reason: str) -> Path:
    """Return where the component is, or end the test: skipped, in continuous integration failed."""
    found = find_component(component)
    if found is None:
        missing(component, reason)
    return found


def missing(component: str, reason: str) -> NoReturn:
    """End the test for want of a component: skipped, in continuous integration failed."""
    message = f"{component} is missing: {reason}"
    if in_continuous_integration():
        pytest.fail(message, pytrace=False)
    # A module may ask at its top, before there is a test to skip.
    pytest.skip(message, allow_module_level=True)


def _version(path: Path) -> tuple[tuple[int, ...], str]:
    numbers = tuple(int(part) for part in path.parts if part.isdecimal())
    return numbers, str(path)
