"""What tenancy asks of the world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tegata.issuance.model import Issuer
from tegata.kernel.event import AuditEvent
from tegata.kernel.ids import IssuerId, TenantId, TokenId
from tegata.kernel.scope import TenantScope
from tegata.kernel.signing import DataKeyKind
from tegata.tenancy.model import Tenant, TenantState, Token


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event as it stands in a tenant's record, with its private values disclosed.

    `salt` and `place` are of its leaf in the transparency log; an event that is older than the
    log has no salt, and a new one no place, until the sequencer comes to it.
    """

    sequence: int
    canonical: bytes
    digest: bytes
    disclosures: tuple[str, ...]
    salt: bytes | None = None
    place: int | None = None


class DataKeyMaker(Protocol):
    """Makes tenants' data keys."""

    async def create(self, tenant: TenantId) -> Mapping[DataKeyKind, bytes]:
        """A new tenant's four data keys, wrapped; they can be used from now on."""
        ...


class TenancyUnit(Protocol):
    """Writes of tenancy, applied together by `commit`."""

    def essential(self) -> None:
        """Let this unit use the disk space kept in reserve."""
        ...

    def audit(self, event: AuditEvent) -> None:
        """Record an event in the same transaction."""
        ...

    def add_tenant(self, tenant: Tenant) -> None:
        """Record a tenant."""
        ...

    def set_tenant_state(self, state: TenantState, *, resumed: bool = False) -> None:
        """Change the state of the unit's tenant; `resumed` when it was suspended."""
        ...

    def add_data_key(self, kind: DataKeyKind, wrapped: bytes, now: datetime) -> None:
        """Record a data key of the unit's tenant."""
        ...

    def add_token(self, token: Token) -> None:
        """Record a token."""
        ...

    def revoke_token(self, token: TokenId, now: datetime) -> None:
        """Revoke a token; the unit fails with token.unknown when there is none to revoke."""
        ...

    async def commit(self) -> None:
        """Apply everything durably, or raise `Problem` and apply nothing."""
        ...


class TenancyStore(Protocol):
    """Reads of tenancy, and its units."""

    def open_unit(
        self, scope: TenantScope, *, essential: bool = False
    ) -> AbstractAsyncContextManager[TenancyUnit]:
        """A unit that applies nothing unless `commit` is reached."""
        ...

    async def find_tenant(self, scope: TenantScope, tenant: TenantId) -> Tenant | None:
        """A tenant that the scope may see: its own, or any for the operator."""
        ...

    async def find_tenant_named(self, scope: TenantScope, name: str) -> Tenant | None:
        """A tenant that the scope may see, by its name."""
        ...

    async def list_tenants(self, scope: TenantScope) -> Sequence[Tenant]:
        """The tenants that the scope may see, oldest first."""
        ...

    async def tenants_after(self, scope: TenantScope, after: str, limit: int) -> Sequence[Tenant]:
        """So many of the tenants that the scope may see, by id, from the one after `after`."""
        ...

    async def find_token(self, tenant: TenantId, token: TokenId) -> Token | None:
        """A token of a tenant."""
        ...

    async def tokens_after(self, scope: TenantScope, after: str, limit: int) -> Sequence[Token]:
        """So many of the tenant's tokens, oldest first, from the one after `after`."""
        ...

    async def list_issuers(self, scope: TenantScope) -> Sequence[Issuer]:
        """The tenant's issuers, oldest first."""
        ...

    async def has_responder(self, scope: TenantScope, issuer: IssuerId) -> bool:
        """Whether an issuer has an OCSP responder."""
        ...

    async def list_events(
        self, scope: TenantScope, after: int, limit: int
    ) -> Sequence[RecordedEvent]:
        """The tenant's own record, from the event after sequence number `after`."""
        ...
