"""Verifies other people's time-stamp answers: status, nonce, imprint, signature, path (RFC 3161
section 2.4.2, RFC 5280 section 6.1).

Tokens are read in DER. The status of the certificates is not looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from tegata.pkix import oids
from tegata.pkix.algorithms import pss_digest
from tegata.pkix.der import SEQUENCE, DerError, content_of, dotted, split
from tegata.pkix.tsp import (
    FailureInfo,
    PkiStatus,
    TimeStampRequest,
    TstInfo,
    parse_time_stamp_response,
    parse_tst_info,
)
from tegata.pkix.tsp_token import (
    SignedToken,
    issuer_and_serial,
    parse_signed_attributes,
    parse_token,
)

_PATH_MAXIMUM = 8
_Hash = hashes.SHA256 | hashes.SHA384 | hashes.SHA512
_HASHES: Final[Mapping[str, _Hash]] = {
    oids.SHA256: hashes.SHA256(),
    oids.SHA384: hashes.SHA384(),
    oids.SHA512: hashes.SHA512(),
}
# What a signature algorithm hashes with; None where the digest algorithm says it (RFC 3370
# section 3.2).
_RSA: Final[Mapping[str, str | None]] = {
    oids.RSA_ENCRYPTION: None,
    oids.SHA256_WITH_RSA: oids.SHA256,
    oids.SHA384_WITH_RSA: oids.SHA384,
    oids.SHA512_WITH_RSA: oids.SHA512,
}
_ECDSA: Final[Mapping[str, str]] = {
    oids.ECDSA_WITH_SHA256: oids.SHA256,
    oids.ECDSA_WITH_SHA384: oids.SHA384,
    oids.ECDSA_WITH_SHA512: oids.SHA512,
}
_NAMES: Final = {each.name: oid for oid, each in _HASHES.items()}
_CERTIFICATE_HASHES: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    # An ESSCertID of before RFC 5816: it names the certificate, whose signature is verified.
    oids.SHA1: lambda octets: hashlib.sha1(octets, usedforsecurity=False).digest(),
    oids.SHA256: lambda octets: hashlib.sha256(octets).digest(),
    oids.SHA384: lambda octets: hashlib.sha384(octets).digest(),
    oids.SHA512: lambda octets: hashlib.sha512(octets).digest(),
}


class TokenFault(StrEnum):
    """What is wrong with an answer."""

    MALFORMED = "malformed"
    REFUSED = "refused"
    NONCE = "nonce"
    IMPRINT = "imprint"
    SIGNATURE = "signature"
    CERTIFICATE = "certificate"


class TokenInvalid(ValueError):
    """An answer that proves nothing; `fault` says why in a word."""

    def __init__(self, fault: TokenFault, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """A token that a trusted authority signed, and its signer's certificate (DER)."""

    info: TstInfo
    certificate: bytes


def verify_response(
    octets: bytes, request: TimeStampRequest, anchors: Sequence[bytes]
) -> VerifiedToken:
    """Verify an answer to a request, its signer's path up to one of the anchors (certificates,
    DER) at the token's own time. Raises `TokenInvalid`. Whether that time can be is for the caller
    to say."""
    try:
        return _verify(octets, request, anchors)
    except (DerError, IndexError) as error:
        raise TokenInvalid(TokenFault.MALFORMED, str(error)) from error


def _verify(octets: bytes, request: TimeStampRequest, anchors: Sequence[bytes]) -> VerifiedToken:
    response = parse_time_stamp_response(octets)
    if response.status not in (PkiStatus.GRANTED, PkiStatus.GRANTED_WITH_MODS):
        names = [each.name for each in FailureInfo if each in response.failures]
        said = f"status {response.status} {' '.join(names)} {response.text}".strip()
        raise TokenInvalid(TokenFault.REFUSED, said[:200])
    if response.token is None:
        raise TokenInvalid(TokenFault.MALFORMED, "granted, without a token")
    token = parse_token(response.token)
    info = parse_tst_info(token.info)
    if info.nonce != request.nonce:
        raise TokenInvalid(TokenFault.NONCE, "the nonce is another request's")
    imprint = info.imprint.algorithm, info.imprint.digest
    if imprint != (request.imprint.algorithm, request.imprint.digest):
        raise TokenInvalid(TokenFault.IMPRINT, "the imprint is another document's")
    signer = _signer(token)
    _verify_attributes(token, signer)
    _verify_signature(token, signer)
    _verify_path(signer, token.certificates, anchors, info.gen_time)
    return VerifiedToken(info, signer)


