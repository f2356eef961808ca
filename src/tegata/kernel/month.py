"""Expiry months: what partitions certificates and stands in every serial number."""

from __future__ import annotations

from datetime import UTC, datetime

# RFC 5280 section 4.1.2.5: 99991231235959Z means "no well-defined expiration date". All dates
# past this number share the last month, which fits a signed 16-bit integer.
LAST_MONTH = 32_767
_FIRST_YEAR = 2000


def expiry_month(not_after: datetime) -> int:
    """Months from January 2000 to `not_after` (UTC), at most `LAST_MONTH`."""
    return min((not_after.year - _FIRST_YEAR) * 12 + not_after.month - 1, LAST_MONTH)


def month_start(month: int) -> datetime:
    """The first instant of an expiry month, in UTC."""
    return datetime(_FIRST_YEAR + month // 12, month % 12 + 1, 1, tzinfo=UTC)
