"""OpenSSL verifies our certificates, CRLs and OCSP answers, and says no when it should."""

from __future__ import annotations

import base64
import re
import socket
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtensionOID

from tests.components import require
from tests.conformance.running import NAME, Issued, Running, attempt, run

require("openssl", "verifies what we issue")


def verify(issued: Issued, *options: str | Path) -> tuple[int, str]:
    chain = ("-CAfile", issued.root, "-untrusted", issued.issuing)
    return attempt("openssl", "verify", *chain, *options, issued.leaf)


def ask(running: Running, issued: Issued, *options: str | Path) -> str:
    """What `openssl ocsp` says about a certificate; it must accept the answer."""
    subject = ("-issuer", issued.issuing, *options, "-cert", issued.leaf)
    text = run("openssl", "ocsp", *subject, "-url", running.responder, "-CAfile", issued.root)
    assert "Response verify OK" in text
    return text


@pytest.fixture(scope="module")
def server(platform: Running) -> Issued:
    """A TLS server's certificate that stays good."""
    return platform.issue()


@pytest.fixture(scope="module")
def client(platform: Running) -> Issued:
    """A TLS client's certificate that stays good."""
    return platform.issue(profile="tls-client")


@pytest.fixture(scope="module")
def revoked(platform: Running) -> Issued:
    """A revoked certificate."""
    issued = platform.issue()
    platform.revoke(issued)
    return issued


def test_openssl_builds_the_path_to_the_root(server: Issued) -> None:
    assert verify(server, "-x509_strict", "-policy_check") == (0, f"{server.leaf}: OK\n")
    assert verify(server, "-show_chain")[1].count("depth=") == 3


def test_openssl_refuses_a_path_without_the_intermediate(server: Issued) -> None:
    code, text = attempt("openssl", "verify", "-CAfile", server.root, server.leaf)
    assert code != 0
    assert "unable to get local issuer certificate" in text


def test_openssl_refuses_a_path_to_another_root(server: Issued, platform: Running) -> None:
    other = ("-CAfile", platform.context["tls_ca"], "-untrusted", server.issuing)
    assert attempt("openssl", "verify", *other, server.leaf)[0] != 0


@pytest.mark.parametrize("kind", ["server", "client"])
def test_openssl_accepts_the_purpose_of_the_profile_and_refuses_the_other(
    server: Issued, client: Issued, kind: str
) -> None:
    issued, other = (server, "sslclient") if kind == "server" else (client, "sslserver")
    assert verify(issued, "-x509_strict", "-purpose", f"ssl{kind}")[0] == 0
    code, text = verify(issued, "-purpose", other)
    assert code != 0
    assert re.search("unsupported certificate purpose|unsuitable certificate purpose", text)
    assert verify(issued, "-purpose", "timestampsign")[0] != 0
    assert verify(issued, "-purpose", "ocsphelper")[0] == 0  # anything may be asked through one


def test_openssl_finds_the_name_and_no_other(server: Issued) -> None:
    assert verify(server, "-verify_hostname", NAME)[0] == 0
    code, text = verify(server, "-verify_hostname", "other.example.test")
    assert code != 0
    assert "hostname mismatch" in text


def test_openssl_checks_the_path_against_our_crls(
    platform: Running, server: Issued, revoked: Issued
) -> None:
    crl = platform.crl_with(revoked)
    root = platform.folder / "root-crl.pem"
    root.write_bytes(platform.crl(issuer_above(platform)).public_bytes(Encoding.PEM))
    every = ("-x509_strict", "-crl_check_all", "-CRLfile", crl, "-CRLfile", root)
    assert verify(server, *every)[0] == 0
    for check in (("-crl_check", "-CRLfile", crl), every):
        code, text = verify(revoked, *check)
        assert code != 0
        assert "certificate revoked" in text


