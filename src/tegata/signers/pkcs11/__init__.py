"""Keys in a hardware security module, through PKCS#11 v2.40 and nothing but ctypes."""

from tegata.signers.pkcs11.errors import (
    NOT_OFFERED,
    AmbiguousObjectError,
    DuplicateKeyError,
    ForkedProcessError,
    Pkcs11Error,
    TokenClosedError,
    TokenError,
    TokenNotFoundError,
    UnguardedKeyError,
    UnknownKeyError,
)
from tegata.signers.pkcs11.token import Pkcs11Token, open_token

__all__ = [
    "NOT_OFFERED",
    "AmbiguousObjectError",
    "DuplicateKeyError",
    "ForkedProcessError",
    "Pkcs11Error",
    "Pkcs11Token",
    "TokenClosedError",
    "TokenError",
    "TokenNotFoundError",
    "UnguardedKeyError",
    "UnknownKeyError",
    "open_token",
]
