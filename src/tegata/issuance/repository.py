"""What an issuer publishes, for anybody who relies on it (RFC 3647 section 4.2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from tegata.issuance.authorities import AuthorityService
from tegata.issuance.model import Issuer, LinkKind, PolicyDocument
from tegata.kernel.ids import IssuerId, TenantId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import platform_acts

_POLICIES_SHOWN = 100
TenantOf = Callable[[IssuerId], Awaitable[TenantId | None]]
ShardsOf = Callable[[IssuerId], Awaitable[Sequence[int]]]


@dataclass(frozen=True, slots=True)
class Published:
    """An issuer with all that it publishes."""

    issuer: Issuer
    state: str
    links: Sequence[tuple[LinkKind, bytes]]
    shards: Sequence[int]
    policies: Sequence[PolicyDocument]


@dataclass(frozen=True, slots=True)
class RepositoryService:
    """Reads of what is public."""

    authorities: AuthorityService
    tenant_of: TenantOf
    shards_of: ShardsOf

    async def published(self, issuer: IssuerId) -> Published:
        """What an issuer publishes, or `Problem(issuer.unknown)`."""
        scope = platform_acts(await self._tenant(issuer), "repository")
        found = await self.authorities.store.get_issuer(scope, issuer)
        return Published(
            found,
            self.authorities.state(found),
            await self.authorities.links(scope, issuer),
            await self.shards_of(issuer),
            await self.authorities.store.list_policies(scope, issuer, None, _POLICIES_SHOWN),
        )

    async def policy(self, issuer: IssuerId, version: int) -> PolicyDocument:
        """A version of an issuer's policy document, or `Problem(policy.unknown)`."""
        scope = platform_acts(await self._tenant(issuer), "repository")
        found = await self.authorities.store.list_policies(scope, issuer, version, 1)
        if not found or found[0].version != version:
            raise Problem(ProblemCode.POLICY_UNKNOWN, "no such version")
        return found[0]

    async def issuer_name(self, issuer: IssuerId) -> str:
        """The name of an issuer, or `Problem(issuer.unknown)`."""
        scope = platform_acts(await self._tenant(issuer), "repository")
        return (await self.authorities.store.get_issuer(scope, issuer)).name

    async def _tenant(self, issuer: IssuerId) -> TenantId:
        tenant = await self.tenant_of(issuer)
        if tenant is None:
            raise Problem(ProblemCode.ISSUER_UNKNOWN, "no such issuer")
        return tenant
