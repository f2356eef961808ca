"""Each kind of negative act, done again on a database that lacks it (ADR 15)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from sqlalchemy import BindParameter, bindparam, select

from tegata.issuance.serials import SerialBlock
from tegata.issuance.shards import COMPLETE, FIRST_SHARD, shard_url
from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import (
    CertificateId,
    IssuerId,
    KeyId,
    NodeId,
    TenantId,
    TimestampAuthorityId,
    TokenId,
)
from tegata.kernel.negative import ActKind, ActPlace, NegativeAct
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope, platform_acts
from tegata.kernel.signing import RefusalGround
from tegata.pkix.crl import RevocationReason
from tegata.revocation.model import CertificateStatus, Release, Revocation
from tegata.store.authorities import is_among
from tegata.store.instants import from_milliseconds
from tegata.store.negative import number, octets, release_from, revocation_from, stop_from, text
from tegata.store.schema import issuer, serial_block
from tegata.store.statement import Statement
from tegata.store.store import Store, Unit
from tegata.tenancy.model import TenantState

# What a unit must do; None when the database has nothing left to do it to.
Effect = Callable[[Unit], None]
Replay = Callable[[Store, TenantScope, NegativeAct], Awaitable[Effect | None]]


async def _revoke_certificate(store: Store, scope: TenantScope, act: NegativeAct) -> Effect | None:
    revocation = revocation_from(act)
    owner = await store.tenant_of(revocation.issuer)
    if owner is None and await store.find_take_over(scope, revocation.issuer) is not None:
        # Restored to before it was complete: it will be completed again (ADR 18).
        return lambda unit: unit.inherit_revocation(revocation)
    if owner != scope.tenant:
        return None
    found = await store.find_revocation(scope, revocation.issuer, revocation.serial)
    change = _change(found, revocation, act)
    if change is None:
        return None
    opening = await open_shards(store, scope, revocation.issuer, revocation.shard)
    now = store.clock.now()

    def effect(unit: Unit) -> None:
        opening(unit)
        change(unit)
        unit.want_crls(revocation.issuer, revocation.shard, now)

    return effect


def _change(
    found: CertificateStatus | None, revocation: Revocation, act: NegativeAct
) -> Effect | None:
    """How a revocation or hold is made of what a serial has; None when it needs nothing."""
    if found is None:
        return lambda unit: unit.add_revocation(revocation)
    if not found.is_hold or found.revoked_at is None:
        return None
    if revocation.reason is not RevocationReason.CERTIFICATE_HOLD:
        return lambda unit: unit.replace_hold(revocation)
    if revocation.revoked_at <= found.revoked_at:
        return None
    # Held again: the release of the earlier hold is in another node's journal.
    earlier = Release(
        issuer=revocation.issuer,
        serial=revocation.serial,
        certificate=CertificateId(text(act, "certificate")),
        held_since=found.revoked_at,
        released_at=revocation.revoked_at,
        entry=b"",
        shard=revocation.shard,
    )

    def hold_again(unit: Unit) -> None:
        unit.release_hold(earlier)
        unit.add_revocation(revocation)

    return hold_again


async def _release_certificate(store: Store, scope: TenantScope, act: NegativeAct) -> Effect | None:
    release = release_from(act)
    found = await store.find_revocation(scope, release.issuer, release.serial)
    # Only the hold that was taken back: neither a later one, nor a revocation for good.
    if found is None or not found.is_hold or found.revoked_at != release.held_since:
        return None
    now = store.clock.now()

    def effect(unit: Unit) -> None:
        unit.release_hold(release)
        unit.want_crls(release.issuer, release.shard, now)

    return effect


async def open_shards(store: Store, scope: TenantScope, issuer_id: IssuerId, shard: int) -> Effect:
    """Open the shards of an issuer's CRL that certificates name and a restored database lacks."""
    newest = await store.newest_shards(scope, issuer_id)
    crl_url = (await store.get_issuer(scope, issuer_id)).crl_url
    now = store.clock.now()

    def effect(unit: Unit) -> None:
        if not newest:
            unit.open_shard(issuer_id, COMPLETE, crl_url, now)
        for missing in range(newest[-1].number + 1 if newest else FIRST_SHARD, shard + 1):
            unit.open_shard(issuer_id, missing, shard_url(crl_url, missing), now)

    return effect