def test_openssl_takes_the_crl_from_the_address_in_the_certificate(
    server: Issued, platform: Running
) -> None:
    assert verify(server, "-crl_check", "-crl_download")[0] == 0
    assert address(server.certificate, ExtensionOID.CRL_DISTRIBUTION_POINTS).startswith(
        platform.public
    )


def test_openssl_verifies_the_crl(platform: Running, revoked: Issued) -> None:
    crl = platform.crl_with(revoked)
    assert "verify OK" in run("openssl", "crl", "-in", crl, "-verify", "-CAfile", revoked.issuing)
    text = run("openssl", "crl", "-in", crl, "-noout", "-text")
    assert f"{revoked.serial:X}" in text.replace(" 0", " ").upper()
    assert "Key Compromise" in text
    assert "X509v3 Authority Key Identifier" in text
    assert attempt("openssl", "crl", "-in", crl, "-verify", "-CAfile", revoked.root)[0] != 0


@pytest.mark.parametrize("digest", ["-sha1", "-sha256"])
@pytest.mark.parametrize("nonce", ["-nonce", "-no_nonce"])
def test_openssl_ocsp_agrees_on_good_and_revoked(
    platform: Running, server: Issued, revoked: Issued, digest: str, nonce: str
) -> None:
    text = ask(platform, server, digest, nonce)
    assert f"{server.leaf}: good" in text
    assert "nonce" not in text  # it would warn of a missing one
    text = ask(platform, revoked, digest, nonce)
    assert f"{revoked.leaf}: revoked" in text
    assert "Reason: keyCompromise" in text


def test_openssl_ocsp_gets_every_certificate_of_one_request_answered(
    platform: Running, server: Issued, client: Issued, revoked: Issued
) -> None:
    more = ("-cert", client.leaf, "-sha256", "-cert", revoked.leaf, "-serial", "0x1234")
    text = ask(platform, server, *more)
    for expected in (
        f"{server.leaf}: good",
        f"{client.leaf}: good",
        f"{revoked.leaf}: revoked",
        "0x1234: unknown",
    ):
        assert expected in text


def test_openssl_ocsp_refuses_an_answer_for_another_root(platform: Running, server: Issued) -> None:
    asked = ("-issuer", server.issuing, "-cert", server.leaf, "-url", platform.responder)
    text = attempt("openssl", "ocsp", *asked, "-CAfile", platform.context["tls_ca"])[1]
    assert "Response Verify Failure" in text


@pytest.mark.parametrize("encoded", [True, False], ids=["percent-encoded", "as it is"])
def test_curl_asks_with_get(
    platform: Running, server: Issued, tmp_path: Path, encoded: bool
) -> None:
    require("curl", "asks with GET")
    request, answer, headers = (tmp_path / name for name in ("request", "answer", "headers"))
    # One request among a few has a slash and a plus in base64.
    serial, text = server.serial, ""
    while not ("/" in text and "+" in text):
        serial += 1
        asked = ("-issuer", server.issuing, "-serial", str(serial), "-no_nonce")
        run("openssl", "ocsp", *asked, "-reqout", request)
        text = base64.b64encode(request.read_bytes()).decode()
    path = quote(text, safe="") if encoded else text
    options = ("--silent", "--show-error", "--fail", "-D", headers, "-o", answer)
    run("curl", *options, f"{platform.responder}/{path}")
    checked = ("-issuer", server.issuing, "-serial", str(serial), "-CAfile", server.root)
    assert "Response verify OK" in run("openssl", "ocsp", "-no_nonce", *checked, "-respin", answer)
    assert re.search("(?im)^content-type: application/ocsp-response\r?$", headers.read_text())
    assert re.search("(?im)^cache-control: .*max-age=", headers.read_text())


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_client_that_speaks_http_1_0_is_answered(
    platform: Running, server: Issued, tmp_path: Path, method: str
) -> None:
    file = tmp_path / "request"
    run(
        "openssl",
        "ocsp",
        "-issuer",
        server.issuing,
        "-cert",
        server.leaf,
        "-no_nonce",
        "-reqout",
        file,
    )
    octets = file.read_bytes()
    if method == "GET":
        path = quote(base64.b64encode(octets).decode(), safe="")
        wire = f"GET /ocsp/{path} HTTP/1.0\r\n\r\n".encode()
    else:
        wire = f"POST /ocsp HTTP/1.0\r\nContent-Length: {len(octets)}\r\n\r\n".encode() + octets
    # It reads to the end of the connection, so the server must close it.
    answer = talk(platform, wire)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"transfer-encoding" not in head.lower()
    (tmp_path / "answer").write_bytes(body)
    checked = ("-issuer", server.issuing, "-cert", server.leaf, "-CAfile", server.root)
    text = run("openssl", "ocsp", *checked, "-no_nonce", "-respin", tmp_path / "answer")
    assert "Response verify OK" in text
    assert f"{server.leaf}: good" in text


