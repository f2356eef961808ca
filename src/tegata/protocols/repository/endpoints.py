"""The repository's routes: pages for people, and the documents and certificates they lead to."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from tegata.issuance.model import PolicyDocument
from tegata.issuance.repository import RepositoryService
from tegata.kernel.ids import IssuerId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.protocols.http import TEXT, Request, Response, Route
from tegata.protocols.page import page, page_language
from tegata.protocols.repository.pages import issuer_page, policy_page
from tegata.protocols.repository.problems import STATUS

_CACHE = {"cache-control": "public, max-age=60"}
_VERSION = re.compile("[1-9][0-9]{0,8}")
# Making a page of a long document takes tens of milliseconds; what is published never changes.
_KEPT = 64


@dataclass(frozen=True, slots=True)
class RepositoryDoor:
    """The public repository."""

    service: RepositoryService
    _made: OrderedDict[tuple[IssuerId, int, str], str] = field(default_factory=OrderedDict)

    def routes(self) -> Sequence[Route]:
        """The routes of this protocol."""
        return (
            Route("GET", "/repository/{issuer}", self.page),
            Route("GET", "/repository/{issuer}/policies/{version}.md", self.source),
            Route("GET", "/repository/{issuer}/policies/{version}", self.policy),
            Route("GET", "/repository/{issuer}/links/{kind}.cer", self.link),
        )

    async def page(self, request: Request) -> Response:
        """All that an issuer publishes."""
        try:
            published = await self.service.published(IssuerId(request.path_params["issuer"]))
        except Problem as problem:
            return _error(problem)
        language = page_language(request)
        content = issuer_page(published, language)
        return page(request, language, published.issuer.name, content, _CACHE)

    async def policy(self, request: Request) -> Response:
        """A version of a policy document, to be read."""
        language = page_language(request)
        try:
            document = await self._document(request)
            key = document.issuer, document.version, language
            content = self._made.get(key)
            if content is None:
                name = await self.service.issuer_name(document.issuer)
                content = self._made[key] = policy_page(document, name, language)
                if len(self._made) > _KEPT:
                    self._made.popitem(last=False)
        except Problem as problem:
            return _error(problem)
        return page(request, language, document.title, content, _CACHE)

    async def source(self, request: Request) -> Response:
        """A version of a policy document, octet for octet as it was published."""
        try:
            document = await self._document(request)
        except Problem as problem:
            return _error(problem)
        headers = _CACHE | {
            "content-language": document.language,
            "x-content-type-options": "nosniff",
        }
        # Browsers show plain text; Markdown is read well as that, and runs nothing.
        return Response(200, document.text.encode(), TEXT, headers)

    async def link(self, request: Request) -> Response:
        """A certificate between two generations of a root, in DER."""
        try:
            published = await self.service.published(IssuerId(request.path_params["issuer"]))
        except Problem as problem:
            return _error(problem)
        for kind, der in published.links:
            if kind == request.path_params["kind"]:
                return Response(200, der, "application/pkix-cert", _CACHE)
        return _error(Problem(ProblemCode.ISSUER_UNKNOWN))

    async def _document(self, request: Request) -> PolicyDocument:
        version = request.path_params["version"]
        if not _VERSION.fullmatch(version):
            raise Problem(ProblemCode.POLICY_UNKNOWN)
        return await self.service.policy(IssuerId(request.path_params["issuer"]), int(version))


def _error(problem: Problem) -> Response:
    return Response(STATUS[problem.code], f"{problem.code}\n".encode(), TEXT)
