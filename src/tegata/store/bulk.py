"""Files with many requests, as rows: what waits, sealed, and what became of each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import BindParameter, and_, bindparam, delete, desc, func, select, update

from tegata.kernel.ids import (
    CertificateId,
    IssuerId,
    encode_certificate_id,
    parse_certificate_id,
)
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import Actor, ActorKind, TenantScope
from tegata.kernel.signing import DataKeyKind, Sealer
from tegata.registration.bulk_model import (
    Bulk,
    BulkAct,
    BulkId,
    BulkOrder,
    BulkOutcome,
    BulkRow,
    BulkState,
)
from tegata.store import schema
from tegata.store.instants import from_milliseconds, to_milliseconds
from tegata.store.jobs import BULK_JOB, FORGET, WANT_JOB
from tegata.store.reads import ReadsBase
from tegata.store.schema import bulk, bulk_outcome, bulk_rows
from tegata.store.statement import NO_OFFSET, Row, Statement
from tegata.store.unit import UnitBase

_TENANT: BindParameter[str] = bindparam("tenant")
_DIGESTS = 100
_FORGET_AT_ONCE = 5000
_LAST = "~"
_THIS = and_(bulk.c.tenant == _TENANT, bulk.c.id == bindparam("bulk"))
_OUTCOMES_OF = and_(bulk_outcome.c.tenant == _TENANT, bulk_outcome.c.bulk == bindparam("bulk"))
_ROWS_OF = and_(bulk_rows.c.tenant == _TENANT, bulk_rows.c.bulk == bindparam("bulk"))
_GET = Statement(select(*bulk.columns).where(_THIS))
_LIST = Statement(
    select(*bulk.columns)
    .where(bulk.c.tenant == _TENANT, bulk.c.id < bindparam("before"))
    .order_by(desc(bulk.c.id))
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)
_NEXT = Statement(
    select(bulk_rows.c.first_row, bulk_rows.c.sealed)
    .where(_ROWS_OF)
    .order_by(bulk_rows.c.first_row)
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)
_OUTCOMES = Statement(
    select(
        bulk_outcome.c.row,
        bulk_outcome.c.digest,
        bulk_outcome.c.certificate,
        bulk_outcome.c.code,
        bulk_outcome.c.sealed,
    )
    .where(_OUTCOMES_OF, bulk_outcome.c.row > bindparam("after"))
    .order_by(bulk_outcome.c.row)
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)
_PLACES = tuple(f"digest{place}" for place in range(_DIGESTS))
_EARLIER = Statement(
    select(bulk_outcome.c.digest, func.min(bulk_outcome.c.row))
    .where(_OUTCOMES_OF, bulk_outcome.c.digest.in_([bindparam(place) for place in _PLACES]))
    .group_by(bulk_outcome.c.digest)
)
_REMOVE_ROWS = Statement(
    delete(bulk_rows).where(_ROWS_OF, bulk_rows.c.first_row == bindparam("first"))
)
_FORGET_ROWS = Statement(
    delete(bulk_rows).where(_ROWS_OF, bulk_rows.c.first_row <= bindparam("until"))
)
_FORGET_OUTCOMES = Statement(
    delete(bulk_outcome).where(_OUTCOMES_OF, bulk_outcome.c.row <= bindparam("until"))
)
_FORGET = Statement(delete(bulk).where(_THIS))
_COUNT = Statement(
    update(bulk)
    .where(_THIS)
    .values(
        succeeded=bulk.c.succeeded + bindparam("more_succeeded"),
        refused=bulk.c.refused + bindparam("more_refused"),
    )
)
_MOVE = Statement(
    update(bulk)
    .where(_THIS, bulk.c.state == bindparam("before"))
    .values(state=bindparam("after"), rows=bindparam("new_rows"), finished_at=bindparam("finished"))
)


class _Order(msgspec.Struct, forbid_unknown_fields=True):
    """A file's order, as it is kept."""

    act: str
    issuer: str | None
    profile: str | None
    reason: str
    visible: list[str] | None


_ORDER = msgspec.json.Decoder(_Order)
_ROWS = msgspec.msgpack.Decoder(list[tuple[int, dict[str, str]]])
_NOTE = msgspec.msgpack.Decoder(tuple[str, str])
_ENCODER = msgspec.msgpack.Encoder()


