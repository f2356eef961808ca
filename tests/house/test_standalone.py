"""The files that customers download: their digests are published, and they need nothing else."""

import ast
import hashlib
import re
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.house.source import PACKAGE, ROOT

FILES: Final = tuple(sorted((PACKAGE / "standalone").glob("[!_]*.py")))
READMES: Final = (ROOT / "README.md", ROOT / "README.ja.md")


def digests(text: str) -> dict[str, str]:
    """The digests that a document publishes, by file."""
    found = re.findall(r"^([0-9a-f]{64})  src/tegata/standalone/(\S+)$", text, re.MULTILINE)
    return {name: digest for digest, name in found}


def test_there_is_something_to_look_at() -> None:
    assert [file.name for file in FILES] == ["verify.py", "witness.py"]


@pytest.mark.parametrize("readme", READMES, ids=lambda readme: readme.name)
def test_the_readme_publishes_the_digest_of_each_file(readme: Path) -> None:
    actual = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in FILES}
    assert digests(readme.read_text()) == actual


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_it_imports_the_standard_library_only(file: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(node.module or "")
    assert imported
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_python_3_9_can_read_it(file: Path) -> None:
    ast.parse(file.read_text(), feature_version=(3, 9))
    # What would be evaluated there although the grammar allows it.
    assert "from __future__ import annotations" in file.read_text()


def test_a_planted_digest_is_read() -> None:
    line = f"{'0' * 64}  src/tegata/standalone/verify.py"
    assert digests(f"```\n{line}\n```\n") == {"verify.py": "0" * 64}
