"""A PostgreSQL server for tests: a cluster of its own that dies with the process that made it.

One cluster serves a process (with pytest-xdist: a worker), and each test has a database to
itself, copied from one that was migrated once. `fsync` is on: what is tested is what is run.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Final

import psycopg

from tegata.store.migrate import migrate_postgres
from tegata.store.schema import metadata
from tests.components import missing, require

USER: Final = "postgres"
TODAY: Final = date(2026, 7, 15)
REASON: Final = "the store is tested on the server it runs on"
_START_SECONDS: Final = 30
_TEMPLATE: Final = "tegata_template"


@dataclass(slots=True, eq=False)
class Cluster:
    """A running server. Its superuser may connect without a password, from this machine."""

    port: int
    _numbers: count[int] = field(default_factory=count)
    _free: list[str] = field(default_factory=list)

    def url(self, database: str, **settings: str) -> str:
        """How to connect to a database as superuser."""
        options = "&".join(f"{name}={value}" for name, value in settings.items())
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}?{options}".rstrip("?")

    def empty_database(self) -> str:
        """The URL of a new database without a schema."""
        name = f"test_{next(self._numbers)}"
        self.run("postgres", f"CREATE DATABASE {name}")
        return self.url(name)

    def migrated_database(self) -> str:
        """The URL of a new database at this build's schema, with partitions as of `TODAY`."""
        _template(self)
        name = f"test_{next(self._numbers)}"
        self.run("postgres", f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        return self.url(name)

    def lend_database(self) -> str:
        """The URL of an empty database at this build's schema; it must keep that schema."""
        return self._free.pop() if self._free else self.migrated_database()

    def take_back_database(self, url: str) -> None:
        """Empty a database that was lent: much faster than making another."""
        tables = ", ".join(f"part_{table} AS (DELETE FROM {table})" for table in metadata.tables)
        query(url, f"WITH {tables} SELECT 1")
        self._free.append(url)

    def drop_database(self, url: str) -> None:
        """Drop a database that nobody needs any more."""
        name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
        self.run("postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def run(self, database: str, statement: str) -> None:
        """Run a statement as superuser."""
        query(self.url(database), statement)

    def set_everywhere(self, name: str, value: str) -> None:
        """Change a setting of the server, in effect when this returns; empty resets it."""
        change = f"SET {name} = '{value}'" if value else f"RESET {name}"
        self.run("postgres", f"ALTER SYSTEM {change}")
        self.run("postgres", "SELECT pg_reload_conf()")
        # Sessions read the file when they are next idle; a new one shows what the server has.
        deadline = time.monotonic() + _START_SECONDS
        while query(self.url("postgres"), f"SHOW {name}") != [(value,)]:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def query(url: str, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """Run a statement in a connection of its own; its rows, if it has any."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), parameters or None)
        return cursor.fetchall() if cursor.description else []


@cache
def postgres_cluster() -> Cluster:
    """The cluster of this process; skips the test where PostgreSQL is missing."""
    binaries = require("postgresql", REASON).parent
    if not shutil.which("setpriv"):
        missing("setpriv", REASON)
    folder = Path(tempfile.mkdtemp(prefix="tegata-postgres-"))
    data = folder / "data"
    if os.geteuid() == 0:  # which initdb refuses to run as
        shutil.chown(folder, USER, USER)
    initdb: list[str | Path] = [
        binaries / "initdb",
        "-D",
        data,
        "-U",
        USER,
        "-A",
        "trust",
        "-E",
        "UTF8",
    ]
    subprocess.run(
        [*_as_user(), *initdb, "--locale=C.UTF-8", "--no-sync"],
        cwd="/",
        check=True,
        capture_output=True,
    )
    port = _free_port()
    settings = {
        "port": str(port),
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": str(folder),
        "max_connections": "60",
        "shared_buffers": "64MB",
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*_as_user(), binaries / "postgres", "-D", data, *options],
            cwd="/",
            stdout=log,
            stderr=log,
        )
    atexit.register(_stop, server, folder)
    cluster = Cluster(port)
    _wait(cluster, server, folder / "log")
    return cluster


def _as_user() -> Sequence[str]:
    """Runs a program as a user that is not root, and ends it when this process dies."""
    user = ["--reuid", USER, "--regid", USER, "--init-groups"] if os.geteuid() == 0 else []
    return ["setpriv", *user, "--pdeathsig", "INT"]


def _wait(cluster: Cluster, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            cluster.run("postgres", "SELECT 1")
        except psycopg.OperationalError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        else:
            return


def _stop(server: subprocess.Popen[bytes], folder: Path) -> None:
    # A gentler end would wait for connections that tests left open.
    server.send_signal(signal.SIGINT)
    try:
        server.wait(_START_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    shutil.rmtree(folder, ignore_errors=True)


@cache
def _template(cluster: Cluster) -> None:
    cluster.run("postgres", f"CREATE DATABASE {_TEMPLATE}")
    migrate_postgres(cluster.url(_TEMPLATE), TODAY)


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port
