"""Examining a whole log, its growth and single leaves: what is accepted, and what is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tegata.transparency.checkpoint import Checkpoint, parse_checkpoint
from tegata.transparency.examination import Examination, Tampered, prove_entry, prove_growth
from tegata.transparency.note import parse_note
from tegata.transparency.tiles import TileId, tile_path
from tests.standalone.writer import Signer, WrittenLog, entry, flip

SIGNER = Signer("log.example.test/log")
ENTRIES = [entry(number) for number in range(600)]
SIZES = [1, 2, 255, 256, 257, 300, 511, 512, 513, 599, 600]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return WrittenLog(SIGNER, ENTRIES).write(tmp_path / "log")


def head(entries: list[bytes], size: int) -> Checkpoint:
    return parse_checkpoint(parse_note(WrittenLog(SIGNER, entries).checkpoint(size).encode()).text)


def reader(log: Path) -> Callable[[TileId, int], bytes]:
    return lambda tile, width: (log / tile_path(tile, width)).read_bytes()


def examined(log: Path, *older: Checkpoint, size: int = 600) -> Examination:
    examination = Examination(head(ENTRIES, size), reader(log))
    examination.run(older)
    return examination


def finding(act: Callable[[], object]) -> str:
    with pytest.raises(Tampered) as raised:
        act()
    return raised.value.code


def test_a_whole_log_is_computed_again_and_continues_all_that_came_before(log: Path) -> None:
    assert examined(log, *(head(ENTRIES, size) for size in SIZES)).tiles == [3, 1]


@pytest.mark.parametrize("size", [0, 1, 256, 512])
def test_logs_of_other_sizes_are_computed_again(tmp_path: Path, size: int) -> None:
    folder = WrittenLog(SIGNER, ENTRIES[:size]).write(tmp_path / "log")
    examined(folder, size=size)


@pytest.mark.parametrize(
    ("name", "at", "code"),
    [
        ("tile/entries/000", 40, "leaf.altered"),
        ("tile/entries/002.p/88", -1, "leaf.altered"),
        ("tile/entries/001", 0, "entries.oversize"),
        ("tile/0/001", 32, "tile.altered"),
        ("tile/0/002.p/88", -1, "tile.altered"),
        ("tile/1/000.p/2", 0, "tile.altered"),
    ],
)
def test_a_flipped_bit_is_named(log: Path, name: str, at: int, code: str) -> None:
    flip(log / name, at)
    assert finding(lambda: examined(log)) == code


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("tile/entries/001", -34, "entries.truncated"),
        ("tile/entries/001", 34, "entries.oversize"),
        ("tile/0/000", -1, "tile.truncated"),
        ("tile/1/000.p/2", 1, "tile.oversize"),
    ],
)
def test_another_length_is_named(log: Path, name: str, change: int, code: str) -> None:
    octets = (log / name).read_bytes()
    (log / name).write_bytes(octets[:change] if change < 0 else octets + bytes(change))
    assert finding(lambda: examined(log)) == code


def test_entries_and_tiles_changed_alike_are_seen_by_the_root(log: Path) -> None:
    other = WrittenLog(SIGNER, [*ENTRIES[:-1], entry(9999)]).write(log.parent / "other")
    assert finding(lambda: examined(other)) == "root.mismatch"


OTHER_PAST = [entry(9999), *ENTRIES[1:]]


@pytest.mark.parametrize("size", SIZES)
def test_another_past_is_a_split_view_both_ways(log: Path, size: int) -> None:
    old, new = head(OTHER_PAST, size), head(ENTRIES, 600)
    assert finding(lambda: examined(log, old)) == "log.split-view"
    assert finding(lambda: prove_growth(old, new, reader(log))) == "log.split-view"


@pytest.mark.parametrize("size", SIZES)
def test_growth_is_proven_by_tiles(log: Path, size: int) -> None:
    prove_growth(head(ENTRIES, size), head(ENTRIES, 600), reader(log))


def test_a_shorter_log_and_another_ones_checkpoint_are_named(log: Path) -> None:
    longer = head([*ENTRIES, entry(600)], 601)
    assert finding(lambda: examined(log, longer)) == "log.rolled-back"
    stranger = Checkpoint("other.example.test/log", 1, bytes(32))
    assert finding(lambda: examined(log, stranger)) == "origin.wrong"


@pytest.mark.parametrize("index", [0, 255, 256, 511, 512, 599])
def test_a_leaf_is_proven_by_tiles_and_another_entry_is_not(log: Path, index: int) -> None:
    now = head(ENTRIES, 600)
    prove_entry(index, ENTRIES[index], now, reader(log))
    assert finding(lambda: prove_entry(index, entry(9999), now, reader(log))) == "event.leaf"
