"""The trust centre's door: the paper in both languages, prepared so that it costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from importlib import resources

from tegata.compliance.model import LANGUAGES
from tegata.compliance.proofs import Proof, ProofService
from tegata.compliance.reading import PaperService
from tegata.kernel.ports import Clock
from tegata.kernel.wording import choose_language
from tegata.protocols.http import TEXT, Prepared, Request, Response, Route
from tegata.protocols.trust.machine import paper_json
from tegata.protocols.trust.page import paper_page

# How long a page is given before it is written anew.
_FRESH = timedelta(seconds=5)
_PROOFS_KEPT = 64
_HTML = "text/html; charset=utf-8"
_JSON = "application/json"
_HEADERS = {
    "cache-control": "no-cache",
    "vary": "accept, accept-language",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}
_STATIC = {"style.css": "text/css; charset=utf-8", "decay.js": "text/javascript; charset=utf-8"}

_PROOF_TYPES = {"json": _JSON, "event.json": _JSON, "tlog-proof": TEXT}
_Kind = tuple[str, bool]


class TrustDoor:
    """Answers `/trust`. A page is written at most once in five seconds, however many ask."""

    def __init__(self, papers: PaperService, proofs: ProofService, clock: Clock) -> None:
        self._papers = papers
        self._proofs = proofs
        self._proven: Mapping[str, Proof] = {}
        self._clock = clock
        self._pages: Mapping[_Kind, Prepared] = {}
        self._until: datetime | None = None
        self._writing = asyncio.Lock()
        self._files = {name: _static(name, media_type) for name, media_type in _STATIC.items()}

    def routes(self) -> Sequence[Route]:
        """The routes of this protocol."""
        return (
            Route("GET", "/trust", self.page),
            Route("GET", "/trust/evidence/{file}", self.proof),
            *(Route("GET", f"/trust/{name}", self._file(name)) for name in _STATIC),
        )

    def prepared(self, request: Request) -> Prepared | None:
        """The page, when it is fresh and nothing on it has decayed since."""
        if request.raw_path != b"/trust" or request.method not in ("GET", "HEAD"):
            return None
        if self._until is None or self._clock.now() >= self._until:
            return None
        return self._pages[_wanted(request)]

    async def page(self, request: Request) -> Prepared:
        """The page, written anew if need be."""
        async with self._writing:
            now = self._clock.now()
            # A clock that was set back makes no page last.
            fresh = self._until is not None and self._until - _FRESH <= now < self._until
            if not fresh:
                await self._write()
        return self._pages[_wanted(request)]

    async def proof(self, request: Request) -> Response | Prepared:
        """What a record is verified with: its octets, its event, or the event's proof."""
        await self.page(request)
        identifier, _dot, kind = request.path_params["file"].partition(".")
        proof = self._proven.get(identifier)
        if proof is None or kind not in _PROOF_TYPES:
            return Response(404, b"not found\n", TEXT)
        media_type = _PROOF_TYPES[kind]
        octets = {"json": proof.record, "event.json": proof.event}.get(kind, proof.tlog_proof)
        if octets is None:
            return Response(404, b"not public\n", TEXT)
        return Response(200, octets, media_type, {"x-content-type-options": "nosniff"})

    async def _write(self) -> None:
        pages: dict[_Kind, Prepared] = {}
        until: datetime | None = None
        kept: dict[str, Proof] = {}
        for language in LANGUAGES:
            paper = await self._papers.paper(language)
            cited = [record for section in paper.sections for record in section.evidence]
            proven = await self._proofs.prove(cited)
            kept |= proven
            headers = _HEADERS | {"content-language": language}
            page = paper_page(paper, proven).encode()
            pages[language, False] = Prepared.of(page, _HTML, headers)
            pages[language, True] = Prepared.of(paper_json(paper), _JSON, headers)
            ends = [paper.at + _FRESH, *([paper.holds_until] if paper.holds_until else [])]
            until = min([*ends, *([until] if until else [])])
        # What the page before cited is still asked for by those who read it.
        self._proven = {**dict(list(self._proven.items())[-_PROOFS_KEPT:]), **kept}
        self._pages, self._until = pages, until

    def _file(self, name: str) -> _Give:
        return _Give(self._files[name])


class _Give:
    """Gives a file that never changes while the platform runs."""

    def __init__(self, file: Prepared) -> None:
        self._prepared = file

    async def __call__(self, _request: Request) -> Response | Prepared:
        return self._prepared


def _static(name: str, media_type: str) -> Prepared:
    octets = resources.files("tegata.protocols.trust").joinpath("static", name).read_bytes()
    headers = {"cache-control": "public, max-age=300", "x-content-type-options": "nosniff"}
    return Prepared.of(octets, media_type, headers)


def _wanted(request: Request) -> _Kind:
    language = request.query_params.get("lang", "") if request.query_string else ""
    if language not in LANGUAGES:
        language = choose_language(request.header(b"accept-language"))
    return language, _JSON in request.header(b"accept")
