"""Time-stamps of the log's checkpoints: since when it has said what it says."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tegata.kernel.problem import Problem
from tegata.protocols.http import TEXT, Request, Response, Route
from tegata.protocols.tlog.problems import STATUS
from tegata.timestamping.anchoring import AnchorService
from tegata.timestamping.model import Anchor

# A new one comes every hour; what is there stays as it is.
_INDEX_CACHE = "public, max-age=60"
_CACHE = "public, max-age=31536000, immutable"
_SHOWN = 100
_NUMBER = re.compile("0|[1-9][0-9]{0,17}")
_LARGEST = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class AnchorDoor:
    """What anybody may read of the anchors."""

    service: AnchorService

    def routes(self) -> Sequence[Route]:
        """The routes of this part of the protocol."""
        return (
            Route("GET", "/log/anchor/index.json", self.index),
            Route("GET", "/log/anchor/{size}/checkpoint", self.checkpoint),
            Route("GET", "/log/anchor/{size}/{number}.tsr", self.token),
        )

    async def index(self, request: Request) -> Response:
        """The newest anchors; `below` goes on from where another answer ended."""
        below = _number(request.query_params.get("below", str(_LARGEST)))
        try:
            found = await self.service.list(below or 0, _SHOWN)
        except Problem as problem:
            return _error(problem)
        items = [_item(each) for each in found]
        # Those of one checkpoint stay together: a page that is full ends before its last one.
        following = None
        if len(found) == _SHOWN and found[0].size != found[-1].size:
            last = found[-1].size
            items = [each for each in items if each["size"] != last]
            following = last + 1
        octets = json.dumps({"items": items, "next_below": following}).encode()
        return Response(200, octets, "application/json", {"cache-control": _INDEX_CACHE})

    async def checkpoint(self, request: Request) -> Response:
        """The checkpoint that was stamped, with its signatures; the stamps are of its body."""
        size = _number(request.path_params["size"])
        try:
            octets = await self.service.checkpoint(size) if size is not None else None
        except Problem as problem:
            return _error(problem)
        if octets is None:
            return Response(404, b"not found\n", TEXT)
        return Response(200, octets, TEXT, {"cache-control": _CACHE})

    async def token(self, request: Request) -> Response:
        """One time-stamp: the whole TimeStampResp, in DER."""
        size, number = (_number(request.path_params[each]) for each in ("size", "number"))
        try:
            found = (
                await self.service.find(size, number)
                if size is not None and number is not None
                else None
            )
        except Problem as problem:
            return _error(problem)
        if found is None:
            return Response(404, b"not found\n", TEXT)
        return Response(
            200, found.response, "application/timestamp-reply", {"cache-control": _CACHE}
        )


def _item(anchor: Anchor) -> dict[str, str | int]:
    return {
        "size": anchor.size,
        "number": anchor.number,
        "source": anchor.source,
        "gen_time": anchor.gen_time.isoformat().replace("+00:00", "Z"),
        "token": f"/log/anchor/{anchor.size}/{anchor.number}.tsr",
        "checkpoint": f"/log/anchor/{anchor.size}/checkpoint",
    }


def _number(text: str) -> int | None:
    if not _NUMBER.fullmatch(text) and text != str(_LARGEST):
        return None
    return int(text)


def _error(problem: Problem) -> Response:
    return Response(STATUS[problem.code], f"{problem.code}\n".encode(), TEXT)
