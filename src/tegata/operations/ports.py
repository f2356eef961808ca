"""What recovery asks of the world."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from tegata.kernel.event import AuditEvent
from tegata.kernel.ids import NodeId, TenantId
from tegata.kernel.negative import ActPlace, NegativeAct
from tegata.kernel.scope import TenantScope
from tegata.operations.model import JournalView, Node, Standing


class NodeJournal(Protocol):
    """This node's journal of negative acts, outside the database."""

    @property
    def view(self) -> JournalView:
        """What it said when this run began."""
        ...

    async def replace(self, first: int) -> None:
        """Set a journal that cannot be used aside, and begin another at a place."""
        ...

    async def begin_run(self) -> None:
        """Be ready for acts. What tore off at the end of the last run stays behind."""
        ...

    async def start(self, generation: int, *, completed: bool) -> None:
        """Say, durably, that a start has begun, or was completed."""
        ...

    async def see(self, node: NodeId, standing: Standing) -> None:
        """Note how far a node is in the database. Durable with the next act."""
        ...

    def settled(self) -> int:
        """The place up to which every act is settled: done, or refused."""
        ...


class NodesUnit(Protocol):
    """Writes about nodes, applied together by `commit`."""

    def essential(self) -> None:
        """Let this unit use the disk space kept in reserve."""
        ...

    def audit(self, event: AuditEvent) -> None:
        """Record an event in the same transaction."""
        ...

    def await_node(self, node: NodeId) -> None:
        """Wait for a node's journal, unless it is written off; a node may be unknown yet."""
        ...

    def write_off(self, node: NodeId) -> None:
        """Wait for a node's journal no longer; conflicts when there is no such node."""
        ...

    async def commit(self) -> None:
        """Apply everything durably, or raise `Problem` and apply nothing."""
        ...


class RecoveryStore(Protocol):
    """The database, as recovery sees it."""

    def open_unit(
        self, scope: TenantScope, *, essential: bool = False
    ) -> AbstractAsyncContextManager[NodesUnit]:
        """A unit that applies nothing unless `commit` is reached."""
        ...

    async def is_open(self, tenant: TenantId) -> bool:
        """Whether the database knows a tenant."""
        ...

    async def nodes(self) -> Mapping[NodeId, Node]:
        """Every node that ever started on this database."""
        ...

    async def applied(self, node: NodeId) -> Collection[int]:
        """The places of a node's acts that the database holds beyond the node's mark."""
        ...

    async def put_node(self, node: Node) -> None:
        """Record a node as it is now, no longer written off."""
        ...

    async def move_mark(self, node: NodeId, before: Standing, after: Standing) -> bool:
        """Say how far a node is; False when the database does not say `before` of it."""
        ...

    async def raise_crl_numbers(self, by: int) -> None:
        """Leave out so many CRL numbers of every issuer."""
        ...

    async def replay(self, place: ActPlace, act: NegativeAct) -> bool | None:
        """Do a journaled act again, in one unit with its place, recorded as the platform's.

        True when it was done, False when there was nothing left to do, None when the database
        does not know its tenant.
        """
        ...
