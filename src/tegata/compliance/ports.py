"""What compliance asks of the world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from tegata.compliance.model import CanaryPlan, Observation, Record, Standing
from tegata.kernel.event import AuditEvent
from tegata.kernel.scope import TenantScope
from tegata.tenancy.ports import RecordedEvent


@dataclass(frozen=True, slots=True)
class Evidence:
    """What can be read of all probes. `unreadable` names those whose rows are not what was
    written: nobody edits evidence unseen."""

    standings: Mapping[str, Standing]
    unreadable: frozenset[str] = frozenset()


class ComplianceUnit(Protocol):
    """Writes of compliance, applied together by `commit`."""

    def essential(self) -> None:
        """Let this unit use the disk space kept in reserve."""
        ...

    def audit(self, event: AuditEvent) -> None:
        """Record an event in the same transaction."""
        ...

    def add_evidence(self, record: Record) -> None:
        """Keep a record; the unit conflicts when its number is taken."""
        ...

    def move_standing(self, probe: str, before: int, standing: Standing) -> None:
        """Replace what stands; the unit conflicts unless `before` was the last record's number."""
        ...

    def add_plan(self, plan: CanaryPlan) -> None:
        """Keep a plan."""
        ...

    def move_plan(self, before: CanaryPlan, after: CanaryPlan) -> None:
        """Replace a plan; the unit conflicts unless it stood as `before`."""
        ...

    async def commit(self) -> None:
        """Apply everything durably, or raise `Problem` and apply nothing."""
        ...


class ComplianceStore(Protocol):
    """Reads of compliance, and its units. All of it is the platform's own tenant's."""

    def open_unit(
        self, scope: TenantScope, *, essential: bool = False
    ) -> AbstractAsyncContextManager[ComplianceUnit]:
        """A unit that applies nothing unless `commit` is reached."""
        ...

    async def evidence(self, scope: TenantScope) -> Evidence:
        """What stands for every probe."""
        ...

    async def list_evidence(
        self, scope: TenantScope, probe: str, before: int, limit: int
    ) -> Sequence[Record]:
        """Records of a probe, newest first, those numbered below `before`.

        Raises `Problem(storage.unavailable)` when one is not what was written.
        """
        ...

    async def recent_plans(self, scope: TenantScope, limit: int) -> Sequence[CanaryPlan]:
        """The newest plans, newest first."""
        ...


class Ground(Protocol):
    """The real stores, looked at and tampered with from outside the rooms that use them."""

    async def observe(self, probe: str) -> Observation:
        """What a local probe sees now."""
        ...

    async def thing(self, kind: str, plan: str) -> str:
        """What a fault of a kind will be called, before it is planted for a plan."""
        ...

    async def plant(self, plan: CanaryPlan) -> None:
        """Plant a fault, only where a canary may stand. Raises `Problem` with a storage code."""
        ...

    async def remove(self, plan: CanaryPlan) -> None:
        """Take a fault away; nothing happens where there is none."""
        ...


class EventFinder(Protocol):
    """Where the events of records are found."""

    async def find_event(self, scope: TenantScope, request: str) -> RecordedEvent | None:
        """The event that commits to a request's digest (hexadecimal), if it is among the newest
        few thousand of the tenant's record."""
        ...
