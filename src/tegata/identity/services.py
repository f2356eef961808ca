"""The use cases of identity verification, together."""

from __future__ import annotations

from dataclasses import dataclass

from tegata.identity.attributes import AttributeService
from tegata.identity.consents import ConsentService
from tegata.identity.current import CurrentStatusService
from tegata.identity.purposes import PurposeService
from tegata.identity.records import RecordService
from tegata.identity.service import IdentityService
from tegata.identity.watch import WatchService


@dataclass(frozen=True, slots=True)
class IdentityServices:
    """What a door offers of identity verification."""

    sessions: IdentityService
    purposes: PurposeService
    records: RecordService
    attributes: AttributeService
    current: CurrentStatusService
    consents: ConsentService
    watches: WatchService
