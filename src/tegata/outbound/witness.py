"""Requests to witnesses (C2SP tlog-witness) over HTTP, one thread for each that is asked."""

from __future__ import annotations

from tegata.outbound.bounded_post import BoundedPost, NoAnswer
from tegata.transparency.witnesses import WitnessAnswer, WitnessUnreachable

# Seconds for a whole exchange.
_TIMEOUT = 5.0
# Cosignatures of two keys; one of ML-DSA-44 has 3.3 KB.
_ANSWER_MAXIMUM = 64 * 1024
_THREADS = 16
_HEADERS = {"Content-Type": "text/plain; charset=utf-8"}


class HttpWitnessTransport:
    """Posts checkpoints to witnesses."""

    def __init__(self, timeout: float = _TIMEOUT) -> None:
        self._http = BoundedPost("witness", _THREADS, timeout, _ANSWER_MAXIMUM)

    async def add_checkpoint(self, url: str, body: bytes) -> WitnessAnswer:
        """POST to ``<url>/add-checkpoint``, within bounds. Raises `WitnessUnreachable`."""
        try:
            answer = await self._http.post(f"{url}/add-checkpoint", body, _HEADERS)
        except NoAnswer as error:
            raise WitnessUnreachable(str(error)) from error
        return WitnessAnswer(answer.status, answer.media_type, answer.octets)

    def close(self) -> None:
        """End; what is under way ends by its time limit."""
        self._http.close()
