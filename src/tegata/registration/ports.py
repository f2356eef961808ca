"""What registration asks of the world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tegata.issuance.model import IssuedCertificate
from tegata.issuance.ports import IssuanceUnit
from tegata.kernel.ids import CertificateId
from tegata.kernel.scope import TenantScope
from tegata.registration.model import CertificateEntry, CertificateQuery


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

    async def list_certificates(
        self, scope: TenantScope, query: CertificateQuery
    ) -> Sequence[CertificateEntry]:
        """Certificates of the tenant, newest first."""
        ...
