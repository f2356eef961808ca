"""Current-status checks (現況確認): do the certificates that a tenant's users showed still hold?

One user, some, or all of them page by page. Every answer is recorded once, with the digest of its
rows and the legal purpose of the look-up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tegata.identity.jlis import CertificateKind, LegalPurpose, StatusMethod
from tegata.identity.model import UserId
from tegata.identity.ports import IdentityStore
from tegata.identity.reasons import Reason
from tegata.identity.record import KnownCertificate
from tegata.identity.rules.status import StatusFinding, TrustedList, judge_list
from tegata.identity.rules.trust import Trust
from tegata.identity.status import StatusSource
from tegata.identity.trust import PinnedTrust
from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ports import Clock
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope

USERS_MAXIMUM = 1000
PAGE_MAXIMUM = 5000


@dataclass(frozen=True, slots=True)
class CurrentStatus:
    """What is known now of a certificate that a user showed. `reason` is None for *good*."""

    user: UserId
    kind: CertificateKind
    reason: Reason | None
    source: str
    as_of: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class StatusPage:
    """A page of statuses; `after` is where the next begins, None at the end."""

    rows: Sequence[CurrentStatus]
    after: bytes | None


@dataclass(frozen=True, slots=True)
class CurrentStatusService:
    """Current-status checks. Without a gateway nothing can be checked."""

    store: IdentityStore
    pinned: PinnedTrust | None
    statuses: StatusSource | None
    clock: Clock

    async def check_users(
        self,
        scope: TenantScope,
        users: Sequence[UserId],
        method: StatusMethod,
        request_digest: bytes,
    ) -> Sequence[CurrentStatus]:
        """The certificates that some users showed. `Problem(user.unknown)` if one is unknown."""
        known: list[KnownCertificate] = []
        for user in users:
            found = await self.store.user_certificates(scope, user)
            if not found:
                raise Problem(ProblemCode.USER_UNKNOWN, "no such user")
            known += [each for each in found if each.point]
        return await self._check(scope, known, method, request_digest)

    async def check_all(
        self,
        scope: TenantScope,
        after: bytes | None,
        limit: int,
        method: StatusMethod,
        request_digest: bytes,
    ) -> StatusPage:
        """A page of all certificates that the tenant's users showed."""
        known = await self.store.shown_certificates(scope, after, min(limit, PAGE_MAXIMUM))
        rows = await self._check(scope, known, method, request_digest)
        following = known[-1].tag if len(known) == min(limit, PAGE_MAXIMUM) else None
        return StatusPage(rows, following)

    async def require(self) -> tuple[Trust, StatusSource]:
        """What a look-up needs, or `Problem(gateway.unavailable)`."""
        if self.pinned is None or self.statuses is None:
            raise Problem(ProblemCode.GATEWAY_UNAVAILABLE, "no gateway to J-LIS is configured")
        return await self.pinned.get(), self.statuses

    async def _check(
        self,
        scope: TenantScope,
        known: Sequence[KnownCertificate],
        method: StatusMethod,
        request_digest: bytes,
    ) -> Sequence[CurrentStatus]:
        trust, statuses = await self.require()
        rows = await look_up(known, trust, statuses, method, self.clock.now())
        private = {
            "legal_purpose": LegalPurpose.CURRENT_STATUS.value,
            "method": method.value,
            "rows": str(len(rows)),
            "rows_sha256": rows_digest(rows).hex(),
        }
        async with self.store.open_identity_unit(scope) as unit:
            unit.audit(
                AuditEvent(
                    actor=scope.actor,
                    action="identity:status:check",
                    decision=Decision.ALLOWED,
                    subject=f"tenant:{scope.tenant}",
                    request_digest=request_digest,
                    private=private,
                )
            )
            await unit.commit()
        return rows


async def look_up(
    known: Sequence[KnownCertificate],
    trust: Trust,
    statuses: StatusSource,
    method: StatusMethod,
    now: datetime,
) -> list[CurrentStatus]:
    """What is known now of certificates, in their order."""
    lists: dict[tuple[bytes, bytes], TrustedList | Reason] = {}
    rows = []
    for each in known:
        reference = each.reference
        key = reference.authority_key_id, each.point
        named = [a for a in trust.find(key[0]) if a.kind is reference.kind]
        if not named:
            finding = StatusFinding(Reason.ISSUER_UNKNOWN, method)
        elif method is StatusMethod.OCSP:
            finding = await statuses.look_up(
                method, named[0], reference.serial, each.point, LegalPurpose.CURRENT_STATUS
            )
        else:
            found = lists.get(key)
            if found is None:
                found = lists[key] = await statuses.get_list(
                    named[0], each.point, LegalPurpose.CURRENT_STATUS
                )
            finding = (
                StatusFinding(found, "crl")
                if isinstance(found, Reason)
                else judge_list(found, reference.serial, now)
            )
        rows.append(
            CurrentStatus(
                each.user,
                reference.kind,
                finding.reason,
                finding.source,
                finding.as_of,
                finding.revoked_at,
            )
        )
    return rows


def rows_digest(rows: Sequence[CurrentStatus]) -> bytes:
    """SHA-256 over the rows: a line each, of user, kind, reason or *good*, and source."""
    lines = "".join(f"{r.user} {r.kind} {r.reason or 'good'} {r.source}\n" for r in rows)
    return hashlib.sha256(lines.encode()).digest()
