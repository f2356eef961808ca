"""PKCS#11 v2.40 as C sees it: types, constants, and a module's function list.

The layout is that of Linux on 64-bit machines: CK_ULONG is ``unsigned long`` and structures
are aligned naturally. (Only Windows packs them to one octet, and it is not served here.)
Fields bear readable names; the order and types are those of pkcs11t.h.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tegata.signers.pkcs11.errors import CKR_OK, ForkedProcessError, Pkcs11Error

CK_ULONG = ctypes.c_ulong
ULONG_SIZE: Final = ctypes.sizeof(CK_ULONG)
CK_UNAVAILABLE_INFORMATION: Final = (1 << (8 * ULONG_SIZE)) - 1

CKF_OS_LOCKING_OK: Final = 0x2  # CK_C_INITIALIZE_ARGS
CKF_RW_SESSION: Final = 0x2  # C_OpenSession
CKF_SERIAL_SESSION: Final = 0x4
CKF_TOKEN_INITIALIZED: Final = 0x400  # CK_TOKEN_INFO
CKU_USER: Final = 1
CKS_RW_USER_FUNCTIONS: Final = 3

CKO_PUBLIC_KEY: Final = 2
CKO_PRIVATE_KEY: Final = 3
CKO_SECRET_KEY: Final = 4
CKK_RSA: Final = 0x00
CKK_EC: Final = 0x03
CKK_AES: Final = 0x1F
CKK_EC_EDWARDS: Final = 0x40

CKA_CLASS: Final = 0x000
CKA_TOKEN: Final = 0x001
CKA_PRIVATE: Final = 0x002
CKA_LABEL: Final = 0x003
CKA_VALUE: Final = 0x011
CKA_KEY_TYPE: Final = 0x100
CKA_ID: Final = 0x102
CKA_SENSITIVE: Final = 0x103
CKA_ENCRYPT: Final = 0x104
CKA_DECRYPT: Final = 0x105
CKA_WRAP: Final = 0x106
CKA_UNWRAP: Final = 0x107
CKA_SIGN: Final = 0x108
CKA_SIGN_RECOVER: Final = 0x109
CKA_VERIFY: Final = 0x10A
CKA_DERIVE: Final = 0x10C
CKA_MODULUS: Final = 0x120
CKA_MODULUS_BITS: Final = 0x121
CKA_PUBLIC_EXPONENT: Final = 0x122
CKA_VALUE_LEN: Final = 0x161
CKA_EXTRACTABLE: Final = 0x162
CKA_NEVER_EXTRACTABLE: Final = 0x164
CKA_ALWAYS_SENSITIVE: Final = 0x165
CKA_EC_PARAMS: Final = 0x180
CKA_EC_POINT: Final = 0x181

CKM_RSA_PKCS_KEY_PAIR_GEN: Final = 0x0000
CKM_RSA_PKCS: Final = 0x0001
CKM_RSA_PKCS_PSS: Final = 0x000D
CKM_SHA256: Final = 0x0250
CKM_SHA384: Final = 0x0260
CKM_SHA512: Final = 0x0270
CKM_EC_KEY_PAIR_GEN: Final = 0x1040
CKM_ECDSA: Final = 0x1041
# PKCS#11 v3.0; older modules have them under the same numbers.
CKM_EC_EDWARDS_KEY_PAIR_GEN: Final = 0x1055
CKM_EDDSA: Final = 0x1057
CKM_AES_KEY_GEN: Final = 0x1080
CKM_AES_GCM: Final = 0x1087

CKG_MGF1_SHA256: Final = 2
CKG_MGF1_SHA384: Final = 3
CKG_MGF1_SHA512: Final = 4


class Version(ctypes.Structure):
    """CK_VERSION."""

    _fields_ = [("major", ctypes.c_ubyte), ("minor", ctypes.c_ubyte)]


class InitializeArguments(ctypes.Structure):
    """CK_C_INITIALIZE_ARGS."""

    flags: int
    _fields_ = [
        ("create_mutex", ctypes.c_void_p),
        ("destroy_mutex", ctypes.c_void_p),
        ("lock_mutex", ctypes.c_void_p),
        ("unlock_mutex", ctypes.c_void_p),
        ("flags", CK_ULONG),
        ("reserved", ctypes.c_void_p),
    ]


class TokenInfo(ctypes.Structure):
    """CK_TOKEN_INFO. Text is ``c_ubyte``: it is padded with blanks, not ended by a zero."""

    label: ctypes.Array[ctypes.c_ubyte]
    flags: int
    _fields_ = [
        ("label", ctypes.c_ubyte * 32),
        ("manufacturer_id", ctypes.c_ubyte * 32),
        ("model", ctypes.c_ubyte * 16),
        ("serial_number", ctypes.c_ubyte * 16),
        ("flags", CK_ULONG),
        ("max_session_count", CK_ULONG),
        ("session_count", CK_ULONG),
        ("max_rw_session_count", CK_ULONG),
        ("rw_session_count", CK_ULONG),
        ("max_pin_length", CK_ULONG),
        ("min_pin_length", CK_ULONG),
        ("total_public_memory", CK_ULONG),
        ("free_public_memory", CK_ULONG),
        ("total_private_memory", CK_ULONG),
        ("free_private_memory", CK_ULONG),
        ("hardware_version", Version),
        ("firmware_version", Version),
        ("utc_time", ctypes.c_ubyte * 16),
    ]


class SessionInfo(ctypes.Structure):
    """CK_SESSION_INFO."""

    state: int
    _fields_ = [
        ("slot_id", CK_ULONG),
        ("state", CK_ULONG),
        ("flags", CK_ULONG),
        ("device_error", CK_ULONG),
    ]


class Attribute(ctypes.Structure):
    """CK_ATTRIBUTE."""

    kind: int
    value: int | None
    length: int
    _fields_ = [("kind", CK_ULONG), ("value", ctypes.c_void_p), ("length", CK_ULONG)]


class Mechanism(ctypes.Structure):
    """CK_MECHANISM."""

    kind: int

    _fields_ = [
        ("kind", CK_ULONG),
        ("parameter", ctypes.c_void_p),
        ("parameter_length", CK_ULONG),
    ]


class PssParameters(ctypes.Structure):
    """CK_RSA_PKCS_PSS_PARAMS."""

    _fields_ = [("hash", CK_ULONG), ("mgf", CK_ULONG), ("salt_length", CK_ULONG)]


class GcmParameters(ctypes.Structure):
    """CK_GCM_PARAMS.

    The text of v2.40 (section 2.11.1.1) forgot ulIvBits; its errata and pkcs11t.h have it, and
    modules check the size of the structure. Both lengths of the nonce are filled in, since
    some modules read one and some the other.
    """

    _fields_ = [
        ("iv", ctypes.c_void_p),
        ("iv_length", CK_ULONG),
        ("iv_bits", CK_ULONG),
        ("aad", ctypes.c_void_p),
        ("aad_length", CK_ULONG),
        ("tag_bits", CK_ULONG),
    ]


# CK_FUNCTION_LIST: every function of v2.40, in the order of pkcs11f.h.
_FUNCTIONS: Final = """
C_Initialize C_Finalize C_GetInfo C_GetFunctionList C_GetSlotList C_GetSlotInfo C_GetTokenInfo
C_GetMechanismList C_GetMechanismInfo C_InitToken C_InitPIN C_SetPIN C_OpenSession C_CloseSession
C_CloseAllSessions C_GetSessionInfo C_GetOperationState C_SetOperationState C_Login C_Logout
C_CreateObject C_CopyObject C_DestroyObject C_GetObjectSize C_GetAttributeValue
C_SetAttributeValue C_FindObjectsInit C_FindObjects C_FindObjectsFinal C_EncryptInit C_Encrypt
C_EncryptUpdate C_EncryptFinal C_DecryptInit C_Decrypt C_DecryptUpdate C_DecryptFinal
C_DigestInit C_Digest C_DigestUpdate C_DigestKey C_DigestFinal C_SignInit C_Sign C_SignUpdate
C_SignFinal C_SignRecoverInit C_SignRecover C_VerifyInit C_Verify C_VerifyUpdate C_VerifyFinal
C_VerifyRecoverInit C_VerifyRecover C_DigestEncryptUpdate C_DecryptDigestUpdate
C_SignEncryptUpdate C_DecryptVerifyUpdate C_GenerateKey C_GenerateKeyPair C_WrapKey C_UnwrapKey
C_DeriveKey C_SeedRandom C_GenerateRandom C_GetFunctionStatus C_CancelFunction
C_WaitForSlotEvent
"""


class FunctionList(ctypes.Structure):
    """CK_FUNCTION_LIST."""

    _fields_ = [("version", Version), *((name, ctypes.c_void_p) for name in _FUNCTIONS.split())]


_BUFFER = ctypes.c_void_p
_ULONG_OUT = ctypes.POINTER(CK_ULONG)
_TEMPLATE = ctypes.POINTER(Attribute)
_MECHANISM = ctypes.POINTER(Mechanism)
_INIT = (CK_ULONG, _MECHANISM, CK_ULONG)
_TRANSFORM = (CK_ULONG, _BUFFER, CK_ULONG, _BUFFER, _ULONG_OUT)

# The functions this platform calls, and what each takes.
_PROTOTYPES: Final[Mapping[str, tuple[type, ...]]] = MappingProxyType(
    {
        "C_Initialize": (ctypes.POINTER(InitializeArguments),),
        "C_GetSlotList": (ctypes.c_ubyte, ctypes.c_void_p, _ULONG_OUT),
        "C_GetMechanismList": (CK_ULONG, ctypes.c_void_p, _ULONG_OUT),
        "C_GetTokenInfo": (CK_ULONG, ctypes.POINTER(TokenInfo)),
        "C_OpenSession": (CK_ULONG, CK_ULONG, ctypes.c_void_p, ctypes.c_void_p, _ULONG_OUT),
        "C_CloseSession": (CK_ULONG,),
        "C_GetSessionInfo": (CK_ULONG, ctypes.POINTER(SessionInfo)),
        "C_Login": (CK_ULONG, CK_ULONG, _BUFFER, CK_ULONG),
        "C_Logout": (CK_ULONG,),
        "C_DestroyObject": (CK_ULONG, CK_ULONG),
        "C_GetAttributeValue": (CK_ULONG, CK_ULONG, _TEMPLATE, CK_ULONG),
        "C_FindObjectsInit": (CK_ULONG, _TEMPLATE, CK_ULONG),
        "C_FindObjects": (CK_ULONG, ctypes.c_void_p, CK_ULONG, _ULONG_OUT),
        "C_FindObjectsFinal": (CK_ULONG,),
        "C_EncryptInit": _INIT,
        "C_Encrypt": _TRANSFORM,
        "C_DecryptInit": _INIT,
        "C_Decrypt": _TRANSFORM,
        "C_SignInit": _INIT,
        "C_Sign": _TRANSFORM,
        "C_GenerateKey": (CK_ULONG, _MECHANISM, _TEMPLATE, CK_ULONG, _ULONG_OUT),
        "C_GenerateKeyPair": (
            *(CK_ULONG, _MECHANISM, _TEMPLATE, CK_ULONG, _TEMPLATE, CK_ULONG),
            *(_ULONG_OUT, _ULONG_OUT),
        ),
    }
)


def encode_value(value: bytes | bool | int) -> bytes:
    """A value as C has it: octets, CK_BBOOL or CK_ULONG."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, bool):  # CK_BBOOL; before int, which bool is too
        return b"\x01" if value else b"\x00"
    return value.to_bytes(ULONG_SIZE, sys.byteorder)


