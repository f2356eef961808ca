"""Records as tests make them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from tegata.compliance.model import (
    Canary,
    Collector,
    Commitment,
    Control,
    Independence,
    Judgement,
    Method,
    Numbers,
    Observation,
    Probe,
    Reason,
    Record,
    RecordKind,
    Standing,
    Texts,
    Tool,
    Verdict,
    Violation,
)
from tegata.compliance.rules import advance

START = datetime(2026, 7, 15, 9, 0, tzinfo=UTC)
TOOL = Tool("test", "1", "00" * 32)


def judge(observation: Observation) -> Judgement:
    """Met, unless something was found."""
    if observation.violations:
        return Judgement(Verdict.BREACHED, (Reason("isolation.no-attempt"),))
    return Judgement(Verdict.MET)


PROBE = Probe(
    name="test.probe",
    method=Method.TEST,
    period=timedelta(minutes=5),
    judge=judge,
    canary=Canary("test", timedelta(minutes=15), timedelta(seconds=60)),
)
OTHER = replace(PROBE, name="test.other")
CONTROL = Control(
    section="6",
    name="test",
    title=Texts("Test", "試験"),
    numbers=Numbers("1.2.3", None),
    commitment=Commitment(
        id="test",
        sentence=Texts("At most {minutes} minutes.", "{minutes}分以内。"),
        parameters={"minutes": 10},
        scope="test",
        owner="test",
    ),
    probes=(PROBE,),
    claim=Texts("{attempts} attempts.", "試み {attempts} 件。"),
)


@dataclass(slots=True)
class Chain:
    """A probe's records, one after the other."""

    probe: Probe = PROBE
    control: Control = CONTROL
    now: datetime = START
    independence: Independence = Independence.HOST
    standing: Standing = field(default_factory=Standing)
    records: list[Record] = field(default_factory=list)

    def look(self, verdict: Verdict = Verdict.MET, population: int = 7, **changes: object) -> Chain:
        """Add what the probe saw."""
        return self._add(RecordKind.PROBE, verdict, population, changes)

    def canary(self, *, caught: bool = True) -> Chain:
        """Add a planted fault."""
        verdict = Verdict.MET if caught else Verdict.BREACHED
        return self._add(RecordKind.CANARY, verdict, 1, {})

    def wait(self, pause: timedelta) -> Chain:
        """Let time pass."""
        self.now += pause
        return self

    def _add(
        self, kind: RecordKind, verdict: Verdict, population: int, changes: dict[str, object]
    ) -> Chain:
        standing = self.standing
        record = Record(
            id=f"evd_{standing.sequence + 1}",
            kind=kind,
            control=self.control.name,
            probe=self.probe.name,
            sequence=standing.sequence + 1,
            previous=standing.head,
            commitment=self.control.commitment.revision,
            method=Method.TEST,
            collector=Collector("host", "key", self.independence),
            tool=TOOL,
            inputs="00" * 32,
            population=population,
            excluded=(),
            counts={"attempts": population},
            verdict=verdict,
            reasons=(),
            violations=(),
            started=self.now - timedelta(seconds=1),
            ended=self.now,
            received=self.now,
            valid_until=self.now + self.probe.valid_for,
        )
        record = replace(record, **changes)  # type: ignore[arg-type]
        self.records.append(record)
        self.standing = advance(standing, record)
        return self


def observation(
    probe: str,
    at: datetime,
    violations: Sequence[Violation] = (),
    *,
    population: int = 5,
    whole: bool = True,
) -> Observation:
    """What a probe saw at an instant."""
    return Observation(
        probe=probe,
        tool=TOOL,
        inputs="00" * 32,
        started=at - timedelta(seconds=1),
        ended=at,
        population=population,
        counts={"attempts": 10, "without_second_lock": 0},
        violations=tuple(violations),
        whole=whole,
    )
