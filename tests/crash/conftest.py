"""One helper for a test run's process; a data folder, a database and a token for each test."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.components import require
from tests.crash.helper import Helper
from tests.crash.life import Job
from tests.postgres import postgres_cluster

LABEL, PIN = "crash", "648219"
COMBINATIONS = [
    (database, keys) for database in ("sqlite", "postgresql") for keys in ("software", "softhsm2")
]


@dataclass(frozen=True, slots=True)
class Combination:
    """An engine and a key store, with a demo tenant open on them."""

    helper: Helper
    base: Job

    def live(
        self, tag: str, scenario: str | None = None, kill_at: int | None = None
    ) -> dict[str, Any]:
        """One life."""
        job = Job(self.base.folder, self.base.database, self.base.pkcs11, tag, scenario, kill_at)
        return self.helper.live(job)

    @property
    def log(self) -> str:
        """What all lives wrote."""
        return (Path(self.base.folder) / "log").read_text()


@pytest.fixture(scope="session")
def token_folder() -> Iterator[Path]:
    """Where this process's token is kept; empty until a token is made."""
    folder = Path(tempfile.mkdtemp(prefix="tegata-token-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def token(token_folder: Path) -> tuple[str, str, str]:
    """A SoftHSM token: its module, its label, and the file with its PIN."""
    module = require("softhsm2", "signs what the platform is killed over")
    (token_folder / "tokens").mkdir()
    configuration = token_folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {token_folder / 'tokens'}\n")
    subprocess.run(
        [
            "softhsm2-util",
            "--init-token",
            "--free",
            "--label",
            LABEL,
            "--pin",
            PIN,
            "--so-pin",
            "9173",
        ],
        env={"SOFTHSM2_CONF": str(configuration), "PATH": "/usr/bin:/bin"},
        check=True,
        capture_output=True,
    )
    (token_folder / "pin").write_text(PIN)
    return str(module), LABEL, str(token_folder / "pin")


@pytest.fixture(scope="session")
def helper(token_folder: Path) -> Iterator[Helper]:
    """The process that forks lives."""
    with Helper({"SOFTHSM2_CONF": str(token_folder / "softhsm2.conf")}) as helper:
        yield helper


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path short enough for a Unix socket in it."""
    folder = Path(tempfile.mkdtemp(prefix="tegata-crash-"))
    (folder / "data").mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def combination(
    request: pytest.FixtureRequest, helper: Helper, folder: Path
) -> Iterator[Combination]:
    """The engine and the key store that the test's parameter names."""
    engine, keys = request.param
    database = None if engine == "sqlite" else postgres_cluster().migrated_database()
    pkcs11 = request.getfixturevalue("token") if keys == "softhsm2" else None
    combination = Combination(helper, Job(str(folder), database, pkcs11, "first"))
    first = combination.live("first")
    assert (first["wrong"], first["code"]) == ("", 0), combination.log
    yield combination
    if database is not None:
        postgres_cluster().drop_database(database)
