"""A file under work when the platform is killed: no row is lost, and none is done twice."""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.conftest import ENGINES, database_options
from tests.journeys.platform import Json, Server, eventually, start
from tests.journeys.requests import make_csr

ROWS = 1500
KILLS = 3


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tegata-bulk-"))
    yield folder
    shutil.rmtree(folder)


def state(server: Server, identifier: str) -> Json:
    return server.demo.get(f"/v1/bulk/{identifier}").good()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_killed_file_goes_on_where_it_was(folder: Path, engine: str) -> None:
    options = ("--demo", *database_options(engine))
    server = start(folder / "data", *options)
    csr = make_csr("killed.example.test")
    target = io.StringIO(newline="")
    # Rows differ, so that none is another's duplicate: white space is not what makes them so.
    names = [f"row{number}.example.test" for number in range(ROWS)]
    rows = [(name, make_csr(name)) for name in names]
    csv.writer(target).writerows([("reference", "csr"), *rows])
    assert csr
    issuer = server.context["issuer"]
    sent = server.demo.call(
        "POST", f"/v1/bulk?act=issue&profile=tls-server&issuer={issuer}",
        octets=target.getvalue().encode(), headers={"Content-Type": "text/csv"},
    ).good(202)  # fmt: skip
    done = 0
    try:
        for _ in range(KILLS):
            least = done
            eventually(lambda: state(server, sent["id"])["succeeded"] > least)  # noqa: B023
            server.kill()
            server = start(folder / "data", *options)
            done = state(server, sent["id"])["succeeded"]
            if done == ROWS:
                break
        eventually(lambda: state(server, sent["id"])["state"] == "done", 120)
        end = state(server, sent["id"])
        assert (end["succeeded"], end["refused"]) == (ROWS, 0)
        answer = server.demo.get(f"/v1/bulk/{sent['id']}/results").body.decode("utf-8-sig")
        found = list(csv.DictReader(io.StringIO(answer, newline="")))
        assert [row["reference"] for row in found] == names
        assert len({row["certificate_id"] for row in found}) == ROWS
        kept = Counter(each["subject"] for each in server.demo.certificates(limit=200))
        listed = server.demo.certificates(limit=200, profile="tls-server")
        assert {row["certificate_id"] for row in found} == {each["id"] for each in listed}, kept
        assert server.stop() == 0
    finally:
        if server.process.poll() is None:
            server.kill()
