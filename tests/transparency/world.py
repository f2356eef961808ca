"""A log on a real engine, with the signer's own decisions and keys in this process."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import bindparam, select

from tegata.kernel.event import AuditEvent, Decision, log_entry
from tegata.kernel.ids import IssuerId, KeyId, NodeId, TenantId
from tegata.kernel.ports import Clock
from tegata.kernel.scope import PLATFORM_TENANT, platform_acts
from tegata.kernel.signing import (
    DataKeyKind,
    KeyAlgorithm,
    KeyPurpose,
    SigningKey,
    TenantSecret,
    choose_signature_algorithm,
)
from tegata.signers import messages
from tegata.signers.custodian import Custodian, KeyMissing
from tegata.signers.keys import SoftwareBackEnd
from tegata.signers.reservations import Reservations
from tegata.signers.sealing import FileSealingRoot, RecordSealer
from tegata.signers.tree_heads import TreeHeads
from tegata.store.database import Database
from tegata.store.schema import log_leaf
from tegata.store.statement import Statement
from tegata.store.store import Store
from tegata.tenancy.model import Tenant, TenantState
from tegata.transparency.merkle import root_of
from tegata.transparency.model import Log
from tegata.transparency.note import Note, parse_note
from tegata.transparency.opening import LogOpening
from tegata.transparency.ports import Cosigners, Memory, Mirror, TileStore
from tegata.transparency.publishing import Publisher
from tegata.transparency.sequencer import Sequencer
from tegata.transparency.service import LogService
from tegata.transparency.tiles import ENTRIES, TILE_WIDTH, parse_bundle
from tests.fakes.system import CountingRandomness, FakeClock, PlainSealer

ORIGIN = "ca.example/log"
ONE, TWO = TenantId("ten_one"), TenantId("ten_two")
_PLACES = Statement(
    select(log_leaf.c.sequence, log_leaf.c.place)
    .where(log_leaf.c.tenant == bindparam("tenant"))
    .order_by(log_leaf.c.sequence)
)


class PlainKeys:
    """Data keys that hide nothing."""

    async def sealer(self, tenant: TenantId, kind: DataKeyKind) -> TenantSecret:
        return PlainSealer()


class DirectSigner:
    """The signer's decisions without its process."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        folder.mkdir(exist_ok=True)
        randomness = CountingRandomness(str(folder))
        sealer = RecordSealer(FileSealingRoot(bytes(32)), randomness)
        reservations = Reservations(folder / "journal", clock, randomness, sealer)
        self.heads = TreeHeads(folder / "heads")
        self.custodian = Custodian(
            SoftwareBackEnd(), sealer, reservations, clock, randomness, self.heads
        )
        self.close = reservations.close

    async def create_key(
        self,
        tenant: TenantId,
        purpose: KeyPurpose,
        subject: bytes,
        authority: tuple[bytes, bytes] = (b"", b""),
        algorithm: KeyAlgorithm = KeyAlgorithm.P256,
    ) -> SigningKey:
        chosen = choose_signature_algorithm(algorithm)
        planned = self.custodian.may_create_key(
            messages.CreateKey(tenant, purpose, algorithm, chosen, subject)
        )
        made = self.custodian.adopt_key(planned, *self.custodian.make_key(planned))
        return SigningKey(
            KeyId(made.key), tenant, purpose, algorithm, chosen, made.public_key, made.sealed
        )

    async def sign_checkpoint(
        self, key: SigningKey, text: str, proof: Sequence[bytes], time: int
    ) -> bytes:
        self._load(key)
        request = messages.SignCheckpoint(key.id, key.tenant, text, list(proof), time)
        permission = self.custodian.may_sign_checkpoint(request)
        return permission.key.private.sign(permission.octets)

    async def tree_head(self, key: SigningKey) -> tuple[int, bytes]:
        self._load(key)
        reply = self.custodian.tree_head(messages.AskTreeHead(key.id, key.tenant))
        return reply.size, reply.root

    def _load(self, key: SigningKey) -> None:
        try:
            self.custodian.tree_head(messages.AskTreeHead(key.id, key.tenant))
        except KeyMissing:
            self.custodian.load_key(messages.LoadKey(key.id, key.sealed))


