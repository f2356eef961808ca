"""A tenant's own record as its owner checks it: consecutive, chained, with the values committed to.

It reads what `GET /v1/events` gives (docs/reference/audit-events.md).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from tegata.kernel.event import NO_PREVIOUS, SALT_OCTETS, Decision, Disclosure, canonical_json
from tegata.transparency.examination import Tampered

Facts = dict[str, str | int | list[str]]


@dataclass(frozen=True, slots=True)
class ShownEvent:
    """An event as it is shown to its tenant. `index` is None until the log has it."""

    sequence: int
    canonical: bytes
    digest: str
    disclosures: tuple[str, ...]
    salt: bytes
    index: int | None


@dataclass(frozen=True, slots=True)
class ReadEvent:
    """An event that was checked: its members, and the private values that were shown."""

    facts: Facts
    private: dict[str, str]

    @property
    def refused(self) -> bool:
        """Whether it is the record of a refusal."""
        return self.facts["decision"] == Decision.REFUSED


@dataclass(slots=True)
class RecordCheck:
    """The chain so far. A check of a later part begins with where the part before ended."""

    sequence: int = 0
    digest: str = NO_PREVIOUS.hex()
    tenant: str | None = None

    def take(self, event: ShownEvent) -> ReadEvent:
        """Check the next event; `Tampered` when it is not the next, or not what it says."""
        facts, place = _facts(event), f"{event.sequence}"
        if facts["sequence"] != event.sequence:
            raise Tampered("event.altered", place)
        if event.sequence != self.sequence + 1:
            raise Tampered("events.gap", f"{self.sequence}, {event.sequence}")
        if self.tenant is not None and facts["tenant"] != self.tenant:
            raise Tampered("events.chain", place)
        if hashlib.sha256(event.canonical).hexdigest() != event.digest:
            raise Tampered("event.altered", place)
        if facts["previous"] != self.digest:
            raise Tampered("events.chain", place)
        private = _disclosed(event, facts)
        self.sequence, self.digest = event.sequence, event.digest
        self.tenant = str(facts["tenant"])
        return ReadEvent(facts, private)


_TEXTS = (
    "action",
    "actor",
    "code",
    "decision",
    "previous",
    "request",
    "subject",
    "tenant",
    "time",
)


def _facts(event: ShownEvent) -> Facts:
    malformed = Tampered("event.malformed", f"{event.sequence}")
    try:
        read: object = json.loads(event.canonical)
    except (ValueError, RecursionError) as error:
        raise malformed from error
    if not isinstance(read, dict):
        raise malformed
    facts: Facts = read
    try:
        canonical = canonical_json(facts) == event.canonical
        texts = [facts[name] for name in _TEXTS]
        number, commitments = facts["sequence"], facts["commitments"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise malformed from error
    if not canonical or not all(isinstance(each, str) for each in texts):
        raise malformed
    if not isinstance(number, int) or not isinstance(commitments, list):
        raise malformed
    return facts


def _disclosed(event: ShownEvent, facts: Facts) -> dict[str, str]:
    commitments = facts["commitments"]
    remaining: list[str] = list(commitments) if isinstance(commitments, list) else []
    found = {}
    for text in event.disclosures:
        opened = _open(text)
        if opened is None or Disclosure(text).commitment() not in remaining:
            raise Tampered("event.commitment", f"{event.sequence}")
        remaining.remove(Disclosure(text).commitment())
        found[opened[0]] = opened[1]
    return found


def _open(text: str) -> tuple[str, str] | None:
    """Name and value of a disclosure (RFC 9901); None for what is none."""
    try:
        octets = base64.b64decode(_padded(text), altchars=b"-_", validate=True)
        parts: Sequence[object] = json.loads(octets)
    except (ValueError, binascii.Error, RecursionError):
        return None
    if not isinstance(parts, list) or len(parts) != 3:
        return None
    _salt, name, value = parts
    if not isinstance(_salt, str) or not isinstance(name, str) or not isinstance(value, str):
        return None
    return name, value


def parse_salt(text: str) -> bytes:
    """The salt of an event's leaf; `Tampered` when it is none."""
    try:
        octets = base64.b64decode(_padded(text), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise Tampered("event.malformed", "salt") from error
    if len(octets) != SALT_OCTETS:
        raise Tampered("event.malformed", "salt")
    return octets


def _padded(text: str) -> bytes:
    return (text + "=" * (-len(text) % 4)).encode("ascii")
