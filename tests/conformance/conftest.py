"""One platform, kept running for all the clients that only talk to it."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.conformance.running import Running, running


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    """A demo platform; each test issues what it needs."""
    with running(tmp_path_factory.mktemp("platform")) as started:
        yield started
