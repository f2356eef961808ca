"""Anchors: the log's newest checkpoint, time-stamped by the platform's own authority and by others.

An authority that lies, is slow or refuses is named in the operator's record; so is one whose clock
is far from ours, for one of the two is wrong.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import TimestampAuthorityId
from tegata.kernel.ports import Randomness
from tegata.kernel.problem import Problem
from tegata.kernel.scope import PLATFORM_TENANT, platform_acts
from tegata.pkix import oids
from tegata.pkix.tsp import (
    TimeStampRequest,
    TstInfo,
    encode_time_stamp_request,
    message_imprint,
)
from tegata.pkix.tsp_verify import TokenInvalid, verify_response
from tegata.timestamping.clock import JudgedClock
from tegata.timestamping.model import Anchor, ClockReading, ExternalAuthority
from tegata.timestamping.ports import AnchorStore, AuthorityUnreachable, TimestampClient
from tegata.timestamping.service import TimestampService
from tegata.transparency.model import Published

_LOG = logging.getLogger(__name__)
ANCHOR_PERIOD = timedelta(hours=1)
# After a source failed.
ANCHOR_RETRY = timedelta(minutes=5)
# How far another's clock may be from ours beyond the accuracy that it states.
CLOCK_DIFFERENCE = timedelta(seconds=5)
_NONCE_OCTETS = 8

Newest = Callable[[], Published | None]
_Ask = Callable[[TimeStampRequest], Awaitable[tuple[datetime, bytes]]]


@dataclass(frozen=True, slots=True)
class OwnAuthority:
    """The platform's own authority, its address, and the root that its path leads to."""

    id: TimestampAuthorityId
    url: str
    root: bytes


