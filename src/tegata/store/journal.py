"""A node's journal of negative acts, outside the database (ADR 15).

Records are written and flushed in groups by one thread; whoever waits shares the flush. Each has a
place: 1, 2, 3 … over all segments. Segments whose acts all stand in the database, and that are
older than any backup may be, are deleted.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import msgspec

from tegata.kernel.ids import NodeId
from tegata.kernel.negative import ActPlace, NegativeAct
from tegata.kernel.ports import Clock
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.signing import Sealer
from tegata.operations.model import JournalView, Standing
from tegata.store import journal_files as files
from tegata.store.disk import DiskReserve
from tegata.store.journal_records import (
    DECODER,
    Act,
    Ended,
    Reading,
    Record,
    Seen,
    Start,
    context,
)

_LOG = logging.getLogger(__name__)
JOURNAL_DAYS = 90
_SEGMENT_OCTETS = 4 * 1024 * 1024
_SEGMENT_SECONDS = 86_400
_GROUP_MAXIMUM = 256


class JournalKeys(Protocol):
    """The key under which a node's journal is sealed."""

    async def create(self, node: NodeId) -> tuple[bytes, Sealer]:
        """A new key, wrapped, and its sealer."""
        ...

    async def open(self, node: NodeId, wrapped: bytes) -> Sealer:
        """The sealer of a wrapped key, or `Problem(key.purpose-refused)`."""
        ...


@dataclass(slots=True, eq=False)
class _Order:
    records: list[Record]
    durable: bool
    done: asyncio.Future[list[int]]


class _Folder:
    """One copy that is being written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = -1

    def open(self, first: int, octets: bytes) -> None:
        """Begin a segment, whole and durable."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self.path / files.segment_name(first)
        temporary = self.path / "segment.new"
        files.write_whole(temporary, octets)
        temporary.replace(file)
        files.flush_folder(self.path)
        self.close()
        self.descriptor = os.open(file, os.O_WRONLY | os.O_APPEND)

    def append(self, octets: bytes, *, durable: bool) -> None:
        """Add frames; on an error the segment ends where it ended."""
        end = os.fstat(self.descriptor).st_size
        try:
            if os.write(self.descriptor, octets) != len(octets):
                raise OSError(errno.ENOSPC, "a short write")  # noqa: TRY301 (mended below)
            if durable:
                os.fdatasync(self.descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self.descriptor, end)
                os.fdatasync(self.descriptor)
            raise

    def close(self) -> None:
        """End the segment, flushed."""
        if self.descriptor >= 0:
            os.fdatasync(self.descriptor)
            os.close(self.descriptor)
            self.descriptor = -1


