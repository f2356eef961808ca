"""Tenants' own profiles, as rows: one for each version, never changed but to be retired."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BindParameter, and_, bindparam, desc, exists, select, update

from tegata.kernel.ids import (
    CertificateId,
    IssuerId,
    encode_certificate_id,
    parse_certificate_id,
)
from tegata.kernel.problem import ProblemCode
from tegata.kernel.scope import TenantScope
from tegata.registration.model import ProfileVersion
from tegata.registration.ports import RecentCertificate
from tegata.store import schema
from tegata.store.instants import from_milliseconds, to_milliseconds
from tegata.store.reads import ReadsBase
from tegata.store.schema import certificate, profile
from tegata.store.statement import NO_OFFSET, Row, Statement
from tegata.store.unit import UnitBase

_TENANT: BindParameter[str] = bindparam("tenant")
_LAST = b"\xff" * 16
_LAST_VERSION = (1 << 31) - 1
_COLUMNS = (
    profile.c.name,
    profile.c.version,
    profile.c.document,
    profile.c.digest,
    profile.c.created_at,
    profile.c.retired_at,
)
_NAMED = and_(profile.c.tenant == _TENANT, profile.c.name == bindparam("name"))
_FIND = Statement(select(*_COLUMNS).where(_NAMED, profile.c.version == bindparam("version")))
_VERSIONS = Statement(
    select(*_COLUMNS)
    .where(_NAMED, profile.c.version < bindparam("before"))
    .order_by(desc(profile.c.version))
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)
_NEWEST = Statement(
    select(*_COLUMNS)
    .where(_NAMED, profile.c.retired_at.is_(None))
    .order_by(desc(profile.c.version))
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)
_newer = profile.alias("newer")
_LIST = Statement(
    select(*_COLUMNS)
    .where(
        profile.c.tenant == _TENANT,
        profile.c.name > bindparam("after"),
        profile.c.retired_at.is_(None),
        ~exists(_newer.c.version).where(
            _newer.c.tenant == _TENANT,
            _newer.c.name == profile.c.name,
            _newer.c.version > profile.c.version,
            _newer.c.retired_at.is_(None),
        ),
    )
    .order_by(profile.c.name)
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)
_RETIRE = Statement(
    update(profile)
    .where(
        profile.c.tenant == _TENANT,
        profile.c.name == bindparam("profile_name"),
        profile.c.version == bindparam("profile_version"),
        profile.c.retired_at.is_(None),
    )
    .values(retired_at=bindparam("now"))
)
_RECENT = Statement(
    select(certificate.c.id, certificate.c.issuer, certificate.c.profile)
    .where(certificate.c.tenant == _TENANT, certificate.c.id < bindparam("before"))
    .order_by(desc(certificate.c.id))
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)


def _version(row: Row) -> ProfileVersion:
    name, version, document, digest, created_at, retired_at = row
    return ProfileVersion(
        name=name,
        version=version,
        document=document,
        digest=digest,
        created_at=from_milliseconds(created_at),
        retired_at=from_milliseconds(retired_at) if retired_at is not None else None,
    )


class ProfileReads(ReadsBase):
    """Versions of one tenant's profiles, and its newest certificates."""

    async def find_profile(
        self, scope: TenantScope, name: str, version: int | None
    ) -> ProfileVersion | None:
        """A version, retired or not; without a number, the newest that is not retired."""
        statement, parameters = _NEWEST, {"name": name, "limit": 1}
        if version is not None:
            statement, parameters = _FIND, {"name": name, "version": version}
        rows = await self.database.fetch(scope.tenant, statement, parameters)
        return _version(rows[0]) if rows else None

    async def newest_profile_version(self, scope: TenantScope, name: str) -> int:
        """The highest number that a version of the profile has, 0 when there is none."""
        found = await self.list_profile_versions(scope, name, None, 1)
        return found[0].version if found else 0

    async def list_profiles(
        self, scope: TenantScope, after: str, limit: int
    ) -> Sequence[ProfileVersion]:
        """The newest version that is not retired of each profile, by name after `after`."""
        parameters = {"after": after, "limit": limit}
        return [_version(row) for row in await self.database.fetch(scope.tenant, _LIST, parameters)]

    async def list_profile_versions(
        self, scope: TenantScope, name: str, before: int | None, limit: int
    ) -> Sequence[ProfileVersion]:
        """Every version of a profile before a number, newest first."""
        parameters = {
            "name": name,
            "before": _LAST_VERSION if before is None else before,
            "limit": limit,
        }
        rows = await self.database.fetch(scope.tenant, _VERSIONS, parameters)
        return [_version(row) for row in rows]

    async def recent_certificates(
        self, scope: TenantScope, before: CertificateId | None, limit: int
    ) -> Sequence[RecentCertificate]:
        """The tenant's certificates, newest first."""
        octets = parse_certificate_id(before) if before is not None else _LAST
        parameters = {"before": octets, "limit": limit}
        rows = await self.database.fetch(scope.tenant, _RECENT, parameters)
        return [
            RecentCertificate(encode_certificate_id(bytes(identifier)), IssuerId(issuer), name)
            for identifier, issuer, name in rows
        ]


class ProfileWrites(UnitBase):
    """Versions of profiles in a unit."""

    def add_profile_version(self, version: ProfileVersion) -> None:
        """Record a version; the unit conflicts when there is one of this number."""
        created_at = version.created_at
        self._insert(
            schema.profile,
            tenant=self.scope.tenant,
            name=version.name,
            version=version.version,
            document=version.document,
            digest=version.digest,
            created_at=to_milliseconds(created_at) if created_at is not None else 0,
            retired_at=None,
        )

    def retire_profile_version(self, name: str, version: int, now: datetime) -> None:
        """Retire a version; the unit fails with profile.unknown when there is none to retire."""
        self._execute(
            _RETIRE,
            {
                "tenant": self.scope.tenant,
                "profile_name": name,
                "profile_version": version,
                "now": to_milliseconds(now),
            },
            otherwise=ProblemCode.PROFILE_UNKNOWN,
        )
