"""The use cases of identity verification, together."""

from __future__ import annotations

from dataclasses import dataclass

from tegata.identity.attributes import AttributeService
from tegata.identity.current import CurrentStatusService
from tegata.identity.purposes import PurposeService
from tegata.identity.records import RecordService
from tegata.identity.service import IdentityService


@dataclass(frozen=True, slots=True)
class IdentityServices:
    """What a door offers of identity verification."""

    sessions: IdentityService
    purposes: PurposeService
    records: RecordService
    attributes: AttributeService
    current: CurrentStatusService
