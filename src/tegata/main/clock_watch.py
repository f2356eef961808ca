"""Looks every second at the clock that time-stamps are made by: a jump between two requests must
not go unseen. What it finds stands in the operator's record."""

from __future__ import annotations

import asyncio
import logging

from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.problem import Problem
from tegata.kernel.scope import PLATFORM_TENANT, platform_acts
from tegata.main.composition import Platform
from tegata.timestamping.model import ClockReading, ClockTrust

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0


class ClockWatch:
    """Records when the clock stops being trusted, and when it is again."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._task: asyncio.Task[None] | None = None
        self._recorded: str | None = None

    async def start(self) -> None:
        """Begin."""
        if self._platform.stamps.clock.trust is ClockTrust.ASSUMED:
            _LOG.warning(
                "the clock is assumed to be right (--clock-trust): time-stamps state no accuracy"
            )
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except Problem as problem:
                _LOG.error("the state of the clock cannot be recorded: %s", problem)
            except Exception:  # noqa: BLE001
                _LOG.exception("the watch of the clock failed")
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self) -> None:
        """Read the clock, and record what has changed."""
        reading = self._platform.stamps.clock.read()
        state = "trusted" if reading.fault is None else reading.fault.value
        if state == self._recorded:
            return
        # A clock that was right from the start is no news.
        if self._recorded is not None or reading.fault is not None:
            await self._record(reading, state)
        self._recorded = state

    async def _record(self, reading: ClockReading, state: str) -> None:
        private = {"state": state}
        if reading.jump:
            private["jump"] = f"{reading.jump.total_seconds():+.6f} s"
        _LOG.warning("the clock for time-stamps: %s", " ".join(private.values()))
        scope = platform_acts(PLATFORM_TENANT, "clock")
        async with self._platform.store.open_unit(scope, essential=True) as unit:
            unit.essential()
            unit.audit(
                AuditEvent(
                    actor=scope.actor,
                    action="timestamping:clock:trust"
                    if reading.fault is None
                    else "timestamping:clock:distrust",
                    decision=Decision.ALLOWED,
                    subject="clock:",
                    request_digest=bytes(32),
                    code="" if reading.fault is None else f"clock.{state}",
                    private=private,
                )
            )
            await unit.commit()
