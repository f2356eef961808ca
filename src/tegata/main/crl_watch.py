"""How a running platform has its published CRLs looked at from outside."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from datetime import timedelta
from pathlib import Path

from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import TenantId
from tegata.kernel.scope import platform_acts
from tegata.main.composition import Platform
from tegata.main.crl_checker import ALARMED

_LOG = logging.getLogger(__name__)
CHECKER = "tegata.main.crl_checker"
PERIOD = timedelta(minutes=5)


class CrlWatch:
    """Runs the checker now and then; what it finds is logged and stands in the tenant's record."""

    def __init__(self, platform: Platform, public_url: str, data: Path) -> None:
        self._platform = platform
        self._public_url = public_url
        self._folder = data / "crl-check"
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End, and the checker with it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        while True:
            await asyncio.sleep(PERIOD.total_seconds())
            try:
                await self.look()
            except Exception:  # noqa: BLE001
                # The watch goes on, whatever one look comes to.
                _LOG.exception("the CRL check failed")

    async def look(self) -> int:
        """Run the checker once; how many alarms it raised."""
        tenants = {issuer: tenant for tenant, issuer in await self._platform.store.all_issuers()}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            CHECKER,
            "--url",
            self._public_url,
            "--state",
            str(self._folder),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            out, _errors = await process.communicate("\n".join(tenants).encode())
        except asyncio.CancelledError:
            process.kill()
            raise
        if process.returncode not in (0, ALARMED):
            _LOG.error("the CRL check ended with %s", process.returncode)
        alarms = [json.loads(line) for line in out.splitlines()]
        for alarm in alarms:
            _LOG.error("CRL alarm: %(code)s at %(url)s: %(message)s", alarm)
            owner = next(
                (owner for issuer, owner in tenants.items() if issuer in alarm["url"]), None
            )
            if owner is not None:
                await self._record(owner, alarm)
        return len(alarms)

    async def _record(self, tenant: TenantId, alarm: dict[str, str]) -> None:
        scope = platform_acts(tenant, "crl-check")
        async with self._platform.store.open_unit(scope, essential=True) as unit:
            unit.essential()
            unit.audit(
                AuditEvent(
                    actor=scope.actor,
                    action="revocation:crl:alarm",
                    decision=Decision.REFUSED,
                    subject=f"url:{alarm['url']}",
                    request_digest=bytes(32),
                    code=alarm["code"],
                    private={"message": alarm["message"]},
                )
            )
            await unit.commit()
