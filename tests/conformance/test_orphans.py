"""A key that an opening left in its token is reported, and left where it is."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tegata.kernel.ids import KeyId, encode_id, time_ordered
from tegata.main.orphans import IN_FLIGHT, orphans
from tests.conformance.running import running
from tests.conformance.test_softhsm import make_token

NOW = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)
REPORT = "the token holds a key that no record names: "


def key_made(milliseconds: float, chance: int = 0) -> KeyId:
    return KeyId(encode_id("key", time_ordered(int(milliseconds), bytes([chance]) * 10)))


def test_only_old_keys_without_a_record_are_orphans() -> None:
    at = NOW.timestamp() * 1000
    hour = IN_FLIGHT / timedelta(milliseconds=1)
    old, recorded, new = key_made(at - hour - 1), key_made(0), key_made(at - hour)
    assert orphans([old, recorded, new], {recorded}, NOW) == [old]
    assert orphans([], {recorded}, NOW) == []


def test_a_start_reports_what_no_record_names_and_destroys_nothing(tmp_path: Path) -> None:
    token = make_token(tmp_path)
    with running(tmp_path, *token.options, environment=token.environment) as first:
        assert REPORT not in first.log.read_text()
    now = time.time() * 1000
    left = key_made(now - 2 * 3_600_000, 1)
    in_flight = key_made(now, 2)
    for key in (left, in_flight, "somebody-else's"):
        token.tool(
            "--keypairgen", "--key-type", "EC:prime256v1", "--id", key.encode().hex(),
            "--label", "x",
        )  # fmt: skip
    with running(tmp_path, *token.options, environment=token.environment) as second:
        reported = [line for line in second.log.read_text().splitlines() if REPORT in line]
        assert len(reported) == 1
        assert left in reported[0]
        second.issue()
    assert left.encode().hex() in token.tool("--list-objects", "--type", "privkey")
    # As docs/how-to/hsm.md says.
    for kind in ("privkey", "pubkey"):
        token.tool("--delete-object", "--type", kind, "--id", left.encode().hex())
    with running(tmp_path, *token.options, environment=token.environment) as third:
        assert third.log.read_text().count(REPORT) == 1
