"""What every room's reads rest on."""

from __future__ import annotations

from typing import Protocol

from tegata.kernel.ids import TenantId
from tegata.kernel.signing import DataKeyKind, TenantSecret
from tegata.store.database import Database


class DataKeys(Protocol):
    """Where the store gets the keys of sealed columns from."""

    async def sealer(self, tenant: TenantId, kind: DataKeyKind) -> TenantSecret:
        """One of a tenant's data keys, in use."""
        ...


class ReadsBase:
    """A store's engine, keys and public address."""

    database: Database
    data_keys: DataKeys
    public_url: str
