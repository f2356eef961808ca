"""What bulk work asks of the world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from tegata.kernel.event import AuditEvent
from tegata.kernel.scope import TenantScope
from tegata.registration.bulk_model import Bulk, BulkId, BulkOutcome, BulkRow, BulkState


class BulkSealer(Protocol):
    """Seals what a tenant wrote in a file under the tenant's erasable data key."""

    def rows(self, bulk: BulkId, rows: Sequence[BulkRow]) -> bytes:
        """Rows that follow each other."""
        ...

    def note(self, bulk: BulkId, outcome: BulkOutcome) -> bytes:
        """An outcome's reference and detail; empty when it has none."""
        ...


class BulkUnit(Protocol):
    """Writes of bulk work."""

    def audit(self, event: AuditEvent) -> None:
        """Record an event in the same transaction."""
        ...

    def add_bulk(self, bulk: Bulk) -> None:
        """Record a file that is being received."""
        ...

    def add_bulk_rows(self, bulk: BulkId, first: int, sealed: bytes) -> None:
        """Keep rows until they are done."""
        ...

    def remove_bulk_rows(self, bulk: BulkId, first: int) -> None:
        """Forget rows; the unit conflicts when they were forgotten already."""
        ...

    def add_bulk_outcome(self, bulk: BulkId, outcome: BulkOutcome, sealed: bytes) -> None:
        """Say what became of a row; the unit conflicts when that was said before."""
        ...

    def count_bulk(self, bulk: BulkId, succeeded: int, refused: int) -> None:
        """Add to a file's counts."""
        ...

    def set_bulk_state(
        self,
        bulk: BulkId,
        before: BulkState,
        state: BulkState,
        rows: int,
        finished_at: datetime | None,
    ) -> None:
        """Move a file on; the unit conflicts unless it is where it was `before`."""
        ...

    def forget_bulk_rows(self, bulk: BulkId, until: int) -> None:
        """Forget rows up to a number."""
        ...

    def forget_bulk_outcomes(self, bulk: BulkId, until: int) -> None:
        """Forget outcomes up to a row."""
        ...

    def forget_bulk(self, bulk: BulkId) -> None:
        """Forget a file and its job."""
        ...

    def want_bulk(self, bulk: BulkId, at: datetime) -> None:
        """Have the file worked on at an instant or earlier."""
        ...

    async def commit(self) -> None:
        """Apply everything durably, or raise `Problem` and apply nothing."""
        ...


class BulkStore(Protocol):
    """Files, their rows and outcomes, of one tenant."""

    def open_unit(
        self, scope: TenantScope, *, essential: bool = False
    ) -> AbstractAsyncContextManager[BulkUnit]:
        """A unit that applies nothing unless `commit` is reached."""
        ...

    async def bulk_sealer(self, scope: TenantScope) -> BulkSealer:
        """What seals the tenant's rows."""
        ...

    async def get_bulk(self, scope: TenantScope, bulk: BulkId) -> Bulk:
        """A file of the tenant, or `Problem(bulk.unknown)`."""
        ...

    async def list_bulk(
        self, scope: TenantScope, before: BulkId | None, limit: int
    ) -> Sequence[Bulk]:
        """The tenant's files, newest first."""
        ...

    async def next_bulk_rows(self, scope: TenantScope, bulk: BulkId) -> Sequence[BulkRow]:
        """The first rows that are kept, as they were put together; empty when none is left."""
        ...

    async def bulk_outcomes(
        self, scope: TenantScope, bulk: BulkId, after: int, limit: int
    ) -> Sequence[BulkOutcome]:
        """What became of rows, from the one after `after`."""
        ...

    async def earlier_rows(
        self, scope: TenantScope, bulk: BulkId, digests: Sequence[bytes]
    ) -> Mapping[bytes, int]:
        """The first row that is known by each of up to a hundred digests."""
        ...


class Authority(Protocol):
    """Whether whoever sent a file may still act."""

    async def may_act(self, scope: TenantScope) -> bool:
        """False for a token that was revoked; `Problem(tenant.suspended)` while its tenant is."""
        ...
