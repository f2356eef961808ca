"""The checker of published CRLs: an outsider that fetches them over HTTP and remembers little."""

from __future__ import annotations

import hashlib
import json
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path

import msgspec

from tegata.kernel.finding import Finding, Severity
from tegata.kernel.ports import Clock
from tegata.pkix.certificate import parse_certificate, parse_tbs_certificate
from tegata.pkix.crl_reader import parse_tbs_cert_list
from tegata.pkix.der import DerError
from tegata.pkix.signatures import SignatureInvalid, verify_parts
from tegata.revocation.watch import SeenList, finding_on_pair, findings_on, remembered

_TIMEOUT = 60.0
_SERIAL_OCTETS = 20
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class _State(msgspec.Struct, array_like=True):
    """What is remembered of the list at one address. Serials are 20 octets each, sorted."""

    number: int
    digest: bytes
    this_update: float
    next_update: float
    point: str | None
    base: int | None
    serials: bytes
    held: bytes


@dataclass(frozen=True, slots=True)
class Alarm:
    """A finding, and the address that it is about."""

    url: str
    finding: Finding


class CrlChecker:
    """Looks once at all lists of issuers. `folder` holds what it remembers between looks."""

    def __init__(self, public_url: str, folder: Path, clock: Clock) -> None:
        self._public_url = public_url.rstrip("/")
        self._folder = folder
        self._clock = clock
        self._alarms: list[Alarm] = []
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def check(self, issuers: Sequence[str]) -> Sequence[Alarm]:
        """Everything wrong with the lists of these issuers."""
        self._alarms = []
        for issuer in issuers:
            base = f"{self._public_url}/crl/{issuer}"
            key = self._issuer_key(f"{self._public_url}/ca/{issuer}.cer")
            if key is None:
                continue
            for address in (base, *(f"{base}/{shard}" for shard in self._shards(base))):
                self._check_scope(address, *key)
        return self._alarms

    def _issuer_key(self, url: str) -> tuple[bytes, bytes] | None:
        """An issuer's name and public key: as first seen, whatever is published later."""
        file = self._file(url)
        octets = file.read_bytes() if file.exists() else self._fetch(url)
        if octets is None:
            return None
        try:
            tbs = parse_tbs_certificate(parse_certificate(octets).tbs)
        except DerError as error:
            self._alarm(url, "crl.issuer-malformed", "RFC 5280 section 4.1", str(error))
            return None
        self._keep(file, octets)
        return tbs.subject, tbs.public_key

    def _shards(self, base: str) -> Sequence[int]:
        """Every shard that is listed now or was ever before."""
        file = self._file(f"{base}.json")
        known: set[int] = set(json.loads(file.read_bytes())) if file.exists() else set()
        octets = self._fetch(f"{base}.json")
        if octets is not None:
            try:
                known |= {int(shard) for shard in json.loads(octets)["shards"]}
            except (ValueError, KeyError, TypeError) as error:
                self._alarm(f"{base}.json", "crl.malformed", "the index of shards", str(error))
            self._keep(file, json.dumps(sorted(known)).encode())
        return sorted(known)

    def _check_scope(self, address: str, subject: bytes, public_key: bytes) -> None:
        full = self._check_list(f"{address}.crl", subject, public_key)
        delta = self._check_list(f"{address}-delta.crl", subject, public_key)
        if full is not None and delta is not None:
            # A delta may be newer than its full list was when that was fetched, never older.
            finding = finding_on_pair(full, delta)
            if finding is not None:
                newer = self._check_list(f"{address}.crl", subject, public_key)
                finding = finding_on_pair(newer, delta) if newer is not None else finding
            if finding is not None:
                self._alarms.append(Alarm(f"{address}-delta.crl", finding))

    def _check_list(self, url: str, subject: bytes, public_key: bytes) -> SeenList | None:
        octets = self._fetch(url)
        if octets is None:
            return None
        try:
            seen = _read(octets, subject, public_key)
        except DerError as error:
            self._alarm(url, "crl.malformed", "RFC 5280 section 5.1", str(error))
            return None
        except SignatureInvalid:
            self._alarm(url, "crl.signature-invalid", "RFC 5280 section 6.3.3", "not the issuer's")
            return None
        file = self._file(url)
        before = _restore(file.read_bytes()) if file.exists() else None
        for finding in findings_on(seen, before, self._clock.now()):
            self._alarms.append(Alarm(url, finding))
        self._keep(file, _dump(remembered(seen, before)))
        return seen

    def _fetch(self, url: str) -> bytes | None:
        try:
            with _OPENER.open(url, timeout=_TIMEOUT) as answer:
                octets: bytes = answer.read()
                return octets
        except (OSError, HTTPException) as error:
            # Refused, cut short, or not HTTP at all.
            self._alarm(url, "crl.unreachable", "RFC 5280 section 8", str(error))
            return None

    def _alarm(self, url: str, code: str, cites: str, message: str) -> None:
        self._alarms.append(Alarm(url, Finding(code, Severity.ERROR, cites, message)))

    def _file(self, url: str) -> Path:
        return self._folder / hashlib.sha256(url.encode()).hexdigest()[:40]

    def _keep(self, file: Path, octets: bytes) -> None:
        temporary = file.with_suffix(".new")
        temporary.write_bytes(octets)
        temporary.replace(file)


def print_alarms(alarms: Sequence[Alarm]) -> None:
    """One JSON line for each, on standard output."""
    for alarm in alarms:
        finding = alarm.finding
        line = {"url": alarm.url, "code": finding.code, "cites": finding.cites}
        sys.stdout.write(json.dumps(line | {"message": finding.message}) + "\n")


def _read(octets: bytes, subject: bytes, public_key: bytes) -> SeenList:
    parts = parse_certificate(octets)
    crl = parse_tbs_cert_list(parts.tbs)
    verify_parts(parts, crl.signature, public_key)
    if crl.issuer != subject:
        raise DerError("a list of another issuer")
    serials, held = crl.serials_and_holds()
    return SeenList(
        crl.number,
        hashlib.sha256(octets).digest(),
        crl.this_update,
        crl.next_update,
        crl.point,
        crl.base,
        serials,
        held,
    )


def _dump(seen: SeenList) -> bytes:
    state = _State(
        seen.number,
        seen.digest,
        seen.this_update.timestamp(),
        seen.next_update.timestamp(),
        seen.point,
        seen.base,
        b"".join(serial.to_bytes(_SERIAL_OCTETS, "big") for serial in sorted(seen.serials)),
        b"".join(serial.to_bytes(_SERIAL_OCTETS, "big") for serial in sorted(seen.held)),
    )
    return msgspec.msgpack.encode(state)


def _restore(octets: bytes) -> SeenList:
    state = msgspec.msgpack.decode(octets, type=_State)
    return SeenList(
        state.number,
        state.digest,
        datetime.fromtimestamp(state.this_update, UTC),
        datetime.fromtimestamp(state.next_update, UTC),
        state.point,
        state.base,
        _serials(state.serials),
        _serials(state.held),
    )


def _serials(octets: bytes) -> frozenset[int]:
    places = range(0, len(octets), _SERIAL_OCTETS)
    return frozenset(int.from_bytes(octets[at : at + _SERIAL_OCTETS], "big") for at in places)
