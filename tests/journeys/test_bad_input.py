"""Whatever comes through the door: a problem with the right code, nothing changed, and a record."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from tegata.pkix import oids
from tegata.pkix.der import (
    encode_octet_string,
    encode_oid,
    encode_sequence,
    explicit,
)
from tests.journeys.platform import Answer, Json, Server, Tenant, exchange
from tests.journeys.requests import make_csr
from tests.journeys.status import (
    certificate_of,
    chain_of,
    get_ocsp,
    ocsp_request,
    parse_answer,
    post_ocsp,
    require_signed,
    status_of,
)

CERTIFICATES = "/v1/certificates"
MALFORMED = ocsp.OCSPResponseStatus.MALFORMED_REQUEST
UNAUTHORIZED = ocsp.OCSPResponseStatus.UNAUTHORIZED
NOWHERE = "0" * 26


@pytest.fixture(scope="module")
def tenant(server: Server) -> Tenant:
    tenant = server.open_tenant("Bad input")
    tenant.issue(make_csr("good.example.test"))
    return tenant


@dataclass(frozen=True, slots=True)
class State:
    """What a tenant has and what its record says."""

    facts: list[Json]
    certificates: list[Json]


def state(tenant: Tenant) -> State:
    return State(tenant.caller.facts(), tenant.caller.certificates(limit=200))


def require_refused(tenant: Tenant, before: State, answer: Answer, status: int, code: str) -> None:
    """A problem, one event that says so, and the same certificates as before."""
    assert (answer.status, answer.code) == (status, code), answer.body
    after = state(tenant)
    event, *others = after.facts[len(before.facts) :]
    assert others == []
    assert (event["decision"], event["code"]) == ("refused", code)
    assert event["actor"] == "token:tok_" + tenant.caller.token.split("_")[2]
    assert after.certificates == before.certificates


def good_body(tenant: Tenant) -> Json:
    csr = make_csr("www.example.test")
    return {"issuer": tenant.issuer, "profile": "tls-server", "csr": csr}


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"", "request.malformed"),
        (b"{", "request.malformed"),
        (b"null", "request.malformed"),
        (b"[]", "request.malformed"),
        (b"{}", "request.malformed"),
        (b'{"issuer": 1}', "request.malformed"),
        (b'{"issuer": "a", "profile": null, "csr": ""}', "request.malformed"),
        (b'{"issuer": ["a"], "profile": "b", "csr": "c"}', "request.malformed"),
        (b'{"issuer": "\\ud800", "profile": "b", "csr": "c"}', "request.malformed"),
        (b'{"issuer": "\\u0000", "profile": "b", "csr": "c"}', "request.malformed"),
        (b'{"issuer": "\xff", "profile": "b", "csr": "c"}', "request.malformed"),
        (b'{"issuer": "a"} {}', "request.malformed"),
        (b"[" * 100_000, "request.malformed"),
        (b'{"a":' * 20_000, "request.malformed"),
        (b'{"issuer":' + b"[" * 100_000, "request.malformed"),
        (b'{"x":' + b"[" * 60_000 + b"]" * 60_000 + b"}", "request.malformed"),
        (b'{"issuer": "a", "profile": "b", "csr": "c", "extra": 1}', "request.unknown-field"),
    ],
    ids=lambda value: value[:24].decode("latin-1") if isinstance(value, bytes) else value,
)
def test_a_body_that_is_not_the_one_described_is_refused(
    tenant: Tenant, octets: bytes, code: str
) -> None:
    before = state(tenant)
    answer = tenant.caller.call("POST", CERTIFICATES, octets=octets)
    # Of two faults either may be named.
    assert answer.code in (code, "request.unknown-field")
    require_refused(tenant, before, answer, 400, answer.code)


def test_a_body_that_is_too_large_is_refused_by_its_length_and_in_chunks(tenant: Tenant) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(64):
            yield b" " * 4096

    for octets in (b" " * (128 * 1024 + 1), chunks()):
        before = state(tenant)
        answer = tenant.caller.call("POST", CERTIFICATES, octets=octets)
        require_refused(tenant, before, answer, 413, "request.too-large")


def test_a_request_that_is_too_large_is_refused_whatever_is_in_it(tenant: Tenant) -> None:
    before = state(tenant)
    answer = tenant.ask("A" * (64 * 1024 + 1))
    require_refused(tenant, before, answer, 413, "request.too-large")


@pytest.mark.parametrize(
    "media_type", ["", "text/plain", "application/jsonx", "multipart/form-data"]
)
def test_another_content_type_is_refused(tenant: Tenant, media_type: str) -> None:
    before = state(tenant)
    headers = {"Content-Type": media_type}
    answer = tenant.caller.call("POST", CERTIFICATES, good_body(tenant), headers=headers)
    require_refused(tenant, before, answer, 415, "request.media-type")


def test_a_content_type_with_parameters_is_the_same(tenant: Tenant) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    answer = tenant.caller.call("POST", CERTIFICATES, good_body(tenant), headers=headers)
    assert answer.status == 201


def test_a_body_where_none_belongs_is_refused(tenant: Tenant) -> None:
    before = state(tenant)
    answer = tenant.caller.call("GET", CERTIFICATES, {})
    require_refused(tenant, before, answer, 400, "request.malformed")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"issuer": ""}, 404, "issuer.unknown"),
        ({"issuer": f"iss_{NOWHERE}"}, 404, "issuer.unknown"),
        ({"profile": ""}, 404, "profile.unknown"),
        ({"profile": "TLS-SERVER"}, 404, "profile.unknown"),
        ({"profile": "root-ca"}, 404, "profile.unknown"),
        ({"profile": "ocsp-responder"}, 404, "profile.unknown"),
        ({"csr": ""}, 400, "csr.malformed"),
        ({"csr": "not PEM"}, 400, "csr.malformed"),
        ({"csr": "認証"}, 400, "csr.malformed"),
        ({"csr": "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n"}, 400, "csr.malformed"),
    ],
)
def test_a_request_for_what_is_not_there_is_refused(
    tenant: Tenant, change: Json, status: int, code: str
) -> None:
    before = state(tenant)
    answer = tenant.caller.post(CERTIFICATES, {**good_body(tenant), **change})
    require_refused(tenant, before, answer, status, code)


def _pem(octets: bytes) -> str:
    text = base64.encodebytes(octets).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{text}-----END CERTIFICATE REQUEST-----\n"


def _broken_signature() -> str:
    csr = x509.load_pem_x509_csr(make_csr("www.example.test").encode())
    octets = bytearray(csr.public_bytes(Encoding.DER))
    octets[octets.index(b"www.example.test")] ^= 2
    return _pem(bytes(octets))


def _requests() -> dict[str, tuple[str, set[tuple[int, str]]]]:
    refused_name = {(400, "csr.name-refused"), (422, "lint.refused")}
    ca = x509.BasicConstraints(ca=True, path_length=None)
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    whole = make_csr("www.example.test")
    named = {
        "two words": "two words.example.test",
        "underscore": "_service.example.test",
        "partial wildcard": "w*.example.test",
        "top level wildcard": "*.test",
        "deep wildcard": "www.*.example.test",
        "address as name": "192.0.2.1",
        "trailing dot": "www.example.test.",
        "long label": "x" * 64 + ".example.test",
        "long name": ".".join(["x" * 60] * 5),
        "mailbox for a server": "someone@example.test",
        "quote": "a'b.example.test",
        "NUL": "www.example.test\0.evil.test",
    }
    return {
        "no DER": (_pem(b"\x04\x03abc"), {(400, "csr.malformed")}),
        "cut short": (_pem(base64.b64decode("".join(whole.splitlines()[1:-1]))[:-4]),
                      {(400, "csr.malformed")}),
        "more than one": (whole + whole, {(400, "csr.malformed")}),
        "bad signature": (_broken_signature(), {(400, "csr.bad-signature")}),
        "RSA-1024": (make_csr("www.example.test", kind="rsa-1024"),
                     {(400, "csr.weak-key"), (422, "lint.refused")}),
        "secp256k1": (make_csr("www.example.test", kind="secp256k1"),
                      {(400, "csr.unsupported-key")}),
        "a CA": (make_csr("www.example.test", extensions=[(ca, True)]),
                 {(400, "csr.extension-refused")}),
        "unknown extension": (make_csr("www.example.test", extensions=[(unknown, False)]),
                              {(400, "csr.extension-refused")}),
        "nobody": (make_csr(), refused_name),
        "common name that is no host": (make_csr(common_name="Some Body"), refused_name),
        "common name that is not certified": (
            make_csr("www.example.test", common_name="other.example.test"), refused_name),
        "101 names": (make_csr(*(f"{number}.example.test" for number in range(101))),
                      refused_name),
        **{kind: (make_csr(name), refused_name) for kind, name in named.items()},
    }  # fmt: skip


REQUESTS = _requests()


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_that_no_profile_takes_is_refused(tenant: Tenant, kind: str) -> None:
    csr, allowed = REQUESTS[kind]
    before = state(tenant)
    answer = tenant.ask(csr)
    assert (answer.status, answer.code) in allowed, answer.body
    require_refused(tenant, before, answer, answer.status, answer.code)
    if answer.code == "lint.refused":
        findings = answer.json()["findings"]
        assert findings
        assert all(each["code"] and each["cites"] and each["message"] for each in findings)


def test_a_hundred_names_are_not_too_many(tenant: Tenant) -> None:
    names = [f"{number}.example.test" for number in range(100)]
    certificate = certificate_of(tenant.issue(make_csr(*names)))
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert found.get_values_for_type(x509.DNSName) == names


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\xe9", "tab\there"])
def test_an_idempotency_key_out_of_bounds_is_refused(tenant: Tenant, key: str) -> None:
    before = state(tenant)
    answer = tenant.ask(make_csr("key.example.test"), Idempotency_Key=key)
    require_refused(tenant, before, answer, 400, "request.malformed")


def test_an_idempotency_key_of_255_characters_is_taken(tenant: Tenant) -> None:
    assert tenant.issue(make_csr("key.example.test"), Idempotency_Key="x" * 255)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "request.malformed"),
        ("limit=201", "request.malformed"),
        ("limit=-1", "request.malformed"),
        ("limit=", "request.malformed"),
        ("limit=1.0", "request.malformed"),
        ("limit=%D9%A1", "request.malformed"),
        ("limit=0000011", "request.malformed"),
        ("limit=000001999999", "request.malformed"),
        ("limit=000001" + "9" * 5000, "request.malformed"),
        ("after=x", "request.malformed"),
        ("after=", "request.malformed"),
        ("after=%00", "request.malformed"),
        (f"after=iss_{NOWHERE}", "request.malformed"),
        ("after=" + "A" * 1025, "request.malformed"),
        ("state=good", "request.malformed"),
        ("expires_after=yesterday", "request.malformed"),
        ("expires_before=2026-02-30", "request.malformed"),
        ("expires_before=0001-01-01T00:00:00%2B09:00", "request.malformed"),
        ("expires_after=2027-01-01&expires_before=2027-01-01", "request.malformed"),
        ("name=www.example.test", "request.malformed"),
        ("name=ip:example.test", "request.malformed"),
        ("name=other:x", "request.malformed"),
        ("name=dns:", "request.malformed"),
        ("name=dns:a&name_prefix=dns:a", "request.malformed"),
        ("subject=CN%3Da&serial=01", "request.malformed"),
        ("subject=", "request.malformed"),
        ("serial_prefix=010143ab", "request.malformed"),
        ("serial_prefix=" + "1" * 39, "request.malformed"),
        ("fingerprint=abcd", "request.malformed"),
        ("fingerprint_prefix=abcdef0", "request.malformed"),
        ("fingerprint_prefix=xyzxyzxyz", "request.malformed"),
        ("serial=", "request.malformed"),
        ("serial=xyz", "request.malformed"),
        ("serial=0x1f", "request.malformed"),
        ("serial=1_0", "request.malformed"),
        ("serial=-1", "request.malformed"),
        ("serial=0", "request.malformed"),
        ("serial=" + "f" * 41, "request.malformed"),
        ("serial=1&dns_name=www.example.test", "request.malformed"),
        ("dns_name=%00", "request.malformed"),
        ("issuer=a%00b", "request.malformed"),
        ("offset=1", "request.unknown-field"),
        ("Limit=1", "request.unknown-field"),
        ("%00=1", "request.unknown-field"),
    ],
    ids=lambda value: value[:32],
)
def test_a_query_that_is_not_the_one_described_is_refused(
    tenant: Tenant, query: str, code: str
) -> None:
    before = state(tenant)
    answer = tenant.caller.get(f"{CERTIFICATES}?{query}")
    status = 404 if code == "certificate.unknown" else 400
    require_refused(tenant, before, answer, status, code)


@pytest.mark.parametrize("query", ["after=-1", "after=x", "after=" + "9" * 19, "limit=0000021"])
def test_a_place_in_the_record_that_is_no_number_is_refused(tenant: Tenant, query: str) -> None:
    before = state(tenant)
    answer = tenant.caller.get(f"/v1/events?{query}")
    require_refused(tenant, before, answer, 400, "request.malformed")


@pytest.mark.parametrize("query", ["serial=01", "dns_name=%FF", "issuer=%F0%9F%98%80"])
def test_a_search_for_odd_values_finds_nothing_or_all(tenant: Tenant, query: str) -> None:
    assert tenant.caller.get(f"{CERTIFICATES}?{query}").status == 200


@pytest.mark.parametrize(
    ("target", "code"),
    [
        (f"{CERTIFICATES}/crt_{NOWHERE}", "certificate.unknown"),
        (f"{CERTIFICATES}/crt_7{'z' * 25}", "certificate.unknown"),
        (f"{CERTIFICATES}/crt_{'z' * 26}", "certificate.unknown"),
        (f"{CERTIFICATES}/x", "certificate.unknown"),
        ("/v1/issuers/x", "issuer.unknown"),
        ("/v1/issuers/%00", "request.malformed"),
        ("/v1/issuers/%ED%A0%80", "issuer.unknown"),
    ],
)
def test_what_does_not_exist_is_unknown(tenant: Tenant, target: str, code: str) -> None:
    before = state(tenant)
    answer = tenant.caller.get(target)
    status = 400 if code == "request.malformed" else 404
    require_refused(tenant, before, answer, status, code)


@pytest.mark.parametrize(
    "target", ["/", "/v1", "/v2/certificates", f"{CERTIFICATES}/", "/problems/x"]
)
def test_an_address_with_nothing_at_it_says_so(tenant: Tenant, target: str) -> None:
    answer = tenant.caller.get(target)
    assert (answer.status, answer.code) == (404, "route.unknown")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_a_method_that_is_not_described_is_not_allowed(tenant: Tenant, method: str) -> None:
    before = state(tenant)
    answer = tenant.caller.call(method, CERTIFICATES)
    assert (answer.status, answer.code) == (405, "method.not-allowed")
    assert state(tenant) == before


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "authentication.required"),
        ("", "authentication.required"),
        ("Bearer ", "authentication.required"),
        ("Basic dXNlcjpwYXNz", "authentication.required"),
        ("Bearer nonsense", "authentication.failed"),
        ("Bearer tgt___", "authentication.failed"),
        ("Bearer tgt_a_b_c_d", "authentication.failed"),
        ("Bearer tgt_demo_\xe9_\xe9", "authentication.failed"),
        ("Bearer " + "x" * 8000, "authentication.failed"),
    ],
)
def test_a_caller_that_nobody_knows_is_refused_before_its_request_is_read(
    server: Server, tenant: Tenant, header: str | None, code: str
) -> None:
    before = state(tenant)
    headers = {"Content-Type": "application/json"}
    headers |= {} if header is None else {"Authorization": header}
    answer = server.api.call("POST", CERTIFICATES, b"{", headers)
    assert (answer.status, answer.code) == (401, code)
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert state(tenant) == before


@pytest.mark.parametrize("host", ["[", "a/b?c#d", "[::1", "xn--\xe9", ""])
def test_a_host_header_changes_nothing(tenant: Tenant, host: str) -> None:
    answer = tenant.caller.call("GET", "/v1/profiles", headers={"Host": host})
    assert answer.status in (200, 400)
    refused = tenant.caller.call("GET", "/v1/issuers/x", headers={"Host": host})
    assert refused.status in (400, 404)
    assert host == "" or host not in refused.body.decode()


def test_problems_are_told_in_the_readers_language(tenant: Tenant) -> None:
    target = f"{CERTIFICATES}/x"
    for wish, language, title in (
        ("ja", "ja", "該当する証明書はありません"),
        ("ja-JP,en;q=0.5", "ja", "該当する証明書はありません"),
        ("en", "en", "There is no such certificate"),
        ("fr, tlh", "en", "There is no such certificate"),
        ("\xff;q=x,,;", "en", "There is no such certificate"),
    ):
        answer = tenant.caller.call("GET", target, headers={"Accept-Language": wish})
        assert answer.code == "certificate.unknown"
        assert (answer.headers["content-language"], answer.json()["title"]) == (language, title)
    page = tenant.caller.call(
        "GET", "/problems/certificate.unknown", headers={"Accept-Language": "ja"}
    )
    assert page.status == 200
    assert "該当する証明書はありません" in page.body.decode()


def test_a_connection_serves_on_after_a_refusal(server: Server, tenant: Tenant) -> None:
    connection = server.api.connect()
    headers = {"Authorization": f"Bearer {tenant.caller.token}"}
    for _ in range(3):
        refused = exchange(connection, "POST", CERTIFICATES, b"[" * 1000, headers)
        assert refused.status == 415
        assert exchange(connection, "GET", "/v1/profiles", None, headers).status == 200
    connection.close()


# OCSP.


@pytest.fixture(scope="module")
def certificate(tenant: Tenant) -> Json:
    return tenant.caller.get(
        f"{CERTIFICATES}/{tenant.caller.certificates(dns_name='good.example.test')[0]['id']}"
    ).good()


def _with_nonce(body: Json, nonce: bytes) -> bytes:
    # By hand: the library makes no nonce that is too long.
    request = x509.ocsp.load_der_ocsp_request(ocsp_request(body))
    hashed = [
        encode_sequence(encode_oid(oids.SHA256)),
        encode_octet_string(request.issuer_name_hash),
        encode_octet_string(request.issuer_key_hash),
    ]
    serial = request.serial_number.to_bytes(request.serial_number.bit_length() // 8 + 1, "big")
    cert_id = encode_sequence(*hashed, b"\x02" + bytes([len(serial)]) + serial)
    extension = encode_sequence(
        encode_oid(oids.OCSP_NONCE), encode_octet_string(encode_octet_string(nonce))
    )
    listed = encode_sequence(encode_sequence(cert_id))
    return encode_sequence(encode_sequence(listed, explicit(2, encode_sequence(extension))))


@pytest.mark.parametrize(
    "octets",
    [b"", b"garbage", b"\x30\x80", b"\x30\x00", b"\x30\x02\x30\x00", b"\x00" * 1000, b"x" * 9000],
    ids=lambda value: f"{value[:8].hex()}-{len(value)}",
)
def test_a_status_request_that_is_none_is_malformed(server: Server, octets: bytes) -> None:
    assert post_ocsp(server.public, octets).response_status is MALFORMED
    if len(octets) < 4000:
        assert get_ocsp(server.public, octets).response_status is MALFORMED


def test_a_status_request_with_something_after_it_or_cut_short_is_malformed(
    server: Server, certificate: Json
) -> None:
    request = ocsp_request(certificate)
    for octets in (request + b"\x00", request[:-1]):
        assert post_ocsp(server.public, octets).response_status is MALFORMED


@pytest.mark.parametrize("path", ["", "!", "AAA", "%00", "%FF", "MFEwTzBNMEswSTA", "A" * 3000])
def test_a_path_that_is_no_status_request_is_malformed(server: Server, path: str) -> None:
    answer = server.public.get(f"/ocsp/{path}")
    assert parse_answer(answer).response_status is MALFORMED
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(("octets", "taken"), [(0, False), (1, True), (128, True), (129, False)])
def test_a_nonce_has_1_to_128_octets(
    server: Server, certificate: Json, octets: int, *, taken: bool
) -> None:
    response = post_ocsp(server.public, _with_nonce(certificate, b"n" * octets))
    if not taken:
        assert response.response_status is MALFORMED
        return
    require_signed(response, chain_of(certificate)[0])
    nonce = response.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    assert nonce == b"n" * octets


def _request_for(issuer: x509.Certificate, serial: int) -> bytes:
    """A request for a serial of an issuer."""
    name = issuer.subject.public_bytes()
    key = x509.SubjectKeyIdentifier.from_public_key(issuer.public_key()).digest
    digest = hashes.Hash(hashes.SHA1())
    digest.update(name)
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
        digest.finalize(), key, serial, hashes.SHA1()
    )
    return builder.build().public_bytes(Encoding.DER)


def test_a_serial_that_was_never_issued_is_unknown(server: Server, certificate: Json) -> None:
    issuing = chain_of(certificate)[0]
    for serial in (1, 2**159 - 1, int(certificate["serial"], 16) ^ 1):
        response = post_ocsp(server.public, _request_for(issuing, serial))
        require_signed(response, issuing)
        assert response.certificate_status is ocsp.OCSPCertStatus.UNKNOWN
    # The same serial is good where it was issued, and only there.
    assert status_of(server.public, certificate).certificate_status is ocsp.OCSPCertStatus.GOOD
    root = chain_of(certificate)[1]
    response = post_ocsp(server.public, _request_for(root, int(certificate["serial"], 16)))
    require_signed(response, root)
    assert response.certificate_status is ocsp.OCSPCertStatus.UNKNOWN


def test_an_issuer_that_is_not_ours_is_unauthorized(server: Server, certificate: Json) -> None:
    for algorithm in (hashes.SHA1(), hashes.SHA256(), hashes.SHA384()):
        length = algorithm.digest_size
        builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
            b"n" * length, b"k" * length, int(certificate["serial"], 16), algorithm
        )
        octets = builder.build().public_bytes(Encoding.DER)
        for response in (post_ocsp(server.public, octets), get_ocsp(server.public, octets)):
            assert response.response_status is UNAUTHORIZED


def _elements(request: bytes) -> bytes:
    """The Request of an OCSPRequest with one."""
    loaded = x509.ocsp.load_der_ocsp_request(request)
    assert loaded.serial_number
    # OCSPRequest, TBSRequest and requestList are short enough for one octet of length each.
    assert [request[0], request[2], request[4]] == [0x30, 0x30, 0x30]
    return request[6:]


def test_issuers_of_two_tenants_in_one_request_are_unauthorized(
    server: Server, tenant: Tenant, certificate: Json
) -> None:
    other = server.open_tenant("Bad input's neighbour").issue(make_csr("good.example.test"))
    mine = _elements(_request_for(chain_of(certificate)[0], int(certificate["serial"], 16)))
    theirs = _elements(_request_for(chain_of(other)[0], int(other["serial"], 16)))
    for pair in ((mine, theirs), (theirs, mine)):
        octets = encode_sequence(encode_sequence(encode_sequence(*pair)))
        assert post_ocsp(server.public, octets).response_status is UNAUTHORIZED
    both = encode_sequence(encode_sequence(encode_sequence(mine, mine)))
    answer = server.public.call("POST", "/ocsp", both)
    assert len(list(parse_answer(answer).responses)) == 2
    assert tenant.caller.certificates(serial=other["serial"]) == []


@pytest.mark.parametrize(
    "target", ["/crl/x.crl", "/crl/%00.crl", "/ca/x.cer", "/ca/%00.cer", "/ca/..%2fx.cer"]
)
def test_a_download_that_does_not_exist_is_not_found(server: Server, target: str) -> None:
    assert server.public.get(target).status == 404


@pytest.mark.parametrize("target", ["/v1/profiles", "/health", "/openapi.json", "/"])
def test_nothing_but_signed_objects_is_served_in_plain(server: Server, target: str) -> None:
    assert server.public.get(target).status == 404


def test_the_log_has_neither_secrets_nor_bugs(server: Server, tenant: Tenant) -> None:
    # A token that is not quite right is still most of a secret.
    server.caller(tenant.caller.token[:-1] + "x").get("/v1/profiles")
    tenant.caller.post("/v1/tokens", {"name": tenant.caller.token[:40]})
    server.require_clean_log()
