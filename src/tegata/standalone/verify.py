#!/usr/bin/env python3
"""Verify a transparency log on a machine of your own: tegata's, or any C2SP tiled log.

One file; Python 3.9 or newer and nothing else. It shares no code with the platform.

    verify.py --vkey KEY log SOURCE             the whole log: every leaf, every tile, the root
    verify.py --vkey KEY proof FILE --event E   one .tlog-proof and the event it proves
    verify.py --vkey KEY consistency SOURCE --before FILE
                                                has the log only grown since a kept checkpoint
    verify.py --context FILE events [FILE]      a tenant's own events: chain, values, leaves

SOURCE is the log's public URL (http://host:8080/log) or a folder with a copy of it. Instead of
--vkey a --policy file may name logs and witnesses (c2sp.org/tlog-policy).

Exit codes: 0 everything in the printed scope is verified; 1 something was tampered with, and it is
named; 2 cannot tell (no pinned key, something out of reach or left out). Anything else is no
verification either: rely on 0 only.

Never in scope: ML-DSA signatures, time-stamp tokens. `tegata audit verify` checks those.
"""

from __future__ import annotations

import argparse
import base64
import concurrent.futures
import hashlib
import http.client
import io
import json
import os
import ssl
import sys
import threading
import time
import urllib.parse
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

VERSION = 1
VERIFIED, TAMPERED, CANNOT_TELL = 0, 1, 2

TILE = 256  # hashes in a full tile, entries in a full bundle (c2sp.org/tlog-tiles)
HASH = 32
MAX_SIZE = 2**63 - 1
MAX_NOTE = 1 << 20
MAX_SIGNATURES = 64
MAX_BUNDLE = TILE * (2 + 0xFFFF)
MAX_EXPORT = 1 << 30
TIMEOUT = 30.0
CLOCK_SECONDS = 3600  # what clocks may differ by
EMPTY_ROOT = hashlib.sha256(b"").digest()

# Signature types (c2sp.org/signed-note, c2sp.org/tlog-cosignature).
ED25519, COSIGNATURE, MLDSA = 0x01, 0x04, 0x06
TYPES = {
    ED25519: ("Ed25519", 32),
    COSIGNATURE: ("Ed25519 cosignature", 32),
    MLDSA: ("ML-DSA-44", 1312),
}

LEAF_LABEL = b"tegata-event-leaf/v1\n"
LEAF_OCTETS = 32
SALT_OCTETS = 16


class TamperedError(Exception):
    """What was read cannot be what an honest log publishes. `code` is stable."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class CannotTellError(Exception):
    """The question has no answer with what is at hand."""


class MissingError(CannotTellError):
    """A file of the log is not there."""


# ------------------------------------------------------------------- Ed25519 (RFC 8032)

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)

# Extended coordinates (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z (RFC 8032 section 5.1.4).
Point = tuple[int, int, int, int]
_NEUTRAL: Point = (0, 1, 1, 0)


def _add(first: Point, second: Point) -> Point:
    a = (first[1] - first[0]) * (second[1] - second[0]) % _P
    b = (first[1] + first[0]) * (second[1] + second[0]) % _P
    c = 2 * first[3] * second[3] * _D % _P
    d = 2 * first[2] * second[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _multiply(scalar: int, point: Point) -> Point:
    result = _NEUTRAL
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _decode_point(octets: bytes) -> Point | None:
    """RFC 8032 section 5.1.3; None for what is no canonical point."""
    number = int.from_bytes(octets, "little")
    y, sign = number & ((1 << 255) - 1), number >> 255
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    x = _P - x if x & 1 != sign else x
    return (x, y, 1, x * y % _P)


def _encode_point(point: Point) -> bytes:
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


_BASE = _decode_point((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little")) or _NEUTRAL


def is_usable_key(public: bytes) -> bool:
    """Whether an Ed25519 public key is a point whose signatures mean something.

    A key of small order would accept one signature for every message.
    """
    point = _decode_point(public) if len(public) == 32 else None
    return point is not None and _encode_point(_multiply(8, point)) != _encode_point(_NEUTRAL)


def is_signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether an Ed25519 signature verifies (RFC 8032 section 5.1.7, without cofactor)."""
    point = _decode_point(public)
    scalar = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or point is None or scalar >= _L:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    challenge = int.from_bytes(digest, "little") % _L
    minus = (_P - point[0], point[1], point[2], _P - point[3])
    found = _add(_multiply(scalar, _BASE), _multiply(challenge, minus))
    return _encode_point(found) == signature[:32]


# ------------------------------------------------------- keys, notes, checkpoints, policies


def _base64(text: str, what: str) -> bytes:
    try:
        octets = base64.b64decode(text.encode("ascii"), validate=True)
    except (ValueError, UnicodeError):
        octets = b""
    # One text for one value: no other padding, no other trailing bits.
    if base64.b64encode(octets).decode() != text or not text:
        raise TamperedError("encoding.malformed", f"{what} is not base64")
    return octets


def _decimal(text: str, what: str) -> int:
    # No sign, no leading zero, nothing that int() would forgive.
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or str(int(text)) != text:
        raise TamperedError("encoding.malformed", f"{what} is no decimal number")
    if int(text) > MAX_SIZE:
        raise TamperedError("encoding.malformed", f"{what} is too large")
    return int(text)


def _is_key_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(each.isspace() for each in name)


class Key(NamedTuple):
    """A verifier key (vkey)."""

    name: str
    id: bytes
    type: int
    public: bytes
    text: str

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the vkey's text, as `printf %s KEY | sha256sum` prints it."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def describe(self) -> str:
        """The key for people."""
        return f"{self.name} ({TYPES[self.type][0]}, id {self.id.hex()})"


def parse_vkey(text: str) -> Key:
    """Read `name+id+base64(type || key)` (c2sp.org/signed-note). ValueError for anything else."""
    text = text.strip()
    name, _, rest = text.partition("+")
    identifier, _, encoded = rest.partition("+")
    try:
        octets = _base64(encoded, "the key")
        key_id = bytes.fromhex(identifier)
    except (TamperedError, ValueError) as error:
        raise ValueError(f"not a verifier key: {text!r}") from error
    if not _is_key_name(name) or octets[0] not in TYPES:
        raise ValueError(f"not a verifier key of a known type: {text!r}")
    if hashlib.sha256(name.encode() + b"\n" + octets).digest()[:4] != key_id:
        raise ValueError(f"the key's id is another one: {text!r}")
    kind, public = octets[0], octets[1:]
    if len(public) != TYPES[kind][1] or (kind != MLDSA and not is_usable_key(public)):
        raise ValueError(f"not a usable public key: {text!r}")
    return Key(name, key_id, kind, public, text)


class Signature(NamedTuple):
    """A signature line of a note."""

    name: str
    key_id: bytes
    blob: bytes


