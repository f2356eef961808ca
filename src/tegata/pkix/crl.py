"""Certificate revocation lists (RFC 5280 section 5)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Annotated

from tegata.kernel.signing import SignatureAlgorithm
from tegata.pkix import oids
from tegata.pkix.algorithms import algorithm_identifier
from tegata.pkix.der import (
    TLV,
    DerError,
    Explicit,
    Extension,
    GeneralizedTime,
    UTCTime,
    decode,
    encode_enumerated,
    encode_integer,
    encode_sequence,
    encode_time,
    explicit,
    read_time,
    sequence,
    whole,
)
from tegata.pkix.extensions import authority_key_identifier, encode_extension

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


def encode_crl_entry(serial: int, revoked_at: datetime, reason: RevocationReason) -> bytes:
    """One entry of revokedCertificates. No reasonCode for *unspecified* (section 5.3.1)."""
    extensions = b""
    if reason is not RevocationReason.UNSPECIFIED:
        code = encode_extension(oids.CRL_REASON, encode_enumerated(reason.number))
        extensions = encode_sequence(code)
    return encode_sequence(encode_integer(serial), encode_time(revoked_at), extensions)


def encode_tbs_cert_list(
    *,
    issuer: bytes,
    this_update: datetime,
    next_update: datetime,
    entries: Iterable[bytes],
    authority_key: bytes,
    number: int,
    signature_algorithm: SignatureAlgorithm,
) -> bytes:
    """A version 2 TBSCertList to be signed with an algorithm.

    `entries` are encoded already; `authority_key` is the issuer's key identifier.
    """
    joined = b"".join(entries)
    return encode_sequence(
        _VERSION_2,
        algorithm_identifier(signature_algorithm),
        issuer,
        encode_time(this_update),
        encode_time(next_update),
        # RFC 5280 section 5.1.2.6: an empty list MUST be absent.
        encode_sequence(joined) if joined else b"",
        explicit(
            0,
            encode_sequence(
                authority_key_identifier(authority_key),
                encode_extension(oids.CRL_NUMBER, encode_integer(number)),
            ),
        ),
    )


@dataclass(frozen=True, slots=True)
class TbsCertList:
    """A TBSCertList read back from its octets."""

    issuer: bytes
    signature: bytes
    this_update: datetime
    next_update: datetime
    serials: tuple[int, ...]
    number: int


@sequence
class _Entry:
    serial: int
    revoked_at: UTCTime | GeneralizedTime
    extensions: list[Extension] | None


@sequence
class _TbsCertList:
    version: int
    signature: TLV
    issuer: TLV
    this_update: UTCTime | GeneralizedTime
    next_update: UTCTime | GeneralizedTime
    entries: list[_Entry] | None
    extensions: Annotated[list[Extension], Explicit(0)]


def parse_tbs_cert_list(octets: bytes) -> TbsCertList:
    """Read a version 2 TBSCertList that has a CRL number; `DerError` for anything else."""
    tbs = decode(_TbsCertList, octets)
    extensions = {each.extension_id.dotted_string: each.value for each in tbs.extensions}
    if tbs.version != 1 or oids.CRL_NUMBER not in extensions:
        raise DerError("not a version 2 CRL with a number")
    if len(extensions) != len(tbs.extensions):
        raise DerError("an extension stands twice")
    if tbs.entries == []:  # RFC 5280 section 5.1.2.6: an empty list MUST be absent.
        raise DerError("an empty list of revoked certificates")
    return TbsCertList(
        issuer=whole(tbs.issuer),
        signature=whole(tbs.signature),
        this_update=read_time(tbs.this_update),
        next_update=read_time(tbs.next_update),
        serials=tuple(entry.serial for entry in tbs.entries or ()),
        number=decode(int, extensions[oids.CRL_NUMBER]),
    )
