"""From checks to a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tegata.identity.model import Check, CheckName, Outcome, Verdict, VerdictResult
from tegata.identity.reasons import Reason

# Failures that say nothing against the person: somebody must look.
_REVIEW = frozenset({CheckName.TEXT})
# What every verification performs, in its order: the first failure ends it.
ORDER = (
    CheckName.CHAIN,
    CheckName.VALIDITY,
    CheckName.USAGE,
    CheckName.SIGNATURE,
    CheckName.REVOCATION,
    CheckName.CHIP,
)


def conclude(checks: Sequence[Check], now: datetime) -> Verdict:
    """The verdict of the checks made; those that were not are listed as such."""
    made = {check.name for check in checks}
    missing = [
        Check(name, Outcome.NOT_PERFORMED, Reason.EARLIER_CHECK, "", now)
        for name in ORDER
        if name not in made
    ]
    failed = [check for check in checks if check.outcome is Outcome.FAIL]
    every = sorted((*checks, *missing), key=lambda check: _PLACE[check.name])
    if not failed:
        return Verdict(VerdictResult.VERIFIED, None, every)
    against = [check for check in failed if check.name not in _REVIEW]
    if against:
        return Verdict(VerdictResult.REFUSED, against[0].reason, every)
    return Verdict(VerdictResult.NEEDS_REVIEW, failed[0].reason, every)


_PLACE = {name: place for place, name in enumerate(CheckName)}
