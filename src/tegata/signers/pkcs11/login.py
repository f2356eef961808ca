"""Finding a token, opening sessions on it, and logging in, again when need be."""

from __future__ import annotations

import ctypes
import threading
from typing import Final

from tegata.signers.pkcs11.api import (
    CK_ULONG,
    CKF_RW_SESSION,
    CKF_SERIAL_SESSION,
    CKF_TOKEN_INITIALIZED,
    CKS_RW_USER_FUNCTIONS,
    CKU_USER,
    Module,
    SessionInfo,
    TokenInfo,
)
from tegata.signers.pkcs11.errors import (
    CKR_BUFFER_TOO_SMALL,
    CKR_PIN_EXPIRED,
    CKR_PIN_INCORRECT,
    CKR_PIN_INVALID,
    CKR_PIN_LEN_RANGE,
    CKR_PIN_LOCKED,
    CKR_SLOT_ID_INVALID,
    CKR_TOKEN_NOT_PRESENT,
    CKR_TOKEN_NOT_RECOGNIZED,
    CKR_USER_ALREADY_LOGGED_IN,
    AmbiguousObjectError,
    Pkcs11Error,
    TokenNotFoundError,
)

_NO_TOKEN: Final = frozenset({CKR_SLOT_ID_INVALID, CKR_TOKEN_NOT_PRESENT, CKR_TOKEN_NOT_RECOGNIZED})
_PIN_REFUSED: Final = frozenset(
    {CKR_PIN_INCORRECT, CKR_PIN_INVALID, CKR_PIN_LEN_RANGE, CKR_PIN_EXPIRED, CKR_PIN_LOCKED}
)


class Login:
    """What it takes to get at one token: the module, the label and the PIN."""

    def __init__(self, module: Module, label: str, pin: bytes) -> None:
        self.module = module
        self.label = label
        # Kept for logging in again, in memory that can be overwritten when that is over.
        self._pin = bytearray(pin)
        self._refusal: Pkcs11Error | None = None
        self._lock = threading.Lock()

    def open_session(self) -> int:
        """A new read-write session; the slot is looked up anew, for a token may have moved."""
        handle = CK_ULONG()
        flags = CKF_SERIAL_SESSION | CKF_RW_SESSION
        slot = find_slot(self.module, self.label)
        self.module.call("C_OpenSession", slot, flags, None, None, ctypes.byref(handle))
        return handle.value

    def mechanisms(self) -> frozenset[int]:
        """The numbers (CKM) of what the token can do."""
        slot = find_slot(self.module, self.label)
        count = CK_ULONG()
        self.module.call("C_GetMechanismList", slot, None, ctypes.byref(count))
        found = (CK_ULONG * max(count.value, 1))()
        self.module.call("C_GetMechanismList", slot, found, ctypes.byref(count))
        return frozenset(found[: count.value])

    def is_logged_in(self, session: int) -> bool:
        """Whether the user is logged in, as the token sees it."""
        info = SessionInfo()
        self.module.call("C_GetSessionInfo", session, ctypes.byref(info))
        return info.state == CKS_RW_USER_FUNCTIONS

    def log_in(self, session: int) -> None:
        """Log in for the first time.

        Login belongs to the process, not to the session (PKCS#11 v2.40 section 5.6). If the
        process is logged in already, the token would not look at the PIN: that is refused
        with CKR_USER_ALREADY_LOGGED_IN, lest a wrong PIN seem right.
        """
        with self._lock:
            if self.is_logged_in(session):
                raise Pkcs11Error("C_Login", CKR_USER_ALREADY_LOGGED_IN)
            self._present_pin(session)

    def log_in_again(self, session: int) -> None:
        """Log in unless another thread has done so meanwhile."""
        with self._lock:
            if not self.is_logged_in(session):
                self._present_pin(session)

    def _present_pin(self, session: int) -> None:
        if self._refusal is not None:
            # A PIN once refused is never presented again: tokens lock after a few.
            raise Pkcs11Error(self._refusal.function, self._refusal.rv)
        pin = (ctypes.c_char * len(self._pin)).from_buffer(self._pin)
        try:
            self.module.call("C_Login", session, CKU_USER, pin, len(self._pin))
        except Pkcs11Error as error:
            if error.rv in _PIN_REFUSED:
                self._refusal = error
            raise

    def forget_pin(self) -> None:
        """Overwrite the PIN."""
        with self._lock:
            self._pin[:] = bytes(len(self._pin))


def find_slot(module: Module, label: str) -> int:
    """The slot of the one initialised token with this label."""
    slots = [slot for slot in _list_slots(module) if _read_label(module, slot) == label]
    if not slots:
        raise TokenNotFoundError(f"no token is labelled {label!r}")
    if len(slots) > 1:
        raise AmbiguousObjectError(f"{len(slots)} tokens are labelled {label!r}")
    return slots[0]


def _list_slots(module: Module) -> list[int]:
    """All slots with a token in them."""
    while True:
        count = CK_ULONG()
        module.call("C_GetSlotList", 1, None, ctypes.byref(count))
        slots = (CK_ULONG * max(count.value, 1))()
        try:
            module.call("C_GetSlotList", 1, slots, ctypes.byref(count))
        except Pkcs11Error as error:
            if error.rv != CKR_BUFFER_TOO_SMALL:  # else a token came in between the calls
                raise
        else:
            return list(slots[: count.value])


def _read_label(module: Module, slot: int) -> str | None:
    """The label of the token in a slot, or None where there is no usable one."""
    info = TokenInfo()
    try:
        module.call("C_GetTokenInfo", slot, ctypes.byref(info))
    except Pkcs11Error as error:
        if error.rv in _NO_TOKEN:
            return None
        raise
    if not info.flags & CKF_TOKEN_INITIALIZED:
        return None
    return bytes(info.label).decode("utf-8", "replace").rstrip(" ")
