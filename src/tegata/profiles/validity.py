"""Rules for the validity period (RFC 5280 section 4.1.2.5)."""

from __future__ import annotations

from datetime import timedelta

from tegata.kernel.finding import Finding
from tegata.profiles.model import NO_EXPIRATION, Subject, error


def validity_in_order(subject: Subject) -> Finding | None:
    """notBefore must not be later than notAfter."""
    if subject.tbs.not_before <= subject.tbs.not_after:
        return None
    return error(
        "validity.reversed", "RFC 5280 section 4.1.2.5", "notBefore is later than notAfter"
    )


def validity_within_profile(subject: Subject) -> Finding | None:
    """The validity period must not exceed the profile's maximum."""
    if subject.profile.no_expiration:
        if subject.tbs.not_after == NO_EXPIRATION:
            return None
        return error(
            "validity.expires",
            "RFC 5280 section 4.1.2.5",
            f"notAfter of {subject.profile.name} is 99991231235959Z",
        )
    # notAfter is inclusive: the period lasts one second longer than the difference.
    period = subject.tbs.not_after - subject.tbs.not_before + timedelta(seconds=1)
    if period <= subject.profile.max_validity:
        return None
    return error(
        "validity.too-long",
        "RFC 5280 section 4.1.2.5",
        f"period {period} exceeds {subject.profile.name} maximum {subject.profile.max_validity}",
    )


def validity_within_issuer(subject: Subject) -> Finding | None:
    """A certificate must not outlive its issuer: its status could no longer be signed.

    One without an expiration date does by its nature (IEEE 802.1AR): its path ends first.
    """
    end = None if subject.profile.no_expiration else subject.issuer.not_after
    if end is None or subject.tbs.not_after <= end:
        return None
    return error(
        "validity.exceeds-issuer",
        "RFC 5280 section 6.1.3",
        f"notAfter is later than the issuer's, {end:%Y-%m-%dT%H:%M:%SZ}",
    )
