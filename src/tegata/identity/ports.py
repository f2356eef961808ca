"""What identity verification asks of the world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from tegata.identity.consent import Consent, ConsentId
from tegata.identity.jlis import (
    CertificateReference,
    ConsentStatus,
    LatestAttributes,
    LegalPurpose,
    Roots,
    SignedConsent,
)
from tegata.identity.model import DeclaredPurpose, RecordId, Session, SessionId, UserId
from tegata.identity.record import (
    ChangedStatus,
    ConfirmationRecord,
    Delivery,
    KnownCertificate,
    KnownTag,
    Watch,
    WatchedCertificate,
)
from tegata.kernel.event import AuditEvent
from tegata.kernel.scope import TenantScope


class JLisGateway(Protocol):
    """J-LIS, as a verifier that may ask it sees it (docs/reference/jlis-gateway.md).

    Every method raises `GatewayError`, and nothing else, when there is no answer. What is signed
    is handed on as it came: this room verifies it, so a gateway decides nothing.
    """

    @property
    def contract_version(self) -> str:
        """The version of the contract that the adapter implements."""
        ...

    def roots(self) -> Roots:
        """What is trusted: pinned by configuration, never fetched."""
        ...

    async def ask_ocsp(self, request: bytes, purpose: LegalPurpose) -> bytes:
        """The OCSPResponse (RFC 6960, DER) to an OCSPRequest, error responses included."""
        ...

    async def fetch_crl(
        self, authority_key_id: bytes, point: bytes, purpose: LegalPurpose
    ) -> bytes:
        """The newest CRL (RFC 5280, DER) of a CA's key and a distribution point.

        `point` is the directoryName of the certificate's cRLDistributionPoints (a Name, DER).
        `GatewayError(not-found)` when there is no such list.
        """
        ...

    async def linked_certificates(
        self, certificate: CertificateReference, purpose: LegalPurpose
    ) -> Sequence[CertificateReference]:
        """Every certificate of the same person that J-LIS can link to this one, this one too:
        the other kind (証明書紐付け情報) and earlier and later ones (新旧紐付け情報), oldest first.

        `GatewayError(not-found)` for a certificate that was never issued.
        """
        ...

    async def register_consent(self, consent: SignedConsent) -> ConsentStatus:
        """Have a person's consent held. `GatewayError(refused)` when J-LIS does not take it."""
        ...

    async def withdraw_consent(self, consent: str) -> ConsentStatus:
        """End a consent. A withdrawn one stays withdrawn; asking again changes nothing."""
        ...

    async def find_consent(self, consent: str) -> ConsentStatus:
        """A consent as it stands, or `GatewayError(not-found)`."""
        ...

    async def latest_attributes(self, consent: str) -> LatestAttributes:
        """The person's four attributes of today. `GatewayError(refused)` without an active
        consent."""
        ...


class IdentityVault(Protocol):
    """A tenant's secrets in use: what seals, and what makes pseudonyms."""

    def tag(self, reference: CertificateReference) -> bytes:
        """A keyed commitment to a certificate: 32 octets, the same whenever this tenant asks,
        different for every tenant."""
        ...

    def user_id(self, oldest: CertificateReference) -> UserId:
        """The pseudonym of the person whose oldest known certificate this is."""
        ...


