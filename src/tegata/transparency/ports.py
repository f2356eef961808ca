"""What the log asks of the world."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from tegata.kernel.event import AuditEvent
from tegata.kernel.ids import NodeId, TenantId
from tegata.kernel.scope import TenantScope
from tegata.kernel.signing import KeyAlgorithm, KeyPurpose, SigningKey
from tegata.transparency.checkpoint import Checkpoint
from tegata.transparency.model import Log, LogState, Published, WaitingLeaf
from tegata.transparency.note import Note, Signature
from tegata.transparency.tiles import Tile, TileId, TreeEdge


class TileStore(Protocol):
    """Tiles, as they are durable."""

    async def read_tiles(self, tiles: Iterable[TileId]) -> Mapping[TileId, bytes]:
        """The octets of tiles; what is not there is left out."""
        ...

    async def read_tile_range(self, level: int, first: int, end: int) -> Sequence[Tile]:
        """The tiles of a level from a number up to, not including, another."""
        ...


class LogUnit(Protocol):
    """Writes of the log beside its tenant's, applied together by `commit`."""

    def audit(self, event: AuditEvent) -> None:
        """Record an event in the same transaction."""
        ...

    def essential(self) -> None:
        """Let this unit use the disk space kept in reserve."""
        ...

    def add_signing_key(self, key: SigningKey, now: datetime) -> None:
        """Record a key."""
        ...

    def add_log(self, origin: str) -> None:
        """Make the log, empty; the unit fails with a conflict when there is one."""
        ...

    def queue_old_event(self, sequence: int, canonical: bytes) -> None:
        """Give an event of the time before the log a salt, and have it wait for a place."""
        ...

    async def commit(self) -> None:
        """Apply everything durably, or raise `Problem` and apply nothing."""
        ...


class LogStore(TileStore, Protocol):
    """The log's rows. Only the sequencer whose fence is the newest writes them."""

    def open_unit(
        self, scope: TenantScope, *, essential: bool = False
    ) -> AbstractAsyncContextManager[LogUnit]:
        """A unit that applies nothing unless `commit` is reached."""
        ...

    async def find_log(self) -> Log | None:
        """The log's name and keys, once it was made."""
        ...

    async def log_state(self) -> LogState:
        """The log's size, fence and newest checkpoint."""
        ...

    async def take_log_lease(self, node: NodeId, now: datetime, until: datetime) -> int | None:
        """Become the sequencer: a new fence; None while another node's lease lasts."""
        ...

    async def keep_log_lease(self, fence: int, until: datetime) -> bool:
        """Stay the sequencer; False when another has taken over."""
        ...

    async def give_log_lease(self, fence: int, now: datetime) -> None:
        """Let another become the sequencer at once."""
        ...

    async def waiting_leaves(self, after: str, limit: int) -> Sequence[WaitingLeaf]:
        """Entries without a place: by tenant, of tenants after one, each tenant's in order."""
        ...

    async def waiting_leaves_of(self, tenant: TenantId, limit: int) -> Sequence[WaitingLeaf]:
        """A tenant's first entries without a place, in order."""
        ...

    async def log_mark(self, tenant: TenantId) -> int:
        """The sequence number of a tenant's last event that has a place; 0 for none."""
        ...

    async def append_leaves(
        self,
        fence: int,
        size: int,
        leaves: Sequence[tuple[WaitingLeaf, int]],
        marks: Mapping[TenantId, tuple[int, int]],
        grown: TreeEdge,
        tiles: Sequence[Tile],
    ) -> None:
        """Give leaves their places and move tenants' marks (from, to), in one transaction with
        the tiles. Raises `Problem(conflict)` when the log is not as the caller believes."""
        ...

    async def publish_note(self, fence: int, size: int, note: bytes) -> bool:
        """Keep a signed checkpoint; False when another sequencer took over, or a later one is
        kept already."""
        ...

    async def missing_events(self, tenant: TenantId) -> tuple[int, int]:
        """The range [first, end) of a tenant's events that have no place and do not wait for
        one: events of the time before the log."""
        ...

    async def canonical_events(
        self, tenant: TenantId, first: int, end: int
    ) -> Sequence[tuple[int, bytes]]:
        """Sequence numbers and canonical octets of a tenant's events in a range."""
        ...

    async def all_tenants(self) -> Sequence[TenantId]:
        """Every tenant that there is."""
        ...

    async def place_of(self, scope: TenantScope, sequence: int) -> int | None:
        """The place of one of the tenant's own events. Raises `Problem(event.unknown)`."""
        ...


class LogSigner(Protocol):
    """The signer process, for a log's keys."""

    async def create_key(
        self,
        tenant: TenantId,
        purpose: KeyPurpose,
        subject: bytes,
        authority: tuple[bytes, bytes] = (b"", b""),
        algorithm: KeyAlgorithm = KeyAlgorithm.P256,
    ) -> SigningKey:
        """Make a key. Raises `Problem(key.algorithm-refused)`."""
        ...

    async def sign_checkpoint(
        self, key: SigningKey, text: str, proof: Sequence[bytes], time: int
    ) -> bytes:
        """Sign a checkpoint, proved to continue what the key signed last. Raises
        `Problem(log.inconsistent)` when it does not."""
        ...

    async def tree_head(self, key: SigningKey) -> tuple[int, bytes]:
        """Size and root of the largest tree that a key has signed."""
        ...


class Mirror(Protocol):
    """A folder of static files; none of its failures stops the log."""

    async def write_tiles(self, checkpoint: Checkpoint, tiles: TileStore) -> None:
        """Have every tile that a checkpoint needs, durably. Raises OSError or `Problem`."""
        ...

    async def write_checkpoint(self, note: bytes, size: int) -> None:
        """Replace the checkpoint, durably. Raises OSError."""
        ...


class Memory(Protocol):
    """Where a node keeps the newest published checkpoint outside the database."""

    async def remember(self, note: bytes) -> None:
        """Keep it durably. Raises OSError."""
        ...

    async def recall(self) -> Sequence[Note]:
        """The checkpoints that are kept; those that cannot be read are left out."""
        ...


class Cosigners(Protocol):
    """The witnesses; none of their failures stops the log."""

    async def cosign(self, published: Published, tiles: TileStore) -> Sequence[Signature]:
        """The verified cosignatures that come in time."""
        ...
