"""The timetable: what each kind of job does, and when it is due again."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from tegata.issuance.hierarchy import RESPONDER_RENEWAL
from tegata.kernel.ids import IssuerId, TimestampAuthorityId
from tegata.kernel.scope import TenantScope, platform_acts
from tegata.main.composition import Platform
from tegata.profiles.catalogue import OCSP_RESPONDER
from tegata.registration.bulk_model import BulkId
from tegata.registration.notice import NOTICE_PERIOD
from tegata.revocation.lists import is_final
from tegata.revocation.rules import CRL_PERIOD, NO_NEXT_UPDATE
from tegata.store import jobs
from tegata.store.jobs import Job

_LOG = logging.getLogger(__name__)
# Has the log anchored; after what time again.
AnchorTurn = Callable[[], Awaitable[timedelta]]
# What a job does, as which part of the platform, given its key and the present; when it is due
# again.
Work = Callable[[TenantScope, str, datetime], Awaitable[datetime]]


class Timetable:
    """The work of every kind of job."""

    def __init__(self, platform: Platform, anchor: AnchorTurn) -> None:
        self._platform = platform
        self._anchor = anchor
        self._kinds: Mapping[str, tuple[str, Work]] = {
            jobs.CRL_JOB: ("crl", self._publish_complete),
            jobs.DELTA_JOB: ("crl", self._publish_delta),
            jobs.SHARD_JOB: ("crl", self._publish_shard),
            jobs.RESPONDER_JOB: ("ocsp", self._renew_responder),
            jobs.TIMESTAMP_JOB: ("tsp", self._renew_stamping_unit),
            jobs.ANCHOR_JOB: ("tsp", self._anchor_log),
            jobs.BULK_JOB: ("bulk", self._run_bulk),
            jobs.COMPARISON_JOB: ("keys", self._compare_keys),
            jobs.TAKE_OVER_JOB: ("take-over", self._take_over),
            jobs.NOTICE_JOB: ("notice", self._tell),
            jobs.WATCH_JOB: ("identity", self._watch),
            jobs.DELIVERY_JOB: ("identity", self._deliver),
        }

    async def perform(self, job: Job, now: datetime) -> datetime:
        """Do a job; when it is due again."""
        if job.kind not in self._kinds:
            _LOG.error("a job of a kind that this version does not know: %s", job.kind)
            return now + CRL_PERIOD
        part, work = self._kinds[job.kind]
        return await work(platform_acts(job.tenant, part), job.key, now)

    async def _publish_complete(self, scope: TenantScope, key: str, now: datetime) -> datetime:
        due = await self._platform.crls.publish_complete(scope, IssuerId(key))
        return due or now + CRL_PERIOD

    async def _publish_delta(self, scope: TenantScope, key: str, now: datetime) -> datetime:
        await self._platform.crls.publish_delta(scope, IssuerId(key))
        return now + CRL_PERIOD

    async def _publish_shard(self, scope: TenantScope, key: str, now: datetime) -> datetime:
        issuer, _slash, shard = key.partition("/")
        crl = await self._platform.crls.publish(scope, IssuerId(issuer), int(shard))
        return NO_NEXT_UPDATE if is_final(crl) else now + CRL_PERIOD

    async def _renew_responder(self, scope: TenantScope, key: str, now: datetime) -> datetime:
        issuer = IssuerId(key)
        until = await self._platform.store.responder_until(scope, issuer)
        if until is not None and now < until - RESPONDER_RENEWAL:
            return until - RESPONDER_RENEWAL
        found = await self._platform.store.get_issuer(scope, issuer)
        await self._platform.hierarchy.renew_responder(scope, found)
        return now + OCSP_RESPONDER.validity - RESPONDER_RENEWAL

    async def _renew_stamping_unit(self, scope: TenantScope, key: str, _now: datetime) -> datetime:
        authority = TimestampAuthorityId(key)
        due = await self._platform.timestamping.renew(scope, authority)
        self._platform.stamps.forget(authority)
        return due or NO_NEXT_UPDATE

    async def _anchor_log(self, _scope: TenantScope, _key: str, now: datetime) -> datetime:
        return now + await self._anchor()

    async def _run_bulk(self, scope: TenantScope, key: str, _now: datetime) -> datetime:
        return await self._platform.bulk_work.run(scope, BulkId(key))

    async def _compare_keys(self, scope: TenantScope, _key: str, _now: datetime) -> datetime:
        later = self._platform.key_comparison.postponed(scope)
        if later:
            return later
        refused = await self._platform.key_comparison.compare(scope)
        if refused:
            _LOG.error("%s has %d keys whose primes others share", scope.tenant, refused)
        return NO_NEXT_UPDATE

    async def _take_over(self, scope: TenantScope, key: str, _now: datetime) -> datetime:
        return await self._platform.take_over_work.run(scope, IssuerId(key))

    async def _tell(self, scope: TenantScope, _key: str, now: datetime) -> datetime:
        return now if await self._platform.notices.tell(scope) else now + NOTICE_PERIOD

    async def _watch(self, scope: TenantScope, _key: str, _now: datetime) -> datetime:
        return await self._platform.identity.watches.run(scope) or NO_NEXT_UPDATE

    async def _deliver(self, scope: TenantScope, _key: str, now: datetime) -> datetime:
        return now if await self._platform.identity.watches.deliver(scope) else NO_NEXT_UPDATE
