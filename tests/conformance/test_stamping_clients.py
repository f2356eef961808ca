"""Programs that sign code have their signatures stamped by us, and verify the stamps."""

from __future__ import annotations

import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.conftest import folder  # noqa: F401 (a fixture)
from tests.journeys.platform import Json, Server, Tenant, eventually, running
from tests.journeys.stamping import create_authority, openssl, stamp

PASSWORD = "changeit"


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:  # noqa: F811 (the fixture)
    with running(folder / "data", "--demo") as started:
        yield started


def run(where: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def signer_files(tenant: Tenant, where: Path) -> None:
    """A code-signing certificate, its key, and the root, as the programs want them."""
    where.mkdir()
    run(
        where, "openssl", "req", "-new", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "key.pem", "-out", "request.pem",
        "-subj", "/CN=Code signer",
    )  # fmt: skip
    issued = tenant.issue((where / "request.pem").read_text(), "code-signing")
    (where / "path.pem").write_text(issued["certificate"] + "".join(issued["chain"]))
    (where / "root.pem").write_text(issued["chain"][-1])
    run(
        where, "openssl", "pkcs12", "-export", "-in", "path.pem", "-inkey", "key.pem",
        "-out", "signer.p12", "-passout", f"pass:{PASSWORD}", "-name", "signer",
    )  # fmt: skip


@pytest.mark.requires("jarsigner", "asks for a time-stamp and verifies it")
@pytest.mark.requires("openssl", "makes the key")
def test_jarsigner_has_a_jar_stamped_and_verifies_it(server: Server, folder: Path) -> None:  # noqa: F811
    tenant, where = server.demo_tenant(), folder / "jar"
    made = create_authority(tenant)
    signer_files(tenant, where)
    with zipfile.ZipFile(where / "app.jar", "w") as jar:
        jar.writestr("content.txt", "content")
    store = ("-storepass", PASSWORD, "-storetype", "PKCS12")
    run(
        where, "keytool", "-importcert", "-noprompt", "-alias", "root", "-file", "root.pem",
        "-keystore", "trust.p12", *store,
    )  # fmt: skip
    run(
        where, "jarsigner", "-keystore", "signer.p12", "-storepass", PASSWORD,
        "-tsa", made["url"], "app.jar", "signer",
    )  # fmt: skip
    said = run(
        where, "jarsigner", "-verify", "-verbose", "-certs", "-strict",
        "-keystore", "trust.p12", "-storepass", PASSWORD, "app.jar",
    )  # fmt: skip
    assert "jar verified." in said
    assert 'Timestamped by "CN=stamps TSU' in said


@pytest.mark.requires("osslsigncode", "asks for a time-stamp and verifies it")
@pytest.mark.requires("openssl", "makes the key")
def test_osslsigncode_has_a_script_stamped_and_verifies_it(server: Server, folder: Path) -> None:  # noqa: F811
    tenant, where = server.demo_tenant(), folder / "script"
    made = create_authority(tenant)
    signer_files(tenant, where)
    (where / "script.ps1").write_text("Write-Host hello\r\n")
    run(
        where, "osslsigncode", "sign", "-certs", "path.pem", "-key", "key.pem", "-h", "sha256",
        "-ts", made["url"], "-in", "script.ps1", "-out", "signed.ps1",
    )  # fmt: skip
    said = run(
        where, "osslsigncode", "verify", "-CAfile", "root.pem", "-TSA-CAfile", "root.pem",
        "-in", "signed.ps1",
    )  # fmt: skip
    assert "Timestamp Server Signature verification: ok" in said


def crl_of(server: Server, unit: Json, where: Path) -> Path:
    """The list that a unit's certificate names, behind the root."""
    text = run(where, "openssl", "x509", "-in", "unit.pem", "-noout", "-ext",
               "crlDistributionPoints")  # fmt: skip
    path = text.partition(server.context["public"])[2].split()[0]
    (where / "list.crl").write_bytes(server.public.get(path).body)
    pem = run(where, "openssl", "crl", "-inform", "DER", "-in", "list.crl")
    anchors = where / "anchors.pem"
    anchors.write_text(unit["chain"][-1] + pem)
    return anchors


@pytest.mark.requires("openssl", "verifies with a CRL")
def test_openssl_refuses_a_token_of_a_unit_that_was_revoked(server: Server, folder: Path) -> None:  # noqa: F811
    tenant, where = server.demo_tenant(), folder / "stamped"
    made = create_authority(tenant)
    stamped = stamp(server, made, where, "-sha256", "-cert")
    before = crl_of(server, made["unit"], where)
    assert stamped.verify("-CAfile", str(before), "-crl_check").returncode == 0
    tenant.revoke(made["unit"]["certificate_id"], "keyCompromise").good()

    def refused() -> bool:
        after = crl_of(server, made["unit"], where)
        return "revoked" in stamped.verify("-CAfile", str(after), "-crl_check").stderr

    assert eventually(refused)
    assert openssl(where, "crl", "-inform", "DER", "-in", "list.crl", "-noout").returncode == 0
