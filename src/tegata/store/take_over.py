"""CAs that are being taken over, and what another CA had issued, as rows (ADR 18)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import (
    BindParameter,
    and_,
    bindparam,
    case,
    delete,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from tegata.issuance.index_file import TakenRevocation
from tegata.issuance.serials import serial_octets
from tegata.issuance.taken import Staged, TakeOver, TakeOverState
from tegata.kernel.ids import IssuerId, KeyId
from tegata.kernel.scope import TenantScope
from tegata.pkix.crl import REASON_BY_NUMBER
from tegata.pkix.extensions import subject_public_key
from tegata.store.foreign import ForeignWrites
from tegata.store.instants import from_milliseconds, to_milliseconds
from tegata.store.jobs import FORGET, TAKE_OVER_JOB, WANT_JOB
from tegata.store.keys import KEY_COLUMNS, key_from_row
from tegata.store.reads import ReadsBase
from tegata.store.schema import (
    issuer_directory,
    signing_key,
    take_over,
    take_over_entry,
)
from tegata.store.statement import NO_OFFSET, Parameters, Row, Statement

_TENANT: BindParameter[str] = bindparam("tenant")
_COLUMNS = (
    take_over.c.id,
    take_over.c.name,
    take_over.c.chain,
    take_over.c.state,
    take_over.c.created_at,
    take_over.c.crl_number,
    take_over.c.point,
    take_over.c.told,
    take_over.c.entries,
    take_over.c.certificates,
    take_over.c.revoked,
    take_over.c.revision,
)
_TAKE_OVERS = (
    select(*_COLUMNS, *KEY_COLUMNS)
    .join(
        signing_key,
        and_(
            signing_key.c.tenant == take_over.c.tenant,
            signing_key.c.id == take_over.c.signing_key,
        ),
    )
    .where(take_over.c.tenant == _TENANT)
)
_LIST = Statement(_TAKE_OVERS.order_by(take_over.c.id))
_FIND = Statement(_TAKE_OVERS.where(take_over.c.id == bindparam("issuer")))
_THIS = (
    take_over.c.tenant == _TENANT,
    take_over.c.id == bindparam("issuer"),
    take_over.c.revision == bindparam("before"),
)
_MOVE = Statement(
    update(take_over)
    .where(*_THIS)
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in (
                "state", "crl_number", "point", "told", "entries", "certificates", "revoked",
                "revision",
            )
        }
    )
)  # fmt: skip
_REMOVE = Statement(delete(take_over).where(*_THIS))
_REMOVE_KEY = Statement(
    delete(signing_key).where(signing_key.c.tenant == _TENANT, signing_key.c.id == bindparam("key"))
)
_STAGED_OF = (
    take_over_entry.c.tenant == _TENANT,
    take_over_entry.c.issuer == bindparam("issuer"),
)
_REMOVE_STAGED = Statement(delete(take_over_entry).where(*_STAGED_OF))
_STRIKE = Statement(
    delete(take_over_entry).where(*_STAGED_OF, take_over_entry.c.serial <= bindparam("until"))
)
_ENTRY_COLUMNS = (
    take_over_entry.c.serial,
    take_over_entry.c.der,
    take_over_entry.c.profile,
    take_over_entry.c.not_after,
    take_over_entry.c.revoked_at,
    take_over_entry.c.reason,
    take_over_entry.c.invalid_since,
)
_NEXT = Statement(
    select(*_ENTRY_COLUMNS)
    .where(*_STAGED_OF)
    .order_by(take_over_entry.c.serial)
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)
# As many serials as are looked for at once.
_AT_ONCE = 100
_PLACES = tuple(f"serial{place}" for place in range(_AT_ONCE))
_FIND_STAGED = Statement(
    select(*_ENTRY_COLUMNS).where(
        *_STAGED_OF, take_over_entry.c.serial.in_([bindparam(place) for place in _PLACES])
    )
)
_put = upsert(take_over_entry).values(
    {column.name: bindparam(column.name) for column in take_over_entry.columns}
)
_KEY = ["tenant", "issuer", "serial"]
# One that has another certificate is not touched, so that the unit fails.
_STAGE_CERTIFICATE = Statement(
    _put.on_conflict_do_update(
        index_elements=_KEY,
        set_={"der": _put.excluded.der, "profile": _put.excluded.profile},
        where=take_over_entry.c.der.is_(None) | (take_over_entry.c.der == _put.excluded.der),
    )
)
_REVOKED = ("revoked_at", "reason", "invalid_since")
_STAGE_PUBLISHED = Statement(
    _put.on_conflict_do_update(
        index_elements=_KEY, set_={name: _put.excluded[name] for name in _REVOKED}
    )
)
# What a list said of a revocation stands.
_STAGE_INDEXED = Statement(
    _put.on_conflict_do_update(
        index_elements=_KEY,
        set_={
            "not_after": _put.excluded.not_after,
            **{
                name: case(
                    (take_over_entry.c.revoked_at.is_(None), _put.excluded[name]),
                    else_=take_over_entry.c[name],
                )
                for name in _REVOKED
            },
        },
    )
)
_OF_KEY = Statement(
    select(issuer_directory.c.issuer)
    .where(issuer_directory.c.sha256_key == bindparam("key"))
    .limit(literal_column("1"))
    .offset(NO_OFFSET)
)


def _taken(row: Row) -> TakeOver:
    (identifier, name, chain, state, created_at, number, point, told, entries, certificates,
     revoked, revision) = row[: len(_COLUMNS)]  # fmt: skip
    return TakeOver(
        IssuerId(identifier),
        name,
        key_from_row(row[len(_COLUMNS) :]),
        tuple(msgspec.msgpack.decode(bytes(chain), type=list[bytes])),
        TakeOverState(state),
        from_milliseconds(created_at),
        number,
        point,
        bool(told),
        entries,
        certificates,
        revoked,
        revision,
    )


def _staged(row: Row) -> Staged:
    serial, der, profile, not_after, revoked_at, reason, invalid_since = row
    revoked = None
    if revoked_at is not None:
        since = from_milliseconds(invalid_since) if invalid_since is not None else None
        revoked = TakenRevocation(from_milliseconds(revoked_at), REASON_BY_NUMBER[reason], since)
    return Staged(
        int.from_bytes(serial, "big"),
        bytes(der) if der is not None else None,
        profile,
        from_milliseconds(not_after) if not_after is not None else None,
        revoked,
    )


class TakeOverReads(ReadsBase):
    """Take-overs of one tenant."""

    async def find_take_over(self, scope: TenantScope, issuer: IssuerId) -> TakeOver | None:
        """A take-over of the tenant's."""
        rows = await self.database.fetch(scope.tenant, _FIND, {"issuer": issuer})
        return _taken(rows[0]) if rows else None

    async def list_take_overs(self, scope: TenantScope) -> Sequence[TakeOver]:
        """The tenant's take-overs, oldest first."""
        return [_taken(row) for row in await self.database.fetch(scope.tenant, _LIST, {})]

    async def find_staged(
        self, scope: TenantScope, issuer: IssuerId, serials: Sequence[int]
    ) -> Mapping[int, Staged]:
        """What is staged under these serials."""
        found: dict[int, Staged] = {}
        for start in range(0, len(serials), _AT_ONCE):
            some = [serial_octets(each) for each in serials[start : start + _AT_ONCE]]
            some += [some[-1]] * (_AT_ONCE - len(some))
            parameters = {"issuer": issuer, **dict(zip(_PLACES, some, strict=True))}
            for row in await self.database.fetch(scope.tenant, _FIND_STAGED, parameters):
                staged = _staged(row)
                found[staged.serial] = staged
        return found

    async def next_staged(
        self, scope: TenantScope, issuer: IssuerId, limit: int
    ) -> Sequence[Staged]:
        """What is staged, the lowest serials first."""
        parameters = {"issuer": issuer, "limit": limit}
        return [_staged(row) for row in await self.database.fetch(scope.tenant, _NEXT, parameters)]

    async def is_issuer_key(self, public_key: bytes) -> bool:
        """Whether an issuer of any tenant has this key: who issues is public."""
        digest = hashlib.sha256(subject_public_key(public_key)).digest()
        return bool(await self.database.fetch(None, _OF_KEY, {"key": digest}))