class Journal:
    """Implements what units and recovery ask of a node's journal."""

    def __init__(
        self,
        node: NodeId,
        view: JournalView,
        folders: Sequence[Path],
        key: tuple[bytes, Sealer],
        keys: JournalKeys,
        reserve: DiskReserve,
        clock: Clock,
        days: int,
    ) -> None:
        self._clock = clock
        self.view = view
        self._node = node
        self._folders = [_Folder(path) for path in folders]
        self._wrapped, self._sealer = key
        self._keys = keys
        self._reserve = reserve
        self._kept_seconds = days * 86_400
        self._next = view.last + 1
        self._octets = 0
        self._opened_at = 0.0
        self._started = Start(view.started, completed=True)
        self._seen = {
            name: Seen(name, at.generation, at.mark, at.beat) for name, at in view.seen.items()
        }
        # Acts whose outcome is open, and the last of all acts.
        self._open: set[int] = set()
        self._last_act = 0
        self._waiting: deque[_Order] = deque()
        self._writing: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "negative-acts")

    async def begin(self, acts: Sequence[NegativeAct]) -> Sequence[ActPlace]:
        """Make acts durable before they are done."""
        records: list[Record] = [
            Act(act.kind.value, act.tenant, act.subject, dict(act.values)) for act in acts
        ]
        return [ActPlace(self._node, place) for place in await self._write(records, durable=True)]

    async def end(self, places: Sequence[ActPlace], *, done: bool, lifts: bool) -> None:
        """Say that acts were done, or refused; durable on return when they lift others."""
        numbers = [place.place for place in places]
        if lifts or not done:
            try:
                await self._write([Ended(numbers, done)], durable=lifts)
            except Problem:
                if done:
                    raise
                # A refused act that is done again at the next start does no harm.
                _LOG.exception("that an act was refused could not be journaled")
        self._open.difference_update(numbers)

    async def start(self, generation: int, *, completed: bool) -> None:
        """Say, durably, that a start has begun, or was completed."""
        await self._write([Start(generation, completed)], durable=True)

    async def see(self, node: NodeId, standing: Standing) -> None:
        """Note how far a node is in the database."""
        record = Seen(node, standing.generation, standing.mark, standing.beat)
        await self._write([record], durable=False)
        if node == self._node:
            await self._run(self._forget, standing.mark)

    def settled(self) -> int:
        """The place up to which every act is settled."""
        return min(self._open) - 1 if self._open else self._last_act

    async def replace(self, first: int) -> None:
        """Set a journal that cannot be used aside, and begin another at a place."""
        self._wrapped, self._sealer = await self._keys.create(self._node)
        self._next = first
        await self._run(self._set_aside)

    async def begin_run(self) -> None:
        """Be ready for acts, in a segment of its own."""
        await self._run(self._open_segment)

    async def close(self) -> None:
        """Write what waits, then close."""
        if self._writing is not None:
            await self._writing
        await self._run(self._close)
        self._thread.shutdown()

    async def _run(self, work: Callable[..., None], *arguments: int) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, work, *arguments)

    async def _write(self, records: list[Record], *, durable: bool) -> list[int]:
        order = _Order(records, durable, asyncio.get_running_loop().create_future())
        self._waiting.append(order)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        return await order.done

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            many = min(len(self._waiting), _GROUP_MAXIMUM)
            group = [self._waiting.popleft() for _ in range(many)]
            records = [record for order in group for record in order.records]
            durable = any(order.durable for order in group)
            try:
                first = await loop.run_in_executor(self._thread, self._append, records, durable)
            except OSError as error:
                for order in group:
                    if not order.done.done():
                        order.done.set_exception(_problem(error))
                continue
            for order in group:
                places = list(range(first, first + len(order.records)))
                first += len(places)
                if isinstance(order.records[0], Act):
                    self._open.update(places)
                    self._last_act = places[-1]
                if not order.done.done():
                    order.done.set_result(places)

    def _append(self, records: Sequence[Record], durable: bool) -> int:
        old = self._now() - self._opened_at > _SEGMENT_SECONDS
        if not self._octets or old or self._octets > _SEGMENT_OCTETS:
            self._open_segment()
        octets = b"".join(
            self._frame(record, self._next + number) for number, record in enumerate(records)
        )
        try:
            self._append_everywhere(octets, durable=durable)
        except OSError:
            if not self._reserve.release():
                raise
            self._append_everywhere(octets, durable=durable)
        for record in records:
            self._remember(record)
        first, self._next = self._next, self._next + len(records)
        self._octets += len(octets)
        return first

    def _append_everywhere(self, octets: bytes, *, durable: bool) -> None:
        failed: OSError | None = None
        good = []
        for folder in self._folders:
            try:
                folder.append(octets, durable=durable)
                good.append(folder)
            except OSError as error:
                failed = error
        if failed is not None and not good:
            raise failed
        if failed is not None:
            # One durable copy is enough to acknowledge; the other is made again at next start.
            _LOG.error("a copy of the journal cannot be written, and is given up: %s", failed)
            self._folders = good

    def _frame(self, record: Record, place: int) -> bytes:
        sealed = self._sealer.seal(msgspec.msgpack.encode(record), context(place))
        return files.frame(sealed)

    def _remember(self, record: Record) -> None:
        if isinstance(record, Start) and record.completed:
            self._started = record
        elif isinstance(record, Seen):
            self._seen[NodeId(record.node)] = record

    def _open_segment(self) -> None:
        """A new segment, which begins with what older ones, once deleted, would have told."""
        told: list[Record] = [
            Start(self._started.generation, completed=False),
            self._started,
            *self._seen.values(),
        ]
        octets = files.header(self._node, self._next, self._wrapped) + b"".join(
            self._frame(record, self._next + number) for number, record in enumerate(told)
        )
        for folder in self._folders:
            folder.open(self._next, octets)
        self._next += len(told)
        self._octets, self._opened_at = len(octets), self._now()

    def _set_aside(self) -> None:
        for folder in self._folders:
            folder.close()
            if not files.segments(folder.path):
                continue
            aside = folder.path / f"lost-{self._next:020d}"
            aside.mkdir(mode=0o700, exist_ok=True)
            for file in files.segments(folder.path):
                file.replace(aside / file.name)

    def _forget(self, mark: int) -> None:
        before = self._now() - self._kept_seconds
        for folder in self._folders:
            present = files.segments(folder.path)
            for file, following in pairwise(present):
                settled = int(following.name.partition(".")[0]) <= mark
                if settled and file.stat().st_mtime < before:
                    file.unlink()

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _close(self) -> None:
        for folder in self._folders:
            with suppress(OSError):
                folder.close()


