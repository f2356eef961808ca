"""The catalogue: every text for people in every language, and nothing that nobody says."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po

from tegata.agent.problems import TEXTS as CARD_PROBLEMS
from tegata.agent.problems import CardCode
from tegata.agent.wording import SAID
from tegata.cli import audit_wording
from tegata.identity.reasons import TEXTS as REASONS
from tegata.kernel.wording import LANGUAGES, choose_language, translate
from tegata.main import quickstart
from tegata.profiles.document_errors import MESSAGES
from tegata.protocols.repository.pages import STATE_TEXTS, TEXTS
from tegata.protocols.rest.application import PAGE_TEXTS
from tegata.protocols.rest.problems import TABLE
from tegata.registration.notice import NOTICE_TEXTS
from tests.house.source import PACKAGE

FOLDER = PACKAGE / "locale"
TRANSLATED = [language for language in LANGUAGES if language != "en"]
CONTEXT: dict[str, str | bool] = {
    "ready": True, "api": "https://localhost:1", "public": "http://localhost:2",
    "tls_ca": "/tls/ca.pem", "token_file": "/demo.token", "tenant": "ten_x", "issuer": "iss_x",
    "sandbox": "/data/sandbox",
}  # fmt: skip


@cache
def catalogue(language: str) -> Catalog:
    with file_of(language, "po").open("rb") as file:
        return read_po(file, locale=language)


def file_of(language: str, kind: str) -> Path:
    return FOLDER / language / "LC_MESSAGES" / f"tegata.{kind}"


def problem_titles() -> set[str]:
    return {entry.title for entry in TABLE.values()}


def quick_start_titles() -> set[str]:
    """What the quick start says: its titles, and the prose of its first and last line."""
    lines = quickstart.quick_start(CONTEXT, "en").strip().splitlines()
    return {*quickstart._TITLES.values(), lines[0], lines[-1]}


def document_texts() -> set[str]:
    """What can be said about a profile's document, and the command line's own sentence."""
    source = (PACKAGE / "cli" / "profiles.py").read_text()
    assert "examined; {refused} would have been refused, " in source
    simulated = (
        "{of}: {examined} certificates examined; {refused} would have been refused, "
        "{changed} changed."
    )
    return {*MESSAGES.values(), simulated}


def keys(language: str) -> set[str]:
    return {str(message.id) for message in catalogue(language) if message.id}


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_title_of_a_problem_is_translated(language: str) -> None:
    assert len(problem_titles()) == len(TABLE)
    untranslated = [title for title in problem_titles() if translate(title, language) == title]
    assert untranslated == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_whole_quick_start_is_translated(language: str) -> None:
    titles = quick_start_titles()
    assert len(titles) == len(quickstart._TITLES) + 2
    assert [title for title in titles if translate(title, language) == title] == []
    text = quickstart.quick_start(CONTEXT, language)
    assert [title for title in titles if title in text] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_everything_that_can_be_said_about_a_document_is_translated(language: str) -> None:
    texts = document_texts()
    assert [text for text in texts if translate(text, language) == text] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_of_a_notice_is_translated(language: str) -> None:
    assert [text for text in NOTICE_TEXTS if translate(text, language) == text] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_of_the_repository_is_translated(language: str) -> None:
    texts = (*TEXTS, *STATE_TEXTS, *PAGE_TEXTS)
    assert [text for text in texts if translate(text, language) == text] == []


def verdict_texts() -> set[str]:
    """What a verdict says, and advises."""
    return {text for each in REASONS.values() for text in (each.text, each.advice) if text}


@pytest.mark.parametrize("language", TRANSLATED)
def test_everything_that_a_verdict_says_is_translated(language: str) -> None:
    texts = verdict_texts()
    assert [text for text in texts if translate(text, language) == text] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_everything_that_the_card_agent_says_is_translated(language: str) -> None:
    assert {*CARD_PROBLEMS} == {*CardCode}
    assert [text for text in SAID if translate(text, language) == text] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_everything_that_an_audit_says_is_translated(language: str) -> None:
    texts = audit_wording.TEXTS
    assert [text for text in texts if translate(text, language) == text] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_catalogue_has_no_text_that_nobody_says(language: str) -> None:
    pages = {*TEXTS, *STATE_TEXTS, *PAGE_TEXTS, *audit_wording.TEXTS}
    said = problem_titles() | quick_start_titles() | document_texts() | set(NOTICE_TEXTS) | pages
    said |= verdict_texts() | set(SAID)
    assert keys(language) - said == set()


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_entry_says_something_and_keeps_its_placeholders(language: str) -> None:
    entries = [message for message in catalogue(language) if message.id]
    assert entries
    for message in entries:
        assert message.string, message.id
        assert not message.fuzzy, message.id
        assert str(message.id).count("{") == str(message.string).count("{")


@pytest.mark.parametrize("language", TRANSLATED)
def test_what_is_shipped_was_compiled_from_what_is_edited(language: str) -> None:
    octets, edited, compiled = (
        file_of(language, "mo").read_bytes(),
        catalogue(language),
        io.BytesIO(),
    )
    # The one thing that compiling again changes.
    edited.creation_date = read_mo(io.BytesIO(octets)).creation_date
    write_mo(compiled, edited)
    assert octets == compiled.getvalue()


def test_there_is_a_catalogue_for_each_language_and_no_other() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(TRANSLATED)


@pytest.mark.parametrize(
    ("wish", "language"),
    [("ja", "ja"), ("ja-JP, en", "ja"), ("fr, ja;q=0.1", "ja"), ("jam", "en"), ("", "en")],
)
def test_the_first_language_that_is_known_is_chosen(wish: str, language: str) -> None:
    assert choose_language(wish) == language
