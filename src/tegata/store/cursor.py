"""Cursors: where a page ended, as text that means nothing outside and fits one query only."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import msgspec

from tegata.kernel.problem import Problem, ProblemCode
from tegata.registration.model import PAGE_DEFAULT, CertificateQuery

Key = tuple[str | int | bytes, ...]

_DIGEST_OCTETS = 8
_BOUND = 1 << 63


class _Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    query: bytes
    key: list[str]


def encode_cursor(query: CertificateQuery, key: Sequence[object] | None) -> str | None:
    """The cursor of a place in the order that a query is answered in."""
    if key is None:
        return None
    octets = msgspec.msgpack.encode(_Cursor(_digest(query), [_write(part) for part in key]))
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def parse_cursor(query: CertificateQuery, kinds: tuple[type, ...]) -> Key:
    """The place that a query's `after` names; `Problem(request.malformed)` when it is not one
    of this query's pages."""
    try:
        cursor = _decode(query.after or "")
        key = tuple(map(_read, cursor.key))
    except (ValueError, msgspec.DecodeError):
        cursor, key = None, ()
    if cursor is None or cursor.query != _digest(query) or tuple(map(type, key)) != kinds:
        detail = "after is the `next` of the page before, of the same query"
        raise Problem(ProblemCode.REQUEST_MALFORMED, detail)
    return key


def _decode(text: str) -> _Cursor:
    octets = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    return msgspec.msgpack.decode(octets, type=_Cursor)


def _write(part: object) -> str:
    if isinstance(part, str):
        return "t" + part
    if isinstance(part, int):
        return f"n{part}"
    return "o" + bytes(cast(bytes, part)).hex()


def _read(text: str) -> str | int | bytes:
    kind, value = text[:1], text[1:]
    if kind == "t" and "\0" not in value:
        return value
    if kind == "n" and len(value) <= 20:
        # Within what both engines hold.
        return min(max(int(value), -_BOUND), _BOUND - 1)
    if kind == "o":
        return bytes.fromhex(value)
    raise ValueError


def _digest(query: CertificateQuery) -> bytes:
    """What a query asks for, apart from the place, the page's size and who asks."""
    asked = replace(query, after=None, limit=PAGE_DEFAULT, visible=None)
    return hashlib.sha256(repr(asked).encode()).digest()[:_DIGEST_OCTETS]