class TenantBulkSealer:
    """Seals under a tenant's erasable data key; see `registration.bulk_ports.BulkSealer`."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def rows(self, bulk_id: BulkId, rows: Sequence[BulkRow]) -> bytes:
        """Rows that follow each other."""
        plaintext = _ENCODER.encode([(row.number, dict(row.fields)) for row in rows])
        return self._sealer.seal(plaintext, _rows_context(bulk_id, rows[0].number))

    def open_rows(self, bulk_id: BulkId, first: int, sealed: bytes) -> Sequence[BulkRow]:
        """The rows again."""
        plaintext = self._sealer.unseal(sealed, _rows_context(bulk_id, first))
        return [BulkRow(number, fields) for number, fields in _ROWS.decode(plaintext)]

    def note(self, bulk_id: BulkId, outcome: BulkOutcome) -> bytes:
        """An outcome's reference and detail."""
        if not outcome.reference and not outcome.detail:
            return b""
        plaintext = _ENCODER.encode((outcome.reference, outcome.detail))
        return self._sealer.seal(plaintext, _note_context(bulk_id, outcome.row))

    def open_note(self, bulk_id: BulkId, row: int, sealed: bytes) -> tuple[str, str]:
        """Reference and detail again."""
        if not sealed:
            return "", ""
        return _NOTE.decode(self._sealer.unseal(sealed, _note_context(bulk_id, row)))


def _rows_context(bulk_id: BulkId, first: int) -> str:
    return f"bulk_rows.sealed|{bulk_id}|{first}"


def _note_context(bulk_id: BulkId, row: int) -> str:
    return f"bulk_outcome.sealed|{bulk_id}|{row}"


class BulkReads(ReadsBase):
    """Files of one tenant."""

    async def bulk_sealer(self, scope: TenantScope) -> TenantBulkSealer:
        """What seals the tenant's rows."""
        return TenantBulkSealer(await self.data_keys.sealer(scope.tenant, DataKeyKind.ERASABLE))

    async def get_bulk(self, scope: TenantScope, identifier: BulkId) -> Bulk:
        """A file of the tenant, or `Problem(bulk.unknown)`."""
        rows = await self.database.fetch(scope.tenant, _GET, {"bulk": identifier})
        if not rows:
            raise Problem(ProblemCode.BULK_UNKNOWN)
        return _bulk(scope, rows[0])

    async def list_bulk(
        self, scope: TenantScope, before: BulkId | None, limit: int
    ) -> Sequence[Bulk]:
        """The tenant's files, newest first."""
        parameters = {"before": before or _LAST, "limit": limit}
        rows = await self.database.fetch(scope.tenant, _LIST, parameters)
        return [_bulk(scope, row) for row in rows]

    async def next_bulk_rows(self, scope: TenantScope, identifier: BulkId) -> Sequence[BulkRow]:
        """The first rows that are kept, as they were put together."""
        parameters = {"bulk": identifier, "limit": 1}
        found = await self.database.fetch(scope.tenant, _NEXT, parameters)
        if not found:
            return ()
        first, sealed = found[0]
        return (await self.bulk_sealer(scope)).open_rows(identifier, first, bytes(sealed))

    async def bulk_outcomes(
        self, scope: TenantScope, identifier: BulkId, after: int, limit: int
    ) -> Sequence[BulkOutcome]:
        """What became of rows, from the one after `after`."""
        parameters = {"bulk": identifier, "after": after, "limit": limit}
        rows = await self.database.fetch(scope.tenant, _OUTCOMES, parameters)
        sealer = await self.bulk_sealer(scope)
        found = []
        for row, digest, certificate, code, sealed in rows:
            reference, detail = sealer.open_note(identifier, row, bytes(sealed))
            found.append(
                BulkOutcome(row, bytes(digest), _certificate(certificate), code, reference, detail)
            )
        return found

    async def earlier_rows(
        self, scope: TenantScope, identifier: BulkId, digests: Sequence[bytes]
    ) -> Mapping[bytes, int]:
        """The first row that is known by each of up to a hundred digests."""
        asked = [*digests, *[b""] * (_DIGESTS - len(digests))]
        parameters = dict(zip(_PLACES, asked, strict=True))
        rows = await self.database.fetch(scope.tenant, _EARLIER, {**parameters, "bulk": identifier})
        return {bytes(digest): row for digest, row in rows}


def _certificate(octets: bytes | None) -> CertificateId | None:
    return None if octets is None else encode_certificate_id(bytes(octets))


