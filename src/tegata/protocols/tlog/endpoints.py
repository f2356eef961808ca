"""Checkpoint, tiles and entry bundles (C2SP tlog-tiles)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tegata.kernel.problem import Problem
from tegata.protocols.http import TEXT, Request, Response, Route
from tegata.protocols.tlog.problems import STATUS
from tegata.transparency.service import LogService
from tegata.transparency.tiles import parse_tile_path

# A new one is published every second, at most.
_CHECKPOINT_CACHE = "public, max-age=1"
_TILE_CACHE = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class TlogDoor:
    """What anybody may read of the log."""

    service: LogService

    def routes(self) -> Sequence[Route]:
        """The routes of this protocol."""
        return (
            Route("GET", "/log/checkpoint", self.checkpoint),
            Route("GET", "/log/tile/{tile:path}", self.tile),
        )

    async def checkpoint(self, _request: Request) -> Response:
        """The newest checkpoint, with its signatures."""
        published = self.service.published
        if published is None:
            return Response(404, b"not found\n", TEXT)
        return Response(200, published.octets, TEXT, {"cache-control": _CHECKPOINT_CACHE})

    async def tile(self, request: Request) -> Response:
        """A tile or an entry bundle, whole or partial."""
        parsed = parse_tile_path(request.path_params["tile"])
        try:
            octets = await self.service.tile(*parsed) if parsed is not None else None
        except Problem as problem:
            return Response(STATUS[problem.code], f"{problem.code}\n".encode(), TEXT)
        if octets is None:
            # One that the tree has not reached may be there in a moment.
            return Response(404, b"not found\n", TEXT, {"cache-control": "no-store"})
        headers = {"cache-control": _TILE_CACHE}
        return Response(200, octets, "application/octet-stream", headers)
