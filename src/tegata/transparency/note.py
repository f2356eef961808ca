"""Signed notes and their keys (C2SP signed-note), and the two kinds of cosignatures beside them.

A key has a name and a type, and signs what that type says: the text itself (Ed25519), or a
statement about the checkpoint at an instant (C2SP tlog-cosignature).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from tegata.kernel.signing import SignatureAlgorithm
from tegata.pkix.signatures import SignatureInvalid, verify
from tegata.transparency.checkpoint import parse_checkpoint

# C2SP signed-note: verifiers accept at least 16. One of ML-DSA-44 has 3.3 KB of base64.
SIGNATURES_MAXIMUM = 64
NOTE_MAXIMUM = 256 * 1024
_DASH = "\u2014 "
_KEY_ID_OCTETS = 4
_TIME_OCTETS = 8
TIME_MAXIMUM = 2**63 - 1
# How a SubjectPublicKeyInfo of these keys begins (RFC 8410 section 4, RFC 9881 section 4).
_ED25519_SPKI = bytes.fromhex("302a300506032b6570032100")
_ML_DSA_44_SPKI = bytes.fromhex("30820532300b06096086480165030403110382052100")


class NoteInvalid(ValueError):
    """A note, key or signature that is not to be believed; the message says why."""


class SignatureType(IntEnum):
    """What a key's signature is over (C2SP signed-note, tlog-cosignature)."""

    ED25519 = 0x01
    COSIGNATURE_ED25519 = 0x04
    COSIGNATURE_ML_DSA_44 = 0x06

    @property
    def is_timed(self) -> bool:
        """Whether a signature carries the instant at which it was made."""
        return self is not SignatureType.ED25519


_KEY_OCTETS = {
    SignatureType.ED25519: 32,
    SignatureType.COSIGNATURE_ED25519: 32,
    SignatureType.COSIGNATURE_ML_DSA_44: 1312,
}
_SIGNATURE_OCTETS = {
    SignatureType.ED25519: 64,
    SignatureType.COSIGNATURE_ED25519: 64,
    SignatureType.COSIGNATURE_ML_DSA_44: 2420,
}


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key by its name and type; `key` is raw, not a SubjectPublicKeyInfo."""

    name: str
    type: SignatureType
    key: bytes

    @property
    def id(self) -> bytes:
        """The four octets that name the key in a signature line, beside its name."""
        head = f"{self.name}\n".encode() + bytes([self.type])
        return hashlib.sha256(head + self.key).digest()[:_KEY_ID_OCTETS]

    def text(self) -> str:
        """The key as it is given to others: name, id and key joined by plus signs (a vkey)."""
        key = base64.b64encode(bytes([self.type]) + self.key).decode("ascii")
        return f"{self.name}+{self.id.hex()}+{key}"

    def public_key(self) -> bytes:
        """Its SubjectPublicKeyInfo."""
        is_ml_dsa = self.type is SignatureType.COSIGNATURE_ML_DSA_44
        return (_ML_DSA_44_SPKI if is_ml_dsa else _ED25519_SPKI) + self.key


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature line: the name and id of its key, and the octets after the id."""

    name: str
    key_id: bytes
    octets: bytes

    def line(self) -> str:
        """The line, with the line feed that ends it."""
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.octets).decode()}\n"

    @property
    def time(self) -> int:
        """When a timed signature was made, in Unix seconds; 0 when it does not say so."""
        return int.from_bytes(self.octets[:_TIME_OCTETS], "big")


@dataclass(frozen=True, slots=True)
class Note:
    """A text, ending in a line feed, and its signatures; nothing of it is verified yet."""

    text: str
    signatures: tuple[Signature, ...]

    def encode(self) -> str:
        """The note as it is published."""
        return self.text + "\n" + "".join(signature.line() for signature in self.signatures)

    def signed_by(self, *keys: VerifierKey) -> list[Signature]:
        """The verified signatures of known keys.

        `NoteInvalid` when a known key's signature does not verify: that note is not to be
        believed at all. Signatures of unknown keys are left out.
        """
        known = {(key.name, key.id): key for key in keys}
        found = []
        for signature in self.signatures:
            key = known.get((signature.name, signature.key_id))
            if key is not None:
                verify_signature(key, self.text, signature)
                found.append(signature)
        return found


def verifier_key(name: str, kind: SignatureType, public_key: bytes) -> VerifierKey:
    """The verifier key of a SubjectPublicKeyInfo."""
    require_key_name(name)
    return VerifierKey(name, kind, public_key[-_KEY_OCTETS[kind] :])


