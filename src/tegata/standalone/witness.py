#!/usr/bin/env python3
"""A witness of transparency logs on a machine of your own (c2sp.org/tlog-witness).

One file; Python 3.9 or newer and nothing else. It shares no code with the platform.

    witness.py keygen --name witness.example.com --key witness.key --state witness.db
    witness.py serve --key witness.key --state witness.db --log VKEY [--log VKEY ...]
    witness.py vkey --key witness.key

It cosigns a log's checkpoint only if that log has grown, and only grown, from the last one that it
cosigned. What it cosigned is on disk before it answers. Give its vkey to those who rely on it, and
its URL to the log.

    POST /add-checkpoint                        a log asks for a cosignature
    GET  /<hex SHA-256 of the origin>/checkpoint  the last checkpoint that it cosigned

Never restore the state file from a backup, and never run the key with another state file: the
witness would forget what it promised. Requests need no secrecy (checkpoints are public and
signed), so it speaks plain HTTP; put a TLS proxy before it if you want one.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import contextlib
import hashlib
import http.server
import json
import os
import re
import secrets
import signal
import socket
import sqlite3
import sys
import threading
import time
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ED25519, COSIGNATURE = 0x01, 0x04
HASH = 32
MAX_SIZE = 2**63 - 1
MAX_PROOF = 63
MAX_SIGNATURES = 64
MAX_BODY = 256 * 1024
REQUEST_SECONDS = 15.0
REQUESTS_AT_ONCE = 32
# A clock may be set back this much without a cosignature being dated before the one before.
CLOCK_SECONDS = 5
EMPTY_ROOT = hashlib.sha256(b"").digest()
KEY_LABEL = "PRIVATE+KEY"


class RefusedError(Exception):
    """A request that is answered with a status of the protocol."""

    def __init__(self, status: int, detail: str, size: int | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.size = size


class UnusableError(Exception):
    """The witness cannot run like this."""


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
    """A ladder: the same additions for every scalar, because some scalars are secret.

    Python's integers do not take the same time for every value; see docs/how-to/verify-the-log.md.
    """
    rungs = [_NEUTRAL, point]
    for place in range(255, -1, -1):
        bit = scalar >> place & 1
        both = _add(rungs[0], rungs[1])
        rungs[bit] = _add(rungs[bit], rungs[bit])
        rungs[1 - bit] = both
    return rungs[0]


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
    """Whether an Ed25519 public key is a point of more than small order."""
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


def _expand(seed: bytes) -> tuple[int, bytes]:
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little") & ((1 << 254) - 8) | 1 << 254
    return scalar, digest[32:]


def public_key(seed: bytes) -> bytes:
    """The public key of a 32-octet seed (RFC 8032 section 5.1.5)."""
    return _encode_point(_multiply(_expand(seed)[0], _BASE))


def sign(seed: bytes, public: bytes, message: bytes) -> bytes:
    """An Ed25519 signature (RFC 8032 section 5.1.6); `public` is the seed's."""
    scalar, prefix = _expand(seed)
    nonce = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % _L
    commitment = _encode_point(_multiply(nonce, _BASE))
    digest = hashlib.sha512(commitment + public + message).digest()
    challenge = int.from_bytes(digest, "little") % _L
    return commitment + ((nonce + challenge * scalar) % _L).to_bytes(32, "little")


# ------------------------------------------------------------------ keys, notes, requests


def _base64(text: str) -> bytes:
    """Decode base64 in its one form. ValueError for anything else."""
    octets = base64.b64decode(text.encode("ascii"), validate=True)
    if not octets or base64.b64encode(octets).decode() != text:
        raise ValueError("not base64")
    return octets


def _decimal(text: str) -> int:
    if not re.fullmatch("0|[1-9][0-9]{0,18}", text) or int(text) > MAX_SIZE:
        raise ValueError("not a size")
    return int(text)


def _is_key_name(name: str) -> bool:
    spaces = any(each.isspace() or each < " " for each in name)
    return bool(name) and "+" not in name and not spaces


