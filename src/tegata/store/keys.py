"""Signing keys, the responders that some of them are, and tenants' data keys, as rows."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BindParameter, bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from tegata.kernel.ids import IssuerId, KeyId, TenantId
from tegata.kernel.scope import TenantScope
from tegata.kernel.signing import (
    DataKeyKind,
    KeyAlgorithm,
    KeyPurpose,
    SignatureAlgorithm,
    SigningKey,
)
from tegata.store.database import Database
from tegata.store.instants import to_milliseconds
from tegata.store.reads import ReadsBase
from tegata.store.schema import data_key, responder, signing_key
from tegata.store.statement import Row, Statement
from tegata.store.unit import UnitBase

_TENANT: BindParameter[str] = bindparam("tenant")

FIND_DATA_KEY = Statement(
    select(data_key.c.wrapped).where(
        data_key.c.tenant == _TENANT, data_key.c.kind == bindparam("kind")
    )
)
_put = upsert(responder).values(
    tenant=_TENANT,
    issuer=bindparam("issuer"),
    signing_key=bindparam("signing_key"),
    certificate=bindparam("certificate"),
    not_after=bindparam("not_after"),
    created_at=bindparam("created_at"),
)
_PUT_RESPONDER = Statement(
    _put.on_conflict_do_update(
        index_elements=["tenant", "issuer"],
        set_={
            name: _put.excluded[name]
            for name in ("signing_key", "certificate", "not_after", "created_at")
        },
    )
)
_KEY_IDS = Statement(select(signing_key.c.id).where(signing_key.c.tenant == _TENANT))
KEY_COLUMNS = (
    signing_key.c.tenant,
    signing_key.c.id,
    signing_key.c.purpose,
    signing_key.c.algorithm,
    signing_key.c.signature_algorithm,
    signing_key.c.public_key,
    signing_key.c.sealed,
)


def key_from_row(row: Row) -> SigningKey:
    """A key from `KEY_COLUMNS`."""
    tenant, identifier, purpose, algorithm, signature_algorithm, public_key, sealed = row
    return SigningKey(
        KeyId(identifier),
        TenantId(tenant),
        KeyPurpose(purpose),
        KeyAlgorithm(algorithm),
        SignatureAlgorithm(signature_algorithm),
        bytes(public_key),
        bytes(sealed),
    )


async def find_data_key(database: Database, tenant: TenantId, kind: DataKeyKind) -> bytes | None:
    """A tenant's wrapped data key."""
    rows = await database.fetch(tenant, FIND_DATA_KEY, {"kind": kind.value})
    return bytes(rows[0][0]) if rows else None


class KeyReads(ReadsBase):
    """Data keys of one tenant."""

    async def is_open(self, tenant: TenantId) -> bool:
        """Whether a tenant has data keys: the first thing that opening it makes."""
        return await find_data_key(self.database, tenant, DataKeyKind.DISCLOSURE) is not None

    async def signing_key_ids(self, scope: TenantScope) -> list[KeyId]:
        """Every signing key that the tenant has, or has had."""
        rows = await self.database.fetch(scope.tenant, _KEY_IDS, {})
        return [KeyId(row[0]) for row in rows]


class KeyWrites(UnitBase):
    """Keys in a unit."""

    def add_signing_key(self, key: SigningKey, now: datetime) -> None:
        """Record a key."""
        self._insert(
            signing_key,
            tenant=key.tenant,
            id=key.id,
            purpose=key.purpose.value,
            algorithm=key.algorithm.value,
            signature_algorithm=key.signature_algorithm.value,
            public_key=key.public_key,
            sealed=key.sealed,
            created_at=to_milliseconds(now),
        )

    def add_data_key(self, kind: DataKeyKind, wrapped: bytes, now: datetime) -> None:
        """Record a data key of the unit's tenant."""
        self._insert(
            data_key,
            tenant=self.scope.tenant,
            kind=kind.value,
            wrapped=wrapped,
            created_at=to_milliseconds(now),
        )

    def add_responder(
        self,
        issuer: IssuerId,
        key: SigningKey,
        certificate: bytes,
        not_after: datetime,
        now: datetime,
    ) -> None:
        """Record, or replace, the OCSP responder of an issuer."""
        self._execute(
            _PUT_RESPONDER,
            {
                "tenant": self.scope.tenant,
                "issuer": issuer,
                "signing_key": key.id,
                "certificate": certificate,
                "not_after": to_milliseconds(not_after),
                "created_at": to_milliseconds(now),
            },
        )
