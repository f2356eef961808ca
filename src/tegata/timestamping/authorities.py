"""Use cases on a tenant's time-stamping authorities: make, renew, disable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from tegata.issuance.model import Draft, IssuedCertificate, Issuer
from tegata.issuance.ports import IssuanceUnit
from tegata.issuance.rules import validity_period
from tegata.issuance.service import IssuanceService
from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import TimestampAuthorityId, encode_id, time_ordered
from tegata.kernel.ports import Clock, Randomness
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope
from tegata.kernel.signing import SigningKey
from tegata.pkix.extensions import private_key_usage_period
from tegata.pkix.names import name_text, parse_name
from tegata.profiles.catalogue import TIME_STAMPING
from tegata.timestamping.model import (
    NewTimestampAuthority,
    TimestampAuthority,
    TimestampUnit,
)
from tegata.timestamping.ports import TimestampSigner, TimestampStore, TimestampWork
from tegata.timestamping.rules import key_end, renewal_instant, require_possible, unit_subject

PREFIX = "tsa"
_NO_REQUEST = bytes(32)


@dataclass(frozen=True, slots=True)
class TimestampAuthorityService:
    """Makes authorities and their units. The unit's certificate, its key, the authority and the
    wish to renew it are recorded in one transaction."""

    store: TimestampStore
    signer: TimestampSigner
    issuance: IssuanceService
    clock: Clock
    randomness: Randomness

    async def create(
        self, scope: TenantScope, new: NewTimestampAuthority, digest: bytes
    ) -> TimestampAuthority:
        """An authority with its first unit; it stamps from now on. Asking again for the same finds
        it."""
        issuer = await self.store.get_issuer(scope, new.issuer)
        signature_algorithm = require_possible(new, issuer)
        now = self.clock.now()
        authority = TimestampAuthority(
            id=self._new_id(now),
            tenant=scope.tenant,
            name=new.name,
            issuer=new.issuer,
            policies=new.policies,
            algorithm=new.algorithm,
            signature_algorithm=signature_algorithm,
            accuracy=new.accuracy,
            ordering=new.ordering,
            created_at=now,
        )
        found = await self.store.find_timestamp_authority_named(scope, new.name)
        if found is not None:
            if not _same(found, authority):
                raise Problem(
                    ProblemCode.TIMESTAMP_AUTHORITY_EXISTS, "the tenant has another of this name"
                )
            return found
        await self._add_unit(scope, authority, issuer, 1, digest, is_new=True)
        return authority

    async def renew(self, scope: TenantScope, identifier: TimestampAuthorityId) -> datetime | None:
        """Replace an authority's unit if it is time; when it will be, None for never again."""
        authority = await self.get(scope, identifier)
        unit = await self.store.newest_timestamp_unit(scope, identifier)
        if authority.disabled_at is not None or unit is None:
            return None
        now = self.clock.now()
        due = renewal_instant(unit.key_until, min(now, unit.key_until))
        if now < due:
            return due
        issuer = await self.store.get_issuer(scope, authority.issuer)
        renewed = await self._add_unit(
            scope, authority, issuer, unit.number + 1, _NO_REQUEST, is_new=False
        )
        return renewal_instant(renewed.key_until, now)

    async def disable(
        self, scope: TenantScope, identifier: TimestampAuthorityId, digest: bytes
    ) -> TimestampAuthority:
        """Have an authority stamp no more, for good. Asking again changes nothing."""
        found = await self.get(scope, identifier)
        if found.disabled_at is not None:
            return found
        async with self.store.open_unit(scope, essential=True) as work:
            work.essential()
            work.disable_timestamp_authority(identifier, self.clock.now())
            work.audit(_event(scope, "disable", found, digest))
            await work.commit()
        return await self.get(scope, identifier)

    async def get(self, scope: TenantScope, identifier: TimestampAuthorityId) -> TimestampAuthority:
        """An authority of the tenant, or `Problem(timestamp.authority-unknown)`."""
        found = await self.store.find_timestamp_authority(scope, identifier)
        if found is None:
            raise Problem(ProblemCode.TIMESTAMP_AUTHORITY_UNKNOWN, "no such authority")
        return found

    async def list(
        self, scope: TenantScope, after: str, limit: int
    ) -> Sequence[TimestampAuthority]:
        """The tenant's authorities, from after an id on."""
        return await self.store.list_timestamp_authorities(scope, after, limit)

    async def describe(
        self, scope: TenantScope, authority: TimestampAuthority
    ) -> tuple[TimestampUnit, Issuer]:
        """The unit that stamps for an authority, and its issuer."""
        unit = await self.store.newest_timestamp_unit(scope, authority.id)
        if unit is None:
            raise Problem(ProblemCode.TIMESTAMP_AUTHORITY_UNKNOWN, "no such authority")
        return unit, await self.store.get_issuer(scope, authority.issuer)

    async def _add_unit(
        self,
        scope: TenantScope,
        authority: TimestampAuthority,
        issuer: Issuer,
        number: int,
        digest: bytes,
        *,
        is_new: bool,
    ) -> TimestampUnit:
        now = self.clock.now()
        self.issuance.gate.require_open(issuer, now)
        subject = unit_subject(issuer.facts.subject, authority.name, now)
        not_before, not_after = validity_period(TIME_STAMPING, now, issuer.facts.not_after)
        until = key_end(now, not_after)
        key = await self.signer.create_timestamp_key(
            scope.tenant,
            subject,
            authority.algorithm,
            authority.signature_algorithm,
            authority.policies,
        )
        draft = _draft(subject, key, not_before, not_after, until)
        made: list[TimestampUnit] = []

        def accompany(unit: IssuanceUnit, issued: IssuedCertificate) -> None:
            # The store's units serve every room (see store/store.py).
            work = cast(TimestampWork, unit)
            born = TimestampUnit(
                authority.id, number, key, issued.der, issued.id, issued.serial,
                issued.not_after, until,
            )  # fmt: skip
            work.add_signing_key(key, now)
            if is_new:
                work.add_timestamp_authority(authority)
                work.audit(_event(scope, "create", authority, digest))
            else:
                work.audit(_event(scope, "renew", authority, digest))
            work.add_timestamp_unit(born, renewal_instant(until, now), now)
            made.append(born)

        await self.issuance.issue(scope, issuer, draft, digest, accompany)
        return made[0]

    def _new_id(self, now: datetime) -> TimestampAuthorityId:
        octets = time_ordered(int(now.timestamp() * 1000), self.randomness.octets(10))
        return TimestampAuthorityId(encode_id(PREFIX, octets))


def _draft(
    subject: bytes, key: SigningKey, not_before: datetime, not_after: datetime, until: datetime
) -> Draft:
    return Draft(
        profile=TIME_STAMPING,
        subject=subject,
        subject_text=name_text(parse_name(subject)),
        public_key=key.public_key,
        names=(),
        not_before=not_before,
        not_after=not_after,
        extensions=(private_key_usage_period(not_before, until),),
    )


def _same(found: TimestampAuthority, wanted: TimestampAuthority) -> bool:
    return (
        found.issuer, found.policies, found.algorithm, found.signature_algorithm,
        found.accuracy, found.ordering,
    ) == (
        wanted.issuer, wanted.policies, wanted.algorithm, wanted.signature_algorithm,
        wanted.accuracy, wanted.ordering,
    )  # fmt: skip


def _event(
    scope: TenantScope, act: str, authority: TimestampAuthority, digest: bytes
) -> AuditEvent:
    return AuditEvent(
        actor=scope.actor,
        action=f"timestamping:authority:{act}",
        decision=Decision.ALLOWED,
        subject=f"timestamp-authority:{authority.id}",
        request_digest=digest,
        private={"name": authority.name},
    )
