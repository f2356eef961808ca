"""A CA that `openssl ca` ran is taken over, with its key in a file or in a token, and the same
OpenSSL goes on believing it."""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from cryptography import x509

from tests.components import require
from tests.conformance.running import (
    TEGATA,
    RefusedError,
    Running,
    attempt,
    request_pem,
    run,
    running,
    until,
)
from tests.conformance.test_softhsm import LABEL, PIN, Token, make_token
from tests.old_ca import POINT, OldCa

require("openssl", "ran the CA, and asks about its certificates")
require("softhsm2", "takes the key in")


KEYS = {
    "software": ("EC", "-pkeyopt", "ec_paramgen_curve:P-384"),
    "token": ("RSA", "-pkeyopt", "rsa_keygen_bits:3072"),
}


@dataclass(frozen=True, slots=True)
class Taken:
    """A CA that was taken over: one certificate good, one revoked and published, one on hold, one
    revoked after its last list, one known by the index alone."""

    platform: Running
    old: OldCa
    issuer: str
    environment: dict[str, str]

    def tegata(self, *arguments: str | Path) -> Any:
        return tegata(self.platform, *arguments)

    def ocsp(self, certificate: Path) -> str:
        """What `openssl ocsp` says of a certificate."""
        ca = self.old.certificate
        text = run(
            "openssl", "ocsp", "-issuer", ca, "-CAfile", ca, "-cert", certificate,
            "-url", self.platform.responder,
        )  # fmt: skip
        assert "Response verify OK" in text
        return text.split(f"{certificate}: ")[1].split()[0]

    def ocsp_of_serial(self, serial: str) -> str:
        ca = self.old.certificate
        text = run(
            "openssl", "ocsp", "-issuer", ca, "-CAfile", ca, "-serial", f"0x{serial}",
            "-url", self.platform.responder,
        )  # fmt: skip
        return text.split(f"0x{serial}: ")[1].split()[0]

    def crl(self, scope: str = "") -> tuple[x509.CertificateRevocationList, Path]:
        """The list of everything, or of a shard, verified by OpenSSL."""
        octets = self.platform.get(f"{self.platform.public}/crl/{self.issuer}{scope}.crl")
        file = self.old.folder / f"published{scope.replace('/', '-')}.crl"
        file.write_bytes(octets)
        checked = run(
            "openssl", "crl", "-in", file, "-inform", "DER", "-noout", "-CAfile",
            self.old.certificate, "-crlnumber",
        )  # fmt: skip
        assert "verify OK" in checked
        return x509.load_der_x509_crl(octets), file

    def certificate_id(self, name: str) -> str:
        found = self.tegata("certificate", "list", "--dns-name", name)["items"]
        assert len(found) == 1
        assert found[0]["issuer"] == self.issuer
        return str(found[0]["id"])


def tegata(platform: Running, *arguments: str | Path) -> Any:
    environment = {"TEGATA_CONTEXT": str(platform.data / "context.json")}
    return json.loads(run(TEGATA, *arguments, environment=environment))


def refused(platform: Running, *arguments: str | Path) -> str:
    environment = {"TEGATA_CONTEXT": str(platform.data / "context.json")}
    code, text = attempt(TEGATA, *arguments, environment=environment)
    assert code == 1, text
    return text


def a_history(old: OldCa) -> None:
    for name in ("good", "revoked", "held", "late", "lost", "renewed"):
        old.issue(f"{name}.old.example")
    old.revoke(old.folder / "revoked.old.example.pem", "keyCompromise")
    old.revoke(old.folder / "held.old.example.pem", "certificateHold")
    old.publish()
    old.revoke(old.folder / "late.old.example.pem")
    # Of one nothing is left but a line in the index.
    (old.issued / "1004.pem").unlink()


def authorise(platform: Running, old: OldCa, *key: str | Path, tenant: str = "ten_demo") -> None:
    run(
        TEGATA, "authorise-key", "--data", platform.data, "--tenant", tenant,
        "--certificate", old.certificate, *key,
    )  # fmt: skip


def hand_over(platform: Running, old: OldCa, name: str, kind: str = "issuing") -> str:
    begun = tegata(
        platform, "ca", "take-over", "begin", name, "--kind", kind,
        "--certificate", old.certificate,
    )  # fmt: skip
    issuer = str(begun["id"])
    step = ("ca", "take-over")
    tegata(platform, *step, "certificates", issuer, old.issued, "--profile", "tls-server")
    tegata(platform, *step, "crl", issuer, old.crl)
    tegata(platform, *step, "index", issuer, old.index)
    done = tegata(platform, *step, "complete", issuer)
    assert (done["id"], done["state"]) == (issuer, "active")
    return issuer


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Token:
    return make_token(tmp_path_factory.mktemp("token"))


def import_key(token: Token, key: Path, label: str, identifier: str) -> None:
    run(
        "softhsm2-util", "--import", key, "--token", LABEL, "--label", label,
        "--id", identifier, "--pin", PIN, environment=token.environment,
    )  # fmt: skip


