"""What the REST API takes and gives, as JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from tegata.issuance.model import IssuedCertificate, Issuer
from tegata.issuance.serials import serial_text
from tegata.issuance.shards import shard_url
from tegata.kernel.event import base64url
from tegata.pkix.certificate import encode_pem
from tegata.registration.model import NO_SUCCESSION, CertificateEntry, RefusedKey, Succession
from tegata.registration.notice import DAYS_DEFAULT
from tegata.revocation.model import CertificateStatus
from tegata.tenancy.model import NAME_MAXIMUM, Tenant, Token
from tegata.tenancy.ports import RecordedEvent

# The look-ahead is for Python, whose `$` also matches before a last line feed.
Name = Annotated[
    str, Meta(min_length=1, max_length=NAME_MAXIMUM, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")
]
# PostgreSQL takes no NUL in text, and no identifier has one.
Reference = Annotated[str, Meta(max_length=64, pattern=r"^[^\x00]*$")]

# RFC 3339 with a time zone: a local time would be somebody else's.
Instant = Annotated[datetime, Meta(tz=True)]


class RequestBody(msgspec.Struct, forbid_unknown_fields=True):
    """A body that refuses fields it does not know."""


class ServerKey(RequestBody):
    """A key that the platform makes; `password` opens the PKCS #12 file that it comes in."""

    algorithm: str
    password: str


class Attribute(RequestBody):
    """An attribute of a subject: a type as profiles name it, such as commonName."""

    type: str
    value: str


class RequestedName(RequestBody):
    """A subject alternative name: dns, ip, email, uri."""

    kind: str
    value: str


class NewCertificate(RequestBody):
    """A request for a certificate. `csr` is PKCS #10 in PEM; or, where the profile allows it,
    `key` with the `subject` and `names` that a request would have."""

    issuer: Reference
    profile: Reference
    csr: str | None = None
    key: ServerKey | None = None
    subject: list[Attribute] = []
    names: list[RequestedName] = []


class RevocationRequest(RequestBody):
    """A revocation, or a hold. `reason` is a reason's name in RFC 5280 section 5.3.1,
    `invalidity_date` since when the certificate is known not to be good (section 5.3.2)."""

    reason: str = "unspecified"
    invalidity_date: Instant | None = None


class RekeyRequest(RequestBody):
    """A re-key. `csr` is PKCS #10 in PEM with the new key; its names are the certificate's, or
    left out."""

    csr: str


class NewToken(RequestBody):
    """A new token: its name and, if it is to be bounded, its actions and issuers."""

    name: Name
    actions: list[str] | None = None
    issuers: list[str] | None = None


KEYS_MAXIMUM = 1000
# Fewer: the record names each of them.
ALLOWED_KEYS_MAXIMUM = 100
Sha256 = Annotated[str, Meta(pattern=r"^[0-9A-Fa-f]{64}$(?!\n)")]


class NewRefusedKeys(RequestBody):
    """Keys to refuse: SHA-256 of their SubjectPublicKeyInfo, in hexadecimal."""

    keys: Annotated[list[Sha256], Meta(min_length=1, max_length=KEYS_MAXIMUM)]


class AllowedKeys(RequestBody):
    """Refused keys to take off the list: SHA-256 of their SubjectPublicKeyInfo, in hexadecimal."""

    keys: Annotated[list[Sha256], Meta(min_length=1, max_length=ALLOWED_KEYS_MAXIMUM)]


class NewTenantToken(RequestBody):
    """A new token for a tenant's administrator."""

    name: Name


class NewTenant(RequestBody):
    """A new tenant. Its name becomes the organisation of its certification authorities."""

    name: Name


class NoticeSettings(RequestBody):
    """Who is told before certificates expire, how many days before, in which language (en, ja).
    Without addresses nobody is told."""

    addresses: list[str]
    days: list[int] = msgspec.field(default_factory=lambda: list(DAYS_DEFAULT))
    language: str = "en"


class RevocationBody(msgspec.Struct):
    """When and why a certificate was revoked."""

    revoked_at: str
    reason: str
    invalidity_date: str | None


class RefusedKeyBody(msgspec.Struct):
    """A key that must not be certified; `ground` is `compromise`, `listed` or
    `shared-factor`."""

    spki_sha256: str
    ground: str
    since: str


class RefusedKeyPage(msgspec.Struct):
    """Refused keys, by digest."""

    items: list[RefusedKeyBody]
    next: str | None


class CertificateItem(msgspec.Struct, kw_only=True):
    """A certificate and its status, as lists show it; `successor` took its place last."""

    id: str
    serial: str
    issuer: str
    profile: str
    subject: str
    not_before: str
    not_after: str
    status: str
    revocation: RevocationBody | None
    successor: str | None = None


class CertificateBody(CertificateItem, kw_only=True):
    """A certificate with the path to its root: `chain` has the issuing CA first, root last; its
    `predecessor` is the one whose place it took. `pkcs12` (base64)
    comes once, with a key that the platform made."""

    profile_version: int
    certificate: str
    chain: list[str]
    ocsp_url: str
    crl_url: str
    ca_issuers_url: str
    predecessor: str | None = None
    pkcs12: str | msgspec.UnsetType = msgspec.UNSET


