"""Evidence and planted faults, as sealed rows."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BindParameter, bindparam, delete, literal_column, select, update

from tegata.compliance.canonical import canonical_octets
from tegata.compliance.controls import PROBES
from tegata.compliance.model import CanaryPlan, CanaryState, Record, Standing
from tegata.compliance.ports import Evidence
from tegata.compliance.records import (
    decode_record,
    decode_standing,
    encode_record,
    encode_standing,
    instant_text,
    parse_instant,
)
from tegata.compliance.rules import record_digest
from tegata.kernel.ids import TokenId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope
from tegata.kernel.signing import DataKeyKind, Sealer
from tegata.store.schema import (
    audit_event,
    canary_plan,
    evidence_record,
    evidence_standing,
    token,
)
from tegata.store.statement import NO_OFFSET, Statement
from tegata.store.tenancy import TenancyReads
from tegata.store.unit import UnitBase
from tegata.tenancy.ports import RecordedEvent

_LOG = logging.getLogger(__name__)
_TENANT: BindParameter[str] = bindparam("tenant")
_STANDINGS = Statement(
    select(
        evidence_standing.c.probe, evidence_standing.c.sequence, evidence_standing.c.sealed
    ).where(evidence_standing.c.tenant == _TENANT)
)
_RECORDS = Statement(
    select(evidence_record.c.sequence, evidence_record.c.id, evidence_record.c.sealed)
    .where(
        evidence_record.c.tenant == _TENANT,
        evidence_record.c.probe == bindparam("probe"),
        evidence_record.c.sequence < bindparam("before"),
    )
    .order_by(evidence_record.c.sequence.desc())
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)
_PLANS = Statement(
    select(canary_plan.c.id, canary_plan.c.state, canary_plan.c.sealed)
    .where(canary_plan.c.tenant == _TENANT)
    .order_by(canary_plan.c.id.desc())
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)
_MOVE_STANDING = Statement(
    update(evidence_standing)
    .where(
        evidence_standing.c.tenant == _TENANT,
        evidence_standing.c.probe == bindparam("of_probe"),
        evidence_standing.c.sequence == bindparam("before"),
    )
    .values(sequence=bindparam("after"), sealed=bindparam("standing"))
)
_MOVE_PLAN = Statement(
    update(canary_plan)
    .where(
        canary_plan.c.tenant == _TENANT,
        canary_plan.c.id == bindparam("plan"),
        canary_plan.c.state == bindparam("before"),
    )
    .values(state=bindparam("after"), sealed=bindparam("told"))
)
STRAY_NAME = "canary: planted"
_REMOVE_STRAY = Statement(
    delete(token).where(
        token.c.tenant == _TENANT,
        token.c.id == bindparam("stray"),
        token.c.name == literal_column(f"'{STRAY_NAME}'"),
    )
)
_EVENTS = Statement(
    select(audit_event.c.sequence, audit_event.c.canonical)
    .where(audit_event.c.tenant == _TENANT)
    .order_by(audit_event.c.sequence.desc())
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)
_EVENTS_SEARCHED = 2000
_NEWEST = 2**62
# What is wrong with a row that somebody edited: the seal, or what it seals.
_UNREADABLE = (ValueError, KeyError, TypeError, Problem)


class ComplianceReads(TenancyReads):
    """Evidence. A row that was edited cannot be read, and is never taken for nothing."""

    async def evidence(self, scope: TenantScope) -> Evidence:
        """What stands for every probe."""
        sealer = await self.data_keys.sealer(scope.tenant, DataKeyKind.CA_RECORDS)
        standings: dict[str, Standing] = {}
        unreadable: set[str] = set()
        rows = await self.database.fetch(scope.tenant, _STANDINGS, {})
        for probe, sequence, sealed in rows:
            try:
                octets = sealer.unseal(bytes(sealed), _standing_context(probe, sequence))
                standings[probe] = decode_standing(octets)
            except _UNREADABLE:
                unreadable.add(probe)
        for probe in PROBES:
            if probe not in unreadable and not await self._agrees(scope, probe, standings):
                unreadable.add(probe)
        for probe in unreadable:
            _LOG.error("the evidence of %s was changed by others than its probe", probe)
            standings.pop(probe, None)
        return Evidence(standings, frozenset(unreadable))

    async def _agrees(self, scope: TenantScope, probe: str, standings: dict[str, Standing]) -> bool:
        """Whether what stands is what the newest record left."""
        standing = standings.get(probe, Standing())
        try:
            newest = await self.list_evidence(scope, probe, _NEWEST, 1)
        except _UNREADABLE:
            return False
        if not newest:
            return standing.sequence == 0
        return standing.head == record_digest(newest[0])

    async def list_evidence(
        self, scope: TenantScope, probe: str, before: int, limit: int
    ) -> Sequence[Record]:
        """Records of a probe, newest first, those numbered below `before`."""
        sealer = await self.data_keys.sealer(scope.tenant, DataKeyKind.CA_RECORDS)
        parameters = {"probe": probe, "before": before, "limit": limit}
        found = []
        for sequence, _id, sealed in await self.database.fetch(scope.tenant, _RECORDS, parameters):
            try:
                record = decode_record(sealer.unseal(bytes(sealed), _context(probe, sequence)))
            except _UNREADABLE as error:
                raise Problem(
                    ProblemCode.STORAGE_UNAVAILABLE, "the evidence was changed by others"
                ) from error
            found.append(record)
        return found

    async def find_event(self, scope: TenantScope, request: str) -> RecordedEvent | None:
        """The event that commits to a request's digest, if it is among the newest."""
        rows = await self.database.fetch(scope.tenant, _EVENTS, {"limit": _EVENTS_SEARCHED})
        wanted = f'"request":"{request}"'.encode()
        found = [sequence for sequence, canonical in rows if wanted in bytes(canonical)]
        if not found:
            return None
        # The oldest: a breach or its end is told of in a second event of the same record.
        events = await self.list_events(scope, min(found) - 1, 1)
        return events[0] if events else None

    async def recent_plans(self, scope: TenantScope, limit: int) -> Sequence[CanaryPlan]:
        """The newest plans, newest first. One that was edited excuses nothing: it is left out."""
        sealer = await self.data_keys.sealer(scope.tenant, DataKeyKind.CA_RECORDS)
        plans = []
        for identifier, state, sealed in await self.database.fetch(
            scope.tenant, _PLANS, {"limit": limit}
        ):
            try:
                plans.append(_decode_plan(sealer, identifier, state, bytes(sealed)))
            except _UNREADABLE:
                _LOG.error("the plan %s of a canary was changed by others", identifier)
        return plans


