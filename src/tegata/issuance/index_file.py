"""The index of OpenSSL's `ca` command (`index.txt`), line by line.

Six fields with a tab between them: state (V, R or E), end of validity, revocation with its reason,
serial number in hexadecimal, file name, subject (OpenSSL, `apps/ca.c` and `crypto/txt_db`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from tegata.kernel.problem import Problem, ProblemCode
from tegata.pkix.crl import REASON_BY_NAME, RevocationReason

# A subject may be long; no line of a real index is.
LINE_MAXIMUM = 16_384
_SERIAL = re.compile("[0-9A-Fa-f]{1,40}")
# Reasons that have an argument: the instruction of a hold, the instant of a compromise.
_HOLD_INSTRUCTION = "holdinstruction"
_COMPROMISED_AT = {
    "keytime": RevocationReason.KEY_COMPROMISE,
    "cakeytime": RevocationReason.CA_COMPROMISE,
}
_REASONS = {name.lower(): reason for name, reason in REASON_BY_NAME.items()}


@dataclass(frozen=True, slots=True)
class TakenRevocation:
    """That a certificate was revoked before its CA was taken over."""

    revoked_at: datetime
    reason: RevocationReason
    invalid_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """A line: what the CA issued, until when it is valid, and whether it was revoked."""

    serial: int
    not_after: datetime
    subject: str
    revoked: TakenRevocation | None


class IndexReader:
    """Reads an index as it comes; `Problem(take-over.refused)` names the line that is wrong."""

    def __init__(self) -> None:
        self._rest = b""
        self._line = 0

    def feed(self, octets: bytes) -> Iterator[IndexEntry]:
        """The entries of the lines that are whole now."""
        *lines, self._rest = (self._rest + octets).split(b"\n")
        if len(self._rest) > LINE_MAXIMUM:
            raise self._refused("a line is too long: not an index")
        for line in lines:
            yield from self._read(line)

    def close(self) -> Iterator[IndexEntry]:
        """The entry of a last line without an end."""
        rest, self._rest = self._rest, b""
        yield from self._read(rest)

    def _read(self, line: bytes) -> Iterator[IndexEntry]:
        self._line += 1
        if not line.strip():
            return
        fields = line.rstrip(b"\r").decode("utf-8", "backslashreplace").split("\t")
        if len(fields) != 6 or fields[0] not in ("V", "R", "E"):
            raise self._refused(
                "an entry has six fields with tabs between them, and begins V, R or E"
            )
        state, ends, revoked, serial, _file, subject = fields
        if not _SERIAL.fullmatch(serial):
            raise self._refused("a serial number has up to 20 octets in hexadecimal")
        if (state == "R") != bool(revoked):
            raise self._refused(
                "an entry has a time of revocation if it begins with R, and only then"
            )
        yield IndexEntry(
            int(serial, 16),
            self._time(ends),
            subject.replace("\0", ""),
            self._revocation(revoked) if revoked else None,
        )

    def _revocation(self, text: str) -> TakenRevocation | None:
        at, _, rest = text.partition(",")
        name, _, argument = rest.partition(",")
        revoked_at = self._time(at)
        match name.lower():
            case "":
                return TakenRevocation(revoked_at, RevocationReason.UNSPECIFIED)
            case given if given == _HOLD_INSTRUCTION:
                return TakenRevocation(revoked_at, RevocationReason.CERTIFICATE_HOLD)
            case given if given in _COMPROMISED_AT:
                return TakenRevocation(revoked_at, _COMPROMISED_AT[given], self._time(argument))
            case given if given in _REASONS:
                reason = _REASONS[given]
                if reason is RevocationReason.REMOVE_FROM_CRL:
                    return None  # a hold that was taken back
                return TakenRevocation(revoked_at, reason)
        raise self._refused(f"no such reason: {name[:40]}")

    def _time(self, text: str) -> datetime:
        """UTCTime or GeneralizedTime; a year of two digits is one from 1950 to 2049."""
        try:
            if len(text) == 13:
                year = int(text[:2])
                text = f"{2000 + year if year < 50 else 1900 + year}{text[2:]}"
            return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
        except ValueError as error:
            raise self._refused("a time is YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ") from error

    def _refused(self, detail: str) -> Problem:
        return Problem(ProblemCode.TAKE_OVER_REFUSED, f"line {self._line or 1}: {detail}")
