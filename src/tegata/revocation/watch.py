"""What an onlooker can tell of published CRLs: pure decisions of the checker.

It knows what anybody can fetch and what it saw before, nothing of the platform's own records. A
serial number of ours carries its certificate's month of expiry, so who never saw the certificate
can still tell that an entry left too early.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta

from tegata.issuance.serials import serial_month
from tegata.kernel.finding import Finding, Severity
from tegata.kernel.month import LAST_MONTH, month_start

# RFC 5280 section 3.3: an entry stays until it stood on one regularly scheduled list beyond the
# certificate's validity. Lists are made daily.
SCHEDULE = timedelta(days=1)
_ENTRIES_NAMED = 5


@dataclass(frozen=True, slots=True)
class SeenList:
    """What is remembered of a list. `point` is its distribution point, `base` a delta's base;
    `held` are those of `serials` that may leave at any time, because they were on hold."""

    number: int
    digest: bytes
    this_update: datetime
    next_update: datetime
    point: str | None
    base: int | None
    serials: AbstractSet[int]
    held: AbstractSet[int]


def findings_on(seen: SeenList, before: SeenList | None, now: datetime) -> list[Finding]:
    """Everything wrong with a list, given the one that was seen before it."""
    findings = []
    if now > seen.next_update:
        text = f"nextUpdate passed at {seen.next_update.isoformat()}"
        findings.append(_error("crl.next-update-passed", "RFC 5280 section 5.1.2.5", text))
    if seen.this_update > now + timedelta(minutes=5):
        text = f"thisUpdate is {seen.this_update.isoformat()}"
        findings.append(_error("crl.this-update-ahead", "RFC 5280 section 5.1.2.4", text))
    if before is None:
        return findings
    if seen.number < before.number:
        text = f"number {seen.number} after {before.number}"
        findings.append(_error("crl.number-went-back", "RFC 5280 section 5.2.3", text))
    elif seen.number == before.number and seen.digest != before.digest:
        text = f"number {seen.number} on two different lists"
        findings.append(_error("crl.number-reused", "RFC 5280 section 5.2.3", text))
    if seen.this_update < before.this_update:
        text = f"thisUpdate {seen.this_update.isoformat()} after {before.this_update.isoformat()}"
        findings.append(_error("crl.this-update-went-back", "RFC 5280 section 5.1.2.4", text))
    if (seen.point, seen.base is None) != (before.point, before.base is None):
        text = "the list at this address is for something else than before"
        findings.append(_error("crl.scope-changed", "RFC 5280 section 5.2.5", text))
    early = left_early(seen, before)
    if early:
        named = ", ".join(f"{serial:x}" for serial in sorted(early)[:_ENTRIES_NAMED])
        text = f"{len(early)} entries left too early: {named}"
        findings.append(_error("crl.entry-left-early", "RFC 5280 section 3.3", text))
    return findings


def left_early(seen: SeenList, before: SeenList) -> frozenset[int]:
    """The entries of a full list that should still stand in it."""
    if seen.base is not None:
        return frozenset()
    return frozenset(
        serial
        for serial in before.serials - seen.serials
        if serial not in before.held and not _may_leave(serial, seen.this_update)
    )


def _may_leave(serial: int, at: datetime) -> bool:
    month = serial_month(serial)
    # A serial that another CA made (before it was taken over) does not say when it expires.
    return month is None or at >= month_start(min(month + 1, LAST_MONTH)) + SCHEDULE


def finding_on_pair(full: SeenList, delta: SeenList) -> Finding | None:
    """Whether a delta can be used with the full list that is published beside it."""
    if delta.base is not None and delta.base <= full.number and delta.point == full.point:
        return None
    text = f"the delta starts from {delta.base}, the list has number {full.number}"
    return _error("crl.delta-unusable", "RFC 5280 section 5.2.4", text)


def remembered(seen: SeenList, before: SeenList | None) -> SeenList:
    """What is kept for the next look. What was wrong stays wrong until it is put right: a number
    that went back does not become the measure, and entries that left early are still missed."""
    if before is None:
        return seen
    early = left_early(seen, before)
    newest = seen if seen.number > before.number else before
    return SeenList(
        newest.number,
        newest.digest,
        max(seen.this_update, before.this_update),
        newest.next_update,
        before.point,
        newest.base,
        seen.serials | early,
        seen.held,
    )


def _error(code: str, cites: str, message: str) -> Finding:
    return Finding(code, Severity.ERROR, cites, message)
