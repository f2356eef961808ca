"""Identity verification, as rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, bindparam, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from tegata.identity.jlis import LegalPurpose
from tegata.identity.model import (
    Attribute,
    DeclaredPurpose,
    RecordId,
    Session,
    SessionId,
    SessionState,
    UserId,
    Verdict,
    VerdictResult,
)
from tegata.identity.reasons import Reason
from tegata.identity.record import ConfirmationRecord, KnownCertificate
from tegata.kernel.problem import ProblemCode
from tegata.kernel.scope import TenantScope
from tegata.kernel.signing import DataKeyKind
from tegata.store.identity_vault import Vault, decode_checks, encode_checks
from tegata.store.instants import from_milliseconds, to_milliseconds
from tegata.store.reads import ReadsBase
from tegata.store.schema import (
    confirmation_record,
    identity_certificate,
    identity_purpose,
    identity_session,
)
from tegata.store.statement import NO_OFFSET, Row, Statement
from tegata.store.unit import UnitBase

_TENANT: BindParameter[str] = bindparam("tenant")
_session, _record, _known = identity_session.c, confirmation_record.c, identity_certificate.c

_FIND_SESSION = Statement(
    select(
        _session.legal_purpose, _session.state, _session.result, _session.reason, _session.checks,
        _session.person, _session.record, _session.sealed, _session.created_at,
        _session.expires_at, _session.decided_at, _session.handed_out_at,
    ).where(_session.tenant == _TENANT, _session.id == bindparam("session"))
)  # fmt: skip
_DECIDE = Statement(
    update(identity_session)
    .where(
        _session.tenant == _TENANT,
        _session.id == bindparam("session"),
        _session.state == literal_column(f"'{SessionState.OPEN}'"),
    )
    .values(
        state=literal_column(f"'{SessionState.DECIDED}'"),
        result=bindparam("new_result"),
        reason=bindparam("new_reason"),
        checks=bindparam("new_checks"),
        person=bindparam("new_person"),
        record=bindparam("new_record"),
        decided_at=bindparam("at"),
    )
)
_HAND_OUT = Statement(
    update(identity_session)
    .where(
        _session.tenant == _TENANT,
        _session.id == bindparam("session"),
        _session.handed_out_at.is_(None),
    )
    .values(handed_out_at=bindparam("at"))
)
_PURPOSE = select(identity_purpose.c.name, identity_purpose.c.document).where(
    identity_purpose.c.tenant == _TENANT
)
_FIND_PURPOSE = Statement(_PURPOSE.where(identity_purpose.c.name == bindparam("purpose")))
_LIST_PURPOSES = Statement(_PURPOSE.order_by(identity_purpose.c.name))
_put_purpose = upsert(identity_purpose).values(
    {column.name: bindparam(column.name) for column in identity_purpose.columns}
)
_SET_PURPOSE = Statement(
    _put_purpose.on_conflict_do_update(
        index_elements=["tenant", "name"],
        set_={name: _put_purpose.excluded[name] for name in ("document", "changed_at")},
    )
)
_FIND_USERS = Statement(
    select(_known.tag, _known.person).where(
        _known.tenant == _TENANT, _known.tag == bindparam("tag")
    )
)
_USER_CERTIFICATES = Statement(
    select(_known.tag, _known.sealed, _known.seen_at)
    .where(_known.tenant == _TENANT, _known.person == bindparam("person"))
    .order_by(_known.seen_at, _known.tag)
)
_ADD_CERTIFICATE = Statement(
    upsert(identity_certificate)
    .values({column.name: bindparam(column.name) for column in identity_certificate.columns})
    .on_conflict_do_nothing(index_elements=["tenant", "tag"])
)
_RECORD = select(
    _record.id, _record.session, _record.person, _record.law, _record.law_version,
    _record.method, _record.sealed, _record.made_at, _record.contract_ended_at,
    _record.retain_until, _record.held,
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


class IdentityReads(ReadsBase):
    """Sessions, users and records of one tenant."""

    async def identity_vault(self, scope: TenantScope) -> Vault:
        """The tenant's vault."""
        return Vault(
            await self.data_keys.sealer(scope.tenant, DataKeyKind.ERASABLE),
            await self.data_keys.sealer(scope.tenant, DataKeyKind.CONFIRMATION),
        )

    async def find_session(self, scope: TenantScope, session: SessionId) -> Session | None:
        """A session of the tenant."""
        rows = await self.database.fetch(scope.tenant, _FIND_SESSION, {"session": session})
        if not rows:
            return None
        return _read_session(session, rows[0], await self.identity_vault(scope))

    async def find_purpose(self, scope: TenantScope, name: str) -> DeclaredPurpose | None:
        """A purpose that the tenant declared."""
        rows = await self.database.fetch(scope.tenant, _FIND_PURPOSE, {"purpose": name})
        return _read_purpose(*rows[0]) if rows else None

    async def list_purposes(self, scope: TenantScope) -> Sequence[DeclaredPurpose]:
        """Every purpose that the tenant declared."""
        rows = await self.database.fetch(scope.tenant, _LIST_PURPOSES, {})
        return [_read_purpose(*row) for row in rows]

    async def find_users(self, scope: TenantScope, tags: Sequence[bytes]) -> Mapping[bytes, UserId]:
        """The users of those certificates that are known, by tag."""
        found = {}
        for tag in tags:
            for known, person in await self.database.fetch(scope.tenant, _FIND_USERS, {"tag": tag}):
                found[bytes(known)] = UserId(person)
        return found

    async def user_certificates(
        self, scope: TenantScope, user: UserId
    ) -> Sequence[KnownCertificate]:
        """A user's certificates, as they became known."""
        rows = await self.database.fetch(scope.tenant, _USER_CERTIFICATES, {"person": user})
        vault = await self.identity_vault(scope)
        found = []
        for tag, sealed, seen_at in rows:
            part = vault.open_certificate(bytes(tag), bytes(sealed))
            found.append(
                KnownCertificate(
                    bytes(tag), user, part.reference, part.point, from_milliseconds(seen_at)
                )
            )
        return found

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


