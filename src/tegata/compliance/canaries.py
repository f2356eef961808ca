"""Use cases on planted faults: plant them as planned, and take every one of them away again."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, replace
from datetime import datetime

from tegata.compliance.model import CanaryPlan, CanaryState
from tegata.compliance.ports import ComplianceStore, Ground
from tegata.compliance.service import EvidenceService, compliance_scope, find_probe
from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import encode_id, time_ordered
from tegata.kernel.ports import Clock, Randomness
from tegata.kernel.problem import Problem

_LOG = logging.getLogger(__name__)
_PLANS = 32


@dataclass(frozen=True, slots=True)
class CanaryService:
    """Plants faults. What is to be planted, where and until when is recorded before it is."""

    store: ComplianceStore
    ground: Ground
    clock: Clock
    randomness: Randomness

    async def plant(self, probe_name: str) -> CanaryPlan | None:
        """Plant the fault that a probe must see; None while its last one still stands."""
        control, probe = find_probe(probe_name)
        scope, now = compliance_scope(), self.clock.now()
        plans = await self.store.recent_plans(scope, _PLANS)
        if any(plan.probe == probe.name and plan.removed_at is None for plan in plans):
            return None
        octets = time_ordered(int(now.timestamp() * 1000), self.randomness.octets(10))
        identifier = encode_id("cny", octets)
        plan = CanaryPlan(
            id=identifier,
            control=control.name,
            probe=probe.name,
            kind=probe.canary.kind,
            thing=await self.ground.thing(probe.canary.kind, identifier),
            planted_at=now,
            expires_at=now + probe.canary.within,
        )
        async with self.store.open_unit(scope) as unit:
            unit.add_plan(plan)
            unit.audit(_event("plan", plan))
            await unit.commit()
        try:
            await self.ground.plant(plan)
        except Problem:
            await _end(self.store, plan, CanaryState.WITHDRAWN, now)
            raise
        return plan


@dataclass(frozen=True, slots=True)
class CanaryWatchdog:
    """Takes planted faults away, whoever planted them, and says which were missed.

    `started_at` is when this run began: what an earlier one planted, nobody may have looked for.
    """

    store: ComplianceStore
    ground: Ground
    evidence: EvidenceService
    clock: Clock
    started_at: datetime

    async def sweep(self) -> int:
        """Take away what was caught, or is past its time; how many faults stand after it."""
        now = self.clock.now()
        standing = 0
        for plan in await self.store.recent_plans(compliance_scope(), _PLANS):
            if plan.removed_at is not None:
                continue
            if plan.state is not CanaryState.CAUGHT and now < plan.expires_at:
                standing += 1
                continue
            await self.ground.remove(plan)
            removed_at = self.clock.now()
            if plan.state is CanaryState.PLANTED and plan.planted_at >= self.started_at:
                _LOG.error("%s did not see the planted fault %s", plan.probe, plan.id)
                await self.evidence.miss(plan, removed_at)
                continue
            caught = plan.state is CanaryState.CAUGHT
            state = CanaryState.CAUGHT if caught else CanaryState.WITHDRAWN
            await _end(self.store, plan, state, removed_at)
        return standing


async def _end(
    store: ComplianceStore, plan: CanaryPlan, state: CanaryState, removed_at: datetime
) -> None:
    async with store.open_unit(compliance_scope(), essential=True) as unit:
        unit.essential()
        ended = replace(plan, state=state, removed_at=removed_at)
        unit.move_plan(plan, ended)
        unit.audit(_event("remove", ended))
        await unit.commit()


def _event(act: str, plan: CanaryPlan) -> AuditEvent:
    text = f"{plan.id}|{plan.probe}|{plan.kind}|{plan.thing}|{plan.expires_at.isoformat()}"
    return AuditEvent(
        actor=compliance_scope().actor,
        action=f"compliance:canary:{act}",
        decision=Decision.ALLOWED,
        subject=f"canary:{plan.id}",
        request_digest=hashlib.sha256(text.encode()).digest(),
        code="",
    )
