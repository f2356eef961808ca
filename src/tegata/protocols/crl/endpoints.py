"""CRLs and CA certificates over HTTP (RFC 2585 section 3)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import format_datetime

from tegata.issuance.shards import COMPLETE
from tegata.kernel.ids import IssuerId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.protocols.crl.problems import STATUS
from tegata.protocols.http import TEXT, Request, Response, Route
from tegata.revocation.lists import CrlService
from tegata.revocation.model import CrlKind

# A new list follows a revocation within seconds, so a cache keeps one only this long.
_CRL_CACHE = "public, max-age=60, must-revalidate"
# One way to write it, and no more than the database's column holds.
_SHARD = re.compile("0|[1-9][0-9]{0,8}")
_CA_CACHE = "public, max-age=3600"


@dataclass(frozen=True, slots=True)
class CrlDoor:
    """Downloads that certificates point to."""

    service: CrlService

    def routes(self) -> Sequence[Route]:
        """The routes of this protocol."""
        return (
            Route("GET", "/crl/{issuer}.json", self.index),
            Route("GET", "/crl/{issuer}-delta.crl", self.delta),
            Route("GET", "/crl/{issuer}.crl", self.crl),
            Route("GET", "/crl/{issuer}/{shard}-delta.crl", self.delta),
            Route("GET", "/crl/{issuer}/{shard}.crl", self.crl),
            Route("GET", "/ca/{issuer}.cer", self.ca_certificate),
        )

    async def crl(self, request: Request) -> Response:
        """The newest CRL of an issuer, or of one of its shards, in DER."""
        return await self._latest(request, CrlKind.FULL)

    async def delta(self, request: Request) -> Response:
        """What changed since an earlier CRL of the same scope, in DER."""
        return await self._latest(request, CrlKind.DELTA)

    async def index(self, request: Request) -> Response:
        """The numbers of an issuer's shards: who wants all lists need not guess."""
        try:
            shards = await self.service.shards(IssuerId(request.path_params["issuer"]))
        except Problem as problem:
            return _error(problem)
        octets = json.dumps({"shards": list(shards)}).encode()
        return Response(200, octets, "application/json", {"cache-control": _CRL_CACHE})

    async def _latest(self, request: Request, kind: CrlKind) -> Response:
        issuer = IssuerId(request.path_params["issuer"])
        shard = request.path_params.get("shard", str(COMPLETE))
        if not _SHARD.fullmatch(shard):
            return _error(Problem(ProblemCode.ISSUER_UNKNOWN))
        try:
            crl = await self.service.latest(issuer, int(shard), kind)
        except Problem as problem:
            return _error(problem)
        if request.header(b"if-none-match") == f'"{crl.number}"':
            return Response(304, headers={"etag": f'"{crl.number}"'})
        headers = {
            "cache-control": _CRL_CACHE,
            "last-modified": format_datetime(crl.this_update, usegmt=True),
            "etag": f'"{crl.number}"',
        }
        return Response(200, crl.der, "application/pkix-crl", headers)

    async def ca_certificate(self, request: Request) -> Response:
        """The certificate of an issuer, in DER."""
        try:
            der = await self.service.ca_certificate(IssuerId(request.path_params["issuer"]))
        except Problem as problem:
            return _error(problem)
        return Response(200, der, "application/pkix-cert", {"cache-control": _CA_CACHE})


def _error(problem: Problem) -> Response:
    return Response(STATUS[problem.code], f"{problem.code}\n".encode(), TEXT)
