"""Every ready-made profile, issued by a running platform and accepted for its purpose by somebody
else's verifier, which refuses it for another. `docs/reference/profiles.md` has the table."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from pyasn1.codec.der.decoder import decode
from pyasn1_alt_modules import rfc4108

from tests.components import require
from tests.conformance.enrolled import (
    HARDWARE_TYPE,
    SID,
    Enrolled,
    account,
    enrol,
    hardware_module,
    principal,
)
from tests.conformance.running import NAME, Running, attempt, run
from tests.conformance.test_nss import Database

require("openssl", "verifies what we issue")
require("gnutls", "verifies purposes by their identifiers")

HOST = x509.DNSName(NAME)
MAIL = x509.RFC822Name("hanako@example.test")
DOCUMENT_SIGNING, IPSEC_IKE = "1.3.6.1.5.5.7.3.36", "1.3.6.1.5.5.7.3.17"
CODE_SIGNING = "1.3.6.1.5.5.7.3.3"
EAP_OVER_LAN, SMART_CARD_LOGON = "1.3.6.1.5.5.7.3.14", "1.3.6.1.4.1.311.20.2.2"
EVERY = ("sslserver", "sslclient", "smimesign", "smimeencrypt", "timestampsign")


def purposes(enrolled: Enrolled) -> set[str]:
    """The purposes for which OpenSSL accepts a certificate."""
    return {
        purpose
        for purpose in EVERY
        if attempt("openssl", "verify", "-x509_strict", *enrolled.path, "-purpose", purpose,
                   enrolled.leaf)[0] == 0
    }  # fmt: skip


def accepts(enrolled: Enrolled, purpose: str) -> bool:
    """Whether GnuTLS accepts a certificate for a purpose."""
    chain = enrolled.leaf.with_name("chain.pem")
    chain.write_text(enrolled.leaf.read_text() + enrolled.issuing.read_text())
    code, _ = attempt(
        "certtool", "--verify", "--infile", chain, "--load-ca-certificate", enrolled.root,
        "--verify-purpose", purpose,
    )  # fmt: skip
    return code == 0


def test_a_tls_server_is_a_server_of_its_name(platform: Running) -> None:
    enrolled = enrol(platform, "tls-server", NAME, [HOST])
    assert purposes(enrolled) == {"sslserver"}
    verify = ("openssl", "verify", *enrolled.path, "-purpose", "sslserver", "-verify_hostname")
    run(*verify, NAME, enrolled.leaf)
    assert attempt(*verify, "other.example.test", enrolled.leaf)[0] != 0


def test_a_tls_client_is_a_client(platform: Running) -> None:
    assert purposes(enrol(platform, "tls-client", "sensor 7", [MAIL])) == {"sslclient"}


def test_a_service_of_mutual_tls_is_both(platform: Running) -> None:
    enrolled = enrol(platform, "mutual-tls", NAME, [HOST])
    assert purposes(enrolled) == {"sslserver", "sslclient"}


@pytest.mark.parametrize("use_rsa", [False, True], ids=["EC", "RSA"])
def test_mail_is_signed_verified_encrypted_and_read(
    platform: Running, tmp_path: Path, use_rsa: bool
) -> None:
    enrolled = enrol(platform, "smime", "Hanako", [MAIL], use_rsa=use_rsa)
    # With an EC key OpenSSL asks an encryptor for keyEncipherment all the same.
    assert purposes(enrolled) == {"smimesign", "smimeencrypt"} if use_rsa else {"smimesign"}
    (tmp_path / "mail").write_text("Konnichiwa\n")
    sign_and_verify(enrolled, tmp_path, "smimesign")
    run("openssl", "cms", "-encrypt", "-aes256", "-in", "mail", "-out", "sealed", enrolled.leaf,
        folder=tmp_path)  # fmt: skip
    opened = run("openssl", "cms", "-decrypt", "-in", "sealed", "-recip", enrolled.leaf,
                 "-inkey", enrolled.key, folder=tmp_path)  # fmt: skip
    assert opened.replace("\r", "") == "Konnichiwa\n"


def sign_and_verify(enrolled: Enrolled, folder: Path, purpose: str) -> None:
    (folder / "mail").write_text("Konnichiwa\n")
    run("openssl", "cms", "-sign", "-in", "mail", "-signer", enrolled.leaf, "-inkey",
        enrolled.key, "-certfile", enrolled.issuing, "-out", "signed", folder=folder)  # fmt: skip
    verify = ("openssl", "cms", "-verify", "-in", "signed", "-CAfile", enrolled.root, "-purpose")
    assert "Konnichiwa" in run(*verify, purpose, folder=folder)


def test_nss_takes_mail_from_a_mailbox(platform: Running, tmp_path: Path) -> None:
    require("nss", "verifies what we issue")
    enrolled = enrol(platform, "smime", "Hanako", [MAIL])
    database = Database(tmp_path, enrolled.root, enrolled.issuing)
    database.add("leaf", enrolled.leaf)
    database.certutil("-M", "-n", "root", "-t", "CT,C,C")
    assert database.verify("leaf", "S") == (0, "certutil: certificate is valid\n")
    assert database.verify("leaf", "J")[0] != 0


def test_code_is_signed_for_java(platform: Running, tmp_path: Path) -> None:
    require("jarsigner", "signs and verifies code")
    enrolled = enrol(platform, "code-signing", "Tanuki KK")
    assert purposes(enrolled) == set()
    assert accepts(enrolled, CODE_SIGNING)
    assert not accepts(enrolled, EAP_OVER_LAN)
    assert verify_jar(enrolled, tmp_path / "code") == 0
    server = enrol(platform, "tls-server", NAME, [HOST])
    # 8: the signer's ExtendedKeyUsage does not allow code signing.
    assert verify_jar(server, tmp_path / "server") == 8


def test_nss_takes_code_from_its_signer(platform: Running, tmp_path: Path) -> None:
    require("nss", "verifies what we issue")
    enrolled = enrol(platform, "code-signing", "Tanuki KK")
    database = Database(tmp_path, enrolled.root, enrolled.issuing)
    database.add("leaf", enrolled.leaf)
    # J is an object signer. The root is trusted for that, and the issuing CA marked as one that may
    # stand between: NSS takes no basicConstraints for it, only Netscape's certificate type.
    database.certutil("-M", "-n", "root", "-t", "CT,C,C")
    database.certutil("-M", "-n", "issuing", "-t", ",,c")
    assert database.verify("leaf", "J") == (0, "certutil: certificate is valid\n")
    assert database.verify("leaf", "S")[0] != 0


def test_keytool_asks_and_takes_the_reply(platform: Running, tmp_path: Path) -> None:
    require("keytool", "asks for certificates as Java's users do")
    store = ("-keystore", "java.p12", "-storepass", "secret")

    def keytool(command: str, *arguments: str | Path) -> str:
        return run("keytool", command, *arguments, *store, folder=tmp_path)

    keytool("-genkeypair", "-alias", "signer", "-keyalg", "EC", "-groupname", "secp256r1",
            "-dname", "CN=Tanuki KK")  # fmt: skip
    csr = keytool("-certreq", "-alias", "signer")
    body = {"issuer": platform.context["issuer"], "profile": "code-signing", "csr": csr}
    answer = platform.call("POST", "/v1/certificates", body)
    (tmp_path / "root.pem").write_text(answer["chain"][-1])
    (tmp_path / "reply.pem").write_text(answer["certificate"] + "".join(answer["chain"]))
    code, text = attempt("keytool", "-importcert", "-noprompt", "-alias", "signer", "-file",
                         "reply.pem", *store, "-J-Duser.language=en", folder=tmp_path)  # fmt: skip
    assert (code, "installed in keystore" in text) == (0, True), text
    listed = keytool("-list", "-v", "-alias", "signer", "-J-Duser.language=en")
    assert "Certificate chain length: 3" in listed
    assert "codeSigning" in listed
    (tmp_path / "Hello.txt").write_text("hello\n")
    run("python3", "-m", "zipfile", "-c", "hello.jar", "Hello.txt", folder=tmp_path)
    run("jarsigner", *store, "hello.jar", "signer", folder=tmp_path)
    run("keytool", "-importcert", "-noprompt", "-alias", "root", "-file", "root.pem",
        "-keystore", "trust.p12", "-storepass", "secret", folder=tmp_path)  # fmt: skip
    code, text = attempt("jarsigner", "-verify", "-strict", "-keystore", "trust.p12",
                         "-storepass", "secret", "hello.jar", folder=tmp_path)  # fmt: skip
    assert code & ~64 == 0, text


def verify_jar(enrolled: Enrolled, folder: Path) -> int:
    """What jarsigner makes of a JAR that was signed with a certificate."""
    folder.mkdir()
    (folder / "Hello.txt").write_text("hello\n")
    chain = folder / "chain.pem"
    chain.write_text(enrolled.issuing.read_text() + enrolled.root.read_text())
    run("openssl", "pkcs12", "-export", "-in", enrolled.leaf, "-inkey", enrolled.key,
        "-certfile", chain, "-name", "signer", "-out", "signer.p12", "-passout", "pass:secret",
        folder=folder)  # fmt: skip
    run("keytool", "-importcert", "-noprompt", "-alias", "root", "-file", enrolled.root,
        "-keystore", "trust.p12", "-storepass", "secret", folder=folder)  # fmt: skip
    run("python3", "-m", "zipfile", "-c", "hello.jar", "Hello.txt", folder=folder)
    run("jarsigner", "-keystore", "signer.p12", "-storepass", "secret", "hello.jar", "signer",
        folder=folder)  # fmt: skip
    # 64 says that there is no time stamp, which is another profile's part.
    code, _text = attempt("jarsigner", "-verify", "-strict", "-keystore", "trust.p12",
                          "-storepass", "secret", "hello.jar", folder=folder)  # fmt: skip
    return code & ~64


def test_documents_are_signed(platform: Running, tmp_path: Path) -> None:
    enrolled = enrol(platform, "document-signing", "Tanuki KK")
    assert purposes(enrolled) == set()
    assert accepts(enrolled, DOCUMENT_SIGNING)
    assert not accepts(enrolled, IPSEC_IKE)
    sign_and_verify(enrolled, tmp_path, "any")


def test_time_is_stamped(platform: Running, tmp_path: Path) -> None:
    enrolled = enrol(platform, "time-stamping", "Tanuki TSU 1")
    assert purposes(enrolled) == {"timestampsign"}
    (tmp_path / "data").write_text("then\n")
    (tmp_path / "serial").write_text("01\n")
    (tmp_path / "tsa.cnf").write_text(
        "[tsa]\ndefault_tsa = unit\n[unit]\nserial = serial\ndefault_policy = 1.2.3.4\n"
        "digests = sha256\nsigner_digest = sha256\ness_cert_id_alg = sha256\n"
    )
    run("openssl", "ts", "-query", "-data", "data", "-sha256", "-cert", "-out", "q",
        folder=tmp_path)  # fmt: skip
    run("openssl", "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "q", "-signer",
        enrolled.leaf, "-inkey", enrolled.key, "-chain", enrolled.issuing, "-out", "r",
        folder=tmp_path)  # fmt: skip
    text = run("openssl", "ts", "-verify", "-queryfile", "q", "-in", "r", *enrolled.path,
               folder=tmp_path)  # fmt: skip
    assert "Verification: OK" in text


def test_a_vpn_gateway_is_trusted_by_strongswan_and_others(
    platform: Running, tmp_path: Path
) -> None:
    require("pki", "is strongSwan's")
    address = x509.IPAddress(ipaddress.ip_address("192.0.2.1"))
    enrolled = enrol(platform, "vpn-ike", NAME, [HOST, address])
    verify = ("pki", "--verify", "--in", enrolled.leaf, "--cacert", enrolled.root)
    assert "certificate trusted" in run(*verify, "--cacert", enrolled.issuing)
    assert attempt(*verify)[0] != 0
    assert "ikeIntermediate" not in (text := run("pki", "--print", "--in", enrolled.leaf))
    assert NAME in text
    assert "192.0.2.1" in text
    assert accepts(enrolled, IPSEC_IKE)
    assert not accepts(enrolled, EAP_OVER_LAN)
    database = Database(tmp_path, enrolled.root, enrolled.issuing)
    database.add("leaf", enrolled.leaf)
    assert database.verify("leaf", "I") == (0, "certutil: certificate is valid\n")


def test_a_device_is_itself_for_ever(platform: Running) -> None:
    serial = bytes.fromhex("0a0b0c0d")
    enrolled = enrol(
        platform, "device-identity", "Sensor", [hardware_module(serial)], serial_number="A-0001"
    )
    assert "sslclient" in purposes(enrolled)
    end = run("openssl", "x509", "-in", enrolled.leaf, "-noout", "-enddate")
    assert end == "notAfter=Dec 31 23:59:59 9999 GMT\n"
    names = enrolled.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    (name,) = names.value
    assert isinstance(name, x509.OtherName)
    module, rest = decode(name.value, asn1Spec=rfc4108.HardwareModuleName())
    assert (str(module["hwType"]), bytes(module["hwSerialNum"]), rest) == (
        HARDWARE_TYPE, serial, b"",
    )  # fmt: skip


def test_a_smart_card_logs_on_by_name_and_account(platform: Running) -> None:
    enrolled = enrol(
        platform, "smartcard-logon", "Hanako", [principal("hanako@corp.example.test")],
        extensions=[account(SID)],
    )  # fmt: skip
    assert purposes(enrolled) == {"sslclient"}
    assert accepts(enrolled, SMART_CARD_LOGON)
    assert not accepts(enrolled, EAP_OVER_LAN)
    kept = enrolled.certificate.extensions.get_extension_for_oid(account(SID).oid)
    assert kept.value == account(SID)
    text = run("openssl", "x509", "-in", enrolled.leaf, "-noout", "-text")
    assert "hanako@corp.example.test" in text


def test_a_responder_answers_for_its_issuer(platform: Running, tmp_path: Path) -> None:
    issued = platform.issue()
    response: ocsp.OCSPResponse = platform.ask(issued)
    responder = tmp_path / "responder.pem"
    responder.write_bytes(response.certificates[0].public_bytes(Encoding.PEM))
    enrolled = Enrolled(response.certificates[0], responder, responder, issued.issuing, issued.root)
    assert purposes(enrolled) == set()
    run("openssl", "verify", *enrolled.path, "-purpose", "ocsphelper", responder)
    # Without -trust_other: the responder's certificate must have been delegated.
    text = run("openssl", "ocsp", "-issuer", issued.issuing, "-cert", issued.leaf, "-url",
               platform.responder, "-CAfile", issued.root, "-no_nonce")  # fmt: skip
    assert "Response verify OK" in text


def test_cas_are_cas_and_nothing_else_is(platform: Running) -> None:
    enrolled = enrol(platform, "tls-server", NAME, [HOST])
    for file, is_ca in ((enrolled.root, True), (enrolled.issuing, True), (enrolled.leaf, False)):
        text = run("openssl", "x509", "-in", file, "-noout", "-purpose")
        assert f"SSL server CA : {'Yes' if is_ca else 'No'}" in text, text
    run("openssl", "verify", "-x509_strict", "-CAfile", enrolled.root, enrolled.issuing)
