"""A node's journal of negative acts: what is read back, and what is not believed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tegata.kernel.ids import NodeId, TenantId
from tegata.kernel.negative import ActKind, ActPlace, NegativeAct, Value
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.signing import Sealer
from tegata.operations.model import JournalView, Standing
from tegata.store.disk import DiskReserve
from tegata.store.journal import Journal, open_journal
from tegata.store.journal_files import frame
from tests.fakes.system import FakeClock, PlainSealer

NODE = NodeId("nod_one")
TENANT = TenantId("ten_one")


class PlainKeys:
    """Keys that hide nothing."""

    async def create(self, node: NodeId) -> tuple[bytes, Sealer]:
        return node.encode(), PlainSealer()

    async def open(self, node: NodeId, wrapped: bytes) -> Sealer:
        if wrapped != node.encode():
            raise Problem(ProblemCode.KEY_PURPOSE_REFUSED)
        return PlainSealer()


def act(number: int, kind: ActKind = ActKind.TOKEN_REVOKED) -> NegativeAct:
    token = f"tok_{number}"
    values: dict[str, Value] = {
        "token": token,
        "revoked_at": number,
        "more": b"\x00\xff",
        "none": None,
    }
    return NegativeAct(kind, TENANT, f"token:{token}", values)


async def opened(*folders: Path, clock: FakeClock | None = None, node: NodeId = NODE) -> Journal:
    reserve = DiskReserve(folders[0].parent, 0)
    return await open_journal(node, folders, PlainKeys(), reserve, clock or FakeClock(), 90)


async def begun(*folders: Path, clock: FakeClock | None = None) -> Journal:
    journal = await opened(*folders, clock=clock)
    await journal.begin_run()
    return journal


async def written(*folders: Path, acts: int = 3) -> list[ActPlace]:
    """Acts in a journal that has been closed."""
    journal = await begun(*folders)
    await journal.start(1, completed=True)
    places = [(await journal.begin([act(number)]))[0] for number in range(acts)]
    await journal.close()
    return places


async def view(*folders: Path) -> JournalView:
    journal = await opened(*folders)
    await journal.close()
    return journal.view


def segment(folder: Path) -> Path:
    (only,) = folder.glob("*.acts")
    return only


def subjects(found: JournalView) -> list[str]:
    return [each.act.subject for each in found.acts]


async def test_acts_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    places = await written(tmp_path / "one")
    found = await view(tmp_path / "one")
    assert (found.faults, found.torn, found.started) == ((), False, 1)
    assert [each.place for each in found.acts] == [each.place for each in places]
    assert [each.act for each in found.acts] == [act(number) for number in range(3)]
    assert [each.done for each in found.acts] == [None] * 3


async def test_acts_that_wait_together_get_a_place_each(tmp_path: Path) -> None:
    journal = await begun(tmp_path / "one")
    places = await asyncio.gather(*(journal.begin([act(number)]) for number in range(300)))
    await journal.close()
    found = await view(tmp_path / "one")
    by_place = {each.place: each.act.subject for each in found.acts}
    assert [by_place[place.place] for (place,) in places] == [
        act(number).subject for number in range(300)
    ]


async def test_outcomes_and_what_was_seen_are_read_back(tmp_path: Path) -> None:
    journal = await begun(tmp_path / "one")
    first = await journal.begin([act(1)])
    second = await journal.begin([act(2, ActKind.TENANT_RESUMED)])
    assert journal.settled() == first[0].place - 1
    await journal.end(first, done=False, lifts=False)
    assert journal.settled() == second[0].place - 1
    await journal.end(second, done=True, lifts=True)
    assert journal.settled() == second[0].place
    await journal.see(NodeId("nod_two"), Standing(3, 2, 1))
    await journal.close()
    found = await view(tmp_path / "one")
    assert [each.done for each in found.acts] == [False, True]
    assert found.seen == {NodeId("nod_two"): Standing(3, 2, 1)}


async def test_a_run_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    await written(tmp_path / "one")
    journal = await begun(tmp_path / "one")
    await journal.begin([act(9)])
    await journal.close()
    found = await view(tmp_path / "one")
    assert subjects(found) == [f"token:tok_{number}" for number in (0, 1, 2, 9)]
    assert not found.faults


@pytest.mark.parametrize("cut", [1, 7, 8, 9, 30])
async def test_what_a_crash_tore_off_is_left_behind(tmp_path: Path, cut: int) -> None:
    await written(tmp_path / "one")
    file = segment(tmp_path / "one")
    os.truncate(file, file.stat().st_size - cut)
    found = await view(tmp_path / "one")
    assert (found.torn, found.faults, len(found.acts)) == (True, (), 2)
    journal = await begun(tmp_path / "one")
    await journal.begin([act(9)])
    await journal.close()
    again = await view(tmp_path / "one")
    assert (again.torn, again.faults, len(again.acts)) == (False, (), 3)


async def test_zeros_that_a_crash_left_at_the_end_are_a_torn_record(tmp_path: Path) -> None:
    await written(tmp_path / "one")
    with segment(tmp_path / "one").open("ab") as file:
        file.write(bytes(100))
    found = await view(tmp_path / "one")
    assert (found.torn, found.faults, len(found.acts)) == (True, (), 3)


async def test_damage_before_the_end_is_a_fault(tmp_path: Path) -> None:
    await written(tmp_path / "one")
    file = segment(tmp_path / "one")
    octets = bytearray(file.read_bytes())
    place = octets.index(b"tok_1")
    octets[place] ^= 1
    file.write_bytes(octets)
    assert "damaged" in (await view(tmp_path / "one")).faults[0]


async def test_a_missing_segment_is_a_fault(tmp_path: Path) -> None:
    for _ in range(3):
        await written(tmp_path / "one")
    middle = sorted((tmp_path / "one").iterdir())[1]
    middle.unlink()
    assert "missing before" in (await view(tmp_path / "one")).faults[0]


async def test_a_record_that_was_not_sealed_for_its_place_is_a_fault(tmp_path: Path) -> None:
    await written(tmp_path / "one")
    file = segment(tmp_path / "one")
    moved = PlainSealer().seal(b"\x94\x03\x01\xc3", "negative-acts|1")
    with file.open("ab") as opened_file:
        opened_file.write(frame(moved))
    assert "not genuine" in (await view(tmp_path / "one")).faults[0]


async def test_another_nodes_journal_is_a_fault(tmp_path: Path) -> None:
    await written(tmp_path / "one")
    journal = await opened(tmp_path / "one", node=NodeId("nod_two"))
    assert "another node's" in journal.view.faults[0]


async def test_the_second_copy_stands_in_and_the_first_is_made_again(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    await written(one, two)
    file = segment(one)
    octets = bytearray(file.read_bytes())
    octets[octets.index(b"tok_1")] ^= 1
    file.write_bytes(octets)
    found = await view(one, two)
    assert (found.faults, len(found.acts)) == ((), 3)
    assert subjects(await view(one)) == subjects(found)


async def test_a_second_copy_is_made_when_it_is_first_asked_for(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    await written(one)
    await view(one, two)
    assert len((await view(two)).acts) == 3


async def test_a_damaged_copy_that_reaches_further_is_a_fault(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    await written(one, two)
    short, damaged = segment(two), segment(one)
    octets = damaged.read_bytes()
    short.write_bytes(octets[: octets.index(b"tok_0") + 5])
    broken = bytearray(octets)
    broken[octets.index(b"tok_1")] ^= 1
    damaged.write_bytes(broken)
    assert (await view(one, two)).faults


async def test_one_copy_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    journal = await begun(one, two)
    os.close(journal._folders[1].descriptor)
    journal._folders[1].descriptor = os.open("/dev/full", os.O_WRONLY)
    await journal.begin([act(1)])
    await journal.close()
    assert len((await view(one)).acts) == 1


async def test_a_full_disk_refuses_the_act(tmp_path: Path) -> None:
    journal = await begun(tmp_path / "one")
    os.close(journal._folders[0].descriptor)
    journal._folders[0].descriptor = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(Problem) as caught:
        await journal.begin([act(1)])
    assert caught.value.code is ProblemCode.STORAGE_EXHAUSTED
    assert journal.settled() == 0
    await journal.close()


async def test_a_journal_that_is_given_up_is_kept_aside(tmp_path: Path) -> None:
    await written(tmp_path / "one")
    journal = await opened(tmp_path / "one")
    await journal.replace(1000)
    await journal.begin_run()
    await journal.close()
    found = await view(tmp_path / "one")
    assert (found.first, found.acts, found.faults) == (1000, (), ())
    assert list((tmp_path / "one").glob("lost-*/*.acts"))


async def test_segments_older_than_any_backup_may_be_are_deleted(tmp_path: Path) -> None:
    for _ in range(3):
        await written(tmp_path / "one")
    files: Sequence[Path] = sorted((tmp_path / "one").iterdir())
    os.utime(files[0], (0, 0))
    os.utime(files[1], (0, 0))
    journal = await begun(tmp_path / "one")
    second = int(files[1].stem)
    await journal.see(NODE, Standing(1, second, 1))
    await journal.close()
    left = sorted(each.name for each in (tmp_path / "one").iterdir())
    assert left[0] == files[1].name
    found = await view(tmp_path / "one")
    assert (found.first, found.faults, found.started) == (second, (), 1)
