"""Keys that the platform makes, where a tenant's profile allows it."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

from tests.components import require
from tests.journeys.platform import Answer, Json, Server, Tenant

PASSWORD = "correct horse battery"
DOCUMENT = """
name = "device-p12"
serverSideKeys = true
[validity]
period = "30d"
[subject]
allowed = ["commonName"]
[subjectAltName]
required = false
dNSName = {}
[keyUsage]
always = ["digitalSignature"]
[extKeyUsage]
purposes = ["clientAuth"]
"""


@pytest.fixture(scope="module")
def tenant(server: Server) -> Tenant:
    tenant = server.open_tenant("Server keys")
    path = "/v1/profiles/device-p12"
    tenant.caller.call("PUT", path, {"document": DOCUMENT}).good(201)
    return tenant


def ask(tenant: Tenant, algorithm: str = "p256", **changes: object) -> Answer:
    body: Json = {
        "issuer": tenant.issuer,
        "profile": "device-p12",
        "key": {"algorithm": algorithm, "password": PASSWORD},
        "subject": [{"type": "commonName", "value": "device 7"}],
        "names": [{"kind": "dns", "value": "device7.example.test"}],
    }
    return tenant.caller.post("/v1/certificates", {**body, **changes})


@pytest.mark.parametrize("algorithm", ["p256", "rsa-2048", "ed25519"])
def test_openssl_opens_the_file_with_key_certificate_and_path(
    tenant: Tenant, tmp_path: Path, algorithm: str
) -> None:
    answer = ask(tenant, algorithm).good(201)
    file = tmp_path / "device.p12"
    file.write_bytes(base64.b64decode(answer["pkcs12"]))
    shown = subprocess.run(
        ["openssl", "pkcs12", "-in", file, "-info", "-passin", f"pass:{PASSWORD}", "-nodes"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert "AES-256-CBC" in shown.stderr
    assert "hmacWithSHA256" in shown.stderr
    assert "MAC: sha256" in shown.stderr
    assert shown.stdout.count("BEGIN CERTIFICATE") == len(answer["chain"])
    opened = load_pkcs12(file.read_bytes(), PASSWORD.encode())
    assert opened.key is not None
    assert opened.cert is not None
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    own = opened.key.public_key().public_bytes(*form)
    assert own == opened.cert.certificate.public_key().public_bytes(*form)


def test_nss_reads_the_file(tenant: Tenant, tmp_path: Path) -> None:
    require("nss", "pk12util")
    file = tmp_path / "device.p12"
    file.write_bytes(base64.b64decode(ask(tenant).good(201)["pkcs12"]))
    listed = subprocess.run(
        ["pk12util", "-l", file, "-W", PASSWORD], check=True, capture_output=True, text=True
    )
    assert "device7.example.test" in listed.stdout


@pytest.mark.parametrize("algorithm", ["p256", "rsa-2048", "ed25519"])
def test_keytool_takes_key_and_path_from_the_file(
    tenant: Tenant, tmp_path: Path, algorithm: str
) -> None:
    keytool = require("keytool", "opens files as Java does")
    file = tmp_path / "device.p12"
    answer = ask(tenant, algorithm).good(201)
    file.write_bytes(base64.b64decode(answer["pkcs12"]))
    imported = subprocess.run(
        [
            keytool, "-importkeystore", "-noprompt", "-J-Duser.language=en",
            "-srckeystore", file, "-srcstoretype", "PKCS12", "-srcstorepass", PASSWORD,
            "-destkeystore", tmp_path / "java.jks", "-deststorepass", PASSWORD,
        ],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert "1 entries successfully imported" in imported.stdout + imported.stderr
    listed = subprocess.run(
        [
            keytool, "-list", "-v", "-J-Duser.language=en",
            "-keystore", tmp_path / "java.jks", "-storepass", PASSWORD,
        ],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert "Entry type: PrivateKeyEntry" in listed
    # Without the root.
    assert f"Certificate chain length: {len(answer['chain'])}" in listed


def test_the_key_comes_once_and_the_password_is_nowhere(server: Server, tenant: Tenant) -> None:
    answer = ask(tenant).good(201)
    again = tenant.caller.get(f"/v1/certificates/{answer['id']}").good()
    assert "pkcs12" not in again
    assert PASSWORD not in server.log
    assert PASSWORD not in json.dumps(tenant.caller.events())


def test_profiles_that_do_not_allow_it_and_bad_orders_are_refused(tenant: Tenant) -> None:
    assert ask(tenant, profile="tls-server").code == "key.server-side-refused"
    answer = ask(tenant, "ml-dsa-44")
    assert answer.code == "key.server-side-refused"
    assert "send a csr" in answer.json()["detail"]
    assert ask(tenant, "rot13").code == "key.server-side-refused"
    for password in ("short", "x" * 129, "パスワードパスワード12"):
        key = {"algorithm": "p256", "password": password}
        assert ask(tenant, key=key).code == "key.server-side-refused"
    assert ask(tenant, subject=[{"type": "boss", "value": "x"}]).code == "csr.name-refused"
    assert ask(tenant, names=[{"kind": "dns", "value": "bad name"}]).code == "lint.refused"
    assert ask(tenant, csr="x").code == "request.malformed"
    assert ask(tenant, key=None).code == "request.malformed"