class FakeMemory:
    """What a node remembers of the published log."""

    def __init__(self) -> None:
        self.notes: list[bytes] = []

    async def remember(self, note: bytes) -> None:
        self.notes.append(note)

    async def recall(self) -> Sequence[Note]:
        return [parse_note(note) for note in self.notes[-1:]]


def store_on(database: Database, clock: Clock, seed: str) -> Store:
    """A store whose sealed columns are plain."""
    randomness = CountingRandomness(seed)
    return Store(database, PlainKeys(), clock, randomness, "https://ca.example", _forget, None)


def _forget(_issuer: IssuerId, _serial: int) -> None:
    """No answers are in memory here."""


def _event(tenant: TenantId, subject: str) -> AuditEvent:
    actor, private = platform_acts(tenant, "test").actor, {"name": subject}
    return AuditEvent(
        actor, "test:subject:act", Decision.ALLOWED, subject, bytes(32), private=private
    )


@dataclass(slots=True)
class Node:
    """One node's part in a log."""

    store: Store
    signer: DirectSigner
    log: Log
    sequencer: Sequencer
    service: LogService
    publisher: Publisher
    memory: Memory

    async def happen(self, tenant: TenantId, *subjects: str) -> None:
        """Record events of a tenant, in one unit."""
        scope = platform_acts(tenant, "test")
        async with self.store.open_unit(scope) as unit:
            for subject in subjects:
                unit.audit(_event(tenant, subject))
            await unit.commit()


async def open_tenants(store: Store) -> None:
    """Make the tenants that these tests are about."""
    for tenant in (PLATFORM_TENANT, ONE, TWO):
        async with store.open_unit(platform_acts(tenant, "test")) as unit:
            unit.add_tenant(Tenant(tenant, tenant, TenantState.ACTIVE, store.clock.now()))
            unit.audit(_event(tenant, "opened"))
            await unit.commit()


async def node_on(
    database: Database,
    folder: Path,
    clock: FakeClock,
    name: str = "nod_a",
    *,
    memory: Memory | None = None,
    mirror: Mirror | None = None,
    cosigners: Cosigners | None = None,
    copy: TileStore | None = None,
    signer: DirectSigner | None = None,
) -> Node:
    """A node that opens the log, or finds it."""
    store = store_on(database, clock, f"{folder}{name}")
    signer = signer or DirectSigner(folder / name, clock)
    memory = memory or FakeMemory()
    opening = LogOpening(store, signer, memory, copy, clock, NodeId(name))
    found = await store.find_log()
    if found is not None:
        await opening.require_current(found)
    log = await opening.ensure(ORIGIN)
    sequencer = Sequencer(store, signer, log, clock, NodeId(name))
    service = LogService(store, log)
    publisher = Publisher(sequencer, service, store, memory, mirror, cosigners)
    return Node(store, signer, log, sequencer, service, publisher, memory)


async def all_entries(store: Store, size: int) -> list[bytes]:
    """The log's entries as the bundles have them."""
    bundles = await store.read_tile_range(ENTRIES, 0, -(-size // TILE_WIDTH))
    return [entry for bundle in bundles for entry in parse_bundle(bundle.octets)][:size]


async def places_of(store: Store, tenant: TenantId) -> Mapping[int, int]:
    """Which place each event of a tenant got."""
    return dict(await store.database.fetch(tenant, _PLACES, {}))


async def require_whole(node: Node) -> int:
    """Every event of every tenant has one leaf, which is its own, each tenant's in order; the
    newest checkpoint is of these leaves. The log's size."""
    published = node.service.published
    assert published is not None
    size = published.checkpoint.size
    entries = await all_entries(node.store, size)
    assert root_of(entries) == published.checkpoint.root
    assert len(published.note.signed_by(*node.log.verifiers)) == len(node.log.keys)
    taken: set[int] = set()
    for tenant in (PLATFORM_TENANT, ONE, TWO):
        places = await places_of(node.store, tenant)
        events = await node.store.list_events(platform_acts(tenant, "test"), 0, 1_000_000)
        assert list(places) == [event.sequence for event in events]
        assert list(places.values()) == sorted(places.values())
        for event in events:
            assert event.salt is not None
            assert entries[places[event.sequence]] == log_entry(event.salt, event.canonical)
        assert not taken & set(places.values())
        taken |= set(places.values())
    assert taken == set(range(size))
    return size


def digest(text: str) -> bytes:
    """Any 32 octets."""
    return hashlib.sha256(text.encode()).digest()
