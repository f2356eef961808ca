"""The single-file witness: the protocol's own answers, and a promise that survives kill -9."""

from __future__ import annotations

import http.client
import random
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tegata.standalone import verify, witness
from tests.standalone.witnesses import WITNESS, RunningWitness, make_key, request, running_witness
from tests.standalone.writer import Signer, WrittenLog, checkpoint_text, entry, tree_hash

LOG = WrittenLog(Signer("log.example.test/log"), [entry(number) for number in range(40)])
FORK = WrittenLog(LOG.signer, [entry(1000), *LOG.entries[1:]])
OTHER = WrittenLog(Signer("other.example.test/log"), [entry(number) for number in range(5)])


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningWitness]:
    make_key(tmp_path)
    with running_witness(tmp_path, LOG.signer.vkey, OTHER.signer.vkey) as one:
        yield one


def require_cosigned(log: WrittenLog, size: int, line: str, vkey: str) -> int:
    """The time of a cosignature, which the other single file verifies."""
    checkpoint = verify.parse_checkpoint(log.checkpoint(size).encode() + line.encode())
    key = verify.parse_vkey(vkey)
    signature = checkpoint.note.signatures[-1]
    assert (signature.name, signature.key_id) == (key.name, key.id)
    seconds = verify._require_signature(checkpoint, key, signature, "a cosigned checkpoint")
    assert seconds is not None
    return seconds


def test_its_signatures_are_openssls() -> None:
    for number in range(20):
        seed, message = entry(number), entry(number) * number
        key = Ed25519PrivateKey.from_private_bytes(seed)
        public = witness.public_key(seed)
        assert public == key.public_key().public_bytes_raw()
        assert witness.sign(seed, public, message) == key.sign(message)


def test_a_log_that_grows_is_cosigned_step_by_step(running: RunningWitness) -> None:
    old, before = 0, 1_700_000_000
    for size in (1, 2, 3, 7, 8, 9, 16, 31, 40, 40):
        status, _kind, line = running.add(request(LOG, old, size))
        assert status == 200, line
        seconds = require_cosigned(LOG, size, line, running.vkey)
        assert seconds >= before
        old, before = size, seconds
        status, kind, note = running.known(LOG.signer.name)
        assert (status, kind) == (200, "text/plain; charset=utf-8")
        assert note == LOG.checkpoint(size) + line


def test_several_logs_are_followed_apart(running: RunningWitness) -> None:
    assert running.add(request(LOG, 0, 9))[0] == 200
    assert running.add(request(OTHER, 0, 5))[0] == 200
    assert running.add(request(LOG, 9, 10))[0] == 200
    assert running.known(OTHER.signer.name)[2].startswith("other.example.test/log\n5\n")


def test_the_statuses_are_the_protocols(running: RunningWitness) -> None:
    assert running.add(request(LOG, 0, 9))[0] == 200
    stranger = WrittenLog(Signer("stranger.example.test/log"), LOG.entries)
    assert running.add(request(stranger, 0, 9))[0] == 404
    impostor = WrittenLog(Signer(LOG.signer.name), LOG.entries)
    assert running.add(request(impostor, 9, 10))[0] == 403
    assert running.add(request(LOG, 12, 11, []))[0] == 400
    assert running.add(request(LOG, 0, 10)) == (409, "text/x.tlog.size", "9\n")
    assert running.add(request(LOG, 8, 10)) == (409, "text/x.tlog.size", "9\n")
    assert running.add(request(LOG, 9, 12, []))[0] == 422
    assert running.add(request(LOG, 9, 12, [bytes(32)] * 3))[0] == 422
    assert running.add(request(LOG, 9, 9, [bytes(32)]))[0] == 422
    assert running.add(request(OTHER, 0, 5, [bytes(32)]))[0] == 422
    assert running.add(request(FORK, 9, 9))[0] == 422
    assert running.add(request(FORK, 9, 12))[0] == 422
    assert running.known(LOG.signer.name)[2].startswith("log.example.test/log\n9\n")
    assert running.known("never.seen.test")[0] == 404
    assert running.ask("GET", "/")[0] == 404
    assert running.ask("POST", "/other", b"")[0] == 404


