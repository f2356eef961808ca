"""What a time-stamping unit's key may sign: the signer's own checks, on the octets themselves."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.signing import KeyPurpose, SignatureAlgorithm
from tegata.pkix import oids
from tegata.pkix.der import DerError
from tegata.pkix.tsp import IMPRINT_OCTETS, parse_tst_info
from tegata.pkix.tsp_token import HASHES, TOKEN_DIGESTS, parse_signed_attributes
from tegata.signers.keys import KeyRecord

# Caller and signer read the same machine's clock: this covers a queue, and no back-dating.
GEN_TIME_PAST = timedelta(seconds=15)
GEN_TIME_FUTURE = timedelta(seconds=1)
_ATTRIBUTES = {oids.CONTENT_TYPE, oids.MESSAGE_DIGEST, oids.SIGNING_CERTIFICATE_V2}


def require_key(
    purpose: KeyPurpose, algorithm: SignatureAlgorithm, policies: tuple[str, ...]
) -> None:
    """Check a key that is to be made: a unit's signs as tokens are signed, under policies; no
    other key has any."""
    if (purpose is KeyPurpose.TIMESTAMP) != bool(policies):
        raise Problem(
            ProblemCode.KEY_ALGORITHM_REFUSED, "policies belong to a time-stamping unit's key"
        )
    if purpose is KeyPurpose.TIMESTAMP and algorithm not in TOKEN_DIGESTS:
        raise Problem(ProblemCode.KEY_ALGORITHM_REFUSED, f"tokens are not signed with {algorithm}")


@lru_cache(maxsize=1024)
def _is_shape(before: bytes, after: bytes, size: int) -> bool:
    """Whether SignedAttributes are those of a token whatever digest stands between these octets:
    equal for all tokens of a unit, so they are read once. What follows two different values is
    the message digest, and nothing else that looks like it."""
    for other in (bytes(size), b"\xff" * size):
        signed = parse_signed_attributes(before + other + after)
        if (
            signed.content_type != oids.TST_INFO
            or set(signed.kinds) != _ATTRIBUTES
            or signed.message_digest != other
        ):
            return False
    return True


def require_timestamp(info: bytes, attributes: bytes, record: KeyRecord, now: datetime) -> None:
    """`Problem` unless the attributes are those of this TSTInfo, its policy is one of the key's,
    its imprint is as long as its algorithm says, and its genTime is the present."""
    digest = TOKEN_DIGESTS[SignatureAlgorithm(record.signature_algorithm)]
    before, found, after = attributes.partition(HASHES[digest](info).digest())
    try:
        said = parse_tst_info(info)
        if not found or not _is_shape(before, after, len(found)):
            raise Problem(ProblemCode.LINT_REFUSED, "the attributes are not this TSTInfo's")
    except DerError as error:
        raise Problem(ProblemCode.LINT_REFUSED, "not the TSTInfo of a token") from error
    if said.policy not in record.policies:
        raise Problem(ProblemCode.KEY_PURPOSE_REFUSED, "not a policy of this unit")
    if len(said.imprint.digest) != IMPRINT_OCTETS.get(said.imprint.algorithm):
        raise Problem(ProblemCode.LINT_REFUSED, "not an imprint that may be stamped")
    if said.serial <= 0:
        raise Problem(ProblemCode.LINT_REFUSED, "a serial number is positive")
    if not -GEN_TIME_PAST <= said.gen_time - now <= GEN_TIME_FUTURE:
        raise Problem(ProblemCode.KEY_PURPOSE_REFUSED, "not dated at the present time")
