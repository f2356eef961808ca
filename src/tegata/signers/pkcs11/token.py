"""A token: keys that are made in it, work in it, and never leave it.

All methods block and may be called from any thread. Signatures are not verified here: the
caller verifies each of them once before release, as it would any back end's.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final, Self, TypeVar

from tegata.kernel.signing import KeyAlgorithm, SignatureAlgorithm
from tegata.signers.pkcs11 import templates
from tegata.signers.pkcs11.api import (
    CKA_CLASS,
    CKA_EC_PARAMS,
    CKA_EC_POINT,
    CKA_ID,
    CKA_KEY_TYPE,
    CKA_LABEL,
    CKA_MODULUS,
    CKA_PUBLIC_EXPONENT,
    CKK_AES,
    CKK_EC,
    CKK_EC_EDWARDS,
    CKM_AES_GCM,
    CKO_PRIVATE_KEY,
    CKO_PUBLIC_KEY,
    CKO_SECRET_KEY,
    GcmParameters,
    Mechanism,
    encode_value,
    load_module,
)
from tegata.signers.pkcs11.der import (
    encode_ec_public_key,
    encode_ed25519_public_key,
    encode_rsa_public_key,
)
from tegata.signers.pkcs11.errors import (
    CKR_DEVICE_ERROR,
    CKR_DEVICE_REMOVED,
    CKR_KEY_HANDLE_INVALID,
    CKR_OBJECT_HANDLE_INVALID,
    CKR_OPERATION_ACTIVE,
    CKR_SESSION_CLOSED,
    CKR_SESSION_HANDLE_INVALID,
    CKR_SLOT_ID_INVALID,
    CKR_TOKEN_NOT_PRESENT,
    CKR_USER_NOT_LOGGED_IN,
    DuplicateKeyError,
    Pkcs11Error,
    UnguardedKeyError,
    UnknownKeyError,
)
from tegata.signers.pkcs11.login import Login
from tegata.signers.pkcs11.pool import SessionPool
from tegata.signers.pkcs11.session import GCM_TAG_SIZE, Criterion, Session
from tegata.signers.pkcs11.signing import TOKEN_SIGNATURES

T = TypeVar("T")

DEFAULT_SESSIONS: Final = 4
GCM_NONCE_SIZE: Final = 12

# What a new session and a fresh look at the objects may cure. Handles are among them because
# they are lost with the login.
_CURABLE: Final = frozenset(
    {
        CKR_DEVICE_ERROR,
        CKR_DEVICE_REMOVED,
        CKR_KEY_HANDLE_INVALID,
        CKR_OBJECT_HANDLE_INVALID,
        CKR_OPERATION_ACTIVE,
        CKR_SESSION_CLOSED,
        CKR_SESSION_HANDLE_INVALID,
        CKR_SLOT_ID_INVALID,
        CKR_TOKEN_NOT_PRESENT,
        CKR_USER_NOT_LOGGED_IN,
    }
)

_AES_KEY: Final = ((CKA_CLASS, CKO_SECRET_KEY), (CKA_KEY_TYPE, CKK_AES))


def open_token(
    module: str, label: str, pin: bytes, *, sessions: int = DEFAULT_SESSIONS
) -> Pkcs11Token:
    """Open the token with this label and log in; `module` is an absolute path.

    A token is open once in a process, because login is the process's: opening it again raises
    CKR_USER_ALREADY_LOGGED_IN until it is closed.
    """
    if sessions < 1:
        raise ValueError("a token needs at least one session")
    login = Login(load_module(module), label, pin)
    opened: list[Session] = []
    try:
        opened.append(Session(login))
        opened[0].log_in()
        opened.extend(Session(login) for _ in range(sessions - 1))
    except BaseException:
        for session in opened:
            session.close()
        login.forget_pin()
        raise
    return Pkcs11Token(login, opened)


class Pkcs11Token:
    """An open token; made by `open_token` only."""

    def __init__(self, login: Login, sessions: list[Session]) -> None:
        self._login = login
        self._module = login.module
        self._mechanisms = login.mechanisms()
        self._pool = SessionPool(sessions)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Wait for what is under way, then close every session, which logs out."""
        self._module.require_own_process()
        for session in self._pool.drain():
            session.close()
        self._login.forget_pin()

    # Making and destroying

    def offers(self, algorithm: KeyAlgorithm, signature_algorithm: SignatureAlgorithm) -> bool:
        """Whether the token says that it makes such keys and such signatures."""
        signature = TOKEN_SIGNATURES.get(signature_algorithm)
        maker = templates.find_mechanism(algorithm)
        return (
            signature is not None
            and maker is not None
            and {maker, signature.mechanism.kind} <= self._mechanisms
        )

    def generate(self, algorithm: KeyAlgorithm, label: str, key_id: bytes) -> bytes:
        """Make a key pair that only signs: its SubjectPublicKeyInfo in DER."""
        return self._generate(templates.key_pair(algorithm, label, _checked(key_id)), key_id)

    def find_public_key(self, key_id: bytes) -> bytes | None:
        """The SubjectPublicKeyInfo of a key pair, in DER, if the token holds it."""

        def find(session: Session) -> bytes | None:
            key = session.find_object((CKA_CLASS, CKO_PUBLIC_KEY), (CKA_ID, _checked(key_id)))
            return None if key is None else _read_public_key(session, key)

        return self._run(find)

    def find_private_key(self, label: bytes | None, key_id: bytes | None) -> bytes:
        """The CKA_ID of the one private key that has this label, this CKA_ID, or both.

        It must be one that signs, cannot be read out, and is alone under its CKA_ID: TokenError
        when not. That it was never outside cannot be asked of a key that was brought in.
        """
        wanted: list[Criterion] = [(CKA_CLASS, CKO_PRIVATE_KEY)]
        wanted += [(CKA_LABEL, label)] if label else []
        wanted += [(CKA_ID, key_id)] if key_id else []

        def find(session: Session) -> bytes:
            handle = session.find_object(*wanted)
            if handle is None:
                raise UnknownKeyError("the token holds no such private key")
            _require_guarded(session, handle, templates.ADOPTED_GUARDS)
            found = session.read_attribute(handle, CKA_ID)
            if not found:
                raise UnknownKeyError("the key has no CKA_ID: give it one")
            session.find_object((CKA_CLASS, CKO_PRIVATE_KEY), (CKA_ID, found))
            return found

        return self._run(find)

    @property
    def label(self) -> str:
        """The token's label."""
        return self._login.label

    def private_key_ids(self) -> list[bytes]:
        """The CKA_ID of every private key."""

        def read(session: Session) -> list[bytes]:
            keys = session.find_objects((CKA_CLASS, CKO_PRIVATE_KEY))
            return [session.read_attribute(key, CKA_ID) for key in keys]

        return self._run(read)

    def destroy(self, key_id: bytes) -> int:
        """Destroy all objects with this CKA_ID: how many there were, and none is left."""

        def destroy(session: Session) -> int:
            count = 0
            # Private keys first: whatever happens next, nothing can be signed any more.
            for attributes in (((CKA_CLASS, CKO_PRIVATE_KEY),), ()):
                for handle in session.find_objects((CKA_ID, _checked(key_id)), *attributes):
                    session.destroy_object(handle)
                    count += 1
            return count

        return self._run_alone(destroy)

    def _generate(self, pair: templates.KeyPair, key_id: bytes) -> bytes:
        def generate(session: Session) -> bytes:
            # Also stops a second try that follows a first which got as far as the token.
            if session.find_objects((CKA_ID, key_id)):
                raise DuplicateKeyError(f"the token already holds {key_id!r}")
            public, private = session.generate_key_pair(pair.mechanism, pair.public, pair.private)
            try:
                _require_guarded(session, private, templates.GUARDS)
                return _read_public_key(session, public)
            except BaseException:
                _destroy_quietly(session, private, public)
                raise

        return self._run_alone(generate)

    # Signing

    def sign(self, key_id: bytes, algorithm: SignatureAlgorithm, message: bytes) -> bytes:
        """Sign a message: the signature as a certificate carries it."""
        signature = TOKEN_SIGNATURES[algorithm]
        # Keys are looked for by type too: SoftHSM begins to sign with a key of the wrong one.
        key: tuple[Criterion, ...] = (
            (CKA_CLASS, CKO_PRIVATE_KEY),
            (CKA_KEY_TYPE, signature.key_type),
            (CKA_ID, key_id),
        )
        data = signature.prepare(message)
        return signature.finish(
            self._run(
                lambda session: session.sign(signature.mechanism, session.get_key(*key), data)
            )
        )

    # Sealing

    def ensure_sealing_key(self, label: str) -> None:
        """Make the AES-256 sealing key of this label, unless it is there already.

        Its CKA_ID is its label in UTF-8, so `destroy` can end it.
        """
        name = _checked(label.encode())

        def ensure(session: Session) -> None:
            key = session.find_object(*_AES_KEY, (CKA_LABEL, name))
            if key is not None:
                _require_guarded(session, key, templates.SEALING_GUARDS)
                return
            made = templates.sealing_key(label)
            key = session.generate_key(made.mechanism, made.secret)
            try:
                _require_guarded(session, key, templates.SEALING_GUARDS)
            except BaseException:
                _destroy_quietly(session, key)
                raise

        self._run_alone(ensure)

    def seal(self, label: str, nonce12: bytes, plaintext: bytes, aad: bytes) -> bytes:
        """AES-256-GCM (NIST SP 800-38D): the ciphertext with its 16-octet tag behind it.

        The nonce must never come again under the same key: that is the caller's to see to.
        """
        mechanism, _memory = _gcm(nonce12, aad)
        key = label.encode()
        return self._run(
            lambda session: session.encrypt(
                mechanism, session.get_key(*_AES_KEY, (CKA_LABEL, key)), plaintext
            )
        )

    def unseal(self, label: str, nonce12: bytes, sealed: bytes, aad: bytes) -> bytes:
        """The plaintext of `seal`; Pkcs11Error of C_Decrypt if anything was altered."""
        if len(sealed) < GCM_TAG_SIZE:
            raise ValueError("sealed data is shorter than its tag")
        mechanism, _memory = _gcm(nonce12, aad)
        key = label.encode()
        return self._run(
            lambda session: session.decrypt(
                mechanism, session.get_key(*_AES_KEY, (CKA_LABEL, key)), sealed
            )
        )

    # Sessions

    def _run(self, operation: Callable[[Session], T]) -> T:
        """Run in a session of one's own."""
        self._module.require_own_process()  # before the pool, whose lock a fork may have left held
        session = self._pool.take()
        try:
            return _try_twice(session, operation)
        finally:
            self._pool.give_back(session)

    def _run_alone(self, operation: Callable[[Session], T]) -> T:
        """Run what makes or destroys objects, while no other thread uses the token.

        So a CKA_ID seen free stays free, and no session keeps the handle of what is gone, which
        may come to mean another object. SoftHSM needs it besides: while one thread makes an
        object, another that looks for one can spoil it (SoftHSMv2 issue 573). Other threads
        wait for as long as a key takes to make: little for P-256, perhaps seconds for RSA.
        """
        self._module.require_own_process()
        with self._pool.alone() as sessions:
            try:
                return _try_twice(sessions[0], operation)
            finally:
                for session in sessions:
                    session.forget_handles()


