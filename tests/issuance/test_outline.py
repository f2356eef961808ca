"""A CP or CPS has every section of RFC 3647, however its author writes the headings."""

from __future__ import annotations

import pytest

from tegata.issuance.outline import MARKDOWN, SECTIONS, outline, require_outline
from tegata.kernel.problem import Problem, ProblemCode

PLAIN = "text/plain"


def missing(text: str, media_type: str = MARKDOWN) -> str:
    """What a document is told to lack."""
    with pytest.raises(Problem) as caught:
        require_outline(text, media_type)
    assert caught.value.code is ProblemCode.POLICY_INCOMPLETE
    return caught.value.detail


def test_the_outline_is_that_of_rfc_3647_section_6() -> None:
    # How many first subsections each section has there.
    parts = [6, 4, 4, 12, 8, 8, 3, 6, 17]
    expected = [
        number
        for section, count in enumerate(parts, 1)
        for number in (str(section), *(f"{section}.{part}" for part in range(1, count + 1)))
    ]
    assert [number for number, _english, _japanese in SECTIONS] == expected


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("media_type", [MARKDOWN, PLAIN])
def test_the_outline_that_is_given_out_is_whole(language: str, media_type: str) -> None:
    text = outline(language)
    if media_type == PLAIN:
        text = text.replace("#", "").replace("\n ", "\n")
    require_outline(text, media_type)


@pytest.mark.parametrize("number", ["1", "1.1", "4.1", "4.10", "9.17"])
def test_a_section_that_is_missing_is_named(number: str) -> None:
    (english,) = (title for each, title, _japanese in SECTIONS if each == number)
    lines = outline("ja").split("\n")
    kept = [
        line for line in lines if not line.lstrip("# ").startswith((f"{number} ", f"{number}. "))
    ]
    assert len(kept) == len(lines) - 1
    assert missing("\n".join(kept)) == f"no heading for: {number} {english}"


@pytest.mark.parametrize(
    ("heading", "written"),
    [
        ("## 4.9 ", "### **4.9.** "),
        ("## 4.9 ", "## 第4.9節 "),
        ("## 4.9 ", "## ４．９　"),
        ("## 4.9 ", "## 4.9: "),
        ("# 4. ", "# 第4章 "),
    ],
)
def test_a_heading_may_be_written_in_its_authors_way(heading: str, written: str) -> None:
    text = outline("ja")
    assert heading in text
    require_outline(text.replace(heading, written, 1), MARKDOWN)


def test_an_underlined_heading_is_one() -> None:
    title = "4.9 Certificate revocation and suspension"
    text = outline("en").replace(f"## {title}", f"{title}\n{'-' * 20}", 1)
    require_outline(text, MARKDOWN)


@pytest.mark.parametrize(
    "written",
    ["## 4.90 ", "## 4.9.1 ", "## 4.91", "    ## 4.9 ", "```\n## 4.9 x\n```\n", "4.9 ", "## x4.9 "],
)
def test_what_only_looks_like_a_heading_is_none(written: str) -> None:
    assert missing(outline("en").replace("## 4.9 ", written, 1)).startswith(
        "no heading for: 4.9 Certificate revocation"
    )


@pytest.mark.parametrize("text", ["x", "# 1. Introduction\n", "1" * 1000, "#" * 99_999])
def test_what_is_no_such_document_is_told_all_that_it_lacks(text: str) -> None:
    assert "9.17 Other provisions" in missing(text)
