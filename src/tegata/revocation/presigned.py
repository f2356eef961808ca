"""OCSP answers that are signed once and given many times (ARCHITECTURE.md section 7).

An answer is found by what asked for it, octet for octet, and leaves when the status of one of
its certificates changes, on whichever node that was: `withdraw` is told by this node's own
commits and by the feed of everybody's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from tegata.kernel.ids import IssuerId

# What one answer occupies beside its own octets and its question's, roughly.
_OVERHEAD = 600
_WITHDRAWN_KEPT = 65_536

Form = TypeVar("Form")
Subject = tuple[IssuerId, int]


@dataclass(frozen=True, slots=True)
class Presigned(Generic[Form]):
    """An answer in the form that its door sends.

    Up to `fresh_until`, half of its life, it is given without a question; then, to
    `valid_until`, only when no newer one can be had. `size` is its share of the memory for each
    question that finds it.
    """

    form: Form
    subjects: tuple[Subject, ...]
    fresh_until: datetime
    valid_until: datetime
    size: int


class PresignedAnswers(Generic[Form]):
    """The answers in memory, at most `maximum` octets of them; the oldest make room."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._size = 0
        self._answers: dict[bytes, Presigned[Form]] = {}
        self._asked: dict[Subject, set[bytes]] = {}
        # Counts withdrawals, and says which was each subject's last.
        self._count = 0
        self._withdrawn: dict[Subject, int] = {}

    def __len__(self) -> int:
        return len(self._answers)

    @property
    def size(self) -> int:
        """Octets in use, about."""
        return self._size

    def find(self, question: bytes) -> Presigned[Form] | None:
        """The answer to a question, fresh or not."""
        return self._answers.get(question)

    def ticket(self) -> int:
        """To be taken before a status is read: what is withdrawn later is not kept."""
        return self._count

    def keep(self, questions: Sequence[bytes], answer: Presigned[Form], ticket: int) -> None:
        """Keep an answer to questions, unless one of its subjects changed since the ticket."""
        if any(self._withdrawn.get(subject, 0) > ticket for subject in answer.subjects):
            return
        for question in questions:
            self._forget(question)
            self._answers[question] = answer
            self._size += self._cost(question, answer)
            for subject in answer.subjects:
                self._asked.setdefault(subject, set()).add(question)
        while self._size > self._maximum:
            self._forget(next(iter(self._answers)))

    def withdraw(self, issuer: IssuerId, serial: int) -> None:
        """Forget every answer about a certificate: its status has changed."""
        self._count += 1
        subject = (issuer, serial)
        self._withdrawn.pop(subject, None)
        self._withdrawn[subject] = self._count
        if len(self._withdrawn) > _WITHDRAWN_KEPT:
            # Nobody still holds a ticket that old.
            del self._withdrawn[next(iter(self._withdrawn))]
        for question in self._asked.pop(subject, ()):
            self._forget(question)

    def clear(self) -> None:
        """Forget everything."""
        self._answers.clear()
        self._asked.clear()
        self._size = 0

    def _forget(self, question: bytes) -> None:
        answer = self._answers.pop(question, None)
        if answer is None:
            return
        self._size -= self._cost(question, answer)
        for subject in answer.subjects:
            asked = self._asked.get(subject)
            if asked is not None:
                asked.discard(question)
                if not asked:
                    del self._asked[subject]

    @staticmethod
    def _cost(question: bytes, answer: Presigned[Form]) -> int:
        return len(question) + answer.size + _OVERHEAD
