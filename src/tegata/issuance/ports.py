"""What issuance asks of the world."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from tegata.issuance.model import (
    IssuedCertificate,
    Issuer,
    LinkKind,
    PendingAuthority,
    PolicyDocument,
    Stop,
    VoidSerial,
)
from tegata.issuance.serials import SerialBlock
from tegata.issuance.shards import Shard
from tegata.kernel.event import AuditEvent
from tegata.kernel.ids import BlockId, IssuerId, NodeId, TenantId
from tegata.kernel.scope import TenantScope
from tegata.kernel.signing import KeyAlgorithm, KeyPurpose, SignatureAlgorithm, SigningKey
from tegata.pkix.names import GeneralName
from tegata.profiles.authority import AuthorityBounds
from tegata.profiles.model import Profile


class CertificateSigner(Protocol):
    """The signer process."""

    async def create_key(
        self,
        tenant: TenantId,
        purpose: KeyPurpose,
        subject: bytes,
        authority: tuple[bytes, bytes] = (b"", b""),
        algorithm: KeyAlgorithm = KeyAlgorithm.P256,
        signature_algorithm: SignatureAlgorithm | None = None,
        bounds: AuthorityBounds | None = None,
    ) -> SigningKey:
        """A new key for one tenant, purpose and subject (DER Name). `authority` is a responder's
        CA: its subject and public key; `bounds` are a CA's. Without a signature algorithm it
        signs as keys of its algorithm usually do.

        Raises `Problem(key.algorithm-refused)` for what the key store does not do.
        """
        ...

    async def reserve(self, key: SigningKey, month: int, size: int, shard: int) -> SerialBlock:
        """Serials of a CA key, durable in the signer's own journal on return, with the CRL shard
        that they belong to."""
        ...

    async def sign_certificate(
        self, key: SigningKey, profile: Profile, tbs: bytes, block: BlockId, counter: int
    ) -> bytes:
        """A signature over a linted TBSCertificate; refuses what the key may not sign."""
        ...

    async def load_key(self, key: SigningKey) -> None:
        """Have the signer see a key that it may be asked to certify."""
        ...

    async def sign_request(self, key: SigningKey, info: bytes) -> bytes:
        """A signature over a CertificationRequestInfo for the key itself."""
        ...


class IssuanceUnit(Protocol):
    """Writes of issuance, applied together by `commit`."""

    def audit(self, event: AuditEvent) -> None:
        """Record an event in the same transaction."""
        ...

    def add_serial_block(
        self, issuer: IssuerId, block: SerialBlock, shard: int, node: NodeId, now: datetime
    ) -> None:
        """Record reserved serials, and the CRL shard that they belong to."""
        ...

    def open_shard(self, issuer: IssuerId, shard: int, url: str, now: datetime) -> None:
        """Open a shard unless it is, and want its first list; shard 0 is the complete list."""
        ...

    def fill_shard(self, issuer: IssuerId, shard: int, size: int, month: int) -> None:
        """Take places in a shard; the unit conflicts when it has not as many."""
        ...

    def want_crls(self, issuer: IssuerId, shard: int, now: datetime) -> None:
        """Ask for the lists that a change of status in a shard makes out of date."""
        ...

    def close_serial_block(self, block: BlockId, now: datetime) -> None:
        """Say that no serial of a block will be used any more."""
        ...

    def add_void_serial(self, void: VoidSerial, now: datetime) -> None:
        """Record a serial under which nothing was recorded, as revoked; the unit conflicts when
        something was."""
        ...

    def add_certificate(
        self, octets: bytes, certificate: IssuedCertificate, names: Sequence[GeneralName]
    ) -> None:
        """Record a certificate; `octets` is its id."""
        ...

    def add_signing_key(self, key: SigningKey, now: datetime) -> None:
        """Record a key."""
        ...

    def add_issuer(self, issuer: Issuer, now: datetime) -> None:
        """Record an issuer, and make it findable by status requests."""
        ...

    def add_responder(
        self,
        issuer: IssuerId,
        key: SigningKey,
        certificate: bytes,
        not_after: datetime,
        now: datetime,
    ) -> None:
        """Record, or replace, the OCSP responder of an issuer."""
        ...

    def essential(self) -> None:
        """Let this unit use the disk space kept in reserve."""
        ...

    def add_pending_issuer(self, pending: PendingAuthority, now: datetime) -> None:
        """Record an issuer that waits for its certificate."""
        ...

    def remove_pending_issuer(self, issuer: IssuerId) -> None:
        """It waits no more; the unit conflicts when it did not."""
        ...

    def add_issuer_certificate(
        self, issuer: IssuerId, kind: LinkKind, place: int, der: bytes
    ) -> None:
        """Record a further certificate of an issuer."""
        ...

    def want_issuer_work(self, issuer: IssuerId, now: datetime) -> None:
        """Have the timetable make an issuer whole, should nobody else do."""
        ...

    def add_stop(self, stop: Stop) -> None:
        """Record a stop of the unit's tenant's; the unit conflicts when it stands."""
        ...

    def remove_stop(self, stop: Stop) -> None:
        """Take a stop of the unit's tenant's back; the unit conflicts when there is none."""
        ...

    def add_policy(self, document: PolicyDocument) -> None:
        """Record a version of a policy document; the unit conflicts when it stands."""
        ...

    async def commit(self) -> None:
        """Apply everything durably, or raise `Problem` and apply nothing."""
        ...


class OpenBlock(Protocol):
    """A block that a run of the platform left open."""

    @property
    def issuer(self) -> IssuerId:
        """Whose serials they are."""
        ...

    @property
    def block(self) -> SerialBlock:
        """The block, its key unsealed."""
        ...

    @property
    def shard(self) -> int:
        """The CRL shard that it belongs to."""
        ...


class IssuanceStore(Protocol):
    """Reads of issuance, and its units."""

    def open_unit(
        self, scope: TenantScope, *, essential: bool = False
    ) -> AbstractAsyncContextManager[IssuanceUnit]:
        """A unit that applies nothing unless `commit` is reached.

        Raises `Problem(storage.exhausted)` when new work must not start.
        """
        ...

    def require_room(self) -> None:
        """`Problem(storage.exhausted)` when new work must not start for want of disk space."""
        ...

    async def get_issuer(self, scope: TenantScope, issuer: IssuerId) -> Issuer:
        """An issuer of the tenant, or `Problem(issuer.unknown)`."""
        ...

    async def list_issuers(self, scope: TenantScope) -> Sequence[Issuer]:
        """The tenant's issuers, oldest first."""
        ...

    async def open_blocks(self, scope: TenantScope, node: NodeId) -> Sequence[OpenBlock]:
        """The tenant's blocks that this node left open."""
        ...

    async def newest_shards(self, scope: TenantScope, issuer: IssuerId) -> Sequence[Shard]:
        """The two newest CRL shards of an issuer, the older first."""
        ...

    async def recorded_serials(
        self, scope: TenantScope, issuer: IssuerId, month: int, serials: Sequence[int]
    ) -> frozenset[int]:
        """Those of the serials that a certificate, or a revocation, stands under."""
        ...

    def issuer_urls(self, issuer: IssuerId) -> tuple[str, str, str]:
        """The OCSP, CRL and CA-issuers URLs that an issuer's certificates carry."""
        ...


