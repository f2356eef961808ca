"""Requirements: pinned by hash, in step with pyproject.toml, and naming no registry."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.house.allowed import REGISTRY_HOSTS
from tests.house.source import ROOT, project_files, unlisted_and_stale

REQUIREMENTS: Final = ROOT / "requirements"

# Written in pieces, so that this file does not name one.
REGISTRIES: Final = tuple(
    ".".join(labels).encode()
    for labels in (
        ("pypi", "org"),
        ("pypi", "python", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("crates", "io"),
        ("proxy", "golang", "org"),
        ("rubygems", "org"),
        ("docker", "io"),
        ("ghcr", "io"),
        ("quay", "io"),
    )
)
PIN: Final = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[^]]*\])?==(\S+)(.*)$", re.MULTILINE)


def registries_named(content: bytes) -> Iterator[str]:
    lowered = content.lower()
    for registry in REGISTRIES:
        if registry in lowered:
            yield registry.decode()


def pins(name: str) -> dict[str, str]:
    """Return the versions a compiled requirements file pins."""
    return {
        project: version for project, version, _ in PIN.findall((REQUIREMENTS / name).read_text())
    }


def project_names(lines: list[str]) -> set[str]:
    """Return the names, with their extras, of the requirements in the lines."""
    uncommented = (line.partition("#")[0].strip() for line in lines)
    return {
        re.split(r"[<>=!~; ]", line)[0] for line in uncommented if line and not line.startswith("-")
    }


def direct(name: str) -> set[str]:
    return project_names((REQUIREMENTS / name).read_text().splitlines())


def test_no_file_names_a_registry_host() -> None:
    assert project_files()
    found = [
        f"{path.relative_to(ROOT)} names {registry}"
        for path in project_files()
        for registry in registries_named(path.read_bytes())
    ]
    assert unlisted_and_stale(found, REGISTRY_HOSTS) == []


def test_a_planted_registry_host_is_found() -> None:
    planted = b"--index-url https://files." + REGISTRIES[2].upper() + b"/simple\n"
    assert list(registries_named(planted)) == [REGISTRIES[2].decode()]


def test_no_lock_file_that_names_registries_is_kept() -> None:
    kept = {path.name for path in project_files()}
    assert not kept & {"uv.lock", "poetry.lock", "Pipfile.lock", "package-lock.json", "yarn.lock"}


def test_every_pin_has_a_hash_and_no_file_chooses_an_index() -> None:
    compiled = sorted(REQUIREMENTS.glob("*.txt"), key=lambda path: path.name)
    pinned = [path for path in compiled if path.name != "debian.txt"]
    assert [path.name for path in pinned] == ["bootstrap.txt", "dev.txt", "runtime.txt"]
    for path in pinned:
        assert unhashed(path) == [], path.name
        assert not re.search(r"^\s*--(?!hash=)", path.read_text(), re.MULTILINE), path.name


def unhashed(path: Path) -> list[str]:
    joined = path.read_text().replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line and not line.lstrip().startswith("#")]
    assert lines
    return [line for line in lines if "==" not in line or "--hash=sha256:" not in line]


def test_the_runtime_set_is_what_the_package_depends_on() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert direct("runtime.in") == project_names(project["dependencies"])
    assert project_names(project["optional-dependencies"]["lint"]) <= direct("dev.in")


def test_the_development_set_keeps_the_versions_of_the_runtime_set() -> None:
    runtime = pins("runtime.txt")
    assert runtime
    development = pins("dev.txt")
    assert {name: development.get(name) for name in runtime} == runtime


def test_cryptography_is_the_version_the_asn1_module_was_written_for() -> None:
    assert pins("runtime.txt")["cryptography"] == "50.0.2"