class ComplianceWrites(UnitBase):
    """Evidence in a unit."""

    def add_evidence(self, record: Record) -> None:
        """Keep a record; the unit conflicts when its number is taken."""
        sealer = self.sealers[DataKeyKind.CA_RECORDS]
        self._insert(
            evidence_record,
            tenant=self.scope.tenant,
            probe=record.probe,
            sequence=record.sequence,
            id=record.id,
            sealed=sealer.seal(encode_record(record), _context(record.probe, record.sequence)),
        )

    def move_standing(self, probe: str, before: int, standing: Standing) -> None:
        """Replace what stands; the unit conflicts unless `before` was the last record's number."""
        context = _standing_context(probe, standing.sequence)
        sealed = self.sealers[DataKeyKind.CA_RECORDS].seal(encode_standing(standing), context)
        tenant = self.scope.tenant
        if before == 0:
            self._insert(
                evidence_standing,
                tenant=tenant,
                probe=probe,
                sequence=standing.sequence,
                sealed=sealed,
            )
            return
        self._execute(
            _MOVE_STANDING,
            {
                "tenant": tenant,
                "of_probe": probe,
                "before": before,
                "after": standing.sequence,
                "standing": sealed,
            },
        )

    def add_plan(self, plan: CanaryPlan) -> None:
        """Keep a plan."""
        self._insert(
            canary_plan,
            tenant=self.scope.tenant,
            id=plan.id,
            state=plan.state.value,
            sealed=self._seal_plan(plan),
        )

    def move_plan(self, before: CanaryPlan, after: CanaryPlan) -> None:
        """Replace a plan; the unit conflicts unless it stood as `before`."""
        self._execute(
            _MOVE_PLAN,
            {
                "tenant": self.scope.tenant,
                "plan": before.id,
                "before": before.state.value,
                "after": after.state.value,
                "told": self._seal_plan(after),
            },
        )

    def remove_stray_token(self, stray: TokenId) -> None:
        """Take away a token that a canary planted; no other token can be."""
        self._execute(_REMOVE_STRAY, {"tenant": self.scope.tenant, "stray": stray}, expect=None)

    def _seal_plan(self, plan: CanaryPlan) -> bytes:
        octets = canonical_octets(
            {
                "control": plan.control,
                "probe": plan.probe,
                "kind": plan.kind,
                "thing": plan.thing,
                "planted_at": instant_text(plan.planted_at),
                "expires_at": instant_text(plan.expires_at),
                "caught_at": _maybe(plan.caught_at),
                "removed_at": _maybe(plan.removed_at),
            }
        )
        context = f"canary_plan.sealed|{plan.id}|{plan.state.value}"
        return self.sealers[DataKeyKind.CA_RECORDS].seal(octets, context)


def _decode_plan(sealer: Sealer, identifier: str, state: str, sealed: bytes) -> CanaryPlan:
    found = json.loads(sealer.unseal(sealed, f"canary_plan.sealed|{identifier}|{state}"))
    caught_at, removed_at = found["caught_at"], found["removed_at"]
    return CanaryPlan(
        id=identifier,
        control=found["control"],
        probe=found["probe"],
        kind=found["kind"],
        thing=found["thing"],
        planted_at=parse_instant(found["planted_at"]),
        expires_at=parse_instant(found["expires_at"]),
        state=CanaryState(state),
        caught_at=None if caught_at is None else parse_instant(caught_at),
        removed_at=None if removed_at is None else parse_instant(removed_at),
    )


def _maybe(instant: datetime | None) -> str | None:
    return None if instant is None else instant_text(instant)


def _context(probe: str, sequence: int) -> str:
    return f"evidence_record.sealed|{probe}|{sequence}"


def _standing_context(probe: str, sequence: int) -> str:
    return f"evidence_standing.sealed|{probe}|{sequence}"
