"""Tenants, tokens and events, as rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BindParameter, and_, bindparam, literal_column, or_, select, update

from tegata.kernel.ids import IssuerId, TenantId, TokenId
from tegata.kernel.problem import ProblemCode
from tegata.kernel.scope import PLATFORM_TENANT, TenantScope
from tegata.kernel.signing import DataKeyKind
from tegata.store import schema
from tegata.store.instants import from_milliseconds, to_milliseconds
from tegata.store.negative import state_act, token_act
from tegata.store.reads import ReadsBase
from tegata.store.schema import audit_event, log_leaf, log_salt, tenant, token
from tegata.store.statement import NO_OFFSET, Row, Statement
from tegata.store.unit import UnitBase, disclosure_context, salt_context, unpack_disclosures
from tegata.tenancy.model import Action, Tenant, TenantState, Token, TokenKind
from tegata.tenancy.ports import RecordedEvent

_TENANT: BindParameter[str] = bindparam("tenant")
# A tenant sees itself; the operator's tenant sees all (the row policy says the same).
_VISIBLE = or_(tenant.c.id == _TENANT, literal_column(f"'{PLATFORM_TENANT}'") == _TENANT)
_FIND_TENANT = Statement(select(tenant).where(tenant.c.id == bindparam("wanted"), _VISIBLE))
_FIND_TENANT_NAMED = Statement(select(tenant).where(tenant.c.name == bindparam("name"), _VISIBLE))
_LIST_TENANTS = Statement(select(tenant).where(_VISIBLE).order_by(tenant.c.created_at, tenant.c.id))
_TENANTS_AFTER = Statement(
    select(tenant)
    .where(_VISIBLE, tenant.c.id > bindparam("after"))
    .order_by(tenant.c.id)
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)
_SET_STATE = Statement(
    update(tenant).where(tenant.c.id == _TENANT).values(state=bindparam("new_state"))
)
_FIND_TOKEN = Statement(
    select(token).where(token.c.tenant == _TENANT, token.c.id == bindparam("token"))
)
_TOKENS_AFTER = Statement(
    select(token)
    .where(token.c.tenant == _TENANT, token.c.id > bindparam("after"))
    .order_by(token.c.id)
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)
_REVOKE_TOKEN = Statement(
    update(token)
    .where(
        token.c.tenant == _TENANT,
        token.c.id == bindparam("token"),
        token.c.revoked_at.is_(None),
    )
    .values(revoked_at=bindparam("now"))
)
_LIST_EVENTS = Statement(
    select(
        audit_event.c.sequence,
        audit_event.c.canonical,
        audit_event.c.digest,
        audit_event.c.disclosures,
        log_salt.c.sealed,
        log_leaf.c.place,
    )
    .select_from(
        audit_event.outerjoin(
            log_leaf,
            and_(
                log_leaf.c.tenant == audit_event.c.tenant,
                log_leaf.c.sequence == audit_event.c.sequence,
            ),
        ).outerjoin(
            log_salt,
            and_(
                log_salt.c.tenant == audit_event.c.tenant,
                log_salt.c.sequence == audit_event.c.sequence,
            ),
        )
    )
    .where(audit_event.c.tenant == _TENANT, audit_event.c.sequence > bindparam("after"))
    .order_by(audit_event.c.sequence)
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)


def _tenant(row: Row) -> Tenant:
    identifier, name, state, created_at = row
    return Tenant(TenantId(identifier), name, TenantState(state), from_milliseconds(created_at))


def _token(row: Row) -> Token:
    owner, identifier, name, kind, secret_hash, issuers, actions, created_at, revoked_at = row
    return Token(
        id=TokenId(identifier),
        tenant=TenantId(owner),
        name=name,
        kind=TokenKind(kind),
        secret_hash=bytes(secret_hash),
        issuers=frozenset(map(IssuerId, json.loads(issuers))) if issuers is not None else None,
        actions=frozenset(map(Action, json.loads(actions))),
        created_at=from_milliseconds(created_at),
        revoked_at=from_milliseconds(revoked_at) if revoked_at is not None else None,
    )


class TenancyReads(ReadsBase):
    """Tenants, their tokens and their records."""

    async def find_tenant(self, scope: TenantScope, tenant: TenantId) -> Tenant | None:
        """A tenant that the scope may see: its own, or any for the operator."""
        rows = await self.database.fetch(scope.tenant, _FIND_TENANT, {"wanted": tenant})
        return _tenant(rows[0]) if rows else None

    async def find_tenant_named(self, scope: TenantScope, name: str) -> Tenant | None:
        """A tenant that the scope may see, by its name."""
        rows = await self.database.fetch(scope.tenant, _FIND_TENANT_NAMED, {"name": name})
        return _tenant(rows[0]) if rows else None

    async def list_tenants(self, scope: TenantScope) -> Sequence[Tenant]:
        """The tenants that the scope may see, oldest first."""
        return [_tenant(row) for row in await self.database.fetch(scope.tenant, _LIST_TENANTS, {})]

    async def tenants_after(self, scope: TenantScope, after: str, limit: int) -> Sequence[Tenant]:
        """So many of the tenants that the scope may see, by id, from the one after `after`."""
        parameters = {"after": after, "limit": limit}
        rows = await self.database.fetch(scope.tenant, _TENANTS_AFTER, parameters)
        return [_tenant(row) for row in rows]

    async def find_token(self, tenant: TenantId, token: TokenId) -> Token | None:
        """A token of a tenant."""
        rows = await self.database.fetch(tenant, _FIND_TOKEN, {"token": token})
        return _token(rows[0]) if rows else None

    async def tokens_after(self, scope: TenantScope, after: str, limit: int) -> Sequence[Token]:
        """So many of the tenant's tokens, oldest first, from the one after `after`."""
        parameters = {"after": after, "limit": limit}
        rows = await self.database.fetch(scope.tenant, _TOKENS_AFTER, parameters)
        return [_token(row) for row in rows]

    async def list_events(
        self, scope: TenantScope, after: int, limit: int
    ) -> Sequence[RecordedEvent]:
        """The tenant's own record, from the event after sequence number `after`."""
        parameters = {"after": after, "limit": limit}
        rows = await self.database.fetch(scope.tenant, _LIST_EVENTS, parameters)
        sealer = await self.data_keys.sealer(scope.tenant, DataKeyKind.DISCLOSURE)
        events = []
        for sequence, canonical, digest, sealed, sealed_salt, place in rows:
            salt: bytes | None = None
            disclosures: tuple[str, ...] = ()
            if sealed:
                commitments = json.loads(canonical)["commitments"]
                plaintext = sealer.unseal(bytes(sealed), disclosure_context(commitments))
                salt, disclosures = unpack_disclosures(plaintext)
            if sealed_salt is not None:
                salt = sealer.unseal(bytes(sealed_salt), salt_context(sequence))
            events.append(
                RecordedEvent(sequence, bytes(canonical), bytes(digest), disclosures, salt, place)
            )
        return events


