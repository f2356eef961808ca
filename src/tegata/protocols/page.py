"""Pages that anybody may read, in English and Japanese: one frame, one look, nothing that runs."""

from __future__ import annotations

import html
from collections.abc import Mapping
from urllib.parse import parse_qsl

from tegata.kernel.wording import LANGUAGES, choose_language
from tegata.protocols.http import Request, Response

# Nothing on a page runs, is framed, or is fetched from anywhere.
_HEADERS = {
    "vary": "accept-language",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
}
_LANGUAGE_NAMES = {"en": "English", "ja": "日本語"}
# The colours are primitives of @digital-go-jp/design-tokens (MIT).
_STYLE = """
:root{--ground:#fff;--band:#f2f2f2;--line:#ccc;--ink:#1a1a1a;--second:#4d4d4d;--link:#0017c1;
--bar:#00234b;color-scheme:light dark}
@media (prefers-color-scheme:dark){:root{--ground:#14171c;--band:#1e232b;--line:#4d4d4d;
--ink:#f2f2f2;--second:#ccc;--link:#9db7f9;--bar:#0b1220}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);line-height:1.75;line-break:strict;
overflow-wrap:anywhere;font:16px/1.75 "Noto Sans JP","Noto Sans CJK JP","BIZ UDPGothic",
"Hiragino Sans","Yu Gothic UI",Meiryo,system-ui,sans-serif}
.bar{background:var(--bar);color:#fff;padding:0 24px;min-height:48px;display:flex;
flex-wrap:wrap;gap:0 24px;align-items:center;justify-content:space-between}
.bar b{font-size:16px}.bar a{color:#fff;display:inline-block;padding:8px 0;min-height:44px}
.bar span{display:flex;gap:24px}
main{max-width:800px;margin:0 auto;padding:24px 24px 64px}
h1{font-size:24px;line-height:1.5;margin:8px 0 4px;word-break:auto-phrase}
h2{font-size:18px;line-height:1.5;margin:40px 0 12px;padding-top:12px;
border-top:1px solid var(--ink);word-break:auto-phrase}
h3{font-size:16px;margin:24px 0 8px}
.kind{color:var(--second);margin:0 0 24px}
dl{display:grid;grid-template-columns:minmax(0,16em) minmax(0,1fr);margin:0}
dt,dd{margin:0;padding:8px 0;border-bottom:1px solid var(--line)}dt{color:var(--second)}
@media screen and (max-width:600px){dl{display:block}dt{border:0;padding-bottom:0}}
a{color:var(--link);text-underline-offset:3px}
ul.links{list-style:none;padding:0;margin:0}
ul.links li{border-bottom:1px solid var(--line)}
ul.links a{display:block;padding:8px 0;min-height:44px}
code,pre{font:14px/1.6 "Noto Sans Mono","Cascadia Mono",Consolas,Menlo,"DejaVu Sans Mono",
monospace}
pre{background:var(--band);padding:12px 16px;overflow-x:auto;overflow-wrap:normal}
.note{margin:24px 0;color:var(--second)}
summary{padding:8px 0;min-height:44px;cursor:pointer;color:var(--link)}
table{border-collapse:collapse}th,td{text-align:left;padding:8px 16px 8px 0;
border-bottom:1px solid var(--line)}th{border-bottom-color:var(--ink)}
article h1{border-top:1px solid var(--ink);margin-top:40px;padding-top:16px;font-size:22px}
article h2{border:0;margin-top:24px;padding:0}
blockquote{margin:16px 0;padding-left:16px;border-left:4px solid var(--line)}
:focus-visible{outline:3px solid #000;outline-offset:2px;box-shadow:0 0 0 2px #ffd43d}
@media (prefers-color-scheme:dark){:focus-visible{outline-color:#fff}}
@media print{.bar{display:none}main{max-width:none;padding:0}a{color:inherit}
dt,dd,li{break-inside:avoid}}
""".replace("\n", "")


def page_language(request: Request) -> str:
    """What the reader chose on the page, else what the browser asks for."""
    query = dict(parse_qsl(request.query_string.decode("latin-1")))
    chosen = query.get("language", "")
    return chosen if chosen in LANGUAGES else choose_language(request.header(b"accept-language"))


def page(
    request: Request,
    language: str,
    title: str,
    content: str,
    headers: Mapping[str, str],
    *,
    status: int = 200,
    content_language: str | None = None,
) -> Response:
    """A page; `title` is text, `content` HTML. The page's own words are in `language`."""
    head = html.escape(title)
    links = " ".join(
        f'<a href="{html.escape(request.path)}?language={each}" lang="{each}" hreflang="{each}"'
        f"{' aria-current=true' if each == language else ''}>{_LANGUAGE_NAMES[each]}</a>"
        for each in LANGUAGES
    )
    text = (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{head}</title><style>{_STYLE}</style></head><body>"
        f'<header class="bar"><b>tegata</b><span>{links}</span></header>'
        f"<main>{content}</main></body></html>\n"
    )
    own = {"content-language": content_language or language}
    return Response(
        status, text.encode(), "text/html; charset=utf-8", {**_HEADERS, **headers, **own}
    )
