"""The PKCS#11 token, on SoftHSM.

SoftHSM reads where its tokens are once in a process, so each test has a token directory and a
process of its own: the functions named `in_process_...` run there, and assert there.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from tegata.kernel.signing import SIGNATURE_ALGORITHMS, KeyAlgorithm, SignatureAlgorithm
from tegata.pkix.signatures import SignatureInvalid, verify
from tegata.signers.pkcs11 import (
    DuplicateKeyError,
    ForkedProcessError,
    Pkcs11Error,
    Pkcs11Token,
    TokenClosedError,
    TokenError,
    TokenNotFoundError,
    UnguardedKeyError,
    UnknownKeyError,
    api,
    open_token,
    templates,
)
from tegata.signers.pkcs11.der import (
    P256_PARAMETERS,
    P384_PARAMETERS,
    encode_ec_public_key,
    encode_ecdsa_signature,
    encode_ed25519_public_key,
    encode_rsa_public_key,
)
from tegata.signers.pkcs11.login import Login
from tegata.signers.pkcs11.session import Session
from tests.components import require

REASON: Final = "keys in hardware are tested on it"
LABEL: Final = "tegata-test"
PIN: Final = b"271828"
KEY: Final = bytes.fromhex("0a0b0c")
OTHER_KEY: Final = bytes.fromhex("0d0e0f")
ROOT: Final = "sealing-root"
NONCE: Final = bytes(range(12))
THREADS: Final = 4
SIGNATURES: Final = 500
P256: Final = KeyAlgorithm.P256
ECDSA: Final = SignatureAlgorithm.ECDSA_SHA256
ML_DSA: Final = (KeyAlgorithm.ML_DSA_44, KeyAlgorithm.ML_DSA_65, KeyAlgorithm.ML_DSA_87)
MESSAGE: Final = b"message" * 100


@dataclass(frozen=True, slots=True)
class SoftHsm:
    """A directory with one token in it, for processes that have not loaded the module yet."""

    module: Path
    environment: dict[str, str]

    def run(self, *command: str | Path) -> str:
        """Run a program that will find the token."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=90
        )
        assert done.returncode == 0, f"ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def run_here(self, function: Callable[[str], None]) -> None:
        """Run a function of this file in a new process; it is given the module's path."""
        self.run(sys.executable, __file__, function.__name__, self.module)


