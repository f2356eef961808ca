"""Use cases on tenants: open one, complete what a crash left undone; the record of refusals."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from tegata.issuance.hierarchy import HierarchyService
from tegata.issuance.model import Issuer
from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import IssuerId, NodeId, TenantId, encode_id, time_ordered
from tegata.kernel.ports import Clock, Randomness
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import PLATFORM_TENANT, TenantScope, platform_acts
from tegata.kernel.signing import KeyPurpose
from tegata.revocation.lists import CrlService
from tegata.tenancy.model import Tenant, TenantState
from tegata.tenancy.ports import DataKeyMaker, RecordedEvent, TenancyStore

EVENTS_MAXIMUM = 1000

# Registers a new issuer's recurring work (its CRL, its responder) with the timetable.
Schedule = Callable[[TenantScope, IssuerId], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class TenantService:
    """Opens tenants. Every step can be taken again, so a crash is completed by asking again."""

    store: TenancyStore
    data_keys: DataKeyMaker
    hierarchy: HierarchyService
    crls: CrlService
    clock: Clock
    randomness: Randomness
    schedule: Schedule

    async def open_tenant(
        self, scope: TenantScope, name: str, request_digest: bytes, tenant: TenantId | None = None
    ) -> tuple[Tenant, Issuer]:
        """Open a tenant with a root and an issuing CA; the tenant, and its issuing CA.

        The operator's act stands in the operator's record, the opening in the tenant's own.
        """
        if await self.store.find_tenant_named(scope, name) is not None:
            raise Problem(ProblemCode.TENANT_EXISTS, "another tenant has this name")
        now = self.clock.now()
        if tenant is None:
            octets = time_ordered(int(now.timestamp() * 1000), self.randomness.octets(10))
            tenant = TenantId(encode_id("ten", octets))
        opened = Tenant(tenant, name, TenantState.OPENING, now)
        wrapped = await self.data_keys.create(tenant)
        own = TenantScope(tenant, scope.actor)
        if scope.tenant != tenant:
            # First: a crash after it leaves an act without an effect, never the other way round.
            async with self.store.open_unit(scope) as unit:
                unit.audit(_tenant_event(scope, "open", tenant, request_digest, name))
                await unit.commit()
        async with self.store.open_unit(own) as unit:
            unit.add_tenant(opened)
            for kind, octets in wrapped.items():
                unit.add_data_key(kind, octets, now)
            unit.audit(_tenant_event(own, "open", tenant, request_digest, name))
            await unit.commit()
        issuing = await self.complete(opened)
        return Tenant(tenant, name, TenantState.ACTIVE, now), issuing

    async def complete_openings(self) -> int:
        """Complete every tenant that a crash left half open; how many there were."""
        half_open = [
            tenant
            for tenant in await self.store.list_tenants(platform_acts(PLATFORM_TENANT, "tenancy"))
            if tenant.state is TenantState.OPENING
        ]
        for tenant in half_open:
            await self.complete(tenant)
        return len(half_open)

    async def settle_blocks(self, node: NodeId) -> Mapping[TenantId, int]:
        """Settle what a node's earlier run left open in every tenant, also in those that have no
        issuer yet; how many serials became void, by tenant."""
        every = await self.store.list_tenants(platform_acts(PLATFORM_TENANT, "serials"))
        voided = {}
        for tenant in every:
            serials = await self.hierarchy.issuance.settle_blocks(tenant.id, node)
            if serials:
                voided[tenant.id] = serials
        return voided

    async def complete(self, tenant: Tenant) -> Issuer:
        """Make whatever the tenant's opening has not made yet; its issuing CA."""
        scope = platform_acts(tenant.id, "tenancy")
        issuers = await self.store.list_issuers(scope)
        root = _find(issuers, KeyPurpose.ROOT_CA)
        if root is None:
            root = await self.hierarchy.create_root(scope, tenant.name)
        issuing = _find(issuers, KeyPurpose.ISSUING_CA)
        if issuing is None:
            issuing = await self.hierarchy.create_issuing_ca(scope, root, tenant.name)
        for issuer in (root, issuing):
            if not await self.store.has_responder(scope, issuer.id):
                await self.hierarchy.renew_responder(scope, issuer)
            await self.schedule(scope, issuer.id)
            await self.crls.ensure_published(scope, issuer.id)
        if tenant.state is TenantState.OPENING:
            async with self.store.open_unit(scope) as unit:
                unit.set_tenant_state(TenantState.ACTIVE)
                unit.audit(_tenant_event(scope, "activate", tenant.id, bytes(32), tenant.name))
                await unit.commit()
        return issuing

    async def get_tenant(self, scope: TenantScope, tenant: TenantId) -> Tenant:
        """A tenant that the scope may see, or `Problem(tenant.unknown)`."""
        found = await self.store.find_tenant(scope, tenant)
        if found is None:
            raise Problem(ProblemCode.TENANT_UNKNOWN, "no such tenant")
        return found

    async def suspend(self, scope: TenantScope, tenant: TenantId, digest: bytes) -> Tenant:
        """Refuse a tenant's tokens from now on, elsewhere within two seconds. Its certificates'
        status is answered as before. Asking again changes nothing."""
        found = await self.get_tenant(scope, tenant)
        if tenant == PLATFORM_TENANT or found.state is TenantState.OPENING:
            raise Problem(ProblemCode.TENANT_UNKNOWN, "no tenant that can be suspended")
        if found.state is TenantState.SUSPENDED:
            return found
        return await self._set_state(scope, found, TenantState.SUSPENDED, "suspend", digest)

    async def resume(self, scope: TenantScope, tenant: TenantId, digest: bytes) -> Tenant:
        """Let a suspended tenant work again. Asking again changes nothing."""
        found = await self.get_tenant(scope, tenant)
        if found.state is not TenantState.SUSPENDED:
            return found
        return await self._set_state(scope, found, TenantState.ACTIVE, "resume", digest)

    async def _set_state(
        self, scope: TenantScope, tenant: Tenant, state: TenantState, act: str, digest: bytes
    ) -> Tenant:
        # First the operator's own record: an act without an effect, never the other way round.
        async with self.store.open_unit(scope, essential=True) as unit:
            unit.essential()
            unit.audit(_tenant_event(scope, act, tenant.id, digest, tenant.name))
            await unit.commit()
        own = TenantScope(tenant.id, scope.actor)
        async with self.store.open_unit(own, essential=True) as unit:
            unit.essential()
            unit.set_tenant_state(state, resumed=state is TenantState.ACTIVE)
            unit.audit(_tenant_event(own, act, tenant.id, digest, tenant.name))
            await unit.commit()
        return replace(tenant, state=state)

    async def tenants_after(self, scope: TenantScope, after: str, limit: int) -> Sequence[Tenant]:
        """So many of the tenants that the scope may see, by id, from the one after `after`."""
        return await self.store.tenants_after(scope, after, limit)

    async def list_events(
        self, scope: TenantScope, after: int, limit: int
    ) -> Sequence[RecordedEvent]:
        """The tenant's own record of acts and refusals."""
        return await self.store.list_events(scope, after, min(limit, EVENTS_MAXIMUM))

    async def record_refusal(
        self, scope: TenantScope, action: str, subject: str, problem: Problem, digest: bytes
    ) -> None:
        """Record a refusal, in a unit of its own: what was refused changed nothing else."""
        async with self.store.open_unit(scope, essential=True) as unit:
            unit.essential()
            unit.audit(
                AuditEvent(
                    actor=scope.actor,
                    action=action,
                    decision=Decision.REFUSED,
                    subject=subject,
                    request_digest=digest,
                    code=problem.code,
                    private={"detail": problem.detail} if problem.detail else {},
                )
            )
            await unit.commit()


def _find(issuers: Sequence[Issuer], purpose: KeyPurpose) -> Issuer | None:
    return next((issuer for issuer in issuers if issuer.key.purpose is purpose), None)


def _tenant_event(
    scope: TenantScope, act: str, tenant: TenantId, digest: bytes, name: str
) -> AuditEvent:
    return AuditEvent(
        actor=scope.actor,
        action=f"tenancy:tenant:{act}",
        decision=Decision.ALLOWED,
        subject=f"tenant:{tenant}",
        request_digest=digest,
        private={"name": name},
    )
