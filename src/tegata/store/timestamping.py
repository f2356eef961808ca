"""Time-stamping authorities, their units and blocks of serial numbers, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import BindParameter, and_, bindparam, desc, literal_column, select, update

from tegata.issuance.serials import serial_octets
from tegata.kernel.ids import (
    IssuerId,
    TenantId,
    TimestampAuthorityId,
    encode_certificate_id,
    parse_certificate_id,
)
from tegata.kernel.scope import TenantScope
from tegata.kernel.signing import KeyAlgorithm, SignatureAlgorithm
from tegata.pkix.tsp_token import issuer_and_serial
from tegata.store import schema
from tegata.store.instants import from_milliseconds, to_milliseconds
from tegata.store.issuance import IssuanceReads
from tegata.store.jobs import TIMESTAMP_JOB, WANT_JOB
from tegata.store.keys import KEY_COLUMNS, key_from_row
from tegata.store.negative import disabled_act
from tegata.store.schema import (
    revocation,
    signing_key,
    tenant,
    timestamp_authority,
    timestamp_directory,
    timestamp_unit,
)
from tegata.store.statement import NO_OFFSET, Row, Statement
from tegata.store.unit import UnitBase
from tegata.tenancy.model import TenantState
from tegata.timestamping.model import Stamping, TimestampAuthority, TimestampUnit

_TENANT: BindParameter[str] = bindparam("tenant")
_EPOCH = from_milliseconds(0)
_MICROSECOND = timedelta(microseconds=1)
_AUTHORITIES = select(
    timestamp_authority.c.tenant,
    timestamp_authority.c.id,
    timestamp_authority.c.name,
    timestamp_authority.c.issuer,
    timestamp_authority.c.policies,
    timestamp_authority.c.algorithm,
    timestamp_authority.c.signature_algorithm,
    timestamp_authority.c.accuracy,
    timestamp_authority.c.ordering,
    timestamp_authority.c.created_at,
    timestamp_authority.c.disabled_at,
).where(timestamp_authority.c.tenant == _TENANT)
_FIND = Statement(_AUTHORITIES.where(timestamp_authority.c.id == bindparam("authority")))
_FIND_NAMED = Statement(_AUTHORITIES.where(timestamp_authority.c.name == bindparam("name")))
_LIST = Statement(
    _AUTHORITIES.where(timestamp_authority.c.id > bindparam("after"))
    .order_by(timestamp_authority.c.id)
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)
_TENANT_OF = Statement(
    select(timestamp_directory.c.tenant).where(
        timestamp_directory.c.authority == bindparam("authority")
    )
)
_NEWEST_UNIT = Statement(
    select(
        timestamp_unit.c.number,
        timestamp_unit.c.certificate,
        timestamp_unit.c.certificate_id,
        timestamp_unit.c.serial,
        timestamp_unit.c.not_after,
        timestamp_unit.c.key_until,
        *KEY_COLUMNS,
    )
    .join(
        signing_key,
        and_(
            signing_key.c.tenant == timestamp_unit.c.tenant,
            signing_key.c.id == timestamp_unit.c.signing_key,
        ),
    )
    .where(timestamp_unit.c.tenant == _TENANT, timestamp_unit.c.authority == bindparam("authority"))
    .order_by(desc(timestamp_unit.c.number))
    .limit(literal_column("1"))
    .offset(NO_OFFSET)
)
_TENANT_STATE = Statement(select(tenant.c.state).where(tenant.c.id == _TENANT))
_IS_REVOKED = Statement(
    select(revocation.c.revoked_at).where(
        revocation.c.tenant == _TENANT,
        revocation.c.issuer == bindparam("issuer"),
        revocation.c.serial == bindparam("serial"),
    )
)
_ADVANCE = Statement(
    update(timestamp_authority)
    .where(
        timestamp_authority.c.tenant == _TENANT,
        timestamp_authority.c.id == bindparam("authority"),
        timestamp_authority.c.ordered_until < bindparam("instant"),
    )
    .values(ordered_until=bindparam("instant"))
)
_DISABLE = Statement(
    update(timestamp_authority)
    .where(
        timestamp_authority.c.tenant == _TENANT,
        timestamp_authority.c.id == bindparam("authority"),
        timestamp_authority.c.disabled_at.is_(None),
    )
    .values(disabled_at=bindparam("now"))
)


def _authority(row: Row) -> TimestampAuthority:
    owner, identifier, name, issuer, policies, algorithm, signs, accuracy, ordering = row[:9]
    created_at, disabled_at = row[9:]
    return TimestampAuthority(
        id=TimestampAuthorityId(identifier),
        tenant=TenantId(owner),
        name=name,
        issuer=IssuerId(issuer),
        policies=tuple(policies.split(" ")),
        algorithm=KeyAlgorithm(algorithm),
        signature_algorithm=SignatureAlgorithm(signs),
        accuracy=timedelta(milliseconds=accuracy),
        ordering=bool(ordering),
        created_at=from_milliseconds(created_at),
        disabled_at=from_milliseconds(disabled_at) if disabled_at is not None else None,
    )


class TimestampReads(IssuanceReads):
    """Time-stamping authorities of one tenant."""

    def timestamp_url(self, authority: TimestampAuthorityId) -> str:
        """Where an authority answers."""
        return f"{self.public_url}/tsp/{authority}"

    async def timestamp_tenant(self, authority: TimestampAuthorityId) -> TenantId | None:
        """The tenant of an authority of any tenant."""
        rows = await self.database.fetch(None, _TENANT_OF, {"authority": authority})
        return TenantId(rows[0][0]) if rows else None

    async def find_timestamp_authority(
        self, scope: TenantScope, authority: TimestampAuthorityId
    ) -> TimestampAuthority | None:
        """An authority of the tenant."""
        rows = await self.database.fetch(scope.tenant, _FIND, {"authority": authority})
        return _authority(rows[0]) if rows else None

    async def find_timestamp_authority_named(
        self, scope: TenantScope, name: str
    ) -> TimestampAuthority | None:
        """An authority of the tenant, by its name."""
        rows = await self.database.fetch(scope.tenant, _FIND_NAMED, {"name": name})
        return _authority(rows[0]) if rows else None

    async def list_timestamp_authorities(
        self, scope: TenantScope, after: str, limit: int
    ) -> Sequence[TimestampAuthority]:
        """The tenant's authorities in the order of their ids."""
        parameters = {"after": after, "limit": limit}
        return [
            _authority(row) for row in await self.database.fetch(scope.tenant, _LIST, parameters)
        ]

    async def newest_timestamp_unit(
        self, scope: TenantScope, authority: TimestampAuthorityId
    ) -> TimestampUnit | None:
        """The unit that stamps for an authority."""
        rows = await self.database.fetch(scope.tenant, _NEWEST_UNIT, {"authority": authority})
        if not rows:
            return None
        number, der, certificate_id, serial, not_after, key_until = rows[0][:6]
        return TimestampUnit(
            authority=authority,
            number=number,
            key=key_from_row(rows[0][6:]),
            certificate=bytes(der),
            certificate_id=encode_certificate_id(bytes(certificate_id)),
            serial=int.from_bytes(serial, "big"),
            not_after=from_milliseconds(not_after),
            key_until=from_milliseconds(key_until),
        )

    async def find_stamping(
        self, scope: TenantScope, authority: TimestampAuthorityId
    ) -> Stamping | None:
        """All that decides whether an authority stamps."""
        found = await self.find_timestamp_authority(scope, authority)
        unit = await self.newest_timestamp_unit(scope, authority)
        if found is None or unit is None:
            return None
        issuer = await self.get_issuer(scope, found.issuer)
        states = await self.database.fetch(scope.tenant, _TENANT_STATE, {})
        path = [(issuer.id, unit.serial)]
        path += [
            (above, issuer_and_serial(certificate)[1])
            for above, certificate in zip(issuer.ancestors, issuer.chain, strict=False)
        ]
        return Stamping(
            authority=found,
            unit=unit,
            issuer=issuer,
            tenant_works=bool(states) and states[0][0] == TenantState.ACTIVE,
            revoked=await self._is_any_revoked(scope, path),
        )

    async def _is_any_revoked(
        self, scope: TenantScope, path: Sequence[tuple[IssuerId, int]]
    ) -> bool:
        for issuer, serial in path:
            parameters = {"issuer": issuer, "serial": serial_octets(serial)}
            if await self.database.fetch(scope.tenant, _IS_REVOKED, parameters):
                return True
        return False


