"""Time, chance and sealing that a test decides."""

import hashlib
from datetime import UTC, datetime, timedelta

START = datetime(2026, 7, 15, 9, 30, tzinfo=UTC)


class FakeClock:
    """A clock that stands until it is moved."""

    def __init__(self, instant: datetime = START) -> None:
        self.instant = instant

    def now(self) -> datetime:
        return self.instant

    def advance(self, period: timedelta) -> None:
        self.instant += period


class CountingRandomness:
    """Octets that look like chance, never repeat, and are the same in every run."""

    def __init__(self, seed: str = "") -> None:
        self._seed = seed
        self._drawn = 0

    def octets(self, count: int) -> bytes:
        self._drawn += 1
        return hashlib.shake_256(f"{self._seed}:{self._drawn}".encode()).digest(count)


class PlainSealer:
    """Hides nothing; binds the context as a real one does."""

    def seal(self, plaintext: bytes, context: str) -> bytes:
        return self._bound(context) + plaintext

    def unseal(self, sealed: bytes, context: str) -> bytes:
        bound = self._bound(context)
        if not sealed.startswith(bound):
            raise ValueError("sealed for another context")
        return sealed[len(bound) :]

    def pseudonym(self, octets: bytes, context: str) -> bytes:
        return hashlib.sha256(context.encode() + b"\x00" + octets).digest()

    def _bound(self, context: str) -> bytes:
        return hashlib.sha256(context.encode()).digest()