def _signer(token: SignedToken) -> bytes:
    for certificate in token.certificates:
        if issuer_and_serial(certificate) == (token.issuer, token.serial):
            return certificate
    raise TokenInvalid(TokenFault.CERTIFICATE, "the signer's certificate is not in the token")


def _verify_attributes(token: SignedToken, signer: bytes) -> None:
    signed = parse_signed_attributes(token.attributes)
    if signed.content_type != oids.TST_INFO:
        raise TokenInvalid(TokenFault.SIGNATURE, "signed as something else than a TSTInfo")
    if signed.message_digest != _digest(token.digest_algorithm, token.info):
        raise TokenInvalid(TokenFault.SIGNATURE, "the digest is not the TSTInfo's")
    for algorithm, value in signed.certificate_hashes:
        digest = _CERTIFICATE_HASHES.get(algorithm)
        if digest is None or digest(signer) != value:
            raise TokenInvalid(TokenFault.SIGNATURE, "signed by another certificate")


def _digest(algorithm: str, octets: bytes) -> bytes:
    if algorithm not in _HASHES:
        raise TokenInvalid(TokenFault.SIGNATURE, "a digest algorithm that is not accepted")
    return _CERTIFICATE_HASHES[algorithm](octets)


def _verify_signature(token: SignedToken, signer: bytes) -> None:
    try:
        key = x509.load_der_x509_certificate(signer).public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TokenInvalid(TokenFault.CERTIFICATE, "the signer's key is not readable") from error
    name = dotted(split(content_of(token.signature_algorithm, SEQUENCE))[0][1])
    try:
        if isinstance(key, rsa.RSAPublicKey) and name in _RSA:
            chosen = _HASHES[_RSA[name] or token.digest_algorithm]
            key.verify(token.signature, token.attributes, padding.PKCS1v15(), chosen)
        elif isinstance(key, rsa.RSAPublicKey) and name == oids.RSASSA_PSS:
            salted = _HASHES[_NAMES[pss_digest(token.signature_algorithm) or ""]]
            scheme = padding.PSS(padding.MGF1(salted), padding.PSS.AUTO)
            key.verify(token.signature, token.attributes, scheme, salted)
        elif isinstance(key, ec.EllipticCurvePublicKey) and name in _ECDSA:
            key.verify(token.signature, token.attributes, ec.ECDSA(_HASHES[_ECDSA[name]]))
        elif isinstance(key, ed25519.Ed25519PublicKey) and name == oids.ED25519:
            key.verify(token.signature, token.attributes)
        else:
            raise TokenInvalid(TokenFault.SIGNATURE, "a signature algorithm that is not accepted")
    except (InvalidSignature, KeyError) as error:
        raise TokenInvalid(TokenFault.SIGNATURE, "the signature does not verify") from error


def _verify_path(
    signer: bytes,
    sent: Sequence[bytes],
    anchors: Sequence[bytes],
    at: datetime,
) -> None:
    try:
        current = x509.load_der_x509_certificate(signer)
        between = [x509.load_der_x509_certificate(each) for each in sent]
        trusted = [x509.load_der_x509_certificate(each) for each in anchors]
        _require_stamper(current)
        for _step in range(_PATH_MAXIMUM):
            if not current.not_valid_before_utc <= at <= current.not_valid_after_utc:
                raise TokenInvalid(
                    TokenFault.CERTIFICATE, "a certificate is not valid at that time"
                )
            if any(_issued(anchor, current, at) for anchor in trusted):
                return
            above = next((each for each in between if _issued(each, current, at)), None)
            if above is None:
                break
            current = above
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        if isinstance(error, TokenInvalid):
            raise
        raise TokenInvalid(TokenFault.CERTIFICATE, "a certificate is not readable") from error
    raise TokenInvalid(TokenFault.CERTIFICATE, "the signer's path leads to no trusted authority")


def _require_stamper(certificate: x509.Certificate) -> None:
    """RFC 3161 section 2.3: for time-stamping and nothing else, and critical."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound as error:
        raise TokenInvalid(TokenFault.CERTIFICATE, "not a time-stamping certificate") from error
    if list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING] or not usage.critical:
        raise TokenInvalid(TokenFault.CERTIFICATE, "not a time-stamping certificate")


def _issued(above: x509.Certificate, below: x509.Certificate, at: datetime) -> bool:
    """Whether a CA's certificate, valid at an instant, is the one that another was made with."""
    try:
        below.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    if not above.not_valid_before_utc <= at <= above.not_valid_after_utc:
        return False
    try:
        constraints = above.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return False
    try:
        usage = above.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return bool(constraints.ca)
    return bool(constraints.ca and usage.key_cert_sign)
