"""What the signer returned is looked at before anybody else sees it."""

from __future__ import annotations

from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.signing import SigningKey
from tegata.pkix.signatures import SignatureInvalid, verify


def require_valid(key: SigningKey, signature: bytes, octets: bytes) -> None:
    """`Problem(signer.unavailable)` for a signature that does not verify."""
    try:
        verify(key.public_key, key.signature_algorithm, signature, octets)
    except SignatureInvalid as error:
        raise Problem(ProblemCode.SIGNER_UNAVAILABLE, "the signature does not verify") from error