class IdentityWrites(UnitBase):
    """Identity verification in a unit; `vault` is set by whoever opens one for it."""

    vault: Vault

    def add_session(self, session: Session) -> None:
        """Keep a session that was opened."""
        self._insert(
            identity_session,
            tenant=self.scope.tenant,
            id=session.id,
            kind=session.asked.kind,
            purpose=session.asked.purpose,
            legal_purpose=session.legal_purpose,
            state=session.state,
            result=None,
            reason=None,
            checks=None,
            person=None,
            record=None,
            sealed=self.vault.seal_session(session),
            created_at=to_milliseconds(session.created_at),
            expires_at=to_milliseconds(session.expires_at),
            decided_at=None,
            handed_out_at=None,
        )

    def decide_session(self, session: Session) -> None:
        """Keep a session's verdict; fails with session.already-decided when it has one."""
        verdict = session.verdict
        if verdict is None or session.decided_at is None:
            raise ValueError("a decided session has a verdict")
        self._execute(
            _DECIDE,
            {
                "tenant": self.scope.tenant,
                "session": session.id,
                "new_result": verdict.result,
                "new_reason": verdict.reason,
                "new_checks": encode_checks(verdict.checks),
                "new_person": session.user,
                "new_record": session.record,
                "at": to_milliseconds(session.decided_at),
            },
            otherwise=ProblemCode.SESSION_DECIDED,
        )

    def hand_out(self, session: SessionId, at: datetime) -> None:
        """Note that attributes were handed out; fails the second time."""
        self._execute(
            _HAND_OUT,
            {"tenant": self.scope.tenant, "session": session, "at": to_milliseconds(at)},
            otherwise=ProblemCode.ATTRIBUTES_HANDED_OUT,
        )

    def set_purpose(self, purpose: DeclaredPurpose, now: datetime) -> None:
        """Declare a purpose, or declare it anew."""
        document = {
            "text": purpose.text,
            "attributes": sorted(purpose.attributes),
            "law": purpose.law,
        }
        self._execute(
            _SET_PURPOSE,
            {
                "tenant": self.scope.tenant,
                "name": purpose.name,
                "document": json.dumps(document, ensure_ascii=False),
                "changed_at": to_milliseconds(now),
            },
        )

    def add_known_certificate(self, certificate: KnownCertificate) -> None:
        """Remember a user's certificate; one that is known stays with its user."""
        self._execute(
            _ADD_CERTIFICATE,
            {
                "tenant": self.scope.tenant,
                "tag": certificate.tag,
                "person": certificate.user,
                "sealed": self.vault.seal_certificate(certificate),
                "seen_at": to_milliseconds(certificate.seen_at),
            },
            expect=None,
        )

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


def _read_session(identifier: SessionId, row: Row, vault: Vault) -> Session:
    (legal, state, result, reason, checks, person, record, sealed, created_at, expires_at,
     decided_at, handed_out_at) = row  # fmt: skip
    part = vault.open_session(identifier, bytes(sealed))
    verdict = None
    if result is not None:
        verdict = Verdict(
            VerdictResult(result), Reason(reason) if reason else None, decode_checks(checks)
        )
    return Session(
        id=identifier,
        asked=part.asked,
        legal_purpose=LegalPurpose(legal),
        challenge=part.challenge,
        intent=part.intent,
        state=SessionState(state),
        created_at=from_milliseconds(created_at),
        expires_at=from_milliseconds(expires_at),
        verdict=verdict,
        decided_at=_instant(decided_at),
        user=UserId(person) if person else None,
        record=RecordId(record) if record else None,
        handed_out_at=_instant(handed_out_at),
    )


def _read_purpose(name: str, document: str) -> DeclaredPurpose:
    found: dict[str, Any] = json.loads(document)
    attributes = frozenset(Attribute(each) for each in found["attributes"])
    return DeclaredPurpose(name, found["text"], attributes, found["law"])


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
