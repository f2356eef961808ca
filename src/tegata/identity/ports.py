"""What identity verification asks of the world."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tegata.identity.jlis import (
    CertificateReference,
    ConsentStatus,
    LatestAttributes,
    LegalPurpose,
    Roots,
    SignedConsent,
)


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
