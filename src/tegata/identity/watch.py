"""Scheduled current-status checks: what changed since the last one is told by a signed webhook.

A tenant has one watch. A run looks at all certificates that its users showed, some at a time; what
changed, the news of it and the event stand in one transaction, so nothing is told twice or lost.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from tegata.identity.current import CurrentStatusService, look_up
from tegata.identity.jlis import LegalPurpose, StatusMethod
from tegata.identity.ports import IdentityStore
from tegata.identity.record import ChangedStatus, Delivery, Watch
from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import encode_id, time_ordered
from tegata.kernel.ports import Clock, Randomness
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope

SECRET_OCTETS = 32
HOURS_MAXIMUM = 24 * 31
# Certificates looked at in one unit, and in one turn of the job.
_AT_ONCE = 1000
_TURN = 20_000
# News that nobody takes is given up after this long.
_TRIED_FOR = timedelta(days=3)


class Webhooks(Protocol):
    """Tells a tenant's server."""

    def require_url(self, url: str) -> None:
        """`Problem(webhook.refused)` for an address that nothing is sent to."""
        ...

    async def send(self, url: str, secret: bytes, delivery: Delivery, at: datetime) -> None:
        """Send once, signed. `Problem(webhook.unavailable)` when it was not taken."""
        ...


@dataclass(frozen=True, slots=True)
class WatchService:
    """Watches and their news."""

    store: IdentityStore
    current: CurrentStatusService
    webhooks: Webhooks
    clock: Clock
    randomness: Randomness

    async def set(
        self, scope: TenantScope, url: str, hours: int, method: StatusMethod, request_digest: bytes
    ) -> Watch:
        """Watch from now on, with a new secret. `Problem(webhook.refused)`."""
        self.webhooks.require_url(url)
        now = self.clock.now()
        watch = Watch(url, self.randomness.octets(SECRET_OCTETS), hours, method, now, None)
        async with self.store.open_identity_unit(scope) as unit:
            unit.set_watch(watch)
            unit.want_watch(now)
            private = {"url": url, "hours": str(hours)}
            unit.audit(_event(scope, "set", request_digest, private))
            await unit.commit()
        return watch

    async def get(self, scope: TenantScope) -> Watch:
        """The tenant's watch, or `Problem(watch.unknown)`."""
        found = await self.store.find_watch(scope)
        if found is None:
            raise Problem(ProblemCode.WATCH_UNKNOWN, "nothing is watched")
        return found

    async def remove(self, scope: TenantScope, request_digest: bytes) -> None:
        """Watch no more; news that waits is forgotten."""
        await self.get(scope)
        async with self.store.open_identity_unit(scope) as unit:
            unit.remove_watch()
            unit.audit(_event(scope, "remove", request_digest, {}))
            await unit.commit()

    async def run(self, scope: TenantScope) -> datetime | None:
        """A turn: look at some certificates; when the next is due, None when nothing is watched."""
        watch = await self.store.find_watch(scope)
        if watch is None:
            return None
        for _page in range(_TURN // _AT_ONCE):
            more = await self._page(scope, watch)
            watch = await self.store.find_watch(scope)
            if watch is None:
                return None
            if not more:
                return self.clock.now() + timedelta(hours=watch.hours)
        return self.clock.now()

    async def _page(self, scope: TenantScope, watch: Watch) -> bool:
        known = await self.store.watched_certificates(scope, watch.after, _AT_ONCE)
        trust, statuses = await self.current.require()
        found = await look_up(
            [each.certificate for each in known], trust, statuses, watch.method, self.clock.now()
        )
        changed = [
            ChangedStatus(before.certificate.tag, row.user, row.kind, row.reason, row.revoked_at)
            for before, row in zip(known, found, strict=True)
            # What cannot be had now is no change: the next run looks again.
            if row.reason != before.reason and not str(row.reason or "").startswith("status.")
        ]
        more = len(known) == _AT_ONCE
        after = known[-1].certificate.tag if more else None
        now = self.clock.now()
        async with self.store.open_identity_unit(scope) as unit:
            unit.set_watch_place(after)
            if changed:
                unit.set_known_reasons(changed)
                delivery = Delivery(self._delivery_id(now), now, _news(changed))
                unit.add_delivery(delivery)
                unit.want_delivery(now)
            if known:
                private = {
                    "legal_purpose": LegalPurpose.CURRENT_STATUS.value,
                    "rows": str(len(known)),
                    "changed": str(len(changed)),
                }
                unit.audit(_event(scope, "run", bytes(32), private))
            await unit.commit()
        return more

    async def deliver(self, scope: TenantScope) -> bool:
        """Send the oldest news; whether there is more. `Problem(webhook.unavailable)` when it was
        not taken and is to be tried again."""
        watch = await self.store.find_watch(scope)
        delivery = await self.store.find_delivery(scope) if watch is not None else None
        if watch is None or delivery is None:
            return False
        now = self.clock.now()
        outcome = "deliver"
        try:
            await self.webhooks.send(watch.url, watch.secret, delivery, now)
        except Problem:
            if now < delivery.created_at + _TRIED_FOR:
                raise
            outcome = "give-up"
        async with self.store.open_identity_unit(scope) as unit:
            unit.remove_delivery(delivery.id)
            unit.audit(_event(scope, outcome, bytes(32), {"delivery": delivery.id}))
            await unit.commit()
        return await self.store.find_delivery(scope) is not None

    def _delivery_id(self, now: datetime) -> str:
        octets = time_ordered(int(now.timestamp() * 1000), self.randomness.octets(10))
        return encode_id("dlv", octets)


def _news(changed: Sequence[ChangedStatus]) -> bytes:
    items = [
        {
            "user": each.user,
            "kind": each.kind,
            "reason": each.reason,
            "revoked_at": each.revoked_at.isoformat() if each.revoked_at is not None else None,
        }
        for each in changed
    ]
    return json.dumps({"type": "identity.status.changed", "items": items}).encode()


def without_secret(watch: Watch) -> Watch:
    """A watch as it is shown again."""
    return replace(watch, secret=b"")


def _event(
    scope: TenantScope, act: str, request_digest: bytes, private: dict[str, str]
) -> AuditEvent:
    return AuditEvent(
        actor=scope.actor,
        action=f"identity:watch:{act}",
        decision=Decision.ALLOWED,
        subject=f"tenant:{scope.tenant}",
        request_digest=request_digest,
        private=private,
    )
