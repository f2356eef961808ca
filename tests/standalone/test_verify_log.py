"""The whole log in the single file: what it accepts, and what it calls each kind of tampering."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tegata.standalone import verify
from tests.standalone.writer import (
    COSIGNATURE,
    Signer,
    WrittenLog,
    checkpoint_text,
    entry,
    flip,
    tree_hash,
)

ORIGIN = "log.example.test/log"
SIZE = 600
SIGNER = Signer(ORIGIN)
WITNESS = Signer("witness.example.test", COSIGNATURE)
ENTRIES = [entry(number) for number in range(SIZE)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return WrittenLog(SIGNER, ENTRIES, [WITNESS]).write(tmp_path / "mirror")


def outcome(
    capsys: pytest.CaptureFixture[str], log: Path, *options: str, vkey: str = SIGNER.vkey
) -> tuple[int, str]:
    """The exit code, and the last line that it printed."""
    capsys.readouterr()
    code = verify.run(["--vkey", vkey, *options, "log", str(log)])
    printed = capsys.readouterr().out
    assert "Scope of this run:" in printed
    assert "  not in scope: ML-DSA signatures\n  not in scope: time-stamp tokens\n" in printed
    return code, printed.rstrip().splitlines()[-1]


def replace_entry(log: Path, number: int, octets: bytes) -> None:
    """Put another entry into the second bundle."""
    part = [*ENTRIES[256:512]]
    part[number - 256] = octets
    whole = b"".join(len(each).to_bytes(2, "big") + each for each in part)
    (log / "tile/entries/001").write_bytes(whole)


def cut(name: str, octets: int) -> Callable[[Path], object]:
    return lambda log: (log / name).write_bytes((log / name).read_bytes()[:-octets])


def grown(name: str) -> Callable[[Path], object]:
    return lambda log: (log / name).write_bytes((log / name).read_bytes() + bytes(34))


def signed_text(text: str, signer: Signer = SIGNER) -> Callable[[Path], object]:
    return lambda log: (log / "checkpoint").write_text(f"{text}\n{signer.line(text)}")


def flipped(name: str, at: int = 0) -> Callable[[Path], object]:
    return lambda log: flip(log / name, at)


def change_signature(log: Path) -> None:
    """Another base64 digit in the middle of the log's signature."""
    octets = bytearray((log / "checkpoint").read_bytes())
    octets[150] = ord("B") if octets[150] == ord("A") else ord("A")
    (log / "checkpoint").write_bytes(octets)


