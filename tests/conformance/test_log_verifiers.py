"""Go's sumdb code and our single file on one log: both accept it, both refuse it after any flip.

First a log that tests/standalone/writer.py writes, from RFC 6962's own recursion; then the
platform's, while it is busy.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tegata.standalone import verify
from tests.conformance.golang import build_sumdb, sumdb_accepts
from tests.conformance.running import TEGATA, Running, run, running, until
from tests.standalone.writer import Signer, WrittenLog, entry, flip

ORIGIN = "log.example.test/log"
# The first of these builds Go's verifier.
pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def sumdb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_sumdb(tmp_path_factory.mktemp("sumdb"))


def written(size: int, folder: Path) -> WrittenLog:
    log = WrittenLog(Signer(ORIGIN), [entry(number) for number in range(size)])
    log.write(folder / "log")
    return log


def single_file_accepts(vkey: str, folder: Path, *options: str) -> bool:
    code = verify.run(["--vkey", vkey, *options, "log", str(folder)])
    assert code in (verify.VERIFIED, verify.TAMPERED, verify.CANNOT_TELL)
    return code == verify.VERIFIED


@pytest.mark.parametrize("size", [1, 2, 3, 7, 255, 256, 257, 511, 512, 777])
def test_both_accept_every_entry_and_all_that_came_before(
    sumdb: Path, tmp_path: Path, size: int
) -> None:
    log = written(size, tmp_path)
    older, options = [], []
    for before in sorted({1, 2, size // 3, size // 2, 256, size - 1, size}):
        if 1 <= before <= size:
            file = tmp_path / f"checkpoint.{before}"
            file.write_text(log.checkpoint(before))
            older.append(file)
            options += ["--before", str(file)]
    assert sumdb_accepts(sumdb, log.signer.vkey, tmp_path / "log", *older)
    assert single_file_accepts(log.signer.vkey, tmp_path / "log", *options)
    growth = ["--vkey", log.signer.vkey, *options, "consistency", str(tmp_path / "log")]
    assert verify.run(growth) == verify.VERIFIED


def test_both_accept_a_log_with_three_levels_of_tiles(sumdb: Path, tmp_path: Path) -> None:
    log = written(70_000, tmp_path)
    assert (tmp_path / "log/tile/0/273.p/112").stat().st_size == 112 * 32
    assert (tmp_path / "log/tile/2/000.p/1").is_file()
    assert sumdb_accepts(sumdb, log.signer.vkey, tmp_path / "log")
    assert single_file_accepts(log.signer.vkey, tmp_path / "log")


@pytest.mark.parametrize("before", [1, 4, 255, 256, 300])
def test_both_refuse_a_log_that_does_not_continue_an_older_one(
    sumdb: Path, tmp_path: Path, before: int
) -> None:
    log = written(300, tmp_path)
    forged = WrittenLog(log.signer, [entry(1000), *log.entries[1:]])
    file = tmp_path / "before"
    file.write_text(forged.checkpoint(before))
    assert not sumdb_accepts(sumdb, log.signer.vkey, tmp_path / "log", file)
    assert not single_file_accepts(log.signer.vkey, tmp_path / "log", "--before", str(file))


def places(folder: Path, step: int) -> Iterator[tuple[Path, int]]:
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            length = file.stat().st_size
            yield from ((file, at) for at in sorted({*range(0, length, step), length - 1}))


def says_the_same(note: bytes, other: bytes) -> bool:
    """Whether only bits differ that base64 has to spare at the end of the signature (RFC 4648
    section 3.5): Go's decoder overlooks them, ours does not."""
    signatures = [octets.rpartition(b" ")[2] for octets in (note, other)]
    texts = [octets.rpartition(b" ")[0] for octets in (note, other)]
    try:
        first, second = (base64.b64decode(each.strip(), validate=True) for each in signatures)
    except ValueError:
        return False
    return texts[0] == texts[1] and first == second


