"""An OCSPResponse as a client reads it (RFC 6960 section 4.2.1). Nothing here is verified."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from tegata.pkix import oids
from tegata.pkix.crl import REASON_BY_NUMBER, RevocationReason
from tegata.pkix.der import (
    BIT_STRING,
    ENUMERATED,
    GENERALIZED_TIME,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    DerError,
    GeneralizedTime,
    content_of,
    decode,
    dotted,
    split,
    split_extensions,
    split_integer,
    wrap,
)
from tegata.pkix.ocsp import CertId, ResponseStatus, parse_cert_id

_GOOD, _REVOKED, _UNKNOWN = 0x80, 0xA1, 0x82


@dataclass(frozen=True, slots=True)
class CertificateAnswer:
    """A SingleResponse. `known` is false for *unknown*; `revoked` has time and reason."""

    cert_id: CertId
    known: bool
    revoked: tuple[datetime, RevocationReason] | None
    this_update: datetime
    next_update: datetime | None


@dataclass(frozen=True, slots=True)
class BasicResponse:
    """A BasicOCSPResponse. `tbs` is what was signed; of the responder's two names one is given,
    the other empty; `certificates` are whoever's came along."""

    tbs: bytes
    responder_name: bytes
    responder_key_hash: bytes
    produced_at: datetime
    answers: tuple[CertificateAnswer, ...]
    nonce: bytes | None
    algorithm: bytes
    signature: bytes
    certificates: tuple[bytes, ...]


def parse_ocsp_response(octets: bytes) -> tuple[ResponseStatus, BasicResponse | None]:
    """A response's status, and what it answers if it was successful; `DerError`."""
    fields = split(content_of(octets, SEQUENCE))
    if not fields or fields[0][0] != ENUMERATED:
        raise DerError("not an OCSPResponse")
    try:
        status = ResponseStatus(split_integer(fields[0][1]))
    except ValueError as error:
        raise DerError("an unknown OCSPResponseStatus") from error
    if (status is ResponseStatus.SUCCESSFUL) != (len(fields) == 2) or len(fields) > 2:
        raise DerError("responseBytes belong to successful responses")
    if status is not ResponseStatus.SUCCESSFUL:
        return status, None
    if fields[1][0] != 0xA0:
        raise DerError("not responseBytes")
    kind = split(content_of(fields[1][1], SEQUENCE))
    if [tag for tag, _content in kind] != [OBJECT_IDENTIFIER, OCTET_STRING]:
        raise DerError("not responseBytes")
    if dotted(kind[0][1]) != oids.OCSP_BASIC:
        raise DerError("not a basic response")
    return status, _basic(kind[1][1])


def _basic(octets: bytes) -> BasicResponse:
    fields = split(content_of(octets, SEQUENCE))
    if [tag for tag, _content in fields[:3]] != [SEQUENCE, SEQUENCE, BIT_STRING]:
        raise DerError("not a BasicOCSPResponse")
    certificates: tuple[bytes, ...] = ()
    if len(fields) == 4 and fields[3][0] == 0xA0:
        listed = split(content_of(fields[3][1], SEQUENCE))
        certificates = tuple(wrap(*each) for each in listed)
    elif len(fields) != 3:
        raise DerError("not a BasicOCSPResponse")
    if fields[2][1][:1] != b"\x00":
        raise DerError("a signature is whole octets")
    return _data(fields[0][1], wrap(*fields[1]), fields[2][1][1:], certificates)


def _data(
    content: bytes, algorithm: bytes, signature: bytes, certificates: tuple[bytes, ...]
) -> BasicResponse:
    fields = split(content)
    nonce = None
    if len(fields) == 4 and fields[3][0] == 0xA1:
        for name, extension in split_extensions(content_of(fields.pop()[1], SEQUENCE)):
            if name == oids.OCSP_NONCE:
                nonce = content_of(extension.value, OCTET_STRING)
            elif extension.critical:
                raise DerError("a critical extension that is not understood")
    if len(fields) != 3 or fields[0][0] not in (0xA1, 0xA2) or fields[2][0] != SEQUENCE:
        raise DerError("not a version 1 ResponseData")
    by_key = fields[0][0] == 0xA2
    return BasicResponse(
        tbs=wrap(SEQUENCE, content),
        responder_name=b"" if by_key else fields[0][1],
        responder_key_hash=content_of(fields[0][1], OCTET_STRING) if by_key else b"",
        produced_at=_time(*fields[1]),
        answers=tuple(_answer(*each) for each in split(fields[2][1])),
        nonce=nonce,
        algorithm=algorithm,
        signature=signature,
        certificates=certificates,
    )


def _answer(tag: int, content: bytes) -> CertificateAnswer:
    fields = split(content)
    if tag != SEQUENCE or not 3 <= len(fields) <= 5:
        raise DerError("not a SingleResponse")
    (id_tag, cert_id), (status, detail), this_update, *rest = fields
    if status not in (_GOOD, _REVOKED, _UNKNOWN) or (status != _REVOKED and detail):
        raise DerError("not a CertStatus")
    next_update = None
    if rest and rest[0][0] == 0xA0:
        next_update = _time(*split(rest.pop(0)[1])[0])
    if rest and rest[0][0] == 0xA1:
        extensions = split_extensions(content_of(rest.pop(0)[1], SEQUENCE))
        if any(extension.critical for _name, extension in extensions):
            raise DerError("a critical extension that is not understood")
    if rest:
        raise DerError("not a SingleResponse")
    return CertificateAnswer(
        cert_id=parse_cert_id(wrap(id_tag, cert_id)),
        known=status != _UNKNOWN,
        revoked=_revoked(detail) if status == _REVOKED else None,
        this_update=_time(*this_update),
        next_update=next_update,
    )


def _revoked(content: bytes) -> tuple[datetime, RevocationReason]:
    fields = split(content)
    if len(fields) not in (1, 2):
        raise DerError("not a RevokedInfo")
    reason = RevocationReason.UNSPECIFIED
    if len(fields) == 2:
        number = split_integer(content_of(fields[1][1], ENUMERATED))
        if fields[1][0] != 0xA0 or number not in REASON_BY_NUMBER:
            raise DerError("not a CRLReason")
        reason = REASON_BY_NUMBER[number]
    return _time(*fields[0]), reason


def _time(tag: int, content: bytes) -> datetime:
    if tag != GENERALIZED_TIME:
        raise DerError("not a GeneralizedTime")
    return decode(GeneralizedTime, wrap(tag, content)).as_datetime().astimezone(UTC)
