"""Every problem in OCSP's own terms (RFC 6960 section 4.2.1)."""

from __future__ import annotations

from tegata.kernel.problem import ProblemCode
from tegata.pkix.ocsp import ResponseStatus

_MALFORMED = {
    ProblemCode.REQUEST_MALFORMED,
    ProblemCode.REQUEST_UNKNOWN_FIELD,
    ProblemCode.REQUEST_TOO_LARGE,
    ProblemCode.REQUEST_MEDIA_TYPE,
    ProblemCode.REQUEST_TIMEOUT,
}
_LATER = {
    ProblemCode.SIGNER_UNAVAILABLE,
    ProblemCode.STORAGE_EXHAUSTED,
    ProblemCode.STORAGE_UNAVAILABLE,
    ProblemCode.LOG_UNAVAILABLE,
    ProblemCode.OUTCOME_UNKNOWN,
    ProblemCode.OVERLOADED,
}
_UNAUTHORIZED = {
    ProblemCode.ROUTE_UNKNOWN,
    ProblemCode.METHOD_NOT_ALLOWED,
    ProblemCode.AUTHENTICATION_REQUIRED,
    ProblemCode.AUTHENTICATION_FAILED,
    ProblemCode.AUTHORIZATION_DENIED,
    ProblemCode.TENANT_UNKNOWN,
    ProblemCode.TENANT_SUSPENDED,
    ProblemCode.TENANT_EXISTS,
    ProblemCode.TOKEN_UNKNOWN,
    ProblemCode.ISSUER_UNKNOWN,
    ProblemCode.POLICY_UNKNOWN,
    ProblemCode.PROFILE_UNKNOWN,
    ProblemCode.CERTIFICATE_UNKNOWN,
}
_INTERNAL = {
    ProblemCode.EVENT_UNKNOWN,
    ProblemCode.LOG_NOT_SEQUENCED,
    ProblemCode.LOG_INCONSISTENT,
    ProblemCode.ISSUER_EXISTS,
    ProblemCode.ISSUER_INACTIVE,
    ProblemCode.ISSUER_CERTIFICATE_REFUSED,
    ProblemCode.ISSUANCE_STOPPED,
    ProblemCode.TAKE_OVER_UNKNOWN,
    ProblemCode.TAKE_OVER_REFUSED,
    ProblemCode.PROFILE_INVALID,
    ProblemCode.PROFILE_BUILT_IN,
    ProblemCode.MAIL_UNAVAILABLE,
    ProblemCode.CERTIFICATE_REVOKED,
    ProblemCode.CERTIFICATE_NOT_GOOD,
    ProblemCode.CERTIFICATE_SAME_KEY,
    ProblemCode.BULK_UNKNOWN,
    ProblemCode.BULK_FILE_REFUSED,
    ProblemCode.BULK_ROW_REFUSED,
    ProblemCode.BULK_DUPLICATE_ROW,
    ProblemCode.CERTIFICATE_NOT_HELD,
    ProblemCode.REASON_UNKNOWN,
    ProblemCode.INVALIDITY_DATE,
    ProblemCode.CSR_MALFORMED,
    ProblemCode.CSR_BAD_SIGNATURE,
    ProblemCode.CSR_WEAK_KEY,
    ProblemCode.CSR_COMPROMISED_KEY,
    ProblemCode.CSR_UNSUPPORTED_KEY,
    ProblemCode.CSR_EXTENSION_REFUSED,
    ProblemCode.CSR_NAME_REFUSED,
    ProblemCode.LINT_REFUSED,
    ProblemCode.SERIAL_NOT_RESERVED,
    ProblemCode.KEY_PURPOSE_REFUSED,
    ProblemCode.KEY_ALGORITHM_REFUSED,
    ProblemCode.KEY_NOT_AUTHORISED,
    ProblemCode.SERVER_KEY_REFUSED,
    ProblemCode.IDEMPOTENCY_MISMATCH,
    ProblemCode.IDEMPOTENCY_IN_PROGRESS,
    ProblemCode.CONFLICT,
    ProblemCode.CONTROL_UNKNOWN,
}

STATUS = {
    **dict.fromkeys(_MALFORMED, ResponseStatus.MALFORMED_REQUEST),
    **dict.fromkeys(_LATER, ResponseStatus.TRY_LATER),
    **dict.fromkeys(_UNAUTHORIZED, ResponseStatus.UNAUTHORIZED),
    **dict.fromkeys(_INTERNAL, ResponseStatus.INTERNAL_ERROR),
}
