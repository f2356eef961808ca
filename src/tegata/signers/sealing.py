"""Sealing: AES-256-GCM under the platform's sealing key, and under tenants' data keys."""

from __future__ import annotations

import hmac
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tegata.kernel.ids import TenantId
from tegata.kernel.ports import Randomness
from tegata.kernel.signing import DataKeyKind

KEY_OCTETS = 32
_NONCE_OCTETS = 12
# Says how the octets after it were sealed, so that the scheme can change one day.
_VERSION = b"\x01"


class SealingRoot(Protocol):
    """The key under which all other keys are kept: a file, or an object in an HSM."""

    def seal(self, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        """AES-256-GCM ciphertext with its tag."""
        ...

    def unseal(self, nonce: bytes, ciphertext: bytes, associated: bytes) -> bytes:
        """The plaintext, or ValueError."""
        ...


class FileSealingRoot:
    """A sealing key kept in a file that only its owner may read."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        """AES-256-GCM ciphertext with its tag."""
        return self._cipher.encrypt(nonce, plaintext, associated)

    def unseal(self, nonce: bytes, ciphertext: bytes, associated: bytes) -> bytes:
        """The plaintext, or ValueError."""
        try:
            return self._cipher.decrypt(nonce, ciphertext, associated)
        except InvalidTag as error:
            raise ValueError("not sealed with this key and these associated data") from error


def load_sealing_key(path: Path, randomness: Randomness, *, first: bool) -> FileSealingRoot:
    """Open the sealing key in a file; ValueError when it is missing or unsafe.

    It is made when this is the `first` run of the node: later a missing key is a lost one.
    """
    if not path.exists():
        if not first:
            raise ValueError(f"the sealing key {path} is missing: nothing can be opened without it")
        _make_key(path, randomness.octets(KEY_OCTETS))
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ValueError("the sealing key's file can be read by others: set its mode to 0600")
    key = path.read_bytes()
    if len(key) != KEY_OCTETS:
        raise ValueError("the sealing key's file does not hold a 256-bit key")
    return FileSealingRoot(key)


def _make_key(path: Path, key: bytes) -> None:
    """Durably, and whole or not at all; a key that somebody else has made meanwhile stays."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        os.link(temporary, path)
    temporary.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class RecordSealer:
    """Seals records under the sealing root, each bound to what it is."""

    def __init__(self, root: SealingRoot, randomness: Randomness) -> None:
        self._root = root
        self._randomness = randomness

    def seal(self, plaintext: bytes, context: str) -> bytes:
        """Seal, bound to `context`."""
        nonce = self._randomness.octets(_NONCE_OCTETS)
        return _VERSION + nonce + self._root.seal(nonce, plaintext, context.encode())

    def unseal(self, sealed: bytes, context: str) -> bytes:
        """Unseal, or ValueError when the context or the octets differ."""
        if sealed[:1] != _VERSION:
            raise ValueError("sealed in a way that this version does not know")
        nonce, ciphertext = sealed[1 : 1 + _NONCE_OCTETS], sealed[1 + _NONCE_OCTETS :]
        return self._root.unseal(nonce, ciphertext, context.encode())


class TenantSealer:
    """Seals under one data key of one tenant; the tenant stands in the associated data."""

    def __init__(
        self, key: bytes, tenant: TenantId, kind: DataKeyKind, randomness: Randomness
    ) -> None:
        self._sealer = RecordSealer(FileSealingRoot(key), randomness)
        self._prefix = f"{tenant}|{kind}|"
        # A key of its own (NIST SP 800-108 section 4.1): what seals makes no pseudonyms.
        self._secret = hmac.digest(key, f"tegata pseudonym|{self._prefix}".encode(), "sha256")

    def seal(self, plaintext: bytes, context: str) -> bytes:
        """Seal; `context` names the column and row."""
        return self._sealer.seal(plaintext, self._prefix + context)

    def unseal(self, sealed: bytes, context: str) -> bytes:
        """Unseal, or ValueError when tenant, kind, context or octets differ."""
        return self._sealer.unseal(sealed, self._prefix + context)

    def pseudonym(self, octets: bytes, context: str) -> bytes:
        """HMAC-SHA-256 under a key derived from the data key."""
        return hmac.digest(self._secret, context.encode() + b"\x00" + octets, "sha256")


MakeSealer = Callable[[bytes, TenantId, DataKeyKind], TenantSealer]
