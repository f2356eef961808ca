"""Keys in a token that no record names: told to the operator, never destroyed by the platform.

An opening of a CA that crashed between making its key and recording it leaves one. So does a
database that was restored to an earlier day, whose keys sign certificates that exist; and another
platform may share the token. Only a person can tell these apart (ADR 10).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from tegata.kernel.ids import KeyId, key_id_milliseconds
from tegata.kernel.problem import Problem
from tegata.kernel.scope import PLATFORM_TENANT, platform_acts
from tegata.main.composition import Platform

_LOG = logging.getLogger(__name__)
# A key may be recorded this long after it was made, on this node or another.
IN_FLIGHT = timedelta(hours=1)


def orphans(held: Sequence[KeyId], recorded: Collection[KeyId], now: datetime) -> list[KeyId]:
    """The held keys that nobody recorded and nobody is about to."""
    before = int((now - IN_FLIGHT).timestamp() * 1000)
    return [key for key in held if key not in recorded and key_id_milliseconds(key) < before]


async def report_orphans(platform: Platform) -> None:
    """Log each key of the token that no record names. A token that fails stops nothing."""
    try:
        # Before the records: a key that is made meanwhile is recorded when these are read.
        held = await platform.signer.list_keys()
        if not held:
            return
        recorded: set[KeyId] = set()
        for tenant in await platform.store.list_tenants(platform_acts(PLATFORM_TENANT, "keys")):
            recorded.update(await platform.store.signing_key_ids(platform_acts(tenant.id, "keys")))
    except Problem as problem:
        _LOG.warning("the token's keys could not be compared with the records: %s", problem)
        return
    for key in orphans(held, recorded, platform.clock.now()):
        _LOG.warning("the token holds a key that no record names: %s (docs/how-to/hsm.md)", key)
