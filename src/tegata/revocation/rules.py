"""Pure decisions about status."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from tegata.issuance.model import IssuedCertificate, VoidSerial
from tegata.kernel.month import LAST_MONTH, month_start
from tegata.kernel.problem import Problem, ProblemCode
from tegata.pkix.certificate import parse_certificate, parse_tbs_certificate
from tegata.pkix.crl import REASON_BY_NAME, RevocationReason, encode_crl_entry
from tegata.revocation.model import Revocation

# A CRL is replaced daily, and is usable for a week should everything stop.
CRL_PERIOD = timedelta(days=1)
CRL_VALIDITY = timedelta(days=7)
# An answer is signed for each question, and may be kept this long.
OCSP_VALIDITY = timedelta(hours=1)

# Reasons a tenant may give. Hold comes with its release in a later version; the CA's own
# compromise is not a subscriber's to declare (RFC 5280 section 5.3.1).
_GIVEN = frozenset(
    {
        RevocationReason.UNSPECIFIED,
        RevocationReason.KEY_COMPROMISE,
        RevocationReason.AFFILIATION_CHANGED,
        RevocationReason.SUPERSEDED,
        RevocationReason.CESSATION_OF_OPERATION,
        RevocationReason.PRIVILEGE_WITHDRAWN,
    }
)


def parse_reason(name: str) -> RevocationReason:
    """A reason by its name in RFC 5280; `Problem(revocation.reason-unknown)` for others."""
    reason = REASON_BY_NAME.get(name)
    if reason not in _GIVEN:
        allowed = ", ".join(sorted(each.text for each in _GIVEN))
        raise Problem(ProblemCode.REASON_UNKNOWN, f"one of {allowed}")
    assert reason is not None
    return reason


def revocation_of(
    certificate: IssuedCertificate, reason: RevocationReason, now: datetime
) -> Revocation:
    """The revocation of a certificate, from now on."""
    revoked_at = now.replace(microsecond=0)
    return Revocation(
        issuer=certificate.issuer,
        serial=certificate.serial,
        certificate=certificate.id,
        revoked_at=revoked_at,
        reason=reason,
        entry=encode_crl_entry(certificate.serial, revoked_at, reason),
        listed_until=certificate.not_after,
    )


def spki_sha256(certificate: bytes) -> bytes:
    """SHA-256 of the SubjectPublicKeyInfo of a DER certificate."""
    tbs = parse_tbs_certificate(parse_certificate(certificate).tbs)
    return hashlib.sha256(tbs.public_key).digest()


def revocation_of_void(void: VoidSerial, now: datetime) -> Revocation:
    """The revocation of a serial under which nothing was recorded.

    It is listed until the month of expiry that the serial carries is over: no certificate that
    might stand under it is valid longer.
    """
    revoked_at = now.replace(microsecond=0)
    following = min(void.month + 1, LAST_MONTH)
    return Revocation(
        issuer=void.issuer,
        serial=void.serial,
        certificate=None,
        revoked_at=revoked_at,
        reason=RevocationReason.UNSPECIFIED,
        entry=encode_crl_entry(void.serial, revoked_at, RevocationReason.UNSPECIFIED),
        listed_until=month_start(following),
    )
