"""Online Certificate Status Protocol (RFC 6960, RFC 9919, RFC 9654)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Annotated

from cryptography.x509 import ObjectIdentifier

from tegata.kernel.signing import SignatureAlgorithm
from tegata.pkix import oids
from tegata.pkix.algorithms import algorithm_identifier
from tegata.pkix.crl import RevocationReason
from tegata.pkix.der import (
    NULL_VALUE,
    TLV,
    DerError,
    Explicit,
    Extension,
    GeneralizedTime,
    Null,
    decode,
    decode_elements,
    encode_bit_string,
    encode_enumerated,
    encode_generalized_time,
    encode_octet_string,
    encode_oid,
    encode_sequence,
    explicit,
    implicit,
    sequence,
    whole,
)
from tegata.pkix.extensions import encode_extension, subject_public_key


class ResponseStatus(IntEnum):
    """OCSPResponseStatus (RFC 6960 section 4.2.1)."""

    SUCCESSFUL = 0
    MALFORMED_REQUEST = 1
    INTERNAL_ERROR = 2
    TRY_LATER = 3
    SIG_REQUIRED = 5
    UNAUTHORIZED = 6


@sequence
class _HashAlgorithm:
    algorithm: ObjectIdentifier
    parameters: Null | None


@sequence
class _CertId:
    hash_algorithm: _HashAlgorithm
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    serial: int


@sequence
class _SingleResponse:
    cert_id: _CertId
    status: TLV
    this_update: GeneralizedTime
    next_update: Annotated[GeneralizedTime | None, Explicit(0)]


# RFC 9654 section 2.1: a responder takes nonces of 1 to 128 octets.
NONCE_MAXIMUM = 128
# More than this in one request buys nothing and costs a look-up each.
REQUESTS_MAXIMUM = 32

# The tags of version, requestorName, requestList and requestExtensions (section 4.1.1).
_REQUEST_FIELDS = (b"\xa0", b"\xa1", b"\x30", b"\xa2")

_HASHES: dict[str, Callable[[bytes], bytes]] = {
    # RFC 9919 section 2.1.1: clients still identify issuers by SHA-1; nothing rests on it.
    oids.SHA1: lambda octets: hashlib.sha1(octets, usedforsecurity=False).digest(),
    oids.SHA256: lambda octets: hashlib.sha256(octets).digest(),
}


@dataclass(frozen=True, slots=True)
class IssuerHashes:
    """An issuer's name and key under one hash algorithm: the first half of a CertID."""

    algorithm: str
    name_hash: bytes
    key_hash: bytes


@dataclass(frozen=True, slots=True)
class CertId:
    """A CertID (RFC 6960 section 4.1.1); `der` is the octets that a response echoes."""

    issuer: IssuerHashes
    serial: int
    der: bytes


@dataclass(frozen=True, slots=True)
class OcspRequest:
    """An OCSPRequest: what is asked, and the nonce if there is one."""

    cert_ids: tuple[CertId, ...]
    nonce: bytes | None


@dataclass(frozen=True, slots=True)
class SingleResponse:
    """The status of one certificate. `revoked` is its time and reason, or None."""

    cert_id: bytes
    revoked: tuple[datetime, RevocationReason] | None
    known: bool
    this_update: datetime
    next_update: datetime


@dataclass(frozen=True, slots=True)
class ResponseDataParts:
    """What a signer must know about the ResponseData that it is asked to sign."""

    responder_key_hash: bytes
    produced_at: datetime
    cert_ids: tuple[CertId, ...]


def issuer_hashes(name: bytes, public_key: bytes) -> tuple[IssuerHashes, ...]:
    """An issuer's hashes under every algorithm that requests may use."""
    key = subject_public_key(public_key)
    return tuple(
        IssuerHashes(algorithm, digest(name), digest(key)) for algorithm, digest in _HASHES.items()
    )


def responder_key_hash(public_key: bytes) -> bytes:
    """The KeyHash of a ResponderID: SHA-1, fixed by RFC 6960 section 4.2.1."""
    return _HASHES[oids.SHA1](subject_public_key(public_key))


def parse_ocsp_request(octets: bytes) -> OcspRequest:
    """Read an OCSPRequest; `DerError` when it is malformed. A signature on it is ignored."""
    tbs = _first_of(octets, followed_by=b"\xa0")
    cert_ids: tuple[CertId, ...] | None = None
    nonce = None
    fields = decode_elements(tbs)
    tags = [element.tag_bytes for element in fields]
    # SEQUENCE: each field once and in its place.
    if tags != [tag for tag in _REQUEST_FIELDS if tag in tags]:
        raise DerError("an unknown or misplaced field in TBSRequest")
    for element in fields:
        match element.tag_bytes:
            case b"\xa0":
                if decode(int, bytes(element.data)) != 0:
                    raise DerError("not a version 1 request")
            case b"\x30":
                cert_ids = tuple(
                    _requested(whole(each)) for each in decode_elements(whole(element))
                )
            case b"\xa2":
                nonce = _nonce(decode_elements(bytes(element.data)))
            case _:  # requestorName says nothing that we act on
                pass
    if not cert_ids or len(cert_ids) > REQUESTS_MAXIMUM:
        raise DerError(f"a request names 1 to {REQUESTS_MAXIMUM} certificates")
    return OcspRequest(cert_ids, nonce)