GOOD = request(LOG, 0, 3).decode()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "old 0\n",
        GOOD.replace("old 0", "old 00"),
        GOOD.replace("old 0", "old -1"),
        GOOD.replace("old 0", "old 9223372036854775808"),
        GOOD.replace("old 0\n", "old 0\nAAAA\n"),
        GOOD.replace("old 0\n", "old 0\n" + "A" * 43 + "=\n" * 64),
        GOOD.replace("\u2014 ", "- "),
        GOOD.replace("\n3\n", "\n03\n"),
        GOOD.replace("\n3\n", "\n"),
        GOOD.replace("\n3\n", "\r\n3\n"),
        GOOD.rstrip("\n"),
        GOOD.partition("\u2014")[0],
        GOOD + "\u2014 more " + "A" * 8 + "\n" * 1,
        GOOD + "\u2014 log.example.test/log =\n",
    ],
)
def test_what_is_no_request_is_refused(running: RunningWitness, body: str) -> None:
    status, _kind, said = running.add(body.encode())
    assert status in ((200,) if body.startswith(GOOD) and said.startswith("\u2014") else (400,))
    assert running.add(b"\xff" + body.encode())[0] == 400


def test_a_signature_of_the_known_key_that_does_not_verify_is_refused(
    running: RunningWitness,
) -> None:
    text = checkpoint_text(LOG.signer.name, 3, tree_hash(LOG.entries[:3]))
    wrong = LOG.signer.line(text.replace("\n3\n", "\n4\n"))
    body = f"old 0\n\n{text}\n{LOG.signer.line(text)}{wrong}"
    assert running.add(body.encode())[0] == 403


def raw(running: RunningWitness, octets: bytes) -> bytes:
    split = urlsplit(running.url)
    with socket.create_connection((split.hostname or "", split.port or 0), timeout=30) as one:
        one.sendall(octets)
        return one.recv(4096)