class TenancyWrites(UnitBase):
    """Tenants and tokens in a unit."""

    def add_tenant(self, opened: Tenant) -> None:
        """Record a tenant."""
        self._insert(
            schema.tenant,
            id=opened.id,
            name=opened.name,
            state=opened.state.value,
            created_at=to_milliseconds(opened.created_at),
        )

    def set_tenant_state(self, state: TenantState, *, resumed: bool = False) -> None:
        """Change the state of the unit's tenant; `resumed` when it was suspended."""
        act = state_act(self.scope.tenant, state, resumed=resumed)
        if act is not None:
            self._act(act)
        self._execute(
            _SET_STATE,
            {"tenant": self.scope.tenant, "new_state": state.value},
            otherwise=ProblemCode.TENANT_UNKNOWN,
        )

    def add_token(self, created: Token) -> None:
        """Record a token."""
        issuers = json.dumps(sorted(created.issuers)) if created.issuers is not None else None
        self._insert(
            schema.token,
            tenant=self.scope.tenant,
            id=created.id,
            name=created.name,
            kind=created.kind.value,
            secret_hash=created.secret_hash,
            issuers=issuers,
            actions=json.dumps(sorted(created.actions)),
            created_at=to_milliseconds(created.created_at),
            revoked_at=None,
        )

    def revoke_token(self, token: TokenId, now: datetime) -> None:
        """Revoke a token; the unit fails with token.unknown when there is none to revoke."""
        self._act(token_act(self.scope.tenant, token, now))
        self._execute(
            _REVOKE_TOKEN,
            {"tenant": self.scope.tenant, "token": token, "now": to_milliseconds(now)},
            otherwise=ProblemCode.TOKEN_UNKNOWN,
        )
