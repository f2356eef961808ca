"""CRLs and what they are made of, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnClause,
    ColumnElement,
    bindparam,
    case,
    delete,
    desc,
    func,
    literal_column,
    select,
    update,
)

from tegata.issuance.serials import PRF_SERIAL, serial_octets
from tegata.issuance.shards import COMPLETE
from tegata.kernel.ids import IssuerId, TenantId
from tegata.kernel.month import expiry_month
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope
from tegata.pkix.crl import entry_serial
from tegata.revocation.model import CrlBase, CrlEntries, CrlKind, CrlState, PublishedCrl
from tegata.store.instants import from_milliseconds, to_milliseconds
from tegata.store.jobs import CRL_JOB, DELTA_JOB, SHARD_JOB, WANT_JOB
from tegata.store.negative import numbered_act
from tegata.store.reads import ReadsBase
from tegata.store.schema import (
    crl,
    crl_scope,
    foreign_serial,
    issuer_directory,
    revocation,
    revocation_release,
)
from tegata.store.shards import CRL_FLOOR, OF_SCOPE
from tegata.store.statement import NO_OFFSET, Parameters, Statement
from tegata.store.unit import UnitBase

# Rows of a list that are read at once: neither a million objects nor a million questions.
_PAGE = 10_000

_COMPLETE: ColumnClause[int] = literal_column(str(COMPLETE))
_OF_ISSUER = (
    crl_scope.c.tenant == bindparam("tenant"),
    crl_scope.c.issuer == bindparam("issuer"),
)
_CHANGES = (
    select(crl_scope.c.changes).where(*_OF_ISSUER, crl_scope.c.shard == _COMPLETE).scalar_subquery()
)
_NEWEST_SHARD = select(func.max(crl_scope.c.shard)).where(*_OF_ISSUER).scalar_subquery()
_OF_LIST = (
    crl.c.tenant == bindparam("tenant"),
    crl.c.issuer == bindparam("issuer"),
    crl.c.shard == bindparam("shard"),
    crl.c.kind == bindparam("kind"),
)
_PREVIOUS = select(func.max(crl.c.this_update)).where(*_OF_LIST).scalar_subquery()
_BASE_ENTRIES = (
    select(crl.c.entries)
    .where(*_OF_LIST, crl.c.number == crl_scope.c.base_number)
    .scalar_subquery()
)
_STATE = Statement(
    select(
        crl_scope.c.url,
        crl_scope.c.number,
        crl_scope.c.base_number,
        crl_scope.c.base_change,
        crl_scope.c.base_at,
        crl_scope.c.full_number,
        crl_scope.c.delta_number,
        crl_scope.c.last_epoch,
        _BASE_ENTRIES,
        _CHANGES,
        _NEWEST_SHARD,
        _PREVIOUS,
        CRL_FLOOR,
    ).where(*OF_SCOPE)
)
_SHARDS = Statement(
    select(crl_scope.c.shard)
    .where(*_OF_ISSUER, crl_scope.c.shard > _COMPLETE)
    .order_by(crl_scope.c.shard)
)
_TAKE_NUMBER = Statement(
    update(crl_scope)
    .where(*OF_SCOPE, crl_scope.c.number < bindparam("number"))
    .values(number=bindparam("number"))
)
_REPLACE_FULL = Statement(
    update(crl_scope)
    .where(*OF_SCOPE, crl_scope.c.full_number == bindparam("previous"))
    .values(
        full_number=bindparam("number"),
        base_number=bindparam("base_number"),
        base_change=bindparam("base_change"),
        base_at=bindparam("base_at"),
        # A delta that was made meanwhile starts from the list before, whatever its number: it
        # must not be taken for one that starts from this list. A shard's comes with its list.
        delta_number=case(
            (crl_scope.c.shard == _COMPLETE, literal_column("0")), else_=crl_scope.c.delta_number
        ),
    )
)
_REPLACE_DELTA = Statement(
    update(crl_scope)
    .where(*OF_SCOPE, crl_scope.c.delta_number == bindparam("previous"))
    .values(delta_number=bindparam("number"))
)
_LATEST = Statement(
    select(
        crl.c.number,
        crl.c.this_update,
        crl.c.next_update,
        crl.c.entries,
        crl.c.scheduled,
        crl.c.der,
    )
    .where(*_OF_LIST)
    .order_by(desc(crl.c.number))
    .limit(literal_column("1"))
    .offset(NO_OFFSET)
)
# A daily list that a newer one has replaced for this long is of no use to anybody; lists made in
# between are of none as soon as they are replaced.
_KEPT = timedelta(days=30)
_FORGET = Statement(
    delete(crl).where(
        *_OF_LIST,
        crl.c.number < bindparam("number"),
        (crl.c.scheduled == literal_column("0")) | (crl.c.next_update < bindparam("before")),
    )
)


def _entries(*conditions: ColumnElement[bool]) -> Statement:
    return Statement(
        select(revocation.c.entry)
        .where(
            revocation.c.tenant == bindparam("tenant"),
            revocation.c.issuer == bindparam("issuer"),
            revocation.c.serial > bindparam("after"),
            revocation.c.listed_until >= bindparam("listed_since"),
            *conditions,
        )
        .order_by(revocation.c.serial)
        .limit(bindparam("limit"))
        .offset(NO_OFFSET)
    )


_IN_SHARD = revocation.c.shard == bindparam("shard")
_ENTRIES = _entries(revocation.c.serial < bindparam("until"))
_ENTRIES_OF_SHARD = _entries(_IN_SHARD, revocation.c.serial < bindparam("until"))
_REVOKED_SINCE = (
    select(revocation.c.entry)
    .where(
        revocation.c.tenant == bindparam("tenant"),
        revocation.c.issuer == bindparam("issuer"),
        revocation.c.change > bindparam("since"),
    )
    .order_by(revocation.c.change)
)
_RELEASED_SINCE = (
    select(revocation_release.c.entry)
    .where(
        revocation_release.c.tenant == bindparam("tenant"),
        revocation_release.c.issuer == bindparam("issuer"),
        revocation_release.c.change > bindparam("since"),
    )
    .order_by(revocation_release.c.change)
)
_CHANGED = Statement(_REVOKED_SINCE), Statement(_RELEASED_SINCE)
_CHANGED_IN_SHARD = (
    Statement(_REVOKED_SINCE.where(_IN_SHARD)),
    Statement(_RELEASED_SINCE.where(revocation_release.c.shard == bindparam("shard"))),
)
_TENANT_OF = Statement(
    select(issuer_directory.c.tenant).where(issuer_directory.c.issuer == bindparam("issuer"))
)
_FOREIGN_AMONG = Statement(
    select(foreign_serial.c.serial)
    .where(
        foreign_serial.c.tenant == bindparam("tenant"),
        foreign_serial.c.issuer == bindparam("issuer"),
        foreign_serial.c.serial >= bindparam("first"),
        foreign_serial.c.serial <= bindparam("until"),
    )
    .limit(literal_column("1"))
    .offset(NO_OFFSET)
)
_PAST_EVERY_SERIAL = b"\xff" * 21


class CrlReads(ReadsBase):
    """CRLs of one tenant's issuers, and, of any tenant, what is public."""

    async def crl_state(self, scope: TenantScope, issuer: IssuerId, shard: int) -> CrlState:
        """Where the lists of a scope stand, or `Problem(issuer.unknown)`."""
        parameters = {"issuer": issuer, "shard": shard, "kind": CrlKind.FULL}
        rows = await self.database.fetch(scope.tenant, _STATE, parameters)
        if not rows:
            raise Problem(ProblemCode.ISSUER_UNKNOWN, "no such issuer or shard")
        url, number, base, change, made_at, full, delta, last_epoch, *more = rows[0]
        entries, changes, newest, previous, floor = more
        return CrlState(
            shard=shard,
            url=url,
            number=max(number, floor or 0),
            full=full,
            delta=delta,
            changes=changes,
            base=CrlBase(base, change, from_milliseconds(made_at), entries or 0),
            last_epoch=last_epoch,
            # Blocks go to the two newest shards.
            closed=COMPLETE < shard < newest - 1,
            previous_update=from_milliseconds(previous) if previous is not None else None,
        )

    async def crl_entries(
        self, scope: TenantScope, issuer: IssuerId, shard: int, listed_since: datetime
    ) -> CrlEntries:
        """What to list, in the order of serials."""
        statement = _ENTRIES if shard == COMPLETE else _ENTRIES_OF_SHARD
        octets: list[bytes] = []
        count = 0
        # Our own serials sort by month of expiry: those of months long over are not looked at.
        own = PRF_SERIAL << 144
        months = serial_octets(own | max(expiry_month(listed_since) - 1, 0) << 128)
        ranges = [(b"", serial_octets(own)), (months, _PAST_EVERY_SERIAL)]
        skipped = {"issuer": issuer, "first": serial_octets(own), "until": months}
        if await self.database.fetch(scope.tenant, _FOREIGN_AMONG, skipped):
            # Serials that another CA gave only look as if they carried a month (ADR 18).
            ranges = [(b"", _PAST_EVERY_SERIAL)]
        for first, until in ranges:
            after = first
            while True:
                rows = await self.database.fetch(
                    scope.tenant,
                    statement,
                    {
                        "issuer": issuer,
                        "shard": shard,
                        "after": after,
                        "until": until,
                        "listed_since": to_milliseconds(listed_since),
                        "limit": _PAGE,
                    },
                )
                octets.append(b"".join([row[0] for row in rows]))
                count += len(rows)
                if len(rows) < _PAGE:
                    break
                after = serial_octets(entry_serial(bytes(rows[-1][0])))
        return CrlEntries(tuple(octets), count)

    async def changed_entries(
        self, scope: TenantScope, issuer: IssuerId, shard: int, since: int
    ) -> CrlEntries:
        """What a delta lists: all that changed after the count `since`."""
        parameters = {"issuer": issuer, "shard": shard, "since": since}
        octets: list[bytes] = []
        for statement in _CHANGED if shard == COMPLETE else _CHANGED_IN_SHARD:
            rows = await self.database.fetch(scope.tenant, statement, parameters)
            octets += [bytes(row[0]) for row in rows]
        return CrlEntries(tuple(octets), len(octets))

    async def latest_crl(self, issuer: IssuerId, shard: int, kind: CrlKind) -> PublishedCrl | None:
        """The newest CRL of an issuer of any tenant: CRLs are public."""
        tenant = await self._tenant(issuer)
        if tenant is None:
            return None
        parameters = {"issuer": issuer, "shard": shard, "kind": kind}
        rows = await self.database.fetch(tenant, _LATEST, parameters)
        if not rows:
            return None
        number, this_update, next_update, entries, scheduled, der = rows[0]
        return PublishedCrl(
            issuer,
            shard,
            kind,
            number,
            from_milliseconds(this_update),
            from_milliseconds(next_update),
            entries,
            bool(scheduled),
            bytes(der),
        )

    async def list_shards(self, issuer: IssuerId) -> Sequence[int]:
        """The shards of an issuer of any tenant, oldest first."""
        tenant = await self._tenant(issuer)
        if tenant is None:
            return ()
        return [row[0] for row in await self.database.fetch(tenant, _SHARDS, {"issuer": issuer})]

    async def _tenant(self, issuer: IssuerId) -> TenantId | None:
        rows = await self.database.fetch(None, _TENANT_OF, {"issuer": issuer})
        return TenantId(rows[0][0]) if rows else None


