"""The system's clock and random source: the only place where either is read."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime


class SystemClock:
    """The system's clock."""

    def now(self) -> datetime:
        """The present instant, in UTC."""
        return datetime.now(UTC)


class SystemRandomness:
    """The system's random source."""

    def octets(self, count: int) -> bytes:
        """`count` octets from the operating system."""
        return os.urandom(count)


def realtime_nanoseconds() -> int:
    """Nanoseconds of Unix time."""
    return time.clock_gettime_ns(time.CLOCK_REALTIME)


def boottime_nanoseconds() -> int:
    """Nanoseconds since the machine started, whether it was suspended or not."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
