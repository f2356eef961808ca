"""Serial numbers in hand: blocks are reserved, made durable, and only then given out."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tegata.issuance.model import Issuer, ReservedSerial
from tegata.issuance.ports import CertificateSigner, IssuanceStore
from tegata.issuance.serials import BLOCK_MAXIMUM, SerialBlock
from tegata.issuance.shards import COMPLETE, FIRST_SHARD, Placement, place_block, shard_url
from tegata.kernel.ids import BlockId, IssuerId, NodeId, TenantId
from tegata.kernel.ports import Clock
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope, platform_acts

# Small at first: what is reserved when the machine dies becomes void and stands in the CRL.
FIRST_BLOCK = 8
_QUICK = 60.0
_ATTEMPTS = 5


@dataclass(slots=True)
class _Current:
    tenant: TenantId
    block: SerialBlock
    shard: int
    crl_url: str
    opened: float
    next: int = 0
    returned: list[int] = field(default_factory=list)

    def given_out(self) -> list[int]:
        """The places whose serials are, or may be, in use."""
        return [place for place in range(self.next) if place not in self.returned]


class SerialReserve:
    """Gives out serials, once each, of blocks that are durable in signer and store."""

    def __init__(
        self, store: IssuanceStore, signer: CertificateSigner, clock: Clock, node: NodeId
    ) -> None:
        self._store = store
        self._signer = signer
        self._clock = clock
        self._node = node
        self._current: dict[tuple[IssuerId, int], _Current] = {}
        self._locks: dict[tuple[IssuerId, int], asyncio.Lock] = {}

    async def take(self, issuer: Issuer, month: int) -> ReservedSerial:
        """The next reserved serial of an issuer for a month of expiry."""
        place = issuer.id, month
        reserved = self._next(place)
        if reserved is not None:
            return reserved
        async with self._locks.setdefault(place, asyncio.Lock()):
            reserved = self._next(place)
            if reserved is None:
                await self._reserve(issuer, month)
                reserved = self._next(place)
        assert reserved is not None
        return reserved

    def give_back(self, issuer: Issuer, place: ReservedSerial) -> None:
        """Take back a serial that the signer refused to use."""
        current = self._current.get((issuer.id, place.block.month))
        if current is not None and current.block.id == place.block.id:
            current.returned.append(place.counter)

    def drain(self) -> Mapping[TenantId, Mapping[BlockId, Collection[int]]]:
        """Give out no more; of each present block, which serials were given out."""
        used: dict[TenantId, dict[BlockId, Collection[int]]] = {}
        for current in self._current.values():
            used.setdefault(current.tenant, {})[current.block.id] = current.given_out()
        self._current.clear()
        return used

    def forget(self) -> None:
        """Give out no more of the present blocks: the signer that made them is gone."""
        self._current.clear()

    def _next(self, place: tuple[IssuerId, int]) -> ReservedSerial | None:
        current = self._current.get(place)
        if current is None:
            return None
        if current.returned:
            counter = current.returned.pop()
        elif current.next < current.block.size:
            counter = current.next
            current.next += 1
        else:
            return None
        serial = current.block.serial(counter)
        return ReservedSerial(current.block, counter, serial, current.shard, current.crl_url)

    async def _reserve(self, issuer: Issuer, month: int) -> None:
        now = self._clock.now()
        scope: TenantScope = platform_acts(issuer.tenant, "serials")
        size = self._size(issuer.id, month)
        block, placement = await self._place(scope, issuer, month, size, now)
        self._current[issuer.id, month] = _Current(
            issuer.tenant, block, placement.shard, placement.url, now.timestamp()
        )

    async def _place(
        self, scope: TenantScope, issuer: Issuer, month: int, size: int, now: datetime
    ) -> tuple[SerialBlock, Placement]:
        """A new block, and its shard. The signer notes the shard with it: should the database be
        lost, its serials become void in the list that their certificates name (ADR 15)."""
        for _attempt in range(_ATTEMPTS):
            newest = await self._store.newest_shards(scope, issuer.id)
            placement = place_block(newest, size, issuer.crl_url)
            block = await self._signer.reserve(issuer.key, month, size, placement.shard)
            try:
                await self._record(scope, issuer, block, placement, now)
            except Problem as problem:
                # Another node took the shard's last places since we looked. The block is left to
                # the next start, which makes it void.
                if problem.code is not ProblemCode.CONFLICT:
                    raise
            else:
                return block, placement
        raise Problem(ProblemCode.CONFLICT, "other nodes fill the shard: try again")

    async def _record(
        self,
        scope: TenantScope,
        issuer: Issuer,
        block: SerialBlock,
        placement: Placement,
        now: datetime,
    ) -> None:
        """Make a block durable in the store, with its places in a shard of the CRL."""
        async with self._store.open_unit(scope) as unit:
            if placement.opens == (FIRST_SHARD,):
                unit.open_shard(issuer.id, COMPLETE, issuer.crl_url, now)
            for shard in placement.opens:
                unit.open_shard(issuer.id, shard, shard_url(issuer.crl_url, shard), now)
            unit.fill_shard(issuer.id, placement.shard, block.size, block.month)
            unit.add_serial_block(issuer.id, block, placement.shard, self._node, now)
            await unit.commit()

    def _size(self, issuer: IssuerId, month: int) -> int:
        used = self._current.get((issuer, month))
        if used is None:
            return FIRST_BLOCK
        if self._clock.now().timestamp() - used.opened < _QUICK:
            return min(used.block.size * 4, BLOCK_MAXIMUM)
        return FIRST_BLOCK
