"""What evidence comes to: pure functions of records and an instant.

Nothing here turns green by itself. Time only takes away; a breach stays until both a newer
positive record and a caught fault came after it; who looks at itself is not believed alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from string import Formatter

from tegata.compliance.model import (
    CanaryPlan,
    CanaryState,
    Claim,
    Control,
    Independence,
    Notice,
    Observation,
    Probe,
    Reason,
    Record,
    RecordKind,
    Standing,
    Verdict,
    Violation,
)
from tegata.compliance.records import encode_record

# How far the clocks of collector, platform and reader may differ.
SKEW = timedelta(seconds=30)
# The first word to customers after a breach (class A).
FIRST_NOTICE = timedelta(minutes=60)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict with its reasons, worst first, and until when it holds at most."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    valid_until: datetime | None


def record_digest(record: Record) -> str:
    """SHA-256 of a record's canonical octets, in hexadecimal."""
    return hashlib.sha256(encode_record(record)).hexdigest()


def advance(standing: Standing, record: Record) -> Standing:
    """What stands after one more record.

    Raises ValueError for a record that does not follow the one before.
    """
    if record.sequence != standing.sequence + 1 or record.previous != standing.head:
        raise ValueError("a record is missing, or stands where it does not belong")
    counted = {
        name: standing.totals.get(name, 0) + record.counts.get(name, 0)
        for name in {*standing.totals, *record.counts}
    }
    following = replace(
        standing,
        sequence=record.sequence,
        head=record_digest(record),
        first_at=standing.first_at or record.ended,
        totals=counted,
    )
    following = (
        _after_probe(following, record)
        if record.kind is RecordKind.PROBE
        else _after_canary(following, record)
    )
    if following.breached_since is not None and following.mended and following.caught_since:
        return replace(following, breached_since=None, breach=(), mended=False, caught_since=False)
    return following


def _after_probe(standing: Standing, record: Record) -> Standing:
    standing = replace(standing, latest=record)
    if record.verdict is Verdict.BREACHED:
        return _breached(standing, record)
    positive = record.verdict >= Verdict.DEGRADED and record.population > 0
    # One that sees nothing after one that saw something mended is no proof either.
    return replace(standing, mended=standing.breached_since is not None and positive)


def _after_canary(standing: Standing, record: Record) -> Standing:
    standing = replace(standing, planted=standing.planted + 1)
    if record.verdict is Verdict.BREACHED:
        return _breached(standing, record)
    latency = record.ended - record.started
    return replace(
        standing,
        caught=standing.caught + 1,
        caught_at=record.ended,
        caught_since=standing.breached_since is not None,
        slowest=max(standing.slowest, latency),
    )


def _breached(standing: Standing, record: Record) -> Standing:
    return replace(
        standing,
        breached_since=standing.breached_since or record.ended,
        breach=record.reasons,
        mended=False,
        caught_since=False,
    )


def fold(records: Iterable[Record]) -> Standing:
    """What all records of a probe come to, oldest first."""
    standing = Standing()
    for record in records:
        standing = advance(standing, record)
    return standing


def probe_outcome(standing: Standing, probe: Probe, revision: str, now: datetime) -> Outcome:
    """What a probe's records come to at the reader's instant."""
    if standing.breached_since is not None:
        return Outcome(Verdict.BREACHED, standing.breach or (Reason("breach.unexplained"),), None)
    latest = standing.latest
    if latest is None:
        return _unknown("evidence.none", probe=probe.name)
    # What says longer than its probe allows is not believed.
    until = min(latest.valid_until, latest.ended + probe.valid_for)
    if now < latest.ended - SKEW or now < latest.received - SKEW:
        return _unknown("evidence.future", probe=probe.name)
    if now >= until:
        return _unknown("evidence.stale", probe=probe.name)
    if latest.commitment != revision:
        return _unknown("evidence.other-promise", probe=probe.name)
    if latest.population <= 0:
        return _unknown("population.none", probe=probe.name)
    caught = standing.caught_at
    if caught is None:
        return _unknown("canary.none", probe=probe.name)
    if not caught - SKEW <= now < caught + probe.canary.age_maximum:
        return _unknown("canary.stale", probe=probe.name)
    until = min(until, caught + probe.canary.age_maximum)
    verdict = latest.verdict
    if latest.excluded and verdict is Verdict.MET:
        verdict = Verdict.MET_WITH_EXCEPTION
    return Outcome(verdict, latest.reasons, until)


