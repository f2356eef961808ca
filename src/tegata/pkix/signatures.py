"""Signatures over structures: ours, verified before anybody sees them, and other people's."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tegata.kernel.signing import SignatureAlgorithm
from tegata.pkix.algorithms import SCHEMES, find_signature_algorithm, pss_key_digest
from tegata.pkix.certificate import CertificateParts, parse_certificate, parse_tbs_certificate
from tegata.pkix.crl_reader import parse_tbs_cert_list
from tegata.pkix.der import DerError

Check = Callable[[bytes, bytes], None]

# A curve has the hash of its strength (RFC 5480 section 4).
_CURVES = {
    SignatureAlgorithm.ECDSA_SHA256: ec.SECP256R1,
    SignatureAlgorithm.ECDSA_SHA384: ec.SECP384R1,
    SignatureAlgorithm.ECDSA_SHA512: ec.SECP521R1,
}
_ML_DSA = {
    SignatureAlgorithm.ML_DSA_44: mldsa.MLDSA44PublicKey,
    SignatureAlgorithm.ML_DSA_65: mldsa.MLDSA65PublicKey,
    SignatureAlgorithm.ML_DSA_87: mldsa.MLDSA87PublicKey,
}


class SignatureInvalid(ValueError):
    """A signature that its key did not make over these octets."""


def verify(
    public_key: bytes, algorithm: SignatureAlgorithm, signature: bytes, octets: bytes
) -> None:
    """Verify a signature; `SignatureInvalid` when it does not hold.

    `public_key` is a SubjectPublicKeyInfo; `signature` is what its BIT STRING holds.
    """
    try:
        _check(public_key, algorithm)(signature, octets)
    except InvalidSignature as error:
        raise SignatureInvalid("the signature does not verify") from error


def verify_certificate(octets: bytes, issuer_key: bytes) -> None:
    """Verify a Certificate (DER) by its issuer's SubjectPublicKeyInfo.

    Raises `SignatureInvalid`, and `DerError` when it is not a certificate. Names and validity
    are not looked at.
    """
    parts = parse_certificate(octets)
    verify_parts(parts, parse_tbs_certificate(parts.tbs).signature, issuer_key)


def verify_crl(octets: bytes, issuer_key: bytes) -> None:
    """Verify a CertificateList (DER) by its issuer's SubjectPublicKeyInfo; as for certificates."""
    parts = parse_certificate(octets)
    verify_parts(parts, parse_tbs_cert_list(parts.tbs).signature, issuer_key)


def verify_parts(parts: CertificateParts, inner: bytes, issuer_key: bytes) -> None:
    """Verify what was read already: `inner` is the algorithm (DER) inside what was signed."""
    # RFC 5280 sections 4.1.1.2 and 5.1.1.2: only the inner one is signed, so they MUST be equal.
    if inner != parts.algorithm:
        raise SignatureInvalid("the signature algorithm inside differs from the one outside")
    algorithm = find_signature_algorithm(inner)
    if algorithm is None:
        raise SignatureInvalid("not a signature algorithm that is accepted")
    verify(issuer_key, algorithm, parts.signature, parts.tbs)


@lru_cache(maxsize=1024)
def _check(public_key: bytes, algorithm: SignatureAlgorithm) -> Check:
    """How signatures of one key under one algorithm are verified, with the key loaded."""
    try:
        key = load_der_public_key(public_key)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SignatureInvalid("not a public key that is accepted") from error
    scheme = SCHEMES[algorithm]
    match key:
        case ec.EllipticCurvePublicKey():
            if scheme.digest is not None and isinstance(key.curve, _CURVES.get(algorithm, ())):
                ecdsa = ec.ECDSA(scheme.digest)
                return lambda signature, octets: key.verify(signature, octets, ecdsa)
        case rsa.RSAPublicKey():
            padded, digest = scheme.padding, scheme.digest
            if padded is not None and digest is not None and _allows(public_key, algorithm):
                return lambda signature, octets: key.verify(signature, octets, padded, digest)
        case ed25519.Ed25519PublicKey():
            if algorithm is SignatureAlgorithm.ED25519:
                return key.verify
        case mldsa.MLDSA44PublicKey() | mldsa.MLDSA65PublicKey() | mldsa.MLDSA87PublicKey():
            if isinstance(key, _ML_DSA.get(algorithm, ())):
                return key.verify
    raise SignatureInvalid(f"the key does not make {algorithm} signatures")


def _allows(public_key: bytes, algorithm: SignatureAlgorithm) -> bool:
    # An id-RSASSA-PSS key makes no other signatures, nor with another hash than it is bound to.
    try:
        bound = pss_key_digest(public_key)
    except DerError:
        return False
    digest = SCHEMES[algorithm].digest
    if bound is None or digest is None:
        return True
    return isinstance(SCHEMES[algorithm].padding, padding.PSS) and bound in ("", digest.name)
