"""Confirmation records, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BindParameter, bindparam, literal_column, select, update

from tegata.identity.model import RecordId, SessionId, UserId
from tegata.identity.record import ConfirmationRecord
from tegata.kernel.problem import ProblemCode
from tegata.kernel.scope import TenantScope
from tegata.store.identity import IdentityReads, IdentityWrites
from tegata.store.identity_vault import Vault
from tegata.store.instants import from_milliseconds, to_milliseconds
from tegata.store.schema import confirmation_record
from tegata.store.statement import NO_OFFSET, Row, Statement

_TENANT: BindParameter[str] = bindparam("tenant")
_record = confirmation_record.c
_RECORD = select(
    _record.id, _record.session, _record.person, _record.sealed, _record.made_at,
    _record.contract_ended_at, _record.retain_until, _record.held,
).where(_record.tenant == _TENANT)  # fmt: skip
_FIND_RECORD = Statement(_RECORD.where(_record.id == bindparam("record")))
_LIST_RECORDS = Statement(
    _RECORD.where(_record.case_tag == bindparam("case_tag"), _record.id > bindparam("after"))
    .order_by(_record.id)
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)
_RECORDS_DUE = Statement(
    select(_record.id)
    .where(
        _record.tenant == _TENANT,
        _record.retain_until <= bindparam("now"),
        _record.held == literal_column("0"),
    )
    .order_by(_record.retain_until)
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)
_SET_RECORD = Statement(
    update(confirmation_record)
    .where(_record.tenant == _TENANT, _record.id == bindparam("record"))
    .values(
        contract_ended_at=bindparam("ended"),
        retain_until=bindparam("until"),
        held=bindparam("hold"),
    )
)
_REMOVE_RECORD = Statement(
    confirmation_record.delete().where(
        _record.tenant == _TENANT,
        _record.id == bindparam("record"),
        _record.held == literal_column("0"),
    )
)


class ConfirmationReads(IdentityReads):
    """Confirmation records of one tenant."""

    async def find_record(self, scope: TenantScope, record: RecordId) -> ConfirmationRecord | None:
        """A confirmation record."""
        rows = await self.database.fetch(scope.tenant, _FIND_RECORD, {"record": record})
        return _read_record(rows[0], await self.identity_vault(scope)) if rows else None

    async def list_records(
        self, scope: TenantScope, case: str, after: RecordId | None, limit: int
    ) -> Sequence[ConfirmationRecord]:
        """The records of a case, oldest first."""
        vault = await self.identity_vault(scope)
        parameters = {"case_tag": vault.case_tag(case), "after": after or "", "limit": limit}
        rows = await self.database.fetch(scope.tenant, _LIST_RECORDS, parameters)
        return [_read_record(row, vault) for row in rows]

    async def records_due(
        self, scope: TenantScope, now: datetime, limit: int
    ) -> Sequence[RecordId]:
        """Records whose retention is over and that nobody holds."""
        parameters = {"now": to_milliseconds(now), "limit": limit}
        rows = await self.database.fetch(scope.tenant, _RECORDS_DUE, parameters)
        return [RecordId(row[0]) for row in rows]


class ConfirmationWrites(IdentityWrites):
    """Confirmation records in a unit."""

    def add_record(self, record: ConfirmationRecord) -> None:
        """Keep a confirmation record."""
        self._insert(
            confirmation_record,
            tenant=self.scope.tenant,
            id=record.id,
            session=record.session,
            person=record.user,
            case_tag=self.vault.case_tag(record.evidence.case),
            law=record.evidence.method.law,
            law_version=record.evidence.method.version.isoformat(),
            method=record.evidence.method.code,
            sealed=self.vault.seal_evidence(record.id, record.evidence),
            made_at=to_milliseconds(record.made_at),
            **_retention(record),
        )

    def set_record(self, record: ConfirmationRecord) -> None:
        """Change a record's end of contract, retention and hold."""
        kept = _retention(record)
        self._execute(
            _SET_RECORD,
            {
                "tenant": self.scope.tenant,
                "record": record.id,
                "ended": kept["contract_ended_at"],
                "until": kept["retain_until"],
                "hold": kept["held"],
            },
            otherwise=ProblemCode.RECORD_UNKNOWN,
        )

    def remove_record(self, record: RecordId) -> None:
        """Forget a record whose time is over; fails when somebody holds it."""
        self._execute(
            _REMOVE_RECORD,
            {"tenant": self.scope.tenant, "record": record},
            otherwise=ProblemCode.RECORD_REFUSED,
        )


def _retention(record: ConfirmationRecord) -> dict[str, int | None]:
    return {
        "contract_ended_at": _optional(record.contract_ended_at),
        "retain_until": _optional(record.retain_until),
        "held": int(record.legal_hold),
    }


def _optional(instant: datetime | None) -> int | None:
    return None if instant is None else to_milliseconds(instant)


def _instant(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else from_milliseconds(milliseconds)


def _read_record(row: Row, vault: Vault) -> ConfirmationRecord:
    identifier, session, person, sealed, made_at, ended, until, held = row
    evidence = vault.open_evidence(identifier, bytes(sealed))
    return ConfirmationRecord(
        RecordId(identifier),
        SessionId(session),
        UserId(person),
        from_milliseconds(made_at),
        evidence,
        _instant(ended),
        _instant(until),
        bool(held),
    )