ROOT = tree_hash(ENTRIES)
TAMPERINGS: dict[str, tuple[Callable[[Path], object], str]] = {
    "an entry is changed": (flipped("tile/entries/001", 2 + 34 * 7), "leaf.altered: entry 263"),
    "the last entry is changed": (flipped("tile/entries/002.p/88", -1), "leaf.altered: entry 599"),
    "a hash of a leaf is changed": (
        flipped("tile/0/001", 32 * 9),
        "tile.altered: level 0, hash of leaf 265",
    ),
    "a hash at the edge is changed": (
        flipped("tile/0/002.p/88", 5),
        "tile.altered: level 0, hash of leaf 512",
    ),
    "a higher hash is changed": (
        flipped("tile/1/000.p/2", 32),
        "tile.altered: tile/1/000.p/2: hash 1",
    ),
    "the size is changed": (flipped("checkpoint", len(ORIGIN) + 3), "signature.invalid"),
    "the signature is changed": (change_signature, "signature.invalid"),
    "the root is another one": (
        signed_text(checkpoint_text(ORIGIN, SIZE, bytes(32))),
        "root.mismatch",
    ),
    "the size is larger than the log": (
        signed_text(checkpoint_text(ORIGIN, SIZE - 88, ROOT)),
        "root.mismatch",
    ),
    "the origin is another one": (
        signed_text(checkpoint_text("other.example.test/log", SIZE, ROOT)),
        "origin.wrong",
    ),
    "another key has signed": (
        signed_text(checkpoint_text(ORIGIN, SIZE, ROOT), Signer(ORIGIN)),
        "key.unknown",
    ),
    "a bundle is cut in an entry": (cut("tile/entries/002.p/88", 3), "entries.truncated"),
    "a bundle lacks an entry": (cut("tile/entries/000", 34), "entries.truncated"),
    "a bundle has one too many": (grown("tile/entries/000"), "entries.oversize"),
    "a partial bundle has one too many": (grown("tile/entries/002.p/88"), "entries.oversize"),
    "an entry is too long": (
        lambda log: replace_entry(log, 300, bytes(33)),
        "entries.oversize: tile/entries/001: entry 44 has 33 octets, not 32",
    ),
    "an entry is too short": (lambda log: replace_entry(log, 300, b""), "entries.truncated"),
    "a tile is cut": (cut("tile/0/002.p/88", 1), "tile.truncated"),
    "a tile is too long": (grown("tile/1/000.p/2"), "tile.oversize"),
    "the checkpoint is no note": (
        lambda log: (log / "checkpoint").write_bytes(b"\xff\n\n"),
        "note.malformed",
    ),
    "the size has a leading zero": (
        signed_text(checkpoint_text(ORIGIN, SIZE, ROOT).replace("\n600", "\n0600")),
        "encoding.malformed",
    ),
    "an empty log has a root": (
        signed_text(checkpoint_text(ORIGIN, 0, ROOT)),
        "checkpoint.malformed",
    ),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_each_tampering_is_named(capsys: pytest.CaptureFixture[str], log: Path, what: str) -> None:
    tamper, name = TAMPERINGS[what]
    assert outcome(capsys, log)[0] == verify.VERIFIED
    tamper(log)
    code, said = outcome(capsys, log)
    assert (code, said.startswith(f"TAMPERED {name}")) == (verify.TAMPERED, True), said


def test_entries_and_tiles_changed_alike_are_seen_by_the_root(
    capsys: pytest.CaptureFixture[str], log: Path
) -> None:
    WrittenLog(Signer(ORIGIN), [*ENTRIES[:-1], entry(9999)]).write(log.parent / "other")
    for name in ("tile/entries/002.p/88", "tile/0/002.p/88"):
        (log / name).write_bytes((log.parent / "other" / name).read_bytes())
    code, said = outcome(capsys, log)
    assert (code, said.split()[1]) == (verify.TAMPERED, "root.mismatch:")


def test_an_empty_log_verifies(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    WrittenLog(SIGNER, []).write(tmp_path / "empty")
    assert outcome(capsys, tmp_path / "empty")[0] == verify.VERIFIED


@pytest.mark.parametrize("name", ["tile/entries/001", "tile/0/000", "tile/1/000.p/2", "checkpoint"])
def test_a_missing_file_is_no_verdict(
    capsys: pytest.CaptureFixture[str], log: Path, name: str
) -> None:
    (log / name).unlink()
    code, said = outcome(capsys, log)
    assert (code, "is missing" in said) == (verify.CANNOT_TELL, True)


def test_a_full_tile_stands_for_the_partial_one_that_it_replaced(
    capsys: pytest.CaptureFixture[str], log: Path
) -> None:
    grown_log = WrittenLog(SIGNER, [entry(number) for number in range(800)])
    kept = (log / "checkpoint").read_text()
    mirror = grown_log.write(log.parent / "grown")
    (mirror / "checkpoint").write_text(kept)
    for name in ("tile/1/000.p/3",):
        (mirror / name).rename(mirror / "tile/1/000.p/2")
    octets = (mirror / "tile/1/000.p/2").read_bytes()
    (mirror / "tile/1/000.p/2").write_bytes(octets[:64])
    assert not (mirror / "tile/0/002.p/88").exists()
    assert outcome(capsys, mirror)[0] == verify.VERIFIED


def test_without_a_pinned_key_it_says_who_signed_and_does_not_verify(
    capsys: pytest.CaptureFixture[str], log: Path
) -> None:
    code = verify.run(["log", str(log)])
    printed = capsys.readouterr().out
    assert code == verify.CANNOT_TELL
    assert f"signed as: {ORIGIN}, key id {SIGNER.id.hex()}" in printed
    assert "VERIFIED" not in printed


def test_the_fingerprint_is_what_sha256sum_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert verify.run(["fingerprint", SIGNER.vkey]) == verify.VERIFIED
    assert hashlib.sha256(SIGNER.vkey.encode()).hexdigest() in capsys.readouterr().out


def test_an_ml_dsa_key_alone_is_no_verdict(capsys: pytest.CaptureFixture[str], log: Path) -> None:
    octets = bytes([6]) + bytes(1312)
    key_id = hashlib.sha256(ORIGIN.encode() + b"\n" + octets).digest()[:4]
    vkey = f"{ORIGIN}+{key_id.hex()}+{base64.b64encode(octets).decode()}"
    code, said = outcome(capsys, log, vkey=vkey)
    assert (code, "ML-DSA" in said) == (verify.CANNOT_TELL, True)


def older(tmp_path: Path, entries: list[bytes], size: int) -> tuple[str, str]:
    file = tmp_path / "before"
    file.write_text(WrittenLog(SIGNER, entries).checkpoint(size))
    return "--before", str(file)


@pytest.mark.parametrize("size", [1, 255, 256, 300, 512, 599, 600])
def test_a_log_that_has_grown_from_a_kept_checkpoint_verifies(
    capsys: pytest.CaptureFixture[str], log: Path, tmp_path: Path, size: int
) -> None:
    assert outcome(capsys, log, *older(tmp_path, ENTRIES, size))[0] == verify.VERIFIED


@pytest.mark.parametrize("command", ["log", "consistency"])
@pytest.mark.parametrize(
    ("entries", "size", "name"),
    [
        ([*ENTRIES, entry(9999)], 601, "log.rolled-back"),
        ([entry(9999), *ENTRIES[1:]], 600, "log.split-view"),
        ([entry(9999), *ENTRIES[1:]], 300, "log.split-view"),
        ([entry(9999), *ENTRIES[1:]], 512, "log.split-view"),
    ],
    ids=["shorter", "of one size", "another past", "another past of full tiles"],
)
def test_a_log_that_another_checkpoint_contradicts_is_named(
    capsys: pytest.CaptureFixture[str],
    log: Path,
    tmp_path: Path,
    entries: list[bytes],
    size: int,
    name: str,
    command: str,
) -> None:
    options = ["--vkey", SIGNER.vkey, *older(tmp_path, entries, size), command, str(log)]
    assert verify.run(options) == verify.TAMPERED
    assert f"TAMPERED {name}" in capsys.readouterr().out


def test_what_was_verified_is_remembered_and_held_against_a_later_log(
    capsys: pytest.CaptureFixture[str], log: Path, tmp_path: Path
) -> None:
    memory = str(tmp_path / "memory")
    assert outcome(capsys, log, "--remember", memory)[0] == verify.VERIFIED
    WrittenLog(SIGNER, ENTRIES[:300]).write(tmp_path / "short")
    code, said = outcome(capsys, tmp_path / "short", "--remember", memory)
    assert (code, said.split()[1]) == (verify.TAMPERED, "log.rolled-back:")
    longer = WrittenLog(SIGNER, [*ENTRIES, entry(600)]).write(tmp_path / "longer")
    assert outcome(capsys, longer, "--remember", memory)[0] == verify.VERIFIED
    code, said = outcome(capsys, log, "--remember", memory)
    assert (code, said.split()[1]) == (verify.TAMPERED, "log.rolled-back:")
