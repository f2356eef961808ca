"""What ends a take-over: it is recorded, batch by batch, or forgotten."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tegata.issuance.authorities import AuthorityService
from tegata.issuance.model import LinkKind
from tegata.issuance.shards import COMPLETE, FIRST_SHARD
from tegata.issuance.take_over import BATCH, take_over_event
from tegata.issuance.take_over_ports import TakeOverStore, TakeOverUnit
from tegata.issuance.taken import Staged, TakenRecord, TakeOver, TakeOverState
from tegata.issuance.taken_records import taken_issuer, taken_record
from tegata.kernel.ids import IssuerId, time_ordered
from tegata.kernel.month import expiry_month
from tegata.kernel.ports import Clock, Randomness
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope
from tegata.kernel.signing import RefusalGround
from tegata.pkix.certificate import parse_certificate, parse_tbs_certificate
from tegata.pkix.crl import RevocationReason

# How long a turn lasts before others come.
_TURN = timedelta(seconds=1)
# When what is complete is looked at again.
_NEVER = timedelta(days=36_500)
_COMPROMISED = frozenset({RevocationReason.KEY_COMPROMISE, RevocationReason.CA_COMPROMISE})
_NO_REQUEST = bytes(32)


@dataclass(frozen=True, slots=True)
class TakeOverWork:
    """Completes and cancels take-overs. A batch is struck off in the transaction that records it,
    so that a crash at any point leaves exactly what is still to be done."""

    store: TakeOverStore
    authorities: AuthorityService
    clock: Clock
    randomness: Randomness
    batch: int = BATCH

    async def complete(self, scope: TenantScope, issuer: IssuerId, digest: bytes) -> TakeOver:
        """Have everything recorded and the CA work from then on. Asking again changes nothing.

        `Problem(take-over.refused)` while it is not known what is revoked, or how far the CA
        had counted its lists.
        """
        take_over = await self._get(scope, issuer)
        if take_over.state is TakeOverState.COMPLETING:
            return take_over
        if not take_over.told:
            raise _refused("hand in the CA's last list, or its index: what is revoked?")
        if take_over.crl_number is None:
            raise _refused("say the CA's last CRL number: lists go on above it")
        if await self.store.is_issuer_key(take_over.key.public_key):
            raise Problem(ProblemCode.ISSUER_EXISTS, "a CA with this key is here already")
        now = self.clock.now()
        if _end_of(take_over) < now:
            raise Problem(ProblemCode.ISSUER_CERTIFICATE_REFUSED, "the CA has expired meanwhile")
        moved = replace(take_over, state=TakeOverState.COMPLETING, revision=take_over.revision + 1)
        async with self.store.open_unit(scope) as unit:
            unit.move_take_over(take_over, moved)
            unit.want_take_over(issuer, now)
            unit.audit(take_over_event(scope, "complete", issuer, digest, _counts(take_over)))
            await unit.commit()
        return moved

    async def cancel(self, scope: TenantScope, issuer: IssuerId, digest: bytes) -> None:
        """Forget a take-over, its key and all that was handed in."""
        take_over = await self._get(scope, issuer)
        if take_over.state is not TakeOverState.OPEN:
            raise Problem(ProblemCode.CONFLICT, "it is being completed")
        async with self.store.open_unit(scope) as unit:
            unit.remove_take_over(take_over)
            unit.remove_signing_key(take_over.key.id)
            unit.audit(take_over_event(scope, "cancel", issuer, digest, _counts(take_over)))
            await unit.commit()

    async def run(self, scope: TenantScope, issuer: IssuerId) -> datetime:
        """Record what is staged, for a while; when it is next due."""
        begun = self.clock.now()
        take_over = await self.store.find_take_over(scope, issuer)
        if take_over is None:
            # A crash came after the last step: what makes the issuer whole may be missing. A
            # cancelled one is no issuer.
            await self._make_whole(scope, issuer)
            return begun + _NEVER
        if take_over.state is TakeOverState.OPEN:
            return begun + _NEVER
        while self.clock.now() - begun < _TURN:
            staged = await self.store.next_staged(scope, issuer, self.batch)
            if not staged:
                await self._finish(scope, take_over)
                await self._make_whole(scope, issuer)
                return self.clock.now() + _NEVER
            await self._record(scope, take_over, staged)
        return self.clock.now()

    async def _record(
        self,
        scope: TenantScope,
        take_over: TakeOver,
        staged: Sequence[Staged],
    ) -> None:
        now = self.clock.now()
        end = _end_of(take_over)

        def identify(month: int) -> bytes:
            return time_ordered(int(now.timestamp() * 1000), self.randomness.octets(10), month)

        records = [taken_record(each, take_over, scope.tenant, end, identify) for each in staged]
        compromised = False
        async with self.store.open_unit(scope) as unit:
            if take_over.point is not None:
                unit.open_shard(take_over.id, FIRST_SHARD, take_over.point, now)
            for record, octets in records:
                unit.record_taken(record, octets)
                compromised |= _refuse_key(unit, record, now)
            if take_over.point is not None:
                months = [expiry_month(record.listed_until) for record, _octets in records]
                unit.refill_shard(take_over.id, FIRST_SHARD, len(records), max(0, *months))
            unit.strike_staged(take_over.id, staged[-1].serial)
            private = {"entries": str(len(staged))}
            unit.audit(take_over_event(scope, "record", take_over.id, _NO_REQUEST, private))
            await unit.commit()
        if compromised:
            self.store.forget_refused_keys(scope.tenant)

    async def _finish(self, scope: TenantScope, take_over: TakeOver) -> None:
        """The last step, in one transaction: there is an issuer, and its lists go on counting."""
        now = self.clock.now()
        born = taken_issuer(take_over, scope.tenant, self.store.issuer_urls(take_over.id))
        async with self.store.open_unit(scope) as unit:
            unit.remove_take_over(take_over)
            unit.add_issuer(born, now)
            for place, der in enumerate(born.chain[1:]):
                unit.add_issuer_certificate(born.id, LinkKind.ABOVE, place, der)
            unit.open_shard(born.id, COMPLETE, born.crl_url, now)
            if take_over.point is not None:
                unit.open_shard(born.id, FIRST_SHARD, take_over.point, now)
            unit.raise_crl_floor(born.id, take_over.crl_number or 0)
            unit.want_issuer_work(born.id, now)
            private = {"name": born.name, **_counts(take_over)}
            unit.audit(take_over_event(scope, "finish", born.id, _NO_REQUEST, private))
            await unit.commit()

    async def _make_whole(self, scope: TenantScope, issuer: IssuerId) -> None:
        try:
            found = await self.store.get_issuer(scope, issuer)
        except Problem as problem:
            if problem.code is ProblemCode.ISSUER_UNKNOWN:
                return
            raise
        await self.authorities.complete(scope, found)

    async def _get(self, scope: TenantScope, issuer: IssuerId) -> TakeOver:
        found = await self.store.find_take_over(scope, issuer)
        if found is None:
            raise Problem(ProblemCode.TAKE_OVER_UNKNOWN, "no such take-over, or it is complete")
        return found


def _refuse_key(unit: TakeOverUnit, record: TakenRecord, now: datetime) -> bool:
    """Refuse the key of a certificate that was revoked for its compromise."""
    revoked = record.revoked
    if record.certificate is None or revoked is None or revoked.reason not in _COMPROMISED:
        return False
    tbs = parse_tbs_certificate(parse_certificate(record.certificate.der).tbs)
    digest = hashlib.sha256(tbs.public_key).digest()
    unit.add_refused_key(digest, RefusalGround.COMPROMISE, now)
    return True


def _end_of(take_over: TakeOver) -> datetime:
    """Until when the CA's own certificate is valid."""
    return parse_tbs_certificate(parse_certificate(take_over.chain[0]).tbs).not_after


def _counts(take_over: TakeOver) -> dict[str, str]:
    return {
        "entries": str(take_over.entries),
        "certificates": str(take_over.certificates),
        "revoked": str(take_over.revoked),
        "crl_number": str(take_over.crl_number),
    }


def _refused(detail: str) -> Problem:
    return Problem(ProblemCode.TAKE_OVER_REFUSED, detail)
