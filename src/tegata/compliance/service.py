"""Use cases on evidence: collect it, plant faults and see them caught, say what stands."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tegata.compliance.controls import BY_NAME, CONTROLS, PROBES
from tegata.compliance.model import (
    CanaryPlan,
    CanaryState,
    Collector,
    Control,
    Independence,
    Judgement,
    Observation,
    Probe,
    Reason,
    Record,
    RecordKind,
    Standing,
    Tool,
    Verdict,
    Violation,
)
from tegata.compliance.ports import ComplianceStore, ComplianceUnit, Evidence
from tegata.compliance.records import encode_record
from tegata.compliance.rules import SKEW, advance, notice_of, part_violations
from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import encode_id, time_ordered
from tegata.kernel.ports import Clock, Randomness
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import PLATFORM_TENANT, TenantScope, platform_acts

_LOG = logging.getLogger(__name__)
# Plans that may still matter to an observation: several hours of them.
_PLANS = 32
HISTORY_MAXIMUM = 200
_TRIES = 3


@dataclass(frozen=True, slots=True)
class EvidenceService:
    """Collects observations and turns them into records. Everything is the platform tenant's."""

    store: ComplianceStore
    clock: Clock
    randomness: Randomness
    tool: Tool
    host: str

    async def evidence(self) -> Evidence:
        """What stands for every probe."""
        return await self.store.evidence(compliance_scope())

    async def history(self, probe: str, before: int, limit: int) -> Sequence[Record]:
        """Records of a probe, newest first."""
        find_probe(probe)
        many = min(limit, HISTORY_MAXIMUM)
        return await self.store.list_evidence(compliance_scope(), probe, before, many)

    async def collect(self, observation: Observation, collector: Collector) -> Verdict | None:
        """Judge and keep what a probe saw; the verdict, or None where no look was complete.

        What a canary's plan names is taken for that canary, and only that. Raises
        `Problem(control.unknown)` for a probe that nobody declared and
        `Problem(request.malformed)` for an observation from another time.
        """
        control, probe = find_probe(observation.probe)
        _require_present(observation, self.clock.now())
        for left in range(_TRIES - 1, -1, -1):
            try:
                return await self._collect(control, probe, observation, collector)
            except Problem as problem:
                # Another collector's record, or the watchdog, came first: look again.
                if problem.code is not ProblemCode.CONFLICT or not left:
                    raise
        return None

    async def _collect(
        self, control: Control, probe: Probe, observation: Observation, collector: Collector
    ) -> Verdict | None:
        scope, now = compliance_scope(), self.clock.now()
        before = await self._standing(scope, probe)
        plans = await self.store.recent_plans(scope, _PLANS)
        caught, unplanned = part_violations(observation, plans)
        standing, verdict = before, None
        async with self.store.open_unit(scope, essential=True) as unit:
            unit.essential()
            for plan in caught:
                record = self._canary_record(control, probe, plan, standing, collector, now)
                standing = self._keep(unit, scope, control, standing, record)
                unit.move_plan(plan, replace(plan, state=CanaryState.CAUGHT, caught_at=now))
            if observation.whole or unplanned:
                seen = replace(observation, violations=unplanned)
                judged = probe.judge(seen)
                verdict = judged.verdict
                record = self._probe_record(control, probe, seen, judged, standing, collector, now)
                standing = self._keep(unit, scope, control, standing, record)
            if standing is before:
                return None
            unit.move_standing(probe.name, before.sequence, standing)
            await unit.commit()
        return verdict

    async def miss(self, plan: CanaryPlan, removed_at: datetime) -> None:
        """Record that a planted fault was not caught: its promise is breached."""
        control, probe = find_probe(plan.probe)
        scope, now = compliance_scope(), self.clock.now()
        before = await self._standing(scope, probe)
        watchdog = Collector(self.host, "watchdog", Independence.SELF)
        record = self._canary_record(control, probe, plan, before, watchdog, now, caught=False)
        async with self.store.open_unit(scope, essential=True) as unit:
            unit.essential()
            standing = self._keep(unit, scope, control, before, record)
            unit.move_standing(probe.name, before.sequence, standing)
            unit.move_plan(plan, replace(plan, state=CanaryState.MISSED, removed_at=removed_at))
            await unit.commit()

    async def _standing(self, scope: TenantScope, probe: Probe) -> Standing:
        evidence = await self.store.evidence(scope)
        if probe.name in evidence.unreadable:
            raise Problem(ProblemCode.STORAGE_UNAVAILABLE, "the evidence was changed by others")
        return evidence.standings.get(probe.name, Standing())

    def _keep(
        self,
        unit: ComplianceUnit,
        scope: TenantScope,
        control: Control,
        standing: Standing,
        record: Record,
    ) -> Standing:
        unit.add_evidence(record)
        unit.audit(_event(scope, f"compliance:{record.kind}:record", record))
        following = advance(standing, record)
        if following.breached_since is not None and standing.breached_since is None:
            notice = notice_of(control, record.ended, record.reasons)
            _LOG.error(
                "promise %s is breached (%s); customers are owed a notice by %s",
                control.section,
                ", ".join(reason.code for reason in record.reasons),
                notice.due_at.isoformat(timespec="minutes"),
            )
            unit.audit(_event(scope, "compliance:control:breach", record, Decision.REFUSED))
        elif following.breached_since is None and standing.breached_since is not None:
            unit.audit(_event(scope, "compliance:control:restore", record))
        return following

    def _probe_record(
        self,
        control: Control,
        probe: Probe,
        observation: Observation,
        judged: Judgement,
        standing: Standing,
        collector: Collector,
        now: datetime,
    ) -> Record:
        # The earlier of two clocks: nobody's clock makes evidence last longer.
        until = min(observation.ended, now) + probe.valid_for
        return Record(
            id=self._id(now),
            kind=RecordKind.PROBE,
            control=control.name,
            probe=probe.name,
            sequence=standing.sequence + 1,
            previous=standing.head,
            commitment=control.commitment.revision,
            method=probe.method,
            collector=collector,
            tool=observation.tool,
            inputs=observation.inputs,
            population=observation.population,
            excluded=observation.excluded,
            counts={**observation.counts, "violations": len(observation.violations)},
            verdict=judged.verdict,
            reasons=judged.reasons,
            violations=observation.violations,
            started=observation.started,
            ended=observation.ended,
            received=now,
            valid_until=until,
        )

    def _canary_record(
        self,
        control: Control,
        probe: Probe,
        plan: CanaryPlan,
        standing: Standing,
        collector: Collector,
        now: datetime,
        *,
        caught: bool = True,
    ) -> Record:
        reason = Reason("canary.missed", (("probe", probe.name), ("thing", plan.thing)))
        return Record(
            id=self._id(now),
            kind=RecordKind.CANARY,
            control=control.name,
            probe=probe.name,
            sequence=standing.sequence + 1,
            previous=standing.head,
            commitment=control.commitment.revision,
            method=probe.method,
            collector=collector,
            tool=self.tool,
            inputs=hashlib.sha256(plan.thing.encode()).hexdigest(),
            population=1,
            excluded=(),
            counts={},
            verdict=Verdict.MET if caught else Verdict.BREACHED,
            reasons=() if caught else (reason,),
            violations=(Violation(plan.thing, "planted"),),
            started=plan.planted_at,
            ended=now,
            received=now,
            valid_until=now + probe.canary.age_maximum,
            canary=plan.id,
        )

    def _id(self, now: datetime) -> str:
        octets = time_ordered(int(now.timestamp() * 1000), self.randomness.octets(10))
        return encode_id("evd", octets)


