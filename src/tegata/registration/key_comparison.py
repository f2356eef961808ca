"""Keys of a tenant that share a prime: found after the fact, refused from then on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import TenantId
from tegata.kernel.ports import Clock
from tegata.kernel.scope import TenantScope
from tegata.kernel.signing import RefusalGround
from tegata.profiles.shared_factors import with_shared_factors
from tegata.registration.ports import KeyComparisonStore

# So many of a tenant's moduli, the newest, are compared with each other.
COMPARED = 8192
# A comparison of more than so many is not made again before this time.
_FEW = 512
PAUSE = timedelta(minutes=10)
# The record names so many keys in one event.
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class KeyComparison:
    """Looks for primes that a tenant's RSA keys share."""

    store: KeyComparisonStore
    clock: Clock
    # When this node last compared many of a tenant's.
    _last: dict[TenantId, datetime] = field(default_factory=dict)

    def postponed(self, scope: TenantScope) -> datetime | None:
        """Until when a comparison is to wait, because the last one took long."""
        last = self._last.get(scope.tenant)
        return last + PAUSE if last is not None and self.clock.now() < last + PAUSE else None

    async def compare(self, scope: TenantScope) -> int:
        """Refuse the keys whose primes others have too; how many there were that were not
        refused for good before. The certificates that have them are left to the tenant."""
        moduli = await self.store.newest_moduli(scope, COMPARED)
        if len(moduli) > _FEW:
            self._last[scope.tenant] = self.clock.now()
        places = await asyncio.to_thread(with_shared_factors, [each for _key, each in moduli])
        found = [moduli[place][0] for place in places]
        new = [key for key in found if not await self._is_final(scope, key)]
        for first in range(0, len(new), _AT_ONCE):
            await self._refuse(scope, new[first : first + _AT_ONCE])
        return len(new)

    async def _is_final(self, scope: TenantScope, key: bytes) -> bool:
        refused = await self.store.find_refused_key(scope, key)
        return refused is not None and refused.ground is not RefusalGround.LISTED

    async def _refuse(self, scope: TenantScope, keys: Sequence[bytes]) -> None:
        now = self.clock.now()
        async with self.store.open_unit(scope) as unit:
            for key in keys:
                unit.add_refused_key(key, RefusalGround.SHARED_FACTOR, now)
            unit.audit(
                AuditEvent(
                    actor=scope.actor,
                    action="registration:refused-key:find",
                    decision=Decision.ALLOWED,
                    subject="refused-key:",
                    request_digest=bytes(32),
                    private={"keys": " ".join(key.hex() for key in keys)},
                )
            )
            await unit.commit()
        self.store.forget_refused_keys(scope.tenant)
