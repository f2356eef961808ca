"""What the running platform hands out is clean under pkilint."""

from __future__ import annotations

import importlib
import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from tests.conformance.running import Running, ocsp_path, path_of


def findings(linter: str, file: Path, *options: str) -> tuple[int, str]:
    """What a linter finds, from NOTICE upwards: the number of findings, and its text."""
    module = importlib.import_module(f"pkilint.bin.{linter}")
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        code: int = module.main(["lint", *options, "-s", "NOTICE", str(file)])
    return code, said.getvalue()


@pytest.mark.parametrize("profile", ["tls-server", "tls-client"])
def test_a_certificate_is_clean(platform: Running, tmp_path: Path, profile: str) -> None:
    issued = platform.issue(profile=profile)
    assert findings("lint_pkix_cert", issued.leaf) == (0, "\n")


@pytest.mark.parametrize("place", ["issuing", "root", "responder"])
def test_the_certificates_behind_it_are_clean(
    platform: Running, tmp_path: Path, place: str
) -> None:
    issued = platform.issue()
    octets = {"issuing": issued.issuing.read_bytes(), "root": issued.root.read_bytes()}
    if place == "responder":
        octets[place] = platform.ask(issued).certificates[0].public_bytes(Encoding.PEM)
    file = tmp_path / "certificate.pem"
    file.write_bytes(octets[place])
    assert findings("lint_pkix_cert", file) == (0, "\n")


def test_a_crl_is_clean(platform: Running) -> None:
    issued = platform.issue()
    platform.revoke(issued, "affiliationChanged")
    file = platform.crl_with(issued)
    assert findings("lint_crl", file, "-t", "CRL", "-p", "PKIX") == (0, "\n")


@pytest.mark.parametrize("status", ["good", "revoked", "unknown"])
def test_an_ocsp_answer_is_clean(platform: Running, tmp_path: Path, status: str) -> None:
    issued = platform.issue()
    if status == "revoked":
        platform.revoke(issued)
    octets = platform.get(f"{platform.responder}/{ocsp_path(issued)}")
    if status == "unknown":
        known = ocsp.load_der_ocsp_response(octets)
        names = known.issuer_name_hash, known.issuer_key_hash
        builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(*names, 1, hashes.SHA1())
        octets = platform.get(f"{platform.responder}/{path_of(builder)}")
    answer = ocsp.load_der_ocsp_response(octets)
    assert answer.certificate_status.name.lower() == status
    file = tmp_path / "answer.der"
    file.write_bytes(octets)
    assert findings("lint_ocsp_response", file) == (0, "\n")