@pytest.fixture
def softhsm(tmp_path: Path) -> SoftHsm:
    module = require("softhsm2", REASON)
    tokens = tmp_path / "tokens"
    tokens.mkdir()
    configuration = tmp_path / "softhsm2.conf"
    configuration.write_text(
        f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    environment = os.environ | {
        "SOFTHSM2_CONF": str(configuration),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    made = SoftHsm(module, environment)
    made.run(
        *(require("softhsm2-util", REASON), "--init-token", "--free", "--label", LABEL),
        *("--pin", PIN.decode(), "--so-pin", "314159"),
    )
    return made


def open_test_token(module: str, sessions: int = 4) -> Pkcs11Token:
    return open_token(module, LABEL, PIN, sessions=sessions)


def verify_p256(public_key: bytes, signature: bytes, message: bytes) -> None:
    key = load_der_public_key(public_key)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)
    key.verify(signature, message, ec.ECDSA(SHA256()))


def refusal(function: Callable[[], object]) -> str:
    """The PKCS#11 function that refused, and how."""
    with pytest.raises(Pkcs11Error) as caught:
        function()
    return str(caught.value)


# ------------------------------------------------------------------------------------ signing


def in_process_p256_signatures_verify(module: str) -> None:
    with open_test_token(module) as token:
        public_key = token.generate(P256, "issuer", KEY)
        assert token.find_public_key(KEY) == public_key
        for size in (0, 1, 600, 100_000):
            message = b"m" * size
            verify_p256(public_key, token.sign(KEY, ECDSA, message), message)


def test_p256_signatures_verify(softhsm: SoftHsm) -> None:
    softhsm.run_here(in_process_p256_signatures_verify)


def verify_with(public_key: bytes, algorithm: SignatureAlgorithm, signature: bytes) -> None:
    verify(public_key, algorithm, signature, MESSAGE)
    with pytest.raises(SignatureInvalid):
        verify(public_key, algorithm, signature, MESSAGE + b"!")


def in_process_keys_of_every_algorithm_sign(module: str) -> None:
    with open_test_token(module) as token:
        for number, (algorithm, signatures) in enumerate(SIGNATURE_ALGORITHMS.items()):
            if algorithm in ML_DSA:
                continue
            key = bytes((0x20, number))
            public_key = token.generate(algorithm, "issuer", key)
            assert token.find_public_key(key) == public_key
            for signature in signatures:
                assert token.offers(algorithm, signature)
                verify_with(public_key, signature, token.sign(key, signature, MESSAGE))


def test_keys_of_every_algorithm_that_the_token_has_sign(softhsm: SoftHsm) -> None:
    softhsm.run_here(in_process_keys_of_every_algorithm_sign)


def in_process_rsa_keys_have_the_usual_exponent(module: str) -> None:
    with open_test_token(module) as token:
        key = load_der_public_key(token.generate(KeyAlgorithm.RSA_3072, "issuer", KEY))
        assert isinstance(key, rsa.RSAPublicKey)
        assert (key.key_size, key.public_numbers().e) == (3072, 65537)


def test_rsa_keys_have_the_usual_exponent(softhsm: SoftHsm) -> None:
    softhsm.run_here(in_process_rsa_keys_have_the_usual_exponent)


def in_process_post_quantum_keys_are_not_offered(module: str) -> None:
    with open_test_token(module) as token:
        for algorithm in ML_DSA:
            assert not token.offers(algorithm, SIGNATURE_ALGORITHMS[algorithm][0])


def test_post_quantum_keys_are_not_offered(softhsm: SoftHsm) -> None:
    softhsm.run_here(in_process_post_quantum_keys_are_not_offered)


def in_process_a_curve_that_the_token_does_not_know_is_refused_by_name(module: str) -> None:
    with open_test_token(module) as token:
        # brainpoolP160t1, as obscure as a named curve can be.
        pair = templates._pair(
            api.CKM_EC_KEY_PAIR_GEN, api.CKK_EC, "odd", KEY,
            (api.CKA_EC_PARAMS, bytes.fromhex("06092b2403030208010102")[:-1] + b"\x7f"),
        )  # fmt: skip
        with pytest.raises(Pkcs11Error):
            token._generate(pair, KEY)
        assert token.find_public_key(KEY) is None


def test_a_curve_that_the_token_does_not_know_leaves_nothing(softhsm: SoftHsm) -> None:
    softhsm.run_here(in_process_a_curve_that_the_token_does_not_know_is_refused_by_name)


def sign_in_threads(token: Pkcs11Token, threads: int) -> dict[bytes, bytes]:
    """Signatures by message, from as many threads that start together."""
    signatures: dict[bytes, bytes] = {}
    start = threading.Barrier(threads)

    def sign(thread: int) -> None:
        start.wait()
        for number in range(SIGNATURES):
            message = b"%d/%d" % (thread, number)
            signatures[message] = token.sign(KEY, ECDSA, message)

    workers = [threading.Thread(target=sign, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return signatures


def in_process_threads_sign_at_the_same_time(module: str) -> None:
    with open_test_token(module) as token:
        public_key = token.generate(P256, "issuer", KEY)
        signatures = sign_in_threads(token, THREADS)
    assert len(signatures) == THREADS * SIGNATURES
    for message, signature in signatures.items():
        verify_p256(public_key, signature, message)


def test_threads_sign_at_the_same_time(softhsm: SoftHsm) -> None:
    softhsm.run_here(in_process_threads_sign_at_the_same_time)


def in_process_threads_wait_for_a_session(module: str) -> None:
    with open_test_token(module, sessions=1) as token:
        public_key = token.generate(P256, "issuer", KEY)
        signatures = sign_in_threads(token, THREADS)
    assert len(signatures) == THREADS * SIGNATURES
    for message, signature in signatures.items():
        verify_p256(public_key, signature, message)


def test_threads_wait_for_a_session(softhsm: SoftHsm) -> None:
    softhsm.run_here(in_process_threads_wait_for_a_session)


def in_process_keys_are_made_while_others_are_used(module: str) -> None:
    failures: list[TokenError] = []
    done = threading.Event()
    with open_test_token(module) as token:
        token.generate(P256, "issuer", KEY)

        def use() -> None:
            while not done.is_set():
                try:
                    token.sign(KEY, ECDSA, b"message")
                    token.find_public_key(KEY)
                except TokenError as error:
                    failures.append(error)

        workers = [threading.Thread(target=use) for _ in range(THREADS)]
        for worker in workers:
            worker.start()
        try:
            # Without standing alone, about every seventh of these fails on SoftHSM.
            for _ in range(50):
                public_key = token.generate(P256, "another", OTHER_KEY)
                verify_p256(public_key, token.sign(OTHER_KEY, ECDSA, b"made"), b"made")
                assert token.destroy(OTHER_KEY) == 2
        finally:
            done.set()
            for worker in workers:
                worker.join()
    assert failures == []


def test_keys_are_made_while_others_are_used(softhsm: SoftHsm) -> None:
    softhsm.run_here(in_process_keys_are_made_while_others_are_used)


def in_process_an_unknown_key_is_an_error(module: str) -> None:
    with open_test_token(module) as token:
        token.generate(P256, "issuer", KEY)
        assert token.find_public_key(OTHER_KEY) is None
        with pytest.raises(UnknownKeyError):
            token.sign(OTHER_KEY, ECDSA, b"message")
        with pytest.raises(UnknownKeyError):  # there is such a key, but not of that type
            token.sign(KEY, SignatureAlgorithm.RSA_PKCS1_SHA256, b"message")
        with pytest.raises(UnknownKeyError):
            token.seal("issuer", NONCE, b"secret", b"")


def test_an_unknown_key_is_an_error(softhsm: SoftHsm) -> None:
    softhsm.run_here(in_process_an_unknown_key_is_an_error)


# --------------------------------------------------------------------------------------- keys


def in_process_make_both_kinds_of_key(module: str) -> None:
    with open_test_token(module) as token:
        token.generate(P256, "issuer", KEY)
        token.ensure_sealing_key(ROOT)


def test_another_program_sees_the_keys(softhsm: SoftHsm) -> None:
    tool = require("opensc", "another program lists our keys")
    softhsm.run_here(in_process_make_both_kinds_of_key)
    listed = softhsm.run(
        *(tool, "--module", softhsm.module, "--token-label", LABEL),
        *("--login", "--pin", PIN.decode(), "--list-objects"),
    )
    assert "Private Key Object; EC" in listed
    assert "Public Key Object; EC" in listed
    assert "Secret Key Object; AES length 32" in listed
    assert listed.count("label:      issuer") == 2
    assert listed.count(f"ID:         {KEY.hex()}") == 2
    assert f"ID:         {ROOT.encode().hex()}" in listed
    guarded = "sensitive, always sensitive, never extractable, local"
    assert listed.count(guarded) == 2
    usages = [line.split()[1:] for line in listed.splitlines() if "Usage:" in line]
    assert sorted(usages) == [["encrypt,", "decrypt"], ["sign"], ["verify"]]


def in_process_keys_do_not_leave(module: str) -> None:
    with open_test_token(module) as token:
        token.generate(P256, "issuer", KEY)
        token.ensure_sealing_key(ROOT)
        session = token._pool.take()
        for kind, key_type, name in (
            (api.CKO_PRIVATE_KEY, api.CKK_EC, (api.CKA_ID, KEY)),
            (api.CKO_SECRET_KEY, api.CKK_AES, (api.CKA_LABEL, ROOT.encode())),
        ):
            key = session.get_key((api.CKA_CLASS, kind), (api.CKA_KEY_TYPE, key_type), name)
            with pytest.raises(Pkcs11Error, match="C_GetAttributeValue: CKR_ATTRIBUTE_SENSITIVE"):
                session.read_attribute(key, api.CKA_VALUE)
        token._pool.give_back(session)


def test_keys_do_not_leave(softhsm: SoftHsm) -> None:
    softhsm.run_here(in_process_keys_do_not_leave)


def in_process_a_sealing_key_that_could_leave_is_refused(module: str) -> None:
    with open_test_token(module) as token:
        made = templates.sealing_key(ROOT)
        attributes = {attribute.kind: attribute for attribute in made.secret.attributes}
        attributes[api.CKA_EXTRACTABLE].value = attributes[api.CKA_TOKEN].value  # true
        token._run(lambda session: session.generate_key(made.mechanism, made.secret))
        with pytest.raises(UnguardedKeyError):
            token.ensure_sealing_key(ROOT)


def test_a_sealing_key_that_could_leave_is_refused(softhsm: SoftHsm) -> None:
    softhsm.run_here(in_process_a_sealing_key_that_could_leave_is_refused)


def in_process_an_identifier_is_given_once(module: str) -> None:
    with open_test_token(module) as token:
        token.generate(P256, "issuer", KEY)
        with pytest.raises(DuplicateKeyError):
            token.generate(P256, "another", KEY)
        with pytest.raises(ValueError, match="empty"):
            token.generate(P256, "nameless", b"")
        assert token.destroy(KEY) == 2


def test_an_identifier_is_given_once(softhsm: SoftHsm) -> None:
    softhsm.run_here(in_process_an_identifier_is_given_once)


def in_process_destroyed_keys_are_gone(module: str) -> None:
    with open_test_token(module) as token:
        token.generate(P256, "issuer", KEY)
        other = token.generate(P256, "other", OTHER_KEY)
        sign_in_threads(token, THREADS)  # every session has the handle by now
        assert token.destroy(KEY) == 2
        assert token.destroy(KEY) == 0
        assert token.find_public_key(KEY) is None
        for _ in range(THREADS):
            with pytest.raises(UnknownKeyError):
                token.sign(KEY, ECDSA, b"message")
        verify_p256(other, token.sign(OTHER_KEY, ECDSA, b"message"), b"message")
        with pytest.raises(ValueError, match="empty"):
            token.destroy(b"")


def test_destroyed_keys_are_gone(softhsm: SoftHsm) -> None:
    softhsm.run_here(in_process_destroyed_keys_are_gone)


# ------------------------------------------------------------------------------------ sealing


def in_process_what_was_sealed_is_unsealed(module: str) -> None:
    with open_test_token(module) as token:
        token.ensure_sealing_key(ROOT)
        token.ensure_sealing_key(ROOT)
        for plaintext in (b"", b"secret", b"s" * 100_000):
            for aad in (b"", b"tenant/column/row"):
                sealed = token.seal(ROOT, NONCE, plaintext, aad)
                assert len(sealed) == len(plaintext) + 16
                assert token.unseal(ROOT, NONCE, sealed, aad) == plaintext
        sealed = token.seal(ROOT, NONCE, b"secret", b"context")
    with open_test_token(module) as token:  # and the key outlives the login
        token.ensure_sealing_key(ROOT)
        assert token.unseal(ROOT, NONCE, sealed, b"context") == b"secret"


def test_what_was_sealed_is_unsealed(softhsm: SoftHsm) -> None:
    softhsm.run_here(in_process_what_was_sealed_is_unsealed)


def in_process_altered_data_is_not_unsealed(module: str) -> None:
    with open_test_token(module) as token:
        token.ensure_sealing_key(ROOT)
        token.ensure_sealing_key("another")
        sealed = token.seal(ROOT, NONCE, b"secret", b"context")
        altered = bytes((sealed[0] ^ 1,)) + sealed[1:]
        for label, nonce, data, aad in (
            (ROOT, NONCE, sealed, b"another context"),
            (ROOT, NONCE, sealed, b""),
            (ROOT, NONCE[::-1], sealed, b"context"),
            (ROOT, NONCE, altered, b"context"),
            (ROOT, NONCE, sealed[:-1], b"context"),
            ("another", NONCE, sealed, b"context"),
        ):
            with pytest.raises(Pkcs11Error, match="C_Decrypt"):
                token.unseal(label, nonce, data, aad)
        assert token.unseal(ROOT, NONCE, sealed, b"context") == b"secret"
        with pytest.raises(ValueError, match="shorter"):
            token.unseal(ROOT, NONCE, sealed[:15], b"context")
        with pytest.raises(ValueError, match="nonce"):
            token.seal(ROOT, NONCE[:-1], b"secret", b"context")


def test_altered_data_is_not_unsealed(softhsm: SoftHsm) -> None:
    softhsm.run_here(in_process_altered_data_is_not_unsealed)


# ------------------------------------------------------------------------- login and sessions


def in_process_a_wrong_pin_is_refused(module: str) -> None:
    refused = "C_Login: CKR_PIN_INCORRECT"
    assert refusal(lambda: open_token(module, LABEL, b"000000")) == refused
    open_test_token(module).close()  # nothing was left open or logged in
    assert refusal(lambda: open_token(module, LABEL, b"")) == refused


def test_a_wrong_pin_is_refused(softhsm: SoftHsm) -> None:
    softhsm.run_here(in_process_a_wrong_pin_is_refused)


def in_process_a_refused_pin_is_not_presented_again(module: str) -> None:
    login = Login(api.load_module(module), LABEL, b"000000")
    session = Session(login)
    assert refusal(session.log_in) == "C_Login: CKR_PIN_INCORRECT"
    login._pin[:] = PIN  # would be taken, were it presented
    assert refusal(session.log_in) == "C_Login: CKR_PIN_INCORRECT"


def test_a_refused_pin_is_not_presented_again(softhsm: SoftHsm) -> None:
    softhsm.run_here(in_process_a_refused_pin_is_not_presented_again)


def in_process_a_token_is_open_once(module: str) -> None:
    with open_test_token(module):
        refused = refusal(lambda: open_token(module, LABEL, b"000000"))
        assert refused == "C_Login: CKR_USER_ALREADY_LOGGED_IN"
    open_test_token(module).close()


def test_a_token_is_open_once(softhsm: SoftHsm) -> None:
    softhsm.run_here(in_process_a_token_is_open_once)


def in_process_an_unknown_token_is_an_error(module: str) -> None:
    with pytest.raises(TokenNotFoundError):
        open_token(module, "nobody", PIN)
    with pytest.raises(ValueError, match="absolute"):
        open_token(Path(module).name, LABEL, PIN)
    with pytest.raises(ValueError, match="session"):
        open_test_token(module, sessions=0)


def test_an_unknown_token_is_an_error(softhsm: SoftHsm) -> None:
    softhsm.run_here(in_process_an_unknown_token_is_an_error)


def in_process_a_module_initialised_by_others_is_refused(module: str) -> None:
    api.load_module(module)
    api._modules.clear()  # as if another library had done it
    refused = refusal(lambda: open_test_token(module))
    assert refused == "C_Initialize: CKR_CRYPTOKI_ALREADY_INITIALIZED"


def test_a_module_initialised_by_others_is_refused(softhsm: SoftHsm) -> None:
    softhsm.run_here(in_process_a_module_initialised_by_others_is_refused)


def in_process_lost_sessions_are_opened_again(module: str) -> None:
    with open_test_token(module) as token:
        public_key = token.generate(P256, "issuer", KEY)
        token.ensure_sealing_key(ROOT)
        sign_in_threads(token, THREADS)
        sessions = [token._pool.take() for _ in range(THREADS)]
        for session in sessions:  # with the last of them goes the login
            token._module.call("C_CloseSession", session.handle)
            token._pool.give_back(session)
        signatures = sign_in_threads(token, THREADS)
        for message, signature in signatures.items():
            verify_p256(public_key, signature, message)


def test_lost_sessions_are_opened_again(softhsm: SoftHsm) -> None:
    softhsm.run_here(in_process_lost_sessions_are_opened_again)


def in_process_a_lost_login_is_made_again(module: str) -> None:
    with open_test_token(module, sessions=1) as token:
        public_key = token.generate(P256, "issuer", KEY)
        token.ensure_sealing_key(ROOT)
        sealed = token.seal(ROOT, NONCE, b"secret", b"")

        def log_out() -> None:
            session = token._pool.take()
            token._module.call("C_Logout", session.handle)
            token._pool.give_back(session)

        log_out()
        verify_p256(public_key, token.sign(KEY, ECDSA, b"message"), b"message")
        log_out()
        assert token.unseal(ROOT, NONCE, sealed, b"") == b"secret"
        log_out()
        token.ensure_sealing_key(ROOT)  # not seeing the key, it must not make another
        assert token.unseal(ROOT, NONCE, sealed, b"") == b"secret"
        log_out()
        assert token.destroy(KEY) == 2


def test_a_lost_login_is_made_again(softhsm: SoftHsm) -> None:
    softhsm.run_here(in_process_a_lost_login_is_made_again)


def in_process_a_closed_token_is_refused(module: str) -> None:
    token = open_test_token(module)
    token.generate(P256, "issuer", KEY)
    token.close()
    token.close()
    with pytest.raises(TokenClosedError):
        token.sign(KEY, ECDSA, b"message")
    assert not any(token._login._pin)


def test_a_closed_token_is_refused(softhsm: SoftHsm) -> None:
    softhsm.run_here(in_process_a_closed_token_is_refused)


def in_process_a_forked_process_is_refused(module: str) -> None:
    token = open_test_token(module)
    public_key = token.generate(P256, "issuer", KEY)
    child = os.fork()
    if child == 0:
        refused = 0
        uses: tuple[Callable[[], object], ...] = (
            lambda: token.sign(KEY, ECDSA, b"message"),
            lambda: token.generate(P256, "another", OTHER_KEY),
            lambda: token.find_public_key(KEY),
            lambda: token.destroy(KEY),
            lambda: token.ensure_sealing_key(ROOT),
            lambda: token.seal(ROOT, NONCE, b"", b""),
            token.close,
            lambda: open_test_token(module),
        )
        for use in uses:
            try:
                use()
            except ForkedProcessError:
                refused += 1
        os._exit(0 if refused == len(uses) else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    verify_p256(public_key, token.sign(KEY, ECDSA, b"message"), b"message")
    token.close()


def test_a_forked_process_is_refused(softhsm: SoftHsm) -> None:
    softhsm.run_here(in_process_a_forked_process_is_refused)


# ------------------------------------------------------------------------------ without a token


@pytest.mark.parametrize("r", [1, 0x7F, 0x80, 0xFF00, 1 << 255, (1 << 256) - 1])
@pytest.mark.parametrize("s", [1, 0x80, 1 << 247, 1 << 248])
def test_raw_signatures_become_der(r: int, s: int) -> None:
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    assert encode_ecdsa_signature(raw, 32) == utils.encode_dss_signature(r, s)


def test_a_signature_of_another_curve_is_refused() -> None:
    with pytest.raises(TokenError):
        encode_ecdsa_signature(bytes(96), 32)


def test_points_become_public_keys_wrapped_or_bare() -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    expected = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    compressed = key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    assert encode_ec_public_key(P256_PARAMETERS, b"\x04\x41" + point) == expected
    assert encode_ec_public_key(P256_PARAMETERS, point) == expected
    with pytest.raises(TokenError):
        encode_ec_public_key(P256_PARAMETERS, compressed)
    with pytest.raises(TokenError):
        encode_ec_public_key(P384_PARAMETERS, point)
    with pytest.raises(TokenError):
        encode_ec_public_key(bytes.fromhex("06052b8104000a"), point)  # secp256k1


def test_edwards_points_become_public_keys_wrapped_or_bare() -> None:
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    point = key.public_bytes_raw()
    expected = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert encode_ed25519_public_key(b"\x04\x20" + point) == expected
    assert encode_ed25519_public_key(point) == expected
    with pytest.raises(TokenError):
        encode_ed25519_public_key(point[1:])


def test_moduli_become_public_keys() -> None:
    key = rsa.generate_private_key(65537, 2048).public_key()
    modulus = key.public_numbers().n.to_bytes(256, "big")
    expected = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert encode_rsa_public_key(modulus, b"\x01\x00\x01") == expected


def test_return_values_have_their_names() -> None:
    assert str(Pkcs11Error("C_Login", 0xA0)) == "C_Login: CKR_PIN_INCORRECT"
    assert Pkcs11Error("C_Login", 0x80000001).name == "CKR_VENDOR_DEFINED+0x1"
    assert Pkcs11Error("C_Login", 0x7777).name == "CKR_0x7777"


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2])
