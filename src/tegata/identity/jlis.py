"""What is asked of J-LIS and what it answers: the values of the gateway contract.

`docs/reference/jlis-gateway.md` is the contract; `CONTRACT_VERSION` is its version. What J-LIS
itself speaks is disclosed on application only, so nothing here says how an adapter asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

CONTRACT_VERSION = "1"


class CertificateKind(StrEnum):
    """Which of a person's two certificates it is."""

    # 署名用電子証明書
    SIGN = "sign"
    # 利用者証明用電子証明書
    AUTH = "auth"


class Holder(StrEnum):
    """What holds the certificate's key."""

    CARD = "card"
    # 移動端末設備用電子証明書
    PHONE = "phone"


class LegalPurpose(StrEnum):
    """What a status or an attribute is looked up for.

    The Act on JPKI (公的個人認証法) allows nothing else (articles 18, 37 and 52), so the purpose
    of every look-up is recorded.
    """

    SIGNATURE_VERIFICATION = "signature-verification"
    USER_AUTHENTICATION = "user-authentication"
    # 現況確認
    CURRENT_STATUS = "current-status"
    # 最新の基本4情報の提供, with the person's consent
    ATTRIBUTES_WITH_CONSENT = "attributes-with-consent"


class StatusMethod(StrEnum):
    """Where a status comes from."""

    OCSP = "ocsp"
    CRL = "crl"


@dataclass(frozen=True, slots=True)
class CertificateReference:
    """A certificate without its content. `authority_key_id` is its authorityKeyIdentifier's key
    identifier: all generations of a CA have one name."""

    kind: CertificateKind
    authority_key_id: bytes
    serial: int


@dataclass(frozen=True, slots=True)
class FourAttributes:
    """The four basic attributes (基本4情報) as a signing certificate writes them.

    `birth` is the era's digit (0 unknown, 1 Meiji to 5 Reiwa) and YYYYMMDD; `sex` is 1 male, 2
    female, 9 not applicable, 0 unknown. The substitutes have one digit for each character: 1 where
    a character that cannot be written was replaced (代替文字).
    """

    name: str
    address: str
    birth: str
    sex: str
    name_substitutes: str
    address_substitutes: str


@dataclass(frozen=True, slots=True)
class LatestAttributes:
    """What J-LIS knows now, and the instant of that."""

    attributes: FourAttributes
    as_of: datetime


@dataclass(frozen=True, slots=True)
class SignedConsent:
    """A person's consent (利用者同意申請情報). `text` is what they consented to; `intent` the
    octets of a `pkix.intent` with purpose *sign* whose document digest is that of `text`;
    `signature` is over `intent`, by the signing certificate (DER) and PKCS #1 v1.5 SHA-256."""

    text: bytes
    intent: bytes
    signature: bytes
    certificate: bytes


class ConsentState(StrEnum):
    """Where a consent is in its life."""

    ACTIVE = "active"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class ConsentStatus:
    """A consent as J-LIS holds it."""

    id: str
    state: ConsentState
    given_at: datetime
    expires_at: datetime
    withdrawn_at: datetime | None


@dataclass(frozen=True, slots=True)
class Roots:
    """What is trusted, pinned: CA certificates (DER) of each kind, every generation; and the
    public keys (SubjectPublicKeyInfo, DER) that certify the card's text AP, by key identifier.

    `policies` are certificate policies that are accepted beside the published ones of cards: those
    of phones are told to verifiers only.
    """

    certificates: Mapping[CertificateKind, Sequence[bytes]]
    face_keys: Mapping[bytes, bytes]
    policies: Mapping[str, tuple[CertificateKind, Holder]] = field(default_factory=dict)


class GatewayCause(StrEnum):
    """Why a gateway could not answer."""

    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed-out"
    TRY_LATER = "try-later"
    NOT_FOUND = "not-found"
    REFUSED = "refused"
    MALFORMED = "malformed"


class GatewayError(Exception):
    """J-LIS gave no answer. `detail` names no person and no serial number."""

    def __init__(self, cause: GatewayCause, detail: str = "") -> None:
        super().__init__(f"{cause}: {detail}" if detail else str(cause))
        self.cause = cause
        self.detail = detail
