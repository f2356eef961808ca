"""Many requests in one file, and what became of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from tegata.kernel.ids import CertificateId, IssuerId
from tegata.kernel.scope import TenantScope

BulkId = NewType("BulkId", str)

ROWS_MAXIMUM = 1_000_000
OCTETS_MAXIMUM = 4 * 1024**3
# What was answered for each row is kept this long after the last one; the rows themselves go as
# they are done.
RESULTS_KEPT = timedelta(days=30)
# A file whose upload broke off is dropped after this time.
UPLOAD_MAXIMUM = timedelta(hours=2)


class BulkAct(StrEnum):
    """What is done to every row of a file."""

    ISSUE = "issue"
    RENEW = "renew"
    REVOKE = "revoke"
    HOLD = "hold"
    RELEASE = "release"


class BulkState(StrEnum):
    """Where a file is."""

    RECEIVING = "receiving"
    RUNNING = "running"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class BulkOrder:
    """What is to be done with a file: the act, and what rows that say nothing else get.

    `visible` are the issuers that whoever sent it may use, None for all.
    """

    act: BulkAct
    issuer: IssuerId | None = None
    profile: str | None = None
    reason: str = "unspecified"
    visible: frozenset[IssuerId] | None = None


@dataclass(frozen=True, slots=True)
class Bulk:
    """A file under work. `scope` is whose it is, and who sent it."""

    id: BulkId
    scope: TenantScope
    order: BulkOrder
    state: BulkState
    rows: int
    succeeded: int
    refused: int
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class BulkRow:
    """A row: its number (the first after the header is 1) and its fields by column."""

    number: int
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BulkOutcome:
    """What became of a row. `code` and `detail` are a problem's; empty when it was done.

    `digest` tells whether two rows ask for the same; `reference` is the sender's own note.
    """

    row: int
    digest: bytes
    certificate: CertificateId | None
    code: str
    reference: str = ""
    detail: str = ""
