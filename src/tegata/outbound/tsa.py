"""Requests to other people's time-stamping authorities over HTTP (RFC 3161 section 3.4)."""

from __future__ import annotations

import http

from tegata.outbound.bounded_post import BoundedPost, NoAnswer
from tegata.timestamping.ports import AuthorityUnreachable

# Seconds for a whole exchange.
_TIMEOUT = 10.0
# A token with a path of certificates.
_ANSWER_MAXIMUM = 256 * 1024
_THREADS = 8
_REPLY = "application/timestamp-reply"
_HEADERS = {"Content-Type": "application/timestamp-query", "Accept": _REPLY}


class HttpTimestampClient:
    """Posts TimeStampReqs."""

    def __init__(self, timeout: float = _TIMEOUT) -> None:
        self._http = BoundedPost("tsa", _THREADS, timeout, _ANSWER_MAXIMUM)

    async def ask(self, url: str, request: bytes) -> bytes:
        """The answer's octets, within bounds. Raises `AuthorityUnreachable`."""
        try:
            answer = await self._http.post(url, request, _HEADERS)
        except NoAnswer as error:
            raise AuthorityUnreachable(str(error)) from error
        if answer.status != http.HTTPStatus.OK or answer.media_type != _REPLY:
            raise AuthorityUnreachable(f"HTTP status {answer.status}, {answer.media_type}")
        return answer.octets

    def close(self) -> None:
        """End; what is under way ends by its time limit."""
        self._http.close()
