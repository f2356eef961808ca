"""Use cases of CRLs: complete, sharded by distribution point, delta (RFC 5280 section 5)."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from tegata.issuance.model import Issuer
from tegata.issuance.shards import COMPLETE, shard_url
from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import IssuerId
from tegata.kernel.ports import Clock
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope, platform_acts
from tegata.pkix.certificate import assemble
from tegata.pkix.crl import CrlScope, encode_tbs_cert_list
from tegata.revocation.model import CrlBase, CrlKind, CrlState, PublishedCrl
from tegata.revocation.ports import RevocationStore, RevocationUnit, StatusSigner
from tegata.revocation.rules import (
    CRL_VALIDITY,
    DELTA_VALIDITY,
    NO_NEXT_UPDATE,
    complete_due,
    is_last,
    is_scheduled,
    listed_since,
)
from tegata.revocation.signatures import require_valid

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class CrlService:
    """Publishes CRLs."""

    store: RevocationStore
    signer: StatusSigner
    clock: Clock

    async def publish(
        self, scope: TenantScope, issuer: IssuerId, shard: int = COMPLETE, *, anew: bool = False
    ) -> PublishedCrl:
        """Sign and publish a full list, of everything or of one shard.

        `anew`: deltas start from this list, whatever was published before.

        With a shard's list comes the delta of the same number (RFC 5280 section 5.2.4: issued
        together they tell the same). The delta to a complete list is made by itself.
        """
        found = await self.store.get_issuer(scope, issuer)
        state = await self._take_number(scope, issuer, shard)
        now = self.clock.now().replace(microsecond=0)
        entries = await self.store.crl_entries(scope, issuer, shard, listed_since(state, now))
        made = CrlBase(state.number, state.changes, now)
        # Every complete list is a base: few are made. A shard's is one a day, so that the delta
        # of an urgent revocation serves whoever has the day's list.
        scheduled = anew or is_scheduled(state, now)
        base = made if scheduled or shard == COMPLETE else state.base
        last = is_last(state, entries.count, now)
        until = NO_NEXT_UPDATE if last else now + CRL_VALIDITY
        full = PublishedCrl(
            issuer, shard, CrlKind.FULL, made.number, now, until, entries.count, scheduled, b""
        )
        parts = [*entries.octets]
        del entries
        full = await self._sign(found, full, state, made, parts)
        lists = [full]
        if shard != COMPLETE:
            start = made if anew or not state.base.number else state.base
            until = NO_NEXT_UPDATE if last else now + DELTA_VALIDITY
            lists.append(await self._delta(scope, found, state, start, now, until))
        async with self.store.open_unit(scope, essential=True) as unit:
            unit.essential()
            unit.replace_full_crl(issuer, state, full.number, base)
            if shard == COMPLETE:
                unit.want_delta(issuer, now)
            else:
                unit.replace_delta_crl(issuer, state, full.number)
            for crl in lists:
                unit.add_crl(crl)
                _audit(unit, scope, crl)
            await unit.commit()
        return full

    async def replace_all(self, scope: TenantScope, issuer: IssuerId) -> None:
        """Publish every list of an issuer anew: a database was restored, so lists may have been
        published, and used, that it knows nothing of. No delta starts from before them."""
        await _insist(lambda: self.publish(scope, issuer, anew=True))
        await _insist(lambda: self.publish_delta(scope, issuer))
        for shard in await self.store.list_shards(issuer):
            latest = await self.store.latest_crl(issuer, shard, CrlKind.FULL)
            if latest is None or not is_final(latest):
                await _insist(partial(self.publish, scope, issuer, shard, anew=True))

    async def publish_complete(self, scope: TenantScope, issuer: IssuerId) -> datetime | None:
        """Publish a complete list, unless it is too soon after the last one: then, when it is
        due."""
        state = await self.store.crl_state(scope, issuer, COMPLETE)
        due = complete_due(state)
        if due > self.clock.now():
            return due
        await self.publish(scope, issuer)
        return None

    async def publish_delta(self, scope: TenantScope, issuer: IssuerId) -> None:
        """Sign and publish what changed since the last complete list, unless that was said."""
        found = await self.store.get_issuer(scope, issuer)
        state = await self.store.crl_state(scope, issuer, COMPLETE)
        if state.base.number == 0:
            return  # The first complete list asks again.
        if state.delta > state.full and state.changes == state.base.change:
            return
        state = await self._take_number(scope, issuer, COMPLETE)
        now = self.clock.now().replace(microsecond=0)
        delta = await self._delta(scope, found, state, state.base, now, now + DELTA_VALIDITY)
        async with self.store.open_unit(scope, essential=True) as unit:
            unit.essential()
            unit.replace_delta_crl(issuer, state, delta.number)
            unit.add_crl(delta)
            _audit(unit, scope, delta)
            await unit.commit()

    async def _take_number(self, scope: TenantScope, issuer: IssuerId, shard: int) -> CrlState:
        """Where the lists of a scope stand, with a number of our own.

        It is durable before anything is signed under it: after a crash it is left out, and never
        stands on two lists. The count of changes is read with it, and entries after it: they
        contain at least those changes.
        """
        for _attempt in range(_ATTEMPTS):
            state = await self.store.crl_state(scope, issuer, shard)
            try:
                async with self.store.open_unit(scope, essential=True) as unit:
                    unit.essential()
                    unit.take_crl_number(issuer, state)
                    await unit.commit()
            except Problem as problem:
                if problem.code is not ProblemCode.CONFLICT:
                    raise
            else:
                return replace(state, number=state.number + 1)
        raise Problem(ProblemCode.CONFLICT, "others publish lists of this scope: try again")

    async def _delta(
        self,
        scope: TenantScope,
        issuer: Issuer,
        state: CrlState,
        base: CrlBase,
        now: datetime,
        until: datetime,
    ) -> PublishedCrl:
        changed = await self.store.changed_entries(scope, issuer.id, state.shard, base.change)
        delta = PublishedCrl(
            issuer.id,
            state.shard,
            CrlKind.DELTA,
            state.number,
            now,
            until,
            changed.count,
            scheduled=False,
            der=b"",
        )
        return await self._sign(issuer, delta, state, base, [*changed.octets])

    async def _sign(
        self,
        issuer: Issuer,
        crl: PublishedCrl,
        state: CrlState,
        base: CrlBase,
        entries: list[bytes],
    ) -> PublishedCrl:
        """Sign a list; `entries` is emptied, because it may be tens of megabytes."""
        is_full = crl.kind is CrlKind.FULL
        url = state.url if state.shard else issuer.crl_url
        tbs = encode_tbs_cert_list(
            issuer=issuer.facts.subject,
            this_update=crl.this_update,
            next_update=crl.next_update,
            entries=entries,
            authority_key=issuer.facts.key_identifier,
            number=crl.number,
            signature_algorithm=issuer.key.signature_algorithm,
            scope=CrlScope(
                point=url if state.shard else None,
                base=None if is_full else base.number,
                # Where another CA published its list nobody looks for a delta (ADR 18).
                freshest=delta_url(url) if is_full and _is_own(issuer, state) else None,
            ),
        )
        entries.clear()
        signature = await self.signer.sign_crl(issuer.key, tbs)
        require_valid(issuer.key, signature, tbs)
        return replace(crl, der=assemble(tbs, issuer.key.signature_algorithm, signature))

    async def ensure_published(self, scope: TenantScope, issuer: IssuerId) -> None:
        """Publish an issuer's first lists, if it has none."""
        for shard in (COMPLETE, 1):
            if await self.store.latest_crl(issuer, shard, CrlKind.FULL) is None:
                await _insist(partial(self.publish, scope, issuer, shard))
        if await self.store.latest_crl(issuer, COMPLETE, CrlKind.DELTA) is None:
            await _insist(lambda: self.publish_delta(scope, issuer))

    async def latest(
        self, issuer: IssuerId, shard: int = COMPLETE, kind: CrlKind = CrlKind.FULL
    ) -> PublishedCrl:
        """The newest CRL of an issuer and scope, or `Problem(issuer.unknown)`."""
        crl = await self.store.latest_crl(issuer, shard, kind)
        if crl is None:
            raise Problem(ProblemCode.ISSUER_UNKNOWN, "no such CRL")
        return crl

    async def shards(self, issuer: IssuerId) -> Sequence[int]:
        """The numbers of an issuer's shards, or `Problem(issuer.unknown)`."""
        shards = await self.store.list_shards(issuer)
        if not shards:
            raise Problem(ProblemCode.ISSUER_UNKNOWN, "no such issuer")
        return shards

    async def ca_certificate(self, issuer: IssuerId) -> bytes:
        """An issuer's own certificate (DER), or `Problem(issuer.unknown)`."""
        tenant = await self.store.tenant_of(issuer)
        if tenant is None:
            raise Problem(ProblemCode.ISSUER_UNKNOWN, "no such issuer")
        return (await self.store.get_issuer(platform_acts(tenant, "crl"), issuer)).certificate