class Template:
    """An array of CK_ATTRIBUTE, together with the memory it points into."""

    def __init__(self, *attributes: tuple[int, bytes | bool | int]) -> None:
        values = [encode_value(value) for _, value in attributes]
        # ctypes does not keep what a void pointer points to: this list does.
        self._memory = [ctypes.create_string_buffer(value, len(value)) for value in values]
        self.attributes = (Attribute * len(attributes))()
        for index, (kind, _) in enumerate(attributes):
            self.attributes[index].kind = kind
            self.attributes[index].value = ctypes.addressof(self._memory[index])
            self.attributes[index].length = len(values[index])

    def __len__(self) -> int:
        return len(self.attributes)


class Module:
    """A loaded and initialised PKCS#11 module; made by `load_module` only."""

    def __init__(self, path: str) -> None:
        self.pid = os.getpid()
        # CDLL (not PyDLL): the interpreter lock is released while the token works.
        self._library = ctypes.CDLL(path)
        table = _read_function_list(self._library)
        self._functions = {
            name: ctypes.CFUNCTYPE(CK_ULONG, *prototype)(getattr(table, name))
            for name, prototype in _PROTOTYPES.items()
        }
        # Without CKF_OS_LOCKING_OK (or with NULL) the module may assume one thread, and
        # SoftHSM then corrupts its memory under several (PKCS#11 v2.40 section 5.4).
        self.call("C_Initialize", ctypes.byref(InitializeArguments(flags=CKF_OS_LOCKING_OK)))

    def call(self, function: str, *arguments: object) -> None:
        """Call a function by its PKCS#11 name; anything but CKR_OK is raised."""
        rv: int = self._functions[function](*arguments)
        if rv != CKR_OK:
            raise Pkcs11Error(function, rv)

    def require_own_process(self) -> None:
        """Refuse to work in a child made by fork()."""
        if os.getpid() != self.pid:
            raise ForkedProcessError(
                f"the PKCS#11 module was initialised in process {self.pid}; "
                "a forked process must not use it"
            )