@pytest.fixture(scope="module", params=["software", "token"])
def taken(
    request: pytest.FixtureRequest, token: Token, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Taken]:
    folder = tmp_path_factory.mktemp(request.param)
    old = OldCa.make(folder / "ca", crl_number="2A", key=KEYS[request.param])
    a_history(old)
    if request.param == "software":
        with running(folder) as platform:
            key = ("--key", old.encrypted_key, "--passphrase-file", old.passphrase)
            authorise(platform, old, *key)
            yield Taken(platform, old, hand_over(platform, old, "Old CA"), {})
        return
    import_key(token, old.key, "old-ca", "A1B2")
    with running(folder, *token.options, environment=token.environment) as platform:
        authorise(platform, old, "--key-uri", f"pkcs11:token={LABEL};object=old-ca;id=%a1%b2")
        yield Taken(platform, old, hand_over(platform, old, "Old CA"), token.environment)


def test_old_and_new_certificates_verify_and_ocsp_answers_for_both(taken: Taken) -> None:
    new = taken.old.folder / "new.pem"
    answer = taken.platform.call(
        "POST", "/v1/certificates",
        {"issuer": taken.issuer, "profile": "tls-server", "csr": request_pem("new.example")},
    )  # fmt: skip
    new.write_text(answer["certificate"])
    good = taken.old.folder / "good.old.example.pem"
    for each in (new, good):
        verified = run("openssl", "verify", "-CAfile", taken.old.certificate, each)
        assert verified.endswith("OK\n")
        assert taken.ocsp(each) == "good"
    assert len(f"{x509.load_pem_x509_certificate(new.read_bytes()).serial_number:x}") == 37
    for name in ("revoked", "held", "late"):
        assert taken.ocsp(taken.old.folder / f"{name}.old.example.pem") == "revoked"
    assert taken.ocsp_of_serial("1004") == "good"
    assert taken.ocsp_of_serial("1FFF") == "unknown"
    assert taken.ocsp(_revoked(taken, answer["id"], new)) == "revoked"


def _revoked(taken: Taken, identifier: str, file: Path) -> Path:
    taken.tegata("certificate", "revoke", identifier)
    return file


def test_the_first_list_has_every_revocation_and_a_higher_number(taken: Taken) -> None:
    crl, _file = taken.crl()
    number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    assert number > 0x2A
    listed = {entry.serial_number: entry for entry in crl}
    assert {0x1001, 0x1003} <= listed.keys()
    assert 0x1000 not in listed
    reason = listed[0x1001].extensions.get_extension_for_class(x509.CRLReason).value.reason
    assert reason is x509.ReasonFlags.key_compromise
    old = x509.load_pem_x509_crl(taken.old.crl.read_bytes())
    before = old.get_revoked_certificate_by_serial_number(0x1001)
    assert before is not None
    assert listed[0x1001].revocation_date_utc == before.revocation_date_utc


def test_an_old_certificate_is_revoked_here_in_ocsp_at_once_and_in_the_next_list(
    taken: Taken,
) -> None:
    issued = taken.old.folder / "good.old.example.pem"
    before, _ = taken.crl()
    taken.tegata(
        "certificate", "revoke", taken.certificate_id("good.old.example"),
        "--reason", "cessationOfOperation",
    )  # fmt: skip
    until(lambda: taken.ocsp(issued) == "revoked", 5, "the revocation")

    def listing() -> Path | None:
        crl, file = taken.crl()
        number = crl.extensions.get_extension_for_class(x509.CRLNumber).value
        earlier = before.extensions.get_extension_for_class(x509.CRLNumber).value
        found = crl.get_revoked_certificate_by_serial_number(0x1000)
        return file if found is not None and number.crl_number > earlier.crl_number else None

    file = until(listing, 15, "the next list")
    code, text = attempt(
        "openssl", "verify", "-crl_check", "-CAfile", taken.old.certificate,
        "-CRLfile", _pem(file), issued,
    )  # fmt: skip
    assert (code, "certificate revoked" in text) == (2, True)


def _pem(file: Path) -> Path:
    pem = file.with_suffix(".pem")
    run("openssl", "crl", "-in", file, "-inform", "DER", "-out", pem)
    return pem


def test_a_hold_of_the_old_ca_is_released_here(taken: Taken) -> None:
    taken.tegata("certificate", "release", taken.certificate_id("held.old.example"))
    held = taken.old.folder / "held.old.example.pem"
    until(lambda: taken.ocsp(held) == "good", 5, "the release")


def test_what_only_the_index_knows_is_revoked_by_its_serial(taken: Taken) -> None:
    path = ("ca", "revoke-serial", taken.issuer)
    told = taken.tegata(*path, "1004", "--reason", "superseded")
    assert told["reason"] == "superseded"
    until(lambda: taken.ocsp_of_serial("1004") == "revoked", 5, "the revocation")
    assert "certificate.already-revoked" in refused(taken.platform, *path, "1004")
    assert "certificate.unknown" in refused(taken.platform, *path, "2004")
    assert "its certificate is here" in refused(taken.platform, *path, "1002")