def find_probe(name: str) -> tuple[Control, Probe]:
    """A declared probe with its control, or `Problem(control.unknown)`."""
    found = PROBES.get(name)
    if found is None:
        raise Problem(ProblemCode.CONTROL_UNKNOWN, "no such probe")
    return found


def find_control(name: str) -> Control:
    """A control by its name or its section, or `Problem(control.unknown)`."""
    found = BY_NAME.get(name)
    if found is None:
        found = next((each for each in CONTROLS if each.section.lower() == name.lower()), None)
    if found is None:
        raise Problem(ProblemCode.CONTROL_UNKNOWN, "no such control")
    return found


def compliance_scope() -> TenantScope:
    """Where evidence is kept, and who keeps it."""
    return platform_acts(PLATFORM_TENANT, "compliance")


def _require_present(observation: Observation, now: datetime) -> None:
    if not observation.started <= observation.ended or abs(now - observation.ended) > SKEW:
        raise Problem(ProblemCode.REQUEST_MALFORMED, "the observation is of another time")


def _event(
    scope: TenantScope, action: str, record: Record, decision: Decision = Decision.ALLOWED
) -> AuditEvent:
    return AuditEvent(
        actor=scope.actor,
        action=action,
        decision=decision,
        subject=f"evidence:{record.id}",
        # What the event, and with it the log, commits to: the record's octets.
        request_digest=hashlib.sha256(encode_record(record)).digest(),
        code=record.reasons[0].code if record.verdict is Verdict.BREACHED else "",
    )
