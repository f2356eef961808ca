"""Use cases of confirmation records: look at them, end their contract, hold them, forget them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tegata.identity.model import RecordId
from tegata.identity.ports import IdentityStore
from tegata.identity.record import ConfirmationRecord
from tegata.identity.rules.law import retain_until
from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ports import Clock
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope

PAGE_MAXIMUM = 100
# Records forgotten in one unit.
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class RecordService:
    """Confirmation records. Reading one is recorded too: it says who a person is."""

    store: IdentityStore
    clock: Clock

    async def get(
        self, scope: TenantScope, identifier: RecordId, request_digest: bytes
    ) -> ConfirmationRecord:
        """A record, or `Problem(record.unknown)`."""
        found = await self._get(scope, identifier)
        await self._note(scope, "read", identifier, request_digest)
        return found

    async def export_case(
        self,
        scope: TenantScope,
        case: str,
        after: RecordId | None,
        limit: int,
        request_digest: bytes,
    ) -> Sequence[ConfirmationRecord]:
        """The records of one of the tenant's cases, oldest first."""
        found = await self.store.list_records(scope, case, after, min(limit, PAGE_MAXIMUM))
        private = {"case": case, "records": str(len(found))}
        async with self.store.open_identity_unit(scope) as unit:
            unit.audit(_event(scope, "export", "case", request_digest, private))
            await unit.commit()
        return found

    async def end_contract(
        self, scope: TenantScope, identifier: RecordId, ended_at: datetime, request_digest: bytes
    ) -> ConfirmationRecord:
        """Say when the contract ended: the seven years run from then.

        `Problem(record.refused)` for an instant to come, or a record whose contract ended at
        another one.
        """
        found = await self._get(scope, identifier)
        if ended_at > self.clock.now() or ended_at < found.made_at:
            raise Problem(ProblemCode.RECORD_REFUSED, "a contract ends after its record, by now")
        if found.contract_ended_at not in (None, ended_at):
            raise Problem(ProblemCode.RECORD_REFUSED, "the contract ended at another time already")
        changed = replace(found, contract_ended_at=ended_at, retain_until=retain_until(ended_at))
        private = {"ended_at": ended_at.isoformat()}
        return await self._change(scope, changed, "end-contract", request_digest, private)

    async def hold(
        self, scope: TenantScope, identifier: RecordId, *, held: bool, request_digest: bytes
    ) -> ConfirmationRecord:
        """Keep a record beyond its time, or stop keeping it."""
        found = await self._get(scope, identifier)
        act = "hold" if held else "release"
        return await self._change(scope, replace(found, legal_hold=held), act, request_digest, {})

    async def forget_due(self, scope: TenantScope) -> int:
        """Forget records whose retention is over; how many, and none that is held."""
        now = self.clock.now()
        due = await self.store.records_due(scope, now, _AT_ONCE)
        if not due:
            return 0
        async with self.store.open_identity_unit(scope) as unit:
            for identifier in due:
                unit.remove_record(identifier)
                unit.audit(_event(scope, "forget", identifier, bytes(32), {}))
            await unit.commit()
        return len(due)

    async def _get(self, scope: TenantScope, identifier: RecordId) -> ConfirmationRecord:
        found = await self.store.find_record(scope, identifier)
        if found is None:
            raise Problem(ProblemCode.RECORD_UNKNOWN, "no such record")
        return found

    async def _change(
        self,
        scope: TenantScope,
        changed: ConfirmationRecord,
        act: str,
        request_digest: bytes,
        private: dict[str, str],
    ) -> ConfirmationRecord:
        async with self.store.open_identity_unit(scope) as unit:
            unit.set_record(changed)
            unit.audit(_event(scope, act, changed.id, request_digest, private))
            await unit.commit()
        return changed

    async def _note(
        self, scope: TenantScope, act: str, identifier: RecordId, request_digest: bytes
    ) -> None:
        async with self.store.open_identity_unit(scope) as unit:
            unit.audit(_event(scope, act, identifier, request_digest, {}))
            await unit.commit()


def _event(
    scope: TenantScope, act: str, subject: str, request_digest: bytes, private: dict[str, str]
) -> AuditEvent:
    return AuditEvent(
        actor=scope.actor,
        action=f"identity:record:{act}",
        decision=Decision.ALLOWED,
        subject=f"record:{subject}",
        request_digest=request_digest,
        private=private,
    )
