"""Reads the time-stamps of a log's checkpoints and verifies them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tegata.cli import audit_wording as wording
from tegata.cli.audit_trust import Scope, Trust, Undecided
from tegata.cli.audit_wording import say
from tegata.cli.log_source import LogSource, read_checkpoint
from tegata.transparency.checkpoint import Checkpoint
from tegata.transparency.examination import Tampered
from tegata.transparency.note import parse_note
from tegata.transparency.stamps import verify_stamp

_MAXIMUM = 1 << 20


def verify_stamps(
    source: LogSource, trust: Trust, authorities: Path, scope: Scope
) -> list[Checkpoint]:
    """Verify every time-stamp up to the certificates of a PEM file; the checkpoints that have one,
    which the log must continue."""
    trusted = _certificates(authorities)
    stamped: dict[int, Checkpoint] = {}
    times: list[datetime] = []
    strangers = 0
    for size, number in _listed(source):
        octets = read_checkpoint(source, f"anchor/{size}/checkpoint")
        # Its signatures are beside the point of each line of the scope.
        checkpoint = trust.open(octets, Scope(), older=True)
        if checkpoint.size != size:
            raise Tampered("stamp.invalid", f"{size}/{number}: {checkpoint.size}")
        token = source.read(f"anchor/{size}/{number}.tsr", _MAXIMUM)
        at = verify_stamp(token, parse_note(octets).text, trusted, f"{size}/{number}")
        if at is None:
            strangers += 1
        else:
            times.append(at)
            stamped[size] = checkpoint
    if strangers:
        scope.left_out.append(say(wording.UNTRUSTED_STAMPS, count=strangers))
    if not times:
        raise Undecided(say(wording.NO_STAMPS))
    first, last = (f"{each:%Y-%m-%dT%H:%M:%SZ}" for each in (min(times), max(times)))
    scope.checked.append(say(wording.STAMPED, count=len(times), first=first, last=last))
    scope.stamps_checked = True
    return list(stamped.values())


def _listed(source: LogSource) -> Iterator[tuple[int, int]]:
    below: int | None = None
    while True:
        query = f"?below={below}" if below is not None else ""
        octets = source.read(f"anchor/index.json{query}", _MAXIMUM)
        try:
            page = json.loads(octets)
            items = [(int(each["size"]), int(each["number"])) for each in page["items"]]
            following = page["next_below"]
        except (ValueError, KeyError, TypeError) as error:
            raise Undecided(f"anchor/index.json: {error!r}") from error
        yield from items
        if following is None:
            return
        # Pages go down, or there is no end of them.
        if not isinstance(following, int) or (below is not None and following >= below):
            raise Undecided("anchor/index.json: next_below")
        below = following


def _certificates(file: Path) -> list[bytes]:
    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())
    except ValueError as error:
        raise Undecided(f"{file}: {error}") from error
    return [each.public_bytes(Encoding.DER) for each in found]
