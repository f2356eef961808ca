"""The system's clock and random source: the only place where either is read."""

from __future__ import annotations

import os
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
