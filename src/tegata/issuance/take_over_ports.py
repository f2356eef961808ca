"""What taking over a CA asks of the world beside what issuance does."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from tegata.issuance.index_file import TakenRevocation
from tegata.issuance.ports import AuthorityStore, IssuanceUnit
from tegata.issuance.taken import Staged, StagedBySerial, TakenRecord, TakeOver
from tegata.kernel.ids import IssuerId, KeyId, TenantId
from tegata.kernel.scope import TenantScope
from tegata.kernel.signing import KeyPurpose, RefusalGround, SignatureAlgorithm, SigningKey


class AdoptingSigner(Protocol):
    """The signer process, as it takes a key that it did not make."""

    async def adopt_key(
        self,
        tenant: TenantId,
        purpose: KeyPurpose,
        certificate: bytes,
        signature_algorithm: SignatureAlgorithm | None,
    ) -> SigningKey:
        """The key of a CA's certificate (DER), for a tenant that an operator gave it to.

        Raises `Problem` with key.not-authorised, key.algorithm-refused, or take-over.refused when
        the key is not the certificate's.
        """
        ...


class TakeOverUnit(IssuanceUnit, Protocol):
    """Writes of a take-over, applied together by `commit`."""

    def add_take_over(self, take_over: TakeOver) -> None:
        """Record that a CA is being taken over."""
        ...

    def move_take_over(self, before: TakeOver, after: TakeOver) -> None:
        """Record how far it is; the unit conflicts when it is not where it was."""
        ...

    def remove_take_over(self, take_over: TakeOver) -> None:
        """Forget it, with what is still staged of it; the unit conflicts as above."""
        ...

    def remove_signing_key(self, key: KeyId) -> None:
        """Forget a key that nothing was signed with."""
        ...

    def stage_certificate(self, issuer: IssuerId, serial: int, der: bytes, profile: str) -> None:
        """Keep a certificate; the unit conflicts when the serial has another."""
        ...

    def stage_entry(
        self,
        issuer: IssuerId,
        serial: int,
        not_after: datetime | None,
        revoked: TakenRevocation | None,
        *,
        published: bool,
    ) -> None:
        """Keep what an index or (`published`) a list says; a list has the last word."""
        ...

    def strike_staged(self, issuer: IssuerId, until: int) -> None:
        """Forget what is staged up to a serial: it is recorded."""
        ...

    def record_taken(self, record: TakenRecord, octets: bytes) -> None:
        """Record a serial number that the CA gave, its certificate (whose id `octets` is) and its
        revocation."""
        ...

    def refill_shard(self, issuer: IssuerId, shard: int, size: int, month: int) -> None:
        """Count places of a shard that were taken elsewhere."""
        ...

    def raise_crl_floor(self, issuer: IssuerId, number: int) -> None:
        """Give lists only numbers above this one."""
        ...

    def want_take_over(self, issuer: IssuerId, now: datetime) -> None:
        """Have what is staged recorded."""
        ...

    def add_refused_key(self, spki_sha256: bytes, ground: RefusalGround, now: datetime) -> None:
        """Refuse a key from now on; one that is refused already stays as it is."""
        ...


class TakeOverStore(AuthorityStore, Protocol):
    """Reads of take-overs, and their units."""

    def open_unit(
        self, scope: TenantScope, *, essential: bool = False
    ) -> AbstractAsyncContextManager[TakeOverUnit]:
        """A unit that applies nothing unless `commit` is reached."""
        ...

    async def find_take_over(self, scope: TenantScope, issuer: IssuerId) -> TakeOver | None:
        """A take-over of the tenant's."""
        ...

    async def list_take_overs(self, scope: TenantScope) -> Sequence[TakeOver]:
        """The tenant's take-overs, oldest first."""
        ...

    async def find_staged(
        self, scope: TenantScope, issuer: IssuerId, serials: Sequence[int]
    ) -> StagedBySerial:
        """What is staged under these serials."""
        ...

    async def next_staged(
        self, scope: TenantScope, issuer: IssuerId, limit: int
    ) -> Sequence[Staged]:
        """What is staged, the lowest serials first."""
        ...

    async def is_issuer_key(self, public_key: bytes) -> bool:
        """Whether an issuer of any tenant has this key (SubjectPublicKeyInfo)."""
        ...

    def forget_refused_keys(self, tenant: TenantId) -> None:
        """Know at once which keys this node has just refused."""
        ...
