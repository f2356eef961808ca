"""The REST API as an ASGI application."""

from __future__ import annotations

import html
import logging
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from tegata import __version__
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.wording import choose_language, translate
from tegata.protocols.rest import certificates, tenancy
from tegata.protocols.rest.bodies import Health
from tegata.protocols.rest.openapi import openapi_document
from tegata.protocols.rest.operation import Endpoint, Operation, Services
from tegata.protocols.rest.problems import MEDIA_TYPE, TABLE, problem_response

# Requests that are worked on at once; what comes beyond them is told so and costs nothing.
UNDER_WAY_MAXIMUM = 1024
_LOG = logging.getLogger(__name__)

OPERATIONS: tuple[Operation[Any], ...] = (*certificates.OPERATIONS, *tenancy.OPERATIONS)
_INTERNAL = b'{"type":"about:blank","title":"Internal Server Error","status":500}'
_HTTP_PROBLEMS = {404: ProblemCode.ROUTE_UNKNOWN, 405: ProblemCode.METHOD_NOT_ALLOWED}


class RestApplication:
    """The application with every operation, its description, and pages about problems.

    Starlette's router without its middleware: what that would do for every request is done here
    where something went wrong.
    """

    def __init__(self, services: Services) -> None:
        self._base_url = services.base_url
        self._under_way = 0
        document = msgspec.json.encode(openapi_document(OPERATIONS, services.base_url))

        async def describe(_request: Request) -> Response:
            return Response(document, media_type="application/json")

        routes = [
            Route(each.path, Endpoint(each, services), methods=[each.method]) for each in OPERATIONS
        ]
        routes += [
            Route("/openapi.json", describe, methods=["GET"]),
            Route("/health", _health, methods=["GET"]),
            Route("/problems/{code}", _problem_page, methods=["GET"]),
        ]
        self._router = Router(routes, redirect_slashes=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if self._under_way >= UNDER_WAY_MAXIMUM:
            busy = Problem(ProblemCode.OVERLOADED, "too many requests are under way")
            await self._refusal(scope, busy)(scope, receive, send)
            return
        # Makes the router raise what it would otherwise answer in words of its own.
        scope["app"] = self
        self._under_way += 1
        try:
            await self._router(scope, receive, send)
        except HTTPException as error:
            response = self._refusal(scope, Problem(_HTTP_PROBLEMS[error.status_code]))
            response.headers.update(error.headers or {})
            await response(scope, receive, send)
        except Exception:  # noqa: BLE001
            # A bug: logged whole, answered with no detail (RFC 9457's about:blank).
            _LOG.exception("a request failed")
            await Response(_INTERNAL, 500, media_type=MEDIA_TYPE)(scope, receive, send)
        finally:
            self._under_way -= 1

    def _refusal(self, scope: Scope, problem: Problem) -> Response:
        return problem_response(problem, _language(Request(scope)), self._base_url)


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
