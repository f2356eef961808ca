"""Time-stamps of the log's checkpoints, as rows. They are public, and nobody's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, desc, select
from sqlalchemy.dialects.postgresql import insert as upsert

from tegata.store import schema
from tegata.store.instants import from_milliseconds, to_milliseconds
from tegata.store.reads import ReadsBase
from tegata.store.schema import anchored_checkpoint, log_anchor
from tegata.store.statement import NO_OFFSET, Row, Statement
from tegata.store.unit import UnitBase
from tegata.timestamping.model import Anchor

_COLUMNS = (
    log_anchor.c.size,
    log_anchor.c.number,
    log_anchor.c.source,
    log_anchor.c.gen_time,
    log_anchor.c.response,
)
_LIST = Statement(
    select(*_COLUMNS)
    .where(log_anchor.c.size < bindparam("below"))
    .order_by(desc(log_anchor.c.size), log_anchor.c.number)
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)
_OF_SIZE = Statement(
    select(*_COLUMNS).where(log_anchor.c.size == bindparam("size")).order_by(log_anchor.c.number)
)
_CHECKPOINT = Statement(
    select(anchored_checkpoint.c.note).where(anchored_checkpoint.c.size == bindparam("size"))
)
_KEEP_CHECKPOINT = Statement(
    upsert(anchored_checkpoint)
    .values({name: bindparam(name) for name in ("size", "note", "created_at")})
    .on_conflict_do_nothing(index_elements=["size"])
)


def _anchor(row: Row) -> Anchor:
    size, number, source, gen_time, response = row
    return Anchor(size, number, source, from_milliseconds(gen_time), bytes(response))


class AnchorReads(ReadsBase):
    """Anchors."""

    async def list_anchors(self, below: int, limit: int) -> Sequence[Anchor]:
        """Anchors of checkpoints smaller than a size, the newest first."""
        parameters = {"below": below, "limit": limit}
        return [_anchor(row) for row in await self.database.fetch(None, _LIST, parameters)]

    async def anchors_of(self, size: int) -> Sequence[Anchor]:
        """The anchors of one checkpoint, by number."""
        rows = await self.database.fetch(None, _OF_SIZE, {"size": size})
        return [_anchor(row) for row in rows]

    async def anchored_checkpoint(self, size: int) -> bytes | None:
        """The signed checkpoint of a size that was anchored."""
        rows = await self.database.fetch(None, _CHECKPOINT, {"size": size})
        return bytes(rows[0][0]) if rows else None


class AnchorWrites(UnitBase):
    """Anchors in a unit of work."""

    def add_anchored_checkpoint(self, size: int, note: bytes, now: datetime) -> None:
        """Keep a signed checkpoint; one that is kept stays as it is."""
        parameters = {"size": size, "note": note, "created_at": to_milliseconds(now)}
        self._execute(_KEEP_CHECKPOINT, parameters, expect=None)

    def add_anchor(self, anchor: Anchor, now: datetime) -> None:
        """Keep an anchor; conflicts when there is one of its size and number."""
        self._insert(
            schema.log_anchor,
            size=anchor.size,
            number=anchor.number,
            source=anchor.source,
            gen_time=to_milliseconds(anchor.gen_time),
            response=anchor.response,
            created_at=to_milliseconds(now),
        )