class AuthorityStore(IssuanceStore, Protocol):
    """Reads of what stands around issuers."""

    async def has_responder(self, scope: TenantScope, issuer: IssuerId) -> bool:
        """Whether an issuer has an OCSP responder."""
        ...

    async def find_pending_issuer(
        self, scope: TenantScope, issuer: IssuerId
    ) -> PendingAuthority | None:
        """An issuer that waits for its certificate."""
        ...

    async def list_pending_issuers(self, scope: TenantScope) -> Sequence[PendingAuthority]:
        """The tenant's issuers that wait for certificates, oldest first."""
        ...

    async def issuer_ids_after(
        self, scope: TenantScope, after: str, limit: int
    ) -> Sequence[IssuerId]:
        """So many ids of issuers, waiting or not, oldest first, from the one after `after`."""
        ...

    async def list_issuer_certificates(
        self, scope: TenantScope, issuer: IssuerId
    ) -> Sequence[tuple[LinkKind, bytes]]:
        """An issuer's further certificates (DER)."""
        ...

    async def list_stops(self) -> Sequence[Stop]:
        """All stops of all tenants."""
        ...

    async def list_policies(
        self, scope: TenantScope, issuer: IssuerId, newest: int | None, limit: int
    ) -> Sequence[PolicyDocument]:
        """An issuer's policy documents, newest first, from a version on down."""
        ...

    async def newest_policy(self, scope: TenantScope, issuer: IssuerId) -> int:
        """The number of the newest version; 0 when there is none."""
        ...
