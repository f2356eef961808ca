"""NSS agrees with us on what is good and what is revoked."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.components import require
from tests.conformance.running import Running, attempt, run

require("nss", "verifies what we issue")


class Database:
    """An NSS database with the demo's root and issuing CA in it."""

    def __init__(self, folder: Path, root: Path, issuing: Path) -> None:
        self.folder = folder / "nss"
        self.folder.mkdir()
        self.certutil("-N", "--empty-password")
        self.add("root", root, "CT,,")
        self.add("issuing", issuing, ",,")

    def certutil(self, *arguments: str | Path) -> str:
        return run("certutil", "-d", f"sql:{self.folder}", *arguments)

    def add(self, name: str, certificate: Path, trust: str = ",,") -> None:
        self.certutil("-A", "-n", name, "-t", trust, "-a", "-i", certificate)

    def verify(self, name: str, usage: str) -> tuple[int, str]:
        return attempt("certutil", "-d", f"sql:{self.folder}", "-V", "-e", "-n", name, "-u", usage)

    def import_crl(self, der: Path) -> None:
        run("crlutil", "-I", "-d", f"sql:{self.folder}", "-i", der)


def test_nss_accepts_a_server_for_servers_only(platform: Running, tmp_path: Path) -> None:
    issued = platform.issue()
    database = Database(tmp_path, issued.root, issued.issuing)
    database.add("leaf", issued.leaf)
    assert database.verify("leaf", "V") == (0, "certutil: certificate is valid\n")
    code, text = database.verify("leaf", "C")
    assert code != 0
    assert "certificate type not approved" in text.lower() or "invalid" in text.lower()


def test_nss_accepts_a_client_for_clients_only(platform: Running, tmp_path: Path) -> None:
    issued = platform.issue(profile="tls-client")
    database = Database(tmp_path, issued.root, issued.issuing)
    database.add("leaf", issued.leaf)
    assert database.verify("leaf", "C")[0] == 0
    assert database.verify("leaf", "V")[0] != 0


@pytest.mark.parametrize("known", [True, False], ids=["with the intermediate", "without"])
def test_nss_needs_the_path_to_the_root(platform: Running, tmp_path: Path, known: bool) -> None:
    issued = platform.issue()
    database = Database(tmp_path, issued.root, issued.issuing)
    database.add("leaf", issued.leaf)
    if not known:
        database.certutil("-D", "-n", "issuing")
    assert (database.verify("leaf", "V")[0] == 0) == known


def test_nss_refuses_what_our_crl_lists(platform: Running, tmp_path: Path) -> None:
    good, revoked = platform.issue(), platform.issue()
    database = Database(tmp_path, good.root, good.issuing)
    database.add("good", good.leaf)
    database.add("revoked", revoked.leaf)
    assert database.verify("revoked", "V")[0] == 0
    platform.revoke(revoked)
    crl = x509.load_pem_x509_crl(platform.crl_with(revoked).read_bytes())
    der = tmp_path / "crl.der"
    der.write_bytes(crl.public_bytes(Encoding.DER))
    database.import_crl(der)
    assert database.verify("good", "V")[0] == 0
    code, text = database.verify("revoked", "V")
    assert code != 0
    assert "revoked" in text