def encode_ocsp_request(cert_ids: Sequence[CertId]) -> bytes:
    """The request for certificates that says nothing else: what most clients send."""
    requests = (encode_sequence(cert_id.der) for cert_id in cert_ids)
    return encode_sequence(encode_sequence(encode_sequence(*requests)))


def _requested(request: bytes) -> CertId:
    return parse_cert_id(_first_of(request, followed_by=b"\xa0"))


def _first_of(octets: bytes, *, followed_by: bytes) -> bytes:
    # A SEQUENCE of one element and, optionally, one more under a tag of its own.
    elements = decode_elements(octets)
    if not elements or [element.tag_bytes for element in elements[1:]] not in ([], [followed_by]):
        raise DerError("an element is missing, or one too many is there")
    return whole(elements[0])


def parse_cert_id(octets: bytes) -> CertId:
    """Read a CertID."""
    cert_id = decode(_CertId, octets)
    algorithm = cert_id.hash_algorithm.algorithm.dotted_string
    hashes = IssuerHashes(algorithm, cert_id.issuer_name_hash, cert_id.issuer_key_hash)
    return CertId(hashes, cert_id.serial, octets)


def _nonce(extensions: Sequence[TLV]) -> bytes | None:
    nonces = []
    for element in extensions:
        extension = decode(Extension, whole(element))
        if extension.extension_id.dotted_string == oids.OCSP_NONCE:
            nonces.append(decode(bytes, extension.value))
        elif extension.critical:
            # RFC 5280 section 4.2, to which RFC 6960 section 4.4 refers.
            raise DerError("a critical extension that is not understood")
    if not nonces:
        return None
    if len(nonces) > 1 or not 1 <= len(nonces[0]) <= NONCE_MAXIMUM:
        raise DerError(f"one nonce, of 1 to {NONCE_MAXIMUM} octets (RFC 9654 section 2.1)")
    return nonces[0]


def encode_single_response(response: SingleResponse) -> bytes:
    """A SingleResponse (RFC 6960 section 4.2.1)."""
    if not response.known:
        status = implicit(2, b"")
    elif response.revoked is None:
        status = implicit(0, b"")
    else:
        revoked_at, reason = response.revoked
        code = explicit(0, encode_enumerated(reason.number))
        has_code = reason is not RevocationReason.UNSPECIFIED
        content = encode_generalized_time(revoked_at) + (code if has_code else b"")
        status = implicit(1, content, constructed=True)
    return encode_sequence(
        response.cert_id,
        status,
        encode_generalized_time(response.this_update),
        explicit(0, encode_generalized_time(response.next_update)),
    )


def encode_response_data(
    *,
    responder_key: bytes,
    produced_at: datetime,
    responses: Sequence[SingleResponse],
    nonce: bytes | None,
    extended_revoke: bool = False,
) -> bytes:
    """ResponseData (RFC 6960 section 4.2.1), its responder named by the hash of its key.

    `extended_revoke` says that *revoked* may mean "never issued" (section 4.4.8).
    """
    extensions = []
    if nonce is not None:
        extensions.append(encode_extension(oids.OCSP_NONCE, encode_octet_string(nonce)))
    if extended_revoke:
        extensions.append(encode_extension(oids.OCSP_EXTENDED_REVOKE, NULL_VALUE))
    return encode_sequence(
        explicit(2, encode_octet_string(responder_key_hash(responder_key))),
        encode_generalized_time(produced_at),
        encode_sequence(*(encode_single_response(response) for response in responses)),
        explicit(1, encode_sequence(*extensions)) if extensions else b"",
    )


def parse_response_data(octets: bytes) -> ResponseDataParts:
    """Read back what a signer checks; `DerError` unless the responder is named by its key."""
    elements = decode_elements(octets)
    if len(elements) < 3 or elements[0].tag_bytes != b"\xa2":
        raise DerError("the responder is not named by its key")
    responses = [
        decode(_SingleResponse, whole(each)) for each in decode_elements(whole(elements[2]))
    ]
    return ResponseDataParts(
        responder_key_hash=decode(bytes, bytes(elements[0].data)),
        produced_at=decode(GeneralizedTime, whole(elements[1])).as_datetime().astimezone(UTC),
        cert_ids=tuple(
            CertId(
                IssuerHashes(
                    response.cert_id.hash_algorithm.algorithm.dotted_string,
                    response.cert_id.issuer_name_hash,
                    response.cert_id.issuer_key_hash,
                ),
                response.cert_id.serial,
                b"",
            )
            for response in responses
        ),
    )


def encode_ocsp_response(
    response_data: bytes, algorithm: SignatureAlgorithm, signature: bytes, certificate: bytes
) -> bytes:
    """A successful OCSPResponse with the delegated responder's certificate."""
    basic = encode_sequence(
        response_data,
        algorithm_identifier(algorithm),
        encode_bit_string(signature),
        explicit(0, encode_sequence(certificate)),
    )
    body = encode_sequence(encode_oid(oids.OCSP_BASIC), encode_octet_string(basic))
    return encode_sequence(encode_enumerated(ResponseStatus.SUCCESSFUL), explicit(0, body))


def encode_ocsp_error(status: ResponseStatus) -> bytes:
    """An OCSPResponse with a status and nothing else (RFC 6960 section 2.3)."""
    return encode_sequence(encode_enumerated(status))
