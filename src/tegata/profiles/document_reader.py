"""Tables of a document, read strictly: every field is known, of its type, and within bounds.

What is wrong is gathered, not raised, so that one look at the answer mends the whole document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta

from tegata.kernel.finding import Finding
from tegata.profiles.document_errors import finding
from tegata.profiles.vocabulary import is_oid

ENTRIES_MAXIMUM = 100
_DURATION = re.compile(r"([1-9][0-9]{0,5})([dh])")


class Reader:
    """One table of a document. `place` names it; `findings` are the whole document's."""

    def __init__(
        self, values: Mapping[str, object], place: str, findings: list[Finding], *known: str
    ) -> None:
        self._values = values
        self._findings = findings
        self._place = place
        for name in values:
            if name not in known:
                self.wrong("document.unknown-field", name, known=", ".join(known))

    def at(self, field: str) -> str:
        """The place of a field."""
        return f"{self._place}.{field}" if self._place else field

    def wrong(self, code: str, field: str, **values: str) -> None:
        """Note what is wrong with a field."""
        self._findings.append(finding(code, self.at(field), **values))

    def has(self, field: str) -> bool:
        """Whether the table has the field."""
        return field in self._values

    def flag(self, field: str, default: bool) -> bool:
        """true or false."""
        value = self._values.get(field, default)
        if isinstance(value, bool):
            return value
        self.wrong("document.type", field, expected="true / false")
        return default

    def number(self, field: str, default: int | None, low: int, high: int) -> int | None:
        """A number within bounds; `default` when the field is not there."""
        value = self._values.get(field)
        if value is None:
            return default
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.wrong("document.number", field, low=str(low), high=str(high))
        return default

    def text(self, field: str, default: str = "", maximum: int = 500) -> str:
        """Printable text, in one line."""
        value = self._values.get(field)
        if value is None:
            return default
        if not isinstance(value, str):
            self.wrong("document.type", field, expected='"..."')
            return default
        if not 0 < len(value) <= maximum or not value.isprintable():
            self.wrong("document.text", field)
            return default
        return value

    def duration(self, field: str) -> timedelta | None:
        """A duration such as 90d or 12h; None when it is not there, or none."""
        text = self.text(field)
        match = _DURATION.fullmatch(text)
        if match is not None:
            amount = int(match[1])
            return timedelta(days=amount) if match[2] == "d" else timedelta(hours=amount)
        if text:
            self.wrong("document.duration", field)
        return None

    def choice(self, field: str, default: str, allowed: Sequence[str]) -> str:
        """One of a few words."""
        value = self.text(field, default)
        if value in allowed:
            return value
        self.wrong("document.value", field, value=value, allowed=", ".join(allowed))
        return default

    def texts(self, field: str) -> tuple[str, ...]:
        """A list of texts, none of them twice."""
        value = self._values.get(field, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            self.wrong("document.type", field, expected='["...", "..."]')
            return ()
        if len(value) > ENTRIES_MAXIMUM:
            self.wrong("document.too-many", field, maximum=str(ENTRIES_MAXIMUM))
            return ()
        for each in value:
            if value.count(each) > 1:
                self.wrong("document.repeated", field, value=each)
                break
        return tuple(dict.fromkeys(str(each) for each in value))

    def choices(self, field: str, allowed: Sequence[str]) -> tuple[str, ...]:
        """A list of a few words."""
        found = []
        for each in self.texts(field):
            if each in allowed:
                found.append(each)
            else:
                self.wrong("document.value", field, value=each, allowed=", ".join(allowed))
        return tuple(found)

    def oid(self, field: str) -> str:
        """An object identifier in dotted form; empty when it is not there, or none."""
        value = self.text(field)
        if not value and not self.has(field):
            self.wrong("document.missing-field", field, example=f'{field} = "1.3.6.1.4.1.99999.1"')
        elif not is_oid(value):
            self.wrong("document.oid", field, value=value)
            return ""
        return value

    def table(self, field: str, *known: str) -> Reader:
        """A table; an empty one when it is not there."""
        value = self._values.get(field, {})
        if not isinstance(value, dict):
            self.wrong("document.type", field, expected=f"[{self.at(field)}]")
            value = {}
        return Reader(value, self.at(field), self._findings, *known)

    def tables(self, field: str, *known: str) -> list[Reader]:
        """An array of tables."""
        value = self._values.get(field, [])
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            self.wrong("document.type", field, expected=f"[[{self.at(field)}]]")
            return []
        if len(value) > ENTRIES_MAXIMUM:
            self.wrong("document.too-many", field, maximum=str(ENTRIES_MAXIMUM))
            return []
        return [
            Reader(each, f"{self.at(field)}[{place}]", self._findings, *known)
            for place, each in enumerate(value, 1)
        ]
