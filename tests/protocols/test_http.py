"""Routes by path, and what a request says of itself."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tegata.kernel.problem import Problem, ProblemCode
from tegata.protocols.http import (
    Handler,
    MethodNotAllowed,
    PlainApplication,
    Prepared,
    Request,
    Response,
    Route,
    Router,
)


class NoBody:
    def arrived(self) -> bytes | None:
        return b""

    async def read(self, maximum: int) -> bytes:
        return b""

    async def parts(self, maximum: int) -> AsyncIterator[bytes]:
        yield await self.read(maximum)


async def answered(handler: Handler, request: Request) -> Response:
    response = await handler(request)
    assert isinstance(response, Response)
    return response


def nothing(_request: Request) -> None:
    """Nothing is ready."""


def asked(method: str, target: bytes) -> Request:
    path, _, query = target.partition(b"?")
    return Request(method, path, query, {}, NoBody())


def answering(text: str) -> Route:
    method, _, path = text.partition(" ")

    async def handler(request: Request) -> Response:
        parameters = ",".join(f"{name}={value}" for name, value in request.path_params.items())
        return Response(200, f"{text} {parameters}".strip().encode())

    return Route(method, path, handler)


ROUTES = tuple(
    answering(text)
    for text in (
        "GET /things", "POST /things", "GET /things/{thing}", "DELETE /things/{thing}",
        "POST /things/{thing}/parts/{part}", "GET /lists/{list}.crl", "GET /ocsp/{request:path}",
        "POST /ocsp", "GET /things/special",
    )
)  # fmt: skip


@pytest.mark.parametrize(
    ("method", "target", "answer"),
    [
        ("GET", b"/things", b"GET /things"),
        ("POST", b"/things?x=1", b"POST /things"),
        ("HEAD", b"/things", b"GET /things"),
        ("GET", b"/things/a", b"GET /things/{thing} thing=a"),
        ("GET", b"/things/a%20b", b"GET /things/{thing} thing=a b"),
        ("GET", b"/things/special", b"GET /things/special"),
        ("DELETE", b"/things/a", b"DELETE /things/{thing} thing=a"),
        ("POST", b"/things/a/parts/b", b"POST /things/{thing}/parts/{part} thing=a,part=b"),
        ("GET", b"/lists/a.b.crl", b"GET /lists/{list}.crl list=a.b"),
        ("GET", b"/ocsp/a/b//c=", b"GET /ocsp/{request:path} request=a/b//c="),
        ("GET", b"/ocsp/", b"GET /ocsp/{request:path} request="),
        ("POST", b"/ocsp", b"POST /ocsp"),
    ],
)
async def test_a_request_finds_its_route(method: str, target: bytes, answer: bytes) -> None:
    request = asked(method, target)
    assert (await answered(Router(ROUTES).handler(request), request)).body == answer


@pytest.mark.parametrize(
    "target",
    [b"/", b"/thing", b"/things/", b"/things/a/", b"/things/a/b", b"/lists/a.cer", b"/lists/.crl",
     b"//things", b"/THINGS", b"/things%2Fa%2Fb"],
)  # fmt: skip
def test_there_is_nothing_at_other_paths(target: bytes) -> None:
    with pytest.raises(Problem) as raised:
        Router(ROUTES).handler(asked("GET", target))
    assert raised.value.code is ProblemCode.ROUTE_UNKNOWN


def test_another_method_is_told_which_ones_there_are() -> None:
    with pytest.raises(MethodNotAllowed) as raised:
        Router(ROUTES).handler(asked("PUT", b"/things/a"))
    assert raised.value.allowed == ["DELETE", "GET", "HEAD"]


async def test_a_plain_application_answers_in_status_codes() -> None:
    application = PlainApplication(ROUTES, nothing)
    assert (await answered(application, asked("GET", b"/things"))).status == 200
    assert (await answered(application, asked("GET", b"/none"))).status == 404
    refused = await answered(application, asked("DELETE", b"/ocsp"))
    assert (refused.status, refused.headers) == (405, {"allow": "POST"})


def test_a_request_decodes_its_target_once() -> None:
    request = asked("GET", b"/a%2541%ff?x=%2541&y=&x=last")
    assert request.path == "/a%41�"
    assert request.path_octets == b"/a%41\xff"
    assert request.query_params == {"x": "last", "y": ""}


async def test_what_is_ready_is_asked_for_first() -> None:
    ready = Prepared.of(b"now", "text/plain", {"x-a": "b"})
    application = PlainApplication(ROUTES, lambda _request: ready)
    assert application.prepared(asked("GET", b"/things")) == ready
    assert ready.head == b"content-type: text/plain\r\ncontent-length: 3\r\nx-a: b\r\n\r\n"
    assert ready.body == b"now"
