"""The platform is killed while it stamps: what was given stands in the record, and no serial number
is ever used again."""

from __future__ import annotations

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tegata.pkix.tsp import parse_time_stamp_response, parse_tst_info
from tegata.pkix.tsp_token import parse_token
from tests.journeys.conftest import ENGINES, database_options, folder  # noqa: F401 (a fixture)
from tests.journeys.platform import Json, Server, start
from tests.journeys.stamping import ask, create_authority
from tests.journeys.test_stamping import GOOD

_ASKERS = 6
_BEFORE_THE_END = 40


def stamp_until_the_end(server: Server, authority: str, enough: threading.Event) -> list[int]:
    """Serial numbers of the tokens that were given before the platform died."""
    serials: list[int] = []
    while True:
        try:
            answer = ask(server, authority, GOOD)
        except (OSError, ValueError):
            return serials
        except Exception:  # noqa: BLE001 (whatever a torn answer is to the client)
            return serials
        token = parse_time_stamp_response(answer.body).token
        if token is not None:
            serials.append(parse_tst_info(parse_token(token).info).serial)
        if len(serials) >= _BEFORE_THE_END // _ASKERS:
            enough.set()


def recorded(server: Server) -> list[int]:
    found = []
    for event in server.demo.events():
        if json.loads(event["canonical"])["action"] != "timestamping:token:issue":
            continue
        private: Json = dict(
            json.loads(base64.urlsafe_b64decode(each + "=="))[1:] for each in event["disclosures"]
        )
        found.append(int(private["serial"], 16))
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_every_token_given_before_a_kill_is_recorded_once(folder: Path, engine: str) -> None:  # noqa: F811
    options = ("--demo", *database_options(engine))
    server = start(folder / "data", *options)
    given: list[int] = []
    try:
        authority = create_authority(server.demo_tenant())["id"]
        for _life in range(2):
            enough = threading.Event()
            with ThreadPoolExecutor(_ASKERS) as pool:
                asked = [
                    pool.submit(stamp_until_the_end, server, authority, enough)
                    for _ in range(_ASKERS)
                ]
                assert enough.wait(30)
                server.kill()
                for each in asked:
                    given += each.result()
            server = start(folder / "data", *options)
        known = recorded(server)
        assert len(given) >= _BEFORE_THE_END // _ASKERS
        assert len(set(known)) == len(known)
        assert set(given) <= set(known)
        assert parse_time_stamp_response(ask(server, authority, GOOD).body).token is not None
        assert server.stop() == 0
    finally:
        if server.process.poll() is None:
            server.kill()
