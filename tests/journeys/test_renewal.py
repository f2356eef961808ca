"""Certificates in the place of others: renewed with their key, re-keyed with a new one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.journeys.platform import Json, Server, Tenant, run_tegata
from tests.journeys.requests import FRESH, make_csr


@pytest.fixture(scope="module")
def tenant(server: Server) -> Tenant:
    return server.open_tenant("Renewal")


def certificate_of(body: Json) -> x509.Certificate:
    return x509.load_pem_x509_certificate(body["certificate"].encode())


def key_of(body: Json) -> bytes:
    key = certificate_of(body).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def names_of(body: Json) -> list[str]:
    extension = certificate_of(body).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return extension.value.get_values_for_type(x509.DNSName)


def act(tenant: Tenant, certificate: str, what: str, body: object = None, **headers: str) -> Json:
    target = f"/v1/certificates/{certificate}/{what}"
    return tenant.caller.post(target, body, **headers).good(201)


def refusal(tenant: Tenant, certificate: str, what: str, body: object = None) -> str:
    return tenant.caller.post(f"/v1/certificates/{certificate}/{what}", body).code


def test_a_renewed_certificate_has_the_same_key_and_names_and_a_new_serial(tenant: Tenant) -> None:
    first = tenant.issue(make_csr("b.example.test", "a.example.test", kind=FRESH))
    second = act(tenant, first["id"], "renew")
    assert key_of(second) == key_of(first)
    assert names_of(second) == names_of(first)
    assert second["serial"] != first["serial"]
    assert second["predecessor"] == first["id"]


def test_lists_and_answers_name_predecessor_and_successor(tenant: Tenant) -> None:
    first = tenant.issue(make_csr("linked.example.test", kind=FRESH))
    second = act(tenant, first["id"], "renew")
    third = act(tenant, first["id"], "renew")
    shown = tenant.caller.get(f"/v1/certificates/{first['id']}").good()
    assert shown["successor"] == third["id"]
    shown = tenant.caller.get(f"/v1/certificates/{second['id']}").good()
    assert (shown["predecessor"], shown["successor"]) == (first["id"], None)
    listed = tenant.caller.certificates(dns_name="linked.example.test")
    assert {each["id"]: each["successor"] for each in listed} == {
        first["id"]: third["id"], second["id"]: None, third["id"]: None,
    }  # fmt: skip


def test_a_retry_under_an_idempotency_key_answers_with_the_first_successor(tenant: Tenant) -> None:
    first = tenant.issue(make_csr("retry.example.test", kind=FRESH))
    second = act(tenant, first["id"], "renew", Idempotency_Key="renewal-1")
    assert act(tenant, first["id"], "renew", Idempotency_Key="renewal-1")["id"] == second["id"]
    other = tenant.issue(make_csr("other.example.test", kind=FRESH))
    answer = tenant.caller.post(
        f"/v1/certificates/{other['id']}/renew", None, Idempotency_Key="renewal-1"
    )
    assert answer.code == "idempotency.mismatch"


def test_a_re_key_takes_the_names_of_the_certificate(tenant: Tenant) -> None:
    first = tenant.issue(make_csr("x.example.test", "y.example.test", kind=FRESH))
    second = act(tenant, first["id"], "rekey", {"csr": make_csr(kind=FRESH)})
    assert key_of(second) != key_of(first)
    assert names_of(second) == names_of(first)
    # The order of names says nothing.
    csr = make_csr("Y.example.test", "x.example.test", kind=FRESH)
    assert names_of(act(tenant, first["id"], "rekey", {"csr": csr})) == names_of(first)


def test_a_re_key_with_the_same_key_or_other_names_is_refused(tenant: Tenant) -> None:
    csr = make_csr("same.example.test", kind=FRESH)
    first = tenant.issue(csr)
    assert refusal(tenant, first["id"], "rekey", {"csr": csr}) == "certificate.same-key"
    for other in (
        make_csr("same.example.test", "more.example.test", kind=FRESH),
        make_csr("other.example.test", kind=FRESH),
        make_csr("same.example.test", kind=FRESH, common_name="somebody"),
    ):
        assert refusal(tenant, first["id"], "rekey", {"csr": other}) == "csr.name-refused"


def test_what_is_revoked_or_held_is_neither_renewed_nor_re_keyed(tenant: Tenant) -> None:
    for reason in ("superseded", "certificateHold"):
        first = tenant.issue(make_csr("gone.example.test", kind=FRESH))
        if tenant.revoke(first["id"], reason).status != 200:
            continue  # no holds here
        assert refusal(tenant, first["id"], "renew") == "certificate.not-good"
        body = {"csr": make_csr(kind=FRESH)}
        assert refusal(tenant, first["id"], "rekey", body) == "certificate.not-good"


def test_a_key_that_was_refused_meanwhile_is_not_renewed(tenant: Tenant) -> None:
    csr = make_csr("leaked.example.test", kind=FRESH)
    first, other = tenant.issue(csr), tenant.issue(csr)
    tenant.revoke(other["id"], "keyCompromise").good()
    assert refusal(tenant, first["id"], "renew") == "csr.compromised-key"


def test_a_renewal_is_an_event_beside_that_of_the_new_certificate(tenant: Tenant) -> None:
    first = tenant.issue(make_csr("event.example.test", kind=FRESH))
    act(tenant, first["id"], "renew")
    actions = [fact["action"] for fact in tenant.caller.facts()]
    # Lists may be published meanwhile.
    assert [each for each in actions if each.partition(":")[2].startswith("certificate:")][-2:] == [
        "issuance:certificate:issue",
        "registration:certificate:renew",
    ]


def test_the_commands_renew_and_re_key(server: Server, tenant: Tenant, tmp_path: Path) -> None:
    first = tenant.issue(make_csr("command.example.test", kind=FRESH))
    token = tmp_path / "token"
    token.write_text(tenant.caller.token)
    options = ("--context", server.data / "context.json", "--token-file", token)
    out = tmp_path / "renewed.pem"
    done = run_tegata("certificate", "renew", *options, first["id"], "--out", out)
    assert done.returncode == 0, done.stderr
    key, csr = tmp_path / "key.pem", tmp_path / "new.csr"
    subprocess.run(
        ["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", csr,
         "-subj", "/"],
        check=True, capture_output=True,
    )  # fmt: skip
    done = run_tegata("certificate", "rekey", *options, first["id"], "--csr", csr, "--out", out)
    assert done.returncode == 0, done.stderr
    assert x509.load_pem_x509_certificate(out.read_bytes()).public_key().key_size == 2048  # type: ignore[union-attr]
