"""Pure decisions about status."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from tegata.issuance.model import IssuedCertificate, VoidSerial
from tegata.kernel.month import LAST_MONTH, expiry_month, month_start
from tegata.kernel.problem import Problem, ProblemCode
from tegata.pkix.certificate import parse_certificate, parse_tbs_certificate
from tegata.pkix.crl import REASON_BY_NAME, RevocationReason, encode_crl_entry
from tegata.revocation.model import CrlState, ForeignSerial, Release, Revocation

# A CRL is replaced daily, and is usable for a week should everything stop.
CRL_PERIOD = timedelta(days=1)
CRL_VALIDITY = timedelta(days=7)
# A delta is for those who keep its base: they ask again within two days at most.
DELTA_VALIDITY = timedelta(days=2)
# A complete list may be long: the next one waits this much for each of its entries, so that
# making them takes a small part of the time. Shards and deltas are short, and wait for nothing.
PAUSE_FOR_ENTRY = timedelta(milliseconds=1)
PAUSE_MAXIMUM = timedelta(minutes=10)
# The day's list may come this much early: jobs are not run to the second.
_EARLY = timedelta(hours=1)
# An answer is signed for each question, and may be kept this long.
OCSP_VALIDITY = timedelta(hours=1)

# A shard's last list: nothing in it will be valid again, so none follows it.
NO_NEXT_UPDATE = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)

# Reasons a tenant may give. The CA's own compromise is not a subscriber's to declare, and
# removeFromCRL is what a release writes (RFC 5280 section 5.3.1).
_GIVEN = frozenset(
    {
        RevocationReason.UNSPECIFIED,
        RevocationReason.KEY_COMPROMISE,
        RevocationReason.AFFILIATION_CHANGED,
        RevocationReason.SUPERSEDED,
        RevocationReason.CESSATION_OF_OPERATION,
        RevocationReason.CERTIFICATE_HOLD,
        RevocationReason.PRIVILEGE_WITHDRAWN,
    }
)


def parse_reason(name: str, *, of_ca: bool = False) -> RevocationReason:
    """A reason by its name in RFC 5280; `Problem(revocation.reason-unknown)` for others. Only a
    CA's certificate is revoked for cACompromise, and it is not put on hold."""
    reason = REASON_BY_NAME.get(name)
    if of_ca and reason is RevocationReason.CA_COMPROMISE:
        return reason
    if reason not in _GIVEN or (of_ca and reason is RevocationReason.CERTIFICATE_HOLD):
        allowed = ", ".join(sorted(each.text for each in _GIVEN))
        raise Problem(ProblemCode.REASON_UNKNOWN, f"one of {allowed}")
    assert reason is not None
    return reason


def require_invalidity(
    invalid_since: datetime | None, certificate: IssuedCertificate, now: datetime
) -> datetime | None:
    """An invalidity date to the second, or `Problem(revocation.invalidity-date)`.

    It lies in the certificate's life until now. The time of revocation itself is never in the
    past: it must not precede lists that were issued without it (RFC 5280 section 5.3.2).
    """
    if invalid_since is None:
        return None
    if not certificate.not_before <= invalid_since <= now:
        raise Problem(
            ProblemCode.INVALIDITY_DATE, "not before the certificate's notBefore and not after now"
        )
    return invalid_since.replace(microsecond=0)


def revocation_of(
    certificate: IssuedCertificate,
    reason: RevocationReason,
    revoked_at: datetime,
    invalid_since: datetime | None = None,
) -> Revocation:
    """The revocation or hold of a certificate, from an instant on."""
    revoked_at = revoked_at.replace(microsecond=0)
    return Revocation(
        issuer=certificate.issuer,
        serial=certificate.serial,
        certificate=certificate.id,
        revoked_at=revoked_at,
        reason=reason,
        entry=encode_crl_entry(certificate.serial, revoked_at, reason, invalid_since),
        listed_until=certificate.not_after,
        shard=certificate.shard,
        invalid_since=invalid_since,
    )


def spki_sha256(certificate: bytes) -> bytes:
    """SHA-256 of the SubjectPublicKeyInfo of a DER certificate."""
    tbs = parse_tbs_certificate(parse_certificate(certificate).tbs)
    return hashlib.sha256(tbs.public_key).digest()


def revocation_of_void(void: VoidSerial, now: datetime) -> Revocation:
    """The revocation of a serial under which nothing was recorded.

    No certificate that might stand under it is valid longer than the month it carries.
    """
    revoked_at = now.replace(microsecond=0)
    return Revocation(
        issuer=void.issuer,
        serial=void.serial,
        certificate=None,
        revoked_at=revoked_at,
        reason=RevocationReason.UNSPECIFIED,
        entry=encode_crl_entry(void.serial, revoked_at, RevocationReason.UNSPECIFIED),
        listed_until=month_start(min(void.month + 1, LAST_MONTH)) - timedelta(seconds=1),
        shard=void.shard,
    )


def revocation_of_serial(
    foreign: ForeignSerial, reason: RevocationReason, now: datetime
) -> Revocation:
    """The revocation of a certificate of which only its serial number is known."""
    revoked_at = now.replace(microsecond=0)
    return Revocation(
        issuer=foreign.issuer,
        serial=foreign.serial,
        certificate=None,
        revoked_at=revoked_at,
        reason=reason,
        entry=encode_crl_entry(foreign.serial, revoked_at, reason),
        listed_until=foreign.not_after,
        shard=foreign.shard,
    )


def release_of(certificate: IssuedCertificate, held_since: datetime, now: datetime) -> Release:
    """The release of a certificate held since an instant (RFC 5280 section 5.3.1: deltas say
    removeFromCRL)."""
    released_at = now.replace(microsecond=0)
    return Release(
        issuer=certificate.issuer,
        serial=certificate.serial,
        certificate=certificate.id,
        held_since=held_since,
        released_at=released_at,
        entry=encode_crl_entry(certificate.serial, released_at, RevocationReason.REMOVE_FROM_CRL),
        shard=certificate.shard,
    )


def listed_since(state: CrlState, now: datetime) -> datetime:
    """Entries whose `listed_until` is before this have stood in a list made a day or more after
    their month of expiry. The month stands in the serial, so that anybody who reads a list can
    tell whether an entry left too early, without the certificate.

    RFC 5280 section 3.3 wants one regularly scheduled list beyond the certificate's validity; the
    last list made is looked at too, because after an outage there may be none of that day.
    """
    day_ago = now - CRL_PERIOD
    ended = min(day_ago, state.previous_update or day_ago)
    return month_start(expiry_month(ended))


def is_scheduled(state: CrlState, now: datetime) -> bool:
    """Whether the next list of a scope is the day's: deltas start from it, and it is kept."""
    return state.base.number == 0 or now - state.base.made_at >= CRL_PERIOD - _EARLY


def is_last(state: CrlState, entries: int, now: datetime) -> bool:
    """Whether a shard's next list is its last: nothing in it is valid or listed any more."""
    ended = month_start(min(state.last_epoch + 1, LAST_MONTH))
    return state.closed and entries == 0 and now - ended > 2 * CRL_PERIOD


def complete_due(state: CrlState) -> datetime:
    """When the next complete list may be made."""
    return state.base.made_at + min(state.base.entries * PAUSE_FOR_ENTRY, PAUSE_MAXIMUM)
