"""What a tenant verifies persons for: declared before the first session, changed on the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tegata.identity.model import DeclaredPurpose
from tegata.identity.ports import IdentityStore
from tegata.identity.rules.my_number import has_my_number
from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ports import Clock
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope


@dataclass(frozen=True, slots=True)
class PurposeService:
    """Declared purposes."""

    store: IdentityStore
    clock: Clock

    async def declare(
        self, scope: TenantScope, purpose: DeclaredPurpose, request_digest: bytes
    ) -> DeclaredPurpose:
        """Declare a purpose; sessions opened from now on follow it."""
        if not purpose.text.strip():
            raise Problem(ProblemCode.PURPOSE_REFUSED, "say what for: the person is told")
        if has_my_number(purpose.text) or has_my_number(purpose.name):
            raise Problem(ProblemCode.MY_NUMBER_REFUSED, "in a purpose")
        async with self.store.open_identity_unit(scope) as unit:
            unit.set_purpose(purpose, self.clock.now())
            unit.audit(
                AuditEvent(
                    actor=scope.actor,
                    action="identity:purpose:declare",
                    decision=Decision.ALLOWED,
                    subject=f"purpose:{purpose.name}",
                    request_digest=request_digest,
                    private={
                        "attributes": " ".join(sorted(purpose.attributes)),
                        "law": purpose.law,
                        "text": purpose.text,
                    },
                )
            )
            await unit.commit()
        return purpose

    async def list(self, scope: TenantScope) -> Sequence[DeclaredPurpose]:
        """Every purpose that the tenant declared."""
        return await self.store.list_purposes(scope)
