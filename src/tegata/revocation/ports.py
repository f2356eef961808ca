"""What revocation asks of the world."""

from __future__ import annotations

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
    CrlEntries,
    PublishedCrl,
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
        """Revoke; the unit conflicts when the serial is revoked already."""
        ...

    def add_refused_key(self, spki_sha256: bytes, ground: RefusalGround, now: datetime) -> None:
        """Refuse a key from now on; one that is refused already stays as it is."""
        ...

    def add_crl(self, crl: PublishedCrl) -> None:
        """Publish; the unit conflicts when the number is taken."""
        ...

    def want_crl(self, issuer: IssuerId, at: datetime) -> None:
        """Ask for a new CRL of an issuer at an instant or earlier."""
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

    async def find_authority(self, hashes: IssuerHashes) -> StatusAuthority | None:
        """The issuer, of any tenant, that a CertID names, with its responder."""
        ...

    async def get_issuer(self, scope: TenantScope, issuer: IssuerId) -> Issuer:
        """An issuer of the tenant, or `Problem(issuer.unknown)`."""
        ...

    async def crl_entries(
        self, scope: TenantScope, issuer: IssuerId, listed_since: datetime
    ) -> CrlEntries:
        """The entries to list: those whose `listed_until` is not before `listed_since`."""
        ...

    async def latest_crl(self, issuer: IssuerId) -> PublishedCrl | None:
        """The newest CRL of an issuer of any tenant: CRLs are public."""
        ...

    async def tenant_of(self, issuer: IssuerId) -> TenantId | None:
        """The tenant of an issuer: public, as the issuer's certificate is."""
        ...
