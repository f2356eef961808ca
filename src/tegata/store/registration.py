"""Idempotency keys and the search for certificates, as rows."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import BindParameter, bindparam, delete, select

from tegata.kernel.ids import CertificateId, encode_certificate_id, parse_certificate_id
from tegata.kernel.scope import TenantScope
from tegata.registration.model import CertificateEntry, CertificatePage, CertificateQuery
from tegata.registration.ports import EarlierRequest
from tegata.store.cursor import encode_cursor, parse_cursor
from tegata.store.instants import to_milliseconds
from tegata.store.issuance import IssuanceReads
from tegata.store.orders import Key, entry_of, is_meant
from tegata.store.schema import idempotency
from tegata.store.search import INDEXED_DIGITS, Plan, plan
from tegata.store.statement import Row, Statement
from tegata.store.unit import UnitBase

_TENANT: BindParameter[str] = bindparam("tenant")
# How long a key is remembered: the longest that a client sensibly retries.
IDEMPOTENCY_KEPT = timedelta(days=2)

_FIND_IDEMPOTENCY = Statement(
    select(idempotency.c.request_digest, idempotency.c.certificate).where(
        idempotency.c.tenant == _TENANT, idempotency.c.key_hash == bindparam("key_hash")
    )
)
_FORGET = Statement(
    delete(idempotency).where(
        idempotency.c.tenant == _TENANT, idempotency.c.created_at < bindparam("before")
    )
)
# Rows that are looked at for one page where no index holds together what was asked for.
EXAMINED_MAXIMUM = 300


class RegistrationReads(IssuanceReads):
    """Idempotency keys and lists of certificates of one tenant."""

    async def find_idempotency(self, scope: TenantScope, key_hash: bytes) -> EarlierRequest | None:
        """What a key was used for, if it is remembered."""
        rows = await self.database.fetch(scope.tenant, _FIND_IDEMPOTENCY, {"key_hash": key_hash})
        if not rows:
            return None
        digest, octets = rows[0]
        return EarlierRequest(bytes(digest), encode_certificate_id(bytes(octets)))

    async def list_certificates(
        self, scope: TenantScope, query: CertificateQuery, now: datetime
    ) -> CertificatePage:
        """A page of the tenant's certificates."""
        planned = plan(query, now)
        if planned is None:
            return CertificatePage(())
        after = None
        if query.after is not None:
            after = parse_cursor(query, tuple(type(each) for each in planned.start))
        found: list[CertificateEntry] = []
        examined = 0
        last = after
        async for rows in self._rows(scope, planned, after, query.limit):
            for row in rows:
                if len(found) == query.limit:
                    return CertificatePage(found, encode_cursor(query, last))
                last = planned.order.key(row)
                if planned.filtered and not is_meant(query, row, now):
                    continue
                entry = entry_of(row)
                if await self._goes_on(scope, query, entry):
                    found.append(entry)
            examined += len(rows)
            if examined >= EXAMINED_MAXIMUM:
                return CertificatePage(found, encode_cursor(query, last))
        return CertificatePage(found)

    async def _rows(
        self, scope: TenantScope, planned: Plan, after: Key | None, limit: int
    ) -> AsyncIterator[Sequence[Row]]:
        """Rows in the plan's order, as many at a time as are likely to be needed."""
        at_once = limit + 1
        for start, stop in planned.ranges(after):
            begin = start
            while True:
                parameters = planned.parameters(begin, stop, at_once)
                rows = await self.database.fetch(scope.tenant, planned.statement, parameters)
                yield rows
                if len(rows) < at_once:
                    break
                begin, at_once = planned.order.key(rows[-1]), at_once * 2

    async def _goes_on(
        self, scope: TenantScope, query: CertificateQuery, entry: CertificateEntry
    ) -> bool:
        """Whether an entry's fingerprint goes on as asked, where the index ends before that."""
        asked = query.fingerprint
        if asked is None or len(asked.digits) <= INDEXED_DIGITS:
            return True
        certificate = await self.get_certificate(scope, entry.id)
        return hashlib.sha256(certificate.der).hexdigest().startswith(asked.digits)


class RegistrationWrites(UnitBase):
    """Idempotency keys in a unit."""

    def add_idempotency(
        self, key_hash: bytes, request_digest: bytes, certificate: CertificateId, now: datetime
    ) -> None:
        """Remember what a key was used for; forget what is too old to be retried."""
        self._execute(
            _FORGET,
            {"tenant": self.scope.tenant, "before": to_milliseconds(now - IDEMPOTENCY_KEPT)},
            expect=None,
        )
        self._insert(
            idempotency,
            tenant=self.scope.tenant,
            key_hash=key_hash,
            request_digest=request_digest,
            certificate=parse_certificate_id(certificate),
            created_at=to_milliseconds(now),
        )
