"""Certificates are searched for and downloaded, over REST and with the command line."""

from __future__ import annotations

import hashlib
import json
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from tests.components import require
from tests.journeys.platform import Answer, Json, Server, Tenant
from tests.journeys.requests import make_csr

TEGATA = Path(sys.executable).with_name("tegata")


@pytest.fixture(scope="module")
def tenant(server: Server) -> Tenant:
    return server.open_tenant("Search")


@pytest.fixture(scope="module")
def issued(tenant: Tenant) -> list[Json]:
    """Three servers, one of them revoked, and a client."""
    servers = [
        tenant.issue(make_csr(name, "ip:192.0.2.7", common_name=name, organization="検索"))
        for name in ("a.search.test", "b.a.search.test", "a-b.search.test")
    ]
    client = tenant.issue(make_csr("someone@search.test"), "tls-client")
    tenant.revoke(servers[2]["id"], "superseded").good()
    return [*servers, client]


def fingerprint(body: Json) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(body["certificate"])).hexdigest()


def test_every_filter_finds_what_it_names(tenant: Tenant, issued: list[Json]) -> None:
    ids = [body["id"] for body in issued]
    first, second, third, client = ids
    own = {"issuer": tenant.issuer}
    soon = (datetime.now(UTC) + timedelta(days=91)).strftime("%Y-%m-%dT%H:%M:%S+00:00")
    colons = ":".join(fingerprint(issued[0])[at : at + 2] for at in range(0, 64, 2)).upper()
    for query, wanted in (
        ({"name": "dns:A.search.test"}, [first]),
        ({"name_prefix": "dns:a.search.test"}, [first, second]),
        ({"name_prefix": "dns:search.test"}, [first, second, third]),
        ({"name": "ip:192.0.2.7"}, [first, second, third]),
        ({"name": "email:someone@search.test"}, [client]),
        ({"name_prefix": "email:some"}, [client]),
        ({"subject": issued[0]["subject"]}, [first]),
        ({"subject_prefix": "O=検索, CN=a"}, [first, third]),
        ({"serial_prefix": issued[1]["serial"][:14]}, [second]),
        ({"fingerprint": colons}, [first]),
        ({"fingerprint_prefix": fingerprint(issued[3])[:9]}, [client]),
        ({"state": "revoked"}, [third]),
        ({"state": "valid", "profile": "tls-server", **own}, [first, second]),
        ({"state": "held"}, []),
        ({"state": "expired"}, []),
        ({"profile": "tls-client"}, [client]),
        ({"expires_before": soon, "profile": "tls-client"}, [client]),
        ({"expires_after": "2099-01-01"}, []),
        ({"name_prefix": "dns:search.test", "state": "valid"}, [first, second]),
        ({"name_prefix": "dns:search.test", "profile": "tls-client"}, []),
        ({"expires_before": soon, "state": "revoked", **own}, [third]),
    ):
        for limit in (1, 50):
            found = tenant.caller.certificates(limit=limit, **query)
            assert sorted(item["id"] for item in found) == sorted(wanted), query


def test_a_token_for_some_issuers_finds_theirs_only(
    tenant: Tenant, issued: list[Json], server: Server
) -> None:
    root = next(each["id"] for each in tenant.issuers if each["id"] != tenant.issuer)
    body = {"name": "root only", "issuers": [root], "actions": ["certificates.read"]}
    bounded = server.caller(tenant.caller.post("/v1/tokens", body).good(201)["secret"])
    for query in (
        {"state": "revoked"},
        {"name_prefix": "dns:search.test"},
        {"profile": "tls-client"},
    ):
        assert bounded.certificates(**query) == []
    whole = [item["issuer"] for item in bounded.certificates()]
    assert set(whole) <= {root}
    target = f"/v1/certificates/{issued[0]['id']}"
    assert bounded.get(target, format="der").code == "authorization.denied"


