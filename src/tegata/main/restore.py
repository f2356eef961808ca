"""A start on a database that was restored, and the watch for one while the platform runs."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from pathlib import Path

from tegata.kernel.ids import NodeId
from tegata.kernel.problem import Problem
from tegata.kernel.scope import platform_acts
from tegata.main.composition import Platform
from tegata.main.settings import Settings
from tegata.operations.model import RestoreRefused

_LOG = logging.getLogger(__name__)
_BLOCKS_AT_ONCE = 500
_LOOK_SECONDS = 1.0
_BEAT = timedelta(minutes=1)


async def recover(platform: Platform, settings: Settings, stop: asyncio.Event) -> bool:
    """Bring back what a restored database lacks; whether it was one."""
    recovered = await platform.recovery.recover(accept_loss=settings.accept_journal_loss)
    for node in settings.write_off_nodes:
        await platform.recovery.write_off(NodeId(node))
    waiting = asyncio.create_task(platform.recovery.wait_for_others())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait((waiting, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not waiting.done():
        waiting.cancel()
        raise RestoreRefused("stopped before every node's journal was in the database")
    await waiting
    restored = bool(recovered.restored or recovered.lost or recovered.replayed)
    await adopt_blocks(platform, restored=restored)
    return restored


async def adopt_blocks(platform: Platform, *, restored: bool) -> None:
    """Have the blocks of serials that the signer has reserved and the database lacks: there may
    be certificates under them that nobody has a record of. Settling makes them void."""
    node = (await platform.store.nodes())[platform.node]
    place, adopted, unknown = node.blocks_until, 0, 0
    while found := await platform.signer.reserved_after(place, _BLOCKS_AT_ONCE):
        for each in found:
            had = await platform.store.adopt_block(
                each.tenant, each.key, each.block, each.shard, platform.node
            )
            adopted += had is True
            unknown += had is None
        place = found[-1].end
    if place != node.blocks_until:
        await platform.store.move_blocks(platform.node, place)
    if adopted:
        _LOG.warning("%d blocks of serials were not in the database", adopted)
    if unknown and restored:
        _LOG.error("%d blocks of serials are of issuers that the database has not", unknown)
    if adopted and restored:
        _LOG.error("certificates issued since the backup have no record; they become void")


async def note_blocks(platform: Platform, journal: Path) -> None:
    """After an orderly end: every block of the signer's journal is in the database."""
    await platform.store.move_blocks(platform.node, journal.stat().st_size)


async def replace_stale_lists(platform: Platform) -> None:
    """A CRL from before the restore may lack a revocation: none is served any more."""
    for tenant, issuer in await platform.store.all_issuers():
        await platform.crls.replace_all(platform_acts(tenant, "restore"), issuer)


class RestoreWatch:
    """Looks every second whether the database is still the one that it was."""

    def __init__(self, platform: Platform, stop: asyncio.Event) -> None:
        self._platform = platform
        self._stop_platform = stop
        self._beat_due = platform.clock.now() + _BEAT
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.refused: RestoreRefused | None = None

    async def start(self) -> None:
        """Begin."""
        await self._platform.keeper.begin()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Say once more how far this node is, then end."""
        self._stopping.set()
        if self._task is not None:
            await self._task

    def require_same_database(self) -> None:
        """`RestoreRefused` when the platform stops because its database was replaced."""
        if self.refused is not None:
            raise self.refused

    async def _run(self) -> None:
        blind = False
        while self.refused is None:
            last = self._stopping.is_set()
            try:
                await self._look()
                blind = False
            except Problem as problem:
                if not blind:
                    _LOG.warning("the other nodes cannot be looked at: %s", problem)
                blind = True
            except RestoreRefused as refused:
                _LOG.error("%s", refused)
                self.refused = refused
                self._stop_platform.set()
            if last:
                return
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    async def _look(self) -> None:
        now = self._platform.clock.now()
        beat = now >= self._beat_due
        if beat:
            self._beat_due = now + _BEAT
        await self._platform.keeper.look(beat=beat)
