"""The signer process of a life: the real one, forked instead of started, and writing down what
it signs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import uvloop

from tegata.kernel.ids import KeyId
from tegata.kernel.signing import KeyAlgorithm, SignatureAlgorithm
from tegata.main import signer_process
from tegata.main.settings import Settings
from tegata.pkix.certificate import parse_tbs_certificate
from tegata.pkix.crl_reader import parse_tbs_cert_list
from tegata.pkix.der import DerError
from tegata.signers.keys import KeyBackEnd, KeyRecord, PrivateKey
from tegata.signers.sealing import SealingRoot
from tests.crash.ledger import Ledger


class _RecordingKey:
    def __init__(self, key: PrivateKey, record: KeyRecord, ledger: Ledger) -> None:
        self._key = key
        self._record = record
        self._ledger = ledger

    def sign(self, message: bytes) -> bytes:
        owner = {"tenant": self._record.tenant, "key": self._record.key}
        try:
            self._ledger.sign(**owner, serial=f"{parse_tbs_certificate(message).serial:x}")
        except DerError:
            with suppress(DerError):  # an OCSP answer
                crl = parse_tbs_cert_list(message)
                scope = f"{crl.point or 'complete'}{'' if crl.base is None else ', delta'}"
                self._ledger.sign(**owner, crl=crl.number, scope=scope)
        return self._key.sign(message)


class RecordingBackEnd:
    """A back end whose signatures are written down before they are made."""

    def __init__(self, back_end: KeyBackEnd, ledger: Ledger) -> None:
        self.name = back_end.name
        self.blocking = back_end.blocking
        self._back_end = back_end
        self._ledger = ledger

    def offers(self, algorithm: KeyAlgorithm, signature_algorithm: SignatureAlgorithm) -> bool:
        return self._back_end.offers(algorithm, signature_algorithm)

    def generate(self, key: KeyId, algorithm: KeyAlgorithm) -> tuple[bytes, bytes]:
        return self._back_end.generate(key, algorithm)

    def open(self, record: KeyRecord) -> PrivateKey:
        return _RecordingKey(self._back_end.open(record), record, self._ledger)

    def held_keys(self) -> Sequence[KeyId]:
        return self._back_end.held_keys()

    def find_foreign(
        self, token: bytes | None, label: bytes | None, identifier: bytes | None
    ) -> bytes:
        return self._back_end.find_foreign(token, label, identifier)


@dataclass(frozen=True, slots=True)
class ForkedSigner:
    """A signer that lives as long as `held` is open."""

    socket: Path
    pid: int
    held: int

    def end(self) -> None:
        """Let it end."""
        os.close(self.held)
        os.waitpid(self.pid, 0)


def fork_signer(settings: Settings, ledger: Ledger) -> ForkedSigner:
    """Fork a signer; return when it answers. This process must not have started anything yet."""
    configuration = _configuration(settings)
    reading, held = os.pipe()
    hearing, saying = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(held)
        os.dup2(reading, 0)
        os.dup2(saying, 1)
        _record_signatures(ledger)
        uvloop.run(signer_process._run(configuration))
        # As the real one: threads of a token's driver must not hold the process.
        os._exit(0)
    os.close(reading)
    os.close(saying)
    answer = os.read(hearing, 100)
    os.close(hearing)
    assert answer == b"ready\n", answer
    return ForkedSigner(Path(configuration["socket"]), pid, held)


def _configuration(settings: Settings) -> dict[str, str]:
    """What the platform tells its signer."""
    configuration = {
        "data": str(settings.data),
        "socket": str(settings.data / "signer.sock"),
        "sealing_key": str(settings.sealing_key_file),
    }
    token = settings.pkcs11
    if token is not None:
        pin_file = str(token.pin_file)
        configuration |= {"module": token.module, "token": token.token, "pin_file": pin_file}
    return configuration


def _record_signatures(ledger: Ledger) -> None:
    open_back_end = signer_process._back_end

    def recording(
        configuration: dict[str, str],
    ) -> tuple[KeyBackEnd, SealingRoot | None]:
        back_end, root = open_back_end(configuration)
        return RecordingBackEnd(back_end, ledger), root

    # The process has no seam for this, and needs none but here.
    signer_process._back_end = recording
