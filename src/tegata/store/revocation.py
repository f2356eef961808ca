"""Revocations, responders, CRLs and status, as rows."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    and_,
    bindparam,
    case,
    delete,
    desc,
    func,
    literal_column,
    null,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from tegata.issuance.serials import serial_month, serial_octets
from tegata.kernel.ids import IssuerId, TenantId, parse_certificate_id
from tegata.kernel.month import expiry_month
from tegata.kernel.ports import Clock
from tegata.kernel.scope import TenantScope, platform_acts
from tegata.pkix import oids
from tegata.pkix.crl import REASON_BY_NUMBER
from tegata.pkix.ocsp import IssuerHashes, issuer_hashes
from tegata.revocation.model import (
    CertificateStatus,
    CrlEntries,
    PublishedCrl,
    Responder,
    Revocation,
    Status,
    StatusAuthority,
)
from tegata.store.instants import from_milliseconds, to_milliseconds
from tegata.store.issuance import IssuanceReads
from tegata.store.jobs import CRL_JOB, WANT_JOB
from tegata.store.keys import KEY_COLUMNS, key_from_row
from tegata.store.negative import numbered_act, revoked_act
from tegata.store.schema import (
    certificate,
    crl,
    crl_floor,
    issuer_directory,
    responder,
    revocation,
    signing_key,
)
from tegata.store.statement import NO_OFFSET, Row, Statement
from tegata.store.unit import UnitBase

_TENANT: BindParameter[str] = bindparam("tenant")
_ISSUER: BindParameter[str] = bindparam("issuer")
_SERIAL: BindParameter[bytes] = bindparam("serial")

_FIND_RESPONDER = Statement(
    select(responder.c.certificate, responder.c.not_after, *KEY_COLUMNS)
    .join(
        signing_key,
        and_(
            signing_key.c.tenant == responder.c.tenant,
            signing_key.c.id == responder.c.signing_key,
        ),
    )
    .where(responder.c.tenant == _TENANT, responder.c.issuer == _ISSUER)
)
_OF_SERIAL = (
    revocation.c.tenant == _TENANT,
    revocation.c.issuer == _ISSUER,
    revocation.c.serial == _SERIAL,
)
_FIND_REVOCATION = Statement(
    select(revocation.c.revoked_at, revocation.c.reason).where(*_OF_SERIAL)
)
# One statement, so that a certificate and its revocation are read in one instant.
_STATUS = Statement(
    union_all(
        select(revocation.c.revoked_at, revocation.c.reason).where(*_OF_SERIAL),
        select(null(), null()).where(
            select(literal_column("1"))
            .select_from(certificate)
            .where(
                certificate.c.tenant == _TENANT,
                certificate.c.issuer == _ISSUER,
                certificate.c.serial == _SERIAL,
                certificate.c.epoch == bindparam("epoch"),
            )
            .exists()
        ),
    )
)
_ENTRIES = Statement(
    select(revocation.c.entry)
    .where(
        revocation.c.tenant == _TENANT,
        revocation.c.issuer == _ISSUER,
        revocation.c.listed_until >= bindparam("listed_since"),
    )
    .order_by(revocation.c.serial)
)
_LAST_NUMBER = Statement(
    select(func.max(crl.c.number)).where(crl.c.tenant == _TENANT, crl.c.issuer == _ISSUER)
)
_LATEST_CRL = Statement(
    select(crl.c.number, crl.c.this_update, crl.c.next_update, crl.c.entries, crl.c.der)
    .where(crl.c.tenant == _TENANT, crl.c.issuer == _ISSUER)
    .order_by(desc(crl.c.number))
    .limit(literal_column("1"))
    .offset(NO_OFFSET)
)
_CRL_FLOOR = Statement(
    select(crl_floor.c.number).where(crl_floor.c.tenant == _TENANT, crl_floor.c.issuer == _ISSUER)
)
_raise = upsert(crl_floor).values(
    tenant=_TENANT, issuer=_ISSUER, number=bindparam("number", type_=BigInteger)
)
# The higher of two floors stands.
_RAISE_CRL_FLOOR = Statement(
    _raise.on_conflict_do_update(
        index_elements=["tenant", "issuer"],
        set_={
            "number": case(
                (_raise.excluded.number > crl_floor.c.number, _raise.excluded.number),
                else_=crl_floor.c.number,
            )
        },
    )
)
# A CRL that a newer one has replaced for this long is of no use to anybody.
_CRL_KEPT = timedelta(days=30)
_FORGET_CRLS = Statement(
    delete(crl).where(
        crl.c.tenant == _TENANT,
        crl.c.issuer == _ISSUER,
        crl.c.next_update < bindparam("before"),
        crl.c.number < bindparam("number"),
    )
)


def _directory(condition: ColumnElement[bool]) -> Statement:
    return Statement(select(issuer_directory.c.tenant, issuer_directory.c.issuer).where(condition))


_BY_KEY = {
    oids.SHA1: _directory(issuer_directory.c.sha1_key == bindparam("key")),
    oids.SHA256: _directory(issuer_directory.c.sha256_key == bindparam("key")),
}
_BY_ISSUER = _directory(issuer_directory.c.issuer == bindparam("issuer"))
_ALL_ISSUERS = Statement(select(issuer_directory.c.tenant, issuer_directory.c.issuer))

# A new responder is used within this time; the old one stays valid for days.
_FRESH = timedelta(seconds=30)
_CACHE = 4096


class RevocationReads(IssuanceReads):
    """Status of one tenant's certificates, and the public way from an issuer to its tenant."""

    clock: Clock

    def __init__(self) -> None:
        super().__init__()
        self._authorities: OrderedDict[IssuerHashes, tuple[datetime, StatusAuthority]] = (
            OrderedDict()
        )

    async def find_revocation(
        self, scope: TenantScope, issuer: IssuerId, serial: int
    ) -> CertificateStatus | None:
        """The revocation of a serial, as a status, if there is one."""
        parameters = {"issuer": issuer, "serial": serial_octets(serial)}
        rows = await self.database.fetch(scope.tenant, _FIND_REVOCATION, parameters)
        return _revoked(rows[0]) if rows else None

    async def certificate_status(
        self, scope: TenantScope, issuer: IssuerId, serial: int
    ) -> CertificateStatus:
        """Whether a serial is good, revoked, or unknown to the issuer."""
        month = serial_month(serial)
        if month is None:
            return CertificateStatus(Status.UNKNOWN)
        parameters = {"issuer": issuer, "serial": serial_octets(serial), "epoch": month}
        rows = await self.database.fetch(scope.tenant, _STATUS, parameters)
        revoked = next((row for row in rows if row[0] is not None), None)
        if revoked is not None:
            return _revoked(revoked)
        return CertificateStatus(Status.GOOD if rows else Status.UNKNOWN)

    async def find_authority(self, hashes: IssuerHashes) -> StatusAuthority | None:
        """The issuer, of any tenant, that a CertID names, with its responder."""
        now = self.clock.now()
        known = self._authorities.get(hashes)
        if known is not None and now - known[0] < _FRESH:
            return known[1]
        statement = _BY_KEY.get(hashes.algorithm)
        if statement is None:
            return None
        for tenant, identifier in await self.database.fetch(
            None, statement, {"key": hashes.key_hash}
        ):
            authority = await self._authority(TenantId(tenant), IssuerId(identifier), hashes)
            if authority is not None:
                self._authorities[hashes] = now, authority
                if len(self._authorities) > _CACHE:
                    self._authorities.popitem(last=False)
                return authority
        return None

    async def _authority(
        self, tenant: TenantId, issuer: IssuerId, hashes: IssuerHashes
    ) -> StatusAuthority | None:
        scope = platform_acts(tenant, "ocsp")
        found = await self.get_issuer(scope, issuer)
        if hashes not in issuer_hashes(found.facts.subject, found.key.public_key):
            return None
        rows = await self.database.fetch(tenant, _FIND_RESPONDER, {"issuer": issuer})
        if not rows:
            return None
        certificate_octets, not_after = rows[0][:2]
        key = key_from_row(rows[0][2:])
        return StatusAuthority(
            found, Responder(key, bytes(certificate_octets), from_milliseconds(not_after))
        )

    async def has_responder(self, scope: TenantScope, issuer: IssuerId) -> bool:
        """Whether an issuer has an OCSP responder."""
        return bool(await self.database.fetch(scope.tenant, _FIND_RESPONDER, {"issuer": issuer}))

    async def responder_end(self, scope: TenantScope, issuer: IssuerId) -> datetime | None:
        """When an issuer's responder expires."""
        rows = await self.database.fetch(scope.tenant, _FIND_RESPONDER, {"issuer": issuer})
        return from_milliseconds(rows[0][1]) if rows else None

    async def crl_entries(
        self, scope: TenantScope, issuer: IssuerId, listed_since: datetime
    ) -> CrlEntries:
        """The entries to list, and the number of the last list."""
        # The number first: when another node publishes in between, ours conflicts, and what is
        # read after it can only be newer.
        last = await self.database.fetch(scope.tenant, _LAST_NUMBER, {"issuer": issuer})
        floor = await self.database.fetch(scope.tenant, _CRL_FLOOR, {"issuer": issuer})
        rows = await self.database.fetch(
            scope.tenant,
            _ENTRIES,
            {"issuer": issuer, "listed_since": to_milliseconds(listed_since)},
        )
        number = max([last[0][0] or 0, *(row[0] for row in floor)])
        return CrlEntries(tuple(bytes(row[0]) for row in rows), number)

    async def latest_crl(self, issuer: IssuerId) -> PublishedCrl | None:
        """The newest CRL of an issuer of any tenant: CRLs are public."""
        tenant = await self.tenant_of(issuer)
        if tenant is None:
            return None
        rows = await self.database.fetch(tenant, _LATEST_CRL, {"issuer": issuer})
        if not rows:
            return None
        number, this_update, next_update, entries, der = rows[0]
        return PublishedCrl(
            issuer,
            number,
            from_milliseconds(this_update),
            from_milliseconds(next_update),
            entries,
            bytes(der),
        )

    async def tenant_of(self, issuer: IssuerId) -> TenantId | None:
        """The tenant of an issuer: public, as the issuer's certificate is."""
        rows = await self.database.fetch(None, _BY_ISSUER, {"issuer": issuer})
        return TenantId(rows[0][0]) if rows else None

    async def all_issuers(self) -> list[tuple[TenantId, IssuerId]]:
        """Every issuer with its tenant, for the platform's own upkeep."""
        rows = await self.database.fetch(None, _ALL_ISSUERS, {})
        return [(TenantId(tenant), IssuerId(issuer)) for tenant, issuer in rows]


