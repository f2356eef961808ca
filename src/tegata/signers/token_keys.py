"""Signing keys and the sealing key on a PKCS#11 token."""

from __future__ import annotations

from collections.abc import Sequence

from tegata.kernel.ids import KeyId, is_key_id
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.signing import KeyAlgorithm, SignatureAlgorithm
from tegata.signers.keys import KeyBackEnd, KeyRecord, PrivateKey
from tegata.signers.pkcs11 import NOT_OFFERED, Pkcs11Error, Pkcs11Token, TokenError, open_token
from tegata.signers.sealing import SealingRoot

SEALING_LABEL = "tegata-sealing"


class PinRefusedError(ValueError):
    """The token refuses the PIN."""


class _TokenKey:
    def __init__(self, token: Pkcs11Token, key: bytes, algorithm: SignatureAlgorithm) -> None:
        self._token = token
        self._key = key
        self._algorithm = algorithm

    def sign(self, message: bytes) -> bytes:
        return self._token.sign(self._key, self._algorithm, message)


class TokenBackEnd:
    """Keys that are made in a token and never leave it; their CKA_ID is the key's id."""

    name = "pkcs11"
    blocking = True

    def __init__(self, token: Pkcs11Token) -> None:
        self._token = token

    def offers(self, algorithm: KeyAlgorithm, signature_algorithm: SignatureAlgorithm) -> bool:
        """Whether the token has the mechanisms."""
        return self._token.offers(algorithm, signature_algorithm)

    def generate(self, key: KeyId, algorithm: KeyAlgorithm) -> tuple[bytes, bytes]:
        """A new key: its SubjectPublicKeyInfo; its record holds no secret."""
        try:
            return self._token.generate(algorithm, key, key.encode()), b""
        except Pkcs11Error as error:
            if error.rv not in NOT_OFFERED:
                raise
            # It has the mechanism, and not for this curve or size.
            raise Problem(
                ProblemCode.KEY_ALGORITHM_REFUSED,
                f"the token does not make {algorithm} keys ({error.name})",
            ) from error

    def open(self, record: KeyRecord) -> PrivateKey:
        """The key of a record; ValueError when the token does not have it."""
        identifier = record.handle or record.key.encode()
        public = self._token.find_public_key(identifier)
        # Of an adopted key the token need not have the public half: it has proved itself.
        if public != record.public_key and not (record.handle and public is None):
            raise ValueError("the token does not have this key")
        return _TokenKey(self._token, identifier, SignatureAlgorithm(record.signature_algorithm))

    def held_keys(self) -> Sequence[KeyId]:
        """The private keys of the token that bear an id of ours."""
        found = (each.decode("ascii", "replace") for each in self._token.private_key_ids())
        return [KeyId(each) for each in sorted(found) if is_key_id(each)]

    def find_foreign(
        self, token: bytes | None, label: bytes | None, identifier: bytes | None
    ) -> bytes:
        """The CKA_ID of a private key that somebody else made, or brought into the token."""
        if token is not None and token != self._token.label.encode():
            raise ValueError("the key is in another token")
        try:
            return self._token.find_private_key(label, identifier)
        except TokenError as error:
            raise ValueError(str(error)) from error


class TokenSealingRoot:
    """The sealing key as an object of the token."""

    def __init__(self, token: Pkcs11Token) -> None:
        self._token = token

    def seal(self, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        """AES-256-GCM ciphertext with its tag."""
        return self._token.seal(SEALING_LABEL, nonce, plaintext, associated)

    def unseal(self, nonce: bytes, ciphertext: bytes, associated: bytes) -> bytes:
        """The plaintext, or ValueError."""
        try:
            return self._token.unseal(SEALING_LABEL, nonce, ciphertext, associated)
        except Pkcs11Error as error:
            # Tokens answer a wrong tag with a general error (SoftHSM does).
            if error.function == "C_Decrypt":
                raise ValueError("not sealed with this key and these associated data") from error
            raise


def open_token_keys(module: str, label: str, pin: bytes) -> tuple[KeyBackEnd, SealingRoot]:
    """A token's keys and its sealing key, made on first use; ValueError when it cannot be used."""
    try:
        token = open_token(module, label, pin)
        token.ensure_sealing_key(SEALING_LABEL)
    except TokenError as error:
        if isinstance(error, Pkcs11Error) and error.function == "C_Login":
            raise PinRefusedError(f"the token {label!r} refuses the PIN ({error.name})") from error
        raise ValueError(str(error)) from error
    return TokenBackEnd(token), TokenSealingRoot(token)
