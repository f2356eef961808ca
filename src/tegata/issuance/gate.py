"""The gate before every issuance: stops, and issuers that are out of use, in memory.

Every node reads the few stops there are again each second; a look costs no query.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tegata.issuance.model import Issuer, Stop, StopCause
from tegata.kernel.ids import IssuerId, TenantId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import PLATFORM_TENANT

_Place = tuple[TenantId | None, IssuerId | None]
# Of an issuer above, only this reaches down: its certificates are void for relying parties.
_INHERITED = frozenset({StopCause.REVOKED, StopCause.STOPPED})


class IssuanceGate:
    """Who does not issue now."""

    def __init__(self) -> None:
        self._stops: dict[_Place, frozenset[StopCause]] = {}

    def replace(self, stops: Sequence[Stop]) -> None:
        """Have these stops, and no others."""
        found: dict[_Place, set[StopCause]] = {}
        for stop in stops:
            found.setdefault((stop.tenant, stop.issuer), set()).add(stop.cause)
        self._stops = {place: frozenset(causes) for place, causes in found.items()}

    def require_open(self, issuer: Issuer, now: datetime) -> None:
        """`Problem(issuance.stopped)` or `Problem(issuer.inactive)` for what must not issue."""
        if issuer.facts.not_after is not None and issuer.facts.not_after < now:
            raise Problem(ProblemCode.ISSUER_INACTIVE, "the issuer's certificate has expired")
        if not self._stops:
            return
        # The operator's own tenant has one certificate, the API's: without it nobody could lift
        # the stop.
        if (None, None) in self._stops and issuer.tenant != PLATFORM_TENANT:
            raise Problem(ProblemCode.ISSUANCE_STOPPED, "the platform issues nothing now")
        if (issuer.tenant, None) in self._stops:
            raise Problem(ProblemCode.ISSUANCE_STOPPED, "the tenant issues nothing now")
        causes = set(self.causes(issuer))
        for above in issuer.ancestors:
            causes |= self._stops.get((issuer.tenant, above), frozenset()) & _INHERITED
        if not causes:
            return
        if causes == {StopCause.STOPPED}:
            raise Problem(ProblemCode.ISSUANCE_STOPPED, "the issuer issues nothing now")
        worst = next(each for each in reversed(StopCause) if each in causes)
        raise Problem(ProblemCode.ISSUER_INACTIVE, f"the issuer is {worst}")

    def causes(self, issuer: Issuer) -> frozenset[StopCause]:
        """Why this very issuer does not issue; empty when it does."""
        return self._stops.get((issuer.tenant, issuer.id), frozenset())

    def is_stopped(self, tenant: TenantId | None) -> bool:
        """Whether a whole tenant, or (None) the platform, is stopped."""
        return (tenant, None) in self._stops