class TakeOverWrites(ForeignWrites):
    """Take-overs in a unit."""

    def add_take_over(self, begun: TakeOver) -> None:
        """Record that a CA is being taken over."""
        self._insert(
            take_over,
            tenant=self.scope.tenant,
            id=begun.id,
            name=begun.name,
            signing_key=begun.key.id,
            key_sha256=hashlib.sha256(begun.key.public_key).digest(),
            chain=msgspec.msgpack.encode(begun.chain),
            created_at=to_milliseconds(begun.created_at),
            **_progress(begun),
        )

    def move_take_over(self, before: TakeOver, after: TakeOver) -> None:
        """Record how far it is; the unit conflicts when it is not where it was."""
        progress = {f"new_{name}": value for name, value in _progress(after).items()}
        self._execute(_MOVE, {**self._this(before), **progress})

    def remove_take_over(self, ended: TakeOver) -> None:
        """Forget it, with what is staged of it; the unit conflicts as above."""
        self._execute(_REMOVE, self._this(ended))
        owner = {"tenant": self.scope.tenant, "issuer": ended.id}
        self._execute(_REMOVE_STAGED, owner, expect=None)
        this = {"job_kind": TAKE_OVER_JOB, "job_key": ended.id}
        self._execute(FORGET, this, expect=None)

    def remove_signing_key(self, key: KeyId) -> None:
        """Forget a key that nothing was signed with."""
        self._execute(_REMOVE_KEY, {"tenant": self.scope.tenant, "key": key})

    def stage_certificate(self, issuer: IssuerId, serial: int, der: bytes, profile: str) -> None:
        """Keep a certificate; the unit conflicts when the serial has another."""
        entry = self._entry(issuer, serial) | {"der": der, "profile": profile}
        self._execute(_STAGE_CERTIFICATE, entry)

    def stage_entry(
        self,
        issuer: IssuerId,
        serial: int,
        not_after: datetime | None,
        revoked: TakenRevocation | None,
        *,
        published: bool,
    ) -> None:
        """Keep what an index or a list says; a list has the last word."""
        entry = self._entry(issuer, serial)
        if not_after is not None:
            entry["not_after"] = to_milliseconds(not_after)
        if revoked is not None:
            since = revoked.invalid_since
            entry["revoked_at"] = to_milliseconds(revoked.revoked_at)
            entry["reason"] = revoked.reason.number
            entry["invalid_since"] = to_milliseconds(since) if since is not None else None
        self._execute(_STAGE_PUBLISHED if published else _STAGE_INDEXED, entry)

    def strike_staged(self, issuer: IssuerId, until: int) -> None:
        """Forget what is staged up to a serial: it is recorded."""
        parameters = {
            "tenant": self.scope.tenant,
            "issuer": issuer,
            "until": serial_octets(until),
        }
        self._execute(_STRIKE, parameters, expect=None)

    def want_take_over(self, issuer: IssuerId, now: datetime) -> None:
        """Have what is staged recorded."""
        parameters = {
            "kind": TAKE_OVER_JOB,
            "key": issuer,
            "job_tenant": self.scope.tenant,
            "run_at": to_milliseconds(now),
        }
        self._execute(WANT_JOB, parameters)

    def _this(self, found: TakeOver) -> Parameters:
        return {"tenant": self.scope.tenant, "issuer": found.id, "before": found.revision}

    def _entry(self, issuer: IssuerId, serial: int) -> Parameters:
        return {
            "tenant": self.scope.tenant,
            "issuer": issuer,
            "serial": serial_octets(serial),
            "der": None,
            "profile": "",
            "not_after": None,
            "revoked_at": None,
            "reason": None,
            "invalid_since": None,
        }


def _progress(found: TakeOver) -> Parameters:
    return {
        "state": found.state.value,
        "crl_number": found.crl_number,
        "point": found.point,
        "told": int(found.told),
        "entries": found.entries,
        "certificates": found.certificates,
        "revoked": found.revoked,
        "revision": found.revision,
    }
