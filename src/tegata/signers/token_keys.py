"""Signing keys and the sealing key on a PKCS#11 token."""

from __future__ import annotations

from collections.abc import Sequence

from tegata.kernel.ids import KeyId, is_key_id
from tegata.signers.keys import KeyBackEnd, KeyRecord, PrivateKey
from tegata.signers.pkcs11 import Pkcs11Error, Pkcs11Token, TokenError, open_token
from tegata.signers.sealing import SealingRoot

SEALING_LABEL = "tegata-sealing"


class PinRefusedError(ValueError):
    """The token refuses the PIN."""


class _TokenKey:
    def __init__(self, token: Pkcs11Token, key: bytes) -> None:
        self._token = token
        self._key = key

    def sign(self, message: bytes) -> bytes:
        return self._token.sign_ecdsa_sha256(self._key, message)


class TokenBackEnd:
    """Keys that are made in a token and never leave it; their CKA_ID is the key's id."""

    name = "pkcs11"
    blocking = True

    def __init__(self, token: Pkcs11Token) -> None:
        self._token = token

    def generate(self, key: KeyId) -> tuple[bytes, bytes]:
        """A new P-256 key: its SubjectPublicKeyInfo; its record holds no secret."""
        return self._token.generate_p256(key, key.encode()), b""

    def open(self, record: KeyRecord) -> PrivateKey:
        """The key of a record; ValueError when the token does not have it."""
        identifier = record.key.encode()
        if self._token.find_public_key(identifier) != record.public_key:
            raise ValueError("the token does not have this key")
        return _TokenKey(self._token, identifier)

    def held_keys(self) -> Sequence[KeyId]:
        """The private keys of the token that bear an id of ours."""
        found = (each.decode("ascii", "replace") for each in self._token.private_key_ids())
        return [KeyId(each) for each in sorted(found) if is_key_id(each)]


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
