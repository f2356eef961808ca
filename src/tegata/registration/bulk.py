"""Use cases on files with many requests: receive, show, cancel, tell what became of each row."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from tegata.issuance.model import IssuedCertificate
from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import encode_id, time_ordered
from tegata.kernel.ports import Clock, Randomness
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope
from tegata.registration.bulk_csv import BulkReader, refused
from tegata.registration.bulk_model import (
    UPLOAD_MAXIMUM,
    Bulk,
    BulkAct,
    BulkId,
    BulkOrder,
    BulkOutcome,
    BulkRow,
    BulkState,
)
from tegata.registration.bulk_ports import BulkSealer, BulkStore, BulkUnit
from tegata.registration.ports import RegistrationStore

# Rows that are sealed, worked on and checkpointed together, and their octets at most.
ROWS_TOGETHER, OCTETS_TOGETHER = 100, 256 * 1024
# Outcomes that are read at once for an answer.
OUTCOMES_AT_ONCE = 200
LIST_MAXIMUM = 200


@dataclass(frozen=True, slots=True)
class BulkService:
    """Files that a tenant sends in."""

    store: BulkStore
    certificates: RegistrationStore
    clock: Clock
    randomness: Randomness

    async def receive(
        self, scope: TenantScope, order: BulkOrder, parts: AsyncIterator[bytes], charset: str
    ) -> Bulk:
        """Keep a file's rows, sealed; when all are there, the work begins.

        `Problem(bulk.file-refused)` when it cannot be read to its end: then nothing is done.
        """
        now = self.clock.now()
        octets = time_ordered(int(now.timestamp() * 1000), self.randomness.octets(10))
        bulk = Bulk(
            BulkId(encode_id("blk", octets)), scope, order, BulkState.RECEIVING, 0, 0, 0, now, None
        )
        async with self.store.open_unit(scope) as unit:
            unit.add_bulk(bulk)
            # Should the upload break off, somebody clears up.
            unit.want_bulk(bulk.id, now + UPLOAD_MAXIMUM)
            await unit.commit()
        try:
            rows, digest = await self._keep_rows(scope, bulk, parts, charset)
            if not rows:
                raise refused("the file has no rows")
        except Problem:
            await self._give_up(scope, bulk)
            raise
        async with self.store.open_unit(scope) as unit:
            unit.set_bulk_state(bulk.id, BulkState.RECEIVING, BulkState.RUNNING, rows, None)
            unit.want_bulk(bulk.id, self.clock.now())
            unit.audit(
                _event(scope, "receive", bulk, digest, {"act": order.act, "rows": str(rows)})
            )
            await unit.commit()
        return replace(bulk, state=BulkState.RUNNING, rows=rows)

    async def _keep_rows(
        self, scope: TenantScope, bulk: Bulk, parts: AsyncIterator[bytes], charset: str
    ) -> tuple[int, bytes]:
        reader, digest = BulkReader(bulk.order.act, charset), hashlib.sha256()
        sealer = await self.store.bulk_sealer(scope)
        together: list[BulkRow] = []
        async for part in parts:
            digest.update(part)
            together += reader.feed(part)
            together = await self._keep(scope, bulk, sealer, together)
        together += reader.feed(b"", final=True)
        together = await self._keep(scope, bulk, sealer, together)
        if together:
            await self._write(scope, bulk, sealer, [together])
        return reader.rows, digest.digest()

    async def _keep(
        self, scope: TenantScope, bulk: Bulk, sealer: BulkSealer, rows: list[BulkRow]
    ) -> list[BulkRow]:
        """Write rows in whole groups; those that are left over."""
        groups: list[list[BulkRow]] = [[]]
        size = 0
        for row in rows:
            if len(groups[-1]) == ROWS_TOGETHER or size > OCTETS_TOGETHER:
                groups.append([])
                size = 0
            groups[-1].append(row)
            size += sum(map(len, row.fields.values()))
        if len(groups) > 1:
            await self._write(scope, bulk, sealer, groups[:-1])
        return groups[-1]

    async def _write(
        self,
        scope: TenantScope,
        bulk: Bulk,
        sealer: BulkSealer,
        groups: Sequence[Sequence[BulkRow]],
    ) -> None:
        async with self.store.open_unit(scope) as unit:
            for rows in groups:
                unit.add_bulk_rows(bulk.id, rows[0].number, sealer.rows(bulk.id, rows))
            await unit.commit()

    async def _give_up(self, scope: TenantScope, bulk: Bulk) -> None:
        """What was kept of a file goes at once, or with the job that waits for it."""
        async with self.store.open_unit(scope, essential=True) as unit:
            now = self.clock.now()
            unit.set_bulk_state(bulk.id, BulkState.RECEIVING, BulkState.CANCELLING, 0, None)
            unit.want_bulk(bulk.id, now)
            await unit.commit()

    async def get(self, scope: TenantScope, bulk: BulkId) -> Bulk:
        """A file of the tenant, or `Problem(bulk.unknown)`."""
        return await self.store.get_bulk(scope, bulk)

    async def list(self, scope: TenantScope, before: BulkId | None, limit: int) -> Sequence[Bulk]:
        """The tenant's files, newest first."""
        return await self.store.list_bulk(scope, before, limit)

    async def cancel(self, scope: TenantScope, bulk: BulkId, request_digest: bytes) -> Bulk:
        """Do no more of a file's rows, but those under work. Asking again changes nothing."""
        found = await self.store.get_bulk(scope, bulk)
        if found.state not in (BulkState.RUNNING, BulkState.RECEIVING):
            return found
        async with self.store.open_unit(scope, essential=True) as unit:
            unit.set_bulk_state(bulk, found.state, BulkState.CANCELLING, found.rows, None)
            unit.want_bulk(bulk, self.clock.now())
            unit.audit(_event(scope, "cancel", found, request_digest, {}))
            await unit.commit()
        return replace(found, state=BulkState.CANCELLING)

    async def results(
        self, scope: TenantScope, bulk: BulkId
    ) -> AsyncIterator[Sequence[tuple[BulkOutcome, IssuedCertificate | None]]]:
        """What became of each row, in order, some at a time; while it runs, of those done."""
        found = await self.store.get_bulk(scope, bulk)
        after = 0
        while True:
            outcomes = await self.store.bulk_outcomes(scope, bulk, after, OUTCOMES_AT_ONCE)
            if not outcomes:
                return
            after = outcomes[-1].row
            yield [(each, await self._certificate(scope, found, each)) for each in outcomes]

    async def _certificate(
        self, scope: TenantScope, bulk: Bulk, outcome: BulkOutcome
    ) -> IssuedCertificate | None:
        if outcome.certificate is None or bulk.order.act not in (BulkAct.ISSUE, BulkAct.RENEW):
            return None
        return await self.certificates.get_certificate(scope, outcome.certificate)


async def remember_refusals(
    unit: BulkUnit,
    sealer: BulkSealer,
    bulk: Bulk,
    refusals: Sequence[tuple[BulkOutcome, bytes]],
) -> None:
    """Outcomes that are refusals, each with its event; `bytes` is the digest of its row."""
    for outcome, digest in refusals:
        unit.add_bulk_outcome(bulk.id, outcome, sealer.note(bulk.id, outcome))
        unit.audit(
            AuditEvent(
                actor=bulk.scope.actor,
                action=f"registration:bulk:{bulk.order.act}",
                decision=Decision.REFUSED,
                subject=f"bulk:{bulk.id}/{outcome.row}",
                request_digest=digest,
                code=ProblemCode(outcome.code),
                private={"detail": outcome.detail} if outcome.detail else {},
            )
        )


def _event(
    scope: TenantScope, act: str, bulk: Bulk, digest: bytes, private: dict[str, str]
) -> AuditEvent:
    return AuditEvent(
        actor=scope.actor,
        action=f"registration:bulk:{act}",
        decision=Decision.ALLOWED,
        subject=f"bulk:{bulk.id}",
        request_digest=digest,
        private=private,
    )
