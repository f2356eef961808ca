"""Other people's programs take the lists of a shard and their deltas, and NSS says it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID

from tests.components import require
from tests.conformance.running import Issued, Running, attempt, run, until
from tests.conformance.test_nss import Database
from tests.conformance.test_openssl import address, verify
from tests.conformance.test_pkilint_live import findings

require("openssl", "checks shards with their deltas")
require("gnutls", "verifies the lists of a shard")
require("nss", "says that it does not know shards")
HOLD = "certificateHold"


class Lists:
    """The lists that a certificate names, as files."""

    def __init__(self, platform: Running, issued: Issued, folder: Path) -> None:
        self._platform = platform
        self._url = address(issued.certificate, ExtensionOID.CRL_DISTRIBUTION_POINTS)
        self._folder = folder

    def fetch(self, name: str, suffix: str = ".crl") -> Path:
        octets = self._platform.get(self._url.removesuffix(".crl") + suffix)
        file = self._folder / f"{name}{suffix}.pem"
        file.write_bytes(x509.load_der_x509_crl(octets).public_bytes(Encoding.PEM))
        return file

    def delta_with(self, name: str, issued: Issued, reason: str) -> Path:
        """The delta, once it says that of a certificate."""

        def telling() -> Path | None:
            file = self.fetch(name, "-delta.crl")
            crl = x509.load_pem_x509_crl(file.read_bytes())
            entry = crl.get_revoked_certificate_by_serial_number(issued.serial)
            if entry is None:
                return None
            found = entry.extensions.get_extension_for_class(x509.CRLReason).value
            return file if found.reason.value == reason else None

        return until(telling, 15, f"a delta with {reason}")


def check(issued: Issued, full: Path, *delta: Path) -> tuple[int, str]:
    lists = [part for file in (full, *delta) for part in ("-CRLfile", file)]
    options = ("-use_deltas", "-extended_crl") if delta else ()
    return verify(issued, "-crl_check", *options, *lists)


def test_openssl_goes_by_a_shards_deltas(platform: Running, tmp_path: Path) -> None:
    issued = platform.issue()
    lists = Lists(platform, issued, tmp_path)
    before = lists.fetch("before")
    assert check(issued, before)[0] == 0
    platform.revoke(issued, HOLD)
    delta = lists.delta_with("held", issued, HOLD)
    code, text = check(issued, before, delta)
    assert (code != 0, "certificate revoked" in text) == (True, True)
    held = lists.fetch("held")
    assert check(issued, held)[0] != 0
    platform.call("POST", f"/v1/certificates/{issued.id}/release")
    # An empty list has no number of its own to be newer: the delta must be of a later one.
    delta = lists.delta_with("released", issued, "removeFromCRL")
    assert check(issued, held, delta)[0] == 0
    assert check(issued, lists.fetch("released"))[0] == 0


@pytest.mark.parametrize("suffix", [".crl", "-delta.crl"])
def test_openssl_certtool_and_pkilint_take_a_shards_lists(
    platform: Running, tmp_path: Path, suffix: str
) -> None:
    issued = platform.issue()
    lists = Lists(platform, issued, tmp_path)
    platform.revoke(issued, "affiliationChanged")
    lists.delta_with("now", issued, "affiliationChanged")
    file = lists.fetch("now", suffix)
    text = run("openssl", "crl", "-in", file, "-verify", "-CAfile", issued.issuing, "-text")
    assert "verify OK" in text
    assert "Issuing Distribution Point: critical" in text
    load = ("--load-ca-certificate", issued.issuing, "--infile", file)
    assert "Verified." in run("certtool", "--verify-crl", *load)
    assert findings("lint_crl", file, "-t", "CRL", "-p", "PKIX") == (0, "\n")


def test_nss_refuses_a_list_whose_scope_it_does_not_know(platform: Running, tmp_path: Path) -> None:
    issued = platform.issue()
    database = Database(tmp_path, issued.root, issued.issuing)
    crl = x509.load_pem_x509_crl(Lists(platform, issued, tmp_path).fetch("shard").read_bytes())
    der = tmp_path / "shard.der"
    der.write_bytes(crl.public_bytes(Encoding.DER))
    code, text = attempt("crlutil", "-I", "-d", f"sql:{database.folder}", "-i", der)
    assert code != 0
    assert "critical extension" in text.lower()
