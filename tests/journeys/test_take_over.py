"""An existing CA is taken over through the API, on each engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509

from tests.components import require
from tests.journeys.mail import mail_server
from tests.journeys.platform import (
    Answer,
    Caller,
    Json,
    Server,
    Tenant,
    eventually,
    run_tegata,
    running,
)
from tests.journeys.requests import make_csr
from tests.journeys.status import crl_number, crl_of
from tests.journeys.test_expiry_notices import ask, received, smtp_options, text_of
from tests.old_ca import OldCa

require("openssl", "ran the CA")
PATH = "/v1/take-overs"
PEM = {"Content-Type": "application/x-pem-file"}


@dataclass(frozen=True, slots=True)
class Handover:
    """A tenant with an old CA, whose key it was given."""

    server: Server
    tenant: Tenant
    old: OldCa

    @property
    def caller(self) -> Caller:
        return self.tenant.caller

    def begin(self, more: Json | None = None) -> Answer:
        body = {"kind": "issuing", "certificate": self.old.certificate.read_text()}
        return self.caller.post(PATH, {"name": "Old CA", **body, **(more or {})})

    def send(self, taken: str, what: str, octets: bytes, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.caller.call(
            "POST", f"{PATH}/{taken}/{what}", octets=octets, headers=PEM | named
        )

    def issued(self) -> bytes:
        return b"".join(each.read_bytes() for each in sorted(self.old.issued.iterdir()))

    def complete(self, taken: str) -> Json:
        assert self.caller.post(f"{PATH}/{taken}/complete", None).good(202)["state"]
        return eventually(lambda: self._whole(taken))

    def _whole(self, taken: str) -> Json | None:
        found = self.caller.get(f"/v1/issuers/{taken}")
        return found.good() if found.status == 200 else None


def hand(server: Server, tenant: Tenant, folder: Path, *days: str) -> Handover:
    old = OldCa.make(folder, crl_number="0F", subject=f"/O=Old/CN=Old CA of {tenant.id}")
    for name in ("good", "bad"):
        old.issue(f"{name}.old.example", *days)
    old.revoke(old.folder / "bad.old.example.pem")
    old.publish()
    done = run_tegata(
        "authorise-key", "--data", server.data, "--tenant", tenant.id, "--certificate",
        old.certificate, "--key", old.encrypted_key, "--passphrase-file", old.passphrase,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return Handover(server, tenant, old)


@pytest.fixture(scope="module")
def handover(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Handover:
    tenant = server.open_tenant("Successor")
    return hand(server, tenant, tmp_path_factory.mktemp("old") / "ca")


def test_a_ca_is_taken_over_step_by_step(handover: Handover) -> None:
    begun = handover.begin().good(201)
    taken = begun["id"]
    assert handover.begin().good(201)["id"] == taken
    assert handover.caller.get(f"/v1/issuers/{taken}").code == "issuer.unknown"
    assert handover.caller.post(f"{PATH}/{taken}/complete", None).code == "take-over.refused"
    file = handover.issued()
    first = handover.send(taken, "certificates?profile=tls-server", file).good()
    assert handover.send(taken, "certificates?profile=tls-server", file).good() == first
    assert (first["certificates"], first["revocations_known"]) == (2, False)
    told = handover.send(taken, "crl", handover.old.crl.read_bytes()).good()
    assert (told["revoked"], told["crl_number"], told["revocations_known"]) == (1, 15, True)
    assert handover.send(taken, "index", handover.old.index.read_bytes()).good()["entries"] == 2
    # Nothing of it is here yet.
    assert handover.caller.certificates(issuer=taken) == []
    assert handover.server.public.get(f"/crl/{taken}.crl").status == 404
    issuer = handover.complete(taken)
    assert issuer["state"] == "active"
    eventually(lambda: handover.server.public.get(f"/crl/{taken}.crl").status == 200)
    authority = x509.load_pem_x509_certificate(handover.old.certificate.read_bytes())
    crl = crl_of(handover.server.public, taken, authority)
    assert crl_number(crl) > 15
    assert [entry.serial_number for entry in crl] == [0x1001]
    found = {each["subject"]: each for each in handover.caller.certificates(issuer=taken)}
    good = next(each for name, each in found.items() if "good.old.example" in name)
    assert (good["serial"], good["status"], good["profile"]) == ("1000", "good", "tls-server")
    bad = next(each for name, each in found.items() if "bad.old.example" in name)
    assert (bad["status"], bad["revocation"]["reason"]) == ("revoked", "superseded")
    assert handover.begin().code == "issuer.exists"
    assert handover.caller.get(f"{PATH}/{taken}").code == "take-over.unknown"
    body = {"issuer": taken, "profile": "tls-server", "csr": make_csr("new.example.test")}
    assert handover.caller.post("/v1/certificates", body).good(201)["serial"].startswith("01")
    acts = [fact["action"] for fact in handover.caller.facts()]
    steps = [each.removeprefix("issuance:take-over:") for each in acts if "take-over" in each]
    assert [each for each in dict.fromkeys(steps) if each not in ("get", "list")] == [
        "begin", "complete", "add-certificates", "add-crl", "add-index", "record", "finish",
    ]  # fmt: skip


def test_what_is_no_take_over_is_refused_before_anything_is_kept(
    server: Server, tmp_path: Path
) -> None:
    handover = hand(server, server.open_tenant("Bad take-overs"), tmp_path / "ca")
    bad: tuple[tuple[Json, str], ...] = (
        ({"kind": "king"}, "request.malformed"),
        ({"name": "\n"}, "request.malformed"),
        ({"certificate": "a letter"}, "request.malformed"),
        ({"crl_number": -1}, "take-over.refused"),
        ({"crl_number": 1 << 63}, "take-over.refused"),
        ({"kind": "issuing", "signature_algorithm": "rsa-pss-sha256"}, "key.algorithm-refused"),
        ({"tenant": "ten_x"}, "request.unknown-field"),
    )
    for more, code in bad:
        assert handover.begin(more).code == code, more
    assert handover.caller.items(PATH) == []
    taken = handover.begin().good(201)["id"]
    for what, octets, headers, code in (
        ("certificates", b"", {}, "take-over.refused"),
        ("certificates", b"\x30\x80", {}, "take-over.refused"),
        ("certificates?profile=none", handover.issued(), {}, "profile.unknown"),
        ("certificates?shape=x", handover.issued(), {}, "request.unknown-field"),
        ("certificates", handover.issued(), {"Content_Type": "text/csv"}, "request.media-type"),
        ("index", b"not an index\n", {}, "take-over.refused"),
        ("crl", handover.old.certificate.read_bytes(), {}, "take-over.refused"),
        ("crl", b"\x30\x03\x02\x01\x01", {}, "take-over.refused"),
        ("nothing", b"", {}, "route.unknown"),
    ):
        assert handover.send(taken, what, octets, **headers).code == code, what
    shown = handover.caller.get(f"{PATH}/{taken}").good()
    assert (shown["entries"], shown["revocations_known"]) == (0, False)
    assert handover.caller.post(f"{PATH}/{taken}/cancel", None).good()["id"] == taken
    assert handover.caller.items(PATH) == []


def test_a_token_that_is_bound_to_issuers_takes_nothing_over(handover: Handover) -> None:
    body = {"name": "bound", "issuers": [handover.tenant.issuer]}
    bound = handover.server.caller(handover.caller.post("/v1/tokens", body).good(201)["secret"])
    assert bound.get(PATH).code == "authorization.denied"
    assert bound.get(f"{PATH}/iss_x").code == "authorization.denied"


def test_a_mail_tells_of_old_certificates_before_they_expire(folder: Path) -> None:
    with mail_server() as mailbox:
        with running(folder / "data", "--demo", *smtp_options(mailbox)) as server:
            handover = hand(server, server.demo_tenant(), folder / "ca", "-days", "20")
            taken = handover.begin().good(201)["id"]
            handover.send(taken, "certificates", handover.issued()).good()
            handover.send(taken, "crl", handover.old.crl.read_bytes()).good()
            handover.complete(taken)
            ask(server.demo, "admin@example.test", days=(30,))
            eventually(received(mailbox, 1))
            text = text_of(mailbox.messages[0])
        assert "good.old.example" in text
        assert "bad.old.example" not in text