class TimestampUnitWrites(UnitBase):
    """Time-stamping in a unit of work."""

    def add_timestamp_authority(self, authority: TimestampAuthority) -> None:
        """Record an authority, and whose it is."""
        self._insert(
            timestamp_authority,
            tenant=self.scope.tenant,
            id=authority.id,
            name=authority.name,
            issuer=authority.issuer,
            policies=" ".join(authority.policies),
            algorithm=authority.algorithm.value,
            signature_algorithm=authority.signature_algorithm.value,
            accuracy=authority.accuracy // timedelta(milliseconds=1),
            ordering=int(authority.ordering),
            ordered_until=0,
            created_at=to_milliseconds(authority.created_at),
            disabled_at=None,
        )
        self._insert(timestamp_directory, authority=authority.id, tenant=self.scope.tenant)

    def add_timestamp_unit(self, unit: TimestampUnit, renew_at: datetime, now: datetime) -> None:
        """Record a unit, and have it replaced in time."""
        self._insert(
            timestamp_unit,
            tenant=self.scope.tenant,
            authority=unit.authority,
            number=unit.number,
            signing_key=unit.key.id,
            certificate=unit.certificate,
            certificate_id=parse_certificate_id(unit.certificate_id),
            serial=serial_octets(unit.serial),
            not_after=to_milliseconds(unit.not_after),
            key_until=to_milliseconds(unit.key_until),
            created_at=to_milliseconds(now),
        )
        self._execute(
            WANT_JOB,
            {
                "kind": TIMESTAMP_JOB,
                "key": unit.authority,
                "job_tenant": self.scope.tenant,
                "run_at": to_milliseconds(renew_at),
            },
        )

    def add_timestamp_block(
        self, authority: TimestampAuthorityId, block: bytes, now: datetime
    ) -> None:
        """Record a block of serial numbers; conflicts when somebody has it."""
        self._insert(
            schema.timestamp_block,
            tenant=self.scope.tenant,
            authority=authority,
            block=block,
            created_at=to_milliseconds(now),
        )

    def advance_timestamp_order(self, authority: TimestampAuthorityId, gen_time: datetime) -> None:
        """Say that an authority has stamped at an instant later than every one before."""
        self._execute(
            _ADVANCE,
            {
                "tenant": self.scope.tenant,
                "authority": authority,
                "instant": (gen_time - _EPOCH) // _MICROSECOND,
            },
        )

    def disable_timestamp_authority(self, authority: TimestampAuthorityId, now: datetime) -> None:
        """Have an authority stamp no more."""
        self._act(disabled_act(self.scope.tenant, authority, now))
        self._execute(
            _DISABLE,
            {
                "tenant": self.scope.tenant,
                "authority": authority,
                "now": to_milliseconds(now),
            },
        )