def _try_twice(session: Session, operation: Callable[[Session], T]) -> T:
    """Once more, if the session had been lost."""
    try:
        return operation(session)
    except Pkcs11Error as error:
        if error.rv not in _CURABLE:
            raise
    session.reset()
    return operation(session)


def _checked(key_id: bytes) -> bytes:
    if not key_id:  # an empty CKA_ID is that of every object without one
        raise ValueError("a key identifier must not be empty")
    return key_id


def _read_public_key(session: Session, key: int) -> bytes:
    kind = session.read_attribute(key, CKA_KEY_TYPE)
    if kind == encode_value(CKK_EC):
        return encode_ec_public_key(
            session.read_attribute(key, CKA_EC_PARAMS), session.read_attribute(key, CKA_EC_POINT)
        )
    if kind == encode_value(CKK_EC_EDWARDS):
        return encode_ed25519_public_key(session.read_attribute(key, CKA_EC_POINT))
    return encode_rsa_public_key(
        session.read_attribute(key, CKA_MODULUS), session.read_attribute(key, CKA_PUBLIC_EXPONENT)
    )


def _require_guarded(session: Session, key: int, guards: Iterable[Criterion]) -> None:
    """A template is a wish: ask the token what it made of it."""
    for kind, wanted in guards:
        if session.read_attribute(key, kind) != encode_value(wanted):
            raise UnguardedKeyError(f"attribute 0x{kind:X} of the key is not {wanted!r}")


def _destroy_quietly(session: Session, *handles: int) -> None:
    for handle in handles:
        with suppress(Pkcs11Error):  # the error on its way up matters more
            session.destroy_object(handle)


def _gcm(nonce: bytes, aad: bytes) -> tuple[Mechanism, object]:
    """CKM_AES_GCM with its parameters, and the memory they point into, to be kept alive."""
    if len(nonce) != GCM_NONCE_SIZE:
        raise ValueError(f"a nonce has {GCM_NONCE_SIZE} octets, not {len(nonce)}")
    nonce_memory = ctypes.create_string_buffer(nonce, len(nonce))
    aad_memory = ctypes.create_string_buffer(aad, len(aad))
    parameters = GcmParameters(
        iv=ctypes.addressof(nonce_memory),
        iv_length=len(nonce),
        iv_bits=8 * len(nonce),
        aad=ctypes.addressof(aad_memory),
        aad_length=len(aad),
        tag_bits=8 * GCM_TAG_SIZE,
    )
    mechanism = Mechanism(
        kind=CKM_AES_GCM,
        parameter=ctypes.addressof(parameters),
        parameter_length=ctypes.sizeof(parameters),
    )
    return mechanism, (nonce_memory, aad_memory, parameters)
