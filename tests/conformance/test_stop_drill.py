"""The drill of the stop switch: two nodes on one PostgreSQL, from outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.running import (
    TEGATA,
    RefusedError,
    Running,
    attempt,
    run,
    running,
    until,
)
from tests.postgres import postgres_cluster

# What is promised: on every node within seconds.
SECONDS = 5


def stopped(node: Running, issuer: str) -> bool:
    try:
        node.issue(issuer=issuer)
    except RefusedError as refused:
        return refused.code == "issuance.stopped"
    return False


@pytest.mark.parametrize("platform_wide", [False, True], ids=["tenant", "platform"])
def test_a_stop_on_one_node_stops_the_other_and_outlives_its_kill(
    tmp_path: Path, *, platform_wide: bool
) -> None:
    url, key = postgres_cluster().empty_database(), tmp_path / "sealing.key"
    shared = ("--database", url, "--sealing-key", str(key))
    folders = tmp_path / "one", tmp_path / "two"
    for folder in folders:
        folder.mkdir()
    with running(folders[0], *shared) as one, running(folders[1], *shared) as two:
        issuer = two.context["issuer"]
        # The demo's token is a file of the node that made the tenant.
        context = {"TEGATA_CONTEXT": str(one.data / "context.json")}
        operator = ("--platform", "--token-file", str(one.data / "operator.token"))
        options = operator if platform_wide else ()
        two_calls = Running(
            two.process, two.data, two.log,
            {**two.context, "token_file": one.context["token_file"]}, two.folder,
        )  # fmt: skip
        issued = two_calls.issue(issuer=issuer)
        run(TEGATA, "stop", *options, environment=context)
        assert stopped(one, issuer)
        until(lambda: stopped(two_calls, issuer), SECONDS, "the stop")
        # Status goes on.
        assert two_calls.status(issued) == "good"
        one.kill()
        assert stopped(two_calls, issuer)
        with running(folders[0], *shared, data=one.data) as again:
            assert stopped(again, issuer)
            context = {"TEGATA_CONTEXT": str(again.data / "context.json")}
            code, text = attempt(TEGATA, "resume", *options, environment=context)
            assert code == 0, text
            again.issue(issuer=issuer)
            until(lambda: not stopped(two_calls, issuer), SECONDS, "the end of the stop")
