"""The paper of a running platform: carried by evidence, and broken by a real leak."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.platform import Json, Server, eventually, run_tegata, running

SECTIONS = [*map(str, range(1, 22)), "CLD.12.1.5", "CLD.6.3.1"]
# The monitor looks at lists every quarter of a minute.
CATCH_SECONDS = 60
_ARTICLE = re.compile(
    r'<article [^>]*data-section="([^"]+)" data-commitment="([^"]+)" data-verdict="([^"]+)"'
)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A platform whose promises are measured, once its planted faults were caught."""
    with running(tmp_path_factory.mktemp("w") / "d", "--monitor", "child") as server:
        eventually(lambda: promise(server, "6")["verdict"] == "degraded" or None, CATCH_SECONDS)
        yield server


def promise(server: Server, section: str) -> Json:
    """A promise as the public page tells machines."""
    paper = server.api.get("/trust", Accept="application/json").good()
    found: Json = next(each for each in paper["promises"] if each["section"] == section)
    return found


@pytest.mark.parametrize(("language", "word"), [("ja", "確認不能"), ("en", "unknown, not met")])
def test_the_public_page_has_every_section_with_its_verdict(
    watched: Server, language: str, word: str
) -> None:
    answer = watched.api.get(f"/trust?lang={language}")
    page = answer.body.decode()
    assert answer.headers["content-language"] == language
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    articles = _ARTICLE.findall(page)
    assert sorted(section for section, _, _ in articles) == sorted(SECTIONS)
    assert f'<html lang="{language}">' in page
    assert word in page
    counted = re.findall(r'data-count="(\w+)">.*?<b>(\d+)</b>', page)
    assert sum(int(number) for _, number in counted) == len(SECTIONS)
    assert len(counted) == 5
    assert not re.search(r"<style|style=|onclick|<script>", page)


def test_what_has_no_machinery_is_unknown_and_nothing_is_met(watched: Server) -> None:
    paper = watched.api.get("/trust", Accept="application/json").good()
    verdicts = {each["section"]: each["verdict"] for each in paper["promises"]}
    carried = {"4", "6"}
    assert {verdicts[section] for section in SECTIONS if section not in carried} == {"unknown"}
    assert {verdicts[section] for section in carried} <= {"degraded", "unknown"}


def test_isolation_says_what_it_rests_on(watched: Server) -> None:
    found = promise(watched, "6")
    assert found["claim"] is not None
    assert found["planted"] == found["caught"] > 1
    assert found["independence"] == "host"
    assert any("compute" in reason for reason in found["reasons"])


def test_every_record_that_a_sentence_rests_on_has_a_proof(watched: Server) -> None:
    page = watched.api.get("/trust?lang=en").body.decode()
    names = re.findall(r'href="(/trust/evidence/evd_[0-9a-z]+)\.tlog-proof"', page)
    assert len(names) >= 2
    record = watched.api.get(f"{names[0]}.json").body
    event = watched.api.get(f"{names[0]}.event.json").good()
    assert json.loads(event["canonical"])["request"] == hashlib.sha256(record).hexdigest()
    proof = watched.api.get(f"{names[0]}.tlog-proof")
    assert proof.body.startswith(b"c2sp.org/tlog-proof@v1\n")
    assert watched.api.get("/trust/evidence/evd_x.tlog-proof").status == 404


def test_the_operator_lists_shows_and_runs_promises(watched: Server) -> None:
    options = (
        "--context", watched.data / "context.json",
        "--token-file", watched.data / "operator.token",
    )  # fmt: skip
    listed = run_tegata("control", "list", *options)
    assert len(listed.stdout.splitlines()) == len(SECTIONS)
    shown = json.loads(run_tegata("control", "show", *options, "isolation").stdout)
    assert shown["section"] == "6"
    assert json.loads(run_tegata("control", "run", *options, "6").stdout)["name"] == "isolation"
    history = json.loads(run_tegata("control", "history", *options, "assets").stdout)
    assert history["items"]
    paper = run_tegata("paper", "--lang", "ja", *options)
    assert "テナントの分離" in paper.stdout


def test_only_a_collector_may_submit_evidence(watched: Server) -> None:
    body = {
        "probe": "isolation.routes", "tool": "x", "tool_version": "1", "tool_sha256": "00",
        "inputs_digest": "00", "host": "x", "started": "2026-01-01T00:00:00Z",
        "ended": "2026-01-01T00:00:00Z", "population": 1, "counts": {}, "excluded": [],
        "violations": [], "whole": True,
    }  # fmt: skip
    assert watched.operator.post("/v1/evidence", body).code == "authorization.denied"
    token = (watched.data / "monitor" / "collector.token").read_text().strip()
    collector = watched.caller(token)
    # It is of another time; and it may do nothing else.
    assert collector.post("/v1/evidence", body).code == "request.malformed"
    assert collector.get("/v1/tenants").code == "authorization.denied"


def test_a_certificate_in_the_wrong_tenant_breaks_the_sentence(watched: Server) -> None:
    move(watched.data, "ten_canary2", "ten_canary1")
    eventually(lambda: promise(watched, "6")["verdict"] == "breached" or None, CATCH_SECONDS)
    found = promise(watched, "6")
    assert found["claim"] is None
    assert found["notice_due_at"] is not None
    assert 'data-section="6" data-commitment="isolation" data-verdict="breached"' in (
        watched.api.get("/trust?lang=ja").body.decode()
    )


def move(data: Path, source: str, target: str) -> None:
    """Put one tenant's certificates into another's space, behind the platform's back."""
    connection = sqlite3.connect(data / "tegata.sqlite", timeout=30)
    with connection:
        for table in ("certificate", "certificate_name", "certificate_der"):
            connection.execute(f"UPDATE {table} SET tenant = ? WHERE tenant = ?", (target, source))
    connection.close()
