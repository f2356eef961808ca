"""Certification requests (PKCS #10, RFC 2986)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key
from cryptography.x509 import ObjectIdentifier

from tegata.kernel.problem import Problem, ProblemCode
from tegata.pkix import oids
from tegata.pkix.algorithms import pss_digest, pss_key_digest
from tegata.pkix.certificate import parse_certificate
from tegata.pkix.der import (
    TLV,
    DerError,
    Extension,
    Implicit,
    SetOf,
    decode,
    decode_elements,
    sequence,
    whole,
)

MlDsaKey = mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey
RequestKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey | MlDsaKey

# Ten times what a request with a hundred names and an RSA-4096 key needs.
MAXIMUM_OCTETS = 64 * 1024

_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_UNSUPPORTED = (
    "the key, or how it signed, is malformed or none of RSA, P-256, P-384, P-521, Ed25519, ML-DSA"
)
_OWN_ALGORITHM = (
    (ed25519.Ed25519PublicKey, x509.SignatureAlgorithmOID.ED25519),
    (mldsa.MLDSA44PublicKey, x509.SignatureAlgorithmOID.ML_DSA_44),
    (mldsa.MLDSA65PublicKey, x509.SignatureAlgorithmOID.ML_DSA_65),
    (mldsa.MLDSA87PublicKey, x509.SignatureAlgorithmOID.ML_DSA_87),
)


@sequence
class _Attribute:
    attribute_type: ObjectIdentifier
    values: SetOf[TLV]


@sequence
class _RequestInfo:
    version: int
    subject: TLV
    public_key: TLV
    attributes: Annotated[SetOf[_Attribute], Implicit(0)]


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """A request whose proof of possession has been verified.

    `subject` and `public_key` are the DER octets of the request; `extensions` those asked for
    by its extensionRequest attribute (RFC 2985 section 5.4.2).
    """

    subject: bytes
    public_key: bytes
    key: RequestKey
    extensions: Mapping[str, Extension]


def parse_csr(pem: str) -> CertificateRequest:
    """Read a PEM request and verify its signature (RFC 2986 section 3).

    Raises `Problem` with csr.malformed, csr.unsupported-key or csr.bad-signature.
    """
    if len(pem) > MAXIMUM_OCTETS:
        raise Problem(
            ProblemCode.REQUEST_TOO_LARGE, f"a request has at most {MAXIMUM_OCTETS} octets"
        )
    if pem.count("-----BEGIN ") != 1:
        raise Problem(ProblemCode.CSR_MALFORMED, "not exactly one request in PEM")
    try:
        request = x509.load_pem_x509_csr(pem.encode("ascii"))
        info = decode(_RequestInfo, request.tbs_certrequest_bytes)
        extensions = _requested_extensions(info)
    except (ValueError, x509.InvalidVersion) as error:
        raise Problem(ProblemCode.CSR_MALFORMED, "not a DER PKCS #10 request in PEM") from error
    public_key = whole(info.public_key)
    key = _verify_possession(request, public_key)
    return CertificateRequest(whole(info.subject), public_key, key, extensions)


def _verify_possession(request: x509.CertificateSigningRequest, public_key: bytes) -> RequestKey:
    try:
        # Our own loading is a third of the time that the request's own check takes, because
        # that one decodes the key a second time.
        key = load_der_public_key(public_key)
        digest = request.signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Problem(ProblemCode.CSR_UNSUPPORTED_KEY, _UNSUPPORTED) from error
    if isinstance(digest, hashes.MD5 | hashes.SHA1):
        raise Problem(ProblemCode.CSR_BAD_SIGNATURE, "signed with MD5 or SHA-1")
    try:
        # The algorithm that the request names must be one of its key's, not just of its hash.
        parameters = request.signature_algorithm_parameters
        if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
            if isinstance(parameters, ec.ECDSA):
                key.verify(request.signature, request.tbs_certrequest_bytes, parameters)
                return key
        elif isinstance(key, rsa.RSAPublicKey) and digest is not None:
            if isinstance(parameters, padding.PSS | padding.PKCS1v15):
                _require_padding_fits(request, public_key, parameters)
                key.verify(request.signature, request.tbs_certrequest_bytes, parameters, digest)
                return key
        elif isinstance(key, ed25519.Ed25519PublicKey | MlDsaKey) and _makes(key, request):
            key.verify(request.signature, request.tbs_certrequest_bytes)
            return key
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError) as error:
        raise Problem(
            ProblemCode.CSR_BAD_SIGNATURE, "the signature does not prove possession of the key"
        ) from error
    raise Problem(ProblemCode.CSR_UNSUPPORTED_KEY, _UNSUPPORTED)


def _makes(
    key: ed25519.Ed25519PublicKey | MlDsaKey, request: x509.CertificateSigningRequest
) -> bool:
    # RFC 8410 section 6, RFC 9881 section 3: these algorithms are their keys' own.
    named = request.signature_algorithm_oid
    return any(isinstance(key, kind) and named == oid for kind, oid in _OWN_ALGORITHM)


def _require_padding_fits(
    request: x509.CertificateSigningRequest,
    public_key: bytes,
    padded: padding.PSS | padding.PKCS1v15,
) -> None:
    """Refuse RSASSA-PSS with parameters nobody should use, and a key for it used otherwise."""
    try:
        bound = pss_key_digest(public_key)
    except DerError as error:
        raise Problem(ProblemCode.CSR_UNSUPPORTED_KEY, str(error)) from error
    if isinstance(padded, padding.PKCS1v15):
        if bound is not None:
            raise Problem(
                ProblemCode.CSR_BAD_SIGNATURE, "the key is for RSASSA-PSS (RFC 4055 section 1.2)"
            )
        return
    # A salt may have any length here: requests of OpenSSL 3.0 have the longest that fits.
    identifier = parse_certificate(request.public_bytes(Encoding.DER)).algorithm
    digest = pss_digest(identifier)
    if digest is None:
        raise Problem(
            ProblemCode.CSR_BAD_SIGNATURE,
            "RSASSA-PSS takes SHA-256, SHA-384 or SHA-512, and the same for MGF1",
        )
    if bound and digest != bound:
        raise Problem(ProblemCode.CSR_BAD_SIGNATURE, f"the key is for RSASSA-PSS with {bound}")


def _requested_extensions(info: _RequestInfo) -> Mapping[str, Extension]:
    # RFC 2985 section 5.4.2: SINGLE VALUE; so the attribute, too, stands once.
    values = [
        value
        for attribute in info.attributes.as_list()
        if attribute.attribute_type.dotted_string == oids.EXTENSION_REQUEST
        for value in attribute.values.as_list() or (None,)
    ]
    if not values:
        return {}
    if len(values) > 1 or values[0] is None:
        raise DerError("one extensionRequest attribute has one value")
    found: dict[str, Extension] = {}
    for element in decode_elements(whole(values[0])):
        extension = decode(Extension, whole(element))
        name = extension.extension_id.dotted_string
        if name in found:
            raise DerError("an extension is asked for twice")
        found[name] = extension
    return found
