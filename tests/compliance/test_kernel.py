"""The invariants of the kernel: nothing turns green by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tegata.compliance.model import Independence, Reason, Standing, Texts, Verdict
from tegata.compliance.rules import (
    SKEW,
    claim_of,
    control_outcome,
    fold,
    probe_outcome,
)
from tests.compliance.evidence import CONTROL, OTHER, PROBE, START, Chain

REVISION = CONTROL.commitment.revision
# What may happen to a probe: a verdict with a population, a canary caught or missed, time.
Step = tuple[str, int, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["look", "caught", "missed"]),
        st.integers(0, len(Verdict) - 1),
        st.integers(0, 3),
    ),
    max_size=12,
)
PAUSES = st.integers(0, 3600)


def chain_of(steps: Sequence[Step], start: datetime = START, probe_name: str = "") -> Chain:
    chain = Chain(probe=OTHER if probe_name else PROBE, now=start)
    for kind, verdict, population in steps:
        chain.wait(timedelta(seconds=30))
        if kind == "look":
            chain.look(Verdict(verdict), population)
        else:
            chain.canary(caught=kind == "caught")
    return chain


def verdict_of(chain: Chain, now: datetime) -> Verdict:
    return probe_outcome(chain.standing, chain.probe, REVISION, now).verdict


def met() -> Chain:
    """A probe that has all that *met* needs."""
    return Chain().canary().look()


def test_fresh_independent_evidence_and_a_caught_fault_make_a_promise_met() -> None:
    chain = met()
    assert verdict_of(chain, chain.now) is Verdict.MET
    assert control_outcome(CONTROL, {PROBE.name: chain.standing}, START).verdict is Verdict.MET


@given(STEPS, PAUSES, PAUSES)
def test_a_collector_that_falls_silent_improves_nothing(
    steps: list[Step], first: int, more: int
) -> None:
    chain = chain_of(steps)
    earlier = chain.now + timedelta(seconds=first)
    later = earlier + timedelta(seconds=more)
    assert verdict_of(chain, later) <= verdict_of(chain, earlier)


@given(STEPS, STEPS, PAUSES)
def test_a_promise_without_one_of_its_collectors_is_never_better(
    steps: list[Step], others: list[Step], pause: int
) -> None:
    control = replace(CONTROL, probes=(PROBE, OTHER))
    one, other = chain_of(steps), chain_of(others, probe_name="other")
    now = max(one.now, other.now) + timedelta(seconds=pause)
    both = {PROBE.name: one.standing, OTHER.name: other.standing}
    whole = control_outcome(control, both, now).verdict
    for left in ({PROBE.name: one.standing}, {OTHER.name: other.standing}, {}):
        less = control_outcome(control, left, now).verdict
        assert less <= max(whole, Verdict.UNKNOWN)
        assert less < Verdict.DEGRADED


@given(STEPS, st.integers(0, 3), PAUSES, st.booleans())
def test_a_failing_record_never_improves_a_verdict(
    steps: list[Step], population: int, pause: int, canary: bool
) -> None:
    chain = chain_of(steps)
    now = chain.now + timedelta(seconds=pause)
    before = verdict_of(chain, now)
    chain.now = now
    if canary:
        chain.canary(caught=False)
    else:
        chain.look(Verdict.BREACHED, population)
    assert verdict_of(chain, now) <= before


@given(STEPS, PAUSES)
def test_a_record_that_knows_nothing_never_improves_a_verdict(
    steps: list[Step], pause: int
) -> None:
    chain = chain_of(steps)
    now = chain.now + timedelta(seconds=pause)
    before = verdict_of(chain, now)
    chain.now = now
    assert verdict_of(chain.look(Verdict.UNKNOWN, 3), now) <= before


@given(STEPS, PAUSES)
def test_a_verdict_depends_on_the_records_and_the_instant_alone(
    steps: list[Step], pause: int
) -> None:
    chain = chain_of(steps)
    now = chain.now + timedelta(seconds=pause)
    assert fold(chain.records) == chain.standing
    outcome = probe_outcome(chain.standing, PROBE, REVISION, now)
    assert probe_outcome(fold(chain.records), PROBE, REVISION, now) == outcome


@given(STEPS)
def test_no_claim_is_made_of_a_value_that_no_record_has(steps: list[Step]) -> None:
    standings = {PROBE.name: chain_of(steps).standing}
    unsupported = replace(CONTROL, claim=Texts("{never_measured} things.", "{never_measured} 件。"))
    assert claim_of(unsupported, standings) is None
    if not any(kind == "look" for kind, _, _ in steps):
        assert claim_of(CONTROL, standings) is None


@given(STEPS, PAUSES)
def test_an_empty_population_is_never_met(steps: list[Step], pause: int) -> None:
    chain = chain_of(steps).canary().look(Verdict.MET, 0)
    now = chain.now + timedelta(seconds=pause)
    assert verdict_of(chain, now) <= Verdict.UNKNOWN


@given(STEPS, st.integers(-86_400, 86_400))
def test_a_clock_that_is_moved_makes_no_evidence_last_longer(steps: list[Step], moved: int) -> None:
    chain = chain_of(steps)
    now = chain.now + timedelta(seconds=moved)
    latest = chain.standing.latest
    if verdict_of(chain, now) >= Verdict.DEGRADED:
        assert latest is not None
        assert latest.ended - SKEW <= now < latest.ended + PROBE.valid_for


@given(STEPS, PAUSES)
def test_who_looks_at_itself_alone_makes_nothing_met(steps: list[Step], pause: int) -> None:
    chain = Chain(independence=Independence.SELF)
    for _kind, verdict, population in steps:
        chain.wait(timedelta(seconds=30)).look(Verdict(verdict), population).canary()
    now = chain.now + timedelta(seconds=pause)
    outcome = control_outcome(CONTROL, {PROBE.name: chain.standing}, now)
    assert outcome.verdict < Verdict.MET_WITH_EXCEPTION


def test_evidence_runs_out_without_anybody_writing_anything() -> None:
    chain = met()
    assert verdict_of(chain, chain.now + PROBE.valid_for - timedelta(seconds=1)) is Verdict.MET
    assert verdict_of(chain, chain.now + PROBE.valid_for) is Verdict.UNKNOWN


def test_a_record_that_claims_to_last_longer_than_its_probe_allows_is_not_believed() -> None:
    chain = Chain().canary().look(valid_until=START + timedelta(days=365))
    assert verdict_of(chain, START + PROBE.valid_for) is Verdict.UNKNOWN


def test_evidence_from_the_future_is_unknown() -> None:
    chain = met()
    outcome = probe_outcome(chain.standing, PROBE, REVISION, START - timedelta(hours=1))
    assert outcome.reasons[0].code == "evidence.future"


def test_evidence_for_another_wording_supports_nothing() -> None:
    weaker = replace(CONTROL, commitment=replace(CONTROL.commitment, parameters={"minutes": 60}))
    outcome = control_outcome(weaker, {PROBE.name: met().standing}, START)
    assert outcome.verdict is Verdict.UNKNOWN
    assert outcome.reasons[0].code == "evidence.other-promise"


def test_a_probe_that_was_never_seen_to_fail_proves_nothing() -> None:
    assert verdict_of(Chain().look(), START) is Verdict.UNKNOWN


def test_a_probe_whose_last_catch_is_old_proves_nothing() -> None:
    chain = Chain().canary().wait(PROBE.canary.age_maximum).look()
    assert verdict_of(chain, chain.now) is Verdict.UNKNOWN


def test_a_missed_fault_breaches_whatever_the_probe_says() -> None:
    chain = met().canary(caught=False).look()
    assert verdict_of(chain, chain.now) is Verdict.BREACHED


def test_a_breach_stays_when_the_collector_is_switched_off() -> None:
    chain = met().look(Verdict.BREACHED)
    assert verdict_of(chain, chain.now + timedelta(days=365)) is Verdict.BREACHED


@pytest.mark.parametrize("mend", [["look"], ["canary"], ["look", "look"], ["canary", "canary"]])
def test_a_breach_stays_until_both_a_good_look_and_a_caught_fault_came_after_it(
    mend: list[str],
) -> None:
    chain = met().look(Verdict.BREACHED)
    for step in mend:
        chain = chain.look() if step == "look" else chain.canary()
    assert verdict_of(chain, chain.now) is Verdict.BREACHED
    chain = chain.look().canary()
    assert verdict_of(chain, chain.now) is Verdict.MET


def test_what_is_covered_and_not_measured_keeps_the_best_verdict_at_degraded() -> None:
    partly = replace(CONTROL, unprobed=(Texts("network", "ネットワーク"),))
    outcome = control_outcome(partly, {PROBE.name: met().standing}, START)
    assert outcome.verdict is Verdict.DEGRADED
    assert outcome.reasons == (
        Reason("plane.unprobed", (("en", "network"), ("ja", "ネットワーク"))),
    )


def test_evidence_that_was_changed_is_unknown() -> None:
    standings = {PROBE.name: met().standing}
    outcome = control_outcome(CONTROL, standings, START, {PROBE.name})
    assert outcome.verdict is Verdict.UNKNOWN


def test_a_promise_without_a_probe_is_unknown() -> None:
    outcome = control_outcome(replace(CONTROL, probes=()), {}, START)
    assert (outcome.verdict, outcome.valid_until) == (Verdict.UNKNOWN, None)


def test_what_was_left_out_is_an_exception() -> None:
    chain = Chain().canary().look(excluded=("one route",))
    assert verdict_of(chain, START) is Verdict.MET_WITH_EXCEPTION


def test_a_record_that_does_not_follow_is_refused() -> None:
    chain = met()
    with pytest.raises(ValueError, match="missing"):
        fold(chain.records[1:])
    forged = replace(chain.records[0], population=99)
    with pytest.raises(ValueError, match="missing"):
        fold([forged, chain.records[1]])


def test_a_standing_of_nothing_is_the_one_without_records() -> None:
    assert fold([]) == Standing()