class Note(NamedTuple):
    """A signed note (c2sp.org/signed-note); `text` ends with its last line feed."""

    text: bytes
    signatures: tuple[Signature, ...]


def parse_note(octets: bytes) -> Note:
    """Take a note apart. `TamperedError` when it is none."""
    try:
        whole = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TamperedError("note.malformed", "not UTF-8") from error
    if len(octets) > MAX_NOTE or any(each < " " and each != "\n" for each in whole):
        raise TamperedError("note.malformed", "control characters, or more than 1 MiB")
    text, divider, lines = whole.rpartition("\n\n")
    if not divider or not lines.endswith("\n"):
        raise TamperedError("note.malformed", "no signature lines at the end")
    listed = lines[:-1].split("\n")
    if len(listed) > MAX_SIGNATURES:
        raise TamperedError("note.malformed", f"more than {MAX_SIGNATURES} signatures")
    return Note((text + "\n").encode(), tuple(_parse_signature(line) for line in listed))


def _parse_signature(line: str) -> Signature:
    name, space, encoded = line[2:].partition(" ")
    if not line.startswith("\u2014 ") or not space or not _is_key_name(name):
        raise TamperedError("note.malformed", f"not a signature line: {line[:80]!r}")
    blob = _base64(encoded, "a signature")
    if len(blob) < 5:
        raise TamperedError("note.malformed", "a signature without content")
    return Signature(name, blob[:4], blob[4:])


class Checkpoint(NamedTuple):
    """A tree head (c2sp.org/tlog-checkpoint)."""

    origin: str
    size: int
    root: bytes
    note: Note
    octets: bytes


def parse_checkpoint(octets: bytes) -> Checkpoint:
    """Read a checkpoint, without verifying its signatures."""
    note = parse_note(octets)
    lines = note.text.decode().split("\n")
    if len(lines) < 4 or not lines[0] or "" in lines[1:-1]:
        raise TamperedError("checkpoint.malformed", "fewer than three lines, or an empty one")
    size, root = _decimal(lines[1], "the size"), _base64(lines[2], "the root")
    if len(root) != HASH:
        raise TamperedError("checkpoint.malformed", "the root is no SHA-256 value")
    if size == 0 and root != EMPTY_ROOT:
        raise TamperedError("checkpoint.malformed", "an empty log has another root")
    return Checkpoint(lines[0], size, root, note, octets)


class Policy(NamedTuple):
    """Whom to believe (c2sp.org/tlog-policy). `quorum` is None, a witness or a group."""

    logs: tuple[Key, ...]
    witnesses: dict[str, Key]
    groups: dict[str, tuple[int, tuple[str, ...]]]
    quorum: str | None

    def is_met(self, name: str, cosigned: Sequence[str]) -> bool:
        """Whether a witness, or enough of a group, is among those that cosigned."""
        if name in self.witnesses:
            return name in cosigned
        needed, members = self.groups[name]
        return sum(self.is_met(member, cosigned) for member in members) >= needed


def parse_policy(octets: bytes) -> Policy:
    """Read a policy file. ValueError names the line that is wrong."""
    if any(each < 0x20 and each not in (0x09, 0x0A) for each in octets) or 0x7F in octets:
        raise ValueError("a policy has no control characters but tab and line feed")
    reader = _PolicyReader()
    # Names are opaque octets; latin-1 keeps each apart.
    for number, line in enumerate(octets.decode("latin-1").split("\n"), start=1):
        words = line.replace("\t", " ").split(" ")
        words = [word for word in words if word]
        if not words or words[0].startswith("#"):
            continue
        try:
            reader.read(words)
        except (ValueError, IndexError) as error:
            raise ValueError(f"line {number} of the policy: {error}") from error
    if not reader.has_quorum:
        raise ValueError("the policy has no quorum line")
    return Policy(tuple(reader.logs), reader.witnesses, reader.groups, reader.quorum)


class _PolicyReader:
    def __init__(self) -> None:
        self.logs: list[Key] = []
        self.witnesses: dict[str, Key] = {}
        self.groups: dict[str, tuple[int, tuple[str, ...]]] = {}
        self.quorum: str | None = None
        self.has_quorum = False
        self._member_of: set[str] = set()

    def read(self, words: list[str]) -> None:
        kind, rest = words[0], words[1:]
        if kind == "log" and len(rest) in (1, 2):
            known = (key.public for key in self.logs)
            self.logs.append(self._new_key(rest[0], known, (ED25519, MLDSA)))
        elif kind == "witness" and len(rest) in (2, 3):
            known = (key.public for key in self.witnesses.values())
            key = self._new_key(rest[1], known, (COSIGNATURE, MLDSA))
            self.witnesses[self._new_name(rest[0])] = key
        elif kind == "group" and len(rest) >= 3:
            self._read_group(rest[0], rest[1], rest[2:])
        elif kind == "quorum" and len(rest) == 1 and not self.has_quorum:
            self.quorum = None if rest[0] == "none" else self._known(rest[0])
            self.has_quorum = True
        else:
            raise ValueError(f"not understood: {' '.join(words)}")

    def _read_group(self, name: str, wanted: str, members: list[str]) -> None:
        for member in members:
            self._known(member)
            if member in self._member_of:
                raise ValueError(f"{member} is a member twice")
            self._member_of.add(member)
        number = {"any": "1", "all": str(len(members))}.get(wanted, wanted)
        if not number.isascii() or not number.isdigit() or not 1 <= int(number) <= len(members):
            raise ValueError(f"{wanted} of {len(members)} members")
        self.groups[self._new_name(name)] = (int(number), tuple(members))

    def _new_name(self, name: str) -> str:
        if name == "none" or name in self.witnesses or name in self.groups:
            raise ValueError(f"the name {name} is taken")
        return name

    def _known(self, name: str) -> str:
        if name not in self.witnesses and name not in self.groups:
            raise ValueError(f"{name} is not defined before")
        return name

    def _new_key(self, text: str, known: Iterator[bytes], types: tuple[int, int]) -> Key:
        key = parse_vkey(text.encode("latin-1").decode("utf-8"))
        if key.type not in types:
            raise ValueError(f"a key of type {key.type} does not sign as this line says")
        if key.public in known:
            raise ValueError("the same public key twice")
        return key


