"""A tenant's own profile on a running platform: the command line, and a signer that restarts."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from cryptography import x509

from tests.components import require
from tests.conformance.running import (
    NAME,
    TEGATA,
    RefusedError,
    Running,
    attempt,
    request_pem,
    run,
    until,
)
from tests.pkix.keys import private_key

DOCUMENT = """
name = "office-server"
[validity]
period = "30d"
[subject]
allowed = ["commonName"]
[subjectAltName]
required = true
dNSName = { within = ["example.test"] }
[keyUsage]
always = ["digitalSignature"]
[extKeyUsage]
purposes = ["serverAuth"]
[[certificatePolicies]]
policyIdentifier = "1.3.6.1.4.1.99999.2"
[[extensions]]
extnID = "1.3.6.1.4.1.99999.1"
utf8String = "部署"
"""


def tegata(platform: Running, *arguments: str | Path, language: str = "C") -> tuple[int, str]:
    environment = {"TEGATA_CONTEXT": str(platform.data / "context.json"), "LC_ALL": language}
    return attempt(TEGATA, "profile", *arguments, environment=environment)


def issue_when_signing(platform: Running) -> x509.Certificate | None:
    """A certificate, if the signer is there by now."""
    body = {"issuer": platform.context["issuer"], "profile": "office-server"}
    try:
        answer = platform.call("POST", "/v1/certificates", body | {"csr": request_pem(NAME)})
    except RefusedError as refused:
        if refused.code != "signer.unavailable":
            raise
        return None
    return x509.load_pem_x509_certificate(answer["certificate"].encode())


def test_a_profile_is_shown_checked_put_used_simulated_and_retired(
    platform: Running, tmp_path: Path
) -> None:
    assert 'name = "tls-server"' in tegata(platform, "show", "tls-server")[1]
    file = tmp_path / "office.toml"
    file.write_text(DOCUMENT)
    assert tegata(platform, "check", "--offline", file)[1].startswith("office-server/1 sha256:")
    assert tegata(platform, "put", file)[0] == 0
    assert tegata(platform, "show", "office-server")[1] == DOCUMENT
    issued = platform.issue(profile="office-server")
    text = run("openssl", "x509", "-in", issued.leaf, "-noout", "-text")
    assert "Policy: 1.3.6.1.4.1.99999.2" in text
    verify = ("openssl", "verify", "-x509_strict", "-CAfile", issued.root, "-untrusted")
    run(*verify, issued.issuing, "-purpose", "sslserver", issued.leaf)
    # The next run of the signer has read no document: it is given it again.
    signer = platform.signer_pid()
    assert signer is not None
    os.kill(signer, signal.SIGKILL)
    until(lambda: issue_when_signing(platform), 20, "a certificate of a new signer")
    file.write_text(DOCUMENT.replace("example.test", "example.org"))
    code, said = tegata(platform, "simulate", file)
    assert code == 0
    assert "subject-alternative-name.not-within" in said
    assert "2 would have been refused" in said
    assert tegata(platform, "retire", "office-server")[0] == 0
    assert "profile.unknown" in tegata(platform, "show", "office-server")[1]


def test_a_profile_for_ml_dsa_takes_keys_of_its_strength_and_no_others(
    platform: Running, tmp_path: Path
) -> None:
    require("gnutls", "verifies what we issue")
    file = tmp_path / "quantum.toml"
    keys = '[subjectPublicKeyInfo]\nalgorithms = ["ml-dsa-65"]\n[subject]\n'
    document = DOCUMENT.replace("office-server", "quantum-server").replace("[subject]\n", keys)
    file.write_text(document)
    assert tegata(platform, "put", file)[0] == 0
    key = private_key("ml-dsa-65")
    issued = platform.issue(profile="quantum-server", csr=request_pem(NAME, key))
    assert issued.certificate.public_key() == key.public_key()
    # OpenSSL 3.0 wants to read the key before it looks at the signature.
    path = tmp_path / "path.pem"
    path.write_bytes(issued.leaf.read_bytes() + issued.issuing.read_bytes())
    verified = run("certtool", "--verify", "--load-ca-certificate", issued.root, "--infile", path)
    assert "Chain verification output: Verified" in verified
    for kind in ("ml-dsa-44", "ml-dsa-87", "p256"):
        with pytest.raises(RefusedError, match=r"public-key\.type-not-allowed"):
            platform.issue(profile="quantum-server", csr=request_pem(NAME, private_key(kind)))


def test_what_is_wrong_is_said_in_the_readers_language(platform: Running, tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(DOCUMENT.replace('"30d"', '"a month"'))
    for options in ((), ("--offline",)):
        code, english = tegata(platform, "check", *options, file)
        assert code != 0
        assert "validity.period: A duration is a number" in english
        _, japanese = tegata(platform, "check", *options, file, language="ja_JP.UTF-8")
        assert "validity.period: 期間は" in japanese
