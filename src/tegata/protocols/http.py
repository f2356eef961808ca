"""HTTP as the doors see it: requests, responses, and the routes between them.

The listener in `main` turns octets into these and back; no framework stands in between, because
status and enrolment are asked for so often that its objects cost more than the answer (ADR 8).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol
from urllib.parse import parse_qsl, unquote, unquote_to_bytes

from tegata.kernel.problem import Problem, ProblemCode

TEXT = "text/plain; charset=utf-8"
_PARAMETER = re.compile(r"\\\{(\w+)(:path)?\\\}")
_NO_PARAMETERS: Mapping[str, str] = {}


class Body(Protocol):
    """The body of a request, perhaps still on its way."""

    def arrived(self) -> bytes | None:
        """The whole body, if it is here."""
        ...

    async def read(self, maximum: int) -> bytes:
        """The whole body; `Problem(request.too-large)` before more than `maximum` octets are
        kept, `Problem(request.timeout)` when it ends early."""
        ...

    def parts(self, maximum: int) -> AsyncIterator[bytes]:
        """The body as it comes, for what is too large to be kept: the client is held up while a
        part is worked on. Raises as `read`."""
        ...


# Not slotted: what few doors ask for is made when it is asked for.
@dataclass
class Request:
    """A request whose head is complete.

    `raw_path` and `query_string` are as sent. Header names are in lower case; of one that stands
    several times, the first counts.
    """

    method: str
    raw_path: bytes
    query_string: bytes
    headers: Mapping[bytes, bytes]
    body: Body
    path_params: Mapping[str, str] = field(default_factory=lambda: _NO_PARAMETERS)

    @cached_property
    def path(self) -> str:
        """The path, percent-decoded once (RFC 3986 section 2.4)."""
        text = self.raw_path.decode("latin-1")
        return unquote(text, errors="replace") if "%" in text else text

    @property
    def path_octets(self) -> bytes:
        """The path's octets, percent-decoded once, whatever they are."""
        return unquote_to_bytes(self.raw_path)

    @property
    def query_params(self) -> dict[str, str]:
        """The query's parameters; of one that stands several times, the last counts."""
        return dict(parse_qsl(self.query_string.decode("latin-1"), keep_blank_values=True))

    def header(self, name: bytes) -> str:
        """A header by its name in lower case, or the empty text."""
        return self.headers.get(name, b"").decode("latin-1")

    def find_header(self, name: bytes) -> str | None:
        """A header by its name in lower case, or None."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")


@dataclass(slots=True)
class Response:
    """An answer. Content-Length, Date and Connection are the listener's.

    One with `parts` is sent as they come, chunked (RFC 9112 section 7.1); its `body` is empty.
    """

    status: int = 200
    body: bytes = b""
    media_type: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    parts: AsyncIterator[bytes] | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A successful answer that is ready: its headers but Date and Connection with the line that
    ends them, and its body."""

    head: bytes
    body: bytes

    @classmethod
    def of(cls, body: bytes, media_type: str, headers: Mapping[str, str]) -> Prepared:
        """Prepare an answer."""
        lines = [f"content-type: {media_type}", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return cls("\r\n".join([*lines, "", ""]).encode("latin-1"), body)

    @property
    def size(self) -> int:
        """Its octets."""
        return len(self.head) + len(self.body)


class Application(Protocol):
    """What answers the requests of a listener."""

    def prepared(self, request: Request) -> Prepared | None:
        """An answer that is ready in memory, if there is one."""
        ...

    def __call__(self, request: Request) -> Awaitable[Response | Prepared]:
        """Answer a request."""
        ...


Handler = Callable[[Request], Awaitable[Response | Prepared]]
Memory = Callable[[Request], Prepared | None]


@dataclass(frozen=True, slots=True)
class Route:
    """What answers a method at a path.

    A path's `{name}` stands for a part without a slash, `{name:path}` for any rest, even none.
    """

    method: str
    path: str
    handler: Handler


class MethodNotAllowed(Exception):
    """The path is known, the method is not one of `allowed` (RFC 9110 section 15.5.6)."""

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__()
        self.allowed = allowed


class Router:
    """Routes by path. HEAD is GET whose body stays here (RFC 9110 section 9.3.2)."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._literal: dict[str, dict[str, Handler]] = {}
        # Templates by what they begin with, so that few are tried.
        self._templates: dict[str, list[tuple[re.Pattern[str], dict[str, Handler]]]] = {}
        patterns: dict[str, dict[str, Handler]] = {}
        for route in routes:
            if "{" not in route.path:
                self._literal.setdefault(route.path, {})[route.method] = route.handler
                continue
            if route.path not in patterns:
                patterns[route.path] = {}
                prefix = route.path.partition("{")[0]
                compiled = re.compile(_PARAMETER.sub(_group, re.escape(route.path)))
                self._templates.setdefault(prefix, []).append((compiled, patterns[route.path]))
            patterns[route.path][route.method] = route.handler

    def handler(self, request: Request) -> Handler:
        """What answers a request, whose path parameters are set.

        Raises `Problem(route.unknown)` or `MethodNotAllowed`.
        """
        methods = self._literal.get(request.path) or self._match(request)
        method = "GET" if request.method == "HEAD" else request.method
        found = methods.get(method)
        if found is None:
            allowed = [*methods, *(["HEAD"] if "GET" in methods else [])]
            raise MethodNotAllowed(sorted(allowed))
        return found

    def _match(self, request: Request) -> Mapping[str, Handler]:
        for prefix, templates in self._templates.items():
            if not request.path.startswith(prefix):
                continue
            for pattern, methods in templates:
                match = pattern.fullmatch(request.path)
                if match is not None:
                    request.path_params = match.groupdict()
                    return methods
        raise Problem(ProblemCode.ROUTE_UNKNOWN)


class PlainApplication:
    """Routes for clients that read nothing but the status of an error.

    `memory` is asked first: it has the answers that are ready.
    """

    def __init__(self, routes: Iterable[Route], memory: Memory) -> None:
        self._router = Router(routes)
        self._memory = memory

    def prepared(self, request: Request) -> Prepared | None:
        """An answer that is ready."""
        return self._memory(request)

    async def __call__(self, request: Request) -> Response | Prepared:
        """Answer a request."""
        try:
            handler = self._router.handler(request)
        except Problem:
            return Response(404, b"not found\n", TEXT)
        except MethodNotAllowed as refused:
            allow = {"allow": ", ".join(refused.allowed)}
            return Response(405, b"method not allowed\n", TEXT, allow)
        return await handler(request)


def _group(match: re.Match[str]) -> str:
    name, rest = match.groups()
    return f"(?P<{name}>.*)" if rest else f"(?P<{name}>[^/]+)"


def too_large(maximum: int) -> Problem:
    """The refusal of a body that is too large."""
    return Problem(ProblemCode.REQUEST_TOO_LARGE, f"a request has at most {maximum} octets")
