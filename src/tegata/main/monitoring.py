"""What a platform does to be watched: canary tenants, the watchdog, the monitor as a child."""

from __future__ import annotations

import asyncio
import logging
import sys
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from tegata.compliance.canaries import CanaryWatchdog
from tegata.compliance.controls import PROBES
from tegata.kernel.ids import IssuerId, TenantId
from tegata.kernel.problem import Problem
from tegata.kernel.scope import CANARY_TENANTS, PLATFORM_TENANT, platform_acts
from tegata.main.bootstrap import ensure_tenant, ensure_token, write_private
from tegata.main.composition import Platform
from tegata.main.monitor import TOKEN_FILES
from tegata.main.settings import MonitorMode, Settings
from tegata.store import jobs
from tegata.tenancy.model import Action

_LOG = logging.getLogger(__name__)
MODULE = "tegata.main.monitor"
_SWEEP_SECONDS = 1.0
_RESTART_SECONDS = 5.0
# The first look of local probes: their first canary comes with it.
_FIRST = timedelta(seconds=1)


async def ensure_canaries(platform: Platform, data: Path) -> None:
    """The two canary tenants with what can be attacked, and the monitor's three tokens."""
    folder = data / "monitor"
    folder.mkdir(mode=0o700, exist_ok=True)
    for number, tenant in enumerate(CANARY_TENANTS, 1):
        issuer = await ensure_tenant(platform, tenant, f"tegata canary {number}, no customer")
        scope = platform_acts(tenant, "bootstrap")
        await ensure_token(platform, scope, "canary: monitor", folder / TOKEN_FILES[number - 1])
        await _ensure_certificate(platform, tenant, issuer.id)
    await _ensure_collector(platform, folder / TOKEN_FILES[2])


async def _ensure_collector(platform: Platform, file: Path) -> None:
    if not file.exists():
        scope = platform_acts(PLATFORM_TENANT, "bootstrap")
        _token, text = await platform.tokens.create(
            scope, "collector: monitor", {Action.EVIDENCE_SUBMIT}
        )
        write_private(file, text.encode() + b"\n")


async def _ensure_certificate(platform: Platform, tenant: TenantId, issuer: IssuerId) -> None:
    scope = platform_acts(tenant, "bootstrap")
    key = f"canary {platform.clock.now():%Y-%m}"
    csr = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(f"{tenant[4:]}.canary.invalid")]), True
        )
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )
    try:
        await platform.enrolment.request_certificate(
            scope, issuer, "tls-server", csr.public_bytes(Encoding.PEM).decode(), bytes(32), key
        )
    except Problem as problem:
        # One a month is enough, and without one the attacks only have fewer targets.
        _LOG.info("no new certificate for %s: %s", tenant, problem.code)


async def open_monitoring(platform: Platform, settings: Settings) -> Monitoring:
    """What watches a platform, with all that it needs."""
    if settings.monitor is not MonitorMode.OFF:
        await ensure_canaries(platform, settings.data)
    return Monitoring(platform, settings.monitor, settings.data)


class Monitoring:
    """The watchdog of planted faults, the timetable of local probes, and the monitor."""

    def __init__(self, platform: Platform, mode: MonitorMode, data: Path) -> None:
        self._platform = platform
        self._mode = mode
        self._data = data
        self._tasks: list[asyncio.Task[None]] = []
        self._watchdog = CanaryWatchdog(
            platform.store,
            platform.ground,
            platform.evidence,
            platform.clock,
            platform.clock.now(),
        )

    @property
    def measures(self) -> bool:
        """Whether promises are measured at all."""
        return self._mode is not MonitorMode.OFF

    async def start(self) -> None:
        """Begin, when the doors are open and the context is written."""
        # Also without a monitor: what an earlier run planted is taken away.
        self._tasks.append(asyncio.create_task(self._sweep()))
        if self._mode is MonitorMode.OFF:
            return
        first = self._platform.clock.now() + _FIRST
        for name, (_control, probe) in PROBES.items():
            await self._platform.jobs.want(jobs.CANARY_JOB, name, PLATFORM_TENANT, first)
            if not probe.remote:
                await self._platform.jobs.want(jobs.PROBE_JOB, name, PLATFORM_TENANT, first)
        if self._mode is MonitorMode.CHILD:
            self._tasks.append(asyncio.create_task(self._watch()))

    async def stop(self) -> None:
        """End, and the child with it."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _sweep(self) -> None:
        while True:
            try:
                await self._watchdog.sweep()
            except Problem as problem:
                _LOG.error("planted faults cannot be looked after: %s", problem)
            except Exception:  # noqa: BLE001
                # The next sweep may do what this one could not.
                _LOG.exception("the watchdog of planted faults failed")
            await asyncio.sleep(_SWEEP_SECONDS)

    async def _watch(self) -> None:
        while True:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", MODULE,
                "--context", str(self._data / "context.json"),
                "--tokens", str(self._data / "monitor"),
                "--while-stdin",
                stdin=asyncio.subprocess.PIPE,
            )  # fmt: skip
            try:
                ended = await process.wait()
            except asyncio.CancelledError:
                process.kill()
                await process.wait()
                raise
            _LOG.error("the monitor ended with %s and is started again", ended)
            await asyncio.sleep(_RESTART_SECONDS)


async def run_probe(platform: Platform, name: str, now: datetime) -> datetime:
    """Do a local probe's job; when it is due again."""
    observation = await platform.ground.observe(name)
    await platform.evidence.collect(observation, platform.collector)
    return now + PROBES[name][1].period


async def plant_canary(platform: Platform, name: str, now: datetime) -> datetime:
    """Plant a probe's fault; when it is due again. A local probe looks at once."""
    planted = await platform.canaries.plant(name)
    if planted is not None and not PROBES[name][1].remote:
        await platform.jobs.want(jobs.PROBE_JOB, name, PLATFORM_TENANT, now)
    return now + PROBES[name][1].canary.period
