"""The Merkle log of a run: opened, kept up, closed."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tegata.kernel.problem import Problem
from tegata.main.composition import Platform
from tegata.main.settings import Settings, SettingsError
from tegata.outbound.witness import HttpWitnessTransport
from tegata.store.log_files import CheckpointMemory, FolderMirror, mirror_checkpoint
from tegata.transparency.checkpoint import log_origin
from tegata.transparency.model import Log
from tegata.transparency.opening import LogOpening
from tegata.transparency.policy import PolicyInvalid, parse_policy
from tegata.transparency.publishing import Publisher
from tegata.transparency.sequencer import LEASE, Sequencer
from tegata.transparency.service import LogService
from tegata.transparency.witnesses import WitnessRound, witnesses_of

_LOG = logging.getLogger(__name__)
# Seconds from the beginning of one turn to that of the next, and at least to its beginning from the
# end of the last: an event is in a checkpoint after two turns at most.
_TICK, _PAUSE = 0.4, 0.1
_SOLE_LEASE = timedelta(days=1)
_FILE = "log-checkpoint"


def _remembering(settings: Settings) -> list[Path]:
    """Where published checkpoints are kept beside the database."""
    folders = [settings.data, *([settings.journal] if settings.journal is not None else [])]
    return [folder / _FILE for folder in folders]


def _opening(platform: Platform, settings: Settings) -> LogOpening:
    mirror = settings.log_folder
    return LogOpening(
        platform.store,
        platform.signer,
        CheckpointMemory([*_remembering(settings), mirror_checkpoint(mirror)]),
        FolderMirror(mirror),
        platform.clock,
        platform.node,
    )


async def require_log(platform: Platform, settings: Settings) -> None:
    """Before anything is done on a database: it has every leaf that was published.

    Raises `LogBehind` when it does not and cannot get them.
    """
    log = await platform.store.find_log()
    if log is not None:
        await _opening(platform, settings).require_current(log)


async def open_log(platform: Platform, settings: Settings, public_url: str) -> LogRun:
    """The log of this run, made if this is the first; its first checkpoint is published."""
    try:
        origin = log_origin(public_url)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    opening = _opening(platform, settings)
    log = await opening.ensure(origin, accept_loss=settings.accept_journal_loss)
    run = LogRun.of(platform, settings, log)
    await run.first_turn()
    return run


def _cosigners(settings: Settings) -> tuple[WitnessRound, HttpWitnessTransport] | None:
    if settings.log_policy is None:
        return None
    try:
        policy = parse_policy(settings.log_policy.read_bytes())
    except (OSError, PolicyInvalid) as error:
        raise SettingsError(f"{settings.log_policy}: {error}") from error
    witnesses = witnesses_of(policy)
    if not witnesses:
        raise SettingsError(f"{settings.log_policy} names no witness with an address")
    transport = HttpWitnessTransport()
    return WitnessRound(witnesses, transport), transport


@dataclass(slots=True)
class LogRun:
    """The log while the platform runs."""

    service: LogService
    _publisher: Publisher
    _sequencer: Sequencer
    _cosigners: tuple[WitnessRound, HttpWitnessTransport] | None
    _stopping: asyncio.Event
    _task: asyncio.Task[None] | None = None
    _trouble: str = ""

    @classmethod
    def of(cls, platform: Platform, settings: Settings, log: Log) -> LogRun:
        """Wire it."""
        store = platform.store
        # Of SQLite's file there is one platform process (`DataLock`): nobody waits for its lease,
        # and an idle platform need not write to keep it.
        lease = LEASE if settings.database is not None else _SOLE_LEASE
        sequencer = Sequencer(store, platform.signer, log, platform.clock, platform.node, lease)
        service, cosigners = LogService(store, log), _cosigners(settings)
        publisher = Publisher(
            sequencer,
            service,
            store,
            CheckpointMemory(_remembering(settings)),
            FolderMirror(settings.log_folder),
            cosigners[0] if cosigners is not None else None,
        )
        return cls(service, publisher, sequencer, cosigners, asyncio.Event())

    async def first_turn(self) -> None:
        """Have a checkpoint before anybody asks for one."""
        await self.service.refresh()
        await self._turn()

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    async def stop(self, *, served: bool) -> None:
        """Sequence what is there, then let another node go on. Nothing is written to a database
        that must not be served."""
        if self._task is not None and not served:
            self._task.cancel()
        self._stopping.set()
        if self._task is not None:
            await asyncio.wait([self._task])
        try:
            if served:
                await self._sequencer.stop()
        except Problem as problem:
            _LOG.warning("the lease of the log could not be given back: %s", problem)
        if self._cosigners is not None:
            await self._cosigners[0].stop()
            self._cosigners[1].close()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            last, due = self._stopping.is_set(), loop.time() + _TICK
            await self._turn()
            if last:
                return
            try:
                async with asyncio.timeout(max(due - loop.time(), _PAUSE)):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    async def _turn(self) -> None:
        try:
            await self._publisher.turn()
        except (Problem, OSError) as error:
            if str(error) != self._trouble:
                _LOG.error("the log does not go on: %s", error)
            self._trouble = str(error)
        except Exception:  # noqa: BLE001
            # A bug must not end the log for ever: the next turn begins from the store.
            _LOG.exception("a turn of the log failed")
        else:
            if self._trouble:
                _LOG.warning("the log goes on")
            self._trouble = ""
