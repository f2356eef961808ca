"""One life of the platform: look at what the last one left, then act until it is killed."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from tegata.kernel.ids import IssuerId, TenantId
from tegata.main.bootstrap import DEMO_TENANT, ensure_demo, ensure_platform
from tegata.main.composition import Platform, compose
from tegata.main.restore import recover
from tegata.main.serve import _close_blocks, _settle_blocks
from tegata.main.settings import Address, Pkcs11Settings, Settings
from tegata.store.migrate import migrate_sqlite
from tests.crash import checks
from tests.crash.catalogue import SCENARIOS
from tests.crash.gate import KillGate, interpose
from tests.crash.ledger import Ledger
from tests.crash.scenarios import Actor, demo_issuer
from tests.crash.signing import ForkedSigner, fork_signer

ANYWHERE = Address("127.0.0.1", 0)


@dataclass(frozen=True, slots=True)
class Job:
    """What a life is for. Without a scenario it looks and ends; without `kill_at` it lives on."""

    folder: str
    database: str | None
    pkcs11: tuple[str, str, str] | None
    tag: str
    scenario: str | None = None
    kill_at: int | None = None

    @property
    def settings(self) -> Settings:
        """The platform's."""
        token = None
        if self.pkcs11 is not None:
            module, label, pin_file = self.pkcs11
            token = Pkcs11Settings(module, label, Path(pin_file))
        return Settings(
            data=Path(self.folder) / "data",
            listen=ANYWHERE,
            public_listen=ANYWHERE,
            database=self.database,
            pkcs11=token,
            disk_reserve=0,
        )

    @property
    def report(self) -> Path:
        """Where the life writes what it found and did."""
        return Path(self.folder) / "report.json"


def warm_up() -> None:
    """Import what a start imports late; nothing of it is still running afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        migrate_sqlite(Path(folder) / "warm.sqlite")


def live(job: Job) -> None:
    """Live, in a process that has started nothing and ends afterwards."""
    log = os.open(Path(job.folder) / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    logging.basicConfig(level=logging.INFO, format=f"{job.tag} %(name)s %(levelname)s %(message)s")
    ledger = Ledger(Path(job.folder))
    signer = fork_signer(job.settings, ledger)
    uvloop.run(_Life(job, ledger).live(signer))
    signer.end()


class _Life:
    def __init__(self, job: Job, ledger: Ledger) -> None:
        self._job = job
        self._ledger = ledger
        self._report: dict[str, Any] = {"wrong": "", "points": [], "killed": None}

    async def live(self, signer: ForkedSigner) -> None:
        settings = self._job.settings
        platform = await compose(settings, "http://pki.example.test", signer.socket)
        try:
            await self._look(platform)
        except Exception:  # noqa: BLE001  # the test shows it
            self._report["wrong"] = traceback.format_exc()
        self._write()
        if self._job.scenario is not None and not self._report["wrong"]:
            await self._act(platform, self._job.scenario)
        await _close_blocks(platform)
        await platform.database.close()
        await platform.signer.close()

    def _note(self, point: str) -> None:
        self._report["killed"] = point
        self._write()

    def _write(self) -> None:
        self._job.report.write_text(json.dumps(self._report))

    async def _look(self, platform: Platform) -> None:
        """As `serve` starts; and what must hold before and after its steps."""
        intent = self._ledger.last_intent()
        tenants = [DEMO_TENANT]
        if intent is not None and "tenant" in intent:
            tenants.append(TenantId(intent["tenant"]))
        opened = [tenant for tenant in tenants if await platform.store.is_open(tenant)]
        known: set[tuple[IssuerId, int]] = set()
        for tenant in opened:
            books = await checks.read_books(platform, self._ledger, tenant)
            await checks.require_reserved(platform, books)
            known |= books.void
        await recover(platform, self._job.settings, asyncio.Event())
        await _settle_blocks(platform)
        void: set[tuple[IssuerId, int]] = set()
        for tenant in opened:
            books = await checks.read_books(platform, self._ledger, tenant)
            await checks.require_settled(platform, books)
            void |= books.void - known
        await platform.tenants.complete_openings()
        await ensure_platform(platform, self._job.settings.data)
        demo = await ensure_demo(platform, self._job.settings.data)
        if intent is None:
            return
        actor = Actor(platform, self._ledger, f"{self._job.tag}-after", demo.issuer.id)
        # The last life, which is for nothing else, looks at everything.
        newest = _NEWEST if self._job.scenario is not None else sys.maxsize
        await checks.require_acknowledged(platform, self._ledger, newest)
        of_demo = [serial for owner, serial in void if owner == actor.issuer]
        await checks.require_answers(platform, actor.issuer, of_demo, [])
        self._report["void"] = len(void)
        self._report["untold"] = await checks.require_intended(actor, self._ledger, intent)
        await checks.require_in_service(actor, self._ledger)
        await checks.require_records(platform)

    async def _act(self, platform: Platform, scenario: str) -> None:
        await _close_blocks(platform)
        gate = KillGate(self._job.kill_at, self._note)
        gated = interpose(platform, gate)
        issuer = await demo_issuer(platform)
        actor = Actor(gated, self._ledger, self._job.tag, issuer)
        before = Actor(platform, self._ledger, self._job.tag, issuer)
        act = await SCENARIOS[scenario](actor, before)
        gate.arm()
        await act()
        gate.reach("acknowledged")
        gate.disarm()
        self._report["points"] = gate.points
        self._write()
        await _close_blocks(gated)


# Of how many certificates each life makes sure; the last one makes sure of all.
_NEWEST = 25