def parse_verifier_key(text: str) -> VerifierKey:
    """Read a vkey; `NoteInvalid` when it is not one, or not of a known type."""
    name, separator, rest = text.strip().partition("+")
    key_id, second, encoded = rest.partition("+")
    if not separator or not second:
        raise NoteInvalid("a verifier key is NAME+ID+KEY")
    require_key_name(name)
    octets = _base64(encoded, "a verifier key")
    try:
        kind = SignatureType(octets[0])
    except (IndexError, ValueError) as error:
        raise NoteInvalid("a verifier key of an unknown type") from error
    if len(octets) != 1 + _KEY_OCTETS[kind]:
        raise NoteInvalid("a verifier key of another length than its type's")
    key = VerifierKey(name, kind, octets[1:])
    if key.id.hex() != key_id:
        raise NoteInvalid("a verifier key whose id is not that of its name and key")
    return key


def require_key_name(name: str) -> None:
    """Refuse what cannot be a key's name; `NoteInvalid`."""
    if not name or "+" in name or any(each.isspace() or each < " " for each in name):
        raise NoteInvalid("a key's name is empty, or has a space or a plus sign")


def parse_note(octets: bytes) -> Note:
    """Read a note; `NoteInvalid` when it is not one."""
    if len(octets) > NOTE_MAXIMUM:
        raise NoteInvalid("a note is too long")
    try:
        whole = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NoteInvalid("a note is not UTF-8") from error
    if any(each < " " and each != "\n" for each in whole):
        raise NoteInvalid("a note has control characters")
    text, separator, lines = whole.rpartition("\n\n")
    if not separator or not lines.endswith("\n"):
        raise NoteInvalid("a note has no signatures")
    split = lines[:-1].split("\n")
    if len(split) > SIGNATURES_MAXIMUM:
        raise NoteInvalid("a note has too many signatures")
    return Note(text + "\n", tuple(parse_signature_line(line) for line in split))


def parse_signature_line(line: str) -> Signature:
    """Read a signature line without its line feed; `NoteInvalid` when it is not one."""
    if not line.startswith(_DASH):
        raise NoteInvalid("a signature line does not begin with a dash")
    name, separator, encoded = line.removeprefix(_DASH).partition(" ")
    octets = _base64(encoded, "a signature")
    if not separator or len(octets) <= _KEY_ID_OCTETS:
        raise NoteInvalid("a signature line has no name or no signature")
    require_key_name(name)
    return Signature(name, octets[:_KEY_ID_OCTETS], octets[_KEY_ID_OCTETS:])


def signed_octets(key: VerifierKey, text: str, time: int) -> bytes:
    """What a key signs for a note; `time` (Unix seconds) is 0 for a type without one.

    `CheckpointInvalid` when a cosignature is asked for and the text is no checkpoint.
    """
    match key.type:
        case SignatureType.ED25519:
            return text.encode()
        case SignatureType.COSIGNATURE_ED25519:
            parse_checkpoint(text)
            return f"cosignature/v1\ntime {time}\n{text}".encode()
        case SignatureType.COSIGNATURE_ML_DSA_44:
            checkpoint = parse_checkpoint(text)
            return b"".join(
                (
                    b"subtree/v1\n\0",
                    _short_text(key.name),
                    time.to_bytes(_TIME_OCTETS, "big"),
                    _short_text(checkpoint.origin),
                    (0).to_bytes(8, "big"),
                    checkpoint.size.to_bytes(8, "big"),
                    checkpoint.root,
                )
            )


def assemble(key: VerifierKey, signature: bytes, time: int = 0) -> Signature:
    """The signature line of what a key has signed."""
    head = time.to_bytes(_TIME_OCTETS, "big") if key.type.is_timed else b""
    return Signature(key.name, key.id, head + signature)


def verify_signature(key: VerifierKey, text: str, signature: Signature) -> None:
    """Verify one signature by its key; `NoteInvalid` when it does not hold."""
    timed = _TIME_OCTETS if key.type.is_timed else 0
    if len(signature.octets) != timed + _SIGNATURE_OCTETS[key.type]:
        raise NoteInvalid(f"a signature of {key.name} of another length than its type's")
    time = signature.time if timed else 0
    if time > TIME_MAXIMUM:
        raise NoteInvalid(f"a signature of {key.name} at no possible time")
    is_ml_dsa = key.type is SignatureType.COSIGNATURE_ML_DSA_44
    algorithm = SignatureAlgorithm.ML_DSA_44 if is_ml_dsa else SignatureAlgorithm.ED25519
    try:
        octets = signed_octets(key, text, time)
        verify(key.public_key(), algorithm, signature.octets[timed:], octets)
    except SignatureInvalid as error:
        raise NoteInvalid(f"the signature of {key.name} does not verify") from error


def join(text: str, signatures: Sequence[Signature]) -> Note:
    """A note of a text and signatures."""
    return Note(text, tuple(signatures))


def _short_text(text: str) -> bytes:
    octets = text.encode()
    if not 1 <= len(octets) <= 255:
        raise NoteInvalid("a name of more than 255 octets")
    return bytes([len(octets)]) + octets


def _base64(text: str, what: str) -> bytes:
    try:
        octets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteInvalid(f"{what} is not base64") from error
    if base64.b64encode(octets).decode() != text:
        raise NoteInvalid(f"{what} is not base64 in its one form")
    return octets
