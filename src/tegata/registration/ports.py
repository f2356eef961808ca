"""What registration asks of the world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tegata.issuance.model import IssuedCertificate
from tegata.issuance.ports import IssuanceUnit
from tegata.kernel.event import AuditEvent
from tegata.kernel.ids import CertificateId, IssuerId, TenantId
from tegata.kernel.scope import TenantScope
from tegata.kernel.signing import RefusalGround
from tegata.registration.model import (
    CertificatePage,
    CertificateQuery,
    ProfileVersion,
    RefusedKey,
    Replacement,
    Succession,
)
from tegata.registration.notice import Delivery, Mail, NoticeSetting
from tegata.revocation.model import CertificateStatus


@dataclass(frozen=True, slots=True)
class EarlierRequest:
    """What an idempotency key was used for."""

    request_digest: bytes
    certificate: CertificateId


class RegistrationUnit(IssuanceUnit, Protocol):
    """Writes of registration, beside those of issuance."""

    def add_idempotency(
        self, key_hash: bytes, request_digest: bytes, certificate: CertificateId, now: datetime
    ) -> None:
        """Remember what a key was used for; the unit conflicts when it was used before."""
        ...

    def add_successor(
        self,
        predecessor: CertificateId,
        successor: CertificateId,
        kind: Replacement,
        now: datetime,
    ) -> None:
        """Record that a certificate took another's place."""
        ...

    def add_modulus(self, modulus: bytes, spki_sha256: bytes, now: datetime) -> None:
        """Record an RSA modulus (big-endian), and have it compared with the others; the unit
        fails with csr.weak-key when another key has it."""
        ...


class KeyList(Protocol):
    """The platform's list of compromised keys."""

    def holds(self, spki_sha256: bytes) -> bool:
        """Whether a key is on the list. Called for every request: it must not wait."""
        ...


class RefusedKeyUnit(Protocol):
    """Writes of refused keys."""

    def audit(self, event: AuditEvent) -> None:
        """Record an event in the same transaction."""
        ...

    def add_refused_key(self, spki_sha256: bytes, ground: RefusalGround, now: datetime) -> None:
        """Refuse a key from now on; one that is refused already stays as it is, unless it was
        listed and now is refused for good."""
        ...

    def remove_refused_key(self, key: RefusedKey) -> None:
        """Refuse a listed key no more; the unit conflicts when it is not refused as it was."""
        ...

    async def commit(self) -> None:
        """Apply everything durably, or raise `Problem` and apply nothing."""
        ...


class RefusedKeyStore(Protocol):
    """Refused keys, and the moduli that a tenant has had certified."""

    def open_unit(
        self, scope: TenantScope, *, essential: bool = False
    ) -> AbstractAsyncContextManager[RefusedKeyUnit]:
        """A unit that applies nothing unless `commit` is reached."""
        ...

    async def is_refused_key(self, scope: TenantScope, spki_sha256: bytes) -> bool:
        """Whether the tenant, or the platform for all, refuses a key; what another node has
        added is known within seconds."""
        ...

    def forget_refused_keys(self, tenant: TenantId) -> None:
        """Know at once what this node has just added."""
        ...

    async def list_refused_keys(
        self, scope: TenantScope, after: bytes, limit: int
    ) -> Sequence[RefusedKey]:
        """The tenant's own refused keys, by digest, from the one after `after`."""
        ...

    async def find_refused_key(self, scope: TenantScope, spki_sha256: bytes) -> RefusedKey | None:
        """One of the tenant's own refused keys."""
        ...

    async def find_modulus(self, scope: TenantScope, modulus_sha256: bytes) -> bytes | None:
        """The key (SHA-256) that the tenant had certified with an RSA modulus, if any."""
        ...


class KeyComparisonStore(Protocol):
    """What the keys of a tenant are compared from."""

    def open_unit(
        self, scope: TenantScope, *, essential: bool = False
    ) -> AbstractAsyncContextManager[RefusedKeyUnit]:
        """A unit that applies nothing unless `commit` is reached."""
        ...

    async def newest_moduli(self, scope: TenantScope, limit: int) -> Sequence[tuple[bytes, int]]:
        """So many of the RSA moduli that the tenant has had certified, the newest, each with the
        SHA-256 of its key."""
        ...

    async def find_refused_key(self, scope: TenantScope, spki_sha256: bytes) -> RefusedKey | None:
        """One of the tenant's own refused keys."""
        ...

    def forget_refused_keys(self, tenant: TenantId) -> None:
        """Know at once what this node has just added."""
        ...


class RegistrationStore(Protocol):
    """Reads of registration."""

    async def find_idempotency(self, scope: TenantScope, key_hash: bytes) -> EarlierRequest | None:
        """What a key was used for in the last day, if anything."""
        ...

    async def get_certificate(
        self, scope: TenantScope, certificate: CertificateId
    ) -> IssuedCertificate:
        """A certificate of the tenant, or `Problem(certificate.unknown)`."""
        ...

    async def find_succession(self, scope: TenantScope, certificate: CertificateId) -> Succession:
        """What a certificate replaced, and the last that replaced it."""
        ...

    async def find_successors(
        self, scope: TenantScope, certificates: Sequence[CertificateId]
    ) -> Mapping[CertificateId, CertificateId]:
        """The last successor of each of the certificates that has one."""
        ...

    async def list_certificates(
        self, scope: TenantScope, query: CertificateQuery, now: datetime
    ) -> CertificatePage:
        """A page of the tenant's certificates, in the order of what is searched by.

        `Problem(request.malformed)` when `after` is not of a page of the same query.
        """
        ...