def test_searches_find_what_the_old_ca_issued(taken: Taken) -> None:
    file = taken.old.folder / "late.old.example.pem"
    fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(file.read_text())).hexdigest()
    late = taken.certificate_id("late.old.example")
    for question in (
        ("--serial", "1003", "--issuer", taken.issuer),
        ("--serial", "1003"),
        ("--fingerprint", fingerprint),
        ("--name-prefix", "dns:late.old.example"),
        ("--subject", "CN=late.old.example, O=Old Company"),
        ("--state", "revoked", "--issuer", taken.issuer, "--expires-before", "2099-01-01"),
    ):
        found = taken.tegata("certificate", "list", *question)["items"]
        assert late in {each["id"] for each in found}, question


def test_an_old_certificate_is_renewed_by_the_profile_that_it_was_given(taken: Taken) -> None:
    renewed = taken.certificate_id("renewed.old.example")
    answer = taken.platform.call("POST", f"/v1/certificates/{renewed}/renew")
    assert answer["predecessor"] == renewed
    file = taken.old.folder / "renewed.pem"
    file.write_text(answer["certificate"])
    assert run("openssl", "verify", "-CAfile", taken.old.certificate, file).endswith("OK\n")
    before = (taken.old.folder / "renewed.old.example.pem").read_bytes()
    old = x509.load_pem_x509_certificate(before)
    new = x509.load_pem_x509_certificate(answer["certificate"].encode())
    assert new.public_key() == old.public_key()
    late = taken.certificate_id("late.old.example")
    with pytest.raises(RefusedError) as caught:
        taken.platform.call("POST", f"/v1/certificates/{late}/renew")
    assert caught.value.code == "certificate.not-good"


def test_a_list_for_the_old_address_is_made_when_the_old_lists_said_theirs(tmp_path: Path) -> None:
    old = OldCa.make(tmp_path / "ca", pointed=True)
    a_history(old)
    with running(tmp_path) as platform:
        authorise(platform, old, "--key", old.encrypted_key, "--passphrase-file", old.passphrase)
        taken = Taken(platform, old, hand_over(platform, old, "Old CA"), {})
        _check_pointed(taken)


def _check_pointed(taken: Taken) -> None:
    def published() -> tuple[x509.CertificateRevocationList, Path] | None:
        try:
            return taken.crl("/1")
        except HTTPError:
            return None

    crl, file = until(published, 15, "the list for the old address")
    point = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint)
    assert point.critical
    assert [each.value for each in point.value.full_name or ()] == [POINT]
    with pytest.raises(x509.ExtensionNotFound):
        crl.extensions.get_extension_for_class(x509.FreshestCRL)
    assert {entry.serial_number for entry in crl} == {0x1001, 0x1002, 0x1003}
    lists = ("-crl_check", "-CAfile", taken.old.certificate, "-CRLfile", _pem(file))
    good = taken.old.folder / "good.old.example.pem"
    assert run("openssl", "verify", *lists, good).endswith("OK\n")
    code, text = attempt("openssl", "verify", *lists, taken.old.folder / "late.old.example.pem")
    assert (code, "certificate revoked" in text) == (2, True)
    command = ("crl-check", "--url", taken.platform.public, "--issuer", taken.issuer)
    for _look in range(2):
        assert run(TEGATA, *command, "--state", taken.old.folder / "seen") == ""
    # What is issued here names another list.
    answer = taken.platform.call(
        "POST", "/v1/certificates",
        {"issuer": taken.issuer, "profile": "tls-server", "csr": request_pem("new.example")},
    )  # fmt: skip
    new = x509.load_pem_x509_certificate(answer["certificate"].encode())
    named = new.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    (url,) = [each.value for one in named for each in one.full_name or ()]
    assert url.endswith("/2.crl")


def test_a_root_that_was_taken_over_certifies_cas_after_a_start_too(tmp_path: Path) -> None:
    old = OldCa.make(tmp_path / "ca", subject="/CN=Old Root")
    a_history(old)
    with running(tmp_path) as platform:
        key = ("--key", old.encrypted_key, "--passphrase-file", old.passphrase)
        authorise(platform, old, *key, "--kind", "root")
        root = hand_over(platform, old, "Old Root", "root")
    with running(tmp_path) as platform:
        taken = Taken(platform, old, root, {})
        below = ("--parent", root, "--kind", "issuing", "--subject", "commonName=New Issuing CA")
        created = taken.tegata("ca", "create", "New Issuing CA", *below)
        issued = platform.issue("new.example", issuer=created["id"])
        path = ("-untrusted", issued.issuing, issued.leaf)
        verified = run("openssl", "verify", "-CAfile", old.certificate, *path)
        assert verified.endswith("OK\n")
        assert taken.ocsp(old.folder / "good.old.example.pem") == "good"
        assert taken.ocsp(issued.issuing) == "good"
        assert "a root that was taken over" in refused(platform, "ca", "rekey", root)
