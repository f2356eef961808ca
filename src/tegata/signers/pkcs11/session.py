"""One session with a token: what one thread at a time does with it."""

from __future__ import annotations

import ctypes
from typing import Final

from tegata.signers.pkcs11.api import (
    CK_ULONG,
    CK_UNAVAILABLE_INFORMATION,
    Attribute,
    Mechanism,
    Template,
)
from tegata.signers.pkcs11.errors import (
    CKR_USER_NOT_LOGGED_IN,
    AmbiguousObjectError,
    Pkcs11Error,
    UnknownKeyError,
)
from tegata.signers.pkcs11.login import Login

# The longest signature is that of RSA with 4096 bits: 512 octets.
_SIGNATURE_CAPACITY: Final = 512
_FOUND_AT_ONCE: Final = 16
_HANDLES_KEPT: Final = 4096
# AES-GCM appends its tag; decryption needs no more room than its input.
GCM_TAG_SIZE: Final = 16

# An attribute and the value looked for.
Criterion = tuple[int, bytes | bool | int]


class Session:
    """A session handle with its buffers, and the object handles it has seen.

    Object handles are only promised to the session that found them (PKCS#11 v2.40 section
    4.1), so each session keeps its own.
    """

    def __init__(self, login: Login) -> None:
        self._login = login
        self._module = login.module
        self._handle: int | None = login.open_session()
        self._handles: dict[tuple[Criterion, ...], int] = {}
        self._output = ctypes.create_string_buffer(_SIGNATURE_CAPACITY)
        self._length = CK_ULONG()
        self._length_reference = ctypes.byref(self._length)

    @property
    def handle(self) -> int:
        """The CK_SESSION_HANDLE; a session that was lost is opened and logged in again."""
        if self._handle is None:
            handle = self._login.open_session()
            self._handle = handle
            self._login.log_in_again(handle)
        return self._handle

    def log_in(self) -> None:
        """Log in for the first time."""
        self._login.log_in(self.handle)

    def reset(self) -> None:
        """Replace a session that no longer works."""
        self.close()
        _ = self.handle

    def close(self) -> None:
        """Close the session; that it may be gone already is no matter."""
        handle, self._handle = self._handle, None
        self._handles.clear()
        if handle is None:
            return
        try:
            self._module.call("C_CloseSession", handle)
        except Pkcs11Error:
            return  # the token is gone, and the session with it

    def forget_handles(self) -> None:
        """Look every object up again: one of them may be gone."""
        self._handles.clear()

    # Objects

    def find_objects(self, *attributes: Criterion) -> list[int]:
        """The handles of all objects that match."""
        template = Template(*attributes)
        self._module.call("C_FindObjectsInit", self.handle, template.attributes, len(template))
        try:
            found = self._collect()
        finally:
            self._module.call("C_FindObjectsFinal", self.handle)
        if not found and not self._login.is_logged_in(self.handle):
            # To those not logged in, private objects do not exist. That is no answer.
            raise Pkcs11Error("C_FindObjects", CKR_USER_NOT_LOGGED_IN)
        return found

    def _collect(self) -> list[int]:
        found: list[int] = []
        batch = (CK_ULONG * _FOUND_AT_ONCE)()
        count = CK_ULONG()
        while True:
            reference = ctypes.byref(count)
            self._module.call("C_FindObjects", self.handle, batch, _FOUND_AT_ONCE, reference)
            if not count.value:
                return found
            found.extend(batch[: count.value])

    def find_object(self, *attributes: Criterion) -> int | None:
        """The one object that matches, if there is one."""
        found = self.find_objects(*attributes)
        if len(found) > 1:
            raise AmbiguousObjectError(f"{len(found)} objects answer to {attributes[-1][1]!r}")
        return found[0] if found else None

    def get_key(self, *attributes: Criterion) -> int:
        """As `find_object`, remembered; a missing key is an error. The name comes last."""
        known = self._handles.get(attributes)
        if known is not None:
            return known
        handle = self.find_object(*attributes)
        if handle is None:
            raise UnknownKeyError(f"the token holds no such key {attributes[-1][1]!r}")
        if len(self._handles) >= _HANDLES_KEPT:
            self._handles.clear()
        self._handles[attributes] = handle
        return handle

    def read_attribute(self, key: int, kind: int) -> bytes:
        """One attribute of an object."""
        attribute = Attribute(kind=kind)
        reference = ctypes.byref(attribute)
        self._module.call("C_GetAttributeValue", self.handle, key, reference, 1)
        if attribute.length == CK_UNAVAILABLE_INFORMATION:
            raise UnknownKeyError(f"the object has no attribute 0x{kind:X}")
        value = ctypes.create_string_buffer(attribute.length)
        attribute.value = ctypes.addressof(value)
        self._module.call("C_GetAttributeValue", self.handle, key, reference, 1)
        return value.raw[: attribute.length]

    def generate_key(self, mechanism: Mechanism, template: Template) -> int:
        """Make a secret key."""
        key = CK_ULONG()
        self._module.call(
            "C_GenerateKey",
            *(self.handle, mechanism, template.attributes, len(template), ctypes.byref(key)),
        )
        return key.value

    def generate_key_pair(
        self, mechanism: Mechanism, public: Template, private: Template
    ) -> tuple[int, int]:
        """Make a key pair: the handles of the public and the private key."""
        public_key, private_key = CK_ULONG(), CK_ULONG()
        self._module.call(
            "C_GenerateKeyPair",
            *(self.handle, mechanism),
            *(public.attributes, len(public), private.attributes, len(private)),
            *(ctypes.byref(public_key), ctypes.byref(private_key)),
        )
        return public_key.value, private_key.value

    def destroy_object(self, handle: int) -> None:
        """Destroy an object for good."""
        self._module.call("C_DestroyObject", self.handle, handle)

    # Keys at work

    def sign(self, mechanism: Mechanism, key: int, data: bytes) -> bytes:
        """Sign in one part, into the buffer this session has ready."""
        handle = self.handle
        self._module.call("C_SignInit", handle, mechanism, key)
        self._length.value = _SIGNATURE_CAPACITY
        self._module.call("C_Sign", handle, data, len(data), self._output, self._length_reference)
        return ctypes.string_at(self._output, self._length.value)

    def encrypt(self, mechanism: Mechanism, key: int, plaintext: bytes) -> bytes:
        """Encrypt in one part; the tag stands at the end."""
        self._module.call("C_EncryptInit", self.handle, mechanism, key)
        return self._transform("C_Encrypt", plaintext, len(plaintext) + GCM_TAG_SIZE)

    def decrypt(self, mechanism: Mechanism, key: int, ciphertext: bytes) -> bytes:
        """Decrypt in one part; a tag that does not fit is an error."""
        self._module.call("C_DecryptInit", self.handle, mechanism, key)
        # Asked for less room than the ciphertext takes, some modules ask for more.
        return self._transform("C_Decrypt", ciphertext, len(ciphertext))

    def _transform(self, function: str, data: bytes, capacity: int) -> bytes:
        output = ctypes.create_string_buffer(capacity)
        length = CK_ULONG(capacity)
        reference = ctypes.byref(length)
        self._module.call(function, self.handle, data, len(data), output, reference)
        return ctypes.string_at(output, length.value)