def test_the_addresses_in_the_certificates_lead_up_to_the_root(
    platform: Running, server: Issued
) -> None:
    above = address(server.certificate, ExtensionOID.AUTHORITY_INFORMATION_ACCESS)
    issuing = x509.load_der_x509_certificate(platform.get(above))
    assert issuing == x509.load_pem_x509_certificate(server.issuing.read_bytes())
    root = x509.load_der_x509_certificate(
        platform.get(address(issuing, ExtensionOID.AUTHORITY_INFORMATION_ACCESS))
    )
    assert root == x509.load_pem_x509_certificate(server.root.read_bytes())


def test_the_roots_responder_answers_for_the_issuing_ca(platform: Running, server: Issued) -> None:
    asked = ("-issuer", server.root, "-cert", server.issuing, "-url", platform.responder)
    text = run("openssl", "ocsp", *asked, "-CAfile", server.root)
    assert "Response verify OK" in text
    assert f"{server.issuing}: good" in text


def test_the_responders_own_certificate_is_good_and_asks_for_no_check(
    platform: Running, server: Issued, tmp_path: Path
) -> None:
    responder = platform.ask(server).certificates[0]
    file = tmp_path / "responder.pem"
    file.write_bytes(responder.public_bytes(Encoding.PEM))
    assert "OCSP No Check" in run("openssl", "x509", "-in", file, "-noout", "-text")
    chain = ("-CAfile", server.root, "-untrusted", server.issuing, "-x509_strict")
    assert attempt("openssl", "verify", *chain, "-purpose", "ocsphelper", file)[0] == 0
    asked = ("-issuer", server.issuing, "-cert", file, "-url", platform.responder)
    text = run("openssl", "ocsp", *asked, "-CAfile", server.root)
    assert "Response verify OK" in text
    assert f"{file}: good" in text


def address(certificate: x509.Certificate, extension: x509.ObjectIdentifier) -> str:
    """The CA-issuers address, or the CRL's, that a certificate carries."""
    found = certificate.extensions.get_extension_for_oid(extension).value
    if isinstance(found, x509.AuthorityInformationAccess):
        return next(
            str(each.access_location.value)
            for each in found
            if each.access_method == AuthorityInformationAccessOID.CA_ISSUERS
        )
    assert isinstance(found, x509.CRLDistributionPoints)
    names = found[0].full_name
    assert names
    return str(names[0].value)


def issuer_above(platform: Running) -> str:
    """The id of the demo's root."""
    issuers = platform.call("GET", "/v1/issuers")["items"]
    return next(str(each["id"]) for each in issuers if each["id"] != platform.context["issuer"])


def talk(platform: Running, wire: bytes) -> bytes:
    """Send octets to the public listener; all it answers until it closes."""
    where = urlsplit(platform.public)
    assert where.hostname
    assert where.port
    with socket.create_connection((where.hostname, where.port), timeout=10) as connected:
        connected.sendall(wire)
        answer = bytearray()
        while octets := connected.recv(65_536):
            answer += octets
    return bytes(answer)
