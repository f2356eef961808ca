"""One sandbox for all of these tests: its keys are made once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.identity.desk import Desk


@pytest.fixture(scope="session")
def sandbox_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("identity") / "sandbox"


@pytest.fixture
def desk(sandbox_folder: Path) -> Iterator[Desk]:
    """A desk; what the test changed in the stand-in is undone."""
    yield Desk.at(sandbox_folder)
    for name in ("register.json", "consents.json", "faults.json"):
        (sandbox_folder / name).unlink(missing_ok=True)
