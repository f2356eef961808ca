"""The sentences of reasons, verdicts and pages, as the catalogue has them (ADR 7)."""

from __future__ import annotations

from collections.abc import Mapping

from tegata.compliance.model import Reason, Verdict
from tegata.kernel.wording import translate

VERDICTS: Mapping[Verdict, str] = {
    Verdict.MET: "kept",
    Verdict.MET_WITH_EXCEPTION: "kept with exception",
    Verdict.DEGRADED: "at risk",
    Verdict.UNKNOWN: "unknown, not met",
    Verdict.BREACHED: "broken",
}
# They are public: what exactly is open stands in the record, which is not.
REASONS: Mapping[str, str] = {
    "machinery.none": "Nothing measures this promise yet, so nobody can say that it is kept.",
    "evidence.none": "There is no evidence from {probe} yet.",
    "evidence.future": "The evidence from {probe} is from the future: a clock was moved.",
    "evidence.stale": "The evidence from {probe} is too old.",
    "evidence.other-promise": "The evidence from {probe} speaks of another wording of the promise.",
    "evidence.changed": "The evidence from {probe} was changed after it was written.",
    "evidence.unavailable": "The evidence cannot be read now.",
    "population.none": "{probe} found nothing to look at.",
    "canary.none": "{probe} has not caught a planted fault yet, so its silence proves nothing.",
    "canary.stale": "{probe} has not caught a planted fault for too long.",
    "canary.missed": "{probe} did not see a planted fault ({thing}).",
    "breach.unexplained": "It was broken, and nothing has shown since that it was mended.",
    "plane.unprobed": "Not measured yet: {plane}.",
    "independence.self": "Only the platform itself says so; nobody independent has looked.",
    "isolation.leak": "{count} attempts reached another tenant's data.",
    "isolation.no-attempt": "No attempt was made.",
    "isolation.exposed": "{count} tables, roles or functions let tenants' rows out.",
    "isolation.no-table": "No tenant's table was found.",
    "isolation.one-lock": (
        "{tables} tables have one lock of two: this database knows no row policies."
    ),
    "assets.unlisted": "{count} things are kept that nobody listed.",
    "assets.nothing-found": "The search found nothing at all.",
}
REASON_TEXTS = (*REASONS.values(), *VERDICTS.values())


def reason_text(reason: Reason, language: str) -> str:
    """A reason as a sentence."""
    values = dict(reason.values)
    if reason.code == "plane.unprobed":
        values = {"plane": values[language]}
    return translate(REASONS[reason.code], language).format(**values)


def verdict_text(verdict: Verdict, language: str) -> str:
    """A verdict in words."""
    return translate(VERDICTS[verdict], language)