class IdentityUnit(Protocol):
    """Writes of identity verification."""

    def audit(self, event: AuditEvent) -> None:
        """Record an event in the same transaction."""
        ...

    def add_session(self, session: Session) -> None:
        """Keep a session that was opened."""
        ...

    def decide_session(self, session: Session) -> None:
        """Keep a session's verdict; the unit fails with session.already-decided when it has one."""
        ...

    def hand_out(self, session: SessionId, at: datetime) -> None:
        """Note that attributes were handed out; fails with attributes.handed-out the second
        time."""
        ...

    def set_purpose(self, purpose: DeclaredPurpose, now: datetime) -> None:
        """Declare a purpose, or declare it anew."""
        ...

    def add_known_certificate(self, certificate: KnownCertificate) -> None:
        """Remember a user's certificate; one that is known stays with its user."""
        ...

    def add_record(self, record: ConfirmationRecord) -> None:
        """Keep a confirmation record."""
        ...

    def set_record(self, record: ConfirmationRecord) -> None:
        """Change a record's end of contract, retention and hold."""
        ...

    def remove_record(self, record: RecordId) -> None:
        """Forget a record whose time is over."""
        ...

    def add_consent(self, consent: Consent) -> None:
        """Keep a consent that was obtained."""
        ...

    def set_consent_state(self, consent: Consent) -> None:
        """Keep what became of a consent."""
        ...

    def set_watch(self, watch: Watch) -> None:
        """Watch, or watch otherwise."""
        ...

    def set_watch_place(self, after: bytes | None) -> None:
        """Note how far a run has come."""
        ...

    def remove_watch(self) -> None:
        """Watch no more, and forget what waits to be sent."""
        ...

    def set_known_reasons(self, changed: Sequence[ChangedStatus]) -> None:
        """Note what a watch found."""
        ...

    def add_delivery(self, delivery: Delivery) -> None:
        """Queue news."""
        ...

    def remove_delivery(self, delivery: str) -> None:
        """Forget news; the unit conflicts when it was forgotten already."""
        ...

    def want_watch(self, at: datetime) -> None:
        """Ask for the tenant's watch to run at an instant or earlier."""
        ...

    def want_delivery(self, at: datetime) -> None:
        """Ask for the tenant's news to be sent at an instant or earlier."""
        ...

    async def commit(self) -> None:
        """Apply everything durably, or raise `Problem` and apply nothing."""
        ...


class IdentityStore(Protocol):
    """Where sessions, users and records are kept."""

    def open_identity_unit(self, scope: TenantScope) -> AbstractAsyncContextManager[IdentityUnit]:
        """A unit that applies nothing unless `commit` is reached."""
        ...

    async def identity_vault(self, scope: TenantScope) -> IdentityVault:
        """The tenant's vault."""
        ...

    async def find_session(self, scope: TenantScope, session: SessionId) -> Session | None:
        """A session of the tenant."""
        ...

    async def find_purpose(self, scope: TenantScope, name: str) -> DeclaredPurpose | None:
        """A purpose that the tenant declared."""
        ...

    async def list_purposes(self, scope: TenantScope) -> Sequence[DeclaredPurpose]:
        """Every purpose that the tenant declared."""
        ...

    async def find_users(
        self, scope: TenantScope, tags: Sequence[bytes]
    ) -> Mapping[bytes, KnownTag]:
        """The users of those certificates that are known, by tag."""
        ...

    async def shown_certificates(
        self, scope: TenantScope, after: bytes | None, limit: int
    ) -> Sequence[KnownCertificate]:
        """A page of the certificates that the tenant's users showed, in the order of their tags."""
        ...

    async def user_certificates(
        self, scope: TenantScope, user: UserId
    ) -> Sequence[KnownCertificate]:
        """A user's certificates, as they became known."""
        ...

    async def find_record(self, scope: TenantScope, record: RecordId) -> ConfirmationRecord | None:
        """A confirmation record."""
        ...

    async def list_records(
        self, scope: TenantScope, case: str, after: RecordId | None, limit: int
    ) -> Sequence[ConfirmationRecord]:
        """The records of a case, oldest first."""
        ...

    async def records_due(
        self, scope: TenantScope, now: datetime, limit: int
    ) -> Sequence[RecordId]:
        """Records whose retention is over and that nobody holds."""
        ...

    async def find_identity_consent(self, scope: TenantScope, consent: ConsentId) -> Consent | None:
        """A consent of one of the tenant's users."""
        ...

    async def find_watch(self, scope: TenantScope) -> Watch | None:
        """The tenant's watch."""
        ...

    async def watched_certificates(
        self, scope: TenantScope, after: bytes | None, limit: int
    ) -> Sequence[WatchedCertificate]:
        """A page of shown certificates with what a watch found last, in the order of tags."""
        ...

    async def find_delivery(self, scope: TenantScope) -> Delivery | None:
        """The oldest news that waits."""
        ...