class Scope:
    """What a run looked at, and what it did not; printed at its end whatever it found."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.left_out: list[str] = []
        self.doubts: list[str] = []

    def add(self, text: str) -> None:
        """Note something that was checked."""
        self.lines.append(text)

    def leave_out(self, text: str) -> None:
        """Note something beside the scope."""
        self.left_out.append(text)

    def doubt(self, text: str) -> None:
        """Note something that should have been checked and could not be."""
        self.doubts.append(text)


def open_checkpoint(octets: bytes, policy: Policy, scope: Scope, what: str) -> Checkpoint:
    """Read a checkpoint that a pinned log key signed, and cosignatures as the policy wants."""
    checkpoint = parse_checkpoint(octets)
    logs = [key for key in policy.logs if key.name == checkpoint.origin]
    if not logs:
        names = ", ".join(sorted({key.name for key in policy.logs}))
        raise TamperedError("origin.wrong", f"{what} is of {checkpoint.origin}, not of {names}")
    verified: list[Key] = []
    for key, signature in _by_known_keys(checkpoint.note, (*logs, *policy.witnesses.values())):
        if key.type == MLDSA:
            continue
        seconds = _require_signature(checkpoint, key, signature, what)
        verified.append(key)
        dated = f" at {_utc(seconds)}" if seconds is not None else ""
        if seconds is not None and seconds > time.time() + CLOCK_SECONDS:
            scope.doubt(f"{what}: {key.name} has dated it{dated}, later than this machine's clock")
        scope.add(f"{what}: size {checkpoint.size}, signature of {key.describe()}{dated}")
    if not any(key in logs for key in verified):
        if any(key.type == MLDSA for key in logs):
            raise CannotTellError("the log's pinned key is ML-DSA; pin its Ed25519 key for this")
        raise TamperedError("key.unknown", f"{what} has no signature by a pinned key of the log")
    others = len(checkpoint.note.signatures) - len(verified)
    if others:
        scope.leave_out(f"{what}: {others} signatures by keys that are not pinned, or ML-DSA")
    _require_quorum(policy, verified, scope, what)
    return checkpoint


def _by_known_keys(note: Note, keys: Sequence[Key]) -> Iterator[tuple[Key, Signature]]:
    for signature in note.signatures:
        for key in keys:
            if (key.name, key.id) == (signature.name, signature.key_id):
                yield key, signature


def _require_signature(
    checkpoint: Checkpoint, key: Key, signature: Signature, what: str
) -> int | None:
    """The time of a cosignature, None for a plain signature."""
    if key.type == ED25519:
        if not is_signed(key.public, checkpoint.note.text, signature.blob):
            raise TamperedError("signature.invalid", f"{what}: {key.describe()}")
        return None
    seconds = int.from_bytes(signature.blob[:8], "big")
    message = b"cosignature/v1\ntime %d\n" % seconds + checkpoint.note.text
    if len(signature.blob) != 72 or seconds > MAX_SIZE:
        raise TamperedError("cosignature.invalid", f"{what}: {key.describe()}: malformed")
    if not is_signed(key.public, message, signature.blob[8:]):
        raise TamperedError("cosignature.invalid", f"{what}: {key.describe()}")
    return seconds


def _require_quorum(policy: Policy, verified: Sequence[Key], scope: Scope, what: str) -> None:
    if policy.quorum is None:
        return
    cosigned = [name for name, key in policy.witnesses.items() if key in verified]
    listed = ", ".join(cosigned) or "none"
    if not policy.is_met(policy.quorum, cosigned):
        raise CannotTellError(f"{what}: quorum {policy.quorum} is not met; cosigned: {listed}")
    scope.add(f"{what}: quorum {policy.quorum} met by {listed}")


def _utc(seconds: int) -> str:
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    except (ValueError, OverflowError, OSError):
        return f"second {seconds}"


# ------------------------------------------------------------------ Merkle trees (RFC 6962)


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def merkle(hashes: Sequence[bytes]) -> bytes:
    """The root over hashes of leaves, or of full subtrees of one height and a lower last one."""
    if not hashes:
        return EMPTY_ROOT
    row = list(hashes)
    while len(row) > 1:
        row = _row_above(row) + row[len(row) & ~1 :]
    return row[0]


def _row_above(row: Sequence[bytes]) -> list[bytes]:
    sha256 = hashlib.sha256
    pairs = range(0, len(row) - 1, 2)
    return [sha256(b"\x01" + row[at] + row[at + 1]).digest() for at in pairs]


def root_from_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes:
    """The root that an inclusion path leads to (RFC 9162 section 2.1.3.2)."""
    if index >= size:
        raise TamperedError("proof.malformed", f"leaf {index} in a log of {size}")
    node, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise TamperedError("proof.malformed", "the path is too long")
        if node & 1 or node == last:
            found = node_hash(sibling, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise TamperedError("proof.malformed", "the path is too short")
    return found


def require_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Refuse trees of which one does not begin with the other (RFC 9162 section 2.1.4.2)."""
    if old > new:
        raise TamperedError("proof.malformed", "the older tree is larger")
    if old in (0, new):
        if path or (old == new and old_root != new_root) or (old == 0 and old_root != EMPTY_ROOT):
            raise TamperedError("consistency.broken", f"sizes {old} and {new}")
        return
    hashes = list(path)
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    # The path of a complete older tree leaves its root out.
    start = old_root if node == 0 else (hashes.pop(0) if hashes else b"")
    first = second = start
    for sibling in hashes:
        if last == 0:
            raise TamperedError("consistency.broken", "the proof is too long")
        if node & 1 or node == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        node, last = node >> 1, last >> 1
    if last or first != old_root or second != new_root:
        raise TamperedError(
            "log.split-view", f"the log of size {new} is no continuation of the one of size {old}"
        )


def inclusion_ranges(index: int, size: int) -> Iterator[tuple[int, int]]:
    """The leaves under each hash of an inclusion path, the leaf's sibling first."""
    start, end = 0, size
    found: list[tuple[int, int]] = []
    while end - start > 1:
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    return reversed(found)


def consistency_ranges(old: int, new: int) -> Iterator[tuple[int, int]]:
    """The leaves under each hash of a consistency proof (RFC 6962 section 2.1.2)."""
    if old in (0, new):
        return iter(())
    start, end, found, at_edge = 0, new, [], True
    while old != end:
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        if old <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start, at_edge = middle, False
    if not at_edge:
        found.append((start, end))
    return reversed(found)


# --------------------------------------------------------------- where a log's files come from


class Folder:
    """A copy of the log in a folder: `checkpoint` and `tile/` (or `log/` with both in it)."""

    parallel = 1

    def __init__(self, path: Path) -> None:
        nested = path / "log"
        self._path = nested if (nested / "checkpoint").is_file() else path
        self.name = str(self._path)

    def read(self, name: str, limit: int) -> bytes:
        """The file's octets, one more than the limit at most."""
        try:
            with (self._path / name).open("rb") as file:
                return file.read(limit + 1)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise MissingError(f"{self.name}/{name} is missing") from error
        except OSError as error:
            raise CannotTellError(f"{self.name}/{name}: {error}") from error


