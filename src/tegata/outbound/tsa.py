"""Requests to other people's time-stamping authorities over HTTP (RFC 3161 section 3.4)."""

from __future__ import annotations

import asyncio
import http.client
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from tegata.timestamping.ports import AuthorityUnreachable

# Seconds for a whole exchange.
_TIMEOUT = 10.0
# A token with a path of certificates.
_ANSWER_MAXIMUM = 256 * 1024
_THREADS = 8
_QUERY = "application/timestamp-query"
_REPLY = "application/timestamp-reply"


class HttpTimestampClient:
    """Posts TimeStampReqs. No redirect is followed."""

    def __init__(self, timeout: float = _TIMEOUT) -> None:
        self._timeout = timeout
        self._threads = ThreadPoolExecutor(_THREADS, "tsa")
        self._tls = ssl.create_default_context()

    async def ask(self, url: str, request: bytes) -> bytes:
        """The answer's octets, within bounds. Raises `AuthorityUnreachable`."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout):
                return await loop.run_in_executor(self._threads, self._post, url, request)
        except TimeoutError as error:
            raise AuthorityUnreachable("no whole answer in time") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise AuthorityUnreachable(str(error) or type(error).__name__) from error

    def close(self) -> None:
        """End; what is under way ends by its time limit."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _post(self, url: str, request: bytes) -> bytes:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or parts.hostname is None:
            raise ValueError("an authority's address is http://… or https://…")
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
            headers = {"Content-Type": _QUERY, "Accept": _REPLY, "Connection": "close"}
            connection.request("POST", target, request, headers)
            answer = connection.getresponse()
            octets = bytearray()
            # A part at a time: one that trickles must not keep the thread for ever.
            while part := answer.read1(4096):
                octets += part
                if len(octets) > _ANSWER_MAXIMUM or time.monotonic() > ends:
                    raise http.client.HTTPException("too long an answer, or too slow")
            kind = answer.headers.get_content_type()
            if answer.status != http.HTTPStatus.OK or kind != _REPLY:
                raise http.client.HTTPException(f"HTTP status {answer.status}, {kind}")
            return bytes(octets)
        finally:
            connection.close()