def _read_function_list(library: ctypes.CDLL) -> FunctionList:
    table = ctypes.POINTER(FunctionList)()
    get_function_list = library.C_GetFunctionList
    get_function_list.restype = CK_ULONG
    get_function_list.argtypes = [ctypes.POINTER(ctypes.POINTER(FunctionList))]
    rv: int = get_function_list(ctypes.byref(table))
    if rv != CKR_OK:
        raise Pkcs11Error("C_GetFunctionList", rv)
    return table.contents


# C_Initialize is for the whole process, so what was initialised must be known to all of it.
# It is never undone: C_Finalize would pull the module from under every other token.
_modules: Final[dict[str, Module]] = {}
_loading: Final = threading.Lock()


def load_module(path: str) -> Module:
    """The module at an absolute path, initialised exactly once in this process.

    A module that someone else has initialised (CKR_CRYPTOKI_ALREADY_INITIALIZED) is refused,
    since nobody can tell whether that was done with locking.
    """
    if not Path(path).is_absolute():  # else the loader would search, and find who knows what
        raise ValueError(f"the path of a PKCS#11 module must be absolute: {path}")
    real = str(Path(path).resolve())  # two links to one library are one module
    for module in list(_modules.values()):  # before the lock, which a fork may have left held
        module.require_own_process()
    with _loading:
        if real not in _modules:
            _modules[real] = Module(real)
        return _modules[real]
