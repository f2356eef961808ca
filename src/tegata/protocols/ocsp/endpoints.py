"""OCSP over HTTP: GET and POST (RFC 6960 appendix A.1, RFC 9919 section 5)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from urllib.parse import quote_from_bytes, unquote_to_bytes

from tegata.kernel.ports import Clock
from tegata.kernel.problem import Problem, ProblemCode
from tegata.pkix.der import DerError
from tegata.pkix.ocsp import (
    OcspRequest,
    ResponseStatus,
    encode_ocsp_error,
    encode_ocsp_request,
    parse_ocsp_request,
)
from tegata.protocols.http import Prepared, Request, Response, Route
from tegata.protocols.ocsp.problems import STATUS
from tegata.revocation.presigned import Presigned, PresignedAnswers
from tegata.revocation.service import OcspAnswer, OcspService

# RFC 9919 section 5: GET is for requests of up to 255 octets; POST takes several CertIDs.
REQUEST_MAXIMUM = 8 * 1024
# How long a cache may keep an answer. At the origin a revocation shows at once.
CACHE_SECONDS = 300
# Answers that are signed at once, and of them those with a nonce, which only one client can use:
# beyond the first the client is told to try later, beyond the second it gets one without.
UNDER_WAY_MAXIMUM = 1024
LIVE_MAXIMUM = 128
# An answer is given no more when so little of its life is left.
_LAST_MINUTE = timedelta(minutes=1)
_PATHS = (b"/ocsp", b"/ocsp/")
_PREFIX = b"/ocsp/"
_MEDIA_TYPE = "application/ocsp-response"
_NO_STORE = {"cache-control": "no-store"}


@dataclass(frozen=True, slots=True)
class OcspForms:
    """A signed answer as GET and as POST get it. Only GET's may be kept by caches on its way."""

    get: Prepared
    post: Prepared
    etag: str


class OcspDoor:
    """The OCSP responder's HTTP side."""

    def __init__(
        self, service: OcspService, memory: PresignedAnswers[OcspForms], clock: Clock
    ) -> None:
        self._service = service
        self._memory = memory
        self._clock = clock
        self._under_way = 0
        self._live = 0
        self._signing: dict[bytes, asyncio.Future[OcspForms | None]] = {}

    def routes(self) -> Sequence[Route]:
        """The routes of this protocol."""
        return (
            Route("POST", "/ocsp", self.post),
            Route("POST", "/ocsp/", self.post),
            Route("GET", "/ocsp/", self.get),
            Route("GET", "/ocsp/{request:path}", self.get),
        )

    def prepared(self, request: Request) -> Prepared | None:
        """A fresh answer from memory."""
        is_post = request.method == "POST" and request.raw_path in _PATHS
        if is_post:
            question = request.body.arrived()
        elif request.method == "GET" and b"if-none-match" not in request.headers:
            question = request.raw_path
        else:
            return None
        found = self._memory.find(question) if question is not None else None
        if found is None or self._clock.now() >= found.fresh_until:
            return None
        return found.form.post if is_post else found.form.get

    async def post(self, request: Request) -> Response | Prepared:
        """A request in the body."""
        try:
            octets = await request.body.read(REQUEST_MAXIMUM)
            return (await self._answer(octets)).post
        except _Refusal as refused:
            return _error(refused.status)
        except Problem as problem:
            return _error(STATUS[problem.code])

    async def get(self, request: Request) -> Response | Prepared:
        """A request in the path: base64, percent-encoded (some clients leave out the latter)."""
        octets = _in_path(request)
        try:
            if octets is None or len(octets) > REQUEST_MAXIMUM:
                raise _Refusal(ResponseStatus.MALFORMED_REQUEST)  # noqa: TRY301
            forms = await self._answer(octets)
        except _Refusal as refused:
            return _error(refused.status)
        except Problem as problem:
            return _error(STATUS[problem.code])
        if request.header(b"if-none-match") == forms.etag:
            return Response(304, headers={"etag": forms.etag})
        return forms.get

    async def _answer(self, octets: bytes) -> OcspForms:
        try:
            asked = parse_ocsp_request(octets)
        except (DerError, ValueError, IndexError) as error:
            raise _Refusal(ResponseStatus.MALFORMED_REQUEST) from error
        if asked.nonce is None:
            return await self._presigned(octets, asked)
        if self._live >= LIVE_MAXIMUM:
            # RFC 9654 section 2.1 lets a responder leave the nonce out.
            plain = replace(asked, nonce=None)
            return await self._presigned(encode_ocsp_request(asked.cert_ids), plain)
        self._live += 1
        try:
            return _forms(await self._sign(asked), cacheable=False)
        finally:
            self._live -= 1

    async def _presigned(self, octets: bytes, asked: OcspRequest) -> OcspForms:
        """An answer from memory, or a new one that goes there."""
        found = self._memory.find(octets)
        now = self._clock.now()
        if found is not None and now < found.fresh_until:
            return found.form
        under_way = self._signing.get(octets)
        if under_way is not None:
            signed = await asyncio.shield(under_way)
            if signed is not None:
                return signed
        try:
            return await self._sign_and_keep(octets, asked)
        except Problem:
            # An answer of the past holds until its nextUpdate.
            if found is not None and now < found.valid_until:
                return found.form
            raise

    async def _sign_and_keep(self, octets: bytes, asked: OcspRequest) -> OcspForms:
        future = asyncio.get_running_loop().create_future()
        self._signing[octets] = future
        forms: OcspForms | None = None
        try:
            ticket = self._memory.ticket()
            answer = await self._sign(asked)
            forms = _forms(answer, cacheable=True)
            if answer.known:
                self._memory.keep(_questions(octets), _keepable(answer, forms), ticket)
        finally:
            del self._signing[octets]
            future.set_result(forms)
        return forms

    async def _sign(self, asked: OcspRequest) -> OcspAnswer:
        if self._under_way >= UNDER_WAY_MAXIMUM:
            raise Problem(ProblemCode.OVERLOADED, "too many answers are being signed")
        self._under_way += 1
        try:
            answer = await self._service.answer(asked)
        finally:
            self._under_way -= 1
        if answer is None:
            raise _Refusal(ResponseStatus.UNAUTHORIZED)
        return answer


