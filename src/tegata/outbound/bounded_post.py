"""One POST over HTTP to somebody else's server, which may be slow, long-winded or gone."""

from __future__ import annotations

import asyncio
import http.client
import ssl
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit


class NoAnswer(Exception):
    """There was no whole answer within the bounds; the message says why."""


@dataclass(frozen=True, slots=True)
class PostAnswer:
    """An answer: its status, its media type, its octets."""

    status: int
    media_type: str
    octets: bytes


class BoundedPost:
    """Posts in threads of its own. `timeout` (seconds) is for a whole exchange, `maximum` (octets)
    for an answer. No redirect is followed."""

    def __init__(self, name: str, threads: int, timeout: float, maximum: int) -> None:
        self._timeout = timeout
        self._maximum = maximum
        self._threads = ThreadPoolExecutor(threads, name)
        self._tls = ssl.create_default_context()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> PostAnswer:
        """The answer, whatever its status. Raises `NoAnswer`."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout):
                return await loop.run_in_executor(self._threads, self._post, url, body, headers)
        except TimeoutError as error:
            raise NoAnswer("no whole answer in time") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NoAnswer(str(error) or type(error).__name__) from error

    def close(self) -> None:
        """End; what is under way ends by its time limit."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> PostAnswer:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or parts.hostname is None:
            raise ValueError("an address is http://… or https://…")
        # Each step has what is left of the time of all.
        ends = time.monotonic() + self._timeout
        connection = (
            http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=self._timeout, context=self._tls
            )
            if parts.scheme == "https"
            else http.client.HTTPConnection(parts.hostname, parts.port, timeout=self._timeout)
        )
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", target, body, {**headers, "Connection": "close"})
            answer = connection.getresponse()
            octets = bytearray()
            # A part at a time: one that trickles must not keep the thread for ever.
            while part := answer.read1(4096):
                octets += part
                if len(octets) > self._maximum or time.monotonic() > ends:
                    raise http.client.HTTPException("too long an answer, or too slow")
            if answer.length:
                raise http.client.HTTPException("half an answer")
            return PostAnswer(answer.status, answer.headers.get_content_type(), bytes(octets))
        finally:
            connection.close()
