"""What time-stamping asks of the world."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from tegata.issuance.model import Issuer
from tegata.issuance.ports import IssuanceUnit
from tegata.kernel.event import AuditEvent
from tegata.kernel.ids import IssuerId, TenantId, TimestampAuthorityId
from tegata.kernel.scope import TenantScope
from tegata.kernel.signing import KeyAlgorithm, SignatureAlgorithm, SigningKey
from tegata.timestamping.model import (
    Anchor,
    ClockSample,
    Stamping,
    TimestampAuthority,
    TimestampUnit,
)


class ClockDiscipline(Protocol):
    """The machine's clocks, and what the kernel knows of the time of day."""

    def sample(self) -> ClockSample:
        """Both clocks now. Never fails: where the kernel says nothing it is not synchronised."""
        ...


class AuthorityUnreachable(Exception):
    """An authority gave no whole answer in time; the message says why."""


class TimestampClient(Protocol):
    """Other people's time-stamping authorities."""

    async def ask(self, url: str, request: bytes) -> bytes:
        """The answer to a TimeStampReq, as it came. Raises `AuthorityUnreachable`."""
        ...


class AnchorWork(Protocol):
    """Writes of anchors, applied together by `commit`."""

    def essential(self) -> None:
        """Let this work use the disk space kept in reserve."""
        ...

    def audit(self, event: AuditEvent) -> None:
        """Record an event in the same transaction."""
        ...

    def add_anchored_checkpoint(self, size: int, note: bytes, now: datetime) -> None:
        """Keep a signed checkpoint that anchors are of; one that is kept stays as it is."""
        ...

    def add_anchor(self, anchor: Anchor, now: datetime) -> None:
        """Keep an anchor; conflicts when there is one of its size and number."""
        ...

    async def commit(self) -> None:
        """Apply everything durably, or raise `Problem` and apply nothing."""
        ...


class AnchorStore(Protocol):
    """Reads of anchors, and their units of work."""

    def open_unit(
        self, scope: TenantScope, *, essential: bool = False
    ) -> AbstractAsyncContextManager[AnchorWork]:
        """Work that applies nothing unless `commit` is reached."""
        ...

    async def list_anchors(self, below: int, limit: int) -> Sequence[Anchor]:
        """Anchors of checkpoints smaller than a size, the newest first."""
        ...

    async def anchors_of(self, size: int) -> Sequence[Anchor]:
        """The anchors of one checkpoint, by number."""
        ...

    async def anchored_checkpoint(self, size: int) -> bytes | None:
        """The signed checkpoint of a size that was anchored."""
        ...


class TimestampSigner(Protocol):
    """The signer process, as time-stamping needs it."""

    async def create_timestamp_key(
        self,
        tenant: TenantId,
        subject: bytes,
        algorithm: KeyAlgorithm,
        signature_algorithm: SignatureAlgorithm,
        policies: tuple[str, ...],
    ) -> SigningKey:
        """A new unit's key, which stamps under these policies only."""
        ...

    async def sign_timestamp(self, key: SigningKey, info: bytes, attributes: bytes) -> bytes:
        """A signature over the SignedAttributes of a token, whose TSTInfo is shown; refuses what
        the key may not stamp."""
        ...


class TimestampWork(IssuanceUnit, Protocol):
    """Writes of time-stamping, beside those of issuance."""

    def add_timestamp_authority(self, authority: TimestampAuthority) -> None:
        """Record an authority, and make it findable by requests."""
        ...

    def add_timestamp_unit(self, unit: TimestampUnit, renew_at: datetime, now: datetime) -> None:
        """Record a unit, and have it replaced in time; conflicts when the authority has one of
        this number."""
        ...

    def add_timestamp_block(
        self, authority: TimestampAuthorityId, block: bytes, now: datetime
    ) -> None:
        """Record a block of serial numbers; conflicts when somebody has it."""
        ...

    def advance_timestamp_order(self, authority: TimestampAuthorityId, gen_time: datetime) -> None:
        """Say that an authority has stamped at an instant; conflicts unless it is later than every
        one before."""
        ...

    def disable_timestamp_authority(self, authority: TimestampAuthorityId, now: datetime) -> None:
        """Have an authority stamp no more; conflicts when it does not."""
        ...


class TimestampStore(Protocol):
    """Reads of time-stamping, and its units of work."""

    def open_unit(
        self, scope: TenantScope, *, essential: bool = False
    ) -> AbstractAsyncContextManager[TimestampWork]:
        """Work that applies nothing unless `commit` is reached."""
        ...

    def require_room(self) -> None:
        """`Problem(storage.exhausted)` when new work must not start for want of disk space."""
        ...

    def timestamp_url(self, authority: TimestampAuthorityId) -> str:
        """Where an authority answers."""
        ...

    async def get_issuer(self, scope: TenantScope, issuer: IssuerId) -> Issuer:
        """An issuer of the tenant, or `Problem(issuer.unknown)`."""
        ...

    async def timestamp_tenant(self, authority: TimestampAuthorityId) -> TenantId | None:
        """The tenant of an authority: public, as its address is."""
        ...

    async def find_timestamp_authority(
        self, scope: TenantScope, authority: TimestampAuthorityId
    ) -> TimestampAuthority | None:
        """An authority of the tenant."""
        ...

    async def find_timestamp_authority_named(
        self, scope: TenantScope, name: str
    ) -> TimestampAuthority | None:
        """An authority of the tenant, by its name."""
        ...

    async def list_timestamp_authorities(
        self, scope: TenantScope, after: str, limit: int
    ) -> Sequence[TimestampAuthority]:
        """The tenant's authorities in the order of their ids, from after one on."""
        ...

    async def newest_timestamp_unit(
        self, scope: TenantScope, authority: TimestampAuthorityId
    ) -> TimestampUnit | None:
        """The unit that stamps for an authority."""
        ...

    async def find_stamping(
        self, scope: TenantScope, authority: TimestampAuthorityId
    ) -> Stamping | None:
        """All that decides whether an authority stamps, as committed."""
        ...
