"""Use cases on tokens: authenticate, create, revoke."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import IssuerId, TenantId, TokenId, encode_id, time_ordered
from tegata.kernel.ports import Clock, Randomness
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import PLATFORM_TENANT, Actor, ActorKind, TenantScope
from tegata.tenancy.model import (
    OPERATOR_ACTIONS,
    TENANT_ACTIONS,
    Action,
    Principal,
    TenantState,
    Token,
    TokenKind,
)
from tegata.tenancy.ports import TenancyStore

# A token's death is seen by every process within this time.
FRESH = timedelta(seconds=2)
_CACHE = 4096
_PREFIX = "tgt"


@dataclass(frozen=True, slots=True)
class TokenService:
    """Tokens of tenants and operators.

    The text of a token is ``tgt_<tenant>_<token>_<secret>``: it names its tenant, so it is
    looked up inside that tenant and nowhere else.
    """

    store: TenancyStore
    clock: Clock
    randomness: Randomness
    _fresh: OrderedDict[bytes, tuple[datetime, Principal]] = field(default_factory=OrderedDict)

    async def authenticate(self, text: str) -> Principal:
        """Whose token this is. `Problem(authentication.failed)` says no more than that."""
        digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()
        now = self.clock.now()
        known = self._fresh.get(digest)
        if known is not None and now - known[0] < FRESH:
            return known[1]
        principal = await self._look_up(text)
        self._fresh[digest] = now, principal
        if len(self._fresh) > _CACHE:
            self._fresh.popitem(last=False)
        return principal

    async def _look_up(self, text: str) -> Principal:
        refused = Problem(ProblemCode.AUTHENTICATION_FAILED, "the token is not valid")
        parts = text.split("_")
        if len(parts) != 4 or parts[0] != _PREFIX:
            raise refused
        tenant, identifier = TenantId(f"ten_{parts[1]}"), TokenId(f"tok_{parts[2]}")
        token = await self.store.find_token(tenant, identifier)
        if token is None or token.revoked_at is not None:
            raise refused
        if not hmac.compare_digest(token.secret_hash, _hash(parts[3])):
            raise refused
        kind = ActorKind.OPERATOR if token.kind is TokenKind.OPERATOR else ActorKind.TOKEN
        scope = TenantScope(tenant, Actor(kind, token.id))
        found = await self.store.find_tenant(scope, tenant)
        if found is None:
            raise refused
        if found.state is TenantState.SUSPENDED:
            raise Problem(ProblemCode.TENANT_SUSPENDED, "the tenant is suspended")
        return Principal(scope, token)

    async def may_act(self, scope: TenantScope) -> bool:
        """Whether a scope's token still lives; `Problem(tenant.suspended)` while it cannot act."""
        token = await self.store.find_token(scope.tenant, TokenId(scope.actor.id))
        if token is None or token.revoked_at is not None:
            return False
        found = await self.store.find_tenant(scope, scope.tenant)
        if found is not None and found.state is TenantState.SUSPENDED:
            raise Problem(ProblemCode.TENANT_SUSPENDED, "the tenant is suspended")
        return found is not None

    async def create(
        self,
        scope: TenantScope,
        name: str,
        actions: Iterable[Action] | None = None,
        issuers: Sequence[IssuerId] | None = None,
        *,
        within: Principal | None = None,
        request_digest: bytes = bytes(32),
    ) -> tuple[Token, str]:
        """A new token and its text, which is shown once and stored nowhere.

        `within` is the principal that asks: nobody gives away more than it has.
        """
        token, text = await self._prepare(scope, name, actions, issuers, within)
        async with self.store.open_unit(scope) as unit:
            unit.add_token(token)
            unit.audit(_event(scope, "create", token.id, request_digest, {"name": name}))
            await unit.commit()
        return token, text

    async def _prepare(
        self,
        scope: TenantScope,
        name: str,
        actions: Iterable[Action] | None,
        issuers: Sequence[IssuerId] | None,
        within: Principal | None,
    ) -> tuple[Token, str]:
        operator = scope.tenant == PLATFORM_TENANT
        allowed = OPERATOR_ACTIONS if operator else TENANT_ACTIONS
        limits = frozenset(issuers) if issuers is not None else None
        if within is not None:
            allowed = allowed & within.token.actions
            own = within.token.issuers
            if own is not None and not (limits is not None and limits <= own):
                raise Problem(ProblemCode.AUTHORIZATION_DENIED, "not beyond your own issuers")
        if limits is not None:
            known = {issuer.id for issuer in await self.store.list_issuers(scope)}
            if not limits <= known:
                raise Problem(ProblemCode.ISSUER_UNKNOWN, "no such issuer")
        chosen = frozenset(actions) if actions is not None else allowed
        if not chosen <= allowed:
            raise Problem(ProblemCode.AUTHORIZATION_DENIED, "not beyond your own actions")
        now = self.clock.now()
        milliseconds = int(now.timestamp() * 1000)
        identifier = encode_id("tok", time_ordered(milliseconds, self.randomness.octets(10)))
        secret = base64.b32encode(self.randomness.octets(32)).decode().rstrip("=").lower()
        token = Token(
            id=TokenId(identifier),
            tenant=scope.tenant,
            name=name,
            kind=TokenKind.OPERATOR if operator else TokenKind.TENANT,
            secret_hash=_hash(secret),
            issuers=limits,
            actions=chosen,
            created_at=now,
            revoked_at=None,
        )
        tails = scope.tenant.partition("_")[2], identifier.partition("_")[2]
        return token, "_".join((_PREFIX, *tails, secret))

    async def revoke(self, scope: TenantScope, token: TokenId, request_digest: bytes) -> None:
        """Revoke a token of the tenant; seen at once here, within `FRESH` elsewhere."""
        now = self.clock.now()
        async with self.store.open_unit(scope, essential=True) as unit:
            unit.essential()
            unit.revoke_token(token, now)
            unit.audit(_event(scope, "revoke", token, request_digest, {}))
            await unit.commit()
        self._fresh.clear()

    async def after(self, scope: TenantScope, after: str, limit: int) -> Sequence[Token]:
        """So many of the tenant's tokens, oldest first, from the one after `after`."""
        return await self.store.tokens_after(scope, after, limit)


def _hash(secret: str) -> bytes:
    # The secret has 256 random bits: a slow hash would protect nothing.
    return hashlib.sha256(secret.encode()).digest()


def _event(
    scope: TenantScope, act: str, token: TokenId, digest: bytes, private: dict[str, str]
) -> AuditEvent:
    return AuditEvent(
        actor=scope.actor,
        action=f"tenancy:token:{act}",
        decision=Decision.ALLOWED,
        subject=f"token:{token}",
        request_digest=digest,
        private=private,
    )
