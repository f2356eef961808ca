"""The repository's pages: HTML for people, in English and Japanese, with nothing that runs."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tegata.issuance.repository import Published, RepositoryService
from tegata.kernel.ids import IssuerId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.wording import choose_language, translate
from tegata.pkix.certificate import encode_pem
from tegata.pkix.names import name_text, parse_name
from tegata.protocols.http import TEXT, Request, Response, Route
from tegata.protocols.repository.problems import STATUS

_CACHE = "public, max-age=60"
_VERSION = re.compile("[1-9][0-9]{0,8}")
_SHARDS_SHOWN = 1000
# Nothing on the page runs, is framed, or is fetched from anywhere.
_HEADERS = {
    "cache-control": _CACHE,
    "vary": "accept-language",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
}
_STYLE = (
    "body{font:16px/1.7 system-ui,'Hiragino Sans','Noto Sans CJK JP',sans-serif;max-width:60rem;"
    "margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}"
    "h1{font-size:1.6rem;margin-bottom:0}h2{font-size:1.15rem;margin-top:2rem}"
    "dt{font-weight:600}dd{margin:0 0 .6rem}code{overflow-wrap:anywhere;font-size:.9em}"
    "a{color:#0b57d0}.note{border-left:4px solid #0b57d0;padding-left:.8rem}"
)
_NOTE = (
    "What stands here is signed or meant to be read by anybody; check fingerprints by another way "
    "before trusting a root."
)
TEXTS = (
    "Repository",
    "Issuer",
    "State",
    "Certificates",
    "Certificate",
    "Valid until",
    "Fingerprint (SHA-256)",
    "Certificate revocation lists",
    "Complete CRL",
    "Delta CRL",
    "Shard {number}",
    "Policies and practice statements",
    "No document has been published.",
    "version {number}",
    "Chain above this issuer",
    "Certificates between its generations",
    "Status of certificates (OCSP)",
    _NOTE,
)
_STATES = {
    "active": "The issuer issues certificates.",
    "stopped": "Issuance is stopped.",
    "disabled": "The issuer does not issue for now.",
    "retired": "The issuer is retired; what it issued keeps its status.",
    "revoked": "The issuer's certificate is revoked.",
    "expired": "The issuer's certificate has expired.",
}
STATE_TEXTS = tuple(_STATES.values())


@dataclass(frozen=True, slots=True)
class RepositoryDoor:
    """The public repository."""

    service: RepositoryService

    def routes(self) -> Sequence[Route]:
        """The routes of this protocol."""
        return (
            Route("GET", "/repository/{issuer}", self.page),
            Route("GET", "/repository/{issuer}/policies/{version}", self.policy),
            Route("GET", "/repository/{issuer}/links/{kind}.cer", self.link),
        )

    async def page(self, request: Request) -> Response:
        """All that an issuer publishes."""
        try:
            published = await self.service.published(IssuerId(request.path_params["issuer"]))
        except Problem as problem:
            return _error(problem)
        language = choose_language(request.header(b"accept-language"))
        body = _page(published, language).encode()
        return Response(
            200, body, "text/html; charset=utf-8", _HEADERS | {"content-language": language}
        )

    async def policy(self, request: Request) -> Response:
        """A version of a policy document, as it was published."""
        version = request.path_params["version"]
        if not _VERSION.fullmatch(version):
            return _error(Problem(ProblemCode.POLICY_UNKNOWN))
        try:
            issuer = IssuerId(request.path_params["issuer"])
            document = await self.service.policy(issuer, int(version))
        except Problem as problem:
            return _error(problem)
        # Browsers show plain text; Markdown is read well as that, and runs nothing.
        headers = _HEADERS | {"content-language": document.language}
        return Response(200, document.text.encode(), "text/plain; charset=utf-8", headers)

    async def link(self, request: Request) -> Response:
        """A certificate between two generations of a root, in DER."""
        try:
            published = await self.service.published(IssuerId(request.path_params["issuer"]))
        except Problem as problem:
            return _error(problem)
        for kind, der in published.links:
            if kind == request.path_params["kind"]:
                return Response(200, der, "application/pkix-cert", {"cache-control": _CACHE})
        return _error(Problem(ProblemCode.ISSUER_UNKNOWN))


def _page(published: Published, language: str) -> str:
    issuer = published.issuer
    name = html.escape(issuer.name)

    def say(text: str, **values: int) -> str:
        return html.escape(translate(text, language).format(**values))

    subject = html.escape(name_text(parse_name(issuer.facts.subject)))
    ocsp = html.escape(issuer.ocsp_url)
    end = f"{issuer.facts.not_after:%Y-%m-%d %H:%M:%SZ}" if issuer.facts.not_after else ""
    fingerprint = hashlib.sha256(issuer.certificate).hexdigest().upper()
    link = f"/repository/{issuer.id}"
    head = (
        f"<!doctype html><html lang={language}><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width'>"
        f"<title>{name} - {say('Repository')}</title><style>{_STYLE}</style>"
        f"<h1>{name}</h1><p>{say('Repository')}</p>"
    )
    parts = [
        head,
        "<dl>",
        f"<dt>{say('Issuer')}<dd>{subject}",
        f"<dt>{say('State')}<dd>{say(_STATES[published.state])}",
        f"<dt>{say('Valid until')}<dd>{end}",
        f"<dt>{say('Fingerprint (SHA-256)')}<dd><code>{fingerprint}</code>",
        f"<dt>{say('Status of certificates (OCSP)')}<dd><code>{ocsp}</code>",
        f"</dl><p class=note>{say(_NOTE)}",
        f"<h2>{say('Certificates')}</h2>",
        _list([(issuer.ca_issuers_url, f"{name} ({say('Certificate')}, DER)")]),
    ]
    if issuer.chain[1:]:
        parts.append(f"<h2>{say('Chain above this issuer')}</h2>")
        parts += [f"<pre>{encode_pem('CERTIFICATE', der)}</pre>" for der in issuer.chain[1:]]
    if published.links:
        parts.append(f"<h2>{say('Certificates between its generations')}</h2>")
        parts.append(_list([(f"{link}/links/{kind}.cer", kind) for kind, _der in published.links]))
    parts += [f"<h2>{say('Certificate revocation lists')}</h2>", _lists(published, say)]
    parts += [f"<h2>{say('Policies and practice statements')}</h2>", _policies(published, say)]
    return "\n".join(parts) + "</html>\n"


def _lists(published: Published, say: Callable[..., str]) -> str:
    url = published.issuer.crl_url
    base, complete = url.removesuffix(".crl"), say("Complete CRL")
    lists = [(url, complete), (f"{base}-delta.crl", f"{complete}: {say('Delta CRL')}")]
    lists += [
        (f"{base}/{number}.crl", say("Shard {number}", number=number))
        for number in published.shards[:_SHARDS_SHOWN]
        if number
    ]
    return _list(lists)


def _policies(published: Published, say: Callable[..., str]) -> str:
    if not published.policies:
        return f"<p>{say('No document has been published.')}"
    link = f"/repository/{published.issuer.id}/policies"
    return _list(
        (
            f"{link}/{each.version}",
            (
                f"{html.escape(each.title)} ({say('version {number}', number=each.version)}, "
                f"{each.published_at:%Y-%m-%d}, {html.escape(each.language)})"
            ),
        )
        for each in published.policies
    )


def _list(links: Iterable[tuple[str, str]]) -> str:
    """A list of links; texts are escaped already, addresses are not."""
    items = "".join(f'<li><a href="{html.escape(url)}">{text}</a>' for url, text in links)
    return f"<ul>{items}</ul>"


def _error(problem: Problem) -> Response:
    return Response(STATUS[problem.code], f"{problem.code}\n".encode(), TEXT)
