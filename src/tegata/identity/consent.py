"""A consent as this platform knows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from tegata.identity.jlis import ConsentState
from tegata.identity.model import UserId

ConsentId = NewType("ConsentId", str)


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent. `purpose` is the declared one that it was given for, `reference` J-LIS's own name
    of it."""

    id: ConsentId
    user: UserId
    purpose: str
    reference: str
    state: ConsentState
    given_at: datetime
    expires_at: datetime
    withdrawn_at: datetime | None
