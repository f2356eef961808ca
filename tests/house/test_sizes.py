"""Sizes to watch: files, functions and imports inside functions."""

import ast
from collections.abc import Iterator
from typing import Final

from tests.house.allowed import (
    FILES_OVER_BUDGET,
    FUNCTIONS_OVER_BUDGET,
    IMPORTS_INSIDE_FUNCTIONS,
)
from tests.house.source import Source, functions, package_sources, unlisted_and_stale

FILE_LINES: Final = 400
FUNCTION_LINES: Final = 50


def files_over_budget(source: Source) -> Iterator[str]:
    if len(source.text.splitlines()) > FILE_LINES:
        yield source.name


def functions_over_budget(source: Source) -> Iterator[str]:
    for name, node in functions(source.tree()):
        if (node.end_lineno or node.lineno) - node.lineno + 1 > FUNCTION_LINES:
            yield f"{source.name}::{name}"


def imports_inside_functions(source: Source) -> Iterator[str]:
    if source.room == "cli":  # a command line starts faster when it imports late
        return
    for name, node in functions(source.tree()):
        for inner in ast.walk(node):
            if isinstance(inner, ast.Import):
                for alias in inner.names:
                    yield f"{source.name}::{name} imports {alias.name}"
            elif isinstance(inner, ast.ImportFrom):
                yield f"{source.name}::{name} imports {inner.module}"


def test_there_is_something_to_look_at() -> None:
    assert package_sources()
    assert any(list(functions(source.tree())) for source in package_sources())


def test_every_file_over_budget_is_listed_with_its_reason() -> None:
    found = [finding for source in package_sources() for finding in files_over_budget(source)]
    assert unlisted_and_stale(found, FILES_OVER_BUDGET) == []


def test_every_function_over_budget_is_listed_with_its_reason() -> None:
    found = [finding for source in package_sources() for finding in functions_over_budget(source)]
    assert unlisted_and_stale(found, FUNCTIONS_OVER_BUDGET) == []


def test_every_import_inside_a_function_is_listed_with_its_reason() -> None:
    found = [
        finding for source in package_sources() for finding in imports_inside_functions(source)
    ]
    assert unlisted_and_stale(found, IMPORTS_INSIDE_FUNCTIONS) == []


def test_a_planted_long_file_is_found_and_one_at_the_limit_is_not() -> None:
    assert list(files_over_budget(Source("store/a.py", "x = 1\n" * (FILE_LINES + 1))))
    assert not list(files_over_budget(Source("store/a.py", "x = 1\n" * FILE_LINES)))


def test_a_planted_long_function_is_found_by_its_dotted_name() -> None:
    body = "        x = 1\n" * FUNCTION_LINES
    planted = Source("store/a.py", f"class Rows:\n    async def get(self):\n{body}")
    assert list(functions_over_budget(planted)) == ["store/a.py::Rows.get"]
    shorter = Source("store/a.py", planted.text.replace("        x = 1\n", "", 1))
    assert not list(functions_over_budget(shorter))


def test_a_planted_import_inside_a_function_is_found_outside_the_command_line() -> None:
    text = "def connect():\n    if True:\n        from psycopg import rows\n"
    assert list(imports_inside_functions(Source("store/a.py", text))) == [
        "store/a.py::connect imports psycopg"
    ]
    assert not list(imports_inside_functions(Source("cli/a.py", text)))


def test_a_stale_entry_and_an_empty_reason_are_found() -> None:
    assert unlisted_and_stale([], {"store/a.py": "was long once"}) == [
        "listed, but gone: store/a.py"
    ]
    assert unlisted_and_stale(["store/a.py"], {"store/a.py": ""}) == [
        "listed without a reason: store/a.py"
    ]
