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
    """One thing a rule found wrong.

    One about a document that a person wrote says where: `place`. Its message is also a key of the
    catalogue, with what stands in its placeholders.
    """

    code: str
    severity: Severity
    cites: str
    message: str
    place: str = ""
    key: str = ""
    values: tuple[tuple[str, str], ...] = ()
