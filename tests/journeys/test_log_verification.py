"""Customers verify the log on their own machines: whole, cosigned, with their own events in it."""

from __future__ import annotations

import base64
import http.server
import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tegata.standalone import verify
from tests.conformance.golang import build_sumdb, sumdb_accepts
from tests.journeys.platform import Door, Json, Server, eventually, run_tegata, running
from tests.journeys.requests import FRESH, make_csr
from tests.postgres import postgres_cluster
from tests.standalone.witnesses import make_key, running_witness
from tests.standalone.writer import COSIGNATURE, Signer, flip
from tests.timestamping.elsewhere import Elsewhere, write_root

VERIFY = Path(verify.__file__)
PUBLIC_URL = "http://ca.example.test"
TAMPERED, CANNOT_TELL = 1, 2
# The first of these builds Go's verifier.
pytestmark = pytest.mark.timeout(400)


def single_file(*arguments: str | Path) -> tuple[int, str]:
    """Run the single file as a customer does: alone, with Python and nothing else."""
    done = subprocess.run(
        [sys.executable, "-I", VERIFY, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def command(*arguments: str | Path) -> tuple[int, str]:
    """Run `tegata audit`."""
    done = run_tegata("audit", *arguments)
    return done.returncode, done.stdout + done.stderr


def context_file(server: Server) -> Path:
    return server.data / "context.json"


def log_url(server: Server) -> str:
    return f"{server.context['public']}/log"


def mirror_of(server: Server, folder: Path) -> Path:
    """A customer's copy of the log: the newest checkpoint, and the tiles that it covers."""
    octets = server.public.get("/log/checkpoint").body
    size = verify.parse_checkpoint(octets).size
    folder.mkdir(parents=True)
    (folder / "checkpoint").write_bytes(octets)
    level = 0
    while size >> 8 * level:
        names = ["entries", "0"] if level == 0 else [str(level)]
        count = size >> 8 * level
        for number in range(-(-count // 256)):
            for name in names:
                path = verify.tile_path(name, number, min(256, count - number * 256))
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                answer = server.public.get(f"/log/{path}")
                assert answer.status == 200, path
                (folder / path).write_bytes(answer.body)
        level += 1
    return folder


@pytest.fixture(scope="module")
def sumdb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_sumdb(tmp_path_factory.mktemp("sumdb"))


def test_all_three_verifiers_accept_the_published_log_and_refuse_a_flipped_bit_in_any_file(
    server: Server, sumdb: Path, folder: Path
) -> None:
    server.open_tenant("Mirrored")
    mirror = mirror_of(server, folder / "mirror")
    vkey, context = server.context["log_vkey"], context_file(server)
    pinned: dict[str, Callable[[], bool]] = {
        "Go": lambda: sumdb_accepts(sumdb, vkey, mirror),
        "verify.py": lambda: judged(single_file("--vkey", vkey, "log", mirror)),
        "tegata": lambda: judged(command("verify", "--context", context, "--log", mirror)),
    }
    assert {name: accepts() for name, accepts in pinned.items()} == dict.fromkeys(pinned, True)
    files = [file for file in sorted(mirror.rglob("*")) if file.is_file()]
    assert len(files) >= 3
    for file in files:
        middle = min(file.stat().st_size // 2, 150)
        flip(file, middle)
        found = {name: accepts() for name, accepts in pinned.items()}
        flip(file, middle)
        assert found == dict.fromkeys(pinned, False), file


def judged(outcome: tuple[int, str]) -> bool:
    """Whether it verified; a refusal must be for tampering."""
    code, said = outcome
    assert code in {0, TAMPERED}, said
    assert ("VERIFIED" in said.splitlines()[-1]) is (code == 0), said
    return code == 0


def test_a_tenant_verifies_its_own_events_with_a_refusal_and_sees_a_gap(
    server: Server, folder: Path
) -> None:
    tenant = server.open_tenant("Own events")
    issued = tenant.issue(make_csr("own.example.test", kind=FRESH))
    assert tenant.ask(make_csr("bad_name!.example.test", kind=FRESH)).status >= 400
    tenant.revoke(issued["id"]).good()
    token = folder / "token"
    token.write_text(tenant.caller.token)
    shared: tuple[str | Path, ...] = ("--context", context_file(server), "--token-file", token)

    export = folder / "events.json"

    def whole() -> str | None:
        code, said = command("events", *shared, "--out", export)
        # CRLs that follow a revocation may not have their leaf yet.
        assert code in {0, CANNOT_TELL}, said
        return said if code == 0 else None

    said = eventually(whole)
    assert " refused registration:certificate:issue" in said or " refused " in said
    items = json.loads(export.read_text())["items"]
    refusals = [item for item in items if '"decision":"refused"' in item["canonical"]]
    assert refusals
    code, said = single_file(
        "--context", context_file(server), "events", "--token-file", token, "--wait", "20"
    )
    assert code == 0, said
    assert f"{tenant.id}: " in said

    def offline(listed: list[Json]) -> tuple[int, str]:
        export.write_text(json.dumps({"items": listed}))
        pinned = ("--vkey", server.context["log_vkey"])
        return single_file(*pinned, "events", export, "--log", log_url(server))

    assert offline(items)[0] == 0
    place = items.index(refusals[0])
    code, said = offline(items[:place] + items[place + 1 :])
    assert (code, f"TAMPERED events.gap: after {place} comes {place + 2}" in said) == (1, True), (
        said
    )

    number = refusals[0]["sequence"]
    proof = folder / "refusal.tlog-proof"
    proof.write_bytes(tenant.caller.get(f"/v1/events/{number}/proof").body)
    export.write_text(json.dumps(refusals[0]))
    pinned = ("--vkey", server.context["log_vkey"])
    assert single_file(*pinned, "proof", proof, "--event", export)[0] == 0
    assert command("verify", *shared, "--proof", proof, "--sequence", str(number))[0] == 0
    code, said = command("verify", *shared, "--proof", proof, "--sequence", str(number - 1))
    assert (code, "proof.mismatch" in said) == (TAMPERED, True), said


def test_without_a_pinned_key_both_show_the_platforms_and_verify_nothing(
    server: Server, folder: Path
) -> None:
    unpinned = {name: each for name, each in server.context.items() if "vkey" not in name}
    (folder / "context.json").write_text(json.dumps(unpinned))
    for code, said in (
        single_file("--context", folder / "context.json", "log", log_url(server)),
        command("verify", "--context", folder / "context.json"),
    ):
        assert code == CANNOT_TELL, said
        assert server.context["log_vkey"] in said
        assert verify.parse_vkey(server.context["log_vkey"]).fingerprint in said
        assert "VERIFIED" not in said


def test_what_the_platform_gives_for_download_is_what_the_repository_has(server: Server) -> None:
    for name in ("verify.py", "witness.py"):
        assert server.api.get(f"/v1/log/{name}").body == VERIFY.with_name(name).read_bytes()


# ------------------------------------------------------------------------- witnesses


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def copy_database(options: tuple[str, ...]) -> tuple[str, ...]:
    """Options for a copy of a PostgreSQL database; an SQLite one is in the data folder."""
    if not options:
        return ()
    cluster = postgres_cluster()
    name = psycopg.conninfo.conninfo_to_dict(options[1])["dbname"]
    cluster.run("postgres", f"CREATE DATABASE {name}_fork TEMPLATE {name}")
    return "--database", cluster.url(f"{name}_fork")


@dataclass(frozen=True)
class Forked:
    """A platform that ran and stopped, and a copy of everything that it had."""

    folder: Path
    vkey: str
    origin: str
    options: tuple[str, ...]
    fork_options: tuple[str, ...]

    def original(self, *options: str) -> AbstractContextManager[Server]:
        return running(self.folder / "d", "--demo", *self.options, *options)

    def fork(self, *options: str) -> AbstractContextManager[Server]:
        return running(self.folder / "f", "--demo", *self.fork_options, *options)

    def policy(self, vkey: str, url: str) -> Path:
        file = self.folder / "policy"
        file.write_text(f"log {self.vkey}\nwitness customer {vkey} {url}\nquorum customer\n")
        return file


@pytest.fixture
def forked(database: tuple[str, ...], folder: Path) -> Forked:
    port = free_port()
    options = ("--public-listen", f"127.0.0.1:{port}", *database)
    with running(folder / "d", "--demo", *options) as server:
        vkey, origin = server.context["log_vkey"], f"127.0.0.1:{port}/log"
    shutil.copytree(folder / "d", folder / "f", ignore=shutil.ignore_patterns("*.sock"))
    public = ("--public-listen", f"127.0.0.1:{free_port()}", "--public-url")
    return Forked(
        folder, vkey, origin, options,
        (*public, f"http://127.0.0.1:{port}", *copy_database(database)),
    )  # fmt: skip


def public_log(options: tuple[str, ...]) -> str:
    """Where this machine finds a log, whatever its public name is."""
    return f"http://{options[1]}/log"


def cosigned(server: Server, policy: Path, url: str) -> Callable[[], str | None]:
    """Looks for a checkpoint that the policy's witnesses have cosigned."""

    def look() -> str | None:
        # What a witness was too late for stays without it; the next event has another.
        server.demo.post("/v1/tokens", {"name": "traffic"}).good(201)
        code, said = single_file("--policy", policy, "log", url)
        assert code in {0, CANNOT_TELL}, said
        return said if code == 0 else None

    return look


def test_a_customers_witness_cosigns_the_log_and_refuses_a_forked_one(forked: Forked) -> None:
    (forked.folder / "w").mkdir()
    own = make_key(forked.folder / "w")
    with running_witness(forked.folder / "w", forked.vkey) as witness:
        policy = forked.policy(own, witness.url)
        with forked.original("--log-policy", str(policy)) as server:
            url = public_log(forked.options)
            said = eventually(cosigned(server, policy, url), 60)
            assert "quorum customer met by customer" in said
            code, said = command("verify", "--policy", policy, "--log", url)
            assert (code, "Ed25519 cosignature" in said) == (0, True), said
            seen = forked.folder / "seen"
            seen.write_bytes(with_every_event(server))
        status, _kind, before = witness.known(forked.origin)
        assert status == 200
        with forked.fork("--log-policy", str(policy)) as server:
            url = public_log(forked.fork_options)

            def refused() -> bool:
                server.demo.post("/v1/tokens", {"name": "other past"}).good(201)
                return "a forked or rolled back log" in server.log

            eventually(refused, 60)
            size = verify.parse_checkpoint(seen.read_bytes()).size

            def longer() -> bool:
                server.demo.post("/v1/tokens", {"name": "other past"}).good(201)
                octets = Door(url.removesuffix("/log")).get("/log/checkpoint").body
                return verify.parse_checkpoint(octets).size > size

            eventually(longer, 60)
            pinned = ("--vkey", forked.vkey)
            for code, said in (
                single_file(*pinned, "--before", seen, "log", url),
                single_file(*pinned, "--before", seen, "consistency", url),
                command("verify", *pinned, "--before", seen, "--log", url),
            ):
                assert (code, "log.split-view" in said) == (TAMPERED, True), said
            # By itself the forked log is whole: only who remembers, or a witness, can tell.
            assert single_file(*pinned, "log", url)[0] == 0
            code, said = single_file("--policy", policy, "log", url)
            assert (code, "quorum customer is not met" in said) == (CANNOT_TELL, True), said
        assert witness.known(forked.origin)[2] == before


def with_every_event(server: Server) -> bytes:
    """A checkpoint that covers what the demo tenant has done until now."""
    last = len(server.demo.events())

    def covering() -> bytes | None:
        octets = server.public.get("/log/checkpoint").body
        index = server.demo.events()[last - 1]["index"]
        size = verify.parse_checkpoint(octets).size
        return octets if index is not None and index < size else None

    return eventually(covering)


class Liar(http.server.BaseHTTPRequestHandler):
    """A witness that signs with another key than its own, in its own key's name."""

    signer = Signer("customer.example.test", COSIGNATURE)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        text = body.partition("\n\n")[2].partition("\n\n")[0] + "\n"
        forged = Signer(self.signer.name, COSIGNATURE)
        blob = base64.b64decode(forged.line(text).split(" ")[2])
        line = base64.b64encode(self.signer.id + blob[4:]).decode()
        octets = f"\u2014 {self.signer.name} {line}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


class Sluggard(Liar):
    """A witness that never answers."""

    released = threading.Event()

    def do_POST(self) -> None:
        self.released.wait(60)


@contextmanager
def answering(handler: type[Liar]) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        Sluggard.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("handler", "complaint"),
    [(Liar, "it lies: the signature of"), (Sluggard, "does not answer in time")],
)
def test_a_witness_that_lies_or_is_slow_is_named_and_stops_nothing(
    folder: Path, handler: type[Liar], complaint: str
) -> None:
    options = ("--public-listen", f"127.0.0.1:{free_port()}")
    with running(folder / "d", "--demo", *options) as server:
        vkey = server.context["log_vkey"]
    Sluggard.released.clear()
    with answering(handler) as url:
        policy = folder / "policy"
        witness = Liar.signer.vkey
        policy.write_text(f"log {vkey}\nwitness customer {witness} {url}\nquorum customer\n")
        with running(folder / "d", "--demo", "--log-policy", str(policy), *options) as server:
            before = verify.parse_checkpoint(server.public.get("/log/checkpoint").body).size

            def grown_and_named() -> bool:
                server.demo.post("/v1/tokens", {"name": "traffic"}).good(201)
                octets = server.public.get("/log/checkpoint").body
                grown = verify.parse_checkpoint(octets).size > before + 3
                return grown and complaint in server.log

            eventually(grown_and_named, 60)
            assert single_file("--vkey", vkey, "log", log_url(server))[0] == 0
            code, said = single_file("--policy", policy, "log", log_url(server))
            assert (code, "not met" in said) == (CANNOT_TELL, True), said
            Sluggard.released.set()


def test_time_stamps_of_checkpoints_are_verified_up_to_an_authority_that_one_trusts(
    folder: Path,
) -> None:
    with running(folder / "d", "--demo", "--anchor-seconds", "1") as server:
        stranger = Elsewhere()
        pinned = ("--context", context_file(server))
        own, other = server.context["tls_ca"], write_root(stranger, folder / "other.pem")

        def stamped() -> str | None:
            code, said = command("verify", *pinned, "--tsa-ca", own)
            assert code in {0, CANNOT_TELL}, said
            return said if code == 0 else None

        said = eventually(stamped, 60)
        assert "on checkpoints that the log continues" in said
        assert "not checked: time-stamp tokens" not in said
        code, said = command("verify", *pinned, "--tsa-ca", other)
        assert (code, "no time-stamp of an authority" in said) == (CANNOT_TELL, True), said

        items = server.public.get("/log/anchor/index.json").json()["items"][-1:]
        mirror = mirror_of(server, folder / "mirror")
        (mirror / "anchor" / str(items[0]["size"])).mkdir(parents=True)
        for name in ("token", "checkpoint"):
            path = str(items[0][name]).removeprefix("/log/")
            (mirror / path).write_bytes(server.public.get(f"/log/{path}").body)
        index = json.dumps({"items": items, "next_below": None})
        (mirror / "anchor/index.json").write_text(index)
        copy = (*pinned, "--log", mirror, "--tsa-ca", own)
        assert command("verify", *copy)[0] == 0
        token = mirror / str(items[0]["token"]).removeprefix("/log/")
        flip(token, -5)
        code, said = command("verify", *copy)
        assert (code, "stamp.invalid" in said) == (TAMPERED, True), said
        token.write_bytes(b"not a token")
        assert command("verify", *copy)[0] == TAMPERED
        (mirror / "anchor/index.json").write_text("{}")
        assert command("verify", *copy)[0] == CANNOT_TELL
