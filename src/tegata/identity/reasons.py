"""Why a check failed or was not performed, and what a person can do about it.

The texts are keys of the catalogue (`kernel.wording`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """Every reason that a verdict can give."""

    CERTIFICATE_MALFORMED = "certificate.malformed"
    OTHER_NAMES_MALFORMED = "certificate.other-names-malformed"
    OTHER_NAMES_ORDER = "certificate.other-names-order"
    OTHER_NAMES_UNKNOWN = "certificate.other-names-unknown"
    CRITICAL_EXTENSION = "certificate.critical-extension"
    ISSUER_UNKNOWN = "chain.unknown-issuer"
    ISSUER_SIGNATURE = "chain.not-signed-by-issuer"
    ISSUER_NAME = "chain.issuer-name"
    ISSUER_EXPIRED = "chain.issuer-expired"
    NOT_YET_VALID = "validity.not-yet"
    EXPIRED = "validity.expired"
    SIGNING_CERTIFICATE = "usage.signing-certificate"
    AUTHENTICATION_CERTIFICATE = "usage.authentication-certificate"
    POLICY = "usage.policy"
    KEY_USAGE = "usage.key-usage"
    KEY_KIND = "signature.key-not-supported"
    SIGNATURE_LENGTH = "signature.length"
    SIGNATURE_PADDING = "signature.padding"
    SIGNATURE_ALGORITHM = "signature.other-hash"
    SIGNATURE_CONTENT = "signature.other-content"
    SIGNATURE_KEY = "signature.other-key"
    SIGNATURE_FORM = "signature.malformed-cms"
    DIGEST_LENGTH = "signature.digest-length"
    LOG_IN_AS_DOCUMENT = "signature.log-in-as-document"
    REVOKED_WITHDRAWN = "revoked.withdrawn"
    REVOKED_KEY = "revoked.key-compromise"
    REVOKED_CA = "revoked.ca-compromise"
    REVOKED_CHANGED = "revoked.record-changed"
    REVOKED_RENEWED = "revoked.renewed"
    REVOKED_CEASED = "revoked.ceased"
    REVOKED_HELD = "revoked.held"
    REVOKED_OTHER = "revoked.other"
    STATUS_UNKNOWN = "status.unknown"
    STATUS_TRY_LATER = "status.try-later"
    STATUS_STALE = "status.stale"
    STATUS_NOT_AUTHENTIC = "status.not-authentic"
    STATUS_NO_LIST = "status.no-list"
    STATUS_UNAVAILABLE = "status.unavailable"
    MY_NUMBER = "text.my-number"
    CHIP_MALFORMED = "chip.malformed"
    CHIP_CLONED = "chip.not-genuine"
    CHIP_KEY_UNKNOWN = "chip.unknown-key"
    EARLIER_CHECK = "not-performed.earlier-check-failed"
    NOT_ASKED = "not-performed.not-asked"
    DIGEST_GIVEN = "not-performed.digest-given"


@dataclass(frozen=True, slots=True)
class Wording:
    """What a reason says, and what to do. `advice` may be empty."""

    text: str
    advice: str = ""


_FORGED: Final = "Do not accept it. If it comes from a card, report the card's reader and software."
_AGAIN: Final = "Open a new session and have it signed with the software that shows the session."
_LATER: Final = "Nothing is known against the person. Open a new session and try again later."

TEXTS: Final[Mapping[Reason, Wording]] = {
    Reason.CERTIFICATE_MALFORMED: Wording("The certificate cannot be read.", _FORGED),
    Reason.OTHER_NAMES_MALFORMED: Wording(
        "The attributes in the certificate cannot be read.", _FORGED
    ),
    Reason.OTHER_NAMES_ORDER: Wording(
        "The attributes in the certificate are not in their order.", _FORGED
    ),
    Reason.OTHER_NAMES_UNKNOWN: Wording(
        "The certificate has attributes that are not known.", _FORGED
    ),
    Reason.CRITICAL_EXTENSION: Wording(
        "The certificate has a critical extension that is not understood.", _FORGED
    ),
    Reason.ISSUER_UNKNOWN: Wording(
        "The certificate was not issued by an authority that is trusted here.",
        "Use the My Number Card itself; test cards work in the sandbox only.",
    ),
    Reason.ISSUER_SIGNATURE: Wording(
        "The certificate names an authority that did not sign it.", _FORGED
    ),
    Reason.ISSUER_NAME: Wording("The certificate names another authority than its key.", _FORGED),
    Reason.ISSUER_EXPIRED: Wording(
        "The authority's own certificate is not valid now.",
        "Renew the certificate at the municipal office.",
    ),
    Reason.NOT_YET_VALID: Wording(
        "The certificate is not valid yet.", "Check the clock of the verifying system."
    ),
    Reason.EXPIRED: Wording(
        "The certificate has expired.", "Renew the certificate at the municipal office."
    ),
    Reason.SIGNING_CERTIFICATE: Wording(
        "This is the signing certificate; the user-authentication certificate was asked for.",
        "Log in with the four-digit PIN.",
    ),
    Reason.AUTHENTICATION_CERTIFICATE: Wording(
        "This is the user-authentication certificate; the signing certificate was asked for.",
        "Sign with the password of 6 to 16 letters and digits.",
    ),
    Reason.POLICY: Wording("The certificate's policy is not one for this purpose.", _FORGED),
    Reason.KEY_USAGE: Wording("The certificate's key is not for this purpose.", _FORGED),
    Reason.KEY_KIND: Wording("The certificate's key is of a kind that is not accepted.", _FORGED),
    Reason.SIGNATURE_LENGTH: Wording("The signature does not have the length of its key.", _AGAIN),
    Reason.SIGNATURE_PADDING: Wording("The signature is not padded as it must be.", _FORGED),
    Reason.SIGNATURE_ALGORITHM: Wording("The signature is over another kind of digest.", _AGAIN),
    Reason.SIGNATURE_CONTENT: Wording("Something else was signed.", _AGAIN),
    Reason.SIGNATURE_KEY: Wording("The signature was made by another key.", _AGAIN),
    Reason.SIGNATURE_FORM: Wording("The signed message (CMS) is not one of this kind.", _AGAIN),
    Reason.DIGEST_LENGTH: Wording(
        "The digest does not have the 32 octets of SHA-256.", "Compute the digest with SHA-256."
    ),
    Reason.LOG_IN_AS_DOCUMENT: Wording(
        "What was given as a document is a session's challenge.", _FORGED
    ),
    Reason.REVOKED_WITHDRAWN: Wording(
        "The certificate was withdrawn before it was handed over.", "Ask the municipal office."
    ),
    Reason.REVOKED_KEY: Wording(
        "The certificate is revoked: its key may be known to others.",
        "Have it issued again at the municipal office.",
    ),
    Reason.REVOKED_CA: Wording(
        "The certificate is revoked: its authority's key may be known to others.",
        "Have it issued again at the municipal office.",
    ),
    Reason.REVOKED_CHANGED: Wording(
        "The signing certificate is revoked because the name, address, birth date or sex changed.",
        "Have it issued again at the municipal office; the card stays as it is.",
    ),
    Reason.REVOKED_RENEWED: Wording(
        "The certificate was replaced by a newer one.", "Hold the card again: it has the new one."
    ),
    Reason.REVOKED_CEASED: Wording(
        "The certificate is revoked: it is not needed any more.",
        "Have it issued again at the municipal office, or use another way.",
    ),
    Reason.REVOKED_HELD: Wording(
        "The certificate is suspended, for example because the card was reported lost.",
        "Call the My Number Card help line, or go to the municipal office.",
    ),
    Reason.REVOKED_OTHER: Wording("The certificate is revoked.", "Ask the municipal office."),
    Reason.STATUS_UNKNOWN: Wording(
        "The authority's responder does not know the certificate.", _FORGED
    ),
    Reason.STATUS_TRY_LATER: Wording("The authority's responder is busy.", _LATER),
    Reason.STATUS_STALE: Wording("The revocation information is too old.", _LATER),
    Reason.STATUS_NOT_AUTHENTIC: Wording(
        "The revocation information does not come from the authority.", _LATER
    ),
    Reason.STATUS_NO_LIST: Wording("There is no revocation list for the certificate.", _LATER),
    Reason.STATUS_UNAVAILABLE: Wording("The revocation information cannot be had.", _LATER),
    Reason.MY_NUMBER: Wording(
        "A text may contain a My Number, which must not be collected.",
        "Look at the text; if it has a My Number, delete it and open a new session without it.",
    ),
    Reason.CHIP_MALFORMED: Wording("What was read from the card's chip cannot be read.", _FORGED),
    Reason.CHIP_CLONED: Wording(
        "The card could not show that it is the original.", "Do not accept it; report the card."
    ),
    Reason.CHIP_KEY_UNKNOWN: Wording(
        "The key that certifies the card's data is not trusted here.", _FORGED
    ),
    Reason.EARLIER_CHECK: Wording("Not performed, because an earlier check failed."),
    Reason.NOT_ASKED: Wording("Not performed, because it was not asked for."),
    Reason.DIGEST_GIVEN: Wording(
        "Not performed: the document was not given, only its digest, which the caller computed."
    ),
}