class Web:
    """A log at its public URL. Redirects are not followed, proxies not used."""

    parallel = 4

    def __init__(self, url: str, context: ssl.SSLContext | None = None) -> None:
        split = urllib.parse.urlsplit(url)
        if split.scheme not in ("http", "https") or not split.hostname:
            raise CannotTellError(f"neither a folder nor a URL: {url}")
        self.name = url.rstrip("/")
        self._split = split
        self._prefix = split.path.rstrip("/")
        self._context = context
        self._local = threading.local()

    def read(self, name: str, limit: int, headers: dict[str, str] | None = None) -> bytes:
        """The resource's octets, one more than the limit at most."""
        for last in (False, True):
            connection = getattr(self._local, "connection", None) or self._connect()
            try:
                # A connection that idled may have been closed: once more, with a new one.
                return self._ask(connection, name, limit, headers or {})
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self._local.connection = None
                if last:
                    raise CannotTellError(f"{self.name}/{name}: {error}") from error
        raise CannotTellError(f"{self.name}/{name}")

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._split.hostname or "", self._split.port
        connection: http.client.HTTPConnection
        if self._split.scheme == "https":
            context = self._context or ssl.create_default_context()
            connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=context)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
        self._local.connection = connection
        return connection

    def _ask(
        self,
        connection: http.client.HTTPConnection,
        name: str,
        limit: int,
        headers: dict[str, str],
    ) -> bytes:
        connection.request("GET", f"{self._prefix}/{name}", headers=headers)
        answer = connection.getresponse()
        octets = answer.read(limit + 1)
        if not answer.isclosed():  # longer than any honest answer
            connection.close()
        if answer.status in (404, 410):
            raise MissingError(f"{self.name}/{name} is missing (HTTP {answer.status})")
        if answer.status != 200:
            raise CannotTellError(f"{self.name}/{name}: HTTP {answer.status}")
        if answer.headers.get("content-encoding", "").lower() == "gzip":
            return _unzip(octets, limit)
        return octets


def _unzip(octets: bytes, limit: int) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(octets, limit + 1)
    except zlib.error as error:
        raise CannotTellError(f"a broken gzip stream: {error}") from error


def open_source(text: str) -> Any:
    """A folder or a URL as what it is."""
    return Web(text) if "://" in text else Folder(Path(text))


def tile_path(level: str, number: int, width: int) -> str:
    """The name of a tile or bundle (c2sp.org/tlog-tiles): 1234067 is x001/x234/067."""
    groups = [f"{number % 1000:03}"]
    while number >= 1000:
        number //= 1000
        groups.insert(0, f"x{number % 1000:03}")
    partial = "" if width == TILE else f".p/{width}"
    return f"tile/{level}/{'/'.join(groups)}{partial}"


def read_tile(source: Any, level: int, number: int, width: int) -> list[bytes]:
    """The first `width` hashes of a tile."""
    name, octets = _read_either(source, str(level), number, width, HASH * TILE)
    wanted = HASH * width
    whole = name == tile_path(str(level), number, width)
    if len(octets) < wanted:
        raise TamperedError("tile.truncated", f"{name}: {len(octets)} of {wanted} octets")
    if whole and len(octets) > wanted:
        raise TamperedError("tile.oversize", f"{name}: more than {wanted} octets")
    return [octets[at : at + HASH] for at in range(0, wanted, HASH)]


def read_bundle(source: Any, number: int, width: int, length: int | None) -> list[bytes]:
    """The first `width` entries of a bundle, each of `length` octets (None: of any)."""
    name, octets = _read_either(source, "entries", number, width, MAX_BUNDLE)
    if len(octets) > MAX_BUNDLE:
        raise TamperedError("entries.oversize", f"{name}: more than {MAX_BUNDLE} octets")
    entries = parse_bundle(octets, width, length, name)
    whole = name == tile_path("entries", number, width)
    if whole and len(octets) != sum(map(len, entries)) + 2 * width:
        raise TamperedError("entries.oversize", f"{name}: more than {width} entries")
    return entries


def _read_either(source: Any, level: str, number: int, width: int, limit: int) -> tuple[str, bytes]:
    name = tile_path(level, number, width)
    try:
        return name, source.read(name, limit)
    except MissingError:
        if width == TILE:
            raise
    # A partial tile may go once the full one is there.
    name = tile_path(level, number, TILE)
    return name, source.read(name, limit)


def parse_bundle(octets: bytes, width: int, length: int | None, name: str) -> list[bytes]:
    """The first `width` entries of a bundle, each `length` octets long (None: as they are)."""
    entries: list[bytes] = []
    at = 0
    while len(entries) < width:
        size = int.from_bytes(octets[at : at + 2], "big")
        entry = octets[at + 2 : at + 2 + size]
        if at + 2 > len(octets) or len(entry) != size:
            place = f"{name}: ends in entry {len(entries)} of {width}"
            raise TamperedError("entries.truncated", place)
        if length is not None and size > length:
            place = f"{name}: entry {len(entries)} has {size} octets, not {length}"
            raise TamperedError("entries.oversize", place)
        if length is not None and size < length:
            place = f"{name}: entry {len(entries)} has {size} octets, not {length}"
            raise TamperedError("entries.truncated", place)
        entries.append(entry)
        at += 2 + size
    return entries


# ------------------------------------------------------------------------- the whole log


