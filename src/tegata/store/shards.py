"""Scopes of CRLs, as rows: opened and filled where serials are reserved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnClause, bindparam, case, desc, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from tegata.issuance.shards import COMPLETE, SHARD_PLACES, Shard
from tegata.kernel.ids import IssuerId
from tegata.kernel.scope import TenantScope
from tegata.store.instants import to_milliseconds
from tegata.store.jobs import SHARD_JOB, WANT_JOB
from tegata.store.reads import ReadsBase
from tegata.store.schema import crl_scope
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
_FILL = Statement(
    update(crl_scope)
    .where(
        *OF_SCOPE,
        crl_scope.c.places + bindparam("size") <= literal_column(str(SHARD_PLACES)),
    )
    .values(
        places=crl_scope.c.places + bindparam("size"),
        last_epoch=case(
            (crl_scope.c.last_epoch < bindparam("epoch"), bindparam("epoch")),
            else_=crl_scope.c.last_epoch,
        ),
    )
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


class ShardReads(ReadsBase):
    """Shards of one tenant's issuers."""

    async def newest_shards(self, scope: TenantScope, issuer: IssuerId) -> Sequence[Shard]:
        """The two newest shards of an issuer, the older first."""
        rows = await self.database.fetch(scope.tenant, _NEWEST, {"issuer": issuer})
        return [Shard(number, url, places) for number, url, places in reversed(rows)]


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
