"""The signer is killed instead of the platform, around and within every call that is made to it:
what was asked for is refused or done, never both, and service goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tegata.kernel.ids import TenantId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.main.bootstrap import ensure_demo, ensure_platform
from tegata.main.composition import Platform, compose
from tegata.main.serve import _close_blocks, _settle_blocks
from tegata.main.signer_supervisor import SignerSupervisor
from tegata.pkix.names import GeneralNameKind
from tegata.registration.model import CertificateQuery, NameMatch
from tegata.signers.client import SignerClient
from tegata.tenancy.model import TenantState
from tests.crash import checks
from tests.crash.conftest import COMBINATIONS
from tests.crash.gate import Call, interpose
from tests.crash.ledger import Ledger
from tests.crash.life import Job
from tests.crash.scenarios import DEMO, NONE, OPERATOR, Actor, demo_issuer
from tests.postgres import postgres_cluster

DEADLINE = 30.0


class Moment(StrEnum):
    """When it is killed."""

    BEFORE = "before the call"
    UNREAD = "stopped, so that it never reads the call"
    DURING = "while it works, or has just answered"
    AFTER = "after its answer"
    RESTARTED = "after its answer, and another one runs before the next call"


class SignerGate:
    """Kills the signer at the n-th call to it."""

    def __init__(
        self, supervisor: SignerSupervisor, kill_at: int | None = None, moment: Moment | None = None
    ) -> None:
        self.calls: list[str] = []
        self._supervisor = supervisor
        self._kill_at = kill_at
        self._moment = moment

    def reach(self, name: str) -> None:
        """Points that are not calls to the signer."""

    async def around(self, name: str, call: Call) -> Any:
        if not name.startswith("signer."):
            return await call()
        self.calls.append(name)
        if len(self.calls) - 1 != self._kill_at:
            return await call()
        pid = self._supervisor.pid
        assert pid is not None
        match self._moment:
            case Moment.BEFORE:
                os.kill(pid, signal.SIGKILL)
                await until(lambda: _is_gone(pid))
            case Moment.UNREAD | Moment.DURING:
                return await self._within(pid, call)
            case Moment.AFTER | Moment.RESTARTED:
                answer = await call()
                os.kill(pid, signal.SIGKILL)
                if self._moment is Moment.RESTARTED:
                    await self._another_runs(pid)
                return answer
        return await call()

    async def _within(self, pid: int, call: Call) -> Any:
        if self._moment is Moment.UNREAD:
            os.kill(pid, signal.SIGSTOP)
        calling = asyncio.ensure_future(call())
        for _turn in range(12):  # in which the request is sent
            await asyncio.sleep(0)
        os.kill(pid, signal.SIGKILL)
        return await calling

    async def _another_runs(self, pid: int) -> None:
        await until(lambda: self._supervisor.pid != pid)
        client = SignerClient(self._supervisor.socket)
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            with suppress(Problem):
                await client.ping()
                await client.close()
                return
            await asyncio.sleep(0.01)
        pytest.fail("no other signer runs")


def _is_gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


async def until(is_so: Callable[[], bool]) -> None:
    """Wait, within a deadline."""
    deadline = time.monotonic() + DEADLINE
    while not is_so():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


@dataclass(slots=True)
class Bench:
    """A platform whose signer is supervised as in production."""

    platform: Platform
    supervisor: SignerSupervisor
    ledger: Ledger
    numbers: count[int] = field(default_factory=count)
    refused: int = 0
    done: int = 0

    async def kill_within(self, do: Do, kill_at: int, moment: Moment) -> None:
        """Kill the signer, then require that what was done is whole and that service goes on."""
        gate = SignerGate(self.supervisor, kill_at, moment)
        name = f"killed-{next(self.numbers)}"
        check = await do(await self._actor(gate, name), name)
        try:
            result = await check.act()
        except Problem as problem:
            if problem.code is not ProblemCode.SIGNER_UNAVAILABLE:
                raise
            result = None
        assert len(gate.calls) > kill_at
        await self.in_service()
        await check.require(result is not None)
        self.refused += result is None
        self.done += result is not None

    async def calls(self, do: Do) -> list[str]:
        """The calls to the signer, when nothing is killed."""
        gate = SignerGate(self.supervisor)
        name = f"counted-{next(self.numbers)}"
        check = await do(await self._actor(gate, name), name)
        assert await check.act() is not None
        await check.require(True)
        return gate.calls

    async def _actor(self, gate: SignerGate, name: str) -> Actor:
        issuer = await demo_issuer(self.platform)
        return Actor(interpose(self.platform, gate), self.ledger, name, issuer)

    async def in_service(self) -> None:
        """A certificate can be had, as soon as the signer was started again."""
        issuer = await demo_issuer(self.platform)
        actor = Actor(self.platform, self.ledger, "on", issuer)
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            try:
                await actor.issue(f"on-{next(self.numbers)}.example.test")
            except Problem as problem:
                if problem.code is not ProblemCode.SIGNER_UNAVAILABLE:
                    raise
                await asyncio.sleep(0.01)
            else:
                return
        pytest.fail("no certificate could be had any more")


@dataclass(frozen=True, slots=True)
class Check:
    """What is done, and what must be so afterwards, given whether it was done."""

    act: Callable[[], Awaitable[object]]
    require: Callable[[bool], Awaitable[None]]


Do = Callable[[Actor, str], Awaitable[Check]]


async def issue(actor: Actor, name: str) -> Check:
    host = f"{name}.example.test"

    async def require(done: bool) -> None:
        query = CertificateQuery(name=NameMatch(GeneralNameKind.DNS, host))
        found = await actor.platform.enrolment.search(DEMO, query)
        assert len(found.entries) == done

    return Check(lambda: actor.issue(host), require)


async def publish(actor: Actor, name: str) -> Check:
    before = await actor.platform.crls.latest(actor.issuer)

    async def require(done: bool) -> None:
        latest = await actor.platform.crls.latest(actor.issuer)
        assert (latest.number > before.number) == done

    return Check(actor.publish, require)


async def open_tenant(actor: Actor, name: str) -> Check:
    tenant = TenantId(f"ten_{name.replace('-', '')}")
    tenants = actor.platform.tenants

    async def require(done: bool) -> None:
        await tenants.complete_openings()
        found = await actor.platform.store.find_tenant(OPERATOR, tenant)
        if found is None:
            assert not done
            await tenants.open_tenant(OPERATOR, name, NONE, tenant)
            found = await actor.platform.store.find_tenant(OPERATOR, tenant)
        assert found is not None
        assert found.state is TenantState.ACTIVE
        await checks.require_whole_tenant(actor.platform, tenant)

    return Check(lambda: tenants.open_tenant(OPERATOR, name, NONE, tenant), require)


# Each engine and each key store once: the store has no part in a signer's death.
@pytest.fixture(params=[COMBINATIONS[0], COMBINATIONS[-1]], ids="-".join)
async def bench(
    request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Bench]:
    engine, keys = request.param
    database = None if engine == "sqlite" else postgres_cluster().migrated_database()
    pkcs11 = None
    if keys == "softhsm2":
        pkcs11 = request.getfixturevalue("token")
        configuration = Path(pkcs11[2]).with_name("softhsm2.conf")
        monkeypatch.setenv("SOFTHSM2_CONF", str(configuration))
    settings = Job(str(folder), database, pkcs11, "bench").settings
    supervisor = SignerSupervisor(settings)
    await supervisor.start()
    platform = await compose(settings, "http://pki.example.test", supervisor.socket)
    await ensure_platform(platform, settings.data)
    await ensure_demo(platform, settings.data)
    yield Bench(platform, supervisor, Ledger(folder))
    await platform.database.close()
    await platform.signer.close()
    await supervisor.stop()
    if database is not None:
        postgres_cluster().drop_database(database)


@pytest.mark.timeout(300)
async def test_a_killed_signer_refuses_or_has_done_and_is_back_soon(
    bench: Bench, request: pytest.FixtureRequest
) -> None:
    points = 0
    for do in (issue, publish, open_tenant):
        for place, moment in plan(do, await bench.calls(do)):
            await bench.kill_within(do, place, moment)
            points += 1
    sys.stdout.write(f"{request.node.name}: {points} points\n")
    assert points >= 20
    assert bench.refused >= 10
    assert bench.done >= 1
    # What a start would do: everything that was signed and lost is void, and nothing else is.
    await _close_blocks(bench.platform)
    await _settle_blocks(bench.platform)
    books = await checks.read_books(bench.platform, bench.ledger, DEMO.tenant)
    await checks.require_settled(bench.platform, books)
    assert books.void
    await checks.require_acknowledged(bench.platform, bench.ledger, sys.maxsize)
    issuer = await demo_issuer(bench.platform)
    await checks.require_in_service(
        Actor(bench.platform, bench.ledger, "end", issuer), bench.ledger
    )
    await checks.require_records(bench.platform)


def plan(do: Do, calls: list[str]) -> list[tuple[int, Moment]]:
    """At which calls to kill the signer, and when."""
    first = sorted({name: place for place, name in reversed(list(enumerate(calls)))}.values())
    if do is not open_tenant:
        # Data keys are unwrapped for any of them: once, in the middle of it.
        unwraps = [place for place in first if calls[place] == "signer.unwrap_data_key"]
        others = [(place, moment) for place in first for moment in Moment if place not in unwraps]
        return [*others, *((place, Moment.DURING) for place in unwraps)]
    # What was made by one run of the signer is used by the next.
    made = [place for place, name in enumerate(calls) if name == "signer.create_key"]
    return [(place, Moment.DURING) for place in first] + [
        (place, Moment.RESTARTED) for place in made
    ]
