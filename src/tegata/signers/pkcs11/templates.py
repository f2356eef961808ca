"""What keys are made of: mechanisms and attribute templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tegata.kernel.signing import KeyAlgorithm
from tegata.signers.pkcs11.api import (
    CKA_ALWAYS_SENSITIVE,
    CKA_CLASS,
    CKA_DECRYPT,
    CKA_DERIVE,
    CKA_EC_PARAMS,
    CKA_ENCRYPT,
    CKA_EXTRACTABLE,
    CKA_ID,
    CKA_KEY_TYPE,
    CKA_LABEL,
    CKA_MODULUS_BITS,
    CKA_NEVER_EXTRACTABLE,
    CKA_PRIVATE,
    CKA_PUBLIC_EXPONENT,
    CKA_SENSITIVE,
    CKA_SIGN,
    CKA_SIGN_RECOVER,
    CKA_TOKEN,
    CKA_UNWRAP,
    CKA_VALUE_LEN,
    CKA_VERIFY,
    CKA_WRAP,
    CKK_AES,
    CKK_EC,
    CKK_EC_EDWARDS,
    CKK_RSA,
    CKM_AES_KEY_GEN,
    CKM_EC_EDWARDS_KEY_PAIR_GEN,
    CKM_EC_KEY_PAIR_GEN,
    CKM_RSA_PKCS_KEY_PAIR_GEN,
    CKO_PRIVATE_KEY,
    CKO_PUBLIC_KEY,
    CKO_SECRET_KEY,
    Mechanism,
    Template,
)
from tegata.signers.pkcs11.der import (
    ED25519_PARAMETERS,
    P256_PARAMETERS,
    P384_PARAMETERS,
    P521_PARAMETERS,
)
from tegata.signers.pkcs11.signing import RSA_BITS

# What must hold of every private and secret key, from its making on
# (PKCS#11 v2.40 sections 4.9 and 4.10).
GUARDS: Final = (
    (CKA_TOKEN, True),
    (CKA_PRIVATE, True),
    (CKA_SENSITIVE, True),
    (CKA_EXTRACTABLE, False),
    (CKA_ALWAYS_SENSITIVE, True),
    (CKA_NEVER_EXTRACTABLE, True),
)
# What must hold of a key that was made elsewhere, or in the token by somebody else.
ADOPTED_GUARDS: Final = (
    (CKA_TOKEN, True),
    (CKA_PRIVATE, True),
    (CKA_SENSITIVE, True),
    (CKA_EXTRACTABLE, False),
    (CKA_SIGN, True),
)
# The last two of the guards are the token's own to set.
_GUARDED: Final = GUARDS[:4]

_AES_256_SIZE: Final = 32
# A sealing key made by someone else must be what we would have made.
SEALING_GUARDS: Final = (*GUARDS, (CKA_VALUE_LEN, _AES_256_SIZE))
_F4: Final = bytes.fromhex("010001")


@dataclass(frozen=True, slots=True)
class KeyPair:
    """How to make a key pair."""

    mechanism: Mechanism
    public: Template
    private: Template


@dataclass(frozen=True, slots=True)
class SecretKey:
    """How to make a secret key."""

    mechanism: Mechanism
    secret: Template


_EC = (CKM_EC_KEY_PAIR_GEN, CKK_EC)
_EDWARDS = (CKM_EC_EDWARDS_KEY_PAIR_GEN, CKK_EC_EDWARDS)
_RSA = (CKM_RSA_PKCS_KEY_PAIR_GEN, CKK_RSA)
# For each algorithm the mechanism that makes its keys, their type, and their parameters.
_PAIRS: Final[Mapping[KeyAlgorithm, tuple[int, int, tuple[tuple[int, bytes | int], ...]]]] = {
    KeyAlgorithm.P256: (*_EC, ((CKA_EC_PARAMS, P256_PARAMETERS),)),
    KeyAlgorithm.P384: (*_EC, ((CKA_EC_PARAMS, P384_PARAMETERS),)),
    KeyAlgorithm.P521: (*_EC, ((CKA_EC_PARAMS, P521_PARAMETERS),)),
    KeyAlgorithm.ED25519: (*_EDWARDS, ((CKA_EC_PARAMS, ED25519_PARAMETERS),)),
    **{
        algorithm: (*_RSA, ((CKA_MODULUS_BITS, bits), (CKA_PUBLIC_EXPONENT, _F4)))
        for algorithm, bits in RSA_BITS.items()
    },
}


def find_mechanism(algorithm: KeyAlgorithm) -> int | None:
    """The mechanism that makes keys of an algorithm; None where PKCS#11 v2.40 has none."""
    known = _PAIRS.get(algorithm)
    return None if known is None else known[0]


def key_pair(algorithm: KeyAlgorithm, label: str, key_id: bytes) -> KeyPair:
    """A key pair for signing; RSA's public exponent is 65537."""
    mechanism, key_type, parameters = _PAIRS[algorithm]
    return _pair(mechanism, key_type, label, key_id, *parameters)


def _pair(
    mechanism: int, key_type: int, label: str, key_id: bytes, *parameters: tuple[int, bytes | int]
) -> KeyPair:
    name = ((CKA_KEY_TYPE, key_type), (CKA_LABEL, label.encode()), (CKA_ID, key_id))
    public = Template(
        (CKA_CLASS, CKO_PUBLIC_KEY),
        *name,
        (CKA_TOKEN, True),
        (CKA_PRIVATE, False),
        (CKA_VERIFY, True),
        (CKA_ENCRYPT, False),
        (CKA_WRAP, False),
        *parameters,
    )
    private = Template(
        (CKA_CLASS, CKO_PRIVATE_KEY),
        *name,
        *_GUARDED,
        # A key that signs and does nothing else.
        (CKA_SIGN, True),
        (CKA_SIGN_RECOVER, False),
        (CKA_DECRYPT, False),
        (CKA_UNWRAP, False),
        (CKA_DERIVE, False),
    )
    return KeyPair(Mechanism(kind=mechanism), public, private)


def sealing_key(label: str) -> SecretKey:
    """An AES-256 key that encrypts and decrypts; it wraps no keys and signs nothing."""
    secret = Template(
        (CKA_CLASS, CKO_SECRET_KEY),
        (CKA_KEY_TYPE, CKK_AES),
        (CKA_LABEL, label.encode()),
        (CKA_ID, label.encode()),
        *_GUARDED,
        (CKA_ENCRYPT, True),
        (CKA_DECRYPT, True),
        (CKA_SIGN, False),
        (CKA_VERIFY, False),
        (CKA_WRAP, False),
        (CKA_UNWRAP, False),
        (CKA_DERIVE, False),
        (CKA_VALUE_LEN, _AES_256_SIZE),
    )
    return SecretKey(Mechanism(kind=CKM_AES_KEY_GEN), secret)
