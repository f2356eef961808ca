"""The source tree as the house tests see it: files, syntax trees and findings."""

import ast
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGE: Final = ROOT / "src" / "tegata"

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file; `name` is its path inside the package, such as `kernel/problem.py`."""

    name: str
    text: str

    @property
    def room(self) -> str:
        """The room the file is in; empty for a file beside the rooms."""
        return self.name.partition("/")[0] if "/" in self.name else ""

    def tree(self) -> ast.Module:
        """Return the syntax tree."""
        return ast.parse(self.text, self.name)


@cache
def package_sources() -> tuple[Source, ...]:
    """Return every Python file of the package."""
    return tuple(
        Source(path.relative_to(PACKAGE).as_posix(), path.read_text("utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    )


@cache
def project_files() -> tuple[Path, ...]:
    """Return every file that is in the repository or would be if all were added."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = (ROOT / name for name in sorted(set(listing.split("\0"))) if name)
    return tuple(path for path in paths if path.is_file())


def functions(tree: ast.AST, outer: str = "") -> Iterator[tuple[str, FunctionNode]]:
    """Yield every function with its dotted name, those inside classes and functions too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, FunctionNode | ast.ClassDef):
            name = f"{outer}.{node.name}" if outer else node.name
            if isinstance(node, FunctionNode):
                yield name, node
            yield from functions(node, name)
        else:
            yield from functions(node, outer)


def unlisted_and_stale(findings: Iterable[str], allowed: Mapping[str, str]) -> list[str]:
    """Return what is wrong between what was found and what the table allows."""
    found = set(findings)
    return sorted(
        [f"not listed: {finding}" for finding in found - allowed.keys()]
        + [f"listed, but gone: {entry}" for entry in allowed.keys() - found]
        + [f"listed without a reason: {entry}" for entry, reason in allowed.items() if not reason]
    )