async def _revoke_token(store: Store, scope: TenantScope, act: NegativeAct) -> Effect | None:
    token = TokenId(text(act, "token"))
    found = await store.find_token(scope.tenant, token)
    if found is None or found.revoked_at is not None:
        return None
    revoked_at = from_milliseconds(number(act, "revoked_at"))
    return lambda unit: unit.revoke_token(token, revoked_at)


async def _suspend_tenant(store: Store, scope: TenantScope, act: NegativeAct) -> Effect | None:
    found = await store.find_tenant(scope, act.tenant)
    if found is None or found.state is TenantState.SUSPENDED:
        return None
    return lambda unit: unit.set_tenant_state(TenantState.SUSPENDED)


async def _resume_tenant(store: Store, scope: TenantScope, act: NegativeAct) -> Effect | None:
    found = await store.find_tenant(scope, act.tenant)
    if found is None or found.state is not TenantState.SUSPENDED:
        return None
    return lambda unit: unit.set_tenant_state(TenantState.ACTIVE, resumed=True)


async def _refuse_key(_store: Store, _scope: TenantScope, act: NegativeAct) -> Effect | None:
    key, ground = octets(act, "key"), RefusalGround(text(act, "ground"))
    refused_at = from_milliseconds(number(act, "refused_at"))
    return lambda unit: unit.add_refused_key(key, ground, refused_at)


async def _allow_key(store: Store, scope: TenantScope, act: NegativeAct) -> Effect | None:
    found = await store.find_refused_key(scope, octets(act, "key"))
    # Only the refusal that was taken back: neither a later one, nor one for good.
    if found is None or found.ground is not RefusalGround.LISTED:
        return None
    if found.since != from_milliseconds(number(act, "refused_at")):
        return None
    return lambda unit: unit.remove_refused_key(found)


async def _number_crl(_store: Store, _scope: TenantScope, act: NegativeAct) -> Effect | None:
    numbered, used = IssuerId(text(act, "issuer")), number(act, "number")
    return lambda unit: unit.raise_crl_floor(numbered, used)


async def _stop_issuance(store: Store, _scope: TenantScope, act: NegativeAct) -> Effect | None:
    stop = stop_from(act)
    if is_among(stop, await store.list_stops()):
        return None
    return lambda unit: unit.add_stop(stop)


async def _resume_issuance(store: Store, _scope: TenantScope, act: NegativeAct) -> Effect | None:
    stop = stop_from(act)
    if not is_among(stop, await store.list_stops()):
        return None
    return lambda unit: unit.remove_stop(stop)


async def _disable_authority(store: Store, scope: TenantScope, act: NegativeAct) -> Effect | None:
    authority = TimestampAuthorityId(text(act, "authority"))
    found = await store.find_timestamp_authority(scope, authority)
    if found is None or found.disabled_at is not None:
        return None
    disabled_at = from_milliseconds(number(act, "disabled_at"))
    return lambda unit: unit.disable_timestamp_authority(authority, disabled_at)


REPLAYS: Mapping[ActKind, Replay] = {
    ActKind.CERTIFICATE_REVOKED: _revoke_certificate,
    ActKind.CERTIFICATE_RELEASED: _release_certificate,
    ActKind.TOKEN_REVOKED: _revoke_token,
    ActKind.TENANT_SUSPENDED: _suspend_tenant,
    ActKind.TENANT_RESUMED: _resume_tenant,
    ActKind.KEY_REFUSED: _refuse_key,
    ActKind.KEY_ALLOWED: _allow_key,
    ActKind.CRL_NUMBERED: _number_crl,
    ActKind.ISSUANCE_STOPPED: _stop_issuance,
    ActKind.ISSUANCE_RESUMED: _resume_issuance,
    ActKind.TIMESTAMPING_DISABLED: _disable_authority,
}
# Numbers are used so often that their return is counted, not recorded one by one.
_UNRECORDED = frozenset({ActKind.CRL_NUMBERED})


