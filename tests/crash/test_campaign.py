"""`tegata serve` is killed at random while clients use it, again and again on the same data.

TEGATA_CRASH_RUNS says how often, for each engine; TEGATA_CRASH_SEED repeats a campaign (as far as
chance alone decides).
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cryptography.x509 import ocsp

from tegata.kernel.event import NO_PREVIOUS
from tests.crash.load import Load, Request
from tests.journeys.conftest import ENGINES, database_options
from tests.journeys.log import (
    checkpoint_of,
    entries_of,
    entry_of,
    root_of,
    sequenced,
    verified,
)
from tests.journeys.platform import Caller, Json, Server, Tenant, eventually, spawn, start
from tests.journeys.status import chain_of, crl_number, crl_of, status_of

RUNS = int(os.environ.get("TEGATA_CRASH_RUNS", "4"))
SEED = os.environ.get("TEGATA_CRASH_SEED", "1")
# The longest that a run is left alive, and every how many runs one is killed while it starts.
ALIVE_SECONDS = 0.8
STARTING_SECONDS = 1.5
STARTS = 4
# How many of the answers are looked at again through OCSP after each restart.
ASKED = 6


@pytest.mark.timeout(120 + 30 * RUNS)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_server_killed_at_random_under_load_keeps_every_promise(
    engine: str, folder: Path
) -> None:
    chance = random.Random(f"{SEED}-{engine}")
    data, options = folder / "served", ("--demo", *database_options(engine))
    load, places, number = Load(), list[str](), 0
    for run in range(RUNS):
        if run % STARTS == STARTS - 1:
            places.append(_kill_while_starting(data, options, chance.random() * STARTING_SECONDS))
        with _started(data, options) as server:
            number = _require_kept(server, load, number)
            places.append(load.run(server, f"run-{run}", chance.random() * ALIVE_SECONDS))
    with _started(data, options) as server:
        _require_kept(server, load, number)
        assert server.stop() == 0
        server.require_clean_log()
    told = [each for each in load.requests if each.told is not None]
    sys.stdout.write("\n".join([f"{engine}: {len(told)} certificates", *places]) + "\n")
    assert len(told) >= RUNS
    assert any(each.revoke_told for each in told)


@contextmanager
def _started(data: Path, options: tuple[str, ...]) -> Iterator[Server]:
    """A server that does not outlive the block."""
    server = start(data, *options)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.kill()


def _kill_while_starting(data: Path, options: tuple[str, ...], seconds: float) -> str:
    process = spawn(data, *options)
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    process.kill()
    process.wait()
    return f"while starting, after {seconds:.3f} s"


def _require_kept(server: Server, load: Load, number: int) -> int:
    """Everything that was told is so; what was asked and not told can be asked again. The number
    of the CRL, which is not less than `number`."""
    demo = server.demo_tenant()
    for request in load.requests:
        if request.told is None:
            # Signed or not, recorded or not: under its key there is one.
            request.told = demo.issue(request.csr, Idempotency_Key=request.name)
            assert len(demo.caller.certificates(dns_name=request.name)) == 1
    everything = demo.caller.certificates(limit=200)
    listed = {entry["id"]: entry for entry in everything if entry["profile"] == "tls-server"}
    # Nothing but what was asked for, and all of it.
    assert listed.keys() == {body_of(request)["id"] for request in load.requests}
    for request in load.requests:
        found = listed[body_of(request)["id"]]
        assert found["serial"] == body_of(request)["serial"]
        if request.revoke_told:
            assert found["status"] == "revoked"
        if not request.revoke_asked:
            assert found["status"] == "good"
    for request in load.requests[-ASKED:]:
        _require_status(server, demo, request)
    _require_record(demo.caller)
    _require_log(server, demo, load)
    if not load.requests:
        return number
    authority = chain_of(body_of(load.requests[0]))[0]
    latest = crl_number(crl_of(server.public, demo.issuer, authority))
    assert latest >= number
    return latest


def body_of(request: Request) -> Json:
    """The answer to a request, which has been told by now."""
    assert request.told is not None
    return request.told


def _require_status(server: Server, demo: Tenant, request: Request) -> None:
    body = body_of(request)
    found = demo.caller.get(f"/v1/certificates/{body['id']}").good()
    assert found["certificate"] == body["certificate"]
    if request.revoke_asked and not request.revoke_told:
        assert demo.revoke(body["id"]).status in (200, 409)
        request.revoke_told = True
    told = status_of(server.public, body).certificate_status
    assert told is (
        ocsp.OCSPCertStatus.REVOKED if request.revoke_told else ocsp.OCSPCertStatus.GOOD
    )


def _require_log(server: Server, demo: Tenant, load: Load) -> None:
    """Every event has its one leaf, and no checkpoint that anybody saw is untrue now."""
    events = sequenced(demo)
    eventually(lambda: verified(server, checkpoint_of(server))[0] > events[-1]["index"])
    load.checkpoints.append(checkpoint_of(server))
    size, _root = verified(server, load.checkpoints[-1])
    entries = entries_of(server, size)
    assert len(set(entries)) == size
    assert [entries[event["index"]] for event in events] == [entry_of(event) for event in events]
    leaves = [hashlib.sha256(b"\0" + entry).digest() for entry in entries]
    for note in load.checkpoints:
        seen, root = verified(server, note)
        assert root_of(leaves[:seen]) == root


def _require_record(caller: Caller) -> None:
    """The tenant's record, as the tenant itself reads it, is consecutive and chained."""
    previous = NO_PREVIOUS.hex()
    for place, event in enumerate(caller.events(), start=1):
        fact = json.loads(event["canonical"])
        assert (fact["sequence"], fact["previous"]) == (place, previous)
        previous = hashlib.sha256(event["canonical"].encode()).hexdigest()
