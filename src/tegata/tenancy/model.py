"""Tenants, tokens and what a token may do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tegata.kernel.ids import IssuerId, TenantId, TokenId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope

# Characters in the name of a tenant or token. A tenant's becomes the organisation of its first CAs
# (RFC 5280 appendix A.1: ub-organization-name).
NAME_MAXIMUM = 64


class TenantState(StrEnum):
    """Where a tenant is in its life."""

    OPENING = "opening"
    ACTIVE = "active"
    SUSPENDED = "suspended"


class TokenKind(StrEnum):
    """Whose token it is: a tenant's, or the platform operator's."""

    TENANT = "tenant"
    OPERATOR = "operator"


class Action(StrEnum):
    """What a token may be allowed to do."""

    BULK_MANAGE = "bulk.manage"
    CERTIFICATES_ISSUE = "certificates.issue"
    CERTIFICATES_READ = "certificates.read"
    CERTIFICATES_REVOKE = "certificates.revoke"
    IDENTITY_VERIFY = "identity.verify"
    IDENTITY_ATTRIBUTES = "identity.attributes"
    IDENTITY_RECORDS = "identity.records"
    IDENTITY_MANAGE = "identity.manage"
    ISSUERS_READ = "issuers.read"
    ISSUERS_MANAGE = "issuers.manage"
    ISSUANCE_STOP = "issuance.stop"
    NOTICES_MANAGE = "notices.manage"
    PROFILES_READ = "profiles.read"
    PROFILES_MANAGE = "profiles.manage"
    TIMESTAMPS_READ = "timestamps.read"
    TIMESTAMPS_MANAGE = "timestamps.manage"
    TOKENS_MANAGE = "tokens.manage"
    REFUSED_KEYS_MANAGE = "refused-keys.manage"
    EVENTS_READ = "events.read"
    TENANTS_MANAGE = "tenants.manage"


OPERATOR_ACTIONS = frozenset(
    {
        Action.TENANTS_MANAGE,
        Action.TOKENS_MANAGE,
        Action.REFUSED_KEYS_MANAGE,
        Action.EVENTS_READ,
    }
)
TENANT_ACTIONS = frozenset(Action) - {Action.TENANTS_MANAGE}


@dataclass(frozen=True, slots=True)
class Tenant:
    """One cloud service customer's isolated space."""

    id: TenantId
    name: str
    state: TenantState
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is stored: `secret_hash` is SHA-256 of a 256-bit secret.

    `issuers` limits it to some of its tenant's issuers; None means all of them.
    """

    id: TokenId
    tenant: TenantId
    name: str
    kind: TokenKind
    secret_hash: bytes
    issuers: frozenset[IssuerId] | None
    actions: frozenset[Action]
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking, and within which bounds."""

    scope: TenantScope
    token: Token

    def require(self, action: Action) -> None:
        """`Problem(authorization.denied)` unless the token may do `action`."""
        if action not in self.token.actions:
            raise Problem(ProblemCode.AUTHORIZATION_DENIED, f"the token may not {action}")

    def require_issuer(self, issuer: IssuerId) -> None:
        """`Problem(authorization.denied)` unless the token may use the issuer."""
        if self.token.issuers is not None and issuer not in self.token.issuers:
            raise Problem(ProblemCode.AUTHORIZATION_DENIED, "the token is for other issuers")

    def require_every_issuer(self) -> None:
        """`Problem(authorization.denied)` for a token that is bound to some issuers."""
        if self.token.issuers is not None:
            raise Problem(ProblemCode.AUTHORIZATION_DENIED, "the token is for some issuers only")

    def sees_issuer(self, issuer: IssuerId) -> bool:
        """Whether the token may see an issuer."""
        return self.token.issuers is None or issuer in self.token.issuers