_TENANT: BindParameter[str] = bindparam("tenant")
_ISSUER_OF_KEY = Statement(
    select(issuer.c.id).where(issuer.c.tenant == _TENANT, issuer.c.signing_key == bindparam("key"))
)
_HAS_BLOCK = Statement(
    select(serial_block.c.id).where(
        serial_block.c.tenant == _TENANT, serial_block.c.id == bindparam("block")
    )
)


class RecoveringStore(Store):
    """The store with what only a start needs."""

    async def replay(self, place: ActPlace, act: NegativeAct) -> bool | None:
        """Do a journaled act again, in one unit with its place, recorded as the platform's."""
        try:
            return await self._replay(place, act)
        except Problem as problem:
            if problem.code is not ProblemCode.CONFLICT:
                raise
            # Another node has just done the same: look again.
            return await self._replay(place, act)

    async def _replay(self, place: ActPlace, act: NegativeAct) -> bool | None:
        if not await self.is_open(act.tenant):
            return None
        scope = platform_acts(act.tenant, "restore")
        effect = await REPLAYS[act.kind](self, scope, act)
        async with self.open_unit(scope, essential=True) as unit:
            unit.essential()
            unit.replay(place)
            if effect is not None:
                effect(unit)
            if effect is not None and act.kind not in _UNRECORDED:
                unit.audit(_replayed(scope, place, act))
            await unit.commit()
        return effect is not None

    async def adopt_block(
        self, tenant: TenantId, key: KeyId, block: SerialBlock, shard: int, node: NodeId
    ) -> bool | None:
        """Have a block that a node's signer has reserved, open, so that it will be settled.

        True when the database had it not, False when it had, None when it does not know the
        issuer.
        """
        if not await self.is_open(tenant):
            return None
        found = await self.database.fetch(tenant, _ISSUER_OF_KEY, {"key": key})
        if not found:
            return None
        if await self.database.fetch(tenant, _HAS_BLOCK, {"block": block.id}):
            return False
        scope, issuer_id = platform_acts(tenant, "restore"), IssuerId(found[0][0])
        opening = await open_shards(self, scope, issuer_id, shard)
        async with self.open_unit(scope, essential=True) as unit:
            unit.essential()
            opening(unit)
            unit.refill_shard(issuer_id, shard, block.size, block.month)
            unit.add_serial_block(issuer_id, block, shard, node, self.clock.now())
            await unit.commit()
        return True

    async def raise_crl_numbers(self, by: int) -> None:
        """Leave out so many CRL numbers of every issuer."""
        for tenant, identifier in await self.all_issuers():
            scope = platform_acts(tenant, "restore")
            latest = await self.highest_crl_number(scope, identifier)
            async with self.open_unit(scope, essential=True) as unit:
                unit.raise_crl_floor(identifier, latest + by)
                await unit.commit()


def _replayed(scope: TenantScope, place: ActPlace, act: NegativeAct) -> AuditEvent:
    # Which key is refused is in no record, as when it was refused first.
    is_key = act.kind in (ActKind.KEY_REFUSED, ActKind.KEY_ALLOWED)
    subject = "refused-key:" if is_key else act.subject
    return AuditEvent(
        actor=scope.actor,
        action="operations:act:replay",
        decision=Decision.ALLOWED,
        subject=subject,
        request_digest=bytes(32),
        private={"kind": act.kind.value, "place": f"{place.node}/{place.place}"},
    )
