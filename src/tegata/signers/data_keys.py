"""Tenants' data keys in memory: unwrapped by the signer process, forgotten with the process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping

from tegata.kernel.ids import NodeId, TenantId
from tegata.kernel.ports import Randomness
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.signing import DataKeyKind
from tegata.signers.client import SignerClient
from tegata.signers.sealing import TenantSealer

_CACHE = 4096

# Tenants' ids begin otherwise, so no tenant's data key can stand in for a node's.
_NODE_KEY = DataKeyKind.CA_RECORDS

FindWrapped = Callable[[TenantId, DataKeyKind], Awaitable[bytes | None]]


class DataKeyRing:
    """The data keys in use. `find_wrapped` reads a wrapped key from the store."""

    def __init__(
        self, signer: SignerClient, find_wrapped: FindWrapped, randomness: Randomness
    ) -> None:
        self._signer = signer
        self._find_wrapped = find_wrapped
        self._randomness = randomness
        self._sealers: OrderedDict[tuple[TenantId, DataKeyKind], TenantSealer] = OrderedDict()

    async def sealer(self, tenant: TenantId, kind: DataKeyKind) -> TenantSealer:
        """The sealer of a tenant's data key, or `Problem(tenant.unknown)`."""
        known = self._sealers.get((tenant, kind))
        if known is not None:
            return known
        wrapped = await self._find_wrapped(tenant, kind)
        if wrapped is None:
            raise Problem(ProblemCode.TENANT_UNKNOWN, "the tenant has no data keys")
        return await self._unwrap(tenant, kind, wrapped)

    async def create(self, tenant: TenantId) -> Mapping[DataKeyKind, bytes]:
        """A new tenant's four data keys, wrapped; they can be used from now on."""
        keys = {kind: await self._signer.create_data_key(tenant, kind) for kind in DataKeyKind}
        for kind, wrapped in keys.items():
            await self._unwrap(tenant, kind, wrapped)
        return keys

    async def _unwrap(self, tenant: TenantId, kind: DataKeyKind, wrapped: bytes) -> TenantSealer:
        key = await self._signer.unwrap_data_key(tenant, kind, wrapped)
        sealer = self._sealers[tenant, kind] = TenantSealer(key, tenant, kind, self._randomness)
        if len(self._sealers) > _CACHE:
            self._sealers.popitem(last=False)
        return sealer


class NodeKeys:
    """The key of a node's own journal: a data key that is bound to the node, in no database."""

    def __init__(self, signer: SignerClient, randomness: Randomness) -> None:
        self._signer = signer
        self._randomness = randomness

    async def create(self, node: NodeId) -> tuple[bytes, TenantSealer]:
        """A new key, wrapped, and its sealer."""
        wrapped = await self._signer.create_data_key(TenantId(node), _NODE_KEY)
        return wrapped, await self.open(node, wrapped)

    async def open(self, node: NodeId, wrapped: bytes) -> TenantSealer:
        """The sealer of a wrapped key, or `Problem(key.purpose-refused)`."""
        key = await self._signer.unwrap_data_key(TenantId(node), _NODE_KEY, wrapped)
        return TenantSealer(key, TenantId(node), _NODE_KEY, self._randomness)
