"""Records and standings as canonical JSON, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from tegata.compliance.canonical import Json, canonical_octets, parse_object
from tegata.compliance.model import (
    Collector,
    Independence,
    Method,
    Reason,
    Record,
    RecordKind,
    Standing,
    Tool,
    Verdict,
    Violation,
)

RECORD_VERSION = 1
_MICROSECOND = timedelta(microseconds=1)


def instant_text(instant: datetime) -> str:
    """RFC 3339 in UTC, to the microsecond."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_instant(text: str) -> datetime:
    """An instant as `instant_text` writes it."""
    return datetime.fromisoformat(text)


def encode_record(record: Record) -> bytes:
    """The octets of a record that are digested and logged."""
    return canonical_octets(record_object(record))


def record_object(record: Record) -> Mapping[str, Json]:
    """A record's members (docs/reference/evidence.md)."""
    return {
        "version": RECORD_VERSION,
        "id": record.id,
        "kind": record.kind.value,
        "control": record.control,
        "probe": record.probe,
        "sequence": record.sequence,
        "previous": record.previous,
        "commitment": record.commitment,
        "method": record.method.value,
        "collector": {
            "host": record.collector.host,
            "key": record.collector.key,
            "independence": record.collector.independence.text,
        },
        "tool": {
            "name": record.tool.name,
            "version": record.tool.version,
            "sha256": record.tool.sha256,
        },
        "inputs_digest": record.inputs,
        "subject": {"population": record.population, "excluded": list(record.excluded)},
        "observed": {
            "counts": dict(record.counts),
            "violations": [
                {"thing": each.thing, "where": each.where} for each in record.violations
            ],
        },
        "verdict": record.verdict.text,
        "reasons": [_reason(each) for each in record.reasons],
        "started": instant_text(record.started),
        "ended": instant_text(record.ended),
        "received": instant_text(record.received),
        "valid_until": instant_text(record.valid_until),
        "canary": record.canary,
    }


def decode_record(octets: bytes) -> Record:
    """A record as it was encoded.

    Raises `Problem(storage.unavailable)`, ValueError, KeyError or TypeError for anything else.
    """
    return _record(parse_object(octets))


def encode_standing(standing: Standing) -> bytes:
    """A standing, to be kept."""
    latest = None if standing.latest is None else record_object(standing.latest)
    return canonical_octets(
        {
            "sequence": standing.sequence,
            "head": standing.head,
            "latest": latest,
            "first_at": _maybe(standing.first_at),
            "breached_since": _maybe(standing.breached_since),
            "breach": [_reason(each) for each in standing.breach],
            "mended": standing.mended,
            "caught_since": standing.caught_since,
            "planted": standing.planted,
            "caught": standing.caught,
            "caught_at": _maybe(standing.caught_at),
            "slowest": standing.slowest // _MICROSECOND,
            "totals": dict(standing.totals),
        }
    )


def decode_standing(octets: bytes) -> Standing:
    """A standing as it was encoded; raises as `decode_record`."""
    found = parse_object(octets)
    latest = found["latest"]
    return Standing(
        sequence=_number(found["sequence"]),
        head=_text(found["head"]),
        latest=None if latest is None else _record(_object(latest)),
        first_at=_maybe_instant(found["first_at"]),
        breached_since=_maybe_instant(found["breached_since"]),
        breach=tuple(map(_read_reason, _list(found["breach"]))),
        mended=found["mended"] is True,
        caught_since=found["caught_since"] is True,
        planted=_number(found["planted"]),
        caught=_number(found["caught"]),
        caught_at=_maybe_instant(found["caught_at"]),
        slowest=_number(found["slowest"]) * _MICROSECOND,
        totals={name: _number(each) for name, each in _object(found["totals"]).items()},
    )


def _record(found: Mapping[str, Json]) -> Record:
    if found["version"] != RECORD_VERSION:
        raise ValueError("a record of another version")
    collector, tool = _object(found["collector"]), _object(found["tool"])
    subject, observed = _object(found["subject"]), _object(found["observed"])
    canary = found["canary"]
    return Record(
        id=_text(found["id"]),
        kind=RecordKind(_text(found["kind"])),
        control=_text(found["control"]),
        probe=_text(found["probe"]),
        sequence=_number(found["sequence"]),
        previous=_text(found["previous"]),
        commitment=_text(found["commitment"]),
        method=Method(_text(found["method"])),
        collector=Collector(
            _text(collector["host"]),
            _text(collector["key"]),
            Independence[_text(collector["independence"]).upper()],
        ),
        tool=Tool(_text(tool["name"]), _text(tool["version"]), _text(tool["sha256"])),
        inputs=_text(found["inputs_digest"]),
        population=_number(subject["population"]),
        excluded=tuple(map(_text, _list(subject["excluded"]))),
        counts={name: _number(each) for name, each in _object(observed["counts"]).items()},
        verdict=Verdict[_text(found["verdict"]).upper()],
        reasons=tuple(map(_read_reason, _list(found["reasons"]))),
        violations=tuple(
            Violation(_text(_object(each)["thing"]), _text(_object(each)["where"]))
            for each in _list(observed["violations"])
        ),
        started=parse_instant(_text(found["started"])),
        ended=parse_instant(_text(found["ended"])),
        received=parse_instant(_text(found["received"])),
        valid_until=parse_instant(_text(found["valid_until"])),
        canary=None if canary is None else _text(canary),
    )


def _reason(reason: Reason) -> Mapping[str, Json]:
    return {"code": reason.code, "values": dict(reason.values)}


def _read_reason(found: Json) -> Reason:
    read = _object(found)
    values = _object(read["values"])
    return Reason(_text(read["code"]), tuple((name, _text(values[name])) for name in values))


def _maybe(instant: datetime | None) -> str | None:
    return None if instant is None else instant_text(instant)


def _maybe_instant(found: Json) -> datetime | None:
    return None if found is None else parse_instant(_text(found))


def _text(found: Json) -> str:
    if not isinstance(found, str):
        raise TypeError("a text belongs here")
    return found


def _number(found: Json) -> int:
    if not isinstance(found, int) or isinstance(found, bool):
        raise TypeError("a number belongs here")
    return found


def _list(found: Json) -> list[Json]:
    if not isinstance(found, list):
        raise TypeError("a list belongs here")
    return found


def _object(found: Json) -> Mapping[str, Json]:
    if not isinstance(found, Mapping):
        raise TypeError("an object belongs here")
    return found