class LogTree:
    """Everything that a log of one size consists of, recomputed from its entries."""

    def __init__(self, source: Any, checkpoint: Checkpoint, length: int | None) -> None:
        self._source = source
        self._checkpoint = checkpoint
        self._length = length
        self._full, self._rest = divmod(checkpoint.size, TILE)
        # Hashes of full tiles, from entries and as the level-0 tiles have them; and the right edge.
        self._from_entries: list[bytes] = []
        self._from_tiles: list[bytes] = []
        self._edge: tuple[list[bytes], list[bytes]] = ([], [])
        self._differing: list[int] = []
        self._kept: dict[int, bytes] = {}
        self.tiles: list[int] = []

    def verify(self, old_sizes: Sequence[int]) -> dict[int, bytes]:
        """Refuse what differs anywhere; the roots of the log at the older sizes asked for."""
        for number, entries, tile in self._blocks():
            self._take(number, entries, tile, old_sizes)
        by_entries = merkle([*self._from_entries, *self._edge_hash(0)])
        by_tiles = merkle([*self._from_tiles, *self._edge_hash(1)])
        self._require_root(by_entries, by_tiles)
        self._require_upper_tiles()
        return self._kept

    def _edge_hash(self, which: int) -> list[bytes]:
        return [merkle(self._edge[which])] if self._rest else []

    def _blocks(self) -> Iterator[tuple[int, list[bytes], list[bytes]]]:
        """Number, leaf hashes from entries, and level-0 hashes, in order, read ahead a little."""
        count = self._full + (1 if self._rest else 0)
        ahead = 8 * self._source.parallel
        with concurrent.futures.ThreadPoolExecutor(self._source.parallel) as pool:
            waiting = [pool.submit(self._read, number) for number in range(min(ahead, count))]
            for number in range(count):
                entries, tile = waiting.pop(0).result()
                following = number + ahead
                if following < count:
                    waiting.append(pool.submit(self._read, following))
                yield number, [leaf_hash(entry) for entry in entries], tile

    def _read(self, number: int) -> tuple[list[bytes], list[bytes]]:
        width = TILE if number < self._full else self._rest
        entries = read_bundle(self._source, number, width, self._length)
        return entries, read_tile(self._source, 0, number, width)

    def _take(
        self, number: int, entries: list[bytes], tile: list[bytes], old_sizes: Sequence[int]
    ) -> None:
        for size in old_sizes:
            if number == size // TILE:
                partial = [merkle(entries[: size % TILE])] if size % TILE else []
                self._kept[size] = merkle([*self._from_entries, *partial])
        if entries != tile:
            places = enumerate(zip(entries, tile))
            self._differing += [number * TILE + at for at, (a, b) in places if a != b]
        if number == self._full:
            self._edge = (entries, tile)
            return
        self._from_entries.append(merkle(entries))
        self._from_tiles.append(self._from_entries[-1] if entries == tile else merkle(tile))
        if (number + 1) * TILE in old_sizes:
            self._kept[(number + 1) * TILE] = merkle(self._from_entries)

    def _require_root(self, by_entries: bytes, by_tiles: bytes) -> None:
        """Name what differs: the signed root says which side is right."""
        listed = ", ".join(map(str, self._differing[:5]))
        more = f" and {len(self._differing) - 5} more" if len(self._differing) > 5 else ""
        root = self._checkpoint.root
        if by_entries == root:
            if self._differing:
                raise TamperedError("tile.altered", f"level 0, hash of leaf {listed}{more}")
            return
        if by_tiles == root:
            raise TamperedError("leaf.altered", f"entry {listed}{more}")
        detail = f"; entries and tiles differ at {listed}{more}" if self._differing else ""
        raise TamperedError("root.mismatch", f"the entries do not hash to the signed root{detail}")

    def _require_upper_tiles(self) -> None:
        row = self._from_entries
        self.tiles = [self._full + (1 if self._rest else 0)]
        level = 1
        while row:
            for number in range((len(row) + TILE - 1) // TILE):
                wanted = row[number * TILE : (number + 1) * TILE]
                found = read_tile(self._source, level, number, len(wanted))
                if found != wanted:
                    at = next(at for at, (a, b) in enumerate(zip(wanted, found)) if a != b)
                    name = tile_path(str(level), number, len(wanted))
                    raise TamperedError("tile.altered", f"{name}: hash {at}")
            self.tiles.append((len(row) + TILE - 1) // TILE)
            full = range(0, len(row) - len(row) % TILE, TILE)
            row = [merkle(row[at : at + TILE]) for at in full]
            level += 1


class TileHashes:
    """Hashes of ranges of leaves, from tiles. They are believed only through a signed root."""

    def __init__(self, source: Any, size: int) -> None:
        self._source = source
        self._size = size
        self._pyramids: dict[tuple[int, int], list[list[bytes]]] = {}

    def of_range(self, start: int, end: int) -> bytes:
        """The hash over leaves, as a proof has it."""
        parts: list[bytes] = []
        while start < end:
            # The largest complete subtree that begins here.
            height = (end - start).bit_length() - 1
            while start & ((1 << height) - 1):
                height -= 1
            parts.append(self._subtree(height, start >> height))
            start += 1 << height
        found = parts.pop()
        while parts:
            found = node_hash(parts.pop(), found)
        return found

    def inclusion(self, index: int) -> list[bytes]:
        """The inclusion path of a leaf."""
        return [self.of_range(*each) for each in inclusion_ranges(index, self._size)]

    def consistency(self, old: int) -> list[bytes]:
        """The consistency proof from an older size."""
        return [self.of_range(*each) for each in consistency_ranges(old, self._size)]

    def _subtree(self, height: int, index: int) -> bytes:
        level, row = divmod(height, 8)
        number, place = divmod(index << row, TILE)
        pyramid = self._pyramids.get((level, number))
        if pyramid is None:
            width = min((self._size >> 8 * level) - number * TILE, TILE)
            pyramid = [read_tile(self._source, level, number, width)]
            while len(pyramid) < 8:
                pyramid.append(_row_above(pyramid[-1]))
            if len(self._pyramids) > 10_000:
                self._pyramids.clear()
            self._pyramids[level, number] = pyramid
        return pyramid[row][place >> row]


# ------------------------------------------------------------------------------- proofs


@dataclass(frozen=True)
class Proof:
    """A .tlog-proof file (c2sp.org/tlog-proof@v1)."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes


def parse_proof(octets: bytes) -> Proof:
    """Take a proof file apart. `TamperedError` when it is none."""
    head, divider, checkpoint = octets.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise TamperedError("proof.malformed", "not ASCII before its checkpoint") from error
    if lines.pop(0) != "c2sp.org/tlog-proof@v1" or not divider or len(octets) > MAX_NOTE:
        raise TamperedError("proof.malformed", "not a tlog-proof, version 1")
    if lines and lines[0].startswith("extra "):
        _base64(lines.pop(0)[6:], "the extra data")  # nobody signs it, nothing here uses it
    if not lines or not lines[0].startswith("index ") or len(lines) > 64:
        raise TamperedError("proof.malformed", "no index, or more than 63 hashes")
    index = _decimal(lines.pop(0)[6:], "the index")
    path = tuple(_base64(line, "a hash") for line in lines)
    if any(len(each) != HASH for each in path):
        raise TamperedError("proof.malformed", "a hash that is no SHA-256 value")
    return Proof(index, path, checkpoint)


# ------------------------------------------------------------------ a tenant's own events


@dataclass(frozen=True)
class Event:
    """An event as `GET /v1/events` gives it; `index` is None until the log has it."""

    sequence: int
    canonical: bytes
    digest: str
    disclosures: tuple[str, ...]
    salt: bytes | None
    index: int | None

    def entry(self) -> bytes:
        """What the log holds of it."""
        if self.salt is None:
            raise CannotTellError(f"event {self.sequence} comes without its salt")
        return hashlib.sha256(LEAF_LABEL + self.salt + self.canonical).digest()


def _base64url(text: str) -> bytes:
    padded = text + "=" * (-len(text) % 4)
    if "+" in padded or "/" in padded:
        raise ValueError("not base64url")
    return base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True)


def parse_event(item: Any) -> Event:
    """Read one item. `TamperedError` when members are missing or of another type."""
    try:
        salt = _base64url(item["salt"]) if item.get("salt") is not None else None
        event = Event(
            item["sequence"],
            item["canonical"].encode("utf-8"),
            item["digest"],
            tuple(item["disclosures"]),
            salt,
            item.get("index"),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise TamperedError("event.malformed", f"{str(item)[:80]}: {error!r}") from error
    numbers = (event.sequence, 0 if event.index is None else event.index)
    whole = all(type(each) is int and 0 <= each <= MAX_SIZE for each in numbers)
    texts = all(isinstance(each, str) for each in (event.digest, *event.disclosures))
    if not whole or not texts or (salt is not None and len(salt) != SALT_OCTETS):
        raise TamperedError("event.malformed", "a member of another type or length")
    return event


def parse_export(octets: bytes) -> list[Event]:
    """Read saved events: a page of `GET /v1/events`, a list of items, or one item."""
    try:
        whole = json.loads(octets.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise TamperedError("event.malformed", "the export is not JSON") from error
    if isinstance(whole, dict):
        whole = whole.get("items", [whole])
    if not isinstance(whole, list):
        raise TamperedError("event.malformed", "the export is no list of events")
    return [parse_event(item) for item in whole]


class Record:
    """A tenant's chain of events, verified one after the other."""

    def __init__(self, after: int = 0, digest: str = "0" * 64, tenant: str | None = None):
        self.sequence = after
        self.digest = digest
        self.tenant = tenant
        self.refused = 0
        self.disclosed = 0
        self.withheld = 0

    def take(self, event: Event) -> None:
        """Refuse an event that is not the next of the chain, or not what its digest says."""
        facts = _facts(event)
        place = f"event {event.sequence}"
        if facts.get("sequence") != event.sequence:
            raise TamperedError("event.altered", f"{place} says {facts.get('sequence')} inside")
        if event.sequence != self.sequence + 1:
            detail = f"after {self.sequence} comes {event.sequence}"
            raise TamperedError("events.gap", detail)
        if self.tenant is not None and facts.get("tenant") != self.tenant:
            raise TamperedError("events.chain", f"{place} is another tenant's")
        if hashlib.sha256(event.canonical).hexdigest() != event.digest:
            raise TamperedError("event.altered", f"{place} has another digest")
        if facts.get("previous") != self.digest:
            raise TamperedError("events.chain", f"{place} does not follow {self.sequence}")
        self._require_disclosures(event, facts)
        self.tenant = str(facts.get("tenant"))
        self.sequence, self.digest = event.sequence, event.digest
        self.refused += facts.get("decision") == "refused"

    def _require_disclosures(self, event: Event, facts: dict[str, Any]) -> None:
        committed = facts.get("commitments")
        if not isinstance(committed, list):
            raise TamperedError("event.malformed", f"event {event.sequence}: no commitments")
        remaining = list(committed)
        for text in event.disclosures:
            digest = _commitment(text)
            if digest not in remaining:
                detail = f"event {event.sequence}: a disclosed value is not the committed one"
                raise TamperedError("event.commitment", detail)
            remaining.remove(digest)
        self.disclosed += len(event.disclosures)
        self.withheld += len(remaining)


def _commitment(disclosure: str) -> str | None:
    """As selective disclosure makes it (RFC 9901); None for what discloses nothing."""
    try:
        parts = json.loads(_base64url(disclosure))
        digest = hashlib.sha256(disclosure.encode("ascii")).digest()
    except (ValueError, RecursionError):
        return None
    if not isinstance(parts, list) or [type(each) for each in parts] != [str] * 3:
        return None
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _facts(event: Event) -> dict[str, Any]:
    try:
        facts = json.loads(event.canonical)
        # RFC 8785: what is read one way has to be written one way.
        ordered = json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        canonical = ordered.encode() == event.canonical
    except (ValueError, RecursionError) as error:
        raise TamperedError("event.malformed", f"event {event.sequence}: {error}") from error
    if not isinstance(facts, dict) or not canonical:
        raise TamperedError("event.malformed", f"event {event.sequence}: not canonical")
    return facts


class Api:
    """A tenant's door: reads its own events with its token."""

    def __init__(self, context: dict[str, Any], token_file: str | None) -> None:
        file = token_file or context.get("token_file")
        if not file:
            raise CannotTellError("give --token-file: the context names none")
        self._headers = {"Authorization": f"Bearer {_read_file(file).decode().strip()}"}
        self._web = Web(context["api"], ssl.create_default_context(cafile=context["tls_ca"]))

    def events(self, after: int, wait: float) -> Iterator[Event]:
        """Events after a number, oldest first; waits a little for the log to have each."""
        deadline = time.monotonic() + wait
        while True:
            octets = self._web.read(
                f"v1/events?limit=200&after={after}", MAX_BUNDLE, headers=self._headers
            )
            items = parse_export(octets)
            waiting = [event for event in items if event.index is None]
            if waiting and time.monotonic() < deadline:
                time.sleep(0.2)
                continue
            yield from items
            if not items:
                return
            after = items[-1].sequence


# ----------------------------------------------------------------------------- commands


def _read_file(name: str, limit: int = MAX_EXPORT) -> bytes:
    try:
        with Path(name).open("rb") as file:
            octets = file.read(limit + 1)
    except OSError as error:
        raise CannotTellError(f"{name}: {error}") from error
    if len(octets) > limit:
        raise CannotTellError(f"{name}: larger than {limit} octets")
    return octets


def _context(options: argparse.Namespace) -> dict[str, Any]:
    if options.context is None:
        return {}
    try:
        described = json.loads(_read_file(options.context))
    except ValueError as error:
        raise CannotTellError(f"{options.context}: {error}") from error
    if not isinstance(described, dict):
        raise CannotTellError(f"{options.context}: not the context of a platform")
    return described


def _place(options: argparse.Namespace, given: str | None) -> str:
    """Where the log is: as given, or where the platform publishes it."""
    if given is not None:
        return given
    public = _context(options).get("public")
    if not isinstance(public, str):
        raise CannotTellError("where is the log? Give its URL, a folder, or --context")
    return public + "/log"


def pinned_policy(options: argparse.Namespace, octets: bytes) -> Policy:
    """The keys to believe. Without one, say what there is, and that nothing is verified."""
    try:
        policy = (
            parse_policy(_read_file(options.policy, MAX_NOTE))
            if options.policy
            else Policy((), {}, {}, None)
        )
        texts = list(options.vkey)
        if not texts and not policy.logs and _context(options).get("log_vkey"):
            texts = [_context(options)["log_vkey"]]
        files = [Path(each) for each in texts]
        read = [
            _read_file(text, MAX_NOTE).decode() if "+" not in file.name and file.is_file() else text
            for text, file in zip(texts, files)
        ]
        keys = tuple(parse_vkey(text) for text in read)
    except (ValueError, OSError) as error:
        raise CannotTellError(str(error)) from error
    if not keys and not policy.logs:
        _show_unpinned(options, octets)
    return policy._replace(logs=(*policy.logs, *keys))


def _show_unpinned(options: argparse.Namespace, octets: bytes) -> NoReturn:
    context = _context(options)
    if "api" in context and "tls_ca" in context:
        tls = ssl.create_default_context(cafile=context["tls_ca"])
        answer = Web(context["api"], tls).read("v1/log/vkey", MAX_NOTE)
        try:
            key = parse_vkey(json.loads(answer)["vkey"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CannotTellError(f"the platform's answer has no key: {error!r}") from error
        print(f"key: {key.text}\nits SHA-256 fingerprint: {key.fingerprint}")
    else:
        for signature in parse_checkpoint(octets).note.signatures:
            print(f"signed as: {signature.name}, key id {signature.key_id.hex()}")
    raise CannotTellError(
        "no key is pinned. Get the log's key, compare its fingerprint over another channel, "
        "and give it with --vkey"
    )


class Memory:
    """A folder with what earlier runs verified: a log must contain it, a record continue it."""

    def __init__(self, folder: str | None) -> None:
        self._folder = Path(folder) if folder else None

    def checkpoint(self, origin: str) -> bytes | None:
        """The newest verified checkpoint of a log."""
        return self._get(hashlib.sha256(origin.encode()).hexdigest() + ".checkpoint")

    def keep_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep a verified checkpoint."""
        name = hashlib.sha256(checkpoint.origin.encode()).hexdigest() + ".checkpoint"
        self._put(name, checkpoint.octets)

    def record(self, tenant: str) -> tuple[int, str] | None:
        """Number and digest of the last verified event of a tenant."""
        octets = self._get(_record_name(tenant))
        if octets is None:
            return None
        try:
            kept = json.loads(octets)
            return int(kept["sequence"]), str(kept["digest"])
        except (ValueError, KeyError, TypeError) as error:
            raise CannotTellError(f"what {self._folder} has of {tenant}: {error!r}") from error

    def keep_record(self, record: Record) -> None:
        """Keep where a verified record ended."""
        kept = {"tenant": record.tenant, "sequence": record.sequence, "digest": record.digest}
        self._put(_record_name(record.tenant or ""), json.dumps(kept).encode())

    def _get(self, name: str) -> bytes | None:
        if self._folder is None or not (self._folder / name).exists():
            return None
        return _read_file(str(self._folder / name), MAX_NOTE)

    def _put(self, name: str, octets: bytes) -> None:
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        temporary = self._folder / (name + ".new")
        with temporary.open("wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._folder / name)


def _record_name(tenant: str) -> str:
    return hashlib.sha256(tenant.encode()).hexdigest() + ".record"


def _older(options: argparse.Namespace, policy: Policy, scope: Scope) -> list[Checkpoint]:
    """Checkpoints from before: given, and remembered."""
    kept = [_read_file(name, MAX_NOTE) for name in options.before]
    memory = Memory(options.remember)
    remembered = (memory.checkpoint(key.name) for key in policy.logs)
    kept += [octets for octets in remembered if octets is not None]
    plain = policy._replace(quorum=None)
    return [open_checkpoint(octets, plain, scope, "an older checkpoint") for octets in kept]


def _require_growth(old: Checkpoint, new: Checkpoint) -> None:
    if old.origin != new.origin:
        raise TamperedError("origin.wrong", f"{old.origin} before, {new.origin} now")
    if old.size > new.size:
        detail = f"size {new.size}, but {old.size} was signed before"
        raise TamperedError("log.rolled-back", detail)
    if old.size == new.size and old.root != new.root:
        detail = f"two signed checkpoints of size {old.size}: keep both, they prove it"
        raise TamperedError("log.split-view", detail)


def verify_log(options: argparse.Namespace, scope: Scope) -> str:
    """The whole log."""
    source = open_source(_place(options, options.source))
    octets = source.read("checkpoint", MAX_NOTE)
    policy = pinned_policy(options, octets)
    checkpoint = open_checkpoint(octets, policy, scope, "the checkpoint")
    older = _older(options, policy, scope)
    for old in older:
        _require_growth(old, checkpoint)
    length = None if options.any_entries else LEAF_OCTETS
    tree = LogTree(source, checkpoint, length)
    roots = tree.verify([old.size for old in older if 0 < old.size < checkpoint.size])
    for old in older:
        if roots.get(old.size, old.root) != old.root:
            detail = f"the log does not begin with the one signed at size {old.size}"
            raise TamperedError("log.split-view", detail)
        scope.add(f"the log contains the one of size {old.size} seen before")
    if checkpoint.size:
        scope.add(f"entries 0 to {checkpoint.size - 1}: every leaf hash computed from its entry")
        levels = ", ".join(f"{count} of level {level}" for level, count in enumerate(tree.tiles))
        scope.add(f"tiles: {levels}: every hash computed")
    Memory(options.remember).keep_checkpoint(checkpoint)
    return f"{checkpoint.origin}: {checkpoint.size} leaves, root {checkpoint.root.hex()}"


def verify_consistency(options: argparse.Namespace, scope: Scope) -> str:
    """Growth since a kept checkpoint, with a proof from the tiles."""
    source = open_source(_place(options, options.source))
    octets = source.read("checkpoint", MAX_NOTE)
    policy = pinned_policy(options, octets)
    checkpoint = open_checkpoint(octets, policy, scope, "the checkpoint")
    older = _older(options, policy, scope)
    if not older:
        raise CannotTellError("no older checkpoint: give --before or --remember")
    hashes = TileHashes(source, checkpoint.size)
    for old in older:
        _require_growth(old, checkpoint)
        path = hashes.consistency(old.size)
        require_consistency(old.size, checkpoint.size, old.root, checkpoint.root, path)
        scope.add(f"sizes {old.size} to {checkpoint.size}: consistency proof verified")
    Memory(options.remember).keep_checkpoint(checkpoint)
    return f"{checkpoint.origin}: only grew"


def verify_proof(options: argparse.Namespace, scope: Scope) -> str:
    """One proof file, and what it proves."""
    proof = parse_proof(_read_file(options.file, MAX_NOTE))
    policy = pinned_policy(options, proof.checkpoint)
    checkpoint = open_checkpoint(proof.checkpoint, policy, scope, "the proof's checkpoint")
    entry = _proven_entry(options, scope)
    found = root_from_inclusion(proof.index, checkpoint.size, leaf_hash(entry), proof.path)
    if found != checkpoint.root:
        raise TamperedError("proof.mismatch", f"leaf {proof.index} is another one")
    scope.add(f"leaf {proof.index} of {checkpoint.size}: inclusion proof verified")
    return f"{checkpoint.origin}: leaf {proof.index} is in the log"


def _proven_entry(options: argparse.Namespace, scope: Scope) -> bytes:
    if options.entry is not None:
        try:
            return bytes.fromhex(options.entry)
        except ValueError as error:
            raise CannotTellError("--entry is not hexadecimal") from error
    if options.event is None:
        raise CannotTellError("the proof is of which entry? Give --event FILE or --entry HEX")
    events = parse_export(_read_file(options.event))
    if options.sequence is not None:
        events = [event for event in events if event.sequence == options.sequence]
    if len(events) != 1:
        raise CannotTellError(f"{len(events)} events in {options.event}: choose with --sequence")
    event = events[0]
    record = Record(event.sequence - 1, str(_facts(event).get("previous")))
    record.take(event)
    scope.add(f"event {event.sequence}: digest, {record.disclosed} disclosed values")
    return event.entry()


def verify_events(options: argparse.Namespace, scope: Scope) -> str:
    """A tenant's own record."""
    context = _context(options)
    if options.file:
        events = iter(parse_export(_read_file(options.file)))
    elif {"api", "tls_ca"} <= context.keys():
        events = Api(context, options.token_file).events(0, options.wait)
    else:
        raise CannotTellError("give a file of events, or --context of a running platform")
    memory = Memory(options.remember)
    record, leaves = _require_chain(events, memory)
    scope.add(f"events 1 to {record.sequence} of {record.tenant}: digests, chain, no gap")
    scope.add(f"{record.disclosed} disclosed values: each the committed one")
    if record.withheld:
        scope.leave_out(f"{record.withheld} values that are withheld")
    source = open_source(_place(options, options.log))
    checkpoint = _require_leaves(options, scope, source, leaves)
    if not scope.doubts:
        memory.keep_record(record)
        memory.keep_checkpoint(checkpoint)
    return f"{record.tenant}: {record.sequence} events, {record.refused} of them refusals"


def _require_chain(
    events: Iterator[Event], memory: Memory
) -> tuple[Record, list[tuple[int, int | None, bytes]]]:
    """A record from its first event on, which must contain what is remembered of it."""
    record, leaves, kept = Record(), [], None
    for event in events:
        record.take(event)
        leaves.append((event.sequence, event.index, event.entry()))
        if event.sequence == 1:
            kept = memory.record(str(record.tenant))
        if kept is not None and event.sequence == kept[0] and event.digest != kept[1]:
            raise TamperedError("events.rewritten", f"event {kept[0]} was another one before")
    if kept is not None and record.sequence < kept[0]:
        raise TamperedError("events.cut", f"{kept[0]} events were there before")
    if not leaves:
        raise CannotTellError("there is no event")
    return record, leaves


def _require_leaves(
    options: argparse.Namespace,
    scope: Scope,
    source: Any,
    leaves: Sequence[tuple[int, int | None, bytes]],
) -> Checkpoint:
    octets = source.read("checkpoint", MAX_NOTE)
    policy = pinned_policy(options, octets)
    checkpoint = open_checkpoint(octets, policy, scope, "the checkpoint")
    hashes = TileHashes(source, checkpoint.size)
    for old in _older(options, policy, scope):
        _require_growth(old, checkpoint)
        path = hashes.consistency(old.size)
        require_consistency(old.size, checkpoint.size, old.root, checkpoint.root, path)
        scope.add(f"sizes {old.size} to {checkpoint.size}: consistency proof verified")
    seen = 0
    for sequence, index, entry in leaves:
        if index is None or index >= checkpoint.size:
            scope.doubt(f"event {sequence} is not in the log yet")
            continue
        path = hashes.inclusion(index)
        found = root_from_inclusion(index, checkpoint.size, leaf_hash(entry), path)
        if found != checkpoint.root:
            raise TamperedError("event.leaf", f"event {sequence}: leaf {index} is another one")
        seen += 1
    scope.add(f"{seen} leaves of these events: inclusion proof verified for each")
    return checkpoint


def show_fingerprint(options: argparse.Namespace, scope: Scope) -> str:
    """A key for people."""
    try:
        key = parse_vkey(options.key)
    except ValueError as error:
        raise CannotTellError(str(error)) from error
    scope.add("the key's own id; no signature, no log")
    return f"{key.describe()}\nits SHA-256 fingerprint: {key.fingerprint}"


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("verify.py", description=__doc__, formatter_class=form)
    parser.add_argument("--vkey", action="append", default=[], help="the log's key, or a file")
    parser.add_argument("--policy", help="a tlog-policy file: logs, witnesses, quorum")
    parser.add_argument("--context", help="context.json of a platform; may name the key")
    parser.add_argument("--before", action="append", default=[], help="a checkpoint kept before")
    parser.add_argument("--remember", help="folder: verify against it, and keep there, what I saw")
    commands = parser.add_subparsers(dest="command", required=True)
    whole = commands.add_parser("log", help="the whole log")
    whole.add_argument("source", nargs="?", help="URL or folder; by default the context's")
    whole.add_argument("--any-entries", action="store_true", help="entries of any length")
    whole.set_defaults(run=verify_log)
    proof = commands.add_parser("proof", help="one .tlog-proof")
    proof.add_argument("file")
    proof.add_argument("--event", help="JSON of the event, as GET /v1/events gives it")
    proof.add_argument("--sequence", type=int, help="which one, if the file has several")
    proof.add_argument("--entry", help="the entry itself, in hexadecimal")
    proof.set_defaults(run=verify_proof)
    growth = commands.add_parser("consistency", help="growth since a kept checkpoint")
    growth.add_argument("source", nargs="?", help="URL or folder; by default the context's")
    growth.set_defaults(run=verify_consistency)
    events = commands.add_parser("events", help="a tenant's own events")
    events.add_argument("file", nargs="?", help="a saved JSON export; else from the platform")
    events.add_argument("--log", help="URL or folder; by default the context's")
    events.add_argument("--token-file", help="by default the context's")
    events.add_argument("--wait", type=float, default=15.0, help="seconds for the log to follow")
    events.set_defaults(run=verify_events)
    fingerprint = commands.add_parser("fingerprint", help="a key's fingerprint")
    fingerprint.add_argument("key")
    fingerprint.set_defaults(run=show_fingerprint)
    return parser


def _print_scope(scope: Scope) -> None:
    print("Scope of this run:")
    for line in scope.lines:
        print(f"  checked: {line}")
    for line in scope.doubts:
        print(f"  NOT checked: {line}")
    for line in [*scope.left_out, "ML-DSA signatures", "time-stamp tokens"]:
        print(f"  not in scope: {line}")


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code."""
    options = _parser().parse_args(arguments)
    scope = Scope()
    try:
        said = options.run(options, scope)
    except TamperedError as error:
        _print_scope(scope)
        print(f"TAMPERED {error.code}: {error}")
        return TAMPERED
    except CannotTellError as error:
        _print_scope(scope)
        print(f"CANNOT TELL: {error}")
        return CANNOT_TELL
    _print_scope(scope)
    if scope.doubts:
        print(f"CANNOT TELL: {len(scope.doubts)} things were not checked")
        return CANNOT_TELL
    print(f"VERIFIED {said}")
    return VERIFIED


def main() -> int:
    """Run; whatever goes wrong in here is no verdict."""
    try:
        # Only the encoding of a terminal could fail on a name; escape it instead.
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        code = run()
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 (an exit of 1 would accuse)
        print(f"CANNOT TELL: {error!r}", file=sys.stderr)
        return CANNOT_TELL
    return code


if __name__ == "__main__":
    sys.exit(main())
