"""When a clock is trusted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tegata.outbound.discipline import KernelDiscipline
from tegata.timestamping.clock import SETTLING, JudgedClock
from tegata.timestamping.model import ClockFault, ClockSample, ClockTrust

SECOND = 1_000_000_000
START = datetime(2026, 7, 15, 9, 30, tzinfo=UTC)


class Machine:
    """Both clocks of a machine, moved by a test."""

    def __init__(self) -> None:
        self.realtime = int(START.timestamp()) * SECOND
        self.boottime = 100 * SECOND
        self.synchronised = True
        self.maximum_error = timedelta(milliseconds=20)

    def sample(self) -> ClockSample:
        return ClockSample(self.realtime, self.boottime, self.synchronised, self.maximum_error)

    def run(self, seconds: float, step: float = 0.0) -> None:
        """Time passes; the time of day is moved beside it."""
        self.boottime += int(seconds * SECOND)
        self.realtime += int((seconds + step) * SECOND)


def judged(trust: ClockTrust = ClockTrust.KERNEL) -> tuple[Machine, JudgedClock]:
    machine = Machine()
    clock = JudgedClock(machine, trust)
    assert clock.read().fault is None
    return machine, clock


def test_a_synchronised_clock_that_runs_evenly_is_trusted() -> None:
    machine, clock = judged()
    reading = clock.read()
    for _ in range(200):
        machine.run(0.75, 0.125 / 256)
        reading = clock.read()
        assert (reading.fault, reading.maximum_error) == (None, timedelta(milliseconds=20))
    assert reading.instant - START == timedelta(seconds=150) + 200 * timedelta(seconds=0.125) / 256


@pytest.mark.parametrize("trust", list(ClockTrust))
@pytest.mark.parametrize("step", [-3600.0, -0.2, 0.2, 3600.0])
def test_a_jump_is_seen_and_forgiven_after_an_even_minute(trust: ClockTrust, step: float) -> None:
    machine, clock = judged(trust)
    machine.run(0.5, step)
    reading = clock.read()
    assert reading.fault is ClockFault.JUMPED
    assert reading.jump == timedelta(seconds=step)
    machine.run(SETTLING.total_seconds() - 1)
    assert clock.read().fault is ClockFault.JUMPED
    machine.run(2)
    assert clock.read().fault is None


def test_many_small_steps_are_one_jump() -> None:
    machine, clock = judged()
    faults = []
    for _ in range(20):
        machine.run(0.01, 0.03)
        faults.append(clock.read().fault)
    assert ClockFault.JUMPED in faults


def test_a_suspended_machine_has_not_jumped() -> None:
    machine, clock = judged()
    machine.run(86_400)
    assert clock.read().fault is None


def test_a_clock_that_is_not_synchronised_is_trusted_only_where_that_is_assumed() -> None:
    for trust, fault in (
        (ClockTrust.KERNEL, ClockFault.UNSYNCHRONISED), (ClockTrust.ASSUMED, None),
    ):  # fmt: skip
        machine, clock = judged(trust)
        machine.synchronised = False
        reading = clock.read()
        assert reading.fault is fault
        assert (reading.maximum_error is None) is (trust is ClockTrust.ASSUMED)


def test_this_machine_has_clocks_that_run() -> None:
    discipline = KernelDiscipline()
    one, other = discipline.sample(), discipline.sample()
    assert one.boottime <= other.boottime
    assert abs(one.realtime / SECOND - datetime.now(UTC).timestamp()) < 60
