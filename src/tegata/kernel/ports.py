"""Time and chance, as every use case asks for them."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The time of day. A use case reads it once."""

    def now(self) -> datetime:
        """The present instant, in UTC, with its time zone."""
        ...


class Randomness(Protocol):
    """The system's random source."""

    def octets(self, count: int) -> bytes:
        """`count` octets that nobody can predict."""
        ...