def key_id(name: str, typed: bytes) -> bytes:
    """The id of a key: `typed` is its type octet and itself (c2sp.org/signed-note)."""
    return hashlib.sha256(name.encode() + b"\n" + typed).digest()[:4]


class LogKey(NamedTuple):
    """The Ed25519 key of a log."""

    origin: str
    id: bytes
    public: bytes


def parse_log_key(text: str) -> LogKey:
    """Read a log's vkey. ValueError for anything else."""
    name, _, rest = text.strip().partition("+")
    identifier, _, encoded = rest.partition("+")
    typed = _base64(encoded)
    if not _is_key_name(name) or key_id(name, typed).hex() != identifier:
        raise ValueError("not a verifier key, or with another id")
    if typed[0] != ED25519 or not is_usable_key(typed[1:]):
        raise ValueError("not an Ed25519 key of a log")
    return LogKey(name, bytes.fromhex(identifier), typed[1:])


class WitnessKey(NamedTuple):
    """The witness's own name and seed."""

    name: str
    seed: bytes

    @property
    def typed(self) -> bytes:
        """Type octet and public key."""
        return bytes([COSIGNATURE]) + public_key(self.seed)

    @property
    def vkey(self) -> str:
        """The key for those who rely on the witness."""
        typed = self.typed
        return f"{self.name}+{key_id(self.name, typed).hex()}+{base64.b64encode(typed).decode()}"

    def private(self) -> str:
        """What the key file holds."""
        typed = bytes([COSIGNATURE]) + self.seed
        identifier = key_id(self.name, self.typed).hex()
        return f"{KEY_LABEL}+{self.name}+{identifier}+{base64.b64encode(typed).decode()}\n"


def parse_private_key(text: str) -> WitnessKey:
    """Read a key file. ValueError for anything else."""
    label, private, name, identifier, encoded = text.strip().split("+", 4)
    typed = _base64(encoded)
    if f"{label}+{private}" != KEY_LABEL or typed[0] != COSIGNATURE or len(typed) != 33:
        raise ValueError("not a witness's key")
    key = WitnessKey(name, typed[1:])
    if not _is_key_name(name) or key_id(name, key.typed).hex() != identifier:
        raise ValueError("the key's id is another one")
    return key


class Signature(NamedTuple):
    """A signature line of a note."""

    line: str
    name: str
    key_id: bytes
    blob: bytes


class Request(NamedTuple):
    """An add-checkpoint request; `text` is the checkpoint without its signatures."""

    old: int
    proof: list[bytes]
    text: bytes
    origin: str
    size: int
    root: bytes
    signatures: list[Signature]


def parse_request(body: bytes) -> Request:
    """Read a request. `RefusedError` 400 for what is none."""
    try:
        whole = body.decode("utf-8")
        if any(each < " " and each != "\n" for each in whole):
            raise RefusedError(400, "control characters")
        head, _, note = whole.partition("\n\n")
        first, *lines = head.split("\n")
        if not first.startswith("old ") or len(lines) > MAX_PROOF:
            raise RefusedError(400, "no old size, or more than 63 hashes")
        proof = [_base64(line) for line in lines]
        if any(len(each) != HASH for each in proof):
            raise RefusedError(400, "a hash that is no SHA-256 value")
        return _parse_note(_decimal(first[4:]), proof, note)
    except (ValueError, UnicodeError) as error:
        raise RefusedError(400, f"not an add-checkpoint request: {error}") from error


def _parse_note(old: int, proof: list[bytes], note: str) -> Request:
    text, divider, lines = note.rpartition("\n\n")
    if not divider or not lines.endswith("\n"):
        raise RefusedError(400, "the checkpoint has no signatures")
    listed = lines[:-1].split("\n")
    if len(listed) > MAX_SIGNATURES:
        raise RefusedError(400, "the checkpoint has too many signatures")
    origin, size, root, *extensions = text.split("\n")
    if not origin or not all(extensions) or len(_base64(root)) != HASH:
        raise RefusedError(400, "not a checkpoint")
    signatures = [_parse_signature(line) for line in listed]
    octets = (text + "\n").encode()
    return Request(old, proof, octets, origin, _decimal(size), _base64(root), signatures)


