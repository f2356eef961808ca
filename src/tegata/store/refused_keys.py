"""Keys that a tenant's certificates must not have, and the moduli that they have had, as rows."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BindParameter,
    ColumnClause,
    and_,
    bindparam,
    delete,
    desc,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from tegata.kernel.ids import TenantId
from tegata.kernel.ports import Clock
from tegata.kernel.problem import ProblemCode
from tegata.kernel.scope import PLATFORM_TENANT, TenantScope
from tegata.kernel.signing import RefusalGround
from tegata.registration.model import RefusedKey
from tegata.store.instants import from_milliseconds, to_milliseconds
from tegata.store.jobs import COMPARISON_JOB, WANT_JOB
from tegata.store.negative import allowed_key_act, refused_key_act
from tegata.store.reads import ReadsBase
from tegata.store.schema import refused_key, rsa_modulus
from tegata.store.statement import NO_OFFSET, Row, Statement
from tegata.store.unit import UnitBase

_TENANT: BindParameter[str] = bindparam("tenant")
# Another node's additions are seen within this time, one's own at once.
FRESH = timedelta(seconds=5)
# A row may be committed some time after the instant that it carries.
_OVERLAP_MILLISECONDS = 60_000
# So many keys of a tenant are kept in memory (some 3 MB); of one with more, each is looked up.
KEPT = 20_000
_TENANTS_KEPT = 1024
# What comes together is compared together.
_COMPARED_AFTER_MILLISECONDS = 3_000
_NEVER = datetime.min.replace(tzinfo=UTC)

_HAS = Statement(
    select(refused_key.c.spki_sha256).where(
        refused_key.c.tenant == _TENANT, refused_key.c.spki_sha256 == bindparam("key")
    )
)
_SINCE = Statement(
    select(refused_key.c.spki_sha256, refused_key.c.created_at)
    .where(refused_key.c.tenant == _TENANT, refused_key.c.created_at >= bindparam("since"))
    .order_by(refused_key.c.created_at)
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)
_LIST = Statement(
    select(refused_key.c.spki_sha256, refused_key.c.ground, refused_key.c.created_at)
    .where(refused_key.c.tenant == _TENANT, refused_key.c.spki_sha256 > bindparam("after"))
    .order_by(refused_key.c.spki_sha256)
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)
_refuse = upsert(refused_key).values(
    tenant=_TENANT,
    spki_sha256=bindparam("key"),
    ground=bindparam("ground"),
    created_at=bindparam("created_at"),
)
_LISTED: ColumnClause[str] = literal_column(f"'{RefusalGround.LISTED.value}'")
# What was only listed may become a refusal for good; that one stays.
_ADD = Statement(
    _refuse.on_conflict_do_update(
        index_elements=["tenant", "spki_sha256"],
        set_={"ground": _refuse.excluded.ground},
        where=and_(refused_key.c.ground == _LISTED, _refuse.excluded.ground != _LISTED),
    )
)
_FIND = Statement(
    select(refused_key.c.spki_sha256, refused_key.c.ground, refused_key.c.created_at).where(
        refused_key.c.tenant == _TENANT, refused_key.c.spki_sha256 == bindparam("key")
    )
)
_REMOVE = Statement(
    delete(refused_key).where(
        refused_key.c.tenant == _TENANT,
        refused_key.c.spki_sha256 == bindparam("key"),
        refused_key.c.ground == _LISTED,
        refused_key.c.created_at == bindparam("created_at"),
    )
)
_FIND_MODULUS = Statement(
    select(rsa_modulus.c.spki_sha256).where(
        rsa_modulus.c.tenant == _TENANT, rsa_modulus.c.modulus_sha256 == bindparam("modulus")
    )
)
_NEWEST_MODULI = Statement(
    select(rsa_modulus.c.spki_sha256, rsa_modulus.c.modulus)
    .where(rsa_modulus.c.tenant == _TENANT)
    .order_by(desc(rsa_modulus.c.created_at))
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)
_put = upsert(rsa_modulus).values(
    tenant=_TENANT,
    modulus_sha256=bindparam("digest"),
    spki_sha256=bindparam("key"),
    modulus=bindparam("modulus"),
    created_at=bindparam("created_at"),
)
# Touches its row unless another key with this modulus was first.
_ADD_MODULUS = Statement(
    _put.on_conflict_do_update(
        index_elements=["tenant", "modulus_sha256"],
        set_={"spki_sha256": _put.excluded.spki_sha256},
        where=rsa_modulus.c.spki_sha256 == _put.excluded.spki_sha256,
    )
)


@dataclass(slots=True)
class _Known:
    """What is known of a tenant's refused keys. `whole` when they are all in `keys`."""

    checked: datetime
    keys: set[bytes] = field(default_factory=set)
    newest: int = 0
    whole: bool = True
    # Counts what this node has added: a look that began before an addition may have missed it.
    added: int = 0


