"""A missing component skips a test with its reason, and fails it in continuous integration."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.components import find_component, missing, require
from tests.house.source import ROOT

ABSENT = "no-such-component"


def test_a_component_that_is_there_is_returned() -> None:
    assert require("sh", "every system has one").name == "sh"
    assert find_component(ABSENT) is None


def test_a_missing_component_skips_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=f"{ABSENT} is missing: to show"):
        require(ABSENT, "to show")


def test_a_missing_component_fails_in_continuous_integration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=f"{ABSENT} is missing: to show"):
        missing(ABSENT, "to show")


PLANTED = """
import pytest

@pytest.mark.requires("no-such-component", "to show")
def test_marked(): ...

def test_skipped_by_hand():
    pytest.skip("by hand")

@pytest.mark.xfail
def test_expected_failure():
    assert False
"""


@pytest.mark.parametrize(
    ("environment", "outcomes"),
    [({}, "2 skipped, 1 xfailed"), ({"CI": "true"}, "1 failed, 1 xfailed, 1 error")],
    ids=["by hand", "continuous integration"],
)
def test_no_skip_gets_past_continuous_integration(
    tmp_path: Path, environment: dict[str, str], outcomes: str
) -> None:
    (tmp_path / "test_planted.py").write_text(PLANTED)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = requires(component, reason)\n")
    inherited = {name: value for name, value in os.environ.items() if name != "CI"}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-ra", "-p", "tests.conftest", str(tmp_path)],
        cwd=ROOT,
        env=inherited | environment | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcomes in ran.stdout, ran.stdout
    assert "no-such-component is missing: to show" in ran.stdout
