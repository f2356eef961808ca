"""What may be searched for, and whether a certificate is what was searched for."""

from __future__ import annotations

from datetime import datetime

from tegata.kernel.ids import IssuerId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.pkix.crl import RevocationReason
from tegata.registration.model import (
    CertificateQuery,
    CertificateState,
    FingerprintMatch,
    SerialMatch,
)
from tegata.revocation.model import CertificateStatus, Status

FINGERPRINT_DIGITS = 64
# 32 bits: of ten million certificates less than one begins alike by chance.
FINGERPRINT_DIGITS_LEAST = 8
# Type, expiry month and two more octets of a serial of ours (`issuance.serials`).
SERIAL_DIGITS_LEAST = 10
_SERIAL_DIGITS = 38
_SERIAL_BITS = 160


def require_searchable(query: CertificateQuery) -> None:
    """`Problem(request.malformed)` for what could only be answered by reading everything."""
    given = [
        each
        for each in (query.name, query.subject, query.serial, query.fingerprint)
        if each is not None
    ]
    if len(given) > 1:
        raise _malformed("search by one of name, subject, serial and fingerprint")
    window = query.expires_after, query.expires_before
    if window[0] is not None and window[1] is not None and window[0] >= window[1]:
        raise _malformed("expires_after is not before expires_before")
    serial = query.serial
    if serial is not None and query.issuer is None:
        unknown_digits = (serial.highest - serial.lowest).bit_length() // 4
        if unknown_digits > _SERIAL_DIGITS - SERIAL_DIGITS_LEAST:
            raise _malformed(
                f"without an issuer serial_prefix has at least {SERIAL_DIGITS_LEAST} digits"
            )


def serial_match(digits: str) -> SerialMatch:
    """One serial number, in hexadecimal without separators."""
    serial = int(digits, 16)
    if not 0 < serial < 1 << _SERIAL_BITS:
        raise _malformed("serial has at most 20 octets")
    return SerialMatch(serial, serial)


def serial_prefix_match(digits: str) -> SerialMatch:
    """Serial numbers of the platform's own making (19 octets) that begin so."""
    missing = 4 * (_SERIAL_DIGITS - len(digits))
    if missing < 0:
        raise _malformed(f"serial_prefix has at most {_SERIAL_DIGITS} digits")
    lowest = int(digits, 16) << missing
    return SerialMatch(lowest, lowest + (1 << missing) - 1)


def fingerprint_match(digits: str, *, prefix: bool) -> FingerprintMatch:
    """A SHA-256 fingerprint or its beginning, in hexadecimal without separators."""
    if not prefix and len(digits) != FINGERPRINT_DIGITS:
        raise _malformed(f"fingerprint is a SHA-256 of {FINGERPRINT_DIGITS} digits")
    if not FINGERPRINT_DIGITS_LEAST <= len(digits) <= FINGERPRINT_DIGITS:
        raise _malformed(
            f"fingerprint_prefix has {FINGERPRINT_DIGITS_LEAST} to {FINGERPRINT_DIGITS} digits"
        )
    return FingerprintMatch(digits.lower())


def state_at(not_after: datetime, status: CertificateStatus, now: datetime) -> CertificateState:
    """The state that a certificate is listed under; its revocation counts before its expiry."""
    if status.status is Status.REVOKED:
        held = status.reason is RevocationReason.CERTIFICATE_HOLD
        return CertificateState.HELD if held else CertificateState.REVOKED
    return CertificateState.EXPIRED if not_after < now else CertificateState.VALID


def matches(
    query: CertificateQuery,
    issuer: IssuerId,
    profile: str,
    not_after: datetime,
    status: CertificateStatus,
    now: datetime,
) -> bool:
    """Whether a certificate meets every bound that is no octets' range: issuer, profile, state,
    window, and what the caller may see."""
    if query.visible is not None and issuer not in query.visible:
        return False
    if query.issuer is not None and issuer != query.issuer:
        return False
    if query.profile is not None and profile != query.profile:
        return False
    if query.expires_after is not None and not_after < query.expires_after:
        return False
    if query.expires_before is not None and not_after >= query.expires_before:
        return False
    match query.state:
        case None:
            return True
        case CertificateState.EXPIRED:
            return not_after < now
        case state:
            return state_at(not_after, status, now) is state


def _malformed(detail: str) -> Problem:
    return Problem(ProblemCode.REQUEST_MALFORMED, detail)