class CrlWrites(UnitBase):
    """CRLs in a unit."""

    def take_crl_number(self, issuer: IssuerId, state: CrlState) -> None:
        """Take the number after `state`'s; the unit conflicts when somebody else has taken it."""
        number = state.number + 1
        self._act(numbered_act(self.scope.tenant, issuer, number))
        scope = {"tenant": self.scope.tenant, "issuer": issuer, "shard": state.shard}
        self._execute(_TAKE_NUMBER, {**scope, "number": number})

    def replace_full_crl(
        self, issuer: IssuerId, state: CrlState, number: int, base: CrlBase
    ) -> None:
        """Say which full list is published now and which one deltas start from; the unit
        conflicts when another was published since `state` was read."""
        self._execute(
            _REPLACE_FULL,
            {
                **self._of(issuer, state, state.full),
                "number": number,
                "base_number": base.number,
                "base_change": base.change,
                "base_at": to_milliseconds(base.made_at),
            },
        )

    def replace_delta_crl(self, issuer: IssuerId, state: CrlState, number: int) -> None:
        """Say which delta is published now; the unit conflicts when another was published since
        `state` was read."""
        self._execute(_REPLACE_DELTA, {**self._of(issuer, state, state.delta), "number": number})

    def _of(self, issuer: IssuerId, state: CrlState, previous: int) -> Parameters:
        return {
            "tenant": self.scope.tenant,
            "issuer": issuer,
            "shard": state.shard,
            "previous": previous,
        }

    def add_crl(self, published: PublishedCrl) -> None:
        """Publish, and forget lists that are of no use any more."""
        self._insert(
            crl,
            tenant=self.scope.tenant,
            issuer=published.issuer,
            shard=published.shard,
            kind=published.kind,
            number=published.number,
            this_update=to_milliseconds(published.this_update),
            next_update=to_milliseconds(published.next_update),
            entries=published.entries,
            scheduled=int(published.scheduled),
            der=published.der,
        )
        self._execute(
            _FORGET,
            {
                "tenant": self.scope.tenant,
                "issuer": published.issuer,
                "shard": published.shard,
                "kind": published.kind,
                "number": published.number,
                "before": to_milliseconds(published.this_update - _KEPT),
            },
            expect=None,
        )

    def want_crls(self, issuer: IssuerId, shard: int, now: datetime) -> None:
        """Ask for the lists that a change of status in a shard makes out of date."""
        self._want(CRL_JOB, issuer, now)
        self._want(DELTA_JOB, issuer, now)
        if shard != COMPLETE:
            self._want(SHARD_JOB, f"{issuer}/{shard}", now)

    def want_delta(self, issuer: IssuerId, now: datetime) -> None:
        """Ask for a delta to the complete list."""
        self._want(DELTA_JOB, issuer, now)

    def _want(self, kind: str, key: str, now: datetime) -> None:
        self._execute(
            WANT_JOB,
            {
                "kind": kind,
                "key": key,
                "job_tenant": self.scope.tenant,
                "run_at": to_milliseconds(now),
            },
        )
