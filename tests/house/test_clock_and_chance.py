"""The clock and chance are read in outbound/system.py only; everybody else is given them."""

import ast
from collections.abc import Iterator, Mapping
from typing import Final

import pytest

from tests.house.allowed import CLOCK_AND_CHANCE
from tests.house.source import Source, package_sources, unlisted_and_stale

SYSTEM: Final = "outbound/system.py"

READS: Final = frozenset(
    {
        "datetime.date.today",
        "datetime.datetime.now",
        "datetime.datetime.today",
        "datetime.datetime.utcnow",
        "os.getrandom",
        "os.urandom",
        "time.clock_gettime",
        "time.clock_gettime_ns",
        "time.time",
        "time.time_ns",
        "uuid.uuid1",
        "uuid.uuid4",
        "uuid.uuid6",
        "uuid.uuid7",
    }
)
CHANCE_MODULES: Final = frozenset({"random", "secrets"})

# Measuring how long something took decides nothing, so the rooms that act may do it.
MONOTONIC_READS: Final = frozenset(
    {
        "time.monotonic",
        "time.monotonic_ns",
        "time.perf_counter",
        "time.perf_counter_ns",
    }
)
ACTING_ROOMS: Final = frozenset(
    {
        "main",
        "protocols",
        "console",
        "cli",
        "agent",
        "standalone",
        "store",
        "signers",
        "outbound",
        "sandbox",
    }
)


def imported_names(tree: ast.Module) -> Mapping[str, str]:
    """Map each imported name of the module to the dotted name it stands for."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name.partition(".")[0]
                names[alias.asname or root] = alias.name if alias.asname else root
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def dotted_name(node: ast.expr, names: Mapping[str, str]) -> str:
    """Return the full name an expression refers to, or nothing when it is not an imported one."""
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Attribute):
        owner = dotted_name(node.value, names)
        return f"{owner}.{node.attr}" if owner else ""
    return ""


def clock_and_chance(source: Source) -> Iterator[str]:
    if source.name == SYSTEM:
        return
    tree = source.tree()
    names = imported_names(tree)
    forbidden = READS if source.room in ACTING_ROOMS else READS | MONOTONIC_READS
    for full_name in names.values():
        if full_name.partition(".")[0] in CHANCE_MODULES:
            yield f"{source.name}::{full_name.partition('.')[0]}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            full_name = dotted_name(node, names)
            if full_name in forbidden:
                yield f"{source.name}::{full_name}"


def test_every_clock_read_and_draw_of_chance_is_listed_with_its_reason() -> None:
    assert package_sources()
    found = [finding for source in package_sources() for finding in clock_and_chance(source)]
    assert unlisted_and_stale(found, CLOCK_AND_CHANCE) == []


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("from datetime import datetime\nx = datetime.now()\n", "datetime.datetime.now"),
        ("import datetime as d\nx = d.datetime.utcnow()\n", "datetime.datetime.utcnow"),
        ("from datetime import date as day\nx = day.today()\n", "datetime.date.today"),
        ("import time\nread = time.time\n", "time.time"),
        ("from time import time_ns as instant\nx = instant()\n", "time.time_ns"),
        ("def f():\n    from uuid import uuid4\n    return uuid4()\n", "uuid.uuid4"),
        ("import os.path\nx = os.urandom(16)\n", "os.urandom"),
        ("import random\n", "random"),
        ("from secrets import token_bytes\n", "secrets"),
        ("import time\nx = time.monotonic()\n", "time.monotonic"),
    ],
)
def test_a_planted_read_is_found(text: str, read: str) -> None:
    assert set(clock_and_chance(Source("issuance/a.py", text))) == {f"issuance/a.py::{read}"}


@pytest.mark.parametrize(
    "source",
    [
        Source(SYSTEM, "import secrets, time\nx = time.time()\n"),
        Source("store/a.py", "import time\nx = time.monotonic()\n"),
        Source("issuance/a.py", "def f(clock):\n    return clock.now()\n"),
        Source("issuance/a.py", "from datetime import datetime\nx = datetime.fromisoformat('')\n"),
    ],
)
def test_what_is_allowed_is_not_found(source: Source) -> None:
    assert not list(clock_and_chance(source))