class _Refusal(Exception):
    """An answer that is a status and nothing else."""

    def __init__(self, status: ResponseStatus) -> None:
        super().__init__()
        self.status = status


def _in_path(request: Request) -> bytes | None:
    path = request.raw_path
    if not path.startswith(_PREFIX):
        return None
    try:
        return base64.b64decode(unquote_to_bytes(path[len(_PREFIX) :]), validate=True)
    except binascii.Error:
        return None


def _questions(octets: bytes) -> tuple[bytes, ...]:
    """The ways in which clients ask the same: in a body, and in a path with its base64 as it is
    or percent-encoded. Other spellings are understood too, but not remembered."""
    text = base64.b64encode(octets)
    return octets, _PREFIX + text, _PREFIX + quote_from_bytes(text, safe="").encode()


def _forms(answer: OcspAnswer, *, cacheable: bool) -> OcspForms:
    etag = f'"{hashlib.sha256(answer.der).hexdigest()}"'
    headers = _NO_STORE
    if cacheable:
        headers = {
            # RFC 9919 section 6.2.
            "cache-control": f"max-age={CACHE_SECONDS}, public, no-transform, must-revalidate",
            "last-modified": _http_date(answer.this_update),
            "expires": _http_date(answer.next_update),
            "etag": etag,
        }
    return OcspForms(
        get=Prepared.of(answer.der, _MEDIA_TYPE, headers),
        post=Prepared.of(answer.der, _MEDIA_TYPE, _NO_STORE),
        etag=etag,
    )


def _keepable(answer: OcspAnswer, forms: OcspForms) -> Presigned[OcspForms]:
    return Presigned(
        form=forms,
        subjects=tuple((answer.issuer, serial) for serial in answer.serials),
        fresh_until=answer.this_update + (answer.next_update - answer.this_update) / 2,
        valid_until=answer.next_update - _LAST_MINUTE,
        size=(forms.get.size + forms.post.size) // len(_questions(b"")),
    )


def _error(status: ResponseStatus) -> Response:
    return Response(200, encode_ocsp_error(status), _MEDIA_TYPE, dict(_NO_STORE))


def _http_date(instant: datetime) -> str:
    return format_datetime(instant, usegmt=True)