def _bulk(scope: TenantScope, row: Row) -> Bulk:
    _tenant, identifier, kind, actor, request, state, rows, succeeded, refused, *times = row
    order = _ORDER.decode(request)
    visible = None if order.visible is None else frozenset(map(IssuerId, order.visible))
    issuer = None if order.issuer is None else IssuerId(order.issuer)
    created_at, finished_at = times
    return Bulk(
        BulkId(identifier),
        TenantScope(scope.tenant, Actor(ActorKind(kind), actor)),
        BulkOrder(BulkAct(order.act), issuer, order.profile, order.reason, visible),
        BulkState(state),
        rows,
        succeeded,
        refused,
        from_milliseconds(created_at),
        None if finished_at is None else from_milliseconds(finished_at),
    )


class BulkWrites(UnitBase):
    """Files in a unit."""

    def add_bulk(self, added: Bulk) -> None:
        """Record a file that is being received."""
        order = added.order
        visible = None if order.visible is None else sorted(order.visible)
        kept = _Order(order.act, order.issuer, order.profile, order.reason, list(visible or ()))
        if visible is None:
            kept.visible = None
        self._insert(
            schema.bulk,
            tenant=self.scope.tenant,
            id=added.id,
            actor_kind=added.scope.actor.kind.value,
            actor=added.scope.actor.id,
            request=msgspec.json.encode(kept).decode(),
            state=added.state.value,
            rows=added.rows,
            succeeded=added.succeeded,
            refused=added.refused,
            created_at=to_milliseconds(added.created_at),
            finished_at=None,
        )

    def add_bulk_rows(self, identifier: BulkId, first: int, sealed: bytes) -> None:
        """Keep rows until they are done."""
        self._insert(
            schema.bulk_rows,
            tenant=self.scope.tenant,
            bulk=identifier,
            first_row=first,
            sealed=sealed,
        )

    def remove_bulk_rows(self, identifier: BulkId, first: int) -> None:
        """Forget rows; the unit conflicts when they were forgotten already."""
        self._execute(_REMOVE_ROWS, self._bulk_values(identifier, first=first))

    def add_bulk_outcome(self, identifier: BulkId, outcome: BulkOutcome, sealed: bytes) -> None:
        """Say what became of a row; the unit conflicts when that was said before."""
        octets = None
        if outcome.certificate is not None:
            octets = parse_certificate_id(outcome.certificate)
        self._insert(
            schema.bulk_outcome,
            tenant=self.scope.tenant,
            bulk=identifier,
            row=outcome.row,
            digest=outcome.digest,
            certificate=octets,
            code=outcome.code,
            sealed=sealed,
        )

    def count_bulk(self, identifier: BulkId, succeeded: int, refused: int) -> None:
        """Add to a file's counts."""
        self._execute(
            _COUNT, self._bulk_values(identifier, more_succeeded=succeeded, more_refused=refused)
        )

    def set_bulk_state(
        self,
        identifier: BulkId,
        before: BulkState,
        state: BulkState,
        rows: int,
        finished_at: datetime | None,
    ) -> None:
        """Move a file on; the unit conflicts unless it is where it was `before`."""
        finished = None if finished_at is None else to_milliseconds(finished_at)
        self._execute(
            _MOVE,
            self._bulk_values(
                identifier,
                before=before.value,
                after=state.value,
                new_rows=rows,
                finished=finished,
            ),
        )

    def forget_bulk_rows(self, identifier: BulkId, until: int) -> None:
        """Forget rows up to a number."""
        self._execute(_FORGET_ROWS, self._bulk_values(identifier, until=until), expect=None)

    def forget_bulk_outcomes(self, identifier: BulkId, until: int) -> None:
        """Forget outcomes up to a row."""
        self._execute(_FORGET_OUTCOMES, self._bulk_values(identifier, until=until), expect=None)

    def forget_bulk(self, identifier: BulkId) -> None:
        """Forget a file and its job."""
        self._execute(_FORGET, self._bulk_values(identifier), expect=None)
        parameters = {"job_kind": BULK_JOB, "job_key": identifier}
        self._execute(FORGET, parameters, expect=None)

    def want_bulk(self, identifier: BulkId, at: datetime) -> None:
        """Have the file worked on at an instant or earlier."""
        self._execute(
            WANT_JOB,
            {
                "kind": BULK_JOB,
                "key": identifier,
                "job_tenant": self.scope.tenant,
                "run_at": to_milliseconds(at),
            },
        )

    def _bulk_values(
        self, identifier: BulkId, **more: int | str | None
    ) -> dict[str, int | str | None]:
        return {"tenant": self.scope.tenant, "bulk": identifier, **more}
