"""Every problem as a PKIFailureInfo (RFC 3161 section 2.4.2)."""

from __future__ import annotations

from tegata.kernel.problem import ProblemCode
from tegata.pkix.tsp import FailureInfo

_OWN = {
    ProblemCode.TIMESTAMP_ALGORITHM_REFUSED: FailureInfo.BAD_ALG,
    ProblemCode.TIMESTAMP_IMPRINT_LENGTH: FailureInfo.BAD_DATA_FORMAT,
    ProblemCode.TIMESTAMP_POLICY_REFUSED: FailureInfo.UNACCEPTED_POLICY,
    ProblemCode.TIMESTAMP_EXTENSION_REFUSED: FailureInfo.UNACCEPTED_EXTENSION,
    ProblemCode.CLOCK_UNTRUSTED: FailureInfo.TIME_NOT_AVAILABLE,
}
# The octets are none of a request.
_MALFORMED = {ProblemCode.REQUEST_TOO_LARGE, ProblemCode.REQUEST_TIMEOUT}
# "Transaction not permitted or supported": asking again changes nothing.
_REFUSED = {
    ProblemCode.REQUEST_MALFORMED,
    ProblemCode.REQUEST_UNKNOWN_FIELD,
    ProblemCode.REQUEST_MEDIA_TYPE,
    ProblemCode.ROUTE_UNKNOWN,
    ProblemCode.METHOD_NOT_ALLOWED,
    ProblemCode.TENANT_UNKNOWN,
    ProblemCode.TENANT_SUSPENDED,
    ProblemCode.ISSUER_UNKNOWN,
    ProblemCode.ISSUER_INACTIVE,
    ProblemCode.ISSUANCE_STOPPED,
    ProblemCode.TIMESTAMP_AUTHORITY_UNKNOWN,
    ProblemCode.TIMESTAMP_AUTHORITY_DISABLED,
    ProblemCode.TIMESTAMP_UNIT_UNUSABLE,
}
# A time-stamp request names a digest and an authority, so what is none of these is our failure.
FAILURE = {
    **dict.fromkeys(ProblemCode, FailureInfo.SYSTEM_FAILURE),
    **dict.fromkeys(_MALFORMED, FailureInfo.BAD_DATA_FORMAT),
    **dict.fromkeys(_REFUSED, FailureInfo.BAD_REQUEST),
    **_OWN,
}
