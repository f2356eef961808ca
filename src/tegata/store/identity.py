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
from tegata.identity.record import KnownCertificate, KnownTag
from tegata.kernel.problem import ProblemCode
from tegata.kernel.scope import TenantScope
from tegata.kernel.signing import DataKeyKind
from tegata.store.identity_vault import Vault, decode_checks, encode_checks
from tegata.store.instants import from_milliseconds, to_milliseconds
from tegata.store.reads import ReadsBase
from tegata.store.schema import (
    identity_certificate,
    identity_purpose,
    identity_session,
)
from tegata.store.statement import NO_OFFSET, Row, Statement
from tegata.store.unit import UnitBase

_TENANT: BindParameter[str] = bindparam("tenant")
_session, _known = identity_session.c, identity_certificate.c

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
    select(_known.tag, _known.person, _known.shown).where(
        _known.tenant == _TENANT, _known.tag == bindparam("tag")
    )
)
_USER_CERTIFICATES = Statement(
    select(_known.tag, _known.sealed, _known.seen_at)
    .where(_known.tenant == _TENANT, _known.person == bindparam("person"))
    .order_by(_known.seen_at, _known.tag)
)
_put_certificate = upsert(identity_certificate).values(
    {column.name: bindparam(column.name) for column in identity_certificate.columns}
)
# One that was linked, and is shown now, is known better; whose it is stays.
_ADD_CERTIFICATE = Statement(
    _put_certificate.on_conflict_do_update(
        index_elements=["tenant", "tag"],
        set_={name: _put_certificate.excluded[name] for name in ("sealed", "shown", "seen_at")},
        where=_put_certificate.excluded.shown > identity_certificate.c.shown,
    )
)
_SHOWN = Statement(
    select(_known.tag, _known.person, _known.sealed, _known.seen_at)
    .where(
        _known.tenant == _TENANT,
        _known.tag > bindparam("after"),
        _known.shown == literal_column("1"),
    )
    .order_by(_known.tag)
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)


class IdentityReads(ReadsBase):
    """Sessions and users of one tenant."""

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

    async def find_users(
        self, scope: TenantScope, tags: Sequence[bytes]
    ) -> Mapping[bytes, KnownTag]:
        """The users of those certificates that are known, by tag."""
        found = {}
        for tag in tags:
            rows = await self.database.fetch(scope.tenant, _FIND_USERS, {"tag": tag})
            for known, person, shown in rows:
                found[bytes(known)] = KnownTag(UserId(person), bool(shown))
        return found

    async def shown_certificates(
        self, scope: TenantScope, after: bytes | None, limit: int
    ) -> Sequence[KnownCertificate]:
        """A page of the certificates that users showed, in the order of their tags."""
        parameters = {"after": after or b"", "limit": limit}
        rows = await self.database.fetch(scope.tenant, _SHOWN, parameters)
        vault = await self.identity_vault(scope)
        return [
            _read_known(vault, bytes(tag), UserId(person), bytes(sealed), seen_at)
            for tag, person, sealed, seen_at in rows
        ]

    async def user_certificates(
        self, scope: TenantScope, user: UserId
    ) -> Sequence[KnownCertificate]:
        """A user's certificates, as they became known."""
        rows = await self.database.fetch(scope.tenant, _USER_CERTIFICATES, {"person": user})
        vault = await self.identity_vault(scope)
        return [
            _read_known(vault, bytes(tag), user, bytes(sealed), seen_at)
            for tag, sealed, seen_at in rows
        ]


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
                "shown": int(bool(certificate.point)),
                "reason": None,
                "seen_at": to_milliseconds(certificate.seen_at),
            },
            expect=None,
        )


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
        declared=part.declared,
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


def _read_known(
    vault: Vault, tag: bytes, user: UserId, sealed: bytes, seen_at: int
) -> KnownCertificate:
    part = vault.open_certificate(tag, sealed)
    return KnownCertificate(tag, user, part.reference, part.point, from_milliseconds(seen_at))


def _read_purpose(name: str, document: str) -> DeclaredPurpose:
    found: dict[str, Any] = json.loads(document)
    attributes = frozenset(Attribute(each) for each in found["attributes"])
    return DeclaredPurpose(name, found["text"], attributes, found["law"])
