"""One sandbox for the agent's tests; every test has cards as they were issued."""

from collections.abc import Iterator

import pytest

from tegata.sandbox.personas import Sandbox
from tests.fakes.system import FakeClock


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    return Sandbox(tmp_path_factory.mktemp("agent") / "sandbox", FakeClock())


@pytest.fixture
def sandbox(made: Sandbox) -> Iterator[Sandbox]:
    yield made
    for file in (made.cabinet.folder / "cards").glob("*.json"):
        file.unlink()
