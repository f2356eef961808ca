"""Where a certificate's status comes from: J-LIS by OCSP, or a list kept and indexed here."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tegata.identity.jlis import GatewayCause, GatewayError, LegalPurpose, StatusMethod
from tegata.identity.ports import JLisGateway
from tegata.identity.reasons import Reason
from tegata.identity.rules.status import (
    NONCE_OCTETS,
    StatusFinding,
    TrustedList,
    encode_status_request,
    judge_list,
    judge_ocsp,
    open_list,
)
from tegata.identity.rules.trust import Authority
from tegata.kernel.ports import Clock, Randomness

# A list is made daily; one that is asked for is fetched again after this long.
_FETCH_AGAIN = timedelta(hours=1)
# Lists kept. A municipality has one for each authority's key and kind of certificate.
_LISTS = 4096
# Indexing a list above this many octets is done beside the loop.
_LARGE = 1 << 18


@dataclass(slots=True)
class _Kept:
    found: TrustedList | Reason
    fetched_at: datetime


@dataclass(frozen=True, slots=True)
class StatusSource:
    """Asks for statuses. It fails closed: without a trustworthy answer there is a reason."""

    gateway: JLisGateway
    clock: Clock
    randomness: Randomness
    _lists: OrderedDict[tuple[bytes, bytes], _Kept] = field(default_factory=OrderedDict)

    async def look_up(
        self,
        method: StatusMethod,
        authority: Authority,
        serial: int,
        point: bytes,
        purpose: LegalPurpose,
    ) -> StatusFinding:
        """The status of one certificate."""
        if method is StatusMethod.OCSP:
            return await self._ask(authority, serial, purpose)
        found = await self.get_list(authority, point, purpose)
        if isinstance(found, Reason):
            return StatusFinding(found, "crl")
        return judge_list(found, serial, self.clock.now())

    async def _ask(self, authority: Authority, serial: int, purpose: LegalPurpose) -> StatusFinding:
        nonce = self.randomness.octets(NONCE_OCTETS)
        request = encode_status_request(authority, serial, nonce)
        try:
            answer = await self.gateway.ask_ocsp(request, purpose)
        except GatewayError as error:
            later = error.cause is GatewayCause.TRY_LATER
            reason = Reason.STATUS_TRY_LATER if later else Reason.STATUS_UNAVAILABLE
            return StatusFinding(reason, "ocsp")
        return judge_ocsp(answer, authority, serial, nonce, self.clock.now())

    async def get_list(
        self, authority: Authority, point: bytes, purpose: LegalPurpose
    ) -> TrustedList | Reason:
        """The list of a distribution point, fetched when it is due; or why there is none."""
        key = authority.key_identifier, point
        now = self.clock.now()
        kept = self._lists.get(key)
        if kept is not None and _serves(kept, now):
            return kept.found
        try:
            octets = await self.gateway.fetch_crl(*key, purpose)
        except GatewayError as error:
            if kept is not None and isinstance(kept.found, TrustedList):
                # The one that is here says itself how long it holds.
                return kept.found
            missing = error.cause is GatewayCause.NOT_FOUND
            return Reason.STATUS_NO_LIST if missing else Reason.STATUS_UNAVAILABLE
        if len(octets) > _LARGE:
            found = await asyncio.to_thread(open_list, octets, authority, point)
        else:
            found = open_list(octets, authority, point)
        if isinstance(found, TrustedList):
            self._lists[key] = _Kept(found, now)
            if len(self._lists) > _LISTS:
                self._lists.popitem(last=False)
        return found


def _serves(kept: _Kept, now: datetime) -> bool:
    if isinstance(kept.found, Reason):
        return False
    return now < kept.fetched_at + _FETCH_AGAIN and now < kept.found.index.next_update
