"""The use case of time-stamping: bind a digest to an instant, durably recorded, or refuse."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tegata.issuance.gate import IssuanceGate
from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import IssuerId, TimestampAuthorityId
from tegata.kernel.ports import Randomness
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import Actor, ActorKind, TenantScope
from tegata.pkix.der import encode_oid
from tegata.pkix.signatures import SignatureInvalid, verify
from tegata.pkix.tsp import TimeStampRequest, encode_tst_info, tst_info_tail
from tegata.pkix.tsp_token import TokenTemplate
from tegata.timestamping.clock import JudgedClock
from tegata.timestamping.model import ClockReading, ClockTrust, Stamping
from tegata.timestamping.ports import TimestampSigner, TimestampStore
from tegata.timestamping.rules import (
    gen_time,
    require_request,
    require_stamping,
    require_time,
)

# What another node has changed of an authority is seen within this time.
FRESH = timedelta(seconds=1)
_STAMPERS = 4096
# Octets of a block of serial numbers, and of a serial's place in it.
BLOCK_OCTETS = 12
_PLACE_BITS = 32
_ORDER_TRIES = 3
_ACTOR = Actor(ActorKind.ANONYMOUS, "tsp")


@dataclass(frozen=True, slots=True)
class TimeStamp:
    """A token that has been recorded, in the TimeStampResp that grants it (DER)."""

    response: bytes
    serial: int
    gen_time: datetime


class _Stamper:
    """An authority with what all of its tokens share, encoded once."""

    def __init__(self, stamping: Stamping, trust: ClockTrust) -> None:
        authority, unit = stamping.authority, stamping.unit
        self.scope = TenantScope(authority.tenant, _ACTOR)
        chain = (unit.certificate, *stamping.issuer.chain)
        self.template = TokenTemplate(unit.key.signature_algorithm, chain)
        self.policies = {each: encode_oid(each) for each in authority.policies}
        # An assumed clock promises nothing.
        accuracy = authority.accuracy if trust is ClockTrust.KERNEL else None
        self.tail = tst_info_tail(accuracy, ordering=authority.ordering)


# When it was read, what was read, and what was encoded of it.
_Known = tuple[datetime, Stamping, _Stamper]


class _Serials:
    """A block of serial numbers that this run of the platform alone has."""

    def __init__(self, block: bytes) -> None:
        self._base = int.from_bytes(block, "big") << _PLACE_BITS
        self._place = 0

    def take(self) -> int:
        """The next serial; none stands under two signatures."""
        self._place += 1
        if self._place >> _PLACE_BITS:
            raise Problem(ProblemCode.OVERLOADED, "the serial numbers of this run are used up")
        return self._base + self._place


@dataclass(frozen=True, slots=True)
class TimestampService:
    """Stamps: what is asked for is judged, the clock read and judged, the token signed, its
    signature verified, its event recorded; only then is it released."""

    store: TimestampStore
    signer: TimestampSigner
    clock: JudgedClock
    randomness: Randomness
    gate: IssuanceGate
    _known: OrderedDict[TimestampAuthorityId, _Known] = field(default_factory=OrderedDict)
    _looking: dict[TimestampAuthorityId, asyncio.Future[_Known]] = field(default_factory=dict)
    # Counts, so that what was read before a change is not kept after it.
    _forgotten: Counter[TimestampAuthorityId] = field(default_factory=Counter)
    _serials: dict[TimestampAuthorityId, _Serials] = field(default_factory=dict)
    _opening: dict[TimestampAuthorityId, asyncio.Lock] = field(default_factory=dict)
    _ordered: dict[TimestampAuthorityId, asyncio.Lock] = field(default_factory=dict)

    async def stamp(
        self, authority: TimestampAuthorityId, request: TimeStampRequest, request_digest: bytes
    ) -> TimeStamp:
        """A token for a request; durable and recorded before this returns."""
        reading = self.clock.read()
        stamping, stamper = await self._find(authority, reading.instant)
        policy = require_request(request, stamping.authority)
        if not stamping.authority.ordering:
            return await self._stamp(stamping, stamper, policy, request, request_digest, reading)
        # One after the other: the order of their commits is that of their genTimes.
        lock = self._ordered.setdefault(authority, asyncio.Lock())
        async with lock:
            for tries_left in range(_ORDER_TRIES - 1, -1, -1):
                try:
                    return await self._stamp(
                        stamping, stamper, policy, request, request_digest, self.clock.read()
                    )
                except Problem as problem:
                    # Another node was in between, or ahead of our clock.
                    if problem.code is not ProblemCode.CONFLICT or not tries_left:
                        raise
        raise AssertionError

    async def _stamp(
        self,
        stamping: Stamping,
        stamper: _Stamper,
        policy: str,
        request: TimeStampRequest,
        request_digest: bytes,
        reading: ClockReading,
    ) -> TimeStamp:
        authority, unit = stamping.authority, stamping.unit
        require_time(reading, stamping)
        self.gate.require_open(stamping.issuer, reading.instant)
        # What could not be recorded must not be signed.
        self.store.require_room()
        serial = await self._take_serial(stamper.scope, authority.id, reading.instant)
        instant = gen_time(reading.instant, ordering=authority.ordering)
        info = encode_tst_info(
            policy=stamper.policies[policy],
            imprint=request.imprint.der,
            serial=serial,
            gen_time=instant,
            tail=stamper.tail,
            nonce=request.nonce,
        )
        attributes = stamper.template.attributes(info)
        signature = await self.signer.sign_timestamp(unit.key, info, attributes)
        try:
            verify(unit.key.public_key, unit.key.signature_algorithm, signature, attributes)
        except SignatureInvalid as error:
            # A key store that signs wrongly must never be heard of outside.
            raise Problem(
                ProblemCode.SIGNER_UNAVAILABLE, "the signature does not verify"
            ) from error
        async with self.store.open_unit(stamper.scope) as work:
            if authority.ordering:
                work.advance_timestamp_order(authority.id, instant)
            work.audit(_issued(stamper.scope, stamping, policy, request, request_digest, serial))
            await work.commit()
        response = stamper.template.response(
            info, attributes, signature, certificates=request.certificates
        )
        return TimeStamp(response, serial, instant)

    def forget(self, authority: TimestampAuthorityId) -> None:
        """Look again before the next token: something of an authority was changed here."""
        self._known.pop(authority, None)
        if authority in self._looking:
            # Whoever asks from now on looks for itself: this one may have read what was before.
            del self._looking[authority]
            self._forgotten[authority] += 1

    def withdraw(self, issuer: IssuerId) -> None:
        """The status of a certificate of an issuer was changed here: look again before the next
        token of those whose path has that issuer."""
        for authority, (_since, stamping, _stamper) in list(self._known.items()):
            if issuer in (stamping.issuer.id, *stamping.issuer.ancestors):
                self.forget(authority)
        for authority in list(self._looking):
            self.forget(authority)

    async def _find(
        self, authority: TimestampAuthorityId, now: datetime
    ) -> tuple[Stamping, _Stamper]:
        known = self._known.get(authority)
        if known is None or not timedelta(0) <= now - known[0] < FRESH:
            known = await self._refresh(authority, now)
        require_stamping(known[1])
        return known[1], known[2]

    async def _refresh(self, authority: TimestampAuthorityId, now: datetime) -> _Known:
        """Look once for all who wait."""
        under_way = self._looking.get(authority)
        if under_way is None:
            under_way = asyncio.ensure_future(self._look(authority, now))
            self._looking[authority] = under_way
            under_way.add_done_callback(lambda done: self._looked(authority, done))
        # Who gives up takes nothing from the others.
        return await asyncio.shield(under_way)

    def _looked(self, authority: TimestampAuthorityId, done: asyncio.Future[_Known]) -> None:
        if self._looking.get(authority) is done:
            del self._looking[authority]

    async def _look(self, authority: TimestampAuthorityId, now: datetime) -> _Known:
        ticket = self._forgotten.get(authority, 0)
        stamping = await self._read(authority)
        known = self._known.get(authority)
        # What was encoded once is used as long as the unit is the same.
        is_same = known is not None and known[1].unit.number == stamping.unit.number
        stamper = (
            known[2] if known is not None and is_same else _Stamper(stamping, self.clock.trust)
        )
        found = now, stamping, stamper
        if self._forgotten.get(authority, 0) == ticket:
            self._known[authority] = found
        if len(self._known) > _STAMPERS:
            self._known.popitem(last=False)
        return found

    async def _read(self, authority: TimestampAuthorityId) -> Stamping:
        tenant = await self.store.timestamp_tenant(authority)
        if tenant is not None:
            stamping = await self.store.find_stamping(TenantScope(tenant, _ACTOR), authority)
            if stamping is not None:
                return stamping
        raise Problem(ProblemCode.TIMESTAMP_AUTHORITY_UNKNOWN, "no such authority")

    async def _take_serial(
        self, scope: TenantScope, authority: TimestampAuthorityId, now: datetime
    ) -> int:
        serials = self._serials.get(authority)
        if serials is None:
            serials = await self._open_block(scope, authority, now)
        return serials.take()

    async def _open_block(
        self, scope: TenantScope, authority: TimestampAuthorityId, now: datetime
    ) -> _Serials:
        """A new block for this run, recorded before any of its serials is used. Those of earlier
        runs are left as they are, so no restart and no restored database repeats one."""
        async with self._opening.setdefault(authority, asyncio.Lock()):
            if authority in self._serials:
                return self._serials[authority]
            milliseconds = int(now.timestamp() * 1000)
            block = milliseconds.to_bytes(6, "big") + self.randomness.octets(BLOCK_OCTETS - 6)
            async with self.store.open_unit(scope) as work:
                work.add_timestamp_block(authority, block, now)
                work.audit(_opened(scope, authority, block))
                await work.commit()
            opened = self._serials[authority] = _Serials(block)
            return opened


def _opened(scope: TenantScope, authority: TimestampAuthorityId, block: bytes) -> AuditEvent:
    return AuditEvent(
        actor=scope.actor,
        action="timestamping:serial-block:open",
        decision=Decision.ALLOWED,
        subject=f"timestamp-authority:{authority}",
        request_digest=bytes(32),
        private={"block": block.hex()},
    )


def _issued(
    scope: TenantScope,
    stamping: Stamping,
    policy: str,
    request: TimeStampRequest,
    request_digest: bytes,
    serial: int,
) -> AuditEvent:
    return AuditEvent(
        actor=scope.actor,
        action="timestamping:token:issue",
        decision=Decision.ALLOWED,
        subject=f"timestamp:{stamping.authority.id}/{serial:x}",
        request_digest=request_digest,
        private={
            "policy": policy,
            "serial": f"{serial:x}",
            "imprint": request.imprint.digest.hex(),
        },
    )
