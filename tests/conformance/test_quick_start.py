"""The quick start that `tegata run` prints works, pasted line by line."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tegata.main.quickstart import _language
from tests.components import require
from tests.conformance.running import end, first_line, run, start

CLOSING = {"en": "Stop with Ctrl+C; everything is kept.", "ja": "終了するには Ctrl+C を押します。"}


@contextmanager
def quick_start(folder: Path, language: Mapping[str, str], closing: str) -> Generator[list[str]]:
    """The lines that a running platform printed."""
    log = folder / "tegata.log"
    arguments = ["run", "--data", str(folder / "my data"), "--listen", "127.0.0.1:0"]
    process = start([*arguments, "--public-listen", "127.0.0.1:0"], log, language)
    try:
        lines = [first_line(process, log).rstrip("\n")]
        assert process.stdout is not None
        while closing not in lines[-1]:
            line = process.stdout.readline()
            assert line, log.read_text()
            lines.append(line.rstrip("\n"))
        yield lines
    finally:
        end(process)


def titles(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if line.startswith("#")]


def commands(lines: Sequence[str]) -> list[str]:
    """What is to be pasted: everything between the sentences at either end but empty lines."""
    return [line for line in lines[1:-1] if line and not line.startswith("#")]


def test_every_printed_line_works_when_it_is_pasted_in_an_empty_folder(tmp_path: Path) -> None:
    for program in ("openssl", "curl", "python3", "bash"):
        require(program, "the quick start uses it")
    printed = {}
    for language, environment in (("en", {"LANG": "C.UTF-8"}), ("ja", {"LANG": "ja_JP.UTF-8"})):
        with quick_start(tmp_path, environment, CLOSING[language]) as lines:
            paste(lines, tmp_path / language, environment)
        printed[language] = lines
        assert len(titles(lines)) == 7
        assert all(is_japanese(title) == (language == "ja") for title in titles(lines))
    # The second run kept the data of the first, so only the ports differ.
    assert [words(line) for line in commands(printed["en"])] == [
        words(line) for line in commands(printed["ja"])
    ]


def paste(lines: Sequence[str], empty: Path, environment: Mapping[str, str]) -> None:
    empty.mkdir()
    said = [
        run("bash", "-ec", line, folder=empty, environment=environment)
        for line in lines[1:-1]
        if line
    ]
    assert any("server.pem: OK" in text for text in said)
    good = next(place for place, text in enumerate(said) if "server.pem: good" in text)
    revoked = next(place for place, text in enumerate(said) if "server.pem: revoked" in text)
    assert good < revoked
    assert all("Response verify OK" in said[place] for place in (good, revoked))
    assert "Reason: keyCompromise" in said[revoked]
    assert '"verdict": "verified"' in said[-1]


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LANG": "en_US.UTF-8", "LC_ALL": "ja_JP.UTF-8"}, "ja"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "ja_JP"}, "ja"),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({}, "en"),
    ],
)
def test_the_language_is_the_one_that_the_environment_names(
    environment: dict[str, str], language: str
) -> None:
    # Whether or not the locale is installed, so not through the C library.
    assert _language(environment) == language


def words(line: str) -> list[str]:
    """A command without the ports, which are free ones each time."""
    return [word for word in line.replace("/", " ").split() if "127.0.0.1:" not in word]


def is_japanese(text: str) -> bool:
    return any("぀" <= letter <= "鿿" for letter in text)