def _unknown(code: str, **values: str) -> Outcome:
    return Outcome(Verdict.UNKNOWN, (Reason(code, tuple(values.items())),), None)


def control_outcome(
    control: Control,
    standings: Mapping[str, Standing],
    now: datetime,
    unreadable: Collection[str] = (),
) -> Outcome:
    """The worst of a promise's probes, and never better than what is measured at all.

    `unreadable` are probes whose evidence is not what was written.
    """
    if not control.probes:
        return Outcome(Verdict.UNKNOWN, (Reason("machinery.none"),), None)
    revision = control.commitment.revision
    outcomes = [
        _unknown("evidence.changed", probe=probe.name)
        if probe.name in unreadable
        else probe_outcome(standings.get(probe.name, Standing()), probe, revision, now)
        for probe in control.probes
    ]
    verdict = min(outcome.verdict for outcome in outcomes)
    reasons = [
        reason
        for outcome in sorted(outcomes, key=lambda each: each.verdict)
        for reason in outcome.reasons
    ]
    for plane in control.unprobed:
        verdict = min(verdict, Verdict.DEGRADED)
        reasons.append(Reason("plane.unprobed", (("en", plane.en), ("ja", plane.ja))))
    if not any(_is_independent(standings.get(probe.name)) for probe in control.probes):
        verdict = min(verdict, Verdict.DEGRADED)
        reasons.append(Reason("independence.self"))
    ends = [outcome.valid_until for outcome in outcomes if outcome.valid_until is not None]
    holds = min(ends) if verdict >= Verdict.DEGRADED else None
    return Outcome(verdict, tuple(reasons), holds)


def _is_independent(standing: Standing | None) -> bool:
    latest = standing.latest if standing is not None else None
    return latest is not None and latest.collector.independence > Independence.SELF


def active_at(plans: Sequence[CanaryPlan], observation: Observation) -> list[CanaryPlan]:
    """The plans whose fault stood at some time while an observation was made."""
    return [
        plan
        for plan in plans
        if plan.planted_at <= observation.ended + SKEW
        and (plan.removed_at is None or observation.started - SKEW <= plan.removed_at)
    ]


def part_violations(
    observation: Observation, plans: Sequence[CanaryPlan]
) -> tuple[list[CanaryPlan], tuple[Violation, ...]]:
    """The planned faults that an observation saw and its probe had to see, and what nobody
    planned. Only the very thing that a plan names is excused, and only while it stood."""
    active = active_at(plans, observation)
    seen = {each.thing for each in observation.violations}
    caught = [
        plan
        for plan in active
        if plan.thing in seen
        and plan.probe == observation.probe
        and plan.state is CanaryState.PLANTED
    ]
    planned = {plan.thing for plan in active}
    return caught, tuple(each for each in observation.violations if each.thing not in planned)


def claim_of(control: Control, standings: Mapping[str, Standing]) -> Claim | None:
    """The sentence that evidence fills in; None as soon as a value of it has no record. Whether it
    may be printed is for the verdict to say."""
    if control.claim is None:
        return None
    values: dict[str, str] = {}
    records = []
    for probe in control.probes:
        standing = standings.get(probe.name)
        if standing is None or standing.latest is None:
            return None
        records.append(standing.latest.id)
        values |= {name: f"{number:,}" for name, number in standing.latest.counts.items()}
        values |= {f"total_{name}": f"{number:,}" for name, number in standing.totals.items()}
    values["planted"] = f"{sum(standings[probe.name].planted for probe in control.probes):,}"
    values["caught"] = f"{sum(standings[probe.name].caught for probe in control.probes):,}"
    if not all(_is_supported(text, values) for text in (control.claim.en, control.claim.ja)):
        return None
    return Claim(control.claim, values, tuple(records))


def _is_supported(text: str, values: Mapping[str, str]) -> bool:
    return all(name is None or name in values for _, name, _, _ in Formatter().parse(text))


def notice_of(control: Control, detected_at: datetime, reasons: tuple[Reason, ...]) -> Notice:
    """What customers are owed from the moment that a breach is seen."""
    return Notice(control.name, detected_at, detected_at + FIRST_NOTICE, reasons)
