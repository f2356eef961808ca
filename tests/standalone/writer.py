"""A small writer of tiled logs, from the RFC's definition: it shares nothing with what reads them.

The tree hash is the recursion of RFC 6962 section 2.1, as it stands there.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NOTE, COSIGNATURE, ML_DSA_44 = 1, 4, 6


def entry(number: int) -> bytes:
    """Some entry of 32 octets."""
    return hashlib.sha256(b"entry %d" % number).digest()


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    """MTH(D[n]) (RFC 6962 section 2.1)."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = largest_power_below(len(leaves))
    return hashlib.sha256(b"\x01" + tree_hash(leaves[:k]) + tree_hash(leaves[k:])).digest()


def inclusion(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D[n]) (RFC 6962 section 2.1.1)."""
    if len(leaves) == 1:
        return []
    k = largest_power_below(len(leaves))
    if m < k:
        return [*inclusion(m, leaves[:k]), tree_hash(leaves[k:])]
    return [*inclusion(m - k, leaves[k:]), tree_hash(leaves[:k])]


def consistency(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PROOF(m, D[n]) (RFC 6962 section 2.1.2)."""
    return _subproof(m, leaves, whole=True) if 0 < m < len(leaves) else []


def _subproof(m: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    if m == len(leaves):
        return [] if whole else [tree_hash(leaves)]
    k = largest_power_below(len(leaves))
    if m <= k:
        return [*_subproof(m, leaves[:k], whole=whole), tree_hash(leaves[k:])]
    return [*_subproof(m - k, leaves[k:], whole=False), tree_hash(leaves[:k])]


def largest_power_below(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


@dataclass(frozen=True)
class Signer:
    """A named Ed25519 key of the types that sign notes and cosign checkpoints."""

    name: str
    kind: int = NOTE
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def public(self) -> bytes:
        """Type octet and key."""
        return bytes([self.kind]) + self.key.public_key().public_bytes_raw()

    @property
    def id(self) -> bytes:
        """The key's id."""
        return hashlib.sha256(self.name.encode() + b"\n" + self.public).digest()[:4]

    @property
    def vkey(self) -> str:
        """The key for verifiers."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(self.public).decode()}"

    def line(self, text: str, time: int = 1_700_000_000) -> str:
        """A signature line under a text."""
        if self.kind == NOTE:
            blob = self.key.sign(text.encode())
        else:
            signed = f"cosignature/v1\ntime {time}\n{text}".encode()
            blob = time.to_bytes(8, "big") + self.key.sign(signed)
        return f"\u2014 {self.name} {base64.b64encode(self.id + blob).decode()}\n"


def checkpoint_text(origin: str, size: int, root: bytes) -> str:
    """The body of a checkpoint."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


@dataclass
class WrittenLog:
    """A log in memory that can be written to a folder, whole or forged."""

    signer: Signer
    entries: list[bytes]
    witnesses: list[Signer] = field(default_factory=list)
    time: int = 1_700_000_000

    def checkpoint(self, size: int | None = None) -> str:
        """The signed and cosigned checkpoint of the whole log, or of an earlier size."""
        leaves = self.entries if size is None else self.entries[:size]
        text = checkpoint_text(self.signer.name, len(leaves), tree_hash(leaves))
        lines = "".join(each.line(text, self.time) for each in (self.signer, *self.witnesses))
        return f"{text}\n{lines}"

    def proof(self, index: int, size: int | None = None) -> str:
        """A .tlog-proof file."""
        leaves = self.entries if size is None else self.entries[:size]
        path = [base64.b64encode(each).decode() for each in inclusion(index, leaves)]
        return "\n".join(
            ["c2sp.org/tlog-proof@v1", f"index {index}", *path, "", self.checkpoint(size)]
        )

    def write(self, folder: Path) -> Path:
        """Write checkpoint, tiles and bundles as C2SP tlog-tiles names them."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "checkpoint").write_text(self.checkpoint())
        for start in range(0, len(self.entries), 256):
            part = self.entries[start : start + 256]
            octets = b"".join(len(each).to_bytes(2, "big") + each for each in part)
            put(folder / tile_name("entries", start // 256, len(part)), octets)
        level, row = 0, [hashlib.sha256(b"\x00" + each).digest() for each in self.entries]
        while row:
            for start in range(0, len(row), 256):
                part = row[start : start + 256]
                put(folder / tile_name(str(level), start // 256, len(part)), b"".join(part))
            full = range(0, len(row) - len(row) % 256, 256)
            row = [_join(row[start : start + 256]) for start in full]
            level += 1
        return folder


def _join(hashes: Sequence[bytes]) -> bytes:
    if len(hashes) == 1:
        return hashes[0]
    half = len(hashes) // 2
    return hashlib.sha256(b"\x01" + _join(hashes[:half]) + _join(hashes[half:])).digest()


def tile_name(level: str, number: int, width: int) -> str:
    """The path of a tile."""
    digits = f"{number:03}"
    digits = "0" * (-len(digits) % 3) + digits
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return f"tile/{level}/{path}" + (f".p/{width}" if width < 256 else "")


def put(file: Path, octets: bytes) -> None:
    """Write a file and the folders that lead to it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(octets)


def flip(file: Path, at: int = 0) -> None:
    """Change one bit of a file; `at` counts octets, from the end if negative."""
    octets = bytearray(file.read_bytes())
    octets[at] ^= 1
    file.write_bytes(octets)
