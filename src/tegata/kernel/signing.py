"""Signing keys as the rooms see them: handles, never secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from tegata.kernel.ids import KeyId, TenantId
from tegata.kernel.problem import Problem, ProblemCode


class KeyPurpose(StrEnum):
    """What a key may sign, checked by the signer process itself."""

    ROOT_CA = "root-ca"
    SUBORDINATE_CA = "subordinate-ca"
    ISSUING_CA = "issuing-ca"
    OCSP_RESPONDER = "ocsp-responder"
    TIMESTAMP = "timestamp"
    LOG = "log"


class KeyAlgorithm(StrEnum):
    """Algorithms of keys the platform makes."""

    P256 = "p256"
    P384 = "p384"
    P521 = "p521"
    RSA_2048 = "rsa-2048"
    RSA_3072 = "rsa-3072"
    RSA_4096 = "rsa-4096"
    ED25519 = "ed25519"
    ML_DSA_44 = "ml-dsa-44"
    ML_DSA_65 = "ml-dsa-65"
    ML_DSA_87 = "ml-dsa-87"


class SignatureAlgorithm(StrEnum):
    """How a key signs. `pkix.algorithms` gives each its AlgorithmIdentifier."""

    ECDSA_SHA256 = "ecdsa-sha256"
    ECDSA_SHA384 = "ecdsa-sha384"
    ECDSA_SHA512 = "ecdsa-sha512"
    RSA_PKCS1_SHA256 = "rsa-pkcs1-sha256"
    RSA_PKCS1_SHA384 = "rsa-pkcs1-sha384"
    RSA_PKCS1_SHA512 = "rsa-pkcs1-sha512"
    RSA_PSS_SHA256 = "rsa-pss-sha256"
    RSA_PSS_SHA384 = "rsa-pss-sha384"
    RSA_PSS_SHA512 = "rsa-pss-sha512"
    ED25519 = "ed25519"
    ML_DSA_44 = "ml-dsa-44"
    ML_DSA_65 = "ml-dsa-65"
    ML_DSA_87 = "ml-dsa-87"


_RSA: Final = (
    SignatureAlgorithm.RSA_PKCS1_SHA256,
    SignatureAlgorithm.RSA_PKCS1_SHA384,
    SignatureAlgorithm.RSA_PKCS1_SHA512,
    SignatureAlgorithm.RSA_PSS_SHA256,
    SignatureAlgorithm.RSA_PSS_SHA384,
    SignatureAlgorithm.RSA_PSS_SHA512,
)
# How a key of each algorithm may sign; the first is what it does unless told otherwise. Curves
# have the hash of their strength (RFC 5480 section 4); RSA leaves padding and hash to choose.
SIGNATURE_ALGORITHMS: Final[Mapping[KeyAlgorithm, tuple[SignatureAlgorithm, ...]]] = {
    KeyAlgorithm.P256: (SignatureAlgorithm.ECDSA_SHA256,),
    KeyAlgorithm.P384: (SignatureAlgorithm.ECDSA_SHA384,),
    KeyAlgorithm.P521: (SignatureAlgorithm.ECDSA_SHA512,),
    KeyAlgorithm.RSA_2048: _RSA,
    KeyAlgorithm.RSA_3072: _RSA,
    KeyAlgorithm.RSA_4096: _RSA,
    KeyAlgorithm.ED25519: (SignatureAlgorithm.ED25519,),
    KeyAlgorithm.ML_DSA_44: (SignatureAlgorithm.ML_DSA_44,),
    KeyAlgorithm.ML_DSA_65: (SignatureAlgorithm.ML_DSA_65,),
    KeyAlgorithm.ML_DSA_87: (SignatureAlgorithm.ML_DSA_87,),
}


def choose_signature_algorithm(
    algorithm: KeyAlgorithm, wanted: SignatureAlgorithm | None = None
) -> SignatureAlgorithm:
    """How a key of an algorithm will sign: as wanted, or as it usually does.

    Raises `Problem(key.algorithm-refused)` when keys of that algorithm do not sign so.
    """
    allowed = SIGNATURE_ALGORITHMS[algorithm]
    if wanted is None:
        return allowed[0]
    if wanted not in allowed:
        raise Problem(
            ProblemCode.KEY_ALGORITHM_REFUSED,
            f"a key of {algorithm} signs with {', '.join(allowed)}, not with {wanted}",
        )
    return wanted


class DataKeyKind(StrEnum):
    """The four data keys of a tenant, each with its own ground and end date."""

    ERASABLE = "erasable"
    CA_RECORDS = "ca-records"
    CONFIRMATION = "confirmation"
    DISCLOSURE = "disclosure"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key made by the signer: public part, and the sealed record that lets it be used.

    `sealed` holds purpose, tenant, subject and the private key (or its place in an HSM) under
    the sealing key, so nobody who stores it can change what it may sign. `public_key` is a
    SubjectPublicKeyInfo (DER).
    """

    id: KeyId
    tenant: TenantId
    purpose: KeyPurpose
    algorithm: KeyAlgorithm
    signature_algorithm: SignatureAlgorithm
    public_key: bytes
    sealed: bytes


class Sealer(Protocol):
    """Authenticated encryption under one tenant's data key."""

    def seal(self, plaintext: bytes, context: str) -> bytes:
        """Seal; `context` names the column and row, and must be given again to unseal."""
        ...

    def unseal(self, sealed: bytes, context: str) -> bytes:
        """Unseal, or raise ValueError when tenant, key kind, context or octets differ."""
        ...


class Pseudonymiser(Protocol):
    """Makes pseudonyms under a secret of one tenant, derived from its data key."""

    def pseudonym(self, octets: bytes, context: str) -> bytes:
        """32 octets that depend on the octets, the context and the secret, and tell nothing of
        the octets without it."""
        ...


class TenantSecret(Sealer, Pseudonymiser, Protocol):
    """A tenant's data key in use, for both."""


class RefusalGround(StrEnum):
    """Why a key must not be certified."""

    # A certificate with it was revoked for keyCompromise.
    COMPROMISE = "compromise"
    # Somebody who may, said so.
    LISTED = "listed"
    # Another key has one of its primes.
    SHARED_FACTOR = "shared-factor"
