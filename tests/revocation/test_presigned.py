"""Pre-signed answers: found by their question, withdrawn by their subject, bounded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tegata.kernel.ids import IssuerId
from tegata.revocation.presigned import Presigned, PresignedAnswers

ISSUER = IssuerId("iss_1")
OTHER = IssuerId("iss_2")
NOW = datetime(2026, 7, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
ROOM = 1 << 20


def answer(form: str, *serials: int, issuer: IssuerId = ISSUER, size: int = 100) -> Presigned[str]:
    subjects = tuple((issuer, serial) for serial in serials)
    return Presigned(form, subjects, NOW + HOUR, NOW + 2 * HOUR, size)


def form(memory: PresignedAnswers[str], question: bytes) -> str | None:
    found = memory.find(question)
    return None if found is None else found.form


def test_an_answer_is_found_by_its_question() -> None:
    memory = PresignedAnswers[str](ROOM)
    memory.keep([b"a"], answer("good", 1), memory.ticket())
    assert form(memory, b"a") == "good"
    assert memory.find(b"b") is None


def test_a_change_withdraws_every_answer_about_the_certificate_and_no_other() -> None:
    memory = PresignedAnswers[str](ROOM)
    memory.keep([b"sha1 of 1", b"sha256 of 1"], answer("good", 1), memory.ticket())
    memory.keep([b"1 and 2"], answer("good", 1, 2), memory.ticket())
    memory.keep([b"2"], answer("good", 2), memory.ticket())
    memory.keep([b"1 of another"], answer("good", 1, issuer=OTHER), memory.ticket())
    memory.withdraw(ISSUER, 1)
    left = [b for b in (b"sha1 of 1", b"sha256 of 1", b"1 and 2", b"2", b"1 of another")
            if memory.find(b)]  # fmt: skip
    assert left == [b"2", b"1 of another"]


def test_what_was_read_before_a_change_is_not_kept_after_it() -> None:
    memory = PresignedAnswers[str](ROOM)
    ticket = memory.ticket()
    memory.withdraw(ISSUER, 1)
    memory.keep([b"1"], answer("good", 1), ticket)
    memory.keep([b"2"], answer("good", 2), ticket)
    assert memory.find(b"1") is None
    assert form(memory, b"2") == "good"
    memory.keep([b"1"], answer("revoked", 1), memory.ticket())
    assert form(memory, b"1") == "revoked"


def test_the_oldest_answers_make_room() -> None:
    memory = PresignedAnswers[str](10_000)
    for serial in range(100):
        memory.keep([b"%d" % serial], answer("good", serial, size=1000), memory.ticket())
    assert 0 < len(memory) < 10
    assert memory.size <= 10_000
    assert memory.find(b"0") is None
    assert form(memory, b"99") == "good"


class Machine(RuleBasedStateMachine):
    """Any history: nothing withdrawn is ever found, and the books balance."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = PresignedAnswers[int](ROOM)
        self.versions: dict[int, int] = {}
        self.read: list[tuple[int, tuple[int, ...], tuple[int, ...]]] = []

    @rule(serials=st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True))
    def look(self, serials: list[int]) -> None:
        known = tuple(self.versions.get(serial, 0) for serial in serials)
        self.read.append((self.memory.ticket(), tuple(serials), known))

    @rule(data=st.data())
    def keep(self, data: st.DataObject) -> None:
        if self.read:
            ticket, serials, known = self.read.pop(data.draw(st.integers(0, len(self.read) - 1)))
            subjects = tuple((ISSUER, serial) for serial in serials)
            kept = Presigned(sum(known), subjects, NOW, NOW, 10)
            self.memory.keep([bytes(serials)], kept, ticket)

    @rule(serial=st.integers(0, 3))
    def change(self, serial: int) -> None:
        self.versions[serial] = self.versions.get(serial, 0) + 1
        self.memory.withdraw(ISSUER, serial)

    @rule()
    def clear(self) -> None:
        self.memory.clear()

    @invariant()
    def everything_found_is_true(self) -> None:
        for first in range(4):
            for second in range(-1, 4):
                serials = bytes([first] if second < 0 else [first, second])
                found = self.memory.find(serials)
                if found is not None:
                    assert found.form == sum(self.versions.get(each, 0) for each in serials)

    @invariant()
    def nothing_takes_room_that_is_not_there(self) -> None:
        assert (self.memory.size == 0) == (len(self.memory) == 0)


TestMachine = Machine.TestCase
