"""Each protocol's table from problems to its wire: every code, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

import pytest

from tegata.kernel.problem import ProblemCode
from tegata.protocols.crl.problems import STATUS as CRL_STATUS
from tegata.protocols.ocsp.problems import STATUS as OCSP_STATUS
from tegata.protocols.repository.problems import STATUS as REPOSITORY_STATUS
from tegata.protocols.rest.problems import RETRY_AFTER, TABLE
from tegata.protocols.tlog.problems import STATUS as TLOG_STATUS
from tegata.protocols.tsp.problems import FAILURE as TSP_FAILURE
from tests.house.source import PACKAGE

TABLES: Mapping[str, Mapping[ProblemCode, object]] = {
    "rest": TABLE,
    "ocsp": OCSP_STATUS,
    "crl": CRL_STATUS,
    "repository": REPOSITORY_STATUS,
    "tsp": TSP_FAILURE,
    "tlog": TLOG_STATUS,
}


def test_every_protocol_has_a_table() -> None:
    folders = {path.parent.name for path in (PACKAGE / "protocols").glob("*/__init__.py")}
    assert folders == set(TABLES)
    for folder in folders:
        import_module(f"tegata.protocols.{folder}.problems")


@pytest.mark.parametrize("protocol", TABLES)
def test_the_table_covers_every_code_exactly(protocol: str) -> None:
    assert set(TABLES[protocol]) == set(ProblemCode)


def test_the_sets_that_make_up_the_table_of_ocsp_do_not_overlap() -> None:
    problems = import_module("tegata.protocols.ocsp.problems")
    parts = [problems._MALFORMED, problems._LATER, problems._UNAUTHORIZED, problems._INTERNAL]
    assert sum(len(part) for part in parts) == len(ProblemCode)


def test_every_problem_over_http_is_an_error_and_outages_say_when_to_come_back() -> None:
    for code, entry in TABLE.items():
        assert 400 <= entry.status <= 503, code
    outages = {entry.status for code, entry in TABLE.items() if CRL_STATUS[code] == 503}
    assert outages == {503}
    assert set(RETRY_AFTER) <= {entry.status for entry in TABLE.values()}