def _revoked(row: Row) -> CertificateStatus:
    revoked_at, reason = row
    return CertificateStatus(
        Status.REVOKED, from_milliseconds(revoked_at), REASON_BY_NUMBER[reason]
    )


class RevocationWrites(UnitBase):
    """Revocations and CRLs in a unit."""

    def add_revocation(self, revoked: Revocation) -> None:
        """Revoke; the unit conflicts when the serial is revoked already."""
        month = serial_month(revoked.serial)
        self._act(revoked_act(self.scope.tenant, revoked))
        self._insert(
            revocation,
            tenant=self.scope.tenant,
            issuer=revoked.issuer,
            serial=serial_octets(revoked.serial),
            epoch=month if month is not None else expiry_month(revoked.listed_until),
            certificate=parse_certificate_id(revoked.certificate) if revoked.certificate else None,
            revoked_at=to_milliseconds(revoked.revoked_at),
            reason=revoked.reason.number,
            entry=revoked.entry,
            listed_until=to_milliseconds(revoked.listed_until),
        )
        self._status_changed(revoked.issuer, revoked.serial)

    def add_crl(self, published: PublishedCrl) -> None:
        """Publish; the unit conflicts when the number is taken. Old lists are forgotten."""
        self._act(numbered_act(self.scope.tenant, published.issuer, published.number))
        self._insert(
            crl,
            tenant=self.scope.tenant,
            issuer=published.issuer,
            number=published.number,
            this_update=to_milliseconds(published.this_update),
            next_update=to_milliseconds(published.next_update),
            entries=published.entries,
            der=published.der,
        )
        self._execute(
            _FORGET_CRLS,
            {
                "tenant": self.scope.tenant,
                "issuer": published.issuer,
                "before": to_milliseconds(published.this_update - _CRL_KEPT),
                "number": published.number,
            },
            expect=None,
        )

    def raise_crl_floor(self, issuer: IssuerId, number: int) -> None:
        """Give an issuer's CRLs only numbers above this one."""
        parameters = {"tenant": self.scope.tenant, "issuer": issuer, "number": number}
        self._execute(_RAISE_CRL_FLOOR, parameters)

    def want_crl(self, issuer: IssuerId, at: datetime) -> None:
        """Ask for a new CRL of an issuer at an instant or earlier."""
        self._execute(
            WANT_JOB,
            {
                "kind": CRL_JOB,
                "key": issuer,
                "job_tenant": self.scope.tenant,
                "run_at": to_milliseconds(at),
            },
        )
