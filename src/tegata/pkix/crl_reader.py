"""A CRL read back from its octets, entry by entry: a list of a million makes no million objects.

The frame (issuer, times, extensions) is the library's to decode. Entries are walked over where
they stand: a run of entries of the shapes that we write is checked by one pattern, any other one
by one through the library.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated

from tegata.pkix import oids
from tegata.pkix.crl import REASON_BY_NUMBER, RevocationReason
from tegata.pkix.der import (
    SEQUENCE,
    TLV,
    DerError,
    Explicit,
    Extension,
    GeneralizedTime,
    UTCTime,
    decode,
    encode_enumerated,
    encode_sequence,
    read_time,
    sequence,
    whole,
)
from tegata.pkix.extensions import encode_extension, parse_issuing_distribution_point

# Serials of 19 octets with UTCTime and no extension, a reasonCode, an invalidityDate, or both:
# what this platform writes. Each alternative's lengths are exact, so what matches is DER.
_SERIAL_AND_TIME = (
    rb"\x02\x13[\x01-\x7f].{18}\x17\x0d[0-9]{2}"
    rb"(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z"
)
_REASON = rb"\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01[\x01-\x06\x08-\x0a]"
_INVALIDITY = rb"\x30\x18\x06\x03\x55\x1d\x18\x04\x11\x18\x0f[0-9]{14}Z"
_OURS = re.compile(
    rb"(?:\x30(?:"
    rb"\x32" + _SERIAL_AND_TIME + rb"\x30\x0c" + _REASON + rb"|"
    rb"\x24" + _SERIAL_AND_TIME + rb"|"
    rb"\x4c" + _SERIAL_AND_TIME + rb"\x30\x26" + _REASON + _INVALIDITY + rb"|"
    rb"\x40" + _SERIAL_AND_TIME + rb"\x30\x1a" + _INVALIDITY + rb")){1,4096}",
    re.DOTALL,
)
_HOLD = encode_extension(
    oids.CRL_REASON, encode_enumerated(RevocationReason.CERTIFICATE_HOLD.number)
)


@dataclass(frozen=True, slots=True)
class CrlEntry:
    """An entry of revokedCertificates."""

    serial: int
    revoked_at: datetime
    reason: RevocationReason
    invalid_since: datetime | None


@dataclass(frozen=True, slots=True)
class TbsCertList:
    """A TBSCertList read back from its octets; its entries stay where they are.

    `point`, `base` and `freshest` are as in `pkix.crl.CrlScope`.
    """

    issuer: bytes
    signature: bytes
    this_update: datetime
    next_update: datetime
    number: int
    point: str | None
    base: int | None
    freshest: bytes | None
    octets: bytes = field(repr=False)
    _first: int
    _end: int

    def entries(self) -> Iterator[CrlEntry]:
        """Every entry; `DerError` at the first that is not one."""
        place = self._first
        while place < self._end:
            start, content, end = header(self.octets, place, self._end)
            del content
            yield read_entry(self.octets[start:end])
            place = end

    def require_entries(self) -> None:
        """`DerError` when something listed is not an entry."""
        octets, place = self.octets, self._first
        while place < self._end:
            run = _OURS.match(octets, place, self._end)
            if run is not None:
                place = run.end()
                continue
            start, _content, end = header(octets, place, self._end)
            read_entry(octets[start:end])
            place = end

    def serials_and_holds(self) -> tuple[frozenset[int], frozenset[int]]:
        """The serials listed, and those of them that are on hold; entries are not read again."""
        octets, place = self.octets, self._first
        serials, held = [], []
        while place < self._end:
            _start, content, end = header(octets, place, self._end)
            _start, number, after = header(octets, content, end)
            serial = int.from_bytes(octets[number:after], "big")
            serials.append(serial)
            if octets.find(_HOLD, after, end) >= 0:
                held.append(serial)
            place = end
        return frozenset(serials), frozenset(held)

    @property
    def serials(self) -> tuple[int, ...]:
        """The serials listed, in order."""
        return tuple(entry.serial for entry in self.entries())


@sequence
class _Entry:
    serial: int
    revoked_at: UTCTime | GeneralizedTime
    extensions: list[Extension] | None


@sequence
class _Frame:
    version: int
    signature: TLV
    issuer: TLV
    this_update: UTCTime | GeneralizedTime
    next_update: UTCTime | GeneralizedTime
    extensions: Annotated[list[Extension], Explicit(0)]


def parse_tbs_cert_list(octets: bytes) -> TbsCertList:
    """Read a version 2 TBSCertList that has a CRL number; `DerError` for anything else."""
    first, end, frame = _without_entries(octets)
    tbs = decode(_Frame, frame)
    extensions = {each.extension_id.dotted_string: each for each in tbs.extensions}
    if tbs.version != 1 or oids.CRL_NUMBER not in extensions:
        raise DerError("not a version 2 CRL with a number")
    if len(extensions) != len(tbs.extensions):
        raise DerError("an extension stands twice")
    unknown = {name for name, each in extensions.items() if each.critical} - {
        oids.ISSUING_DISTRIBUTION_POINT,
        oids.DELTA_CRL_INDICATOR,
    }
    if unknown:
        raise DerError("an unknown critical extension")
    point = extensions.get(oids.ISSUING_DISTRIBUTION_POINT)
    base = extensions.get(oids.DELTA_CRL_INDICATOR)
    freshest = extensions.get(oids.FRESHEST_CRL)
    read = TbsCertList(
        issuer=whole(tbs.issuer),
        signature=whole(tbs.signature),
        this_update=read_time(tbs.this_update),
        next_update=read_time(tbs.next_update),
        number=decode(int, extensions[oids.CRL_NUMBER].value),
        point=parse_issuing_distribution_point(point.value) if point is not None else None,
        base=decode(int, base.value) if base is not None else None,
        freshest=freshest.value if freshest is not None else None,
        octets=octets,
        _first=first,
        _end=end,
    )
    read.require_entries()
    return read


def _without_entries(octets: bytes) -> tuple[int, int, bytes]:
    """Where the entries begin and end, and the TBSCertList as it would stand without them."""
    _start, place, end = header(octets, 0, len(octets))
    if octets[:1] != b"\x30" or end != len(octets):
        raise DerError("not one SEQUENCE")
    begin = place
    for _field in range(5):  # version, signature, issuer, thisUpdate, nextUpdate
        place = header(octets, place, end)[2]
    if octets[place : place + 1] != b"\x30":
        return place, place, octets
    _start, first, last = header(octets, place, end)
    if first == last:  # RFC 5280 section 5.1.2.6: an empty list MUST be absent.
        raise DerError("an empty list of revoked certificates")
    return first, last, encode_sequence(octets[begin:place], octets[last:end])


def header(octets: bytes, place: int, limit: int) -> tuple[int, int, int]:
    """Where an element starts, its content, and its end; `DerError` past `limit`."""
    if place + 2 > limit:
        raise DerError("an element is cut off")
    size, content = octets[place + 1], place + 2
    if size >= 0x80:
        count = size & 0x7F
        size = int.from_bytes(octets[content : content + count], "big")
        if not 1 <= count <= 4 or size < 0x80 or size >> 8 * (count - 1) == 0:
            raise DerError("not the shortest length")
        content += count
    if content + size > limit:
        raise DerError("an element is cut off")
    return place, content, content + size


def read_entry(octets: bytes) -> CrlEntry:
    if octets[0] != SEQUENCE:
        raise DerError("an entry is a SEQUENCE")
    entry = decode(_Entry, octets)
    extensions = {each.extension_id.dotted_string: each for each in entry.extensions or ()}
    if len(extensions) != len(entry.extensions or ()) or entry.extensions == []:
        raise DerError("an extension stands twice, or an empty list of them")
    if any(each.critical for each in extensions.values()):
        raise DerError("an unknown critical extension of an entry")
    reason, since = extensions.get(oids.CRL_REASON), extensions.get(oids.INVALIDITY_DATE)
    return CrlEntry(
        entry.serial,
        read_time(entry.revoked_at),
        _REASONS[reason.value] if reason is not None else RevocationReason.UNSPECIFIED,
        _since(since.value) if since is not None else None,
    )


class _Reasons(dict[bytes, RevocationReason]):
    def __missing__(self, value: bytes) -> RevocationReason:
        raise DerError("not a reason")


_REASONS = _Reasons({encode_enumerated(n): each for n, each in REASON_BY_NUMBER.items()})


def _since(value: bytes) -> datetime:
    return decode(GeneralizedTime, value).as_datetime().astimezone(UTC)
