"""An operation of the REST API, and what happens around every one of them.

Authenticate, require the action, decode, act, answer; a refusal of somebody known is recorded
in that tenant's record, one of nobody known is counted.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import msgspec

from tegata.identity.services import IdentityServices
from tegata.issuance.authorities import AuthorityService
from tegata.issuance.take_over import TakeOverService
from tegata.issuance.take_over_work import TakeOverWork
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.wording import choose_language
from tegata.protocols.http import Request, Response
from tegata.protocols.rest.problems import problem_response
from tegata.registration.bulk import BulkService
from tegata.registration.notices import NoticeService
from tegata.registration.profiles import ProfileService
from tegata.registration.renewal import RenewalService
from tegata.registration.screening import RefusedKeyService
from tegata.registration.server_keys import ServerKeyService
from tegata.registration.service import EnrolmentService
from tegata.revocation.service import RevocationService
from tegata.tenancy.model import Action, Principal
from tegata.tenancy.service import TenantService
from tegata.tenancy.tokens import TokenService
from tegata.timestamping.authorities import TimestampAuthorityService
from tegata.timestamping.service import TimestampService
from tegata.transparency.service import LogService

_LOG = logging.getLogger(__name__)
BODY_MAXIMUM = 128 * 1024

Body = TypeVar("Body")


@dataclass(frozen=True, slots=True)
class Services:
    """The use cases that the REST API offers."""

    tokens: TokenService
    tenants: TenantService
    enrolment: EnrolmentService
    renewal: RenewalService
    server_keys: ServerKeyService
    bulk: BulkService
    authorities: AuthorityService
    take_overs: TakeOverService
    take_over_work: TakeOverWork
    profiles: ProfileService
    revocation: RevocationService
    refused_keys: RefusedKeyService
    notices: NoticeService
    timestamping: TimestampAuthorityService
    stamps: TimestampService
    identity: IdentityServices
    log: LogService
    base_url: str


# A body as it comes: at most so many octets of it.
Parts = Callable[[int], AsyncIterator[bytes]]


async def no_parts(_maximum: int) -> AsyncIterator[bytes]:
    """The parts of no body."""
    nothing: tuple[bytes, ...] = ()
    for part in nothing:
        yield part


@dataclass(frozen=True, slots=True)
class Call(Generic[Body]):
    """A call by somebody known, its body and query decoded."""

    services: Services
    principal: Principal
    body: Body
    path: Mapping[str, str]
    query: Mapping[str, str]
    idempotency_key: str | None
    digest: bytes
    accept: str = ""
    accept_language: str = ""
    content_type: str = ""
    parts: Parts = no_parts


@dataclass(frozen=True, slots=True)
class Download:
    """An answer that is a file, not JSON; with `parts`, one that is made as it is sent."""

    octets: bytes
    media_type: str
    name: str
    parts: AsyncIterator[bytes] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What an operation answers."""

    body: msgspec.Struct | None
    location: str | None = None
    download: Download | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter; `schema` is its JSON Schema."""

    name: str
    description: str
    schema: Mapping[str, str | int] = field(default_factory=lambda: {"type": "string"})


def id_schema(prefix: str) -> Mapping[str, str | int]:
    """The JSON Schema of an id (`kernel.ids`), such as ``crt_`` and 26 characters."""
    return {"type": "string", "pattern": f"^{prefix}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$"}


@dataclass(frozen=True, slots=True)
class Operation(Generic[Body]):
    """One route: what it takes, gives and needs. `event` is the action its refusals stand under
    in the audit record; `media_types` what it may answer with beside JSON."""

    method: str
    path: str
    name: str
    summary: str
    action: Action
    event: str
    body: type[Body]
    answer: type[msgspec.Struct] | None
    status: int
    act: Callable[[Call[Body]], Awaitable[Answer]]
    query: tuple[Parameter, ...] = ()
    idempotent: bool = False
    media_types: tuple[str, ...] = ()
    # What it takes part by part, beside JSON.
    streams: tuple[str, ...] = ()
    # A member of its body that no digest covers.
    secret: bytes = b""

    @property
    def takes_body(self) -> bool:
        """Whether a body belongs to it."""
        return self.body is not NoBody


class NoBody(msgspec.Struct):
    """An operation without a body."""


class Endpoint(Generic[Body]):
    """What answers the requests for an operation."""

    def __init__(self, operation: Operation[Body], services: Services) -> None:
        self._operation = operation
        self._services = services
        self._decoder = msgspec.json.Decoder(operation.body)
        self._encoder = msgspec.json.Encoder()
        self._query = frozenset(parameter.name for parameter in operation.query)

    async def __call__(self, request: Request) -> Response:
        """Answer a request."""
        principal: Principal | None = None
        digest = bytes(32)
        try:
            # The caller is known before anything of the request is looked at.
            principal = await self._authenticate(request)
            body = b""
            if not self._operation.streams:
                body = await request.body.read(BODY_MAXIMUM)
            secret = self._operation.secret
            shown = without_secret(body, secret) if secret and secret in body else body
            digest = request_digest(request, shown)
            principal.require(self._operation.action)
            answer = await self._operation.act(self._call(request, principal, body, digest))
        except Problem as problem:
            refused = await self._refuse(request, principal, problem, digest)
            language = choose_language(request.header(b"accept-language"))
            return problem_response(refused, language, self._services.base_url)
        return self._respond(answer)

    async def _authenticate(self, request: Request) -> Principal:
        scheme, _, token = request.header(b"authorization").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Problem(ProblemCode.AUTHENTICATION_REQUIRED, "send a bearer token")
        return await self._services.tokens.authenticate(token.strip())

    def _call(
        self, request: Request, principal: Principal, octets: bytes, digest: bytes
    ) -> Call[Body]:
        given = request.query_params if request.query_string else {}
        unknown = [name for name in given if name not in self._query]
        if unknown:
            raise Problem(
                ProblemCode.REQUEST_UNKNOWN_FIELD, "unknown query parameter: " + ", ".join(unknown)
            )
        if any("\0" in text for text in (*request.path_params.values(), *given.values())):
            raise Problem(ProblemCode.REQUEST_MALFORMED, "a NUL character in the address")
        return Call(
            services=self._services,
            principal=principal,
            body=self._decode(request, octets),
            path=request.path_params,
            query=given,
            idempotency_key=request.find_header(b"idempotency-key"),
            digest=digest,
            accept=request.header(b"accept"),
            accept_language=request.header(b"accept-language"),
            content_type=request.header(b"content-type"),
            parts=request.body.parts,
        )

    def _decode(self, request: Request, octets: bytes) -> Body:
        if not self._operation.takes_body:
            if octets:
                raise Problem(ProblemCode.REQUEST_MALFORMED, "no body belongs here")
            return self._decoder.decode(b"{}")
        media_type = request.header(b"content-type").split(";")[0].strip().lower()
        if media_type != "application/json":
            raise Problem(ProblemCode.REQUEST_MEDIA_TYPE, "send application/json")
        try:
            return self._decoder.decode(octets)
        except msgspec.ValidationError as error:
            unknown = "unknown field" in str(error)
            code = ProblemCode.REQUEST_UNKNOWN_FIELD if unknown else ProblemCode.REQUEST_MALFORMED
            raise Problem(code, str(error)) from error
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise Problem(ProblemCode.REQUEST_MALFORMED, "the body is not JSON") from error

    async def _refuse(
        self, request: Request, principal: Principal | None, problem: Problem, digest: bytes
    ) -> Problem:
        if principal is None:
            # Noise of nobody known is counted by the listener's own log, not recorded.
            _LOG.info("refused %s: %s", self._operation.name, problem.code)
            return problem
        subject = ",".join(f"{name}:{value}" for name, value in request.path_params.items())
        try:
            await self._services.tenants.record_refusal(
                principal.scope, self._operation.event, subject, problem, digest
            )
        except Problem as unrecorded:
            _LOG.error("a refusal could not be recorded: %s", unrecorded.code)
        return problem

    def _respond(self, answer: Answer) -> Response:
        headers = {"cache-control": "no-store"}
        if self._operation.media_types:
            headers["vary"] = "accept"
        if answer.download is not None:
            name = answer.download.name
            headers["content-disposition"] = f'attachment; filename="{name}"'
            file = answer.download
            return Response(
                self._operation.status, file.octets, file.media_type, headers, file.parts
            )
        if answer.location is not None:
            headers["location"] = self._services.base_url + answer.location
        if answer.body is None:
            return Response(self._operation.status, headers=headers)
        octets = self._encoder.encode(answer.body)
        return Response(self._operation.status, octets, "application/json", headers)


def request_digest(request: Request, body: bytes) -> bytes:
    """SHA-256 over method, target and body: what was asked, for the audit record."""
    target = request.path
    if request.query_string:
        target += "?" + request.query_string.decode("latin-1")
    return hashlib.sha256(f"{request.method} {target}\n".encode() + body).digest()


def without_secret(body: bytes, secret: bytes) -> bytes:
    """A JSON body whose digest tells nothing of a secret in it: a password could be guessed from
    its digest, and what stands beside it in the record."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return b""
    return msgspec.json.encode(_blank(found, secret.decode()), order="deterministic")


def _blank(value: object, secret: str) -> object:
    if isinstance(value, dict):
        return {
            name: "" if name == secret else _blank(member, secret) for name, member in value.items()
        }
    return [_blank(each, secret) for each in value] if isinstance(value, list) else value
