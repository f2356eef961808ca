"""A commit that its platform did not live to see answered, and that stands only after the next
start has begun: PostgreSQL goes on with what it was sent (and waits, say, for its standby)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from tegata.main.bootstrap import ensure_demo, ensure_platform
from tegata.main.composition import Platform, compose
from tegata.main.serve import _close_blocks
from tegata.main.settings import Settings
from tegata.main.signer_supervisor import SignerSupervisor
from tegata.store.postgres import PostgresDatabase
from tegata.store.postgres_group import Connection, Group
from tests.crash import checks, gate
from tests.crash.ledger import Ledger
from tests.crash.life import Job
from tests.crash.scenarios import DEMO, Actor, demo_issuer
from tests.postgres import postgres_cluster, query

DEADLINE = 20.0


class _LateGroup:
    """A transaction whose COMMIT arrives when it is told to."""

    def __init__(self, group: Group, sent: asyncio.Event, arrives: asyncio.Event) -> None:
        self._group = group
        self._sent = sent
        self._arrives = arrives

    async def write(self, connection: Connection) -> None:
        await self._group.write(connection)

    async def commit(self, connection: Connection) -> bool:
        self._sent.set()
        await self._arrives.wait()
        return await self._group.commit(connection)


class LatePostgres(PostgresDatabase):
    """The database as the run that died had it."""

    sent: asyncio.Event
    arrives: asyncio.Event
    late = False

    async def _try_transaction(self, group: Group) -> None:
        if self.late:
            group = cast(Group, _LateGroup(group, self.sent, self.arrives))
        await super()._try_transaction(group)


class _Open:
    """A gate that is always open."""

    def reach(self, name: str) -> None:
        """Go on."""

    async def around(self, name: str, call: gate.Call) -> object:
        return await call()


@pytest.fixture
async def settings(folder: Path) -> AsyncIterator[Settings]:
    url = postgres_cluster().migrated_database()
    yield Job(str(folder), url, None, "late").settings
    postgres_cluster().drop_database(url)


@pytest.fixture
async def signer(settings: Settings) -> AsyncIterator[SignerSupervisor]:
    supervisor = SignerSupervisor(settings)
    await supervisor.start()
    yield supervisor
    await supervisor.stop()


async def started(settings: Settings, signer: SignerSupervisor) -> Platform:
    """One run of the node."""
    platform = await compose(settings, "http://pki.example.test", signer.socket)
    await ensure_platform(platform, settings.data)
    await ensure_demo(platform, settings.data)
    await _close_blocks(platform)
    return platform


def dying(platform: Platform) -> tuple[Platform, LatePostgres]:
    """The same run, on a database whose commits can be held back."""
    own = platform.database
    assert isinstance(own, PostgresDatabase)
    late = LatePostgres(own._conninfo, own._pool, own._doubt_seconds)
    late.sent, late.arrives = asyncio.Event(), asyncio.Event()
    return gate.interpose(platform, _Open(), late), late


async def test_a_certificate_whose_commit_comes_late_is_not_void(
    settings: Settings, signer: SignerSupervisor, folder: Path
) -> None:
    first = await started(settings, signer)
    issuer = await demo_issuer(first)
    platform, late = dying(first)
    ledger = Ledger(folder)
    await Actor(platform, ledger, "before", issuer).issue("before.example.test")
    late.late = True
    last = asyncio.create_task(
        Actor(platform, ledger, "last", issuer).issue("last.example.test", key="last")
    )
    await late.sent.wait()
    # The platform is dead, its transaction is not.
    second = await compose(settings, "http://pki.example.test", signer.socket)
    settling = asyncio.create_task(second.issuance.settle_blocks(DEMO.tenant, second.node))
    await _waits_for_the_record(settings)
    late.arrives.set()
    issued = await last
    voided = await settling
    books = await checks.read_books(second, ledger, DEMO.tenant)
    assert (issuer, issued.serial) in books.recorded
    assert not books.void & books.recorded
    assert not books.still_open
    assert voided == 6
    await checks.require_answers(second, issuer, [], [issued.serial])
    for run in (first, second):
        await run.database.close()
        await run.signer.close()


async def _waits_for_the_record(settings: Settings) -> None:
    assert settings.database is not None
    waiting = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    deadline = time.monotonic() + DEADLINE
    while query(settings.database, waiting)[0][0] == 0:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
