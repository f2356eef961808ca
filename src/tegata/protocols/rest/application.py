"""The REST API as an ASGI application."""

from __future__ import annotations

import html
import logging
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tegata import __version__
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.wording import choose_language, translate
from tegata.protocols.rest import certificates, tenancy
from tegata.protocols.rest.bodies import Health
from tegata.protocols.rest.openapi import openapi_document
from tegata.protocols.rest.operation import Endpoint, Operation, Services
from tegata.protocols.rest.problems import TABLE, problem_response

_LOG = logging.getLogger(__name__)

OPERATIONS: tuple[Operation[Any], ...] = (*certificates.OPERATIONS, *tenancy.OPERATIONS)
_HTTP_PROBLEMS = {404: ProblemCode.ROUTE_UNKNOWN, 405: ProblemCode.METHOD_NOT_ALLOWED}


def rest_application(services: Services) -> Starlette:
    """The application with every operation, its description, and pages about problems."""
    document = msgspec.json.encode(openapi_document(OPERATIONS, services.base_url))

    async def describe(_request: Request) -> Response:
        return Response(document, media_type="application/json")

    async def unknown(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        problem = Problem(_HTTP_PROBLEMS[error.status_code], "")
        return problem_response(problem, _language(request), services.base_url)

    async def failed(request: Request, error: Exception) -> Response:
        # A bug: logged whole, answered with no detail (RFC 9457's about:blank).
        _LOG.error("a request failed", exc_info=error)
        return Response(
            b'{"type":"about:blank","title":"Internal Server Error","status":500}',
            500,
            media_type="application/problem+json",
        )

    routes = [_route(operation, services) for operation in OPERATIONS]
    routes += [
        Route("/openapi.json", describe, methods=["GET"]),
        Route("/health", _health, methods=["GET"]),
        Route("/problems/{code}", _problem_page, methods=["GET"]),
    ]
    return Starlette(
        routes=routes, exception_handlers={404: unknown, 405: unknown, Exception: failed}
    )


def _route(operation: Operation[Any], services: Services) -> Route:
    endpoint = Endpoint(operation, services)

    async def answer(request: Request) -> Response:
        return await endpoint(request)

    return Route(operation.path, answer, methods=[operation.method])


async def _health(_request: Request) -> Response:
    return Response(msgspec.json.encode(Health("ok", __version__)), media_type="application/json")


async def _problem_page(request: Request) -> Response:
    """What a problem's `type` address leads to."""
    try:
        code = ProblemCode(request.path_params["code"])
    except ValueError as error:
        raise HTTPException(404) from error
    language = _language(request)
    title = html.escape(translate(TABLE[code].title, language))
    page = (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8">'
        f"<title>{title}</title><h1>{title}</h1><p><code>{code}</code> (HTTP {TABLE[code].status})"
    )
    return HTMLResponse(page, headers={"content-language": language})


def _language(request: Request) -> str:
    return choose_language(request.headers.get("accept-language", ""))
