"""The repository's pages and the pages about problems, at the widths of a phone and of a desk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tegata.issuance.outline import outline
from tests.browser.chromium import Browser, browser
from tests.components import require
from tests.journeys.platform import Server, running

POLICY = outline("ja").replace(
    "規定しない。",
    "| 失効事由 | 期限 |\n| --- | --- |\n| 鍵の危殆化 | 24時間以内 |\n\n"
    "- リポジトリ: <https://pki.example.test/repository/" + "x" * 120 + ">\n\n"
    "```\nopenssl verify -crl_check -CAfile root.pem " + "certificate.pem " * 12 + "\n```",
    1,
)


@dataclass(frozen=True, slots=True)
class Pages:
    """Where the pages are."""

    server: Server
    issuer: str
    page: str
    policy: str
    problem: str


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    with running(tmp_path_factory.mktemp("pages") / "data") as server:
        tenant = server.open_tenant("有限会社 山田手形証明書発行サービス <b>")
        root = next(each["id"] for each in tenant.issuers if each["id"] != tenant.issuer)
        tenant.caller.post(f"/v1/issuers/{root}/rekey", {}).good(201)
        body = {"title": "認証局運用規程(CPS)", "language": "ja", "text": POLICY}
        document = {**body, "media_type": "text/markdown"}
        path = f"/v1/issuers/{tenant.issuer}/policies"
        tenant.caller.call("PUT", path, document).good()
        page = f"{server.public.url}/repository/{tenant.issuer}"
        problem = f"{server.api.url}/problems/certificate.already-revoked"
        yield Pages(server, tenant.issuer, page, f"{page}/policies/1", problem)


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    chromium = require("chromium", "shows pages as people see them")
    with browser(chromium, tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("which", ["page", "policy", "problem"])
def test_a_page_fits_its_window_and_fetches_nothing_else(
    tab: Browser, pages: Pages, which: str, width: int, language: str
) -> None:
    url = getattr(pages, which)
    tab.show(url, width, language)
    assert tab.requests == [url]
    assert tab.complaints == []
    assert tab.ask("document.documentElement.lang") == language
    assert tab.ask("document.documentElement.scrollWidth") <= width
    assert tab.ask("document.querySelectorAll('h1').length") >= 1
    # WCAG 2.2 success criterion 2.5.8, and what public pages hold themselves to.
    heights = tab.ask(
        "[...document.querySelectorAll('header a, ul.links a, summary')]"
        ".map(each => each.getBoundingClientRect().height).filter(height => height > 0)"
    )
    assert heights
    assert min(heights) >= 44


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("which", ["page", "policy", "problem"])
def test_texts_stand_out_from_their_ground(
    tab: Browser, pages: Pages, which: str, dark: bool
) -> None:
    tab.show(getattr(pages, which), 1280, "ja", dark=dark)
    # WCAG 2.2 success criterion 1.4.3, for each element that has text of its own.
    lowest = tab.ask(CONTRAST)
    assert lowest["elements"] > 5
    assert lowest["ratio"] >= 4.5, lowest


def test_a_reader_changes_the_language(tab: Browser, pages: Pages) -> None:
    tab.show(pages.page, 1280, "en")
    assert tab.ask("document.querySelector('h2').textContent") == "Certificates"
    link = tab.ask("document.querySelector('header a[lang=ja]').href")
    tab.show(link, 1280, "en")
    assert tab.ask("document.querySelector('h2').textContent") == "証明書"
    assert tab.ask("document.querySelector('header a[aria-current]').lang") == "ja"


def test_a_document_is_shown_as_it_was_structured(tab: Browser, pages: Pages) -> None:
    tab.show(pages.policy, 1280, "en")
    assert tab.ask("document.querySelector('article').lang") == "ja"
    assert tab.ask("document.querySelectorAll('article h1').length") == 9
    assert tab.ask("document.querySelectorAll('article td').length") == 2
    assert tab.ask("document.querySelector('article pre').scrollWidth > 0")


CONTRAST = """(() => {
  const linear = each => (each /= 255) <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4;
  const parts = text => text.match(/[0-9.]+/g).map(Number);
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = element => {
    for (; element; element = element.parentElement) {
      const found = parts(getComputedStyle(element).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  let lowest = {ratio: 99, elements: 0};
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (!own) continue;
    const ink = luminance(parts(getComputedStyle(element).color));
    const back = luminance(ground(element));
    const ratio = (Math.max(ink, back) + 0.05) / (Math.min(ink, back) + 0.05);
    const elements = lowest.elements + 1;
    lowest = ratio < lowest.ratio ? {ratio, tag: element.tagName, elements} : {...lowest, elements};
  }
  return lowest;
})()"""
