"""Scopes of CRLs, as rows: opened and filled where serials are reserved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    ColumnClause,
    bindparam,
    case,
    desc,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from tegata.issuance.shards import COMPLETE, SHARD_PLACES, Shard
from tegata.kernel.ids import IssuerId
from tegata.kernel.scope import TenantScope
from tegata.store.instants import to_milliseconds
from tegata.store.jobs import SHARD_JOB, WANT_JOB
from tegata.store.reads import ReadsBase
from tegata.store.schema import crl_floor, crl_scope
from tegata.store.statement import NO_OFFSET, Statement
from tegata.store.unit import UnitBase

_ZERO: ColumnClause[int] = literal_column("0")
OF_SCOPE = (
    crl_scope.c.tenant == bindparam("tenant"),
    crl_scope.c.issuer == bindparam("issuer"),
    crl_scope.c.shard == bindparam("shard"),
)
_NEWEST = Statement(
    select(crl_scope.c.shard, crl_scope.c.url, crl_scope.c.places)
    .where(
        crl_scope.c.tenant == bindparam("tenant"),
        crl_scope.c.issuer == bindparam("issuer"),
        crl_scope.c.shard > literal_column(str(COMPLETE)),
    )
    .order_by(desc(crl_scope.c.shard))
    .limit(literal_column("2"))
    .offset(NO_OFFSET)
)
# Another node that opens the same shard at the same moment opens it with the same address.
_OPEN = Statement(
    upsert(crl_scope)
    .values(
        tenant=bindparam("tenant"),
        issuer=bindparam("issuer"),
        shard=bindparam("shard"),
        url=bindparam("url"),
        places=_ZERO,
        last_epoch=_ZERO,
        changes=_ZERO,
        number=_ZERO,
        base_number=_ZERO,
        base_change=_ZERO,
        base_at=_ZERO,
        full_number=_ZERO,
        delta_number=_ZERO,
    )
    .on_conflict_do_nothing(index_elements=["tenant", "issuer", "shard"])
)
_refill = (
    update(crl_scope)
    .where(*OF_SCOPE)
    .values(
        places=crl_scope.c.places + bindparam("size"),
        last_epoch=case(
            (crl_scope.c.last_epoch < bindparam("epoch"), bindparam("epoch")),
            else_=crl_scope.c.last_epoch,
        ),
    )
)
_REFILL = Statement(_refill)
_FILL = Statement(
    _refill.where(crl_scope.c.places + bindparam("size") <= literal_column(str(SHARD_PLACES)))
)
_OF_COMPLETE = (
    crl_scope.c.tenant == bindparam("tenant"),
    crl_scope.c.issuer == bindparam("issuer"),
    crl_scope.c.shard == literal_column(str(COMPLETE)),
)
# Revocations of an issuer take their numbers one after the other, and hold the row until they
# stand: whatever is committed later has a higher one. So "changed since" is exact.
COUNT_CHANGE = Statement(
    update(crl_scope).where(*_OF_COMPLETE).values(changes=crl_scope.c.changes + literal_column("1"))
)
THIS_CHANGE = select(crl_scope.c.changes).where(*_OF_COMPLETE).scalar_subquery()


# Of a restored database: the numbers that lists of any scope may have had since.
_HIGHEST = Statement(
    select(func.max(crl_scope.c.number)).where(
        crl_scope.c.tenant == bindparam("tenant"), crl_scope.c.issuer == bindparam("issuer")
    )
)
_floor = select(crl_floor.c.number).where(
    crl_floor.c.tenant == bindparam("tenant"), crl_floor.c.issuer == bindparam("issuer")
)
_FLOOR = Statement(_floor)
CRL_FLOOR = _floor.scalar_subquery()
_raise = upsert(crl_floor).values(
    tenant=bindparam("tenant"),
    issuer=bindparam("issuer"),
    number=bindparam("number", type_=BigInteger),
)
# The higher of two floors stands.
_RAISE_FLOOR = Statement(
    _raise.on_conflict_do_update(
        index_elements=["tenant", "issuer"],
        set_={
            "number": case(
                (_raise.excluded.number > crl_floor.c.number, _raise.excluded.number),
                else_=crl_floor.c.number,
            )
        },
    )
)


class ShardReads(ReadsBase):
    """Shards of one tenant's issuers."""

    async def newest_shards(self, scope: TenantScope, issuer: IssuerId) -> Sequence[Shard]:
        """The two newest shards of an issuer, the older first."""
        rows = await self.database.fetch(scope.tenant, _NEWEST, {"issuer": issuer})
        return [Shard(number, url, places) for number, url, places in reversed(rows)]

    async def highest_crl_number(self, scope: TenantScope, issuer: IssuerId) -> int:
        """Above every number that a list of an issuer has, or may have had."""
        found = [0]
        for statement in (_HIGHEST, _FLOOR):
            rows = await self.database.fetch(scope.tenant, statement, {"issuer": issuer})
            found += [row[0] or 0 for row in rows]
        return max(found)


class ShardWrites(UnitBase):
    """Shards in a unit."""

    def open_shard(self, issuer: IssuerId, shard: int, url: str, now: datetime) -> None:
        """Open a shard (or, as shard 0, an issuer's complete list) unless it is, and want its
        first list."""
        scope = {"tenant": self.scope.tenant, "issuer": issuer, "shard": shard}
        self._execute(_OPEN, {**scope, "url": url}, expect=None)
        # An issuer's first lists are made with it.
        if shard > 1:
            self._execute(
                WANT_JOB,
                {
                    "kind": SHARD_JOB,
                    "key": f"{issuer}/{shard}",
                    "job_tenant": self.scope.tenant,
                    "run_at": to_milliseconds(now),
                },
                expect=None,
            )

    def fill_shard(self, issuer: IssuerId, shard: int, size: int, month: int) -> None:
        """Take places in a shard; the unit conflicts when it has not as many."""
        scope = {"tenant": self.scope.tenant, "issuer": issuer, "shard": shard}
        self._execute(_FILL, {**scope, "size": size, "epoch": month})

    def refill_shard(self, issuer: IssuerId, shard: int, size: int, month: int) -> None:
        """Count places that were taken before: certificates name the shard, full or not."""
        scope = {"tenant": self.scope.tenant, "issuer": issuer, "shard": shard}
        self._execute(_REFILL, {**scope, "size": size, "epoch": month})

    def raise_crl_floor(self, issuer: IssuerId, number: int) -> None:
        """Give lists of an issuer, whatever their scope, only numbers above this one."""
        parameters = {"tenant": self.scope.tenant, "issuer": issuer, "number": number}
        self._execute(_RAISE_FLOOR, parameters)
