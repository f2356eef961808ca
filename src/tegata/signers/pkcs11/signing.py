"""How a token signs: for each signature algorithm the mechanism, and what goes in and comes out.

The host hashes wherever it can: the mechanisms that take a digest are what every module has,
and less goes over the wire.
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from tegata.kernel.signing import KeyAlgorithm, SignatureAlgorithm
from tegata.signers.pkcs11.api import (
    CKG_MGF1_SHA256,
    CKG_MGF1_SHA384,
    CKG_MGF1_SHA512,
    CKK_EC,
    CKK_EC_EDWARDS,
    CKK_RSA,
    CKM_ECDSA,
    CKM_EDDSA,
    CKM_RSA_PKCS,
    CKM_RSA_PKCS_PSS,
    CKM_SHA256,
    CKM_SHA384,
    CKM_SHA512,
    Mechanism,
    PssParameters,
)
from tegata.signers.pkcs11.der import encode_ecdsa_signature

_Change = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class TokenSignature:
    """One signature algorithm in a token.

    `key_type` is the key's CKK; `prepare` makes of a message what the mechanism takes, `finish`
    of what it gives what a certificate carries; `memory` is what the mechanism points into.
    """

    key_type: int
    mechanism: Mechanism
    prepare: _Change
    finish: _Change
    memory: object = None


def _as_it_is(octets: bytes) -> bytes:
    return octets


def _sha256(message: bytes) -> bytes:
    return hashlib.sha256(message).digest()


def _sha384(message: bytes) -> bytes:
    return hashlib.sha384(message).digest()


def _sha512(message: bytes) -> bytes:
    return hashlib.sha512(message).digest()


def _ecdsa(prepare: _Change, coordinate: int) -> TokenSignature:
    finish = partial(encode_ecdsa_signature, coordinate=coordinate)
    return TokenSignature(CKK_EC, Mechanism(kind=CKM_ECDSA), prepare, finish)


def _pkcs1(digest: _Change, prefix: str) -> TokenSignature:
    # DigestInfo up to the digest (RFC 8017 section 9.2, note 1).
    start = bytes.fromhex(prefix)
    mechanism = Mechanism(kind=CKM_RSA_PKCS)
    return TokenSignature(CKK_RSA, mechanism, lambda message: start + digest(message), _as_it_is)


def _pss(digest: _Change, mechanism: int, mgf: int, size: int) -> TokenSignature:
    parameters = PssParameters(hash=mechanism, mgf=mgf, salt_length=size)
    pss = Mechanism(
        kind=CKM_RSA_PKCS_PSS,
        parameter=ctypes.addressof(parameters),
        parameter_length=ctypes.sizeof(parameters),
    )
    return TokenSignature(CKK_RSA, pss, digest, _as_it_is, parameters)


TOKEN_SIGNATURES: Final[Mapping[SignatureAlgorithm, TokenSignature]] = {
    SignatureAlgorithm.ECDSA_SHA256: _ecdsa(_sha256, 32),
    SignatureAlgorithm.ECDSA_SHA384: _ecdsa(_sha384, 48),
    SignatureAlgorithm.ECDSA_SHA512: _ecdsa(_sha512, 66),
    SignatureAlgorithm.RSA_PKCS1_SHA256: _pkcs1(_sha256, "3031300d060960864801650304020105000420"),
    SignatureAlgorithm.RSA_PKCS1_SHA384: _pkcs1(_sha384, "3041300d060960864801650304020205000430"),
    SignatureAlgorithm.RSA_PKCS1_SHA512: _pkcs1(_sha512, "3051300d060960864801650304020305000440"),
    SignatureAlgorithm.RSA_PSS_SHA256: _pss(_sha256, CKM_SHA256, CKG_MGF1_SHA256, 32),
    SignatureAlgorithm.RSA_PSS_SHA384: _pss(_sha384, CKM_SHA384, CKG_MGF1_SHA384, 48),
    SignatureAlgorithm.RSA_PSS_SHA512: _pss(_sha512, CKM_SHA512, CKG_MGF1_SHA512, 64),
    # Ed25519 hashes within itself, twice: it takes the message.
    SignatureAlgorithm.ED25519: TokenSignature(
        CKK_EC_EDWARDS, Mechanism(kind=CKM_EDDSA), _as_it_is, _as_it_is
    ),
}
RSA_BITS: Final[Mapping[KeyAlgorithm, int]] = {
    KeyAlgorithm.RSA_2048: 2048,
    KeyAlgorithm.RSA_3072: 3072,
    KeyAlgorithm.RSA_4096: 4096,
}
