"""A request on its way in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from math import inf

import httptools

from tegata.kernel.problem import Problem, ProblemCode
from tegata.protocols.http import Request, too_large


class Incoming:
    """A request on its way in, and its body (`protocols.http.Body`)."""

    def __init__(self, ask: Callable[[Incoming], None]) -> None:
        self._ask = ask
        self.method = "GET"
        self.target = b""
        self.headers: dict[bytes, bytes] = {}
        # Octets of target and headers, and whether they are whole.
        self.head = 0
        self.head_complete = False
        self.keep_alive = True
        self.is_http_1_0 = False
        self.complete = False
        # Nobody will read its body, or more of it.
        self.abandoned = False
        self._reading = False
        # Whether it is taken part by part, which may take longer than a request otherwise may.
        self.streamed = False
        self.ends = inf
        self.size = 0
        self._parts: list[bytes] = []
        self._changed: asyncio.Future[None] | None = None

    def arrived(self) -> bytes | None:
        """See `protocols.http.Body`."""
        return b"".join(self._parts) if self.complete else None

    async def read(self, maximum: int) -> bytes:
        """See `protocols.http.Body`."""
        declared = self.headers.get(b"content-length", b"")
        if declared.isdigit() and int(declared[:9]) > maximum:
            raise too_large(maximum)
        if not self.complete:
            await self._wait_for(maximum)
        if self.size > maximum:
            raise too_large(maximum)
        return b"".join(self._parts)

    async def parts(self, maximum: int) -> AsyncIterator[bytes]:
        """See `protocols.http.Body`."""
        declared = self.headers.get(b"content-length", b"")
        if declared.isdigit() and int(declared[:18]) > maximum:
            raise too_large(maximum)
        self.streamed = True
        while True:
            if not self._parts and not self.complete:
                self._reading = True
                self._ask(self)
                self._changed = asyncio.get_running_loop().create_future()
                await self._changed
                self._reading = False
            if self.abandoned:
                raise Problem(ProblemCode.REQUEST_TIMEOUT, "the request ended early")
            if self.size > maximum:
                raise too_large(maximum)
            if not self._parts:
                if self.complete:
                    return
                continue
            taken = b"".join(self._parts)
            self._parts.clear()
            yield taken

    async def _wait_for(self, maximum: int) -> None:
        self._reading = True
        self._ask(self)
        while not self.complete and self.size <= maximum:
            if self.abandoned:
                raise Problem(ProblemCode.REQUEST_TIMEOUT, "the request ended early")
            self._changed = asyncio.get_running_loop().create_future()
            await self._changed
        self._reading = False

    def add(self, part: bytes) -> None:
        """A part of the body has come."""
        self.size += len(part)
        if not self.abandoned:
            self._parts.append(part)
        self.notify()

    def abandon(self) -> None:
        """Keep no more of the body."""
        self.abandoned = True
        self._parts.clear()
        self.notify()

    def notify(self) -> None:
        """Something of the body has come, or nothing more will."""
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    def is_wanted(self) -> bool:
        """Whether its body may come as fast as it will: read, or thrown away."""
        return self._reading or self.abandoned

    def request(self) -> Request | None:
        """The request of a whole head; None when it is not one of HTTP (RFC 9112 section 3.2)."""
        target = self.target
        if self.headers.get(b"host") is None and not self.is_http_1_0:
            return None
        if target[:1] != b"/":
            # The absolute form.
            try:
                url = httptools.parse_url(target)
            except httptools.HttpParserInvalidURLError:
                return None
            target = (url.path or b"/") + (b"?" + url.query if url.query else b"")
        path, _, query = target.partition(b"?")
        return Request(self.method, path, query, self.headers, self)
