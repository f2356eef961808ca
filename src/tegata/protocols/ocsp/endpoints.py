"""OCSP over HTTP: GET and POST (RFC 6960 appendix A.1, RFC 9919 section 5)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime

from tegata.kernel.problem import Problem
from tegata.pkix.der import DerError
from tegata.pkix.ocsp import OcspRequest, ResponseStatus, encode_ocsp_error, parse_ocsp_request
from tegata.protocols.http import Request, Response, Route
from tegata.protocols.ocsp.problems import STATUS
from tegata.revocation.service import OcspAnswer, OcspService

# RFC 9919 section 5: GET is for requests of up to 255 octets; POST takes several CertIDs.
REQUEST_MAXIMUM = 8 * 1024
# How long a cache may keep an answer. At the origin a revocation shows at once.
CACHE_SECONDS = 300
_PREFIX = b"/ocsp/"
_MEDIA_TYPE = "application/ocsp-response"


# Answers that are worked on at once; beyond them the client is told to try later.
UNDER_WAY_MAXIMUM = 1024


class OcspDoor:
    """The OCSP responder's HTTP side."""

    def __init__(self, service: OcspService) -> None:
        self._service = service
        self._under_way = 0

    def routes(self) -> Sequence[Route]:
        """The routes of this protocol."""
        return (
            Route("POST", "/ocsp", self.post),
            Route("POST", "/ocsp/", self.post),
            Route("GET", "/ocsp/", self.get),
            Route("GET", "/ocsp/{request:path}", self.get),
        )

    async def post(self, request: Request) -> Response:
        """A request in the body."""
        try:
            octets = await request.body.read(REQUEST_MAXIMUM)
        except Problem as problem:
            return _error(STATUS[problem.code])
        return await self._answer(octets, cacheable=False)

    async def get(self, request: Request) -> Response:
        """A request in the path: base64, percent-encoded (some clients leave out the latter)."""
        try:
            octets = base64.b64decode(request.path_octets[len(_PREFIX) :], validate=True)
        except binascii.Error:
            return _error(ResponseStatus.MALFORMED_REQUEST)
        return await self._answer(octets, cacheable=True)

    async def _answer(self, octets: bytes, *, cacheable: bool) -> Response:
        try:
            asked = parse_ocsp_request(octets)
        except (DerError, ValueError, IndexError):
            return _error(ResponseStatus.MALFORMED_REQUEST)
        if self._under_way >= UNDER_WAY_MAXIMUM:
            return _error(ResponseStatus.TRY_LATER)
        self._under_way += 1
        try:
            answer = await self._service.answer(asked)
        except Problem as problem:
            return _error(STATUS[problem.code])
        finally:
            self._under_way -= 1
        if answer is None:
            return _error(ResponseStatus.UNAUTHORIZED)
        return _success(asked, answer, cacheable=cacheable)


def _success(asked: OcspRequest, answer: OcspAnswer, *, cacheable: bool) -> Response:
    headers = {"cache-control": "no-store"}
    if cacheable and asked.nonce is None:
        headers = {
            # RFC 9919 section 6.2.
            "cache-control": f"max-age={CACHE_SECONDS}, public, no-transform, must-revalidate",
            "last-modified": _http_date(answer.this_update),
            "expires": _http_date(answer.next_update),
            "etag": f'"{hashlib.sha256(answer.der).hexdigest()}"',
        }
    return Response(200, answer.der, _MEDIA_TYPE, headers)


def _error(status: ResponseStatus) -> Response:
    return Response(200, encode_ocsp_error(status), _MEDIA_TYPE, {"cache-control": "no-store"})


def _http_date(instant: datetime) -> str:
    return format_datetime(instant, usegmt=True)
