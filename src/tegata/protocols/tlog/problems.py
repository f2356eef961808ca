"""Every problem as the status of a plain download (RFC 9110 section 15)."""

from __future__ import annotations

from tegata.kernel.problem import ProblemCode

_UNAVAILABLE = {
    ProblemCode.LOG_UNAVAILABLE,
    ProblemCode.SIGNER_UNAVAILABLE,
    ProblemCode.STORAGE_EXHAUSTED,
    ProblemCode.STORAGE_UNAVAILABLE,
    ProblemCode.OUTCOME_UNKNOWN,
    ProblemCode.OVERLOADED,
}

# A download names a tile and nothing else, so what is not an outage is "no such thing".
STATUS = {code: 503 if code in _UNAVAILABLE else 404 for code in ProblemCode}
