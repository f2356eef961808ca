"""Time-stamps over HTTP: POST only (RFC 3161 section 3.4)."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from tegata.kernel.ids import TimestampAuthorityId
from tegata.kernel.ports import Clock
from tegata.kernel.problem import Problem, ProblemCode
from tegata.pkix.der import DerError
from tegata.pkix.tsp import (
    REQUEST_MAXIMUM,
    FailureInfo,
    TimeStampRequest,
    encode_rejection,
    parse_time_stamp_request,
)
from tegata.protocols.http import Request, Response, Route
from tegata.protocols.tsp.problems import FAILURE
from tegata.timestamping.service import TimestampService

_LOG = logging.getLogger(__name__)
QUERY = "application/timestamp-query"
REPLY = "application/timestamp-reply"
# Tokens that are being made; what comes beyond them is told so and costs nothing.
UNDER_WAY_MAXIMUM = 1024
# Refusals of nobody known are counted, and logged no more often than this.
_LOGGED_EVERY = timedelta(seconds=10)
_NO_STORE = {"cache-control": "no-store"}


class TspDoor:
    """The time-stamping authorities' HTTP side."""

    def __init__(self, service: TimestampService, clock: Clock) -> None:
        self._service = service
        self._clock = clock
        self._under_way = 0
        self._refused: Counter[str] = Counter()
        self._logged: datetime | None = None

    def routes(self) -> Sequence[Route]:
        """The routes of this protocol."""
        return (Route("POST", "/tsp/{authority}", self.post),)

    async def post(self, request: Request) -> Response:
        """A TimeStampReq in the body."""
        try:
            octets = await _read(request)
            asked = _parse(octets)
            return await self._stamp(request.path_params["authority"], asked, octets)
        except DerError:
            self._count("not a TimeStampReq")
            return _rejection(FailureInfo.BAD_DATA_FORMAT, "not a TimeStampReq in DER")
        except Problem as problem:
            self._count(problem.code)
            return _rejection(FAILURE[problem.code], problem.detail)

    async def _stamp(self, authority: str, asked: TimeStampRequest, octets: bytes) -> Response:
        if self._under_way >= UNDER_WAY_MAXIMUM:
            raise Problem(ProblemCode.OVERLOADED, "too many tokens are being made")
        self._under_way += 1
        try:
            stamp = await self._service.stamp(
                TimestampAuthorityId(authority), asked, hashlib.sha256(octets).digest()
            )
        finally:
            self._under_way -= 1
        return Response(200, stamp.response, REPLY, dict(_NO_STORE))

    def _count(self, reason: str) -> None:
        self._refused[reason] += 1
        now = self._clock.now()
        if self._logged is None or not timedelta(0) <= now - self._logged < _LOGGED_EVERY:
            self._logged = now
            counts = ", ".join(f"{count} {name}" for name, count in self._refused.items())
            _LOG.info("time-stamp requests refused: %s", counts)
            self._refused.clear()


async def _read(request: Request) -> bytes:
    media_type = request.header(b"content-type").split(";")[0].strip().lower()
    if media_type != QUERY:
        raise Problem(ProblemCode.REQUEST_MEDIA_TYPE, f"send {QUERY}")
    return await request.body.read(REQUEST_MAXIMUM)


def _parse(octets: bytes) -> TimeStampRequest:
    try:
        return parse_time_stamp_request(octets)
    except (ValueError, IndexError) as error:
        raise DerError(str(error)) from error


def _rejection(failure: FailureInfo, text: str) -> Response:
    # RFC 3161 section 3.4: an answer of the protocol, whatever it says.
    return Response(200, encode_rejection(failure, text), REPLY, dict(_NO_STORE))
