"""Hold and release, and the lists that tell of it: complete, of a shard, delta."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509 import ocsp

from tests.conformance.running import TEGATA
from tests.journeys.platform import Json, Server, Tenant, eventually
from tests.journeys.requests import make_csr
from tests.journeys.status import certificate_of, chain_of, crl_number, status_of

HOLD = "certificateHold"


@pytest.fixture(scope="module")
def tenant(server: Server) -> Tenant:
    return server.open_tenant("Hold and lists")


def listed(server: Server, body: Json, suffix: str = ".crl") -> x509.RevokedCertificate | None:
    """The entry of a certificate in the list that it names, or in its delta."""
    crl = crl_at(server, body["crl_url"].removesuffix(".crl") + suffix)
    key = chain_of(body)[0].public_key()
    assert crl.is_signature_valid(key)  # type: ignore[arg-type]
    return crl.get_revoked_certificate_by_serial_number(int(body["serial"], 16))


def crl_at(server: Server, url: str) -> x509.CertificateRevocationList:
    path = url.removeprefix(server.context["public"])
    return x509.load_der_x509_crl(server.public.get(path).body)


def is_good(server: Server, body: Json) -> bool:
    return status_of(server.public, body).certificate_status is ocsp.OCSPCertStatus.GOOD


def reason_of(entry: x509.RevokedCertificate | None) -> str | None:
    if entry is None:
        return None
    return entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value


def release(tenant: Tenant, body: Json) -> Json:
    return tenant.caller.post(f"/v1/certificates/{body['id']}/release", None).good()


def test_what_is_held_is_revoked_until_it_is_released_and_good_again_after(
    server: Server, tenant: Tenant
) -> None:
    body = tenant.issue(make_csr("hold.example.test"))
    held = tenant.revoke(body["id"], HOLD).good()
    assert (held["status"], held["revocation"]["reason"]) == ("revoked", HOLD)
    assert not is_good(server, body)
    eventually(lambda: reason_of(listed(server, body)) == HOLD, seconds=5)
    released = release(tenant, body)
    assert (released["status"], released["revocation"]) == ("good", None)
    eventually(lambda: is_good(server, body), seconds=5)
    eventually(lambda: listed(server, body) is None, seconds=5)
    assert reason_of(listed(server, body, "-delta.crl")) == "removeFromCRL"
    facts = [each["action"] for each in tenant.caller.facts()]
    assert "revocation:certificate:release" in facts
    # And once more: a hold can follow a release.
    tenant.revoke(body["id"], HOLD).good()
    eventually(lambda: reason_of(listed(server, body, "-delta.crl")) == HOLD, seconds=5)


def test_what_is_held_can_be_revoked_for_good_since_it_was_held(
    server: Server, tenant: Tenant
) -> None:
    body = tenant.issue(make_csr("held-then-revoked.example.test"))
    held = tenant.revoke(body["id"], HOLD).good()
    revoked = tenant.revoke(body["id"], "affiliationChanged").good()
    assert revoked["revocation"]["reason"] == "affiliationChanged"
    assert revoked["revocation"]["revoked_at"] == held["revocation"]["revoked_at"]
    eventually(lambda: reason_of(listed(server, body)) == "affiliationChanged", seconds=5)
    answer = tenant.caller.post(f"/v1/certificates/{body['id']}/release", None)
    assert (answer.status, answer.code) == (409, "certificate.not-held")
    assert not is_good(server, body)


def test_only_what_is_held_is_released_and_only_what_is_not_is_held(tenant: Tenant) -> None:
    body = tenant.issue(make_csr("never-held.example.test"))
    answer = tenant.caller.post(f"/v1/certificates/{body['id']}/release", None)
    assert (answer.status, answer.code) == (409, "certificate.not-held")
    tenant.revoke(body["id"], HOLD).good()
    again = tenant.revoke(body["id"], HOLD)
    assert (again.status, again.code) == (409, "certificate.already-revoked")


def test_an_invalidity_date_stands_in_the_answer_the_list_and_the_search(
    server: Server, tenant: Tenant
) -> None:
    body = tenant.issue(make_csr("invalid-since.example.test"))
    since = certificate_of(body).not_valid_before_utc + timedelta(minutes=1)
    path, text = f"/v1/certificates/{body['id']}/revoke", since.strftime("%Y-%m-%dT%H:%M:%SZ")
    asked = {"reason": "affiliationChanged", "invalidity_date": text}
    revoked = tenant.caller.post(path, asked).good()
    assert revoked["revocation"]["invalidity_date"] == text
    assert (
        tenant.caller.certificates(serial=body["serial"])[0]["revocation"]
        == (revoked["revocation"])
    )
    entry = eventually(lambda: listed(server, body), seconds=5)
    date = entry.extensions.get_extension_for_class(x509.InvalidityDate).value
    assert date.invalidity_date_utc == since
    assert entry.revocation_date_utc > since


@pytest.mark.parametrize("away", [timedelta(minutes=2), timedelta(days=-1)])
def test_an_invalidity_date_outside_the_certificates_life_is_refused(
    tenant: Tenant, away: timedelta
) -> None:
    body = tenant.issue(make_csr("impossible.example.test"))
    text = (datetime.now(UTC) + away).strftime("%Y-%m-%dT%H:%M:%SZ")
    path = f"/v1/certificates/{body['id']}/revoke"
    answer = tenant.caller.post(path, {"invalidity_date": text})
    assert (answer.status, answer.code) == (400, "revocation.invalidity-date")
    assert tenant.caller.get(f"/v1/certificates/{body['id']}").good()["status"] == "good"


def test_a_shards_list_is_for_the_address_that_its_certificates_name(
    server: Server, tenant: Tenant
) -> None:
    body = tenant.issue(make_csr("shard.example.test"))
    crl = crl_at(server, body["crl_url"])
    point = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint)
    assert point.critical
    assert [name.value for name in point.value.full_name or ()] == [body["crl_url"]]
    freshest = crl.extensions.get_extension_for_class(x509.FreshestCRL).value
    (address,) = [name.value for each in freshest for name in each.full_name or ()]
    delta = crl_at(server, address)
    base = delta.extensions.get_extension_for_class(x509.DeltaCRLIndicator)
    assert base.critical
    assert base.value.crl_number <= crl_number(crl) <= crl_number(delta)
    index = server.public.get(f"/crl/{tenant.issuer}.json").good()
    assert index == {"shards": [1]}


@pytest.mark.parametrize(
    "path", ["/{}/2.crl", "/{}/0-delta.crl", "/{}/99999999999999.crl", "/x.json"]
)
def test_lists_that_are_not_there_are_not_found(server: Server, tenant: Tenant, path: str) -> None:
    expected = 200 if path == "/{}/0-delta.crl" else 404
    assert server.public.get("/crl" + path.format(tenant.issuer)).status == expected


def test_who_has_the_newest_list_is_not_sent_it_again(server: Server, tenant: Tenant) -> None:
    path = f"/crl/{tenant.issuer}/1.crl"
    tag = server.public.get(path).headers["etag"]
    answer = server.public.call("GET", path, None, {"If-None-Match": tag})
    assert (answer.status, answer.body) == (304, b"")


def test_the_checker_has_nothing_to_say_of_a_running_platform(
    server: Server, tenant: Tenant, tmp_path: Path
) -> None:
    body = tenant.issue(make_csr("checked.example.test"))
    assert check(server, tenant.issuer, tmp_path) == (0, "")
    tenant.revoke(body["id"], "superseded").good()
    eventually(lambda: listed(server, body), seconds=5)
    assert check(server, tenant.issuer, tmp_path) == (0, "")
    code, text = check(server, "iss_none", tmp_path)
    assert (code, "crl.unreachable" in text) == (3, True)


def check(server: Server, issuer: str, folder: Path) -> tuple[int, str]:
    """Run the checker as an operator's timer does."""
    command = (TEGATA, "crl-check", "--url", server.context["public"], "--state", folder)
    done = subprocess.run(
        [*map(str, command), "--issuer", issuer], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.returncode, done.stdout
