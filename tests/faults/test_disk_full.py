"""A disk that is full, or takes no writes: new work stops, revocation and status do not."""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.components import missing
from tests.conformance.running import Issued, RefusedError, Running, attempt, run, running, until

MEBIBYTE = 1024 * 1024
RESERVE = 8
RECOVERY_SECONDS = 15
# What the platform says of a database that takes no writes; a commit may also be in doubt.
UNAVAILABLE = {"storage.unavailable", "storage.exhausted", "outcome.unknown"}


@contextmanager
def mounted(folder: Path, *options: str | Path) -> Generator[Path]:
    """A file system of a test's own, which only root may mount."""
    reason = "a test's own disk can be filled and broken"
    if os.geteuid() != 0:
        missing("root, who may mount a file system,", reason)
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *options, folder], capture_output=True, check=False)
    if done.returncode != 0:
        missing(f"mounting a file system ({done.stderr.decode().strip()})", reason)
    try:
        yield folder
    finally:
        # A signer process whose platform was killed has its files open for a moment longer.
        until(lambda: attempt("umount", folder)[0] == 0, RECOVERY_SECONDS, "umount")


def fill(folder: Path) -> Path:
    """A file that takes all there is."""
    file = folder / "filler"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for size in (MEBIBYTE, 4096, 1):
        try:
            while True:
                os.write(descriptor, bytes(size))
        except OSError:
            continue
    os.close(descriptor)
    return file


def refusal(platform: Running) -> RefusedError:
    """How a new certificate is refused."""
    with pytest.raises(RefusedError) as caught:
        platform.issue("refused.example.test")
    return caught.value


def refused_events(platform: Running) -> int:
    """The refusals of certificates in the tenant's record."""
    after, count = "0", 0
    while after is not None:
        page = platform.call("GET", f"/v1/events?after={after}&limit=100")
        texts = [each["canonical"] for each in page["items"]]
        count += sum(
            "issuance:certificate:issue" in text and "storage.exhausted" in text for text in texts
        )
        after = page["next"]
    return count


def issue_again(platform: Running) -> Issued:
    """A certificate, as soon as there is one to have again."""

    def try_to_issue() -> Issued | None:
        outcome = attempt_to_issue(platform)
        if isinstance(outcome, Issued):
            return outcome
        assert outcome.status == 503
        return None

    return until(try_to_issue, RECOVERY_SECONDS, "a certificate")


def attempt_to_issue(platform: Running) -> Issued | RefusedError:
    try:
        return platform.issue()
    except RefusedError as error:
        return error


def test_a_full_disk_refuses_certificates_and_still_records_revocations(tmp_path: Path) -> None:
    with (
        mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=48m", "tmpfs") as disk,
        running(tmp_path, "--disk-reserve", str(RESERVE), data=disk / "data") as platform,
    ):
        reserve = platform.data / "disk-reserve"
        assert reserve.stat().st_size == RESERVE * MEBIBYTE
        revoked, good = platform.issue(), platform.issue()
        filler = fill(disk)
        refused = refusal(platform)
        assert (refused.status, refused.code) == (503, "storage.exhausted")
        refusals = 1
        # Refusals are recorded, in the reserve when nothing else is left.
        while reserve.exists():
            assert refusal(platform).code == "storage.exhausted"
            refusals += 1
            assert refusals < 3000
        # The space that is free now is not for new work.
        assert free(disk) > 0
        assert refusal(platform).code == "storage.exhausted"
        platform.revoke(revoked)
        assert platform.status(revoked) == "revoked"
        assert platform.status(good) == "good"
        assert platform.crl_with(revoked).exists()
        assert refused_events(platform) == refusals + 1
        filler.unlink()
        issued = platform.issue()
        assert platform.status(issued) == "good"
        assert platform.process.poll() is None