def test_a_certificate_is_given_in_every_form(tenant: Tenant, issued: list[Json]) -> None:
    body = issued[0]
    target = f"/v1/certificates/{body['id']}"
    der = ssl.PEM_cert_to_DER_cert(body["certificate"])

    def asked(form: str, accept: str) -> bytes:
        by_name = tenant.caller.get(target, format=form)
        by_type = tenant.caller.call("GET", target, headers={"Accept": accept})
        for answer in (by_name, by_type):
            assert answer.status == 200
            assert answer.headers["content-type"].startswith(accept.partition(";")[0])
            assert answer.headers["vary"] == "accept"
            assert body["id"] in answer.headers["content-disposition"]
        assert by_name.body == by_type.body
        return by_name.body

    assert asked("pem", "application/x-pem-file").decode() == body["certificate"]
    assert asked("der", "application/pkix-cert") == der
    chain = asked("chain", "application/pem-certificate-chain").decode()
    assert chain == body["certificate"] + "".join(body["chain"][:-1])
    packed = asked("pkcs7", "application/pkcs7-mime; smime-type=certs-only")
    carried = {
        each.public_bytes(Encoding.DER) for each in pkcs7.load_der_pkcs7_certificates(packed)
    }
    assert carried == {der, *map(ssl.PEM_cert_to_DER_cert, body["chain"])}


@pytest.mark.requires("openssl", "reads what is downloaded")
def test_openssl_reads_the_pkcs7(tenant: Tenant, issued: list[Json]) -> None:
    packed = tenant.caller.get(f"/v1/certificates/{issued[0]['id']}", format="pkcs7").body
    openssl = str(require("openssl", "reads what is downloaded"))

    def printed(*arguments: str) -> bytes:
        line = [openssl, *arguments, "-inform", "DER"]
        return subprocess.run(line, input=packed, capture_output=True, check=True).stdout

    count = printed("pkcs7", "-print_certs").count(b"BEGIN CERTIFICATE")
    assert count == 1 + len(issued[0]["chain"])
    assert b"signedData" in printed("cms", "-cmsout", "-print")


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/html", "application/json"),
        ("application/pkix-cert;q=0, application/json;q=0.1", "application/json"),
        ("application/json;q=0.5, application/pkix-cert;q=0.9", "application/pkix-cert"),
        ("text/html, application/PKIX-CERT, */*;q=0.1", "application/pkix-cert"),
        ("application/pkix-cert;q=x", "application/json"),
    ],
)
def test_the_heaviest_known_media_type_is_answered(
    tenant: Tenant, issued: list[Json], accept: str, media_type: str
) -> None:
    target = f"/v1/certificates/{issued[0]['id']}"
    answer: Answer = tenant.caller.call("GET", target, headers={"Accept": accept})
    assert answer.headers["content-type"] == media_type


def test_a_form_that_is_not_known_is_refused(tenant: Tenant, issued: list[Json]) -> None:
    answer = tenant.caller.get(f"/v1/certificates/{issued[0]['id']}", format="pkcs12")
    assert (answer.status, answer.code) == (400, "request.malformed")


def test_the_command_line_searches_and_downloads(
    server: Server, tenant: Tenant, issued: list[Json], tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text(tenant.caller.token)
    where = ("--context", str(server.data / "context.json"), "--token-file", str(token))

    def tegata(command: str, *arguments: str) -> bytes:
        line = [str(TEGATA), "certificate", command, *where, *arguments]
        return subprocess.run(line, capture_output=True, check=True).stdout

    found = json.loads(tegata("list", "--name-prefix", "dns:search.test", "--state", "valid"))
    assert [item["id"] for item in found["items"]] == [body["id"] for body in issued[:2]]
    assert tegata("get", issued[0]["id"]).decode() == issued[0]["certificate"]
    file = tmp_path / "certificate.cer"
    assert tegata("get", issued[0]["id"], "--format", "der", "--out", str(file)) == b""
    assert x509.load_der_x509_certificate(file.read_bytes()).issuer
