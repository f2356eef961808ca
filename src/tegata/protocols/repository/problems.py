"""Every problem as the status of a page of the repository (RFC 9110 section 15)."""

from __future__ import annotations

from tegata.kernel.problem import ProblemCode

_UNAVAILABLE = {
    ProblemCode.SIGNER_UNAVAILABLE,
    ProblemCode.STORAGE_EXHAUSTED,
    ProblemCode.STORAGE_UNAVAILABLE,
    ProblemCode.LOG_UNAVAILABLE,
    ProblemCode.OUTCOME_UNKNOWN,
    ProblemCode.OVERLOADED,
}

# A download names an issuer and nothing else, so what is not an outage is "no such thing".
STATUS = {code: 503 if code in _UNAVAILABLE else 404 for code in ProblemCode}
