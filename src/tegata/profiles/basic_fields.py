"""Rules for the fields of every TBSCertificate (RFC 5280 section 4.1.2)."""

from __future__ import annotations

from tegata.kernel.finding import Finding
from tegata.pkix.algorithms import algorithm_identifier
from tegata.profiles.model import Subject, error


def version_is_3(subject: Subject) -> Finding | None:
    """A certificate with extensions is version 3."""
    if subject.tbs.version == 2:
        return None
    return error("version.not-3", "RFC 5280 section 4.1.2.1", "version must be 3")


def serial_number_in_bounds(subject: Subject) -> Finding | None:
    """A serial number is positive and has at most 20 octets."""
    serial = subject.tbs.serial
    # 159 bits fit 20 octets with the sign bit clear.
    if serial > 0 and serial.bit_length() <= 159:
        return None
    return error(
        "serial-number.out-of-bounds",
        "RFC 5280 section 4.1.2.2",
        "the serial number must be positive and have at most 20 octets",
    )


def signature_algorithm_allowed(subject: Subject) -> Finding | None:
    """The signature algorithm is the one that the issuer's key signs with."""
    expected = subject.issuer.signature_algorithm
    if subject.tbs.signature == algorithm_identifier(expected):
        return None
    return error(
        "signature.algorithm-not-allowed",
        "RFC 5280 section 4.1.2.3",
        f"the signature algorithm must be the issuer's: {expected}, octet for octet",
    )


def issuer_name_matches(subject: Subject) -> Finding | None:
    """The issuer field is the issuing CA's subject, octet for octet."""
    if subject.tbs.issuer == subject.issuer.subject:
        return None
    return error(
        "issuer.not-the-issuer", "RFC 5280 section 4.1.2.4", "the issuer must be the CA's subject"
    )


def self_signed_as_profiled(subject: Subject) -> Finding | None:
    """Only a root names itself as its issuer, and a root does."""
    if (subject.tbs.subject == subject.tbs.issuer) == subject.profile.self_signed:
        return None
    return error(
        "subject.self-issued",
        "RFC 5280 section 3.2",
        "subject and issuer must be equal for a root, and only for a root",
    )
