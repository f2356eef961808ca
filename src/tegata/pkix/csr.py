"""Certification requests (PKCS #10, RFC 2986)."""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key

from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.signing import SignatureAlgorithm
from tegata.pkix import oids
from tegata.pkix.algorithms import algorithm_identifier, pss_digest, pss_key_digest
from tegata.pkix.certificate import parse_certificate
from tegata.pkix.der import (
    BIT_STRING,
    INTEGER,
    OBJECT_IDENTIFIER,
    SEQUENCE,
    SET,
    CertificateExtension,
    DerError,
    content_of,
    dotted,
    split,
    split_extensions,
    wrap,
)

_PEM = re.compile(
    r"-----BEGIN (?P<begin>(?:NEW )?CERTIFICATE REQUEST)-----\s(?P<text>[A-Za-z0-9+/=\s]*)"
    r"-----END (?P<end>(?:NEW )?CERTIFICATE REQUEST)-----"
)
# version, subject, subjectPKInfo, attributes (RFC 2986 section 4.1).
_INFO_TAGS = [INTEGER, SEQUENCE, SEQUENCE, 0xA0]
_ECDSA = {
    algorithm_identifier(SignatureAlgorithm.ECDSA_SHA256): ec.ECDSA(hashes.SHA256()),
    algorithm_identifier(SignatureAlgorithm.ECDSA_SHA384): ec.ECDSA(hashes.SHA384()),
    algorithm_identifier(SignatureAlgorithm.ECDSA_SHA512): ec.ECDSA(hashes.SHA512()),
}

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


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """A request whose proof of possession has been verified.

    `subject` and `public_key` are the DER octets of the request; `extensions` those asked for
    by its extensionRequest attribute (RFC 2985 section 5.4.2).
    """

    subject: bytes
    public_key: bytes
    key: RequestKey
    extensions: Mapping[str, CertificateExtension]


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
        octets = _octets(pem)
        request = _Request.parse(octets)
        extensions = _requested_extensions(request.attributes)
    except ValueError as error:
        raise Problem(ProblemCode.CSR_MALFORMED, "not a DER PKCS #10 request in PEM") from error
    key = _verify_ecdsa(request) or _verify_possession(octets, request.public_key)
    return CertificateRequest(request.subject, request.public_key, key, extensions)


def load_request_key(public_key: bytes) -> RequestKey:
    """The key of a SubjectPublicKeyInfo (DER), or `Problem(csr.unsupported-key)`."""
    try:
        key = load_der_public_key(public_key)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Problem(ProblemCode.CSR_UNSUPPORTED_KEY, _UNSUPPORTED) from error
    if not isinstance(key, RequestKey):
        raise Problem(ProblemCode.CSR_UNSUPPORTED_KEY, _UNSUPPORTED)
    return key


def _octets(pem: str) -> bytes:
    """What stands between the lines of RFC 7468 section 7, which older tools call NEW."""
    found = _PEM.search(pem)
    if found is None or found["begin"] != found["end"] or not pem.isascii():
        raise DerError("not a request in PEM")
    return binascii.a2b_base64("".join(found["text"].split()), strict_mode=True)


@dataclass(frozen=True, slots=True)
class _Request:
    """A CertificationRequest taken apart; everything but `signature` is DER."""

    info: bytes
    subject: bytes
    public_key: bytes
    attributes: bytes
    algorithm: bytes
    signature: bytes

    @classmethod
    def parse(cls, octets: bytes) -> _Request:
        parts = split(content_of(octets, SEQUENCE))
        if [tag for tag, _content in parts] != [SEQUENCE, SEQUENCE, BIT_STRING]:
            raise DerError("not a CertificationRequest")
        info, algorithm, signature = (content for _tag, content in parts)
        fields = split(info)
        if [tag for tag, _content in fields] != _INFO_TAGS or fields[0][1] != b"\0":
            raise DerError("not a CertificationRequestInfo of version 1")
        if signature[:1] != b"\0":
            raise DerError("a signature is whole octets")
        return cls(
            info=wrap(SEQUENCE, info),
            subject=wrap(SEQUENCE, fields[1][1]),
            public_key=wrap(SEQUENCE, fields[2][1]),
            attributes=fields[3][1],
            algorithm=wrap(SEQUENCE, algorithm),
            signature=signature[1:],
        )


def _verify_ecdsa(request: _Request) -> ec.EllipticCurvePublicKey | None:
    """The key of a request that is signed with ECDSA on one of our curves, the usual kind; None
    for another, and for one that needs a better look."""
    ecdsa = _ECDSA.get(request.algorithm)
    if ecdsa is None:
        return None
    try:
        key = load_der_public_key(request.public_key)
        if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
            key.verify(request.signature, request.info, ecdsa)
            return key
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        pass
    return None


def _verify_possession(octets: bytes, public_key: bytes) -> RequestKey:
    try:
        request = x509.load_der_x509_csr(octets)
    except (ValueError, x509.InvalidVersion) as error:
        raise Problem(ProblemCode.CSR_MALFORMED, "not a DER PKCS #10 request in PEM") from error
    try:
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


def _requested_extensions(attributes: bytes) -> Mapping[str, CertificateExtension]:
    # RFC 2985 section 5.4.2: SINGLE VALUE; so the attribute, too, stands once.
    values = []
    listed = split(attributes)
    if listed != sorted(listed):
        raise DerError("a SET OF that is not in order (X.690 section 11.6)")
    for tag, attribute in listed:
        parts = split(attribute)
        if tag != SEQUENCE or [part[0] for part in parts] != [OBJECT_IDENTIFIER, SET]:
            raise DerError("not an Attribute")
        if dotted(parts[0][1]) == oids.EXTENSION_REQUEST:
            values += split(parts[1][1]) or [(SET, b"")]
    if not values:
        return {}
    if len(values) > 1 or values[0][0] != SEQUENCE:
        raise DerError("one extensionRequest attribute has one value")
    found = split_extensions(values[0][1])
    extensions = dict(found)
    if len(extensions) != len(found):
        raise DerError("an extension is asked for twice")
    return extensions
