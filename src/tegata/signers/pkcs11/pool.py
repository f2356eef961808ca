"""A bounded pool: each session is in the hands of one thread at a time."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from tegata.signers.pkcs11.errors import TokenClosedError
from tegata.signers.pkcs11.session import Session


class SessionPool:
    """Sessions waiting to be used; the one used last is used next, for its warm handles."""

    def __init__(self, sessions: Sequence[Session]) -> None:
        self._size = len(sessions)
        self._free = list(sessions)
        self._closed = False
        lock = threading.Lock()
        self._one_is_free = threading.Condition(lock)
        self._all_are_free = threading.Condition(lock)
        # How many threads want all sessions: those who want one stand back for them.
        self._want_all = 0

    def take(self) -> Session:
        """A session of one's own, waiting for one where all are taken."""
        with self._one_is_free:
            while not self._closed and (self._want_all or not self._free):
                self._one_is_free.wait()
            self._require_open()
            return self._free.pop()

    def give_back(self, session: Session) -> None:
        """Return what was taken."""
        with self._one_is_free:
            self._free.append(session)
            if not self._want_all:
                self._one_is_free.notify()
            elif len(self._free) == self._size:
                self._all_are_free.notify_all()

    @contextmanager
    def alone(self) -> Generator[Sequence[Session], None, None]:
        """All sessions at once: nobody else uses the token meanwhile."""
        with self._all_are_free:
            sessions = self._gather()
        try:
            yield sessions
        finally:
            with self._all_are_free:
                self._free.extend(sessions)
                self._wake_everyone()

    def drain(self) -> list[Session]:
        """Let nobody take any more, wait for those in use, and hand all of them over."""
        with self._all_are_free:
            try:
                sessions = self._gather()
            except TokenClosedError:  # another thread has done so
                return []
            self._closed = True
            self._wake_everyone()
            return sessions

    def _gather(self) -> list[Session]:
        self._want_all += 1
        try:
            while not self._closed and len(self._free) < self._size:
                self._all_are_free.wait()
            self._require_open()
        finally:
            self._want_all -= 1
            self._wake_everyone()
        sessions, self._free = self._free, []
        return sessions

    def _wake_everyone(self) -> None:
        self._all_are_free.notify_all()
        self._one_is_free.notify_all()

    def _require_open(self) -> None:
        if self._closed:
            raise TokenClosedError("the token was closed")
