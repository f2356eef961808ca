"""GnuTLS agrees with us on what is good and what is revoked."""

from __future__ import annotations

from pathlib import Path

from tests.components import require
from tests.conformance.running import NAME, Issued, Running, attempt, run

require("gnutls", "verifies what we issue")


def path_of(issued: Issued, folder: Path) -> Path:
    """A file with the certificate and its path."""
    file = folder / "path.pem"
    file.write_text(issued.leaf.read_text() + issued.issuing.read_text())
    return file


def verify(issued: Issued, folder: Path, *options: str | Path) -> tuple[int, str]:
    trusted = ("--load-ca-certificate", issued.root, "--infile", path_of(issued, folder))
    return attempt("certtool", "--verify", *trusted, *options)


def ask(platform: Running, issued: Issued) -> str:
    certificates = ("--load-issuer", issued.issuing, "--load-cert", issued.leaf)
    return attempt(
        "ocsptool", f"--ask={platform.responder}", *certificates, "--load-trust", issued.root
    )[1]


def test_certtool_verifies_a_certificate_for_its_name_and_purpose(
    platform: Running, tmp_path: Path
) -> None:
    issued = platform.issue()
    wanted = ("--verify-hostname", NAME, "--verify-purpose", "1.3.6.1.5.5.7.3.1")
    code, text = verify(issued, tmp_path, *wanted)
    assert code == 0, text
    assert "Verified. The certificate is trusted." in text
    assert verify(issued, tmp_path, "--verify-hostname", "other.example.test")[0] != 0
    assert verify(issued, tmp_path, "--verify-purpose", "1.3.6.1.5.5.7.3.2")[0] != 0


def test_certtool_refuses_what_another_root_signed(platform: Running, tmp_path: Path) -> None:
    issued = platform.issue()
    trusted = ("--load-ca-certificate", platform.context["tls_ca"])
    code, text = attempt("certtool", "--verify", *trusted, "--infile", path_of(issued, tmp_path))
    assert code != 0, text
    assert "Not verified" in text


def test_certtool_refuses_a_certificate_that_our_crl_lists(
    platform: Running, tmp_path: Path
) -> None:
    good, revoked = platform.issue(), platform.issue()
    platform.revoke(revoked)
    crl = platform.crl_with(revoked)
    code, text = verify(good, tmp_path, "--load-crl", crl)
    assert code == 0, text
    code, text = verify(revoked, tmp_path, "--load-crl", crl)
    assert code != 0, text
    assert "revoked" in text


def test_certtool_verifies_the_crl(platform: Running) -> None:
    issued = platform.issue()
    platform.revoke(issued, "superseded")
    crl = platform.crl_with(issued)
    text = run("certtool", "--verify-crl", "--load-ca-certificate", issued.issuing, "--infile", crl)
    assert "Verification output: Verified." in text
    assert f"{issued.serial:038x}" in run("certtool", "--crl-info", "--infile", crl)


def test_ocsptool_agrees_on_good_and_revoked(platform: Running) -> None:
    issued = platform.issue()
    text = ask(platform, issued)
    assert "Certificate Status: good" in text
    assert "Success" in text
    platform.revoke(issued, "cessationOfOperation")
    text = ask(platform, issued)
    assert "Certificate Status: revoked" in text
