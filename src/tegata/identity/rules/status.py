"""The check of revocation: what an OCSP answer or a CRL says, if it may say so at all."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from tegata.identity.reasons import Reason
from tegata.identity.rules.trust import Authority
from tegata.pkix import oids
from tegata.pkix.certificate import (
    CertificateParts,
    TbsCertificate,
    parse_certificate,
    parse_tbs_certificate,
)
from tegata.pkix.crl import RevocationReason
from tegata.pkix.crl_index import IndexedCrl, index_crl
from tegata.pkix.der import (
    NULL_VALUE,
    DerError,
    encode_integer,
    encode_octet_string,
    encode_oid,
    encode_sequence,
    explicit,
)
from tegata.pkix.extensions import encode_extension, parse_extended_key_usage
from tegata.pkix.jpki import JpkiCertificate, parse_issuing_point
from tegata.pkix.ocsp import ResponseStatus, responder_key_hash
from tegata.pkix.ocsp_response import BasicResponse, CertificateAnswer, parse_ocsp_response
from tegata.pkix.signatures import SignatureInvalid, verify_parts

NONCE_OCTETS: Final = 32
# How far two clocks may differ.
_SKEW: Final = timedelta(minutes=5)
# An answer without nextUpdate says that newer information is always to be had (RFC 6960 section
# 4.2.2.1): it is taken for as long as a list's day.
_DAY: Final = timedelta(days=1)

_REVOKED: Final = {
    RevocationReason.UNSPECIFIED: Reason.REVOKED_WITHDRAWN,
    RevocationReason.KEY_COMPROMISE: Reason.REVOKED_KEY,
    RevocationReason.CA_COMPROMISE: Reason.REVOKED_CA,
    RevocationReason.AFFILIATION_CHANGED: Reason.REVOKED_CHANGED,
    RevocationReason.SUPERSEDED: Reason.REVOKED_RENEWED,
    RevocationReason.CESSATION_OF_OPERATION: Reason.REVOKED_CEASED,
    RevocationReason.CERTIFICATE_HOLD: Reason.REVOKED_HELD,
}


@dataclass(frozen=True, slots=True)
class StatusFinding:
    """What is known of a certificate's status. `reason` is None for *good*; `as_of` is the
    information's own thisUpdate or producedAt; `revoked_at` since when it is revoked."""

    reason: Reason | None
    source: str
    evidence: bytes = b""
    as_of: datetime | None = None
    revoked_at: datetime | None = None


def revoked_reason(reason: RevocationReason) -> Reason:
    """What a CRLReason means to a person."""
    return _REVOKED.get(reason, Reason.REVOKED_OTHER)


def encode_status_request(authority: Authority, serial: int, nonce: bytes) -> bytes:
    """The OCSPRequest for one certificate, its CertID under SHA-256, with a nonce (RFC 9654)."""
    request = encode_sequence(_cert_id(authority, serial))
    extension = encode_extension(oids.OCSP_NONCE, encode_octet_string(nonce))
    return encode_sequence(
        encode_sequence(encode_sequence(request), explicit(2, encode_sequence(extension)))
    )


def _cert_id(authority: Authority, serial: int) -> bytes:
    hashes = authority.hashes
    return encode_sequence(
        encode_sequence(encode_oid(hashes.algorithm), NULL_VALUE),
        encode_octet_string(hashes.name_hash),
        encode_octet_string(hashes.key_hash),
        encode_integer(serial),
    )


def judge_ocsp(
    octets: bytes, authority: Authority, serial: int, nonce: bytes, now: datetime
) -> StatusFinding:
    """What an OCSPResponse says of a certificate, after RFC 6960 section 3.2."""
    evidence = hashlib.sha256(octets).digest()

    def finding(reason: Reason | None, **known: datetime) -> StatusFinding:
        return StatusFinding(reason, "ocsp", evidence, **known)

    try:
        status, response = parse_ocsp_response(octets)
        if response is None:
            later = status is ResponseStatus.TRY_LATER
            return finding(Reason.STATUS_TRY_LATER if later else Reason.STATUS_UNAVAILABLE)
        _require_responder(response, authority, now)
    except (DerError, SignatureInvalid):
        return finding(Reason.STATUS_NOT_AUTHENTIC)
    answers = [each for each in response.answers if _is_about(each, authority, serial)]
    if len(answers) != 1 or response.nonce != nonce:
        # An answer about another certificate, or an earlier one played again.
        return finding(Reason.STATUS_NOT_AUTHENTIC)
    answer = answers[0]
    ends = answer.next_update or answer.this_update + _DAY
    if answer.this_update > now + _SKEW or ends < now - _SKEW:
        return finding(Reason.STATUS_STALE, as_of=response.produced_at)
    if not answer.known:
        return finding(Reason.STATUS_UNKNOWN, as_of=response.produced_at)
    if answer.revoked is None:
        return finding(None, as_of=response.produced_at)
    revoked_at, reason = answer.revoked
    return finding(revoked_reason(reason), as_of=response.produced_at, revoked_at=revoked_at)