def test_bodies_without_a_length_or_too_long_are_refused(running: RunningWitness) -> None:
    head = b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\n"
    assert b" 411 " in raw(running, head + b"\r\n")
    assert b" 411 " in raw(running, head + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    assert b" 411 " in raw(running, head + b"Content-Length: +5\r\n\r\nold 0")
    assert b" 413 " in raw(running, head + b"Content-Length: 99999999\r\n\r\n")
    assert running.add(request(LOG, 0, 3))[0] == 200


def test_idle_connections_do_not_keep_others_out(running: RunningWitness) -> None:
    split = urlsplit(running.url)
    idle = [
        socket.create_connection((split.hostname or "", split.port or 0), timeout=30)
        for _ in range(witness.REQUESTS_AT_ONCE + 3)
    ]
    try:
        assert running.add(request(LOG, 0, 3))[0] == 200
    finally:
        for each in idle:
            each.close()


def test_a_clock_that_went_back_is_named_and_nothing_is_signed(tmp_path: Path) -> None:
    vkey = make_key(tmp_path)
    key = witness.parse_private_key((tmp_path / "witness.key").read_text())
    logs = [witness.parse_log_key(LOG.signer.vkey)]
    one = witness.Witness(key, witness.State(tmp_path / "witness.db", vkey), logs)
    one.add_checkpoint(request(LOG, 0, 3), 2_000_000_000)
    with pytest.raises(witness.RefusedError, match="clock") as raised:
        one.add_checkpoint(request(LOG, 3, 4), 1_999_999_000)
    assert raised.value.status == 503
    line = one.add_checkpoint(request(LOG, 3, 4), 1_999_999_998)
    assert require_cosigned(LOG, 4, line, vkey) == 2_000_000_000


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", WITNESS, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_without_its_state_or_with_anothers_it_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    make_key(tmp_path)
    make_key(tmp_path / "other")
    options = ["serve", "--log", LOG.signer.vkey, "--listen", "127.0.0.1:0"]
    options += ["--key", str(tmp_path / "witness.key"), "--state"]
    for state, reason in (("missing", "forgot"), ("other/witness.db", "another key")):
        ended = run(*options, tmp_path / state)
        assert (ended.returncode, reason in ended.stderr) == (2, True), ended.stderr
    (tmp_path / "witness.db").write_bytes(b"not a database at all" * 100)
    assert run(*options, tmp_path / "witness.db").returncode == 2


def test_a_key_is_never_overwritten_and_nobody_else_reads_it(tmp_path: Path) -> None:
    vkey = make_key(tmp_path)
    key, state = tmp_path / "witness.key", tmp_path / "witness.db"
    assert key.stat().st_mode & 0o077 == state.stat().st_mode & 0o077 == 0
    again = run("keygen", "--name", "other", "--key", key, "--state", tmp_path / "new.db")
    assert again.returncode == 2
    assert run("vkey", "--key", key).stdout.strip() == vkey


class Submitter(threading.Thread):
    """A log that submits one branch as fast as it can, and keeps every cosignature it got."""

    def __init__(self, running: RunningWitness, log: WrittenLog, got: list[tuple[int, str]]):
        super().__init__(daemon=True)
        self.running, self.log, self.got = running, log, got

    def run(self) -> None:
        old, size = 0, 1
        while size <= len(self.log.entries):
            try:
                status, _kind, said = self.running.add(request(self.log, old, size))
            except (OSError, http.client.HTTPException):
                return
            if status == 200:
                self.got.append((size, said))
                old, size = size, size + 1
            elif status == 409:
                old = int(said)
                size = max(old, 1) + 1
            else:
                return


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_moment_it_never_cosigns_two_histories(tmp_path: Path, seed: int) -> None:
    vkey = make_key(tmp_path)
    chance = random.Random(seed)
    honest = WrittenLog(LOG.signer, [entry(number) for number in range(400)])
    forked = WrittenLog(LOG.signer, [entry(1000), *honest.entries[1:]])
    got: list[list[tuple[int, str]]] = [[], []]
    deaths = 0
    for _ in range(6):
        with running_witness(tmp_path, LOG.signer.vkey) as running:
            both = [
                Submitter(running, log, kept)
                for log, kept in zip((honest, forked), got, strict=True)
            ]
            wanted = len(got[0]) + len(got[1]) + chance.randrange(1, 6)
            for each in both:
                each.start()
            while len(got[0]) + len(got[1]) < wanted and any(each.is_alive() for each in both):
                both[chance.randrange(2)].join(0.001)
            running.kill()
            deaths += 1
            for each in both:
                each.join(30)
    branches = [branch for branch in got if branch]
    assert deaths == 6
    assert len(branches) == 1, "two histories were cosigned"
    log = honest if got[0] else forked
    for size, line in branches[0]:
        require_cosigned(log, size, line, vkey)
    with running_witness(tmp_path, LOG.signer.vkey) as running:
        status, _kind, note = running.known(LOG.signer.name)
        assert status == 200
        assert int(note.split("\n")[1]) >= max(size for size, _ in branches[0])


def test_what_was_answered_is_on_disk_before_the_answer(tmp_path: Path) -> None:
    make_key(tmp_path)
    with running_witness(tmp_path, LOG.signer.vkey) as running:
        assert running.add(request(LOG, 0, 3))[0] == 200
        database = sqlite3.connect(f"file:{tmp_path / 'witness.db'}?mode=ro", uri=True)
        assert database.execute("SELECT size FROM cosigned").fetchall() == [(3,)]
        database.close()


def test_two_processes_on_one_state_keep_one_promise(tmp_path: Path) -> None:
    make_key(tmp_path)
    with (
        running_witness(tmp_path, LOG.signer.vkey) as first,
        running_witness(tmp_path, LOG.signer.vkey) as second,
    ):
        got: list[list[tuple[int, str]]] = [[], []]
        both = [Submitter(first, LOG, got[0]), Submitter(second, FORK, got[1])]
        for each in both:
            each.start()
        for each in both:
            each.join(60)
        assert sum(bool(branch) for branch in got) == 1
