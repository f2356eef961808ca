"""The stand-in's register: which certificates exist, what became of them, whose they are.

What the personas begin with is computed; what happens afterwards is kept in `register.json`, so
that every process with the same folder knows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from tegata.pkix.crl import REASON_BY_NAME, RevocationReason
from tegata.sandbox.keys import Cabinet, SandboxError
from tegata.sandbox.people import PEOPLE, Attributes, Kind, Person
from tegata.sandbox.profile import serial_of

_FILE = "register.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """A certificate in the register. `place` counts those of its kind, oldest first."""

    person: Person
    kind: Kind
    place: int
    serial: int
    generation: str
    revoked: tuple[datetime, RevocationReason] | None


class Register:
    """Every certificate of every persona."""

    def __init__(self, cabinet: Cabinet) -> None:
        self._cabinet = cabinet
        self._entries = {
            (kind, serial_of(person, kind, place)): (person, place)
            for person in PEOPLE.values()
            for kind in Kind
            for place in range(len(person.given(kind)))
        }

    def find(self, kind: Kind, serial: int) -> Entry | None:
        """A certificate by its serial number."""
        return self._entry(kind, serial, self._cabinet.read(_FILE))

    def revoked(self, kind: Kind, generation: str, city: str) -> Iterator[Entry]:
        """What a municipality's CRL of one generation lists."""
        happened = self._cabinet.read(_FILE)
        for each, serial in self._entries:
            entry = self._entry(each, serial, happened) if each is kind else None
            if (
                entry is not None
                and entry.revoked is not None
                and entry.generation == generation
                and entry.person.municipality.city == city
            ):
                yield entry

    def every(self, person: Person) -> tuple[Entry, ...]:
        """Every certificate that a person was given, oldest first."""
        happened = self._cabinet.read(_FILE)
        found = [
            self._entry(kind, serial, happened)
            for (kind, serial), (whose, _place) in self._entries.items()
            if whose is person
        ]
        return tuple(sorted((entry for entry in found if entry), key=lambda entry: entry.place))

    def current(self, person: Person, kind: Kind) -> int | None:
        """The serial of the newest certificate of a kind."""
        count = len(person.given(kind))
        return serial_of(person, kind, count - 1) if count else None

    def attributes(self, person: Person) -> Attributes | None:
        """The attributes as the resident record has them now; None after death."""
        changes = _object(self._cabinet.read(_FILE).get("attributes"))
        if person.name not in changes:
            return person.latest
        changed = _object(changes[person.name])
        return Attributes(
            str(changed["name"]),
            str(changed["address"]),
            date.fromisoformat(str(changed["birth"])),
            str(changed["sex"]),
        )

    def revoke(self, kind: Kind, serial: int, reason: RevocationReason, at: datetime) -> None:
        """Revoke a certificate from now on; `SandboxError` when there is none of that serial."""
        if (kind, serial) not in self._entries:
            raise SandboxError(f"no {kind} certificate has the serial {serial}")
        with self._cabinet.turn:
            happened = self._cabinet.read(_FILE)
            revocations = dict(_object(happened.get("revocations")))
            revocations[f"{kind}/{serial}"] = {"at": at.isoformat(), "reason": reason.text}
            self._cabinet.write(_FILE, {**happened, "revocations": revocations})

    def change(self, person: Person, attributes: Attributes) -> None:
        """Write other attributes into the resident record."""
        changed = {
            "name": attributes.name,
            "address": attributes.address,
            "birth": attributes.birth.isoformat(),
            "sex": attributes.sex,
        }
        with self._cabinet.turn:
            happened = self._cabinet.read(_FILE)
            changes = {**_object(happened.get("attributes")), person.name: changed}
            self._cabinet.write(_FILE, {**happened, "attributes": changes})

    def _entry(self, kind: Kind, serial: int, happened: Mapping[str, object]) -> Entry | None:
        found = self._entries.get((kind, serial))
        if found is None:
            return None
        person, place = found
        given = person.given(kind)[place]
        revoked = None
        if given.revoked is not None:
            days, reason = given.revoked
            revoked = self._cabinet.first_day() - timedelta(days=days), reason
        later = _object(happened.get("revocations")).get(f"{kind}/{serial}")
        if later is not None:
            said = _object(later)
            at = datetime.fromisoformat(str(said["at"]))
            revoked = at, REASON_BY_NAME[str(said["reason"])]
        return Entry(person, kind, place, serial, given.generation, revoked)


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
