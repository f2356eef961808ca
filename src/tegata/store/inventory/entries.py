"""The entries of the data inventory: classes, and how long things are kept on which ground."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tegata.kernel.signing import DataKeyKind


class DataClass(StrEnum):
    """Whose data it is (ISO/IEC 27017 clause 8.1.1 asks to tell the first two apart)."""

    CUSTOMER = "customer"
    DERIVED = "derived"
    PROVIDER = "provider"
    PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of the inventory."""

    data_class: DataClass
    owner: str
    retention: str
    residency: str
    key_scope: str = "-"


CA_RECORDS = "7 years after the certificate expires (CP/CPS)"
TENANT_LIFE = "life of the tenant"
UNTIL_SENT = "until it is sent, 5 days at most"
BULK = "30 days after the last row was done"
ROWS = "until the row is done, or the file cancelled; 2 hours when its upload broke off"
EVIDENCE = "life of the platform"
SESSION = "life of the tenant (with the session's verdict)"
CONFIRMATION = "7 years after the end of the contract; longer under a legal hold"
TAKEN = "until the take-over is complete, or cancelled"
SITE = "CA service sites"


def customer(retention: str, key_scope: str = "-") -> Entry:
    """A tenant's own data."""
    return Entry(DataClass.CUSTOMER, "tenant", retention, SITE, key_scope)


def derived(retention: str, key_scope: str = "-") -> Entry:
    """What was made from a tenant's data."""
    return Entry(DataClass.DERIVED, "tenant", retention, SITE, key_scope)


def provider(retention: str, key_scope: str = "-") -> Entry:
    """The operator's own data."""
    return Entry(DataClass.PROVIDER, "operator", retention, SITE, key_scope)


def public(retention: str) -> Entry:
    """What anybody may have."""
    return Entry(DataClass.PUBLIC, "operator", retention, "anywhere")


def each_of(entry: Entry, *columns: str) -> dict[str, Entry]:
    """The same entry for several columns."""
    return dict.fromkeys(columns, entry)


SEALED_RECORDS = f"tenant data key ({DataKeyKind.CA_RECORDS})"
SEALED_ERASABLE = f"tenant data key ({DataKeyKind.ERASABLE})"
SEALED_CONFIRMATION = f"tenant data key ({DataKeyKind.CONFIRMATION})"
SEALED_DISCLOSURES = f"tenant data key ({DataKeyKind.DISCLOSURE})"
