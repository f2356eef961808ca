"""Revocations, responders and status, as rows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    and_,
    bindparam,
    delete,
    insert,
    literal_column,
    null,
    select,
    union_all,
    update,
)

from tegata.issuance.serials import serial_month, serial_octets
from tegata.kernel.ids import IssuerId, TenantId, parse_certificate_id
from tegata.kernel.month import expiry_month
from tegata.kernel.ports import Clock
from tegata.kernel.problem import ProblemCode
from tegata.kernel.scope import TenantScope, platform_acts
from tegata.pkix import oids
from tegata.pkix.crl import REASON_BY_NUMBER
from tegata.pkix.ocsp import IssuerHashes, issuer_hashes
from tegata.revocation.model import (
    CertificateStatus,
    ForeignSerial,
    Release,
    Responder,
    Revocation,
    Status,
    StatusAuthority,
)
from tegata.store.crls import CrlReads, CrlWrites
from tegata.store.instants import from_milliseconds, to_milliseconds
from tegata.store.issuance import IssuanceReads
from tegata.store.keys import KEY_COLUMNS, key_from_row
from tegata.store.negative import released_act, revoked_act
from tegata.store.schema import (
    HELD,
    certificate,
    foreign_serial,
    issuer_directory,
    responder,
    revocation,
    revocation_release,
    signing_key,
)
from tegata.store.shards import COUNT_CHANGE, THIS_CHANGE
from tegata.store.statement import Statement, typed

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
    select(revocation.c.revoked_at, revocation.c.reason, revocation.c.invalid_since).where(
        *_OF_SERIAL
    )
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
_ADD = typed(
    texts=("tenant", "issuer"),
    octets=("serial", "certificate", "entry"),
    numbers=("epoch", "revoked_at", "reason", "listed_until", "invalid_since", "shard"),
)
_ADD_REVOCATION = Statement(
    insert(revocation).from_select([*_ADD, "change"], select(*_ADD.values(), THIS_CHANGE))
)
# Only what is on hold is ever changed or taken back.
_HELD = (*_OF_SERIAL, HELD)
_REPLACE_HOLD = Statement(
    update(revocation)
    .where(*_HELD)
    .values(
        reason=bindparam("new_reason"),
        entry=bindparam("entry"),
        invalid_since=bindparam("invalid_since"),
        change=THIS_CHANGE,
    )
)
_END_HOLD = Statement(
    delete(revocation).where(*_HELD, revocation.c.revoked_at == bindparam("held_since"))
)
_FORGET_RELEASE = Statement(
    delete(revocation_release).where(
        revocation_release.c.tenant == _TENANT,
        revocation_release.c.issuer == _ISSUER,
        revocation_release.c.serial == _SERIAL,
    )
)
_RELEASE = typed(
    texts=("tenant", "issuer"),
    octets=("serial", "entry"),
    numbers=("epoch", "shard", "released_at"),
)
_ADD_RELEASE = Statement(
    insert(revocation_release).from_select(
        [*_RELEASE, "change"], select(*_RELEASE.values(), THIS_CHANGE)
    )
)


_FIND_FOREIGN = Statement(
    select(foreign_serial.c.epoch, foreign_serial.c.shard, foreign_serial.c.not_after).where(
        foreign_serial.c.tenant == _TENANT,
        foreign_serial.c.issuer == _ISSUER,
        foreign_serial.c.serial == _SERIAL,
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


class RevocationReads(IssuanceReads, CrlReads):
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
        return revoked_status(rows[0]) if rows else None

    async def certificate_status(
        self, scope: TenantScope, issuer: IssuerId, serial: int
    ) -> CertificateStatus:
        """Whether a serial is good, revoked, or unknown to the issuer."""
        month = serial_month(serial)
        if month is not None:
            found = await self._status_in(scope, issuer, serial, month)
            if found.status is not Status.UNKNOWN:
                return found
        foreign = await self.find_foreign_serial(scope, issuer, serial)
        if foreign is None:
            return CertificateStatus(Status.UNKNOWN)
        found = await self._status_in(scope, issuer, serial, foreign.month)
        # One that its CA's index alone knows was issued, though nobody here has it.
        return found if found.status is Status.REVOKED else CertificateStatus(Status.GOOD)

    async def _status_in(
        self, scope: TenantScope, issuer: IssuerId, serial: int, month: int
    ) -> CertificateStatus:
        parameters = {"issuer": issuer, "serial": serial_octets(serial), "epoch": month}
        rows = await self.database.fetch(scope.tenant, _STATUS, parameters)
        revoked = next((row for row in rows if row[0] is not None), None)
        if revoked is not None:
            return revoked_status(revoked)
        return CertificateStatus(Status.GOOD if rows else Status.UNKNOWN)

    async def find_foreign_serial(
        self, scope: TenantScope, issuer: IssuerId, serial: int
    ) -> ForeignSerial | None:
        """A serial number that an issuer gave before it was taken over (ADR 18)."""
        parameters = {"issuer": issuer, "serial": serial_octets(serial)}
        rows = await self.database.fetch(scope.tenant, _FIND_FOREIGN, parameters)
        if not rows:
            return None
        month, shard, not_after = rows[0]
        return ForeignSerial(issuer, serial, month, shard, from_milliseconds(not_after))

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

    async def tenant_of(self, issuer: IssuerId) -> TenantId | None:
        """The tenant of an issuer: public, as the issuer's certificate is."""
        rows = await self.database.fetch(None, _BY_ISSUER, {"issuer": issuer})
        return TenantId(rows[0][0]) if rows else None

    async def all_issuers(self) -> list[tuple[TenantId, IssuerId]]:
        """Every issuer with its tenant, for the platform's own upkeep."""
        rows = await self.database.fetch(None, _ALL_ISSUERS, {})
        return [(TenantId(tenant), IssuerId(issuer)) for tenant, issuer in rows]