class CertificatePage(msgspec.Struct):
    """A page of certificates, newest first; `next` is the `after` of the next page."""

    items: list[CertificateItem]
    next: str | None


class TokenBody(msgspec.Struct, omit_defaults=True):
    """A token. `secret` is its text, given once, when it is made."""

    id: str
    name: str
    kind: str
    actions: list[str]
    issuers: list[str] | None
    created_at: str
    revoked_at: str | None
    secret: str | msgspec.UnsetType = msgspec.UNSET


class TokenPage(msgspec.Struct):
    """A page of the tenant's tokens, oldest first; `next` is the `after` of the next page."""

    items: list[TokenBody]
    next: str | None


class TenantBody(msgspec.Struct, omit_defaults=True):
    """A tenant. `token` (its administrator's, given once) and `issuer` come with a new one."""

    id: str
    name: str
    state: str
    created_at: str
    issuer: str | msgspec.UnsetType = msgspec.UNSET
    token: str | msgspec.UnsetType = msgspec.UNSET


class TenantPage(msgspec.Struct):
    """A page of the platform's tenants, by id (oldest first, then those of its own); `next` is the
    `after` of the next page."""

    items: list[TenantBody]
    next: str | None


class EventBody(msgspec.Struct):
    """An audit event: its canonical octets (a JSON text), their SHA-256, and the disclosures of
    its private fields, each of whose digest is among the event's commitments; the salt of its
    leaf in the log (base64url), and the leaf's index, both null until it has them."""

    sequence: int
    canonical: str
    digest: str
    disclosures: list[str]
    salt: str | None
    index: int | None


class EventPage(msgspec.Struct):
    """The tenant's own record; `next` is the `after` of the next page."""

    items: list[EventBody]
    next: str | None


class Health(msgspec.Struct):
    """That the service answers."""

    status: str
    version: str


def instant_text(instant: datetime) -> str:
    """An instant as RFC 3339 writes it, in UTC, to the second."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def certificate_body(
    certificate: IssuedCertificate,
    issuer: Issuer,
    status: CertificateStatus,
    succession: Succession = NO_SUCCESSION,
) -> CertificateBody:
    """A certificate as it is answered."""
    return CertificateBody(
        id=certificate.id,
        serial=serial_text(certificate.serial),
        issuer=certificate.issuer,
        profile=certificate.profile,
        subject=certificate.subject,
        not_before=instant_text(certificate.not_before),
        not_after=instant_text(certificate.not_after),
        status=status.status,
        revocation=revocation_body(status),
        profile_version=certificate.profile_version,
        certificate=encode_pem("CERTIFICATE", certificate.der),
        chain=[encode_pem("CERTIFICATE", der) for der in issuer.chain],
        ocsp_url=issuer.ocsp_url,
        crl_url=(
            shard_url(issuer.crl_url, certificate.shard) if certificate.shard else issuer.crl_url
        ),
        ca_issuers_url=issuer.ca_issuers_url,
        predecessor=succession.predecessor,
        successor=succession.successor,
    )


def certificate_item(entry: CertificateEntry, successor: str | None) -> CertificateItem:
    """A certificate as it is listed."""
    return CertificateItem(
        id=entry.id,
        serial=serial_text(entry.serial),
        issuer=entry.issuer,
        profile=entry.profile,
        subject=entry.subject,
        not_before=instant_text(entry.not_before),
        not_after=instant_text(entry.not_after),
        status=entry.status.status,
        revocation=revocation_body(entry.status),
        successor=successor,
    )


def revocation_body(status: CertificateStatus) -> RevocationBody | None:
    """When and why a certificate was revoked; None when it was not."""
    if status.revoked_at is None or status.reason is None:
        return None
    since = instant_text(status.invalid_since) if status.invalid_since is not None else None
    return RevocationBody(instant_text(status.revoked_at), status.reason.text, since)


def token_body(token: Token, secret: str | msgspec.UnsetType = msgspec.UNSET) -> TokenBody:
    """A token as it is answered."""
    return TokenBody(
        id=token.id,
        name=token.name,
        kind=token.kind,
        actions=sorted(token.actions),
        issuers=sorted(token.issuers) if token.issuers is not None else None,
        created_at=instant_text(token.created_at),
        revoked_at=instant_text(token.revoked_at) if token.revoked_at else None,
        secret=secret,
    )


def tenant_body(tenant: Tenant) -> TenantBody:
    """A tenant as it is answered."""
    return TenantBody(
        id=tenant.id,
        name=tenant.name,
        state=tenant.state,
        created_at=instant_text(tenant.created_at),
    )


def refused_key_body(key: RefusedKey) -> RefusedKeyBody:
    """A refused key as it is answered."""
    return RefusedKeyBody(key.spki_sha256.hex(), key.ground, instant_text(key.since))


def event_body(event: RecordedEvent) -> EventBody:
    """An event as it is answered."""
    return EventBody(
        sequence=event.sequence,
        canonical=event.canonical.decode(),
        digest=event.digest.hex(),
        disclosures=list(event.disclosures),
        salt=base64url(event.salt) if event.salt is not None else None,
        index=event.place,
    )
