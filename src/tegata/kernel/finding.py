"""What a rule reports: a dotted, stable code, a severity, and the clause it cites."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How a finding counts: an error refuses, a warning is recorded."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a rule found wrong."""

    code: str
    severity: Severity
    cites: str
    message: str