def _parse_signature(line: str) -> Signature:
    name, space, encoded = line[2:].partition(" ")
    if not line.startswith("\u2014 ") or not space or not _is_key_name(name):
        raise RefusedError(400, "not a signature line")
    blob = _base64(encoded)
    return Signature(line, name, blob[:4], blob[4:])


def is_consistent(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether one tree begins with the other (RFC 9162 section 2.1.4.2)."""
    if old in (0, new):
        empty = old_root == EMPTY_ROOT if old == 0 else old_root == new_root
        return not proof and empty and (new != 0 or new_root == EMPTY_ROOT)
    hashes = list(proof)
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    # The proof from a complete older tree leaves its root out.
    start = old_root if node == 0 else (hashes.pop(0) if hashes else b"")
    first = second = start
    for sibling in hashes:
        if last == 0:
            return False
        if node & 1 or node == last:
            first, second = _node(sibling, first), _node(sibling, second)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            second = _node(second, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


# ------------------------------------------------------------------------------- state


class Known(NamedTuple):
    """The last checkpoint cosigned of a log."""

    size: int
    root: bytes
    time: int


class State:
    """What was cosigned, on disk. One transaction at a time, in this process and any other."""

    def __init__(self, file: Path, vkey: str) -> None:
        if not file.exists():
            raise UnusableError(f"{file} is missing: a witness that forgot must not sign")
        self._lock = threading.Lock()
        try:
            self._database = _open_database(file)
            (owner,) = self._database.execute("SELECT vkey FROM owner").fetchone()
        except (sqlite3.Error, TypeError) as error:
            raise UnusableError(f"{file}: {error}") from error
        if owner != vkey:
            raise UnusableError(f"{file} is the state of another key: {owner}")

    @staticmethod
    def create(file: Path, vkey: str) -> None:
        """Make a new, empty state; there must be none."""
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        database = _open_database(file)
        database.execute("BEGIN IMMEDIATE")
        database.execute("CREATE TABLE owner (vkey TEXT NOT NULL)")
        database.execute(
            "CREATE TABLE cosigned (origin TEXT PRIMARY KEY, digest TEXT NOT NULL UNIQUE,"
            " size INTEGER NOT NULL, root BLOB NOT NULL, time INTEGER NOT NULL,"
            " note TEXT NOT NULL)"
        )
        database.execute("INSERT INTO owner VALUES (?)", (vkey,))
        database.execute("COMMIT")
        database.close()

    @contextlib.contextmanager
    def changing(self) -> Iterator[State]:
        """Nobody else reads or writes until the block has ended; then it is on disk."""
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    def known(self, origin: str) -> Known:
        """What is known of a log; an empty tree at first."""
        query = "SELECT size, root, time FROM cosigned WHERE origin = ?"
        row = self._database.execute(query, (origin,)).fetchone()
        return Known(*row) if row else Known(0, EMPTY_ROOT, 0)

    def keep(self, request: Request, seconds: int, note: str) -> None:
        """Note a checkpoint as cosigned."""
        digest = hashlib.sha256(request.origin.encode()).hexdigest()
        values = (request.origin, digest, request.size, request.root, seconds, note)
        self._database.execute("REPLACE INTO cosigned VALUES (?, ?, ?, ?, ?, ?)", values)

    def note(self, digest: str) -> str | None:
        """The last cosigned checkpoint of the log whose origin has this digest."""
        query = "SELECT note FROM cosigned WHERE digest = ?"
        with self._lock:
            row = self._database.execute(query, (digest,)).fetchone()
        return row[0] if row else None


def _open_database(file: Path) -> sqlite3.Connection:
    database = sqlite3.connect(file, timeout=10, isolation_level=None, check_same_thread=False)
    # A commit has reached the disk, journal's folder included, when it returns.
    database.execute("PRAGMA synchronous = EXTRA")
    database.execute("PRAGMA fullfsync = ON")
    return database


# ----------------------------------------------------------------------------- witness


class Witness:
    """Cosigns what has only grown."""

    def __init__(self, key: WitnessKey, state: State, logs: Sequence[LogKey]) -> None:
        self._key = key
        self._public = public_key(key.seed)
        self._id = key_id(key.name, key.typed)
        self._state = state
        self._logs = logs

    def add_checkpoint(self, body: bytes, now: int) -> str:
        """The cosignature line for a request. `RefusedError` with the protocol's status."""
        request = parse_request(body)
        signed = self._require_signature(request)
        if request.old > request.size:
            raise RefusedError(400, "the old size is larger than the checkpoint's")
        with self._state.changing() as state:
            known = state.known(request.origin)
            if request.old != known.size:
                raise RefusedError(409, "another size is known", known.size)
            if not is_consistent(known.size, request.size, known.root, request.root, request.proof):
                raise RefusedError(422, "not proven to continue what is known")
            if now + CLOCK_SECONDS < known.time:
                raise RefusedError(503, "this witness's clock has gone back")
            seconds = max(now, known.time)
            line = self._cosign(request.text, seconds)
            note = request.text.decode() + "\n" + "".join(f"{each}\n" for each in signed) + line
            state.keep(request, seconds, note)
        return line

    def checkpoint(self, digest: str) -> str:
        """The last cosigned checkpoint of a log."""
        note = self._state.note(digest)
        if note is None:
            raise RefusedError(404, "no checkpoint of such a log was cosigned")
        return note

    def _require_signature(self, request: Request) -> list[str]:
        """The lines of the log's own signatures, all of which verify."""
        keys = [key for key in self._logs if key.origin == request.origin]
        if not keys:
            raise RefusedError(404, "not a log that this witness follows")
        found = []
        for each in request.signatures:
            for key in keys:
                if (each.name, each.key_id) == (key.origin, key.id):
                    if not is_signed(key.public, request.text, each.blob):
                        raise RefusedError(403, "the log's signature does not verify")
                    found.append(each.line)
        if not found:
            raise RefusedError(403, "no signature of the log's known key")
        return found

    def _cosign(self, text: bytes, seconds: int) -> str:
        message = b"cosignature/v1\ntime %d\n" % seconds + text
        blob = self._id + seconds.to_bytes(8, "big") + sign(self._key.seed, self._public, message)
        return f"\u2014 {self._key.name} {base64.b64encode(blob).decode()}\n"


class Handler(http.server.BaseHTTPRequestHandler):
    """The protocol over HTTP/1.1."""

    protocol_version = "HTTP/1.1"
    server_version = "tegata-witness"
    sys_version = ""
    timeout = REQUEST_SECONDS
    witness: Witness

    def handle_one_request(self) -> None:
        """Handle a request that is whole in time; a slow one loses its connection, not a place."""
        timer = threading.Timer(REQUEST_SECONDS, self._cut)
        timer.daemon = True
        timer.start()
        try:
            super().handle_one_request()
        finally:
            timer.cancel()

    def _cut(self) -> None:
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def do_POST(self) -> None:
        """add-checkpoint."""
        # Whatever is left of a refused body must not be read as the next request.
        self.close_connection = True
        if self.path != "/add-checkpoint":
            return self._answer(404, "no such resource\n")
        try:
            body = self._body()
            self._answer(200, self.witness.add_checkpoint(body, int(time.time())))
        except RefusedError as error:
            self._refuse(error)
        except sqlite3.Error as error:
            self.log_error("%s", error)
            self._answer(503, "the state cannot be written\n")
        return None

    def do_GET(self) -> None:
        """The last checkpoint of a log."""
        match = re.fullmatch("/([0-9a-f]{64})/checkpoint", self.path)
        try:
            self._answer(200, self.witness.checkpoint(match[1] if match else ""))
        except RefusedError as error:
            self._refuse(error)

    def _body(self) -> bytes:
        length = self.headers.get("content-length", "")
        if self.headers.get("transfer-encoding") or not re.fullmatch("[0-9]{1,9}", length):
            raise RefusedError(411, "a request needs a Content-Length")
        if int(length) > MAX_BODY:
            raise RefusedError(413, f"more than {MAX_BODY} octets")
        body = self.rfile.read(int(length))
        if len(body) != int(length):
            raise RefusedError(400, "the body ended early")
        self.close_connection = self.headers.get("connection", "").lower() == "close"
        return body

    def _refuse(self, error: RefusedError) -> None:
        if error.size is not None:
            self._answer(error.status, f"{error.size}\n", "text/x.tlog.size")
        else:
            self._answer(error.status, f"{error}\n")

    def _answer(self, status: int, text: str, kind: str = "text/plain; charset=utf-8") -> None:
        octets = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(octets)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(octets)


class Server(http.server.ThreadingHTTPServer):
    """A bounded number of requests at once; more wait in the listen queue."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], witness: Witness) -> None:
        self._places = threading.BoundedSemaphore(REQUESTS_AT_ONCE)
        handler = type("BoundHandler", (Handler,), {"witness": witness})
        super().__init__(address, handler)

    def process_request_thread(self, request: object, client_address: object) -> None:
        """Handle a request in the place that was taken for it."""
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self._places.release()

    def process_request(self, request: object, client_address: object) -> None:
        """Take a place, or turn the connection away."""
        if not self._places.acquire(timeout=REQUEST_SECONDS):
            self.shutdown_request(request)  # type: ignore[arg-type]
            return
        super().process_request(request, client_address)  # type: ignore[arg-type]


# ----------------------------------------------------------------------------- commands


def keygen(options: argparse.Namespace) -> None:
    """Make a key and its empty state."""
    if not _is_key_name(options.name):
        raise UnusableError("a name has no spaces and no plus sign")
    key = WitnessKey(options.name, secrets.token_bytes(32))
    State.create(Path(options.state), key.vkey)
    descriptor = os.open(options.key, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(key.private())
        file.flush()
        os.fsync(file.fileno())
    print(key.vkey)


def show_vkey(options: argparse.Namespace) -> None:
    """Print the key for those who rely on it."""
    print(_read_key(options.key).vkey)


def serve(options: argparse.Namespace) -> None:
    """Answer until it is ended."""
    key = _read_key(options.key)
    texts = list(options.log)
    if options.logs:
        lines = Path(options.logs).read_text().splitlines()
        texts += [line for line in lines if line.strip() and not line.startswith("#")]
    if not texts:
        raise UnusableError("give --log or --logs: which logs it follows")
    logs = [parse_log_key(text) for text in texts]
    witness = Witness(key, State(Path(options.state), key.vkey), logs)
    host, _, port = options.listen.rpartition(":")
    if ":" in host:
        Server.address_family = socket.AF_INET6
    server = Server((host.strip("[]"), int(port)), witness)
    signal.signal(signal.SIGTERM, _end)
    url = f"http://{host}:{server.server_address[1]}"
    print(json.dumps({"ready": True, "url": url, "vkey": key.vkey}), flush=True)
    server.serve_forever()


def _end(_number: int, _frame: types.FrameType | None) -> None:
    # Nothing is lost: what was answered is on disk, what was not is as if never asked.
    os._exit(0)


def _read_key(file: str) -> WitnessKey:
    return parse_private_key(Path(file).read_text())


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("witness.py", description=__doc__, formatter_class=form)
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("keygen", help="make a key and its state; print the vkey")
    making.add_argument("--name", required=True, help="such as witness.example.com")
    making.set_defaults(run=keygen)
    showing = commands.add_parser("vkey", help="print the vkey")
    showing.set_defaults(run=show_vkey)
    serving = commands.add_parser("serve", help="cosign")
    serving.add_argument("--log", action="append", default=[], help="a log's vkey (Ed25519)")
    serving.add_argument("--logs", help="a file of vkeys, one a line")
    serving.add_argument("--listen", default="127.0.0.1:8095", help="HOST:PORT")
    serving.set_defaults(run=serve)
    for command in (making, showing, serving):
        command.add_argument("--key", required=True, help="the private key's file")
    for command in (making, serving):
        command.add_argument("--state", required=True, help="what it has cosigned")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except KeyboardInterrupt:
        return 0
    except (OSError, ValueError, binascii.Error, UnusableError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