@pytest.mark.parametrize(("size", "step"), [(5, 1), (300, 491)])
def test_both_refuse_a_flipped_bit_anywhere(
    sumdb: Path, tmp_path: Path, size: int, step: int
) -> None:
    log = written(size, tmp_path)
    seen = set()
    for file, at in places(tmp_path / "log", step):
        whole = file.read_bytes()
        flip(file, at)
        if file.name != "checkpoint" or not says_the_same(whole, file.read_bytes()):
            assert not sumdb_accepts(sumdb, log.signer.vkey, tmp_path / "log"), (file, at)
        code = verify.run(["--vkey", log.signer.vkey, "log", str(tmp_path / "log")])
        assert code == verify.TAMPERED, (file, at)
        flip(file, at)
        seen.add(file)
    assert len(seen) == (3 if size == 5 else 6)
    assert sumdb_accepts(sumdb, log.signer.vkey, tmp_path / "log")


@pytest.mark.parametrize("size", [1, 2, 5, 256, 300])
def test_both_accept_a_proof_file_and_neither_one_of_another_leaf(
    sumdb: Path, tmp_path: Path, size: int
) -> None:
    log = written(size, tmp_path)
    for index in sorted({0, size // 2, size - 1}):
        file = tmp_path / f"{index}.tlog-proof"
        file.write_text(log.proof(index))
        for shown, expected in ((log.entries[index], True), (entry(1000), False)):
            assert sumdb_accepts(sumdb, log.signer.vkey, "proof", file, shown.hex()) is expected
            own = ["--vkey", log.signer.vkey, "proof", str(file), "--entry", shown.hex()]
            assert verify.run(own) == (verify.VERIFIED if expected else verify.TAMPERED)


ISSUERS = 4
EACH = 90


def test_go_and_both_of_ours_accept_what_the_platform_wrote_under_load(
    sumdb: Path, tmp_path: Path
) -> None:
    mirror = tmp_path / "mirror"
    with running(tmp_path, "--log-mirror", str(mirror)) as platform:
        vkey = platform.context["log_vkey"]
        older: list[Path] = []

        def keep() -> int:
            octets = platform.get(f"{platform.public}/log/checkpoint")
            size = verify.parse_checkpoint(octets).size
            file = tmp_path / f"checkpoint.{size}"
            if not file.exists():
                file.write_bytes(octets)
                older.append(file)
            return size

        before = keep()
        with ThreadPoolExecutor(ISSUERS) as pool:
            work = [pool.submit(_issue, platform, number) for number in range(ISSUERS)]
            while not all(each.done() for each in work):
                keep()
                # A customer who looks at a log that grows meanwhile.
                assert single_file_accepts_web(vkey, platform.public)
            for each in work:
                each.result()
        until(lambda: keep() >= before + ISSUERS * EACH, 30, "the leaves of all events")
        platform.stop()
    assert len(older) > 3
    assert verify.parse_checkpoint((mirror / "checkpoint").read_bytes()).size > 256
    assert sumdb_accepts(sumdb, vkey, mirror, *older)
    options = [part for file in older for part in ("--before", str(file))]
    assert single_file_accepts(vkey, mirror, *options)
    said = run(TEGATA, "audit", "verify", "--vkey", vkey, "--log", mirror, *options)
    assert "VERIFIED" in said
    for file in sorted(mirror.rglob("*")):
        # Edges of earlier checkpoints stay in a mirror, and belong to no later one.
        if file.is_file() and file.name in {"checkpoint", "000"}:
            # Inside what Ed25519 signs, or its signature: Go's code knows no ML-DSA cosignature.
            at = min(file.stat().st_size // 2, 150)
            flip(file, at)
            assert not sumdb_accepts(sumdb, vkey, mirror), file
            assert not single_file_accepts(vkey, mirror), file
            flip(file, at)


def _issue(platform: Running, number: int) -> None:
    for each in range(EACH):
        platform.issue(f"n{number}-{each}.example.test")


def single_file_accepts_web(vkey: str, public: str) -> bool:
    return verify.run(["--vkey", vkey, "log", f"{public}/log"]) == verify.VERIFIED
