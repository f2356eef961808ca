"""The one mechanism for real components (see tests/components.py). Fixtures live with their tests.

A test says what it needs with `@pytest.mark.requires("softhsm2", "signs through PKCS#11")`, or asks
inside with `require`. In continuous integration any other skip fails as well.
"""

from collections.abc import Generator

import pytest

from tests.components import in_continuous_integration, require


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Require what the test's marks name."""
    for mark in item.iter_markers("requires"):
        require(*mark.args, **mark.kwargs)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a skipped test in continuous integration."""
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a skipped module in continuous integration."""
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    # An expected failure is reported as skipped too; it was run, so it is no gap.
    if in_continuous_integration() and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI=true does not allow: {report.longrepr}"
