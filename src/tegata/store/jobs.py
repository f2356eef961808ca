"""Jobs: one leased row for each recurring or wanted piece of work.

A job is enqueued in the caller's transaction and taken by whoever comes first; when a lease
lapses another node takes it over, and the owner's last act on it is refused (it names itself).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnClause,
    and_,
    bindparam,
    case,
    delete,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from tegata.kernel.ids import NodeId, TenantId
from tegata.store.database import Database
from tegata.store.instants import to_milliseconds
from tegata.store.schema import job
from tegata.store.statement import NO_OFFSET, Statement

CRL_JOB = "crl.publish"
# Its key is the issuer, a slash and the shard's number.
SHARD_JOB = "crl.shard"
DELTA_JOB = "crl.delta"
RESPONDER_JOB = "responder.renew"
NOTICE_JOB = "notice.send"
# Its key is the time-stamping authority.
TIMESTAMP_JOB = "timestamp.renew"
# Its key is the log.
ANCHOR_JOB = "log.anchor"
# Its key is the file.
BULK_JOB = "bulk.run"
# Their keys are the tenant.
WATCH_JOB = "identity.watch"
DELIVERY_JOB = "identity.deliver"
COMPARISON_JOB = "key.compare"
# Its key is the issuer that is to be.
TAKE_OVER_JOB = "take-over.run"
LEASE = timedelta(seconds=60)
AT_ONCE = 16
_ZERO: ColumnClause[int] = literal_column("0")

_put = upsert(job).values(
    kind=bindparam("kind"),
    key=bindparam("key"),
    tenant=bindparam("job_tenant"),
    run_at=bindparam("run_at"),
    owner=null(),
    leased_until=_ZERO,
    tries=_ZERO,
)
# The earlier of two wishes wins.
WANT_JOB = Statement(
    _put.on_conflict_do_update(
        index_elements=["kind", "key"],
        set_={
            "run_at": case(
                (_put.excluded.run_at < job.c.run_at, _put.excluded.run_at), else_=job.c.run_at
            )
        },
    )
)
# For what is over once it is done.
FORGET = Statement(
    delete(job).where(job.c.kind == bindparam("job_kind"), job.c.key == bindparam("job_key"))
)
_DUE = (
    select(job.c.kind, job.c.key, job.c.tenant, job.c.tries)
    .where(job.c.run_at <= bindparam("now"), job.c.leased_until < bindparam("now"))
    .order_by(job.c.run_at)
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)
# A complete list may be of a million entries, a file of a million rows, a CA of a million
# certificates; a webhook may wait for a slow server, and so may a time-stamp; comparing keys takes
# seconds. Nothing urgent waits behind one.
LONG = (
    CRL_JOB,
    BULK_JOB,
    TAKE_OVER_JOB,
    WATCH_JOB,
    DELIVERY_JOB,
    ANCHOR_JOB,
    COMPARISON_JOB,
)
_LONG_PLACES = tuple(f"long{place}" for place in range(len(LONG)))
_DUE_LONG = Statement(_DUE.where(job.c.kind == bindparam("long")))
_DUE_SHORT = Statement(_DUE.where(*(job.c.kind != bindparam(place) for place in _LONG_PLACES)))
_THIS = and_(job.c.kind == bindparam("job_kind"), job.c.key == bindparam("job_key"))
_CLAIM = Statement(
    update(job)
    .where(_THIS, job.c.leased_until < bindparam("now"))
    .values(
        owner=bindparam("node"),
        leased_until=bindparam("until"),
        run_at=bindparam("until"),
        tries=job.c.tries + literal_column("1"),
    )
)
# What was wanted while the job ran stays wanted: its wish moved run_at away from the lease's end.
_FINISH = Statement(
    update(job)
    .where(_THIS, job.c.owner == bindparam("node"))
    .values(
        owner=null(),
        leased_until=_ZERO,
        tries=_ZERO,
        run_at=case((job.c.run_at == bindparam("claimed"), bindparam("next")), else_=job.c.run_at),
    )
)
_FAIL = Statement(
    update(job)
    .where(_THIS, job.c.owner == bindparam("node"))
    .values(owner=null(), leased_until=_ZERO, run_at=bindparam("next"))
)
# A lease of this node's that stands when it starts is one of a run that ended without giving it
# back; the data folder is the node, and two runs cannot share one.
_RELEASE_OWN = Statement(
    update(job)
    .where(job.c.owner == bindparam("node"))
    .values(owner=null(), leased_until=_ZERO, run_at=bindparam("now"))
)


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of work that is due."""

    kind: str
    key: str
    tenant: TenantId
    leased_until: datetime
    tries: int


class JobQueue:
    """The jobs, as one node sees them."""

    def __init__(self, database: Database, node: NodeId) -> None:
        self._database = database
        self._node = node

    async def want(self, kind: str, key: str, tenant: TenantId, at: datetime) -> None:
        """Ask for a job at an instant, or leave an earlier wish as it is."""
        parameters = {
            "kind": kind,
            "key": key,
            "job_tenant": tenant,
            "run_at": to_milliseconds(at),
        }
        await self._database.execute_shared(WANT_JOB, parameters)

    async def claim(self, now: datetime, *, long: str | None = None) -> list[Job]:
        """Take due jobs that nobody holds: one of a `LONG` kind, or up to `AT_ONCE` that are of
        none of these."""
        instant, until = to_milliseconds(now), now + LEASE
        claimed = []
        if long is not None:
            statement = _DUE_LONG
            parameters: dict[str, str | int] = {"long": long, "limit": 1}
        else:
            statement = _DUE_SHORT
            parameters = {"limit": AT_ONCE, **dict(zip(_LONG_PLACES, LONG, strict=True))}
        for kind, key, tenant, tries in await self._database.fetch(
            None, statement, {"now": instant, **parameters}
        ):
            taken = await self._database.execute_shared(
                _CLAIM,
                {
                    "job_kind": kind,
                    "job_key": key,
                    "node": self._node,
                    "now": instant,
                    "until": to_milliseconds(until),
                },
            )
            if taken:
                claimed.append(Job(kind, key, TenantId(tenant), until, tries))
        return claimed

    async def release_own(self, now: datetime) -> int:
        """Make due what an earlier run of this node had claimed; only for a node's start. The
        number of jobs."""
        parameters = {"node": self._node, "now": to_milliseconds(now)}
        return await self._database.execute_shared(_RELEASE_OWN, parameters)

    async def finish(self, done: Job, again: datetime) -> None:
        """Say that a job is done, and when it is next due."""
        await self._end(_FINISH, done, again, {"claimed": to_milliseconds(done.leased_until)})

    async def fail(self, failed: Job, again: datetime) -> None:
        """Say that a job failed, and when to try again."""
        await self._end(_FAIL, failed, again, {})

    async def _end(
        self, statement: Statement, ended: Job, again: datetime, more: dict[str, int]
    ) -> None:
        parameters = {
            "job_kind": ended.kind,
            "job_key": ended.key,
            "node": self._node,
            "next": to_milliseconds(again),
        }
        await self._database.execute_shared(statement, {**parameters, **more})
