"""The feed of status changes: how every node learns which answers in memory are no longer true.

A change is written in the transaction that makes it. Nodes read the last moments again and again,
further back than a commit can take or clocks can differ, so the order of commits does not matter.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, delete, select

from tegata.kernel.ids import IssuerId
from tegata.store.database import Database
from tegata.store.instants import to_milliseconds
from tegata.store.schema import status_change
from tegata.store.statement import NO_OFFSET, Statement

# More changes than this at once are not looked at one by one.
CHANGES_MAXIMUM = 10_000
_SINCE = Statement(
    select(status_change.c.issuer, status_change.c.serial)
    .where(status_change.c.changed_at >= bindparam("since"))
    .limit(bindparam("maximum"))
    .offset(NO_OFFSET)
)
_FORGET = Statement(delete(status_change).where(status_change.c.changed_at < bindparam("before")))


class StatusFeed:
    """Reads the feed of every tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def changes(self, since: datetime) -> list[tuple[IssuerId, int]] | None:
        """The certificates whose status changed since an instant; None when they are too many."""
        rows = await self._database.fetch(
            None, _SINCE, {"since": to_milliseconds(since), "maximum": CHANGES_MAXIMUM}
        )
        if len(rows) == CHANGES_MAXIMUM:
            return None
        return [(IssuerId(issuer), int.from_bytes(serial, "big")) for issuer, serial in rows]

    async def forget(self, before: datetime) -> None:
        """Delete changes that every node has long seen."""
        await self._database.execute_shared(_FORGET, {"before": to_milliseconds(before)})
