"""A complete CRL with its entries found by serial number: a list of a million in twelve megabytes.

Two arrays beside the list's own octets: serials in order, and where each entry stands. An entry
is read when somebody asks for it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from tegata.pkix import oids
from tegata.pkix.crl_reader import CrlEntry, header, read_entry
from tegata.pkix.der import (
    GENERALIZED_TIME,
    INTEGER,
    SEQUENCE,
    UTC_TIME,
    CertificateExtension,
    DerError,
    split,
    split_extensions,
    split_integer,
    split_time,
    wrap,
)

_KNOWN_CRITICAL = frozenset({oids.ISSUING_DISTRIBUTION_POINT})
# An entry that would not fit the array is looked at where it stands.
_SERIAL_BITS = 63
# What an entry starts with when its serial number has one to four octets and its length is short.
_SHORT = 0x80


@dataclass(frozen=True, slots=True)
class IndexedCrl:
    """A version 2 CRL, indexed. `issuer` is a Name, `signature` an AlgorithmIdentifier (DER)."""

    issuer: bytes
    signature: bytes
    this_update: datetime
    next_update: datetime
    extensions: dict[str, CertificateExtension]
    count: int
    octets: bytes = field(repr=False)
    _serials: array[int] = field(repr=False)
    _places: array[int] = field(repr=False)
    _others: dict[int, int] = field(repr=False)

    def find(self, serial: int) -> CrlEntry | None:
        """The entry of a serial number, or None; `DerError` when it cannot be read."""
        place = self._others.get(serial)
        if place is None and 0 <= serial >> _SERIAL_BITS < 1:
            position = bisect_left(self._serials, serial)
            if position < len(self._serials) and self._serials[position] == serial:
                place = self._places[position]
        if place is None:
            return None
        _start, _content, end = header(self.octets, place, len(self.octets))
        return read_entry(self.octets[place:end])


def index_crl(tbs: bytes) -> IndexedCrl:
    """Index a TBSCertList; `DerError` unless it is version 2 with both times and no critical
    extension but issuingDistributionPoint (a delta is none)."""
    _start, place, limit = header(tbs, 0, len(tbs))
    if tbs[:1] != b"\x30" or limit != len(tbs):
        raise DerError("not one SEQUENCE")
    fields = []
    for _field in range(5):
        if place >= limit:
            raise DerError("not a TBSCertList")
        _start, content, end = header(tbs, place, limit)
        fields.append((tbs[place], tbs[content:end]))
        place = end
    if fields[0] != (INTEGER, b"\x01") or [tag for tag, _ in fields[1:3]] != [SEQUENCE, SEQUENCE]:
        raise DerError("not a version 2 CRL")
    if any(tag not in (UTC_TIME, GENERALIZED_TIME) for tag, _content in fields[3:]):
        raise DerError("a list has thisUpdate and nextUpdate")
    first = last = place
    if place < limit and tbs[place] == SEQUENCE:
        _start, first, last = header(tbs, place, limit)
        place = last
    rest = split(tbs[place:limit])
    if len(rest) != 1 or rest[0][0] != 0xA0:
        raise DerError("a version 2 CRL has extensions")
    listed = split(rest[0][1])
    extensions = dict(split_extensions(listed[0][1]))
    unknown = {name for name, each in extensions.items() if each.critical} - _KNOWN_CRITICAL
    if len(listed) != 1 or unknown:
        raise DerError("an unknown critical extension, or a delta")
    serials, places, others = _index(tbs, first, last)
    return IndexedCrl(
        issuer=wrap(*fields[2]),
        signature=wrap(*fields[1]),
        this_update=split_time(*fields[3]),
        next_update=split_time(*fields[4]),
        extensions=extensions,
        count=len(serials) + len(others),
        octets=tbs,
        _serials=serials,
        _places=places,
        _others=others,
    )


def _index(tbs: bytes, place: int, last: int) -> tuple[array[int], array[int], dict[int, int]]:
    others: dict[int, int] = {}
    found: list[int] = []
    for serial, at in _entries(tbs, place, last):
        if 0 <= serial >> _SERIAL_BITS < 1:
            found.append(serial << 32 | at)
        else:
            others[serial] = at
    # One sort of numbers that carry their places; a list is usually in order already.
    found.sort()
    serials = array("q", [each >> 32 for each in found])
    places = array("L", [each & 0xFFFFFFFF for each in found])
    if any(first == second for first, second in pairwise(serials)):
        raise DerError("a serial number is listed twice")
    return serials, places, others


def _entries(tbs: bytes, place: int, last: int) -> Iterator[tuple[int, int]]:
    from_bytes = int.from_bytes
    while place < last:
        size = tbs[place + 1] if place + 4 <= last else _SHORT
        if size < _SHORT and tbs[place] == SEQUENCE and tbs[place + 2] == INTEGER:
            # The usual entry: short lengths, walked over without a call.
            end, count = place + 2 + size, tbs[place + 3]
            if end <= last and 0 < count < size - 1:
                yield from_bytes(tbs[place + 4 : place + 4 + count], "big", signed=True), place
                place = end
                continue
        _start, content, end = header(tbs, place, last)
        fields = split(tbs[content:end])
        if tbs[place] != SEQUENCE or not fields or fields[0][0] != INTEGER:
            raise DerError("not an entry")
        yield split_integer(fields[0][1]), place
        place = end
