"""The white paper: every promise, and how far live evidence carries it at one instant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tegata.compliance.controls import CONTROLS
from tegata.compliance.model import Control, Independence, Reason, Record, Standing, Verdict
from tegata.compliance.ports import Evidence
from tegata.compliance.rules import FIRST_NOTICE, claim_of, control_outcome
from tegata.compliance.wording import reason_text, verdict_text


@dataclass(frozen=True, slots=True)
class Section:
    """A promise as a reader finds it: its sentence, its verdict, and what that rests on.

    `claim` is what evidence says now; None when the promise is not kept, or nothing supports it.
    """

    control: Control
    verdict: Verdict
    reasons: tuple[Reason, ...]
    claim: str | None
    population: int
    planted: int
    caught: int
    slowest: timedelta
    latest_at: datetime | None
    valid_until: datetime | None
    independence: Independence | None
    breached_since: datetime | None
    evidence: tuple[Record, ...]
    language: str

    @property
    def records(self) -> tuple[str, ...]:
        """The ids of the records that the verdict rests on."""
        return tuple(record.id for record in self.evidence)

    @property
    def sentence(self) -> str:
        """What is promised."""
        return self.control.commitment.text(self.language)

    @property
    def title(self) -> str:
        """What the section is about."""
        return self.control.title.of(self.language)

    @property
    def verdict_text(self) -> str:
        """The verdict in words."""
        return verdict_text(self.verdict, self.language)

    @property
    def reason_texts(self) -> list[str]:
        """Why, in sentences."""
        return [reason_text(reason, self.language) for reason in self.reasons]

    @property
    def notice_due_at(self) -> datetime | None:
        """By when customers are owed the first word on a breach."""
        since = self.breached_since
        return None if since is None else since + FIRST_NOTICE


@dataclass(frozen=True, slots=True)
class Paper:
    """The paper at one instant. `holds_until` is when the first of its verdicts decays."""

    language: str
    at: datetime
    sections: tuple[Section, ...]

    @property
    def holds_until(self) -> datetime | None:
        """When the first of its verdicts decays; None when none can."""
        ends = [each.valid_until for each in self.sections if each.valid_until is not None]
        return min(ends) if ends else None

    def count(self, verdict: Verdict) -> int:
        """How many promises have a verdict."""
        return sum(section.verdict is verdict for section in self.sections)

    @property
    def worst_first(self) -> list[Section]:
        """Its sections, the worst first, then by number."""
        return sorted(self.sections, key=lambda section: section.verdict)


def is_public(record: Record) -> bool:
    """Whether a record may be read by anybody: not where it says what exactly stands open."""
    return not record.violations


def write_paper(
    evidence: Evidence | None,
    language: str,
    now: datetime,
    controls: Sequence[Control] = CONTROLS,
) -> Paper:
    """The paper from evidence; None for evidence that cannot be read, which supports nothing."""
    return Paper(
        language,
        now,
        tuple(_section(control, evidence, language, now) for control in controls),
    )


def _section(control: Control, evidence: Evidence | None, language: str, now: datetime) -> Section:
    found = evidence or Evidence({})
    outcome = control_outcome(control, found.standings, now, found.unreadable)
    reasons = outcome.reasons
    if evidence is None and control.probes:
        reasons = (Reason("evidence.unavailable"),)
    standings = [
        found.standings[probe.name] for probe in control.probes if probe.name in found.standings
    ]
    claim = claim_of(control, found.standings)
    printed = outcome.verdict >= Verdict.DEGRADED and claim is not None
    return Section(
        control=control,
        verdict=outcome.verdict,
        reasons=reasons,
        claim=claim.text(language) if printed and claim is not None else None,
        population=min((_population(each) for each in standings), default=0)
        if len(standings) == len(control.probes)
        else 0,
        planted=sum(each.planted for each in standings),
        caught=sum(each.caught for each in standings),
        slowest=max((each.slowest for each in standings), default=timedelta(0)),
        # A promise is as old as the oldest of what it rests on.
        latest_at=min((each.latest.ended for each in standings if each.latest), default=None),
        valid_until=outcome.valid_until,
        independence=max(
            (each.latest.collector.independence for each in standings if each.latest),
            default=None,
        ),
        breached_since=min(
            (each.breached_since for each in standings if each.breached_since), default=None
        ),
        evidence=tuple(each.latest for each in standings if each.latest),
        language=language,
    )


def _population(standing: Standing) -> int:
    return standing.latest.population if standing.latest is not None else 0
