"""Key records, and the back ends that hold private keys: software and PKCS#11."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from tegata.kernel.ids import KeyId

_ECDSA_SHA256 = ec.ECDSA(hashes.SHA256())


class KeyRecord(msgspec.Struct, forbid_unknown_fields=True):
    """What is sealed with a key: everything that decides what it may sign.

    `secret` is PKCS #8 DER for a software key and empty for a key in an HSM, whose CKA_ID is
    the key's id.
    """

    key: str
    tenant: str
    purpose: str
    algorithm: str
    subject: bytes
    public_key: bytes
    authority_subject: bytes
    authority_public_key: bytes
    back_end: str
    secret: bytes


class PrivateKey(Protocol):
    """A key that can sign."""

    def sign(self, message: bytes) -> bytes:
        """A DER ECDSA signature over the SHA-256 of `message`. May block."""
        ...


class KeyBackEnd(Protocol):
    """A place where private keys live."""

    name: str
    # Whether signing may wait for a device, so that it must not run on the event loop.
    blocking: bool

    def generate(self, key: KeyId) -> tuple[bytes, bytes]:
        """A new P-256 key: its SubjectPublicKeyInfo, and the secret for its record."""
        ...

    def open(self, record: KeyRecord) -> PrivateKey:
        """The key of a record; ValueError when it is not here."""
        ...

    def held_keys(self) -> Sequence[KeyId]:
        """The keys that are kept here rather than in their records."""
        ...


class _SoftwareKey:
    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message, _ECDSA_SHA256)


class SoftwareBackEnd:
    """Keys in this process's memory, sealed at rest."""

    name = "software"
    blocking = False

    def generate(self, key: KeyId) -> tuple[bytes, bytes]:  # noqa: ARG002 (the port's)
        """A new P-256 key: its SubjectPublicKeyInfo, and its PKCS #8 octets."""
        private = ec.generate_private_key(ec.SECP256R1())
        public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        secret = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return public, secret

    def open(self, record: KeyRecord) -> PrivateKey:
        """The key of a record; ValueError when its octets are not a P-256 key."""
        key = load_der_private_key(record.secret, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("not an elliptic-curve key")
        return _SoftwareKey(key)

    def held_keys(self) -> Sequence[KeyId]:
        """None: a key whose record is lost is lost with it."""
        return ()
