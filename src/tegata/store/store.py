"""The store: every room's reads on one engine, and units that serve every room."""

from __future__ import annotations

from tegata.kernel.ports import Clock, Randomness
from tegata.kernel.scope import TenantScope
from tegata.kernel.signing import DataKeyKind
from tegata.store.anchors import AnchorReads, AnchorWrites
from tegata.store.bulk import BulkReads, BulkWrites
from tegata.store.database import Database
from tegata.store.identity_vault import Vault
from tegata.store.identity_watch import WatchReads, WatchWrites
from tegata.store.issuance import IssuanceWrites
from tegata.store.keys import KeyReads, KeyWrites
from tegata.store.nodes import NodeReads, NodeWrites
from tegata.store.notices import NoticeReads, NoticeWrites
from tegata.store.profiles import ProfileReads, ProfileWrites
from tegata.store.reads import DataKeys
from tegata.store.refused_keys import RefusedKeyReads, RefusedKeyWrites
from tegata.store.registration import RegistrationReads, RegistrationWrites
from tegata.store.revocation import RevocationReads, RevocationWrites
from tegata.store.successions import SuccessionReads, SuccessionWrites
from tegata.store.take_over import TakeOverReads, TakeOverWrites
from tegata.store.tenancy import TenancyReads, TenancyWrites
from tegata.store.timestamping import TimestampReads, TimestampUnitWrites
from tegata.store.transparency import LogReads, LogWrites
from tegata.store.unit import ActJournal, Withdraw


class Unit(
    KeyWrites,
    TakeOverWrites,
    IssuanceWrites,
    RevocationWrites,
    RegistrationWrites,
    RefusedKeyWrites,
    SuccessionWrites,
    BulkWrites,
    WatchWrites,
    ProfileWrites,
    NoticeWrites,
    TenancyWrites,
    TimestampUnitWrites,
    AnchorWrites,
    NodeWrites,
    LogWrites,
):
    """A unit of work with the writes of every room."""


class Store(
    KeyReads,
    TakeOverReads,
    RevocationReads,
    RegistrationReads,
    TimestampReads,
    RefusedKeyReads,
    SuccessionReads,
    BulkReads,
    WatchReads,
    ProfileReads,
    NoticeReads,
    TenancyReads,
    AnchorReads,
    NodeReads,
    LogReads,
):
    """Implements the stores of every room."""

    def __init__(
        self,
        database: Database,
        data_keys: DataKeys,
        clock: Clock,
        randomness: Randomness,
        public_url: str,
        withdraw: Withdraw,
        journal: ActJournal | None,
    ) -> None:
        RevocationReads.__init__(self)
        RefusedKeyReads.__init__(self)
        self.database = database
        self.data_keys = data_keys
        self.clock = clock
        self.randomness = randomness
        self.public_url = public_url
        self.withdraw = withdraw
        self.journal = journal

    def require_room(self) -> None:
        """`Problem(storage.exhausted)` when new work must not start for want of disk space."""
        self.database.require_room(essential=False)

    def open_unit(self, scope: TenantScope, *, essential: bool = False) -> OpenedUnit:
        """A unit that applies nothing unless `commit` is reached.

        Raises `Problem(storage.exhausted)` when new work must not start; essential work may.
        """
        self.database.require_room(essential=essential)
        return OpenedUnit(self, scope)

    def open_identity_unit(self, scope: TenantScope) -> OpenedIdentityUnit:
        """A unit that can also seal what identity verification keeps."""
        self.database.require_room(essential=False)
        return OpenedIdentityUnit(self, scope)


class OpenedUnit:
    """A unit's `async with`: nothing is open in it, so nothing is to be undone at its end."""

    def __init__(self, store: Store, scope: TenantScope) -> None:
        self._store = store
        self._scope = scope

    async def __aenter__(self) -> Unit:
        store, scope = self._store, self._scope
        sealers = {
            kind: await store.data_keys.sealer(scope.tenant, kind)
            for kind in (DataKeyKind.DISCLOSURE, DataKeyKind.CA_RECORDS)
        }
        return Unit(
            store.database,
            scope,
            sealers,
            store.clock,
            store.randomness,
            store.withdraw,
            store.journal,
        )

    async def __aexit__(self, *_raised: object) -> None:
        pass


class OpenedIdentityUnit(OpenedUnit):
    """A unit with the tenant's vault open."""

    async def __aenter__(self) -> Unit:
        unit = await super().__aenter__()
        vault: Vault = await self._store.identity_vault(self._scope)
        unit.vault = vault
        return unit
