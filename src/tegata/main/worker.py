"""The worker: runs what is due, which nobody waits for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from tegata.kernel.problem import Problem, ProblemCode
from tegata.main.composition import Platform
from tegata.main.timetable import AnchorTurn, Timetable
from tegata.revocation.rules import CRL_PERIOD
from tegata.store import jobs
from tegata.store.jobs import Job

_LOG = logging.getLogger(__name__)
# A revocation stands in the CRL about this long after it is in OCSP.
_TICK = 0.5
_UPKEEP = timedelta(minutes=10)
# Seconds between two looks at the feed of status changes, and how far back each goes: longer than
# a commit takes, and than the clocks of two nodes differ.
_FEED_TICK = 1.0
_FEED_BACK = timedelta(seconds=30)
_FEED_KEPT = timedelta(days=1)
Upkeep = Callable[[], Awaitable[None]]
_RETRY = timedelta(seconds=5)


class Worker:
    """Runs due jobs, one after the other, and the upkeep. Long jobs run one at a time beside."""

    def __init__(
        self, platform: Platform, upkeep: Upkeep, anchor: AnchorTurn, measures: bool
    ) -> None:
        self._platform = platform
        self._timetable = Timetable(platform, anchor, measures=measures)
        self._upkeep = upkeep
        self._task: asyncio.Task[None] | None = None
        self._long: dict[str, asyncio.Task[None]] = {}
        self._upkeep_due = platform.clock.now() + _UPKEEP
        self._stopping = asyncio.Event()

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Finish the job under way, then end."""
        self._stopping.set()
        if self._task is not None:
            await self._task
        for task in self._long.values():
            await task

    async def _run(self) -> None:
        while not self._stopping.is_set():
            more = False
            try:
                more = await self._turn()
            except Problem as problem:
                _LOG.warning("the timetable waits: %s", problem)
            except Exception:  # noqa: BLE001
                # A bug in one job must not stop the others for ever.
                _LOG.exception("the timetable failed")
            if more:
                continue
            try:
                async with asyncio.timeout(_TICK):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    async def _turn(self) -> bool:
        """Do what is due; whether more may be."""
        now = self._platform.clock.now()
        if now >= self._upkeep_due:
            self._upkeep_due = now + _UPKEEP
            await self._upkeep()
            await self._platform.status_feed.forget(now - _FEED_KEPT)
        for kind in jobs.LONG:
            if kind not in self._long or self._long[kind].done():
                # Claimed before the others: a delta is best made after its complete list.
                claimed = await self._platform.jobs.claim(now, long=kind)
                if claimed:
                    self._long[kind] = asyncio.create_task(self._run_long(kind, claimed))
        claimed = await self._platform.jobs.claim(now)
        await self._run_jobs(claimed)
        return len(claimed) == jobs.AT_ONCE

    async def _run_long(self, kind: str, claimed: Sequence[Job]) -> None:
        """Do the long jobs of a kind, one after the other, as long as any is due."""
        while claimed:
            await self._run_jobs(claimed)
            if self._stopping.is_set():
                return
            try:
                claimed = await self._platform.jobs.claim(self._platform.clock.now(), long=kind)
            except Problem as problem:
                _LOG.warning("the timetable waits: %s", problem)
                return

    async def _run_jobs(self, claimed: Sequence[Job]) -> None:
        for job in claimed:
            now = self._platform.clock.now()
            try:
                again = await self._timetable.perform(job, now)
            except Problem as problem:
                _LOG.warning("%s %s failed: %s", job.kind, job.key, problem)
                # A crash may have come between an issuer's serials and the issuer.
                is_unborn = problem.code is ProblemCode.ISSUER_UNKNOWN
                pause = CRL_PERIOD if is_unborn else _RETRY * min(job.tries, 12)
                await self._platform.jobs.fail(job, now + pause)
            except Exception:  # noqa: BLE001
                # A bug in one job must not stop the others for ever.
                _LOG.exception("%s %s failed", job.kind, job.key)
                await self._platform.jobs.fail(job, now + _RETRY * min(job.tries, 12))
            else:
                await self._platform.jobs.finish(job, again)


class StatusWatch:
    """Withdraws pre-signed answers about certificates whose status another node changed, and
    learns who has been stopped."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._task: asyncio.Task[None] | None = None
        # The last instant up to which everything has been seen.
        self._seen = platform.clock.now()

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            try:
                await self._look()
            except Problem as problem:
                _LOG.error("status changes of other nodes cannot be seen: %s", problem)
            except Exception:  # noqa: BLE001
                # Whatever is wrong, the next look may see what this one missed.
                _LOG.exception("the feed of status changes failed")
            await asyncio.sleep(_FEED_TICK)

    async def _look(self) -> None:
        platform, now = self._platform, self._platform.clock.now()
        await platform.authorities.refresh()
        changes = await platform.status_feed.changes(self._seen - _FEED_BACK)
        if changes is None:
            platform.presigned.clear()
        else:
            for issuer, serial in changes:
                platform.presigned.withdraw(issuer, serial)
        self._seen = now
