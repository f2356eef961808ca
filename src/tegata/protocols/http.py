"""What every protocol over HTTP shares: bodies within bounds."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from starlette.requests import Request
from starlette.responses import Response

from tegata.kernel.problem import Problem, ProblemCode


async def read_body(request: Request, maximum: int) -> bytes:
    """The request's body; `Problem(request.too-large)` before more than `maximum` is kept."""
    declared = header(request, b"content-length")
    if declared.isdigit() and int(declared[:9]) > maximum:
        raise too_large(maximum)
    body = bytearray()
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise Problem(ProblemCode.REQUEST_TIMEOUT, "the request ended early")
        body += message.get("body", b"")
        if len(body) > maximum:
            raise too_large(maximum)
        if not message.get("more_body", False):
            return bytes(body)


def header(request: Request, name: bytes) -> str:
    """The first field of a name (in lower case), or the empty text."""
    headers: list[tuple[bytes, bytes]] = request.scope["headers"]
    for found, value in headers:
        if found == name:
            return value.decode("latin-1")
    return ""


def too_large(maximum: int) -> Problem:
    """The refusal of a body that is too large."""
    return Problem(ProblemCode.REQUEST_TOO_LARGE, f"a request has at most {maximum} octets")


def raw_path(request: Request) -> bytes:
    """The path's octets, percent-decoded once, whatever they are."""
    return unquote_to_bytes(request.scope["raw_path"].split(b"?")[0])


def octets_response(
    body: bytes, media_type: str, headers: dict[str, str] | None = None, status: int = 200
) -> Response:
    """A response of octets."""
    return Response(body, status, headers, media_type)
