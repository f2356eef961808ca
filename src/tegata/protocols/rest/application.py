"""The REST API: every operation, its description, and pages about problems."""

from __future__ import annotations

import html
from typing import Any

import msgspec

from tegata import __version__
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.wording import choose_language, translate
from tegata.protocols.http import MethodNotAllowed, Prepared, Request, Response, Route, Router
from tegata.protocols.page import page, page_language
from tegata.protocols.rest import (
    authorities,
    bulk,
    certificates,
    identity,
    identity_follow_up,
    log,
    notices,
    profiles,
    refused_keys,
    take_overs,
    tenancy,
    timestamping,
)
from tegata.protocols.rest.bodies import Health
from tegata.protocols.rest.openapi import openapi_document
from tegata.protocols.rest.operation import Endpoint, Operation, Services
from tegata.protocols.rest.problems import TABLE, problem_response

# Requests that are worked on at once; what comes beyond them is told so and costs nothing.
UNDER_WAY_MAXIMUM = 1024

OPERATIONS: tuple[Operation[Any], ...] = (
    *certificates.OPERATIONS,
    *bulk.OPERATIONS,
    *authorities.OPERATIONS,
    *take_overs.OPERATIONS,
    *profiles.OPERATIONS,
    *refused_keys.OPERATIONS,
    *notices.OPERATIONS,
    *timestamping.OPERATIONS,
    *identity.OPERATIONS,
    *identity_follow_up.OPERATIONS,
    *tenancy.OPERATIONS,
    *log.OPERATIONS,
)


class RestApplication:
    """Answers the requests of the API's listener."""

    def __init__(self, services: Services) -> None:
        self._base_url = services.base_url
        self._log = services.log
        self._under_way = 0
        self._description = msgspec.json.encode(openapi_document(OPERATIONS, services.base_url))
        self._router = Router(
            (
                *(Route(each.method, each.path, Endpoint(each, services)) for each in OPERATIONS),
                Route("GET", "/openapi.json", self._describe),
                *log.public_routes(services.log),
                Route("GET", "/health", _health),
                Route("GET", "/problems/{code}", _problem_page),
            )
        )

    def prepared(self, _request: Request) -> None:
        """Nothing is ready: every caller is known before an answer is made."""

    async def __call__(self, request: Request) -> Response | Prepared:
        """Answer a request, and say which checkpoint of the log is the newest."""
        response = await self._answer(request)
        if isinstance(response, Response) and self._log.short:
            response.headers["tegata-checkpoint"] = self._log.short
        return response

    async def _answer(self, request: Request) -> Response | Prepared:
        if self._under_way >= UNDER_WAY_MAXIMUM:
            busy = Problem(ProblemCode.OVERLOADED, "too many requests are under way")
            return self._refusal(request, busy)
        self._under_way += 1
        try:
            return await self._router.handler(request)(request)
        except Problem as problem:
            return self._refusal(request, problem)
        except MethodNotAllowed as refused:
            response = self._refusal(request, Problem(ProblemCode.METHOD_NOT_ALLOWED))
            response.headers["allow"] = ", ".join(refused.allowed)
            return response
        finally:
            self._under_way -= 1

    def _refusal(self, request: Request, problem: Problem) -> Response:
        return problem_response(problem, _language(request), self._base_url)

    async def _describe(self, _request: Request) -> Response:
        return Response(200, self._description, "application/json")


async def _health(_request: Request) -> Response:
    return Response(200, msgspec.json.encode(Health("ok", __version__)), "application/json")


async def _problem_page(request: Request) -> Response:
    """What a problem's `type` address leads to."""
    try:
        code = ProblemCode(request.path_params["code"])
    except ValueError as error:
        raise Problem(ProblemCode.ROUTE_UNKNOWN) from error
    language = page_language(request)
    title = translate(TABLE[code].title, language)
    content = (
        f"<h1>{html.escape(title)}</h1><dl>"
        f"<dt>{html.escape(translate('Code', language))}</dt><dd><code>{code}</code></dd>"
        f"<dt>{html.escape(translate('HTTP status', language))}</dt>"
        f"<dd>{TABLE[code].status}</dd></dl>"
    )
    return page(request, language, title, content, {"cache-control": "public, max-age=60"})


PAGE_TEXTS = ("Code", "HTTP status")


def _language(request: Request) -> str:
    return choose_language(request.header(b"accept-language"))
