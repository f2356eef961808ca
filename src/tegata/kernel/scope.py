"""Who acts, and in whose space: nothing touches data without a `TenantScope`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tegata.kernel.ids import TenantId


class ActorKind(StrEnum):
    """Kinds of actors that stand in audit events."""

    TOKEN = "token"
    OPERATOR = "operator"
    PLATFORM = "platform"
    ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a token (tenant's or operator's), the platform itself, or nobody known."""

    kind: ActorKind
    id: str


# The operator's own tenant: it owns the platform's certification authority and the records of
# what operators do. It is a tenant like any other to the data layer.
PLATFORM_TENANT = TenantId("ten_platform")


# Two tenants of the operator's own that attack each other, and in which faults are planted. They
# are nobody's customers, and have roots of their own.
CANARY_TENANTS = (TenantId("ten_canary1"), TenantId("ten_canary2"))


@dataclass(frozen=True, slots=True)
class TenantScope:
    """One tenant's isolated space, and the actor in it."""

    tenant: TenantId
    actor: Actor


def platform_acts(tenant: TenantId, part: str) -> TenantScope:
    """The scope in which a part of the platform (say ``crl``) works for a tenant."""
    return TenantScope(tenant, Actor(ActorKind.PLATFORM, part))
