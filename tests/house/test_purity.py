"""Foundations, models and rules may take a URL apart, and never fetch one.

The contract "pure" in pyproject.toml forbids whole packages; this is the one package of which they
may import a part.
"""

import ast
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

import pytest

from tests.house.source import Source, package_sources

FOUNDATIONS: Final = frozenset({"kernel", "pkix", "profiles"})
PURE_NAMES: Final = frozenset({"model", "rules"})


def is_pure(source: Source) -> bool:
    """Tell whether the file is of a foundation, or a room's model or rules (file or folder)."""
    parts = PurePosixPath(source.name).with_suffix("").parts
    return source.room in FOUNDATIONS or (len(parts) > 1 and parts[1] in PURE_NAMES)


def urllib_beyond_parse(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree()):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "urllib":
            names = [f"urllib.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            if name.partition(".")[0] == "urllib" and name != "urllib.parse":
                yield f"{source.name} imports {name}"


def test_pure_files_import_urllib_parse_at_most() -> None:
    pure = [source for source in package_sources() if is_pure(source)]
    assert pure
    assert [finding for source in pure for finding in urllib_beyond_parse(source)] == []


@pytest.mark.parametrize(
    "text",
    [
        "import urllib.request\n",
        "from urllib import request\n",
        "from urllib.request import Request\n",
    ],
)
def test_a_planted_fetch_is_found(text: str) -> None:
    planted = Source("issuance/rules/names.py", text)
    assert is_pure(planted)
    assert list(urllib_beyond_parse(planted)) == ["issuance/rules/names.py imports urllib.request"]


@pytest.mark.parametrize("text", ["import urllib.parse\n", "from urllib.parse import urlsplit\n"])
def test_taking_a_url_apart_is_not_found(text: str) -> None:
    assert not list(urllib_beyond_parse(Source("pkix/names.py", text)))
