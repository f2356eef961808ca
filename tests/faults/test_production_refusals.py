"""What production refuses, it refuses before it does anything."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.components import missing
from tests.conformance.running import (
    end,
    first_line,
    refused_to_start,
    serve_arguments,
    start,
)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Generator[Path]:
    """A folder on another volume than the data."""
    if not Path("/dev/shm").is_dir() or Path("/dev/shm").stat().st_dev == tmp_path.stat().st_dev:
        missing("another volume", "production keeps its sealing key there")
    folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder)


def key(file: Path, mode: int = 0o600) -> str:
    file.write_bytes(bytes(range(32)))
    file.chmod(mode)
    return str(file)


def refusal(folder: Path, *options: str) -> str:
    """Why production does not start; nothing may have been made by then but the folder."""
    arguments = serve_arguments(folder / "data", "--production", *options)
    code, said = refused_to_start(arguments, folder / "log")
    assert code == 1
    assert said.startswith("Error: ")
    assert not (folder / "data" / "tegata.sqlite").exists()
    assert not (folder / "data" / "sealing.key").exists()
    return said


def test_production_refuses_the_demo(tmp_path: Path, elsewhere: Path) -> None:
    said = refusal(tmp_path, "--demo", "--sealing-key", key(elsewhere / "key"))
    assert "production has no demo tenant" in said


def test_production_refuses_to_make_a_sealing_key_itself(tmp_path: Path, elsewhere: Path) -> None:
    assert "production needs --sealing-key" in refusal(tmp_path)
    absent = elsewhere / "absent"
    assert "production needs --sealing-key" in refusal(tmp_path, "--sealing-key", str(absent))
    assert not absent.exists()


def test_production_refuses_a_sealing_key_on_the_volume_of_the_data(
    tmp_path: Path, elsewhere: Path
) -> None:
    file = key(tmp_path / "key")
    assert "lies on the same volume" in refusal(tmp_path, "--sealing-key", file)
    link = elsewhere / "link"
    link.symlink_to(file)
    assert "lies on the same volume" in refusal(tmp_path, "--sealing-key", str(link))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_sealing_key_that_others_can_read_is_refused(
    tmp_path: Path, elsewhere: Path, mode: int
) -> None:
    said = refusal(tmp_path, "--sealing-key", key(elsewhere / "key", mode))
    assert "the sealing key's file can be read by others" in said


def test_a_sealing_key_of_the_wrong_size_is_refused(tmp_path: Path, elsewhere: Path) -> None:
    file = elsewhere / "key"
    file.write_bytes(bytes(31))
    file.chmod(0o600)
    assert "does not hold a 256-bit key" in refusal(tmp_path, "--sealing-key", str(file))


def test_production_starts_with_a_sealing_key_on_another_volume(
    tmp_path: Path, elsewhere: Path
) -> None:
    options = ("--production", "--sealing-key", key(elsewhere / "key"))
    log = tmp_path / "log"
    process = start(serve_arguments(tmp_path / "data", *options), log)
    try:
        assert '"ready": true' in first_line(process, log)
    finally:
        end(process)
    assert process.returncode == 0
    assert not (tmp_path / "data" / "demo.token").exists()
