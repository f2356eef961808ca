"""Canonical JSON (RFC 8785), for values whose numbers are integers below 2**53."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from tegata.kernel.problem import Problem, ProblemCode

Json: TypeAlias = "str | int | bool | Sequence[Json] | Mapping[str, Json] | None"

_INTEGER_MAXIMUM = 2**53 - 1
_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=False, separators=(",", ":"))


def canonical_octets(value: Json) -> bytes:
    """The RFC 8785 octets of a value.

    Raises ValueError for a number that not every reader of JSON keeps as it is.
    """
    return _ENCODER.encode(_ordered(value)).encode()


def digest_of(value: Json) -> str:
    """SHA-256 of the canonical octets, in hexadecimal."""
    return hashlib.sha256(canonical_octets(value)).hexdigest()


def parse_object(octets: bytes) -> Mapping[str, Json]:
    """An object as it was encoded; `Problem(storage.unavailable)` when it is something else."""
    try:
        found = json.loads(octets)
    except ValueError as error:
        raise Problem(ProblemCode.STORAGE_UNAVAILABLE, "a record cannot be read") from error
    if not isinstance(found, dict):
        raise Problem(ProblemCode.STORAGE_UNAVAILABLE, "a record cannot be read")
    return found


def _ordered(value: Json) -> Json:
    if isinstance(value, str | bool) or value is None:
        return value
    if isinstance(value, int):
        if abs(value) > _INTEGER_MAXIMUM:
            raise ValueError("an integer beyond 2**53 - 1 (RFC 8785 appendix D)")
        return value
    if isinstance(value, Mapping):
        # RFC 8785 section 3.2.3: names are sorted by their UTF-16 code units.
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return {name: _ordered(value[name]) for name in names}
    return [_ordered(each) for each in value]
