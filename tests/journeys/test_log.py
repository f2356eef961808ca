"""The Merkle log over the real doors, verified with nothing of ours: hashlib and Ed25519 alone."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import partial
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature

from tests.journeys.log import (
    checkpoint_of,
    climb,
    entries_of,
    entry_of,
    root_of,
    sequenced,
    verified,
)
from tests.journeys.platform import Answer, Server, Tenant, eventually, running
from tests.journeys.requests import make_csr


@pytest.fixture(scope="module")
def tenant(server: Server) -> Tenant:
    opened = server.open_tenant("Log")
    opened.issue(make_csr("log.example.test"))
    return opened


def test_every_event_of_a_tenant_is_in_the_log_that_anybody_reads(
    server: Server, tenant: Tenant
) -> None:
    events = sequenced(tenant)
    eventually(lambda: verified(server, checkpoint_of(server))[0] > events[-1]["index"])
    size, root = verified(server, checkpoint_of(server))
    entries = entries_of(server, size)
    assert root_of([hashlib.sha256(b"\0" + entry).digest() for entry in entries]) == root
    places = [event["index"] for event in events]
    assert places == sorted(set(places))
    assert [entries[place] for place in places] == [entry_of(event) for event in events]


def proof_of(tenant: Tenant, sequence: int) -> Answer | None:
    answer = tenant.caller.get(f"/v1/events/{sequence}/proof")
    return answer if answer.status == 200 else None


def test_each_event_has_a_proof_that_is_verified_offline(server: Server, tenant: Tenant) -> None:
    for event in sequenced(tenant):
        answer = eventually(partial(proof_of, tenant, event["sequence"]))
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        head, _blank, note = answer.body.partition(b"\n\n")
        first, index, *path = head.decode().split("\n")
        assert (first, index) == ("c2sp.org/tlog-proof@v1", f"index {event['index']}")
        size, root = verified(server, note)
        leaf = hashlib.sha256(b"\0" + entry_of(event)).digest()
        hashes = [base64.b64decode(each) for each in path]
        assert climb(event["index"], size, leaf, hashes) == root


def test_a_changed_checkpoint_does_not_verify(server: Server, tenant: Tenant) -> None:
    assert sequenced(tenant)
    note = checkpoint_of(server)
    origin, size, rest = note.split(b"\n", 2)
    with pytest.raises(InvalidSignature):
        verified(server, b"\n".join([origin, str(int(size) + 1).encode(), rest]))


def test_every_answer_of_the_api_names_the_newest_checkpoint(
    server: Server, tenant: Tenant
) -> None:
    sequenced(tenant)
    size, root = verified(server, checkpoint_of(server))
    for answer in (
        tenant.caller.get("/v1/certificates"),
        tenant.caller.get("/v1/nonsense"),
        server.api.get("/v1/certificates"),
        server.api.get("/health"),
    ):
        told, _slash, start = answer.headers["tegata-checkpoint"].partition("/")
        assert int(told) >= size
        assert len(start) == 16
        if int(told) == size:
            assert start == root.hex()[:16]


def test_an_event_that_is_not_the_tenants_has_no_proof(tenant: Tenant) -> None:
    for sequence in ("999999", "0", "-1", "x", "1e3", "9" * 40):
        answer = tenant.caller.get(f"/v1/events/{sequence}/proof")
        assert (answer.status, answer.code) == (404, "event.unknown")


def test_keys_are_told_over_tls_and_never_in_plain_http(server: Server) -> None:
    keys = server.api.get("/v1/log/vkey").good()
    assert keys["vkey"] == server.context["log_vkey"]
    assert keys["vkey_mldsa"] == server.context["log_vkey_mldsa"]
    assert keys["vkey"].startswith(keys["origin"] + "+")
    for path in ("/v1/log/vkey", "/log/vkey", "/v1/log/verify.py"):
        assert server.public.get(path).status == 404


def test_tiles_may_be_cached_for_ever_and_checkpoints_hardly(server: Server) -> None:
    checkpoint = server.public.get("/log/checkpoint")
    assert checkpoint.headers["content-type"] == "text/plain; charset=utf-8"
    assert checkpoint.headers["cache-control"] == "public, max-age=1"
    tile = server.public.get("/log/tile/0/000.p/1")
    assert tile.headers["content-type"] == "application/octet-stream"
    assert "immutable" in tile.headers["cache-control"]
    assert len(tile.body) == 32


@pytest.mark.parametrize(
    "path",
    ["0/999", "0/x000/000", "63/000.p/1", "64/000", "0/000.p/0", "0/000.p/256", "entries/000.p/",
     "0/../../../etc/passwd", "0/00%2e", "data/000", "", "0/" + "x999/" * 5 + "999"],
)  # fmt: skip
def test_another_address_is_not_found(server: Server, path: str) -> None:
    assert server.public.get(f"/log/tile/{path}").status == 404


def test_the_log_goes_on_over_a_restart_and_so_does_its_mirror(folder: Path) -> None:
    options, mirror = ("--demo", "--log-mirror", str(folder / "mirror")), folder / "mirror"
    with running(folder / "data", *options) as server:
        origin = server.context["log_vkey"]
        demo = server.demo_tenant()
        before = sequenced(demo)
        first = verified(server, checkpoint_of(server))
        assert server.stop() == 0
    with running(folder / "data", *options) as server:
        # The origin and the keys stay, whatever the address is now.
        assert server.context["log_vkey"] == origin
        demo = server.demo_tenant()
        demo.issue(make_csr("again.example.test"))
        after = sequenced(demo)
        assert after[: len(before)] == before
        eventually(lambda: verified(server, checkpoint_of(server))[0] > after[-1]["index"])
        second = verified(server, checkpoint_of(server))
        assert second[0] > first[0]
        leaves = [hashlib.sha256(b"\0" + entry).digest() for entry in entries_of(server, second[0])]
        assert root_of(leaves[: first[0]]) == first[1]
        eventually(lambda: (mirror / "checkpoint").read_bytes() == checkpoint_of(server))
        width = second[0] % 256
        bundle = mirror / "tile" / "entries" / f"{second[0] // 256:03d}.p" / str(width)
        assert bundle.read_bytes()[2:34] == entries_of(server, second[0])[second[0] // 256 * 256]
        server.require_clean_log()
        assert server.stop() == 0
    context = json.loads((folder / "data" / "context.json").read_text())
    assert context["log_vkey"] == origin
