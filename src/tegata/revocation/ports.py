"""What revocation asks of the world."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from tegata.issuance.model import IssuedCertificate, Issuer
from tegata.kernel.event import AuditEvent
from tegata.kernel.ids import CertificateId, IssuerId, TenantId
from tegata.kernel.scope import TenantScope
from tegata.kernel.signing import RefusalGround, SigningKey
from tegata.pkix.ocsp import IssuerHashes
from tegata.revocation.model import (
    CertificateStatus,
    CrlBase,
    CrlEntries,
    CrlKind,
    CrlState,
    ForeignSerial,
    PublishedCrl,
    Release,
    Revocation,
    StatusAuthority,
)


class StatusSigner(Protocol):
    """The signer process, as status needs it."""

    async def sign_crl(self, key: SigningKey, tbs: bytes) -> bytes:
        """A signature over a TBSCertList."""
        ...

    async def sign_response(self, key: SigningKey, data: bytes) -> bytes:
        """A signature over a ResponseData."""
        ...


class RevocationUnit(Protocol):
    """Writes of revocation, applied together by `commit`."""

    def essential(self) -> None:
        """Let this unit use the disk space kept in reserve."""
        ...

    def audit(self, event: AuditEvent) -> None:
        """Record an event in the same transaction."""
        ...

    def add_revocation(self, revocation: Revocation) -> None:
        """Revoke or hold; the unit conflicts when the serial is revoked or held already."""
        ...

    def replace_hold(self, revocation: Revocation) -> None:
        """Revoke what is on hold; certificate.not-held when it is not."""
        ...

    def release_hold(self, release: Release) -> None:
        """Take back a hold; certificate.not-held when there is none."""
        ...

    def add_refused_key(self, spki_sha256: bytes, ground: RefusalGround, now: datetime) -> None:
        """Refuse a key from now on; one that is refused already stays as it is, unless it was
        listed and now is refused for good."""
        ...

    def add_crl(self, crl: PublishedCrl) -> None:
        """Publish. Lists that it replaces are forgotten, daily ones later."""
        ...

    def take_crl_number(self, issuer: IssuerId, state: CrlState) -> None:
        """Take the number after `state`'s for lists of its scope; the unit conflicts when
        somebody else has taken it."""
        ...

    def replace_full_crl(
        self, issuer: IssuerId, state: CrlState, number: int, base: CrlBase
    ) -> None:
        """Say which full list is published now and which one deltas start from; the unit
        conflicts when another was published since `state` was read."""
        ...

    def replace_delta_crl(self, issuer: IssuerId, state: CrlState, number: int) -> None:
        """Say which delta is published now; the unit conflicts when another was published since
        `state` was read."""
        ...

    def want_delta(self, issuer: IssuerId, now: datetime) -> None:
        """Ask for a delta to the complete list."""
        ...

    def want_crls(self, issuer: IssuerId, shard: int, now: datetime) -> None:
        """Ask for the lists that a change of status in a shard makes out of date."""
        ...

    async def commit(self) -> None:
        """Apply everything durably, or raise `Problem` and apply nothing."""
        ...


class RevocationStore(Protocol):
    """Reads of revocation, and its units."""

    def forget_refused_keys(self, tenant: TenantId) -> None:
        """Know at once which keys this node has just refused."""
        ...

    def open_unit(
        self, scope: TenantScope, *, essential: bool = False
    ) -> AbstractAsyncContextManager[RevocationUnit]:
        """A unit that applies nothing unless `commit` is reached."""
        ...

    async def get_certificate(
        self, scope: TenantScope, certificate: CertificateId
    ) -> IssuedCertificate:
        """A certificate of the tenant, or `Problem(certificate.unknown)`."""
        ...

    async def find_revocation(
        self, scope: TenantScope, issuer: IssuerId, serial: int
    ) -> CertificateStatus | None:
        """The revocation of a serial, as a status, if there is one."""
        ...

    async def certificate_status(
        self, scope: TenantScope, issuer: IssuerId, serial: int
    ) -> CertificateStatus:
        """Whether a serial is good, revoked, or unknown to the issuer."""
        ...

    async def find_foreign_serial(
        self, scope: TenantScope, issuer: IssuerId, serial: int
    ) -> ForeignSerial | None:
        """A serial number that an issuer gave before it was taken over."""
        ...

    async def recorded_serials(
        self, scope: TenantScope, issuer: IssuerId, month: int, serials: Sequence[int]
    ) -> frozenset[int]:
        """Those of the serials that a certificate, or a revocation, stands under."""
        ...

    async def find_authority(self, hashes: IssuerHashes) -> StatusAuthority | None:
        """The issuer, of any tenant, that a CertID names, with its responder."""
        ...

    async def get_issuer(self, scope: TenantScope, issuer: IssuerId) -> Issuer:
        """An issuer of the tenant, or `Problem(issuer.unknown)`."""
        ...

    async def crl_state(self, scope: TenantScope, issuer: IssuerId, shard: int) -> CrlState:
        """Where the lists of a scope stand, or `Problem(issuer.unknown)`."""
        ...

    async def crl_entries(
        self, scope: TenantScope, issuer: IssuerId, shard: int, listed_since: datetime
    ) -> CrlEntries:
        """What to list: all changes counted before the call whose `listed_until` is not before
        `listed_since`. Later changes may be among them or not."""
        ...

    async def changed_entries(
        self, scope: TenantScope, issuer: IssuerId, shard: int, since: int
    ) -> CrlEntries:
        """What a delta lists: all that changed after the count `since`."""
        ...

    async def latest_crl(self, issuer: IssuerId, shard: int, kind: CrlKind) -> PublishedCrl | None:
        """The newest CRL of an issuer of any tenant: CRLs are public."""
        ...

    async def list_shards(self, issuer: IssuerId) -> Sequence[int]:
        """The shards of an issuer of any tenant, oldest first."""
        ...

    async def tenant_of(self, issuer: IssuerId) -> TenantId | None:
        """The tenant of an issuer: public, as the issuer's certificate is."""
        ...
