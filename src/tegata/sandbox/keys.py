"""The sandbox's folder: keys made when they are first wanted, and its first day.

Making an RSA key takes a tenth of a second, so nothing is made ahead. Two processes may share a
folder: whoever is first to put a file in place has made it, the other takes what is there.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tegata.kernel.ports import Clock

_RSA_BITS = 2048


class SandboxError(Exception):
    """The sandbox's folder cannot be used; the message says why."""


class Cabinet:
    """The sandbox's folder. Its keys protect nothing: every one of them is a simulation's."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        # Threads of one process take turns; who reads, changes and writes holds it all the while.
        self.turn = threading.RLock()
        self._clock = clock
        self._rsa: dict[str, rsa.RSAPrivateKey] = {}
        self._ec: dict[str, ec.EllipticCurvePrivateKey] = {}
        self._kept: dict[str, tuple[tuple[int, int, int], Mapping[str, object]]] = {}

    def first_day(self) -> datetime:
        """Midnight (UTC) of the day on which this sandbox was made."""
        file = self.folder / "first-day"
        with self.turn:
            if not file.exists():
                self._put(file, self._clock.now().date().isoformat().encode())
        try:
            day = date.fromisoformat(file.read_text())
        except ValueError as error:
            raise SandboxError(f"{file}: not a date") from error
        return datetime.combine(day, time(), UTC)

    def rsa_key(self, name: str) -> rsa.RSAPrivateKey:
        """The RSA key of a name, made on first use."""
        with self.turn:
            if name not in self._rsa:
                file = self.folder / "keys" / f"{name}.pem"
                if not file.exists():
                    self._put(file, _pem(rsa.generate_private_key(65537, _RSA_BITS)))
                key = _load(file)
                if not isinstance(key, rsa.RSAPrivateKey):
                    raise SandboxError(f"{file}: not an RSA key")
                self._rsa[name] = key
            return self._rsa[name]

    def ec_key(self, name: str) -> ec.EllipticCurvePrivateKey:
        """The P-256 key of a name, made on first use."""
        with self.turn:
            if name not in self._ec:
                file = self.folder / "keys" / f"{name}.pem"
                if not file.exists():
                    self._put(file, _pem(ec.generate_private_key(ec.SECP256R1())))
                key = _load(file)
                if not isinstance(key, ec.EllipticCurvePrivateKey):
                    raise SandboxError(f"{file}: not a P-256 key")
                self._ec[name] = key
            return self._ec[name]

    def read(self, name: str) -> Mapping[str, object]:
        """A JSON object kept in the folder; empty while it was never written. Not to be changed.

        Another process may write it: it is parsed again when it is another file.
        """
        file = self.folder / name
        try:
            stat = file.stat()
            seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            kept = self._kept.get(name)
            if kept is not None and kept[0] == seen:
                return kept[1]
            found = json.loads(file.read_text())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise SandboxError(f"{file}: {error}") from error
        if not isinstance(found, dict):
            raise SandboxError(f"{file}: not an object")
        self._kept[name] = seen, found
        return found

    def write(self, name: str, value: dict[str, object]) -> None:
        """Keep a JSON object in the folder, at once or not at all."""
        file = self.folder / name
        with self.turn:
            temporary = _written(file, json.dumps(value, ensure_ascii=False).encode())
            temporary.replace(file)

    def _put(self, file: Path, octets: bytes) -> None:
        temporary = _written(file, octets)
        try:
            # Unlike a rename, a link never takes the place of what another process has put there.
            os.link(temporary, file)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()


def _written(file: Path, octets: bytes) -> Path:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(octets)
    return temporary


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _load(file: Path) -> object:
    try:
        return load_pem_private_key(file.read_bytes(), None)
    except (ValueError, TypeError) as error:
        raise SandboxError(f"{file}: not a private key") from error
