"""What the kernel says of the time of day: ntp_gettimex(3), which reads adjtimex(2)."""

from __future__ import annotations

import ctypes
from datetime import timedelta
from typing import ClassVar

from tegata.outbound.system import boottime_nanoseconds, realtime_nanoseconds
from tegata.timestamping.model import ClockSample

# <sys/timex.h>: the clock is not synchronised.
_TIME_ERROR = 5
# Nanoseconds for which the kernel's word is believed: it counts the error up in seconds.
_BELIEVED = 250_000_000


class _NtpTimeval(ctypes.Structure):
    _fields_: ClassVar = [
        ("seconds", ctypes.c_long),
        ("microseconds", ctypes.c_long),
        ("maximum_error", ctypes.c_long),
        ("estimated_error", ctypes.c_long),
        ("tai", ctypes.c_long),
        ("reserved", ctypes.c_long * 4),
    ]


class KernelDiscipline:
    """This machine's clocks."""

    def __init__(self) -> None:
        # A C library that has no such function knows nothing of synchronisation.
        self._gettimex = getattr(ctypes.CDLL(None), "ntp_gettimex", None)
        self._asked: int | None = None
        self._synchronised = False
        self._maximum_error = timedelta.max

    def sample(self) -> ClockSample:
        """Both clocks now, and the kernel's word of at most a quarter of a second ago."""
        boottime = boottime_nanoseconds()
        if self._asked is None or boottime - self._asked > _BELIEVED:
            self._ask()
            self._asked = boottime
        return ClockSample(
            realtime_nanoseconds(), boottime, self._synchronised, self._maximum_error
        )

    def _ask(self) -> None:
        answer = _NtpTimeval()
        state = -1 if self._gettimex is None else self._gettimex(ctypes.byref(answer))
        self._synchronised = 0 <= state < _TIME_ERROR
        self._maximum_error = timedelta(microseconds=answer.maximum_error)
