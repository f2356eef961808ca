"""The API's certificate is replaced while the platform is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from tegata.issuance.model import Issuer
from tegata.main import bootstrap
from tegata.main.bootstrap import ApiTls
from tegata.main.composition import Platform
from tegata.main.settings import Address

NOW = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)
LINES_AT_LEAST = 20
USUAL, OTHER = Address("127.0.0.1", 8443), Address("api.example.test", 8443)


class AnyCa:
    """Certifies what it is asked to."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    def now(self) -> datetime:
        return NOW

    async def request_certificate(
        self, _scope: object, _issuer: str, _profile: str, csr: str, _digest: bytes
    ) -> tuple[SimpleNamespace, None]:
        request = x509.load_pem_x509_csr(csr.encode())
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        builder = (
            x509.CertificateBuilder()
            .subject_name(request.subject)
            .issuer_name(x509.Name([]))
            .public_key(request.public_key())
            .serial_number(1)
            .not_valid_before(NOW)
            .not_valid_after(NOW + timedelta(days=90))
            .add_extension(names.value, critical=True)
        )
        certificate = builder.sign(self._key, hashes.SHA256())
        return SimpleNamespace(der=certificate.public_bytes(Encoding.DER)), None


def start(folder: Path, listen: Address) -> None:
    """What a start does with the API's certificate: it has one that its context takes."""
    ca = AnyCa()
    platform = cast(Platform, SimpleNamespace(clock=ca, enrolment=ca))
    issuer = cast(Issuer, SimpleNamespace(id="iss_one", chain=(b"root",)))
    asyncio.run(ApiTls(platform, issuer, folder, listen).ensure())


def killed(folder: Path, listen: Address, at: int) -> bool:
    """Whether a start was killed before the n-th line that its module runs."""
    pid = os.fork()
    if pid == 0:
        try:
            _die(folder, listen, at)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def _die(folder: Path, listen: Address, at: int) -> None:
    lines = 0

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal lines
        if frame.f_code.co_filename != bootstrap.__file__:
            return None
        if event == "line":
            if lines == at:
                os.kill(os.getpid(), signal.SIGKILL)
            lines += 1
        return trace

    sys.settrace(trace)
    start(folder, listen)


def test_a_kill_at_any_line_leaves_a_pair_that_the_next_start_takes(tmp_path: Path) -> None:
    for line in range(200):
        folder = tmp_path / str(line)
        folder.mkdir()
        start(folder, USUAL)
        died = killed(folder, OTHER, line)
        # The names that the old certificate has: it is not made anew, so it must still be whole.
        start(folder, USUAL)
        assert (folder / "tls" / "api.pem").stat().st_mode & 0o777 == 0o600
        if not died:
            break
    assert LINES_AT_LEAST < line < 199
