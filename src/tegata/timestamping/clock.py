"""Whether the time of day can be trusted: pure, but for the memory of what the clocks said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tegata.timestamping.model import ClockFault, ClockReading, ClockSample, ClockTrust
from tegata.timestamping.ports import ClockDiscipline

_SECOND = 1_000_000_000
# How far the time of day may move beside the machine's own: what a step can hide in, and the
# fastest that a daemon slews (chrony's maxslewrate is 83333 ppm).
_STEP = _SECOND // 20
_SLEW = 10
# A clock that jumped is trusted again when it has run evenly for so long.
SETTLING = timedelta(seconds=60)
_SETTLING = int(SETTLING.total_seconds()) * _SECOND
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class JudgedClock:
    """Reads the clocks and judges them: synchronised by the kernel's word, unless that is assumed,
    and never jumping against the clock that counts from the machine's start."""

    def __init__(self, discipline: ClockDiscipline, trust: ClockTrust) -> None:
        self._discipline = discipline
        self.trust = trust
        self._anchor: ClockSample | None = None
        self._jumped_at: int | None = None
        self._jump = 0

    def read(self) -> ClockReading:
        """The present instant, and whether it can be trusted."""
        sample = self._discipline.sample()
        self._look_for_jump(sample)
        fault = None
        if self._jumped_at is not None and sample.boottime - self._jumped_at < _SETTLING:
            fault = ClockFault.JUMPED
        elif self.trust is ClockTrust.KERNEL and not sample.synchronised:
            fault = ClockFault.UNSYNCHRONISED
        return ClockReading(
            instant=_EPOCH + timedelta(microseconds=sample.realtime // 1000),
            fault=fault,
            maximum_error=sample.maximum_error if self.trust is ClockTrust.KERNEL else None,
            jump=timedelta(microseconds=self._jump // 1000)
            if fault is ClockFault.JUMPED
            else timedelta(),
        )

    def _look_for_jump(self, sample: ClockSample) -> None:
        anchor = self._anchor
        if anchor is None:
            self._anchor = sample
            return
        elapsed = sample.boottime - anchor.boottime
        apart = sample.realtime - anchor.realtime - elapsed
        if abs(apart) > _STEP + elapsed // _SLEW:
            self._jumped_at, self._jump, self._anchor = sample.boottime, apart, sample
        elif elapsed >= _SECOND:
            # Not at every reading: many small steps would each hide in the tolerance.
            self._anchor = sample