async def open_journal(
    node: NodeId,
    folders: Sequence[Path],
    keys: JournalKeys,
    reserve: DiskReserve,
    clock: Clock,
    days: int = JOURNAL_DAYS,
) -> Journal:
    """Read a node's journal from its copies, and mend copies that are behind."""
    copies = await asyncio.to_thread(lambda: [files.read_copy(folder) for folder in folders])
    best = files.choose(copies)
    if not best.present:
        key = await keys.create(node)
        return Journal(node, JournalView(present=False), folders, key, keys, reserve, clock, days)
    view, key = await _view(node, best, keys)
    if not view.faults:
        for copy in copies:
            if copy is not best and (copy.faults or copy.last != best.last):
                _LOG.warning("the copy of the journal in %s is made again", copy.folder)
                await asyncio.to_thread(files.rewrite, best, copy.folder)
    if view.torn:
        _LOG.warning("the journal's last record was torn off by a crash; nobody waited for it")
    return Journal(node, view, folders, key, keys, reserve, clock, days)


async def _view(
    node: NodeId, copy: files.Copy, keys: JournalKeys
) -> tuple[JournalView, tuple[bytes, Sealer]]:
    faults = list(copy.faults)
    try:
        sealer = await keys.open(node, copy.wrapped_key)
    except Problem as problem:
        if problem.code is not ProblemCode.KEY_PURPOSE_REFUSED:
            raise
        faults.append("the journal is another node's, or sealed with another sealing key")
        return JournalView(present=True, faults=tuple(faults)), await keys.create(node)
    reading = Reading()
    for place, sealed in enumerate(copy.records, copy.first):
        try:
            reading.add(place, DECODER.decode(sealer.unseal(sealed, context(place))))
        except (ValueError, msgspec.DecodeError):
            faults.append(f"record {place} of the journal is not genuine")
            break
    view = JournalView(
        present=True,
        first=copy.first,
        last=copy.last,
        acts=reading.result(),
        starting=reading.starting,
        started=reading.started,
        seen=dict(reading.seen),
        torn=copy.torn,
        faults=tuple(faults),
    )
    return view, (copy.wrapped_key, sealer)


def _problem(error: OSError) -> Problem:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Problem(ProblemCode.STORAGE_EXHAUSTED, "the disk of the journal is full")
    _LOG.error("the journal of negative acts cannot be written: %s", error)
    return Problem(ProblemCode.STORAGE_UNAVAILABLE, "the journal cannot be written now")