class NoticeUnit(Protocol):
    """Writes about notices."""

    def set_notice_setting(self, setting: NoticeSetting, now: datetime) -> None:
        """Replace the tenant's setting."""
        ...

    def move_notice_mark(self, days: int, before: datetime | None, until: datetime) -> None:
        """Say up to when certificates were told of at a threshold; the unit conflicts unless the
        mark stands where it was `before`."""
        ...

    def add_mail(self, mail: Mail) -> None:
        """Queue a mail."""
        ...

    def readdress_mail(self, mail: str, addresses: Sequence[str]) -> None:
        """Leave a mail for some of its addresses; the unit conflicts when it was forgotten."""
        ...

    def remove_mail(self, mail: str) -> None:
        """Forget a mail; the unit conflicts when it was forgotten already."""
        ...

    def want_notice(self, at: datetime) -> None:
        """Ask for the tenant's notices to be looked after at an instant or earlier."""
        ...

    def audit(self, event: AuditEvent) -> None:
        """Record an event in this unit's transaction."""
        ...

    async def commit(self) -> None:
        """Apply everything, durably, or raise `Problem` and apply nothing."""
        ...


class NoticeStore(Protocol):
    """Reads about notices, and units that serve them."""

    async def find_successors(
        self, scope: TenantScope, certificates: Sequence[CertificateId]
    ) -> Mapping[CertificateId, CertificateId]:
        """The last successor of each of the certificates that has one."""
        ...

    async def find_revocation(
        self, scope: TenantScope, issuer: IssuerId, serial: int
    ) -> CertificateStatus | None:
        """The revocation of a serial, as a status, if there is one."""
        ...

    async def find_notice_setting(self, scope: TenantScope) -> NoticeSetting | None:
        """What the tenant asked for, if it did."""
        ...

    async def notice_marks(self, scope: TenantScope) -> Mapping[int, datetime]:
        """Up to when certificates were told of, by threshold in days."""
        ...

    async def find_mail(self, scope: TenantScope) -> Mail | None:
        """The tenant's oldest mail that was not sent."""
        ...

    async def list_certificates(
        self, scope: TenantScope, query: CertificateQuery, now: datetime
    ) -> CertificatePage:
        """As `RegistrationStore.list_certificates`."""
        ...

    async def get_certificate(
        self, scope: TenantScope, certificate: CertificateId
    ) -> IssuedCertificate:
        """As `RegistrationStore.get_certificate`."""
        ...

    def open_unit(self, scope: TenantScope) -> AbstractAsyncContextManager[NoticeUnit]:
        """A unit that applies nothing unless `commit` is reached."""
        ...


class Mailer(Protocol):
    """The way to a mail server."""

    async def send(self, mail: Mail) -> Delivery:
        """Hand a mail to the server; the addresses that it refused, for good all of them when it
        refused the mail. `Problem(mail.unavailable)` when it took nothing and may later."""
        ...


@dataclass(frozen=True, slots=True)
class RecentCertificate:
    """A certificate's place and profile."""

    id: CertificateId
    issuer: IssuerId
    profile: str


class ProfileUnit(Protocol):
    """Writes of tenants' profiles."""

    def audit(self, event: AuditEvent) -> None:
        """Record an event in the same transaction."""
        ...

    def add_profile_version(self, version: ProfileVersion) -> None:
        """Record a version; the unit conflicts when there is one of this number."""
        ...

    def retire_profile_version(self, name: str, version: int, now: datetime) -> None:
        """Retire a version; the unit fails with profile.unknown when there is none to retire."""
        ...

    async def commit(self) -> None:
        """Apply everything durably, or raise `Problem` and apply nothing."""
        ...


class ProfileStore(Protocol):
    """Reads of tenants' profiles, and their units."""

    def open_unit(self, scope: TenantScope) -> AbstractAsyncContextManager[ProfileUnit]:
        """A unit that applies nothing unless `commit` is reached."""
        ...

    async def find_profile(
        self, scope: TenantScope, name: str, version: int | None
    ) -> ProfileVersion | None:
        """A version, retired or not; without a number, the newest that is not retired."""
        ...

    async def newest_profile_version(self, scope: TenantScope, name: str) -> int:
        """The highest number that a version of the profile has, 0 when there is none."""
        ...

    async def list_profiles(
        self, scope: TenantScope, after: str, limit: int
    ) -> Sequence[ProfileVersion]:
        """The newest version that is not retired of each profile, by name after `after`."""
        ...

    async def list_profile_versions(
        self, scope: TenantScope, name: str, before: int | None, limit: int
    ) -> Sequence[ProfileVersion]:
        """Every version of a profile before a number, newest first."""
        ...

    async def recent_certificates(
        self, scope: TenantScope, before: CertificateId | None, limit: int
    ) -> Sequence[RecentCertificate]:
        """The tenant's certificates, newest first."""
        ...
