"""One sandbox for all tests that change nothing: its keys are made once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tegata.sandbox.personas import Sandbox
from tests.fakes.system import FakeClock


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sandbox") / "sandbox"


@pytest.fixture(scope="session")
def sandbox(shared_folder: Path) -> Sandbox:
    return Sandbox(shared_folder, FakeClock())


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def living(shared_folder: Path, clock: FakeClock) -> Iterator[Sandbox]:
    """The same sandbox with a clock of the test's own; what the test changed is undone."""
    yield Sandbox(shared_folder, clock)
    for name in ("register.json", "consents.json", "faults.json"):
        (shared_folder / name).unlink(missing_ok=True)
