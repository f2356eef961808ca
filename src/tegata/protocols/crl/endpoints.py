"""CRLs and CA certificates over HTTP (RFC 2585 section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import format_datetime

from tegata.kernel.ids import IssuerId
from tegata.kernel.problem import Problem
from tegata.protocols.crl.problems import STATUS
from tegata.protocols.http import TEXT, Request, Response, Route
from tegata.revocation.service import CrlService

# A new list follows a revocation within seconds, so a cache keeps one only this long.
_CRL_CACHE = "public, max-age=60, must-revalidate"
_CA_CACHE = "public, max-age=3600"


@dataclass(frozen=True, slots=True)
class CrlDoor:
    """Downloads that certificates point to."""

    service: CrlService

    def routes(self) -> Sequence[Route]:
        """The routes of this protocol."""
        return (
            Route("GET", "/crl/{issuer}.crl", self.crl),
            Route("GET", "/ca/{issuer}.cer", self.ca_certificate),
        )

    async def crl(self, request: Request) -> Response:
        """The newest complete CRL of an issuer, in DER."""
        try:
            crl = await self.service.latest(IssuerId(request.path_params["issuer"]))
        except Problem as problem:
            return _error(problem)
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
