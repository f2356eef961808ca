"""Idempotency keys and the search for certificates, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import BindParameter, Select, and_, bindparam, delete, desc, select

from tegata.issuance.serials import serial_month, serial_octets
from tegata.kernel.ids import (
    CertificateId,
    IssuerId,
    encode_certificate_id,
    parse_certificate_id,
)
from tegata.kernel.scope import TenantScope
from tegata.pkix.names import GeneralName, GeneralNameKind
from tegata.registration.model import CertificateEntry, CertificateQuery
from tegata.registration.ports import EarlierRequest
from tegata.revocation.model import CertificateStatus, Status
from tegata.store.instants import from_milliseconds, to_milliseconds
from tegata.store.issuance import searchable
from tegata.store.reads import ReadsBase
from tegata.store.revocation import revoked_status
from tegata.store.schema import certificate, certificate_name, idempotency, revocation
from tegata.store.statement import NO_OFFSET, Row, Statement
from tegata.store.unit import UnitBase

_TENANT: BindParameter[str] = bindparam("tenant")
# How long a key is remembered: the longest that a client sensibly retries.
IDEMPOTENCY_KEPT = timedelta(days=2)
_LAST = b"\xff" * 16

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
_ENTRIES = (
    select(
        certificate.c.id,
        certificate.c.issuer,
        certificate.c.serial,
        certificate.c.profile,
        certificate.c.subject,
        certificate.c.not_before,
        certificate.c.not_after,
        revocation.c.revoked_at,
        revocation.c.reason,
        revocation.c.invalid_since,
    )
    .outerjoin(
        revocation,
        and_(
            revocation.c.tenant == certificate.c.tenant,
            revocation.c.issuer == certificate.c.issuer,
            revocation.c.serial == certificate.c.serial,
        ),
    )
    .where(certificate.c.tenant == _TENANT, certificate.c.id < bindparam("before"))
    .order_by(desc(certificate.c.id))
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)
_ISSUER = certificate.c.issuer == bindparam("issuer")
_LIST = Statement(_ENTRIES)
_LIST_OF_ISSUER = Statement(_ENTRIES.where(_ISSUER))
_BY_SERIAL = Statement(
    _ENTRIES.where(
        _ISSUER,
        certificate.c.serial == bindparam("serial"),
        certificate.c.epoch == bindparam("epoch"),
    )
)


def _named(entries: Select[Row]) -> Select[Row]:
    return entries.join(
        certificate_name,
        and_(
            certificate_name.c.tenant == certificate.c.tenant,
            certificate_name.c.certificate == certificate.c.id,
            certificate_name.c.epoch == certificate.c.epoch,
        ),
    ).where(certificate_name.c.tenant == _TENANT, certificate_name.c.name == bindparam("name"))


_BY_NAME = Statement(_named(_ENTRIES))
_BY_NAME_OF_ISSUER = Statement(_named(_ENTRIES.where(_ISSUER)))


def _entry(row: Row) -> CertificateEntry:
    identifier, issuer, serial, profile, subject, not_before, not_after, *revoked = row
    status = CertificateStatus(Status.GOOD)
    if revoked[0] is not None:
        status = revoked_status(revoked)
    return CertificateEntry(
        id=encode_certificate_id(bytes(identifier)),
        issuer=IssuerId(issuer),
        serial=int.from_bytes(serial, "big"),
        profile=profile,
        subject=subject,
        not_before=from_milliseconds(not_before),
        not_after=from_milliseconds(not_after),
        status=status,
    )


class RegistrationReads(ReadsBase):
    """Idempotency keys and lists of certificates of one tenant."""

    async def find_idempotency(self, scope: TenantScope, key_hash: bytes) -> EarlierRequest | None:
        """What a key was used for, if it is remembered."""
        rows = await self.database.fetch(scope.tenant, _FIND_IDEMPOTENCY, {"key_hash": key_hash})
        if not rows:
            return None
        digest, octets = rows[0]
        return EarlierRequest(bytes(digest), encode_certificate_id(bytes(octets)))

    async def list_certificates(
        self, scope: TenantScope, query: CertificateQuery
    ) -> Sequence[CertificateEntry]:
        """Certificates of the tenant, newest first."""
        before = parse_certificate_id(query.before) if query.before else _LAST
        parameters = {"before": before, "limit": query.limit}
        statement = _LIST
        if query.issuer is not None:
            parameters["issuer"] = query.issuer
            statement = _LIST_OF_ISSUER
        if query.dns_name is not None:
            name = GeneralName(GeneralNameKind.DNS, query.dns_name.lower())
            parameters["name"] = searchable(name)
            statement = _BY_NAME if query.issuer is None else _BY_NAME_OF_ISSUER
        if query.serial is not None:
            month = serial_month(query.serial)
            if month is None or query.issuer is None:
                return ()
            parameters |= {"serial": serial_octets(query.serial), "epoch": month}
            statement = _BY_SERIAL
        rows = await self.database.fetch(scope.tenant, statement, parameters)
        return [_entry(row) for row in rows]


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
