"""Every problem as the status of a public page (RFC 9110 section 15)."""

from __future__ import annotations

from tegata.kernel.problem import ProblemCode

_UNAVAILABLE = {
    ProblemCode.SIGNER_UNAVAILABLE,
    ProblemCode.STORAGE_EXHAUSTED,
    ProblemCode.STORAGE_UNAVAILABLE,
    ProblemCode.OUTCOME_UNKNOWN,
    ProblemCode.OVERLOADED,
}

# The page itself is never refused: evidence that cannot be read is shown as unknown.
STATUS = {code: 503 if code in _UNAVAILABLE else 404 for code in ProblemCode}
