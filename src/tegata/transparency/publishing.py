"""Publication: what is signed becomes visible, first where it must last, then to the world."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from tegata.kernel.problem import Problem
from tegata.transparency.model import Published
from tegata.transparency.note import join
from tegata.transparency.ports import Cosigners, LogStore, Memory, Mirror
from tegata.transparency.sequencer import Sequencer
from tegata.transparency.service import LogService

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Publisher:
    """Takes the sequencer's turns on one node; on the others it sees what that one publishes."""

    sequencer: Sequencer
    service: LogService
    store: LogStore
    memory: Memory
    mirror: Mirror | None
    cosigners: Cosigners | None
    _mirror_fails: bool = False

    async def turn(self) -> bool:
        """Sequence, sign and publish what waits; whether anything was published here."""
        published = await self.sequencer.turn()
        if published is None:
            if not self.sequencer.reigns:
                await self._follow()
            return False
        # Outside the database before anybody sees it: then a restored database is known for one,
        # and what it lacks is there.
        mirrored, kept = await asyncio.gather(
            self._mirror_tiles(published), self._remembered(published)
        )
        if not await self.sequencer.keep(kept):
            return False
        self.service.show(kept)
        if mirrored:
            await self._mirror_checkpoint(kept)
        return True

    async def _follow(self) -> None:
        before = self.service.published
        await self.service.refresh()
        now = self.service.published
        if now is None or now is before:
            return
        # Each node has its own copy: any of them may be the one that a restore begins with.
        mirrored = await self._mirror_tiles(now)
        await self.memory.remember(now.octets)
        if mirrored:
            await self._mirror_checkpoint(now)

    async def _remembered(self, signed: Published) -> Published:
        published = await self._cosigned(signed)
        await self.memory.remember(published.octets)
        return published

    async def _cosigned(self, published: Published) -> Published:
        if self.cosigners is None:
            return published
        more = await self.cosigners.cosign(published, self.store)
        return Published.of(join(published.note.text, (*published.note.signatures, *more)))

    async def _mirror_tiles(self, published: Published) -> bool:
        if self.mirror is None:
            return False
        try:
            await self.mirror.write_tiles(published.checkpoint, self.store)
        except (OSError, Problem) as error:
            self._say_mirror_fails(error)
            return False
        return True

    async def _mirror_checkpoint(self, published: Published) -> None:
        assert self.mirror is not None
        try:
            await self.mirror.write_checkpoint(published.octets, published.checkpoint.size)
        except OSError as error:
            self._say_mirror_fails(error)
            return
        if self._mirror_fails:
            _LOG.warning("the mirror of the log is written again")
        self._mirror_fails = False

    def _say_mirror_fails(self, error: Exception) -> None:
        if not self._mirror_fails:
            _LOG.error("the mirror of the log cannot be written, and falls behind: %s", error)
        self._mirror_fails = True
