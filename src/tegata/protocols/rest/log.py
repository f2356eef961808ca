"""REST operations on the Merkle log: proofs of one's own events, keys, single files."""

from __future__ import annotations

import re
from importlib import resources

import msgspec

from tegata.kernel.problem import Problem, ProblemCode
from tegata.protocols.http import TEXT, Request, Response, Route
from tegata.protocols.rest.operation import Answer, Call, Download, NoBody, Operation
from tegata.tenancy.model import Action
from tegata.transparency.note import SignatureType
from tegata.transparency.service import LogService

_SEQUENCE = re.compile("[1-9][0-9]{0,17}")
# What a customer runs on its own machine.
_FILES = ("verify.py", "witness.py")


class LogKeys(msgspec.Struct):
    """How the log's checkpoints are verified: its name, and its keys as C2SP writes them."""

    origin: str
    vkey: str
    vkey_mldsa: str | None


async def event_proof(call: Call[NoBody]) -> Answer:
    """The proof that one of the tenant's own events is in the log."""
    sequence = call.path["sequence"]
    if not _SEQUENCE.fullmatch(sequence):
        raise Problem(ProblemCode.EVENT_UNKNOWN)
    proof = await call.services.log.proof(call.principal.scope, int(sequence))
    name = f"event-{sequence}.tlog-proof"
    return Answer(None, download=Download(proof.encode().encode(), TEXT, name))


def log_keys(service: LogService) -> LogKeys:
    """The log's keys as they are told to others."""
    keys = {key.type: key.text() for key in service.log.verifiers}
    return LogKeys(
        service.log.origin,
        keys[SignatureType.ED25519],
        keys.get(SignatureType.COSIGNATURE_ML_DSA_44),
    )


def public_routes(service: LogService) -> list[Route]:
    """What is told to anybody, but over TLS only: who trusts it has no signature to check."""
    keys = msgspec.json.encode(log_keys(service))

    async def tell_keys(_request: Request) -> Response:
        return Response(200, keys, "application/json", {"cache-control": "no-store"})

    return [
        Route("GET", "/v1/log/vkey", tell_keys),
        *(_file_route(name) for name in _FILES if _file(name) is not None),
    ]


def _file(name: str) -> bytes | None:
    file = resources.files("tegata").joinpath("standalone", name)
    return file.read_bytes() if file.is_file() else None


def _file_route(name: str) -> Route:
    octets = _file(name) or b""

    async def give(_request: Request) -> Response:
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return Response(200, octets, "text/x-python; charset=utf-8", headers)

    return Route("GET", f"/v1/log/{name}", give)


OPERATIONS = (
    Operation(
        "GET", "/v1/events/{sequence}/proof", "getEventProof",
        "Prove that an event is in the log", Action.EVENTS_READ, "audit:event:prove", NoBody,
        None, 200, event_proof, media_types=("text/plain",),
    ),
)  # fmt: skip
