"""`tegata audit verify` on files: three exit codes, a scope, and the finding by its name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from tegata.cli import audit_wording
from tegata.cli.audit import audit_group
from tegata.transparency.note import (
    SignatureType,
    VerifierKey,
    assemble,
    join,
    parse_note,
    signed_octets,
)
from tests.house.source import PACKAGE
from tests.standalone.test_verify_events import WITNESSES, World, policy_text
from tests.standalone.test_verify_log import ENTRIES, ORIGIN, SIGNER, TAMPERINGS
from tests.standalone.writer import WrittenLog, entry

VERIFIED, TAMPERED, CANNOT_TELL = 0, 1, 2
# The single file reads checkpoints in more steps; both refuse the same.
OTHER_NAMES = {
    "note.malformed": "checkpoint.malformed",
    "encoding.malformed": "checkpoint.malformed",
}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return WrittenLog(SIGNER, ENTRIES).write(tmp_path / "mirror")


def audit(*arguments: str | Path, language: str = "C") -> tuple[int, str]:
    given = [str(argument) for argument in arguments]
    cleared: dict[str, str | None] = {"TEGATA_CONTEXT": None, "LC_ALL": None, "LANG": language}
    done = CliRunner().invoke(audit_group, given, env=cleared)
    return done.exit_code, done.output


def test_a_log_in_a_folder_verifies_and_its_scope_is_said(log: Path) -> None:
    code, said = audit("verify", "--log", log, "--vkey", SIGNER.vkey)
    assert code == VERIFIED, said
    assert "all 600 leaves and 4 tiles, computed again from the entries" in said
    assert f"signature of {ORIGIN} (Ed25519, {SIGNER.id.hex()})" in said
    assert "not checked: time-stamp tokens" in said


@pytest.mark.parametrize("what", TAMPERINGS)
def test_each_tampering_has_the_name_that_the_single_file_gives_it(log: Path, what: str) -> None:
    tamper, name = TAMPERINGS[what]
    tamper(log)
    code, said = audit("verify", "--log", log, "--vkey", SIGNER.vkey)
    wanted = name.partition(":")[0]
    assert code == TAMPERED, said
    assert f"({OTHER_NAMES.get(wanted, wanted)}: " in said.splitlines()[-1], said


@pytest.mark.parametrize("name", ["tile/entries/001", "tile/0/000", "tile/1/000.p/2", "checkpoint"])
def test_a_missing_file_is_no_verdict(log: Path, name: str) -> None:
    (log / name).unlink()
    assert audit("verify", "--log", log, "--vkey", SIGNER.vkey)[0] == CANNOT_TELL


def test_without_a_key_it_says_who_signed_and_does_not_verify(log: Path) -> None:
    code, said = audit("verify", "--log", log)
    assert code == CANNOT_TELL
    assert f"Key: {ORIGIN} {SIGNER.id.hex()}" in said
    assert "CANNOT TELL: no key is pinned" in said


def test_it_speaks_japanese(log: Path) -> None:
    code, said = audit("verify", "--log", log, "--vkey", SIGNER.vkey, language="ja_JP.UTF-8")
    assert (code, "検証に成功しました" in said, "VERIFIED" in said) == (VERIFIED, True, False)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--log", "https://log.invalid/log", "--vkey", SIGNER.vkey),
        ("--log", "ftp://log.invalid/log", "--vkey", SIGNER.vkey),
        ("--vkey", SIGNER.vkey),
        ("--vkey", "broken", "--log"),
        ("--no-such-option",),
    ],
)
def test_what_cannot_be_looked_at_is_no_verdict(log: Path, arguments: tuple[str, ...]) -> None:
    whole = (*arguments, str(log)) if arguments[-1] == "--log" else arguments
    assert audit("verify", *whole)[0] == CANNOT_TELL


def older(log: Path, entries: list[bytes], size: int) -> Path:
    file = log.parent / "before"
    file.write_text(WrittenLog(SIGNER, entries).checkpoint(size))
    return file


@pytest.mark.parametrize(
    ("entries", "size", "name"),
    [
        ([*ENTRIES, entry(9999)], 601, "log.rolled-back"),
        ([entry(9999), *ENTRIES[1:]], 600, "log.split-view"),
        ([entry(9999), *ENTRIES[1:]], 300, "log.split-view"),
    ],
)
def test_a_kept_checkpoint_that_contradicts_the_log_is_named(
    log: Path, entries: list[bytes], size: int, name: str
) -> None:
    options = ("--log", log, "--vkey", SIGNER.vkey, "--before", older(log, entries, size))
    code, said = audit("verify", *options)
    assert (code, name in said) == (TAMPERED, True), said


def test_growth_since_a_kept_checkpoint_is_in_the_scope(log: Path) -> None:
    options = ("--log", log, "--vkey", SIGNER.vkey, "--before", older(log, ENTRIES, 300))
    code, said = audit("verify", *options)
    assert (code, "growth from size 300 to size 600" in said) == (VERIFIED, True), said


def test_ml_dsa_is_verified_and_a_pinned_key_that_has_not_signed_is_no_verdict(log: Path) -> None:
    private = MLDSA44PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    key = VerifierKey(ORIGIN, SignatureType.COSIGNATURE_ML_DSA_44, public)
    pinned = ("--log", log, "--vkey", SIGNER.vkey, "--vkey", key.text())
    code, said = audit("verify", *pinned)
    assert (code, "has no signature of" in said) == (CANNOT_TELL, True), said
    note = parse_note((log / "checkpoint").read_bytes())
    time = 1_800_000_000
    good = assemble(key, private.sign(signed_octets(key, note.text, time)), time)
    (log / "checkpoint").write_text(join(note.text, [*note.signatures, good]).encode())
    code, said = audit("verify", *pinned)
    assert (code, "(ML-DSA-44, " in said) == (VERIFIED, True), said
    wrong = assemble(key, private.sign(signed_octets(key, note.text, time)), time + 1)
    (log / "checkpoint").write_text(join(note.text, [*note.signatures, wrong]).encode())
    code, said = audit("verify", *pinned)
    assert (code, "signature.invalid" in said) == (TAMPERED, True), said


def test_a_proof_of_an_event_verifies_and_one_of_another_does_not(tmp_path: Path) -> None:
    world = World(tmp_path)
    proof, event = tmp_path / "proof", tmp_path / "event.json"
    proof.write_text(world.log().proof(world.items[4]["index"]))
    event.write_text(json.dumps({"items": world.items}))
    key = world.log().signer.vkey
    options: tuple[str | Path, ...] = ("--vkey", key, "--proof", proof, "--event", event)
    code, said = audit("verify", *options, "--sequence", "5")
    assert (code, "leaf 260 of 300, with the entry shown" in said) == (VERIFIED, True), said
    code, said = audit("verify", *options, "--sequence", "4")
    assert (code, "proof.mismatch" in said) == (TAMPERED, True), said
    assert audit("verify", *options)[0] == CANNOT_TELL
    proof.write_text("not a proof\n\n")
    code, said = audit("verify", *options, "--sequence", "5")
    assert (code, "proof.malformed" in said) == (TAMPERED, True), said


def test_a_policys_quorum_is_required(tmp_path: Path) -> None:
    world = World(tmp_path)
    policy = tmp_path / "policy"
    policy.write_text(policy_text("w0"))
    world.log().write(tmp_path / "log")
    options: tuple[str | Path, ...] = ("--policy", policy, "--log", tmp_path / "log")
    code, said = audit("verify", *options)
    assert (code, "policy is not met" in said) == (CANNOT_TELL, True), said
    world.others = [WITNESSES[0]]
    world.log().write(tmp_path / "log")
    code, said = audit("verify", *options)
    assert (code, "quorum w0 of the policy" in said) == (VERIFIED, True), said


def test_every_finding_that_can_be_raised_has_its_words() -> None:
    sources = [PACKAGE / "cli/audit.py", PACKAGE / "cli/audit_trust.py"]
    sources += [
        PACKAGE / "transparency" / name for name in ("examination.py", "record.py", "stamps.py")
    ]
    sources += [PACKAGE / "cli/audit_stamps.py"]
    raised: set[str] = set()
    find: Callable[[str], list[str]] = re.compile(r'Tampered\("([a-z.-]+)"').findall
    for source in sources:
        raised |= set(find(source.read_text()))
    kinds = {f"{kind}.{what}" for kind in ("tile", "entries") for what in ("truncated", "oversize")}
    assert raised | kinds == set(audit_wording.FINDINGS)
