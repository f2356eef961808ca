"""The pinned trust, read from the gateway's configuration when it is first needed."""

from __future__ import annotations

import asyncio

from tegata.identity.jlis import CONTRACT_VERSION
from tegata.identity.ports import JLisGateway
from tegata.identity.rules.trust import Trust, TrustRefused, pin


class PinnedTrust:
    """What a gateway's roots come to. A sandbox makes its keys when they are first asked for, so
    nothing is read before."""

    def __init__(self, gateway: JLisGateway, *, simulated: bool) -> None:
        self._gateway = gateway
        self._simulated = simulated
        self._trust: Trust | None = None
        self._turn = asyncio.Lock()

    async def get(self) -> Trust:
        """The trust; `TrustRefused` for roots that this platform must not trust, or a gateway of
        another contract."""
        if self._trust is None:
            async with self._turn:
                if self._trust is None:
                    self._trust = await asyncio.to_thread(self._read)
        return self._trust

    def _read(self) -> Trust:
        if self._gateway.contract_version != CONTRACT_VERSION:
            raise TrustRefused(f"the gateway is of contract {self._gateway.contract_version}")
        return pin(self._gateway.roots(), simulated=self._simulated)
