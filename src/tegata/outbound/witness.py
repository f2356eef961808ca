"""Requests to witnesses (C2SP tlog-witness) over HTTP, one thread for each that is asked."""

from __future__ import annotations

import asyncio
import http.client
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from tegata.transparency.witnesses import WitnessAnswer, WitnessUnreachable

# Seconds for a whole exchange.
_TIMEOUT = 5.0
# Cosignatures of two keys; one of ML-DSA-44 has 3.3 KB.
_ANSWER_MAXIMUM = 64 * 1024
_THREADS = 16


class HttpWitnessTransport:
    """Posts checkpoints to witnesses. No redirect is followed."""

    def __init__(self, timeout: float = _TIMEOUT) -> None:
        self._timeout = timeout
        self._threads = ThreadPoolExecutor(_THREADS, "witness")
        self._tls = ssl.create_default_context()

    async def add_checkpoint(self, url: str, body: bytes) -> WitnessAnswer:
        """POST to ``<url>/add-checkpoint``, within bounds. Raises `WitnessUnreachable`."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout):
                return await loop.run_in_executor(self._threads, self._post, url, body)
        except TimeoutError as error:
            raise WitnessUnreachable("no whole answer in time") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise WitnessUnreachable(str(error) or type(error).__name__) from error

    def close(self) -> None:
        """End; what is under way ends by its time limit."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _post(self, url: str, body: bytes) -> WitnessAnswer:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or parts.hostname is None:
            raise ValueError("a witness's address is http://… or https://…")
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
            headers = {"Content-Type": "text/plain; charset=utf-8", "Connection": "close"}
            connection.request("POST", f"{parts.path}/add-checkpoint", body, headers)
            answer = connection.getresponse()
            octets = bytearray()
            # A part at a time: one that trickles must not keep the thread for ever.
            while part := answer.read1(4096):
                octets += part
                if len(octets) > _ANSWER_MAXIMUM or time.monotonic() > ends:
                    raise http.client.HTTPException("too long an answer, or too slow")
            if answer.length:
                raise http.client.HTTPException("half an answer")
            kind = answer.headers.get_content_type()
            return WitnessAnswer(answer.status, kind, bytes(octets))
        finally:
            connection.close()