def revoked_status(row: Sequence[Any]) -> CertificateStatus:
    """The status from the columns revoked_at, reason and, where it was asked for, invalid_since."""
    revoked_at, reason, *more = row
    invalid_since = from_milliseconds(more[0]) if more and more[0] is not None else None
    return CertificateStatus(
        Status.REVOKED, from_milliseconds(revoked_at), REASON_BY_NUMBER[reason], invalid_since
    )


class RevocationWrites(CrlWrites):
    """Revocations, holds and releases in a unit."""

    def add_revocation(self, revoked: Revocation) -> None:
        """Revoke or hold; the unit conflicts when the serial is revoked or held already."""
        owner = {"tenant": self.scope.tenant, "issuer": revoked.issuer}
        serial = {"serial": serial_octets(revoked.serial)}
        # Of a void serial the month is its own; every other one has that of its certificate, which
        # a serial that another CA gave need not carry.
        month = serial_month(revoked.serial) if revoked.certificate is None else None
        if month is None:
            month = max(expiry_month(revoked.listed_until), 0)
        self._act(revoked_act(self.scope.tenant, revoked))
        self._execute(COUNT_CHANGE, owner)
        self._execute(
            _ADD_REVOCATION,
            {
                **owner,
                **serial,
                "epoch": month,
                "certificate": (
                    parse_certificate_id(revoked.certificate) if revoked.certificate else None
                ),
                "revoked_at": to_milliseconds(revoked.revoked_at),
                "reason": revoked.reason.number,
                "entry": revoked.entry,
                "listed_until": to_milliseconds(revoked.listed_until),
                "invalid_since": _optional(revoked.invalid_since),
                "shard": revoked.shard,
            },
        )
        # Held again: what deltas said of the earlier hold's end is over.
        self._execute(_FORGET_RELEASE, {**owner, **serial}, expect=None)
        self._status_changed(revoked.issuer, revoked.serial)

    def replace_hold(self, revoked: Revocation) -> None:
        """Revoke what is on hold; certificate.not-held when it is not."""
        owner = {"tenant": self.scope.tenant, "issuer": revoked.issuer}
        self._act(revoked_act(self.scope.tenant, revoked))
        self._execute(COUNT_CHANGE, owner)
        self._execute(
            _REPLACE_HOLD,
            {
                **owner,
                "serial": serial_octets(revoked.serial),
                "new_reason": revoked.reason.number,
                "entry": revoked.entry,
                "invalid_since": _optional(revoked.invalid_since),
            },
            otherwise=ProblemCode.CERTIFICATE_NOT_HELD,
        )
        self._status_changed(revoked.issuer, revoked.serial)

    def release_hold(self, release: Release) -> None:
        """Take back a hold; certificate.not-held when there is no such one."""
        owner = {"tenant": self.scope.tenant, "issuer": release.issuer}
        serial = {"serial": serial_octets(release.serial)}
        month = serial_month(release.serial)
        self._act(released_act(self.scope.tenant, release))
        self._execute(
            _END_HOLD,
            {**owner, **serial, "held_since": to_milliseconds(release.held_since)},
            otherwise=ProblemCode.CERTIFICATE_NOT_HELD,
        )
        self._execute(COUNT_CHANGE, owner)
        self._execute(
            _ADD_RELEASE,
            {
                **owner,
                **serial,
                "epoch": month if month is not None else 0,
                "shard": release.shard,
                "released_at": to_milliseconds(release.released_at),
                "entry": release.entry,
            },
        )
        self._status_changed(release.issuer, release.serial)


def _optional(instant: datetime | None) -> int | None:
    return to_milliseconds(instant) if instant is not None else None