class AnchorRefused(Exception):
    """A source gave no anchor; `code` is dotted and stable."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True)
class AnchorService:
    """Has checkpoints stamped, and shows the stamps."""

    store: AnchorStore
    stamps: TimestampService
    client: TimestampClient
    clock: JudgedClock
    randomness: Randomness
    newest: Newest
    own: OwnAuthority | None
    external: Sequence[ExternalAuthority]
    # What was last recorded of each source that failed: said once, not every five minutes.
    _said: dict[str, str] = field(default_factory=dict)

    async def anchor(self) -> bool:
        """Have the newest checkpoint stamped by every source that has not stamped it; whether all
        have."""
        published = self.newest()
        if published is None:
            return False
        size = published.checkpoint.size
        there = await self.store.anchors_of(size)
        done = {anchor.source for anchor in there}
        asked = []
        if self.own is not None and self.own.url not in done:
            asked.append(self._attempt(self.own.url, published, self._ask_own(self.own)))
        asked += [
            self._attempt(each.url, published, self._ask_other(each))
            for each in self.external
            if each.url not in done
        ]
        found = [each for each in await asyncio.gather(*asked) if each is not None]
        for number, (source, instant, response) in enumerate(found, start=len(there)):
            await self._keep(published, Anchor(size, number, source, instant, response))
        return len(found) == len(asked)

    async def list(self, below: int, limit: int) -> Sequence[Anchor]:
        """Anchors of checkpoints smaller than a size, the newest first."""
        return await self.store.list_anchors(below, limit)

    async def find(self, size: int, number: int) -> Anchor | None:
        """One anchor."""
        return next(
            (each for each in await self.store.anchors_of(size) if each.number == number), None
        )

    async def checkpoint(self, size: int) -> bytes | None:
        """The signed checkpoint that was anchored."""
        return await self.store.anchored_checkpoint(size)

    async def _attempt(
        self, source: str, published: Published, ask: _Ask
    ) -> tuple[str, datetime, bytes] | None:
        request = self._request(published)
        try:
            instant, response = await ask(request)
        except AnchorRefused as refused:
            await self._refuse(source, published, refused)
            return None
        self._said.pop(source, None)
        return source, instant, response

    def _request(self, published: Published) -> TimeStampRequest:
        digest = hashlib.sha256(published.note.text.encode()).digest()
        # Positive, and never 0 in front: as many octets for all.
        nonce = int.from_bytes(b"\x01" + self.randomness.octets(_NONCE_OCTETS), "big")
        return TimeStampRequest(
            1, message_imprint(oids.SHA256, digest), nonce=nonce, certificates=True
        )

    def _ask_own(self, own: OwnAuthority) -> _Ask:
        async def ask(request: TimeStampRequest) -> tuple[datetime, bytes]:
            octets = encode_time_stamp_request(request)
            try:
                stamp = await self.stamps.stamp(own.id, request, hashlib.sha256(octets).digest())
            except Problem as problem:
                raise AnchorRefused(problem.code, problem.detail) from problem
            return _verified(stamp.response, request, [own.root]).gen_time, stamp.response

        return ask

    def _ask_other(self, authority: ExternalAuthority) -> _Ask:
        async def ask(request: TimeStampRequest) -> tuple[datetime, bytes]:
            before = self.clock.read()
            try:
                response = await self.client.ask(authority.url, encode_time_stamp_request(request))
            except AuthorityUnreachable as error:
                raise AnchorRefused("tsa.unreachable", str(error)) from error
            after = self.clock.read()
            info = _verified(response, request, authority.anchors)
            _require_plausible(info.gen_time, info.accuracy, before, after)
            return info.gen_time, response

        return ask

    async def _keep(self, published: Published, anchor: Anchor) -> None:
        now = self.clock.read().instant
        scope = platform_acts(PLATFORM_TENANT, "anchor")
        async with self.store.open_unit(scope) as work:
            work.add_anchored_checkpoint(anchor.size, published.octets, now)
            work.add_anchor(anchor, now)
            work.audit(
                _event(
                    "keep", Decision.ALLOWED, published, "",
                    {"source": anchor.source, "gen_time": anchor.gen_time.isoformat()},
                )
            )  # fmt: skip
            await work.commit()

    async def _refuse(self, source: str, published: Published, refused: AnchorRefused) -> None:
        if self._said.get(source) == refused.code:
            return
        _LOG.warning("no anchor of %s: %s: %s", source, refused.code, refused)
        scope = platform_acts(PLATFORM_TENANT, "anchor")
        async with self.store.open_unit(scope, essential=True) as work:
            work.essential()
            private = {"source": source, "detail": str(refused)}
            work.audit(_event("refuse", Decision.REFUSED, published, refused.code, private))
            await work.commit()
        self._said[source] = refused.code


def _verified(response: bytes, request: TimeStampRequest, anchors: Sequence[bytes]) -> TstInfo:
    try:
        return verify_response(response, request, anchors).info
    except TokenInvalid as error:
        raise AnchorRefused(f"tsa.{error.fault}", str(error)) from error


def _require_plausible(
    instant: datetime, accuracy: timedelta | None, before: ClockReading, after: ClockReading
) -> None:
    """`AnchorRefused(tsa.clock-differs)` for a genTime that lies not between our question and its
    answer, whatever of the two clocks is wrong."""
    leeway = CLOCK_DIFFERENCE + min(accuracy or timedelta(), timedelta(minutes=1))
    if before.instant - leeway <= instant <= after.instant + leeway:
        return
    nearer = before.instant if instant < before.instant else after.instant
    apart = (instant - nearer).total_seconds()
    raise AnchorRefused("tsa.clock-differs", f"its clock is {apart:+.3f} s from ours")


def _event(
    act: str, decision: Decision, published: Published, code: str, private: dict[str, str]
) -> AuditEvent:
    return AuditEvent(
        actor=platform_acts(PLATFORM_TENANT, "anchor").actor,
        action=f"timestamping:anchor:{act}",
        decision=decision,
        subject=f"checkpoint:{published.checkpoint.size}",
        request_digest=hashlib.sha256(published.note.text.encode()).digest(),
        code=code,
        private=private,
    )
