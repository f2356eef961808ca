"""What every protocol over HTTP shares: bodies within bounds."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from tegata.kernel.problem import Problem, ProblemCode


async def read_body(request: Request, maximum: int) -> bytes:
    """The request's body; `Problem(request.too-large)` before more than `maximum` is kept."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > maximum:
        raise too_large(maximum)
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > maximum:
                raise too_large(maximum)
    except ClientDisconnect as error:
        raise Problem(ProblemCode.REQUEST_TIMEOUT, "the request ended early") from error
    return bytes(body)


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
