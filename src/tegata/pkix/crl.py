"""Certificate revocation lists (RFC 5280 section 5): complete, of one distribution point, delta."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from tegata.kernel.signing import SignatureAlgorithm
from tegata.pkix import oids
from tegata.pkix.algorithms import algorithm_identifier
from tegata.pkix.der import (
    encode_enumerated,
    encode_generalized_time,
    encode_integer,
    encode_sequence,
    encode_time,
    explicit,
    length,
)
from tegata.pkix.extensions import (
    authority_key_identifier,
    distribution_point_name,
    encode_extension,
    freshest_crl,
)

_VERSION_2 = encode_integer(1)


class RevocationReason(Enum):
    """CRLReason (RFC 5280 section 5.3.1): its name there, and its number."""

    UNSPECIFIED = ("unspecified", 0)
    KEY_COMPROMISE = ("keyCompromise", 1)
    CA_COMPROMISE = ("cACompromise", 2)
    AFFILIATION_CHANGED = ("affiliationChanged", 3)
    SUPERSEDED = ("superseded", 4)
    CESSATION_OF_OPERATION = ("cessationOfOperation", 5)
    CERTIFICATE_HOLD = ("certificateHold", 6)
    REMOVE_FROM_CRL = ("removeFromCRL", 8)
    PRIVILEGE_WITHDRAWN = ("privilegeWithdrawn", 9)
    AA_COMPROMISE = ("aACompromise", 10)

    @property
    def text(self) -> str:
        """The name RFC 5280 gives the reason."""
        return self.value[0]

    @property
    def number(self) -> int:
        """The reason's number."""
        return self.value[1]


REASON_BY_NAME = {reason.text: reason for reason in RevocationReason}
REASON_BY_NUMBER = {reason.number: reason for reason in RevocationReason}


def encode_crl_entry(
    serial: int,
    revoked_at: datetime,
    reason: RevocationReason,
    invalid_since: datetime | None = None,
) -> bytes:
    """One entry of revokedCertificates. No reasonCode for *unspecified* (section 5.3.1);
    invalidityDate, a GeneralizedTime, where one is known (section 5.3.2)."""
    extensions = b""
    if reason is not RevocationReason.UNSPECIFIED:
        extensions += encode_extension(oids.CRL_REASON, encode_enumerated(reason.number))
    if invalid_since is not None:
        extensions += encode_extension(oids.INVALIDITY_DATE, encode_generalized_time(invalid_since))
    return encode_sequence(
        encode_integer(serial),
        encode_time(revoked_at),
        encode_sequence(extensions) if extensions else b"",
    )


def entry_serial(entry: bytes) -> int:
    """The serial number of an entry that `encode_crl_entry` made: both its lengths are short."""
    return int.from_bytes(entry[4 : 4 + entry[3]], "big")


@dataclass(frozen=True, slots=True)
class CrlScope:
    """What makes a list more than a plain complete one.

    `point` is the URL of the one distribution point it is for (section 5.2.5), `base` the number
    of the complete list a delta starts from (section 5.2.4), `freshest` where a complete list's
    delta is (section 5.2.6).
    """

    point: str | None = None
    base: int | None = None
    freshest: str | None = None

    def encode(self) -> bytes:
        """The extensions that say so."""
        extensions = b""
        if self.point is not None:
            name = encode_sequence(distribution_point_name(self.point))
            extensions += encode_extension(oids.ISSUING_DISTRIBUTION_POINT, name, critical=True)
        if self.base is not None:
            number = encode_integer(self.base)
            extensions += encode_extension(oids.DELTA_CRL_INDICATOR, number, critical=True)
        if self.freshest is not None:
            extensions += freshest_crl(self.freshest)
        return extensions


COMPLETE = CrlScope()


def encode_tbs_cert_list(
    *,
    issuer: bytes,
    this_update: datetime,
    next_update: datetime,
    entries: Iterable[bytes],
    authority_key: bytes,
    number: int,
    signature_algorithm: SignatureAlgorithm,
    scope: CrlScope = COMPLETE,
) -> bytes:
    """A version 2 TBSCertList to be signed with an algorithm.

    `entries` are encoded already, one or many in each item; `authority_key` is the issuer's key
    identifier. The list is joined once: it may be tens of megabytes.
    """
    parts = [
        _VERSION_2,
        algorithm_identifier(signature_algorithm),
        issuer,
        encode_time(this_update),
        encode_time(next_update),
    ]
    listed = [each for each in entries if each]
    # RFC 5280 section 5.1.2.6: an empty list MUST be absent.
    if listed:
        parts += [b"\x30" + length(sum(map(len, listed))), *listed]
    extensions = encode_sequence(
        authority_key_identifier(authority_key),
        encode_extension(oids.CRL_NUMBER, encode_integer(number)),
        scope.encode(),
    )
    parts.append(explicit(0, extensions))
    return b"".join((b"\x30" + length(sum(map(len, parts))), *parts))