async def _insist(publish: Callable[[], Awaitable[object]]) -> None:
    """Publish, though the timetable may be publishing the same."""
    for _attempt in range(_ATTEMPTS):
        try:
            await publish()
        except Problem as problem:
            if problem.code is not ProblemCode.CONFLICT:
                raise
        else:
            return
    raise Problem(ProblemCode.CONFLICT, "others publish lists of this issuer: try again")


def _is_own(issuer: Issuer, state: CrlState) -> bool:
    """Whether a list's distribution point is one of the platform's, under this or an earlier
    public address."""
    return not state.shard or state.url.endswith(shard_url(f"/crl/{issuer.id}.crl", state.shard))


def delta_url(url: str) -> str:
    """Where the delta of a full list is."""
    return f"{url.removesuffix('.crl')}-delta.crl"


def is_final(crl: PublishedCrl) -> bool:
    """Whether no list follows this one."""
    return crl.next_update == NO_NEXT_UPDATE


def _audit(unit: RevocationUnit, scope: TenantScope, crl: PublishedCrl) -> None:
    act = "publish" if crl.kind is CrlKind.FULL else "publish-delta"
    unit.audit(
        AuditEvent(
            actor=scope.actor,
            action=f"revocation:crl:{act}",
            decision=Decision.ALLOWED,
            subject=f"issuer:{crl.issuer}",
            request_digest=bytes(32),
            private={
                "shard": str(crl.shard),
                "number": str(crl.number),
                "entries": str(crl.entries),
                "digest": hashlib.sha256(crl.der).hexdigest(),
            },
        )
    )