class RefusedKeyReads(ReadsBase):
    """Refused keys of a tenant and of the platform, and moduli that a tenant has had."""

    clock: Clock

    def __init__(self) -> None:
        self._refused: OrderedDict[TenantId, _Known] = OrderedDict()

    async def is_refused_key(self, scope: TenantScope, spki_sha256: bytes) -> bool:
        """Whether the tenant, or the platform for all, refuses a key."""
        if await self._refuses(scope.tenant, spki_sha256):
            return True
        return scope.tenant != PLATFORM_TENANT and await self._refuses(PLATFORM_TENANT, spki_sha256)

    async def _refuses(self, tenant: TenantId, key: bytes) -> bool:
        known = self._refused.get(tenant)
        if known is None or self.clock.now() - known.checked >= FRESH:
            known = await self._look(tenant, known)
        if known.whole and key not in known.keys:
            return False
        # Refusals are rare, so each may be looked up: another node may have taken it back.
        found = bool(await self.database.fetch(tenant, _HAS, {"key": key}))
        if not found:
            known.keys.discard(key)
        return found

    async def _look(self, tenant: TenantId, known: _Known | None) -> _Known:
        """Read what has come since the last look."""
        now = self.clock.now()
        known = known or self._refused.setdefault(tenant, _Known(_NEVER))
        if not known.whole:
            return known
        added = known.added
        since = max(0, known.newest - _OVERLAP_MILLISECONDS)
        rows = await self.database.fetch(tenant, _SINCE, {"since": since, "limit": KEPT + 1})
        if known.added == added:
            known.checked = now
        known.keys.update(bytes(row[0]) for row in rows)
        if rows:
            known.newest = max(known.newest, rows[-1][1])
        if len(rows) > KEPT or len(known.keys) > KEPT:
            known.whole, known.keys = False, set()
        if len(self._refused) > _TENANTS_KEPT:
            self._refused.popitem(last=False)
        return known

    def forget_refused_keys(self, tenant: TenantId) -> None:
        """Look again at the next question: this node has just added some."""
        known = self._refused.get(tenant)
        if known is not None:
            known.checked, known.added = _NEVER, known.added + 1

    async def list_refused_keys(
        self, scope: TenantScope, after: bytes, limit: int
    ) -> Sequence[RefusedKey]:
        """The tenant's own refused keys, by digest, from the one after `after`."""
        parameters = {"after": after, "limit": limit}
        return [_refused(row) for row in await self.database.fetch(scope.tenant, _LIST, parameters)]

    async def find_refused_key(self, scope: TenantScope, spki_sha256: bytes) -> RefusedKey | None:
        """One of the tenant's own refused keys."""
        rows = await self.database.fetch(scope.tenant, _FIND, {"key": spki_sha256})
        return _refused(rows[0]) if rows else None

    async def find_modulus(self, scope: TenantScope, modulus_sha256: bytes) -> bytes | None:
        """The key that the tenant had certified with an RSA modulus, if any."""
        rows = await self.database.fetch(scope.tenant, _FIND_MODULUS, {"modulus": modulus_sha256})
        return bytes(rows[0][0]) if rows else None

    async def newest_moduli(self, scope: TenantScope, limit: int) -> Sequence[tuple[bytes, int]]:
        """So many of the RSA moduli that the tenant has had certified, the newest, each with the
        SHA-256 of its key."""
        rows = await self.database.fetch(scope.tenant, _NEWEST_MODULI, {"limit": limit})
        return [(bytes(key), int.from_bytes(modulus, "big")) for key, modulus in rows]


def _refused(row: Row) -> RefusedKey:
    key, ground, created_at = row
    return RefusedKey(bytes(key), RefusalGround(ground), from_milliseconds(created_at))


class RefusedKeyWrites(UnitBase):
    """Refused keys and moduli in a unit."""

    def add_refused_key(self, spki_sha256: bytes, ground: RefusalGround, now: datetime) -> None:
        """Refuse a key from now on; one that is refused already stays as it is, unless it was
        listed and now is refused for good."""
        self._act(refused_key_act(self.scope.tenant, spki_sha256, ground, now))
        parameters = {
            "tenant": self.scope.tenant,
            "key": spki_sha256,
            "ground": ground.value,
            "created_at": to_milliseconds(now),
        }
        self._execute(_ADD, parameters, expect=None)

    def remove_refused_key(self, key: RefusedKey) -> None:
        """Refuse a listed key no more; the unit conflicts when it is not refused as it was."""
        self._act(allowed_key_act(self.scope.tenant, key))
        parameters = {
            "tenant": self.scope.tenant,
            "key": key.spki_sha256,
            "created_at": to_milliseconds(key.since),
        }
        self._execute(_REMOVE, parameters)

    def add_modulus(self, modulus: bytes, spki_sha256: bytes, now: datetime) -> None:
        """Record an RSA modulus (big-endian), and have it compared with the others; the unit
        fails with csr.weak-key when another key has it."""
        tenant, milliseconds = self.scope.tenant, to_milliseconds(now)
        parameters = {
            "tenant": tenant,
            "digest": hashlib.sha256(modulus).digest(),
            "key": spki_sha256,
            "modulus": modulus,
            "created_at": milliseconds,
        }
        self._execute(_ADD_MODULUS, parameters, otherwise=ProblemCode.CSR_WEAK_KEY)
        wish = {"kind": COMPARISON_JOB, "key": tenant, "job_tenant": tenant}
        self._execute(WANT_JOB, {**wish, "run_at": milliseconds + _COMPARED_AFTER_MILLISECONDS})