def _is_about(answer: CertificateAnswer, authority: Authority, serial: int) -> bool:
    return answer.cert_id.serial == serial and answer.cert_id.issuer == authority.hashes


def _require_responder(response: BasicResponse, authority: Authority, now: datetime) -> None:
    """`SignatureInvalid` unless the issuer, or whom it delegated to, signed (section 4.2.2.2)."""
    own = (response.responder_name, response.responder_key_hash)
    if own in ((authority.name, b""), (b"", responder_key_hash(authority.public_key))):
        key = authority.public_key
    else:
        if len(response.certificates) != 1:
            raise SignatureInvalid("the responder's certificate is not there")
        tbs = _delegate(response.certificates[0], authority.public_key)
        if not tbs.not_before <= now <= tbs.not_after or tbs.issuer != authority.name:
            raise SignatureInvalid("the responder's certificate is not valid")
        if own not in ((tbs.subject, b""), (b"", responder_key_hash(tbs.public_key))):
            raise SignatureInvalid("the responder names somebody else")
        key = tbs.public_key
    signed = CertificateParts(response.tbs, response.algorithm, response.signature)
    verify_parts(signed, response.algorithm, key)


@lru_cache(maxsize=64)
def _delegate(octets: bytes, issuer_key: bytes) -> TbsCertificate:
    parts = parse_certificate(octets)
    tbs = parse_tbs_certificate(parts.tbs)
    verify_parts(parts, tbs.signature, issuer_key)
    usage = tbs.extensions.get(oids.EXTENDED_KEY_USAGE)
    if usage is None or oids.OCSP_SIGNING not in parse_extended_key_usage(usage.value):
        raise SignatureInvalid("the certificate is not an OCSP responder's")
    return tbs


@dataclass(frozen=True, slots=True)
class TrustedList:
    """A CRL whose signature and scope were verified, indexed; `digest` is SHA-256 of it whole."""

    index: IndexedCrl
    digest: bytes


def open_list(octets: bytes, authority: Authority, point: bytes) -> TrustedList | Reason:
    """A CRL that an authority signed for a distribution point, or why it is not one."""
    try:
        parts = parse_certificate(octets)
        index = index_crl(parts.tbs)
        verify_parts(parts, index.signature, authority.public_key)
        scope = index.extensions.get(oids.ISSUING_DISTRIBUTION_POINT)
        if index.issuer != authority.name:
            return Reason.STATUS_NOT_AUTHENTIC
        if scope is not None and parse_issuing_point(scope.value) != point:
            # RFC 5280 section 6.3.3 (b)(2): the list is for other certificates.
            return Reason.STATUS_NOT_AUTHENTIC
    except (DerError, SignatureInvalid):
        return Reason.STATUS_NOT_AUTHENTIC
    return TrustedList(index, hashlib.sha256(octets).digest())


def judge_list(found: TrustedList, serial: int, now: datetime) -> StatusFinding:
    """What a CRL says of a certificate at an instant."""
    index = found.index
    as_of = index.this_update
    if as_of > now + _SKEW or index.next_update < now:
        return StatusFinding(Reason.STATUS_STALE, "crl", found.digest, as_of)
    try:
        entry = index.find(serial)
    except DerError:
        return StatusFinding(Reason.STATUS_NOT_AUTHENTIC, "crl", found.digest, as_of)
    if entry is None:
        return StatusFinding(None, "crl", found.digest, as_of)
    reason = revoked_reason(entry.reason)
    return StatusFinding(reason, "crl", found.digest, as_of, entry.revoked_at)


def list_key(certificate: JpkiCertificate) -> tuple[bytes, bytes]:
    """Under what a certificate's list is kept: its authority's key, and its distribution point."""
    return certificate.issuer.key_identifier, certificate.distribution_point