def test_a_disk_without_a_reserve_is_refused_as_clearly(tmp_path: Path) -> None:
    with (
        mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=24m", "tmpfs") as disk,
        running(tmp_path, "--disk-reserve", "0", data=disk / "data") as platform,
    ):
        issued = platform.issue()
        filler = fill(disk)

        def look_for_refusal() -> RefusedError | None:
            outcome = attempt_to_issue(platform)
            return outcome if isinstance(outcome, RefusedError) else None

        # A file may have had room left.
        refused = until(look_for_refusal, RECOVERY_SECONDS, "the refusal")
        assert (refused.status, refused.code) == (503, "storage.exhausted")
        assert platform.status(issued) == "good"
        filler.unlink()
        assert platform.status(issue_again(platform)) == "good"


@contextmanager
def no_writes(*pids: int, beyond: int = 0) -> Generator[None]:
    """Let every write of these processes beyond a place in a file fail (EFBIG), for a while.

    Linux refuses to remount read-only what is open for writing, and the platform always has its
    database open, so this is how a running platform meets a disk that takes no writes and then
    does again.
    """
    before = [resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids]
    for pid, (_soft, hard) in zip(pids, before, strict=True):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (beyond, hard))
    try:
        yield
    finally:
        for pid, limits in zip(pids, before, strict=True):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("whose", ["platform", "signer", "both"])
def test_a_disk_that_takes_no_writes_stops_issuance_until_it_does_again(
    tmp_path: Path, whose: str
) -> None:
    with running(tmp_path) as platform:
        first = platform.issue()
        signer = platform.signer_pid()
        assert signer is not None
        chosen = {"platform": [platform.process.pid], "signer": [signer]}
        with no_writes(*chosen.get(whose, [platform.process.pid, signer])):
            refusals: list[RefusedError] = []
            while len(refusals) < 3:  # serials that were reserved before may be given out
                outcome = attempt_to_issue(platform)
                if isinstance(outcome, RefusedError):
                    refusals.append(outcome)
            assert {error.status for error in refusals} == {503}
            assert {error.code for error in refusals} <= UNAVAILABLE
            assert platform.status(first) == "good"
            assert platform.crl().next_update_utc
            if whose != "signer":
                with pytest.raises(RefusedError) as caught:
                    platform.revoke(first)
                assert caught.value.status == 503
                assert platform.status(first) == "good"
        assert platform.status(issue_again(platform)) == "good"
        platform.revoke(first)
        assert platform.status(first) == "revoked"


def test_a_reservation_that_was_written_in_part_does_not_count(tmp_path: Path) -> None:
    with running(tmp_path) as platform:
        signer = platform.signer_pid()
        assert signer is not None
        journal = platform.data / "signer-reservations.jsonl"
        with no_writes(signer, beyond=journal.stat().st_size + 20):
            refused = None
            while refused is None:
                outcome = attempt_to_issue(platform)
                refused = outcome if isinstance(outcome, RefusedError) else None
        assert refused.status == 503
        assert platform.status(issue_again(platform)) == "good"
        with sqlite3.connect(f"file:{platform.data / 'tegata.sqlite'}?mode=ro", uri=True) as data:
            blocks = {row[0] for row in data.execute("SELECT id FROM serial_block")}
    # Every record is whole, and every block has one.
    assert {json.loads(line)["block"] for line in journal.read_text().splitlines()} >= blocks


def test_a_read_only_file_system_serves_status_and_loses_nothing(tmp_path: Path) -> None:
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(64 * MEBIBYTE)
    run("mkfs.ext4", "-q", image)
    disk = tmp_path / "disk"
    issued = []
    with (
        mounted(disk, "-o", "loop", image),
        running(tmp_path, "--disk-reserve", "4", data=disk / "data") as platform,
    ):
        issued += [platform.issue() for _ in range(3)]
        platform.revoke(issued[0])
        # What ext4 does by itself when its device fails: read-only under open files.
        run("mount", "-o", "remount,abort", disk)
        for _ in range(3):
            refused = refusal(platform)
            assert refused.status == 503
            assert refused.code in UNAVAILABLE
        assert [platform.status(each) for each in issued] == ["revoked", "good", "good"]
        assert platform.crl().next_update_utc
        platform.kill()
    with (
        mounted(disk, "-o", "loop", image),
        running(tmp_path, "--disk-reserve", "4", data=disk / "data") as platform,
    ):
        assert [platform.status(each) for each in issued] == ["revoked", "good", "good"]
        assert platform.status(platform.issue()) == "good"


def free(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize
