"""What both engines offer to the rooms' files."""

from __future__ import annotations

from typing import Protocol

from tegata.kernel.ids import TenantId
from tegata.store.statement import Parameters, Row, Statement
from tegata.store.unit import Committer


class Database(Committer, Protocol):
    """An engine: reads, units, and the few statements that belong to no tenant."""

    async def fetch(
        self, tenant: TenantId | None, statement: Statement, parameters: Parameters
    ) -> list[Row]:
        """The rows of a statement, as committed.

        A statement on a tenant's table needs that tenant, whose id is bound as ``tenant``.
        """
        ...

    async def execute_shared(self, statement: Statement, parameters: Parameters) -> int:
        """Run a statement on a shared table in a transaction of its own; the rows it touched."""
        ...

    def require_room(self, *, essential: bool) -> None:
        """`Problem(storage.exhausted)` when new work must not start for want of disk space."""
        ...

    async def close(self) -> None:
        """Finish what is under way and close."""
        ...
