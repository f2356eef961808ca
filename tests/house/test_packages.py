"""Every folder of the package is a package that says what it is for."""

import ast
from pathlib import Path

import pytest

from tests.house.source import PACKAGE, package_sources


def package_folders() -> list[Path]:
    """Return every folder that holds Python, directly or further down."""
    folders = {parent for path in PACKAGE.rglob("*.py") for parent in path.parents}
    return sorted(folder for folder in folders if folder.is_relative_to(PACKAGE))


def test_there_is_something_to_look_at() -> None:
    assert PACKAGE in package_folders()


@pytest.mark.parametrize("folder", package_folders(), ids=lambda folder: folder.name)
def test_every_folder_is_a_package(folder: Path) -> None:
    assert (folder / "__init__.py").is_file()


def test_every_module_says_what_it_is_for() -> None:
    silent = [source.name for source in package_sources() if not ast.get_docstring(source.tree())]
    assert package_sources()
    assert silent == []
