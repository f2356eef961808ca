"""Take-overs in a world: what is staged, and what other CAs had issued."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tegata.issuance.index_file import TakenRevocation
from tegata.issuance.taken import Staged, TakenRecord, TakeOver
from tegata.kernel.ids import IssuerId, KeyId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope
from tegata.pkix.crl import encode_crl_entry
from tegata.revocation.model import ForeignSerial, Revocation

Place = tuple[IssuerId, int]


@dataclass(slots=True)
class TakeOverTables:
    """What was committed of take-overs."""

    take_overs: dict[IssuerId, TakeOver] = field(default_factory=dict)
    staged: dict[Place, Staged] = field(default_factory=dict)
    foreign: dict[Place, TakenRecord] = field(default_factory=dict)
    floors: dict[IssuerId, int] = field(default_factory=dict)


class MemoryTakeOverUnit:
    """Writes of take-overs."""

    _writes: list[Callable[[Any], None]]

    def add_take_over(self, begun: TakeOver) -> None:
        self._writes.append(lambda tables: tables.take_overs.update({begun.id: begun}))

    def move_take_over(self, before: TakeOver, after: TakeOver) -> None:
        def move(tables: Any) -> None:
            _require_at(tables, before)
            tables.take_overs[before.id] = after

        self._writes.append(move)

    def remove_take_over(self, ended: TakeOver) -> None:
        def remove(tables: Any) -> None:
            _require_at(tables, ended)
            del tables.take_overs[ended.id]
            for place in [each for each in tables.staged if each[0] == ended.id]:
                del tables.staged[place]

        self._writes.append(remove)

    def remove_signing_key(self, key: KeyId) -> None:
        self._writes.append(lambda tables: tables.signing_keys.pop(key))

    def stage_certificate(self, issuer: IssuerId, serial: int, der: bytes, profile: str) -> None:
        def stage(tables: Any) -> None:
            there = tables.staged.get((issuer, serial), _nothing(serial))
            if there.der not in (None, der):
                raise Problem(ProblemCode.CONFLICT)
            tables.staged[issuer, serial] = replace(there, der=der, profile=profile)

        self._writes.append(stage)

    def stage_entry(
        self,
        issuer: IssuerId,
        serial: int,
        not_after: datetime | None,
        revoked: TakenRevocation | None,
        *,
        published: bool,
    ) -> None:
        def stage(tables: Any) -> None:
            there = tables.staged.get((issuer, serial), _nothing(serial))
            kept = revoked if published else there.revoked or revoked
            tables.staged[issuer, serial] = replace(
                there, not_after=not_after or there.not_after, revoked=kept
            )

        self._writes.append(stage)

    def strike_staged(self, issuer: IssuerId, until: int) -> None:
        def strike(tables: Any) -> None:
            for place in [each for each in tables.staged if each[0] == issuer]:
                if place[1] <= until:
                    del tables.staged[place]

        self._writes.append(strike)

    def record_taken(self, record: TakenRecord, octets: bytes) -> None:
        place = record.issuer, record.serial

        def record_(tables: Any) -> None:
            if place in tables.foreign:
                raise Problem(ProblemCode.CONFLICT)
            tables.foreign[place] = record
            if record.certificate is not None:
                tables.certificates[record.certificate.id] = record.certificate
            if record.revoked is not None:
                tables.revocations[place] = _revocation(record, record.revoked)

        self._writes.append(record_)

    def refill_shard(self, issuer: IssuerId, shard: int, size: int, month: int) -> None:
        def fill(tables: Any) -> None:
            scope = tables.scopes[issuer, shard]
            last = max(scope.last_epoch, month)
            tables.scopes[issuer, shard] = replace(
                scope, places=scope.places + size, last_epoch=last
            )

        self._writes.append(fill)

    def raise_crl_floor(self, issuer: IssuerId, number: int) -> None:
        self._writes.append(lambda tables: tables.floors.update({issuer: number}))

    def want_take_over(self, issuer: IssuerId, now: datetime) -> None:
        """The worker of this world is whoever calls."""


class MemoryTakeOverStore:
    """Reads of take-overs."""

    _read: Callable[[str], Any]

    async def find_take_over(self, scope: TenantScope, issuer: IssuerId) -> TakeOver | None:
        found: TakeOver | None = self._read("find_take_over").take_overs.get(issuer)
        return found if found is not None and found.key.tenant == scope.tenant else None

    async def list_take_overs(self, scope: TenantScope) -> Sequence[TakeOver]:
        every = self._read("list_take_overs").take_overs.values()
        return [each for each in every if each.key.tenant == scope.tenant]

    async def find_staged(
        self, scope: TenantScope, issuer: IssuerId, serials: Sequence[int]
    ) -> Mapping[int, Staged]:
        staged = self._read("find_staged").staged
        return {each: staged[issuer, each] for each in serials if (issuer, each) in staged}

    async def next_staged(
        self, scope: TenantScope, issuer: IssuerId, limit: int
    ) -> Sequence[Staged]:
        staged = self._read("next_staged").staged
        return [staged[each] for each in sorted(staged) if each[0] == issuer][:limit]

    async def is_issuer_key(self, public_key: bytes) -> bool:
        issuers = self._read("is_issuer_key").issuers.values()
        return any(each.key.public_key == public_key for each in issuers)

    async def find_foreign_serial(
        self, scope: TenantScope, issuer: IssuerId, serial: int
    ) -> ForeignSerial | None:
        found = self._read("find_foreign_serial").foreign.get((issuer, serial))
        if found is None:
            return None
        return ForeignSerial(issuer, serial, 0, found.shard, found.listed_until)


def _require_at(tables: Any, before: TakeOver) -> None:
    found = tables.take_overs.get(before.id)
    if found is None or found.revision != before.revision:
        raise Problem(ProblemCode.CONFLICT)


def _nothing(serial: int) -> Staged:
    return Staged(serial, None, "", None, None)


def _revocation(record: TakenRecord, revoked: TakenRevocation) -> Revocation:
    return Revocation(
        issuer=record.issuer,
        serial=record.serial,
        certificate=record.certificate.id if record.certificate is not None else None,
        revoked_at=revoked.revoked_at,
        reason=revoked.reason,
        entry=encode_crl_entry(
            record.serial, revoked.revoked_at, revoked.reason, revoked.invalid_since
        ),
        listed_until=record.listed_until,
        shard=record.shard,
        invalid_since=revoked.invalid_since,
    )
