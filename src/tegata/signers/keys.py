"""Key records, and the back ends that hold private keys: software and PKCS#11."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, Protocol

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from tegata.kernel.ids import KeyId
from tegata.kernel.signing import KeyAlgorithm, SignatureAlgorithm
from tegata.pkix.algorithms import SCHEMES
from tegata.profiles.authority import AuthorityBounds

_PrivateKey = (
    ec.EllipticCurvePrivateKey
    | rsa.RSAPrivateKey
    | ed25519.Ed25519PrivateKey
    | mldsa.MLDSA44PrivateKey
    | mldsa.MLDSA65PrivateKey
    | mldsa.MLDSA87PrivateKey
)
_Sign = Callable[[bytes], bytes]

_EXPONENT: Final = 65_537
_MAKERS: Final[Mapping[KeyAlgorithm, Callable[[], _PrivateKey]]] = {
    KeyAlgorithm.P256: lambda: ec.generate_private_key(ec.SECP256R1()),
    KeyAlgorithm.P384: lambda: ec.generate_private_key(ec.SECP384R1()),
    KeyAlgorithm.P521: lambda: ec.generate_private_key(ec.SECP521R1()),
    KeyAlgorithm.RSA_2048: partial(rsa.generate_private_key, _EXPONENT, 2048),
    KeyAlgorithm.RSA_3072: partial(rsa.generate_private_key, _EXPONENT, 3072),
    KeyAlgorithm.RSA_4096: partial(rsa.generate_private_key, _EXPONENT, 4096),
    KeyAlgorithm.ED25519: ed25519.Ed25519PrivateKey.generate,
    KeyAlgorithm.ML_DSA_44: mldsa.MLDSA44PrivateKey.generate,
    KeyAlgorithm.ML_DSA_65: mldsa.MLDSA65PrivateKey.generate,
    KeyAlgorithm.ML_DSA_87: mldsa.MLDSA87PrivateKey.generate,
}


class KeyRecord(msgspec.Struct, forbid_unknown_fields=True):
    """What is sealed with a key: everything that decides what it may sign.

    `secret` is PKCS #8 DER for a software key and empty for a key in an HSM, whose CKA_ID is
    the key's id, or `handle` for one that was adopted. `key_identifier` is what certificates name
    an adopted CA by.
    """

    key: str
    tenant: str
    purpose: str
    algorithm: str
    signature_algorithm: str
    subject: bytes
    public_key: bytes
    authority_subject: bytes
    authority_public_key: bytes
    back_end: str
    secret: bytes
    bounds: AuthorityBounds | None = None
    policies: tuple[str, ...] = ()
    handle: bytes = b""
    key_identifier: bytes = b""


class PrivateKey(Protocol):
    """A key that can sign."""

    def sign(self, message: bytes) -> bytes:
        """A signature over `message`, as a BIT STRING will hold it. May block."""
        ...


class KeyBackEnd(Protocol):
    """A place where private keys live."""

    name: str
    # Whether signing may wait for a device, so that it must not run on the event loop.
    blocking: bool

    def offers(self, algorithm: KeyAlgorithm, signature_algorithm: SignatureAlgorithm) -> bool:
        """Whether keys of an algorithm can be made here, and sign so."""
        ...

    def generate(self, key: KeyId, algorithm: KeyAlgorithm) -> tuple[bytes, bytes]:
        """A new key: its SubjectPublicKeyInfo, and the secret for its record. Takes seconds for
        RSA, and is called from a thread."""
        ...

    def open(self, record: KeyRecord) -> PrivateKey:
        """The key of a record; ValueError when it is not here."""
        ...

    def held_keys(self) -> Sequence[KeyId]:
        """The keys that are kept here rather than in their records."""
        ...

    def find_foreign(
        self, token: bytes | None, label: bytes | None, identifier: bytes | None
    ) -> bytes:
        """What a key that was not made here is opened by; ValueError when it is not here, cannot
        be told apart, or may leave."""
        ...


class _SoftwareKey:
    def __init__(self, sign: _Sign) -> None:
        self._sign = sign

    def sign(self, message: bytes) -> bytes:
        return self._sign(message)


class SoftwareBackEnd:
    """Keys in this process's memory, sealed at rest."""

    name = "software"
    blocking = False

    def offers(self, algorithm: KeyAlgorithm, signature_algorithm: SignatureAlgorithm) -> bool:  # noqa: ARG002 (the port's)
        """Every algorithm there is."""
        return algorithm in _MAKERS

    def generate(self, key: KeyId, algorithm: KeyAlgorithm) -> tuple[bytes, bytes]:  # noqa: ARG002 (the port's)
        """A new key: its SubjectPublicKeyInfo, and its PKCS #8 octets."""
        private = _MAKERS[algorithm]()
        public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        secret = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return public, secret

    def open(self, record: KeyRecord) -> PrivateKey:
        """The key of a record; ValueError when its octets are not a key that signs so."""
        # The record is authenticated: nobody but us wrote the key, and checking an RSA key's
        # primes takes longer than signing with it.
        key = load_der_private_key(record.secret, None, unsafe_skip_rsa_key_validation=True)
        return _SoftwareKey(_signing(key, SignatureAlgorithm(record.signature_algorithm)))

    def held_keys(self) -> Sequence[KeyId]:
        """None: a key whose record is lost is lost with it."""
        return ()

    def find_foreign(
        self, token: bytes | None, label: bytes | None, identifier: bytes | None
    ) -> bytes:
        """None: there is no token."""
        raise ValueError(f"no token holds keys here: {token!r}, {label!r}, {identifier!r}")


def _signing(key: object, algorithm: SignatureAlgorithm) -> _Sign:
    scheme = SCHEMES[algorithm]
    padding, digest = scheme.padding, scheme.digest
    if isinstance(key, ec.EllipticCurvePrivateKey) and digest is not None:
        ecdsa = ec.ECDSA(digest)
        return lambda message: key.sign(message, ecdsa)
    if isinstance(key, rsa.RSAPrivateKey) and padding is not None and digest is not None:
        return lambda message: key.sign(message, padding, digest)
    if isinstance(key, _PrivateKey) and digest is None:
        assert not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
        return key.sign
    raise ValueError(f"not a key that makes {algorithm} signatures")
