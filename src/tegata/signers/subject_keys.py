"""Subscribers' keys, made in the platform process and kept nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat, PublicFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import (
    PBES,
    serialize_key_and_certificates,
)
from cryptography.x509 import load_der_x509_certificate

from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.signing import KeyAlgorithm

_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
_EXPONENT = 65_537
# ML-DSA is not among them: `cryptography` writes no PKCS #12 file with such a key, and OpenSSL
# before 3.5 and Go read none (docs/divergences.md).
_MAKERS: Mapping[KeyAlgorithm, Callable[[], _Key]] = {
    KeyAlgorithm.P256: lambda: ec.generate_private_key(ec.SECP256R1()),
    KeyAlgorithm.P384: lambda: ec.generate_private_key(ec.SECP384R1()),
    KeyAlgorithm.P521: lambda: ec.generate_private_key(ec.SECP521R1()),
    KeyAlgorithm.RSA_2048: partial(rsa.generate_private_key, _EXPONENT, 2048),
    KeyAlgorithm.RSA_3072: partial(rsa.generate_private_key, _EXPONENT, 3072),
    KeyAlgorithm.RSA_4096: partial(rsa.generate_private_key, _EXPONENT, 4096),
    KeyAlgorithm.ED25519: ed25519.Ed25519PrivateKey.generate,
}
# Iterations of PBKDF2: about a tenth of a second for whoever opens it, or guesses.
_ROUNDS = 200_000
# Keys that are made at once, and that wait: RSA-4096 takes seconds of a processor.
_THREADS, _WAITING = 1, 32


@dataclass(frozen=True, slots=True)
class MemoryKey:
    """See `registration.server_keys.SubjectKey`."""

    public_key: bytes
    _key: _Key = field(repr=False)
    _pool: ThreadPoolExecutor = field(repr=False)

    async def pack(
        self, password: str, name: str, certificate: bytes, chain: Sequence[bytes]
    ) -> bytes:
        """A PKCS #12 file."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._pool, self._packed, password, name, certificate, tuple(chain)
        )

    def _packed(
        self, password: str, name: str, certificate: bytes, chain: Sequence[bytes]
    ) -> bytes:
        encryption = (
            PrivateFormat.PKCS12.encryption_builder()
            .kdf_rounds(_ROUNDS)
            .key_cert_algorithm(PBES.PBESv2SHA256AndAES256CBC)
            .hmac_hash(SHA256())
            .build(password.encode())
        )
        return serialize_key_and_certificates(
            name.encode(),
            self._key,
            load_der_x509_certificate(certificate),
            [load_der_x509_certificate(each) for each in chain],
            encryption,
        )


class MemoryKeyMaker:
    """See `registration.server_keys.SubjectKeyMaker`."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, "subject-key")
        self._waiting = 0

    async def make(self, algorithm: KeyAlgorithm) -> MemoryKey:
        """A new key; `Problem(overloaded)` when too many wait for theirs,
        `Problem(key.server-side-refused)` for an algorithm that no PKCS #12 file holds."""
        maker = _MAKERS.get(algorithm)
        if maker is None:
            detail = f"algorithms are {', '.join(_MAKERS)}"
            if algorithm.startswith("ml-dsa"):
                detail = f"no PKCS #12 file holds an ML-DSA key yet: send a csr; {detail}"
            raise Problem(ProblemCode.SERVER_KEY_REFUSED, detail)
        if self._waiting >= _WAITING:
            raise Problem(ProblemCode.OVERLOADED, "too many keys are being made")
        self._waiting += 1
        try:
            key = await asyncio.get_running_loop().run_in_executor(self._pool, maker)
        finally:
            self._waiting -= 1
        public_key = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return MemoryKey(public_key, key, self._pool)
