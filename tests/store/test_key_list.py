"""The sorted file of compromised keys."""

import random
from hashlib import sha256
from pathlib import Path

import pytest

from tegata.store.key_list import KeyListError, KeyListFile, build_key_list


def key(number: int) -> bytes:
    return sha256(str(number).encode()).digest()


def write(file: Path, *keys: bytes) -> Path:
    file.write_text("".join(f"{each.hex()}\n" for each in keys))
    return file


def opened(file: Path | None) -> KeyListFile:
    listed = KeyListFile(file)
    listed.refresh()
    return listed


@pytest.mark.parametrize("count", [0, 1, 2, 3, 1000])
def test_a_list_holds_what_it_was_made_of_and_nothing_else(tmp_path: Path, count: int) -> None:
    keys = [key(number) for number in range(count)]
    shuffled = random.Random(1).sample(keys, count)
    facts = build_key_list([write(tmp_path / "keys.txt", *shuffled)], tmp_path / "list")
    listed = opened(tmp_path / "list")
    assert listed.facts == facts
    assert facts.keys == count
    assert facts.digest == sha256(b"".join(sorted(keys))).digest()
    assert all(listed.holds(each) for each in keys)
    others = [key(-number) for number in range(1, 100)]
    assert not any(listed.holds(each) for each in (*others, bytes(32), b"\xff" * 32))


def test_sorted_parts_are_merged_and_doubles_left_out(tmp_path: Path) -> None:
    keys = [key(number) for number in range(25)]
    one = write(tmp_path / "one.txt", *keys[:20])
    two = write(tmp_path / "two.txt", *keys[5:])
    parted = build_key_list([one, two], tmp_path / "parted", run=7)
    assert parted == build_key_list([two, one], tmp_path / "whole")
    assert (tmp_path / "parted").read_bytes() == (tmp_path / "whole").read_bytes()
    assert parted.keys == 25


def test_folders_comments_and_remarks_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "lists"
    folder.mkdir()
    (folder / "a").write_text(f"# Debian\n\n{key(1).hex().upper()} rsa-2048\r\n")
    write(folder / "b", key(2))
    assert build_key_list([folder], tmp_path / "list").keys == 2
    assert opened(tmp_path / "list").holds(key(1))


@pytest.mark.parametrize("line", ["ab", "zz" * 32, "ab" * 33, "\xe9" * 64])
def test_a_line_that_is_no_digest_is_named_and_the_old_list_stays(
    tmp_path: Path, line: str
) -> None:
    build_key_list([write(tmp_path / "good.txt", key(1))], tmp_path / "list")
    before = (tmp_path / "list").read_bytes()
    (tmp_path / "bad.txt").write_text(f"{key(2).hex()}\n{line}\n")
    with pytest.raises(KeyListError, match=r"bad\.txt, line 2"):
        build_key_list([tmp_path / "bad.txt"], tmp_path / "list")
    assert (tmp_path / "list").read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["bad.txt", "good.txt", "list"]


def test_without_a_file_nothing_is_listed() -> None:
    listed = KeyListFile(None)
    assert not listed.refresh()
    assert not listed.holds(key(1))


def test_a_new_list_is_used_when_it_is_there_and_a_bad_one_is_not(tmp_path: Path) -> None:
    file = tmp_path / "list"
    build_key_list([write(tmp_path / "keys.txt", key(1))], file)
    listed = opened(file)
    assert not listed.refresh()
    build_key_list([write(tmp_path / "keys.txt", key(2), key(3))], file)
    assert listed.refresh()
    assert (listed.holds(key(1)), listed.holds(key(2))) == (False, True)
    whole = file.read_bytes()
    for bad in (b"", b"nonsense", whole[:-1], whole + b"\0", b"x" + whole[1:], None):
        file.unlink()
        if bad is not None:
            file.write_bytes(bad)
        with pytest.raises(KeyListError):
            listed.refresh()
        assert listed.holds(key(2))
