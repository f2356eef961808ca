"""A certificate's life: asked for, issued, found again, revoked, and known to be revoked."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from tests.journeys.log import sequenced
from tests.journeys.platform import Json, Server, Tenant, eventually, exchange, running, start
from tests.journeys.requests import FRESH, make_csr
from tests.journeys.status import (
    certificate_of,
    chain_of,
    crl_number,
    crl_of,
    entry_of,
    get_ocsp,
    ocsp_request,
    post_ocsp,
    require_signed,
    status_of,
)
from tests.pkix.keys import private_key

REASONS = {
    "unspecified": None,
    "keyCompromise": x509.ReasonFlags.key_compromise,
    "affiliationChanged": x509.ReasonFlags.affiliation_changed,
    "superseded": x509.ReasonFlags.superseded,
    "cessationOfOperation": x509.ReasonFlags.cessation_of_operation,
    "privilegeWithdrawn": x509.ReasonFlags.privilege_withdrawn,
}
KEY_TYPES = {
    "p256": ec.EllipticCurvePublicKey,
    "p384": ec.EllipticCurvePublicKey,
    "rsa-2048": rsa.RSAPublicKey,
    "ed25519": ed25519.Ed25519PublicKey,
}
USAGES = {
    "tls-server": ExtendedKeyUsageOID.SERVER_AUTH,
    "tls-client": ExtendedKeyUsageOID.CLIENT_AUTH,
}


@pytest.fixture(scope="module")
def tenant(server: Server) -> Tenant:
    return server.open_tenant("Certificate life")


@pytest.mark.parametrize("profile", USAGES)
@pytest.mark.parametrize("kind", KEY_TYPES)
def test_every_kind_of_key_gets_a_certificate_of_each_profile(
    tenant: Tenant, kind: str, profile: str
) -> None:
    body = tenant.issue(make_csr("www.example.test", kind=kind), profile)
    certificate = certificate_of(body)
    assert isinstance(certificate.public_key(), KEY_TYPES[kind])
    assert certificate.public_key() == private_key(kind).public_key()
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [USAGES[profile]]
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["www.example.test"]


def test_the_answer_describes_the_certificate_that_it_carries(
    server: Server, tenant: Tenant
) -> None:
    csr = make_csr("www.example.test", common_name="www.example.test", organization="Example")
    before = datetime.now(UTC)
    answer = tenant.ask(csr)
    body = answer.good(201)
    certificate = certificate_of(body)
    assert answer.headers["location"] == f"{server.context['api']}/v1/certificates/{body['id']}"
    assert answer.headers["cache-control"] == "no-store"
    assert set(body) == {
        "id", "serial", "issuer", "profile", "subject", "not_before", "not_after", "status",
        "revocation", "certificate", "chain", "ocsp_url", "crl_url", "ca_issuers_url",
        "profile_version", "predecessor", "successor",
    }  # fmt: skip
    assert int(body["serial"], 16) == certificate.serial_number
    assert body["serial"] == body["serial"].lower()
    assert (body["issuer"], body["profile"]) == (tenant.issuer, "tls-server")
    assert body["subject"] == "O=Example, CN=www.example.test"
    assert (body["status"], body["revocation"]) == ("good", None)
    assert body["not_before"] == f"{certificate.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ}"
    assert body["not_after"] == f"{certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}"
    # Valid a little before it was asked for, and for 90 days to the second.
    assert certificate.not_valid_before_utc < before
    period = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert period == timedelta(days=90) - timedelta(seconds=1)
    access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess)
    urls = {each.access_method: each.access_location.value for each in access.value}
    assert urls[AuthorityInformationAccessOID.OCSP] == body["ocsp_url"]
    assert urls[AuthorityInformationAccessOID.CA_ISSUERS] == body["ca_issuers_url"]
    points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    names = [name.value for point in points for name in point.full_name or ()]
    assert names == [body["crl_url"]]
    assert body["ocsp_url"] == f"{server.context['public']}/ocsp"
    assert body["crl_url"] == f"{server.context['public']}/crl/{tenant.issuer}/1.crl"
    assert body["ca_issuers_url"] == f"{server.context['public']}/ca/{tenant.issuer}.cer"


def test_the_chain_leads_from_the_issuing_ca_to_the_root(server: Server, tenant: Tenant) -> None:
    body = tenant.issue(make_csr("www.example.test"))
    issuing, root = chain_of(body)
    certificate_of(body).verify_directly_issued_by(issuing)
    issuing.verify_directly_issued_by(root)
    root.verify_directly_issued_by(root)
    downloaded = server.public.get(f"/ca/{tenant.issuer}.cer")
    assert downloaded.headers["content-type"] == "application/pkix-cert"
    assert x509.load_der_x509_certificate(downloaded.body) == issuing


def test_a_certificate_is_found_again_as_it_was_issued(tenant: Tenant) -> None:
    body = tenant.issue(make_csr("again.example.test"))
    assert tenant.caller.get(f"/v1/certificates/{body['id']}").good() == body


def test_addresses_and_mailboxes_are_certified_where_the_profile_has_them(tenant: Tenant) -> None:
    body = tenant.issue(make_csr("host.example.test", "ip:192.0.2.7", "ip:2001:db8::7"))
    names = certificate_of(body).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert [str(each) for each in names.value.get_values_for_type(x509.IPAddress)] == [
        "192.0.2.7",
        "2001:db8::7",
    ]
    client = tenant.issue(make_csr("someone@example.test"), "tls-client")
    mailbox = certificate_of(client).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert mailbox.value.get_values_for_type(x509.RFC822Name) == ["someone@example.test"]


def test_the_same_request_twice_makes_two_certificates(tenant: Tenant) -> None:
    csr = make_csr("twice.example.test")
    first, second = tenant.issue(csr), tenant.issue(csr)
    assert first["id"] != second["id"]
    assert first["serial"] != second["serial"]


# Lists.


def test_pages_follow_each_other_without_gap_or_repetition(server: Server) -> None:
    tenant = server.open_tenant("Pages")
    issued = [tenant.issue(make_csr(f"{number}.example.test"))["id"] for number in range(7)]
    whole = [item["id"] for item in tenant.caller.certificates(limit=200)]
    assert whole[:7] == issued[::-1]
    assert whole == sorted(whole, reverse=True)
    for limit in (1, 2, 3, 200):
        assert [item["id"] for item in tenant.caller.certificates(limit=limit)] == whole
    page = tenant.caller.get("/v1/certificates", limit=3).good()
    # One that is issued between two pages moves nothing.
    tenant.issue(make_csr("between.example.test"))
    following = tenant.caller.get("/v1/certificates", limit=3, after=page["next"]).good()
    assert [item["id"] for item in page["items"] + following["items"]] == whole[:6]


def test_lists_are_filtered_by_issuer_serial_and_name(tenant: Tenant) -> None:
    csr = make_csr("one.filter.example.test", "other.filter.example.test")
    body = tenant.issue(csr)
    tenant.issue(make_csr("two.filter.example.test"))

    def found(**query: str | int) -> list[str]:
        return [item["id"] for item in tenant.caller.certificates(**query)]

    assert found(serial=body["serial"]) == [body["id"]]
    assert found(serial=body["serial"].upper(), issuer=tenant.issuer) == [body["id"]]
    pairs = [body["serial"][place : place + 2] for place in range(0, len(body["serial"]), 2)]
    assert found(serial=":".join(pairs)) == [body["id"]]
    assert found(serial="1f") == []
    assert found(dns_name="other.filter.example.test") == [body["id"]]
    assert found(dns_name="ONE.filter.example.test", issuer=tenant.issuer) == [body["id"]]
    assert found(dns_name="filter.example.test") == []
    root = next(each["id"] for each in tenant.issuers if each["id"] != tenant.issuer)
    assert body["id"] not in found(issuer=root)
    assert found(serial=body["serial"], issuer=root) == []
    assert found(dns_name="one.filter.example.test", issuer=root) == []
    assert {item["issuer"] for item in tenant.caller.certificates(issuer=tenant.issuer)} == {
        tenant.issuer
    }


def test_filters_never_answer_with_what_does_not_match_all_of_them(tenant: Tenant) -> None:
    body = tenant.issue(make_csr("both.example.test"))
    answer = tenant.caller.get(
        "/v1/certificates", serial=body["serial"], dns_name="neither.example.test"
    )
    assert (answer.status, answer.code) == (400, "request.malformed")


# Revocation.


@pytest.mark.parametrize("reason", REASONS)
def test_a_revocation_is_known_to_ocsp_and_the_crl_with_its_reason(
    server: Server, tenant: Tenant, reason: str
) -> None:
    body = tenant.issue(make_csr("revoked.example.test", kind=FRESH))
    assert status_of(server.public, body).certificate_status is ocsp.OCSPCertStatus.GOOD
    before = crl_of(server.public, tenant.issuer, chain_of(body)[0])
    assert entry_of(before, body) is None

    revoked = tenant.revoke(body["id"], reason).good()
    assert (revoked["status"], revoked["revocation"]["reason"]) == ("revoked", reason)
    assert tenant.caller.get(f"/v1/certificates/{body['id']}").good() == revoked
    listed = tenant.caller.certificates(serial=body["serial"])
    assert listed[0]["revocation"] == revoked["revocation"]

    def revoked_in_ocsp() -> ocsp.OCSPResponse | None:
        response = status_of(server.public, body)
        known = response.certificate_status is ocsp.OCSPCertStatus.REVOKED
        return response if known else None

    response = eventually(revoked_in_ocsp, seconds=5)
    assert response.revocation_reason == REASONS[reason]
    at = datetime.fromisoformat(revoked["revocation"]["revoked_at"])
    assert response.revocation_time_utc == at

    def listed_in_crl() -> x509.CertificateRevocationList | None:
        crl = crl_of(server.public, tenant.issuer, chain_of(body)[0])
        return crl if entry_of(crl, body) is not None else None

    crl = eventually(listed_in_crl)
    entry = entry_of(crl, body)
    assert entry is not None
    assert entry.revocation_date_utc == at
    codes = [
        each.value.reason for each in entry.extensions if isinstance(each.value, x509.CRLReason)
    ]
    assert codes == ([REASONS[reason]] if REASONS[reason] else [])
    assert crl_number(crl) > crl_number(before)


def test_without_a_reason_a_revocation_is_unspecified(tenant: Tenant) -> None:
    body = tenant.issue(make_csr("plain.example.test"))
    revoked = tenant.caller.post(f"/v1/certificates/{body['id']}/revoke", {}).good()
    assert revoked["revocation"]["reason"] == "unspecified"


def test_a_second_revocation_is_refused_and_changes_nothing(tenant: Tenant) -> None:
    body = tenant.issue(make_csr("once.example.test"))
    revoked = tenant.revoke(body["id"], "superseded").good()
    answer = tenant.revoke(body["id"], "keyCompromise")
    assert (answer.status, answer.code) == (409, "certificate.already-revoked")
    assert tenant.caller.get(f"/v1/certificates/{body['id']}").good() == revoked


def test_of_many_revocations_at_once_one_is_done(tenant: Tenant) -> None:
    body = tenant.issue(make_csr("race.example.test"))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: tenant.revoke(body["id"]), range(8)))
    assert Counter(answer.status for answer in answers) == {200: 1, 409: 7}
    done = [
        fact
        for fact in tenant.caller.facts()
        if fact["action"] == "revocation:certificate:revoke"
        and fact["subject"] == _digest(f"certificate:{body['id']}")
        and fact["decision"] == "allowed"
    ]
    assert len(done) == 1


@pytest.mark.parametrize(
    "reason",
    ["", "KeyCompromise", "cACompromise", "removeFromCRL", "aACompromise", "1"],
)
def test_a_reason_that_nobody_may_give_is_refused(tenant: Tenant, reason: str) -> None:
    body = tenant.issue(make_csr("reason.example.test"))
    answer = tenant.revoke(body["id"], reason)
    assert (answer.status, answer.code) == (400, "revocation.reason-unknown")
    assert tenant.caller.get(f"/v1/certificates/{body['id']}").good()["status"] == "good"


def test_status_is_answered_over_get_with_headers_for_caches_and_over_post_without(
    server: Server, tenant: Tenant
) -> None:
    body = tenant.issue(make_csr("cache.example.test"))
    request = ocsp_request(body)
    for response in (get_ocsp(server.public, request), post_ocsp(server.public, request)):
        require_signed(response, chain_of(body)[0])
        assert response.serial_number == int(body["serial"], 16)
        assert response.next_update_utc is not None
        assert response.next_update_utc > datetime.now(UTC)
    posted = server.public.call("POST", "/ocsp", request)
    assert posted.headers["cache-control"] == "no-store"


def test_a_nonce_comes_back_signed(server: Server, tenant: Tenant) -> None:
    body = tenant.issue(make_csr("nonce.example.test"))
    response = post_ocsp(server.public, ocsp_request(body, nonce=b"n" * 32))
    require_signed(response, chain_of(body)[0])
    assert response.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"n" * 32


# Retries.


def test_a_retry_under_the_same_key_gets_the_same_certificate(tenant: Tenant) -> None:
    csr = make_csr("retry.example.test")
    first = tenant.issue(csr, Idempotency_Key="retry-1")
    assert tenant.issue(csr, Idempotency_Key="retry-1") == first
    tenant.revoke(first["id"]).good()
    again = tenant.issue(csr, Idempotency_Key="retry-1")
    assert (again["id"], again["status"]) == (first["id"], "revoked")
    assert tenant.issue(csr, Idempotency_Key="retry-2")["id"] != first["id"]


def test_another_request_under_the_same_key_is_refused(tenant: Tenant) -> None:
    tenant.issue(make_csr("first.example.test"), Idempotency_Key="mismatch")
    count = len(tenant.caller.certificates(limit=200))
    answer = tenant.ask(make_csr("second.example.test"), Idempotency_Key="mismatch")
    assert (answer.status, answer.code) == (422, "idempotency.mismatch")
    other = tenant.ask(make_csr("first.example.test"), "tls-client", Idempotency_Key="mismatch")
    assert (other.status, other.code) == (422, "idempotency.mismatch")
    assert len(tenant.caller.certificates(limit=200)) == count


def test_many_requests_at_once_under_one_key_make_one_certificate(tenant: Tenant) -> None:
    csr = make_csr("burst.example.test")
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: tenant.ask(csr, Idempotency_Key="burst"), range(20)))
    refused = [answer for answer in answers if answer.status != 201]
    assert {(answer.status, answer.code) for answer in refused} <= {
        (409, "idempotency.in-progress")
    }
    made = {answer.good(201)["id"] for answer in answers if answer.status == 201}
    assert len(made) == 1
    listed = tenant.caller.certificates(dns_name="burst.example.test")
    assert {item["id"] for item in listed} == made
    assert tenant.issue(csr, Idempotency_Key="burst")["id"] in made


def test_a_refused_request_does_not_use_up_its_key(tenant: Tenant) -> None:
    weak = tenant.ask(make_csr("weak.example.test", kind="rsa-1024"), Idempotency_Key="second-try")
    assert weak.status in (400, 422)
    assert tenant.issue(make_csr("weak.example.test"), Idempotency_Key="second-try")["id"]


# Runs.


def test_the_line_that_is_printed_is_the_context_file_and_the_only_one(server: Server) -> None:
    lines = server.printed.splitlines()
    assert len(lines) == 1
    assert server.context == _context(server)
    assert server.context["ready"] is True
    assert set(server.context) == {
        "ready", "api", "public", "tls_ca", "token_file", "tenant", "issuer", "sandbox",
        "log_vkey", "log_vkey_mldsa",
    }  # fmt: skip
    assert server.api.port > 0
    assert server.public.port > 0
    assert server.api.get("/health").good()["status"] == "ok"


def test_a_restart_keeps_everything(folder: Path, database: tuple[str, ...]) -> None:
    data = folder / "data"
    with running(data, "--demo", *database) as first:
        demo, opened = first.demo_tenant(), first.open_tenant("Kept")
        csr = make_csr("kept.example.test")
        kept = demo.issue(csr, Idempotency_Key="kept")
        gone = opened.issue(make_csr("gone.example.test", kind=FRESH))
        opened.revoke(gone["id"], "keyCompromise").good()
        events = sequenced(opened)
        authority = chain_of(kept)[0]
        number = crl_number(crl_of(first.public, demo.issuer, authority))
        certificates = demo.caller.certificates()
    with running(data, "--demo", *database) as second:
        assert second.context["issuer"] == first.context["issuer"]
        demo = Tenant(demo.id, demo.name, demo.issuer, second.caller(demo.caller.token))
        opened = Tenant(opened.id, opened.name, opened.issuer, second.caller(opened.caller.token))
        assert demo.caller.certificates() == certificates
        assert opened.caller.events()[: len(events)] == events
        found = demo.caller.get(f"/v1/certificates/{kept['id']}").good()
        assert found["certificate"] == kept["certificate"]
        assert demo.issue(csr, Idempotency_Key="kept")["id"] == kept["id"]
        assert opened.caller.get(f"/v1/certificates/{gone['id']}").good()["status"] == "revoked"
        response = status_of(second.public, gone)
        assert response.revocation_reason is x509.ReasonFlags.key_compromise
        fresh = demo.issue(make_csr("fresh.example.test"))
        demo.revoke(fresh["id"]).good()
        crl = eventually(lambda: _listing(second, demo, fresh))
        assert crl_number(crl) > number


def test_a_power_cut_after_an_acknowledgement_loses_nothing(
    folder: Path, database: tuple[str, ...]
) -> None:
    data = folder / "data"
    first = start(data, "--demo", *database)
    demo = first.demo_tenant()
    with ThreadPoolExecutor(4) as pool:
        names = [f"{number}.example.test" for number in range(8)]
        issued = list(pool.map(lambda name: demo.issue(make_csr(name)), names))
    revoked = issued[0]
    assert demo.revoke(revoked["id"], "superseded").status == 200
    acknowledged = demo.issue(make_csr("last.example.test"))
    first.kill()
    with running(data, "--demo", *database) as second:
        caller = second.caller(demo.caller.token)
        for body in (*issued[1:], acknowledged):
            assert caller.get(f"/v1/certificates/{body['id']}").good() == {
                **body,
                **_urls(second, demo.issuer),
            }
            status = status_of(second.public, body)
            assert status.certificate_status is ocsp.OCSPCertStatus.GOOD
        assert caller.get(f"/v1/certificates/{revoked['id']}").good()["status"] == "revoked"
        response = status_of(second.public, revoked)
        assert response.certificate_status is ocsp.OCSPCertStatus.REVOKED
        # The revocation's CRL was not made before the power cut, or was: it is there now.
        tenant = Tenant(demo.id, demo.name, demo.issuer, caller)
        crl = eventually(lambda: _listing(second, tenant, revoked))
        assert all(entry_of(crl, body) is None for body in issued[1:])
        recorded = [fact["subject"] for fact in caller.facts()]
        for body in (*issued, acknowledged):
            assert _digest(f"certificate:{body['id']}") in recorded


def test_an_end_by_sigterm_answers_what_is_under_way_and_waits_for_no_idle_client(
    folder: Path,
) -> None:
    server = start(folder / "data", "--demo")
    demo = server.demo_tenant()
    silent, idle, busy = server.api.connect(), server.api.connect(), server.api.connect()
    assert exchange(idle, "GET", "/health").status == 200
    csr = make_csr("late.example.test")
    body = Json(issuer=demo.issuer, profile="tls-server", csr=csr)
    octets = _encoded(body)
    busy.putrequest("POST", "/v1/certificates")
    busy.putheader("Authorization", f"Bearer {demo.caller.token}")
    busy.putheader("Content-Type", "application/json")
    busy.putheader("Content-Length", str(len(octets)))
    busy.putheader("Expect", "100-continue")
    busy.endheaders()
    # The application has asked for the body: the request is under way.
    assert busy.sock.recv(1024).startswith(b"HTTP/1.1 100 ")
    server.process.terminate()
    eventually(lambda: _refuses(server))
    busy.send(octets)
    answer = busy.getresponse()
    assert (answer.status, bool(answer.read())) == (201, True)
    # Well below the time that an idle client is given.
    assert server.process.wait(6) == 0
    for connection in (silent, idle, busy):
        connection.close()
    server.require_clean_log()


def test_the_public_address_stands_in_certificates_and_answers(folder: Path) -> None:
    url = "http://pki.example.test"
    with running(folder / "data", "--demo", "--public-url", url) as server:
        demo = server.demo_tenant()
        assert server.context["public"] == url
        body = demo.issue(make_csr("www.example.test"))
        assert body["ocsp_url"] == f"{url}/ocsp"
        assert body["crl_url"] == f"{url}/crl/{demo.issuer}/1.crl"
        assert body["ca_issuers_url"] == f"{url}/ca/{demo.issuer}.cer"
        text = certificate_of(body).public_bytes(Encoding.DER)
        issuing = chain_of(body)[0].public_bytes(Encoding.DER)
        for each in (body["ocsp_url"], body["crl_url"], body["ca_issuers_url"]):
            assert each.encode() in text
        assert f"{url}/ocsp".encode() in issuing
        assert all(each["ocsp_url"] == f"{url}/ocsp" for each in demo.issuers)


def _context(server: Server) -> Json:
    text = (server.data / "context.json").read_text()
    assert text == server.printed
    return Json(json.loads(text))


def _listing(server: Server, tenant: Tenant, body: Json) -> x509.CertificateRevocationList | None:
    crl = crl_of(server.public, tenant.issuer, chain_of(body)[0])
    return crl if entry_of(crl, body) is not None else None


def _urls(server: Server, issuer: str) -> Json:
    public = server.context["public"]
    return {
        "ocsp_url": f"{public}/ocsp",
        "crl_url": f"{public}/crl/{issuer}/1.crl",
        "ca_issuers_url": f"{public}/ca/{issuer}.cer",
    }


def _refuses(server: Server) -> bool:
    try:
        server.api.connect().close()
    except OSError:
        return True
    return False


def _encoded(body: Json) -> bytes:
    return json.dumps(body).encode()


def _digest(subject: str) -> str:
    return hashlib.sha256(subject.encode()).hexdigest()
