"""Time-stamps through the running server, asked for and verified by other people's clients."""

from __future__ import annotations

import base64
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

from tegata.pkix import oids
from tegata.pkix.der import encode_integer, encode_oid, encode_sequence, explicit
from tegata.pkix.tsp import (
    FailureInfo,
    TimeStampRequest,
    encode_time_stamp_request,
    message_imprint,
    parse_time_stamp_response,
    parse_tst_info,
)
from tegata.pkix.tsp_token import parse_token
from tests.journeys.platform import Json, Server, eventually, run_tegata, running
from tests.journeys.stamping import (
    OTHER_POLICY,
    POLICY,
    answer,
    ask,
    authority_body,
    create_authority,
    query,
    stamp,
)

IMPRINT = message_imprint(oids.SHA256, hashlib.sha256(b"data").digest())
GOOD = encode_time_stamp_request(TimeStampRequest(1, IMPRINT, nonce=5))


@pytest.fixture(scope="module")
def authority(server: Server) -> Json:
    return create_authority(server.demo_tenant(), "journey")


@pytest.mark.requires("openssl", "asks and verifies as its users do")
@pytest.mark.parametrize("digest", ["-sha256", "-sha384", "-sha512"])
@pytest.mark.parametrize("algorithm", ["p256", "p384", "rsa-2048"])
def test_openssl_verifies_tokens_with_certificates_and_without(
    server: Server, tmp_path: Path, algorithm: str, digest: str
) -> None:
    made = create_authority(server.demo_tenant(), f"key {algorithm}", key_algorithm=algorithm)
    whole = stamp(server, made, tmp_path / "whole", digest, "-cert")
    assert whole.verify("-CAfile", "root.pem").returncode == 0
    bare = stamp(server, made, tmp_path / "bare", digest)
    assert bare.verify("-CAfile", "root.pem", "-untrusted", "chain.pem").returncode == 0
    assert bare.verify("-CAfile", "root.pem").returncode != 0
    assert len(bare.response) < len(whole.response)


@pytest.mark.requires("openssl", "asks and verifies as its users do")
def test_openssl_refuses_another_file_and_another_root(
    server: Server, authority: Json, tmp_path: Path
) -> None:
    stamped = stamp(server, authority, tmp_path / "one", "-sha256", "-cert")
    (stamped.folder / "data").write_bytes(b"another document")
    assert "message imprint mismatch" in stamped.verify("-CAfile", "root.pem").stderr
    (stamped.folder / "data").write_bytes(b"some document")
    other = server.open_tenant("Another TSA").issuers
    root = next(each["certificate"] for each in other if each["parent"] is None)
    (stamped.folder / "root.pem").write_text(root)
    assert stamped.verify("-CAfile", "root.pem").returncode != 0


@pytest.mark.requires("openssl", "asks and verifies as its users do")
def test_another_library_verifies_a_token_and_its_nonce(
    server: Server, authority: Json, tmp_path: Path
) -> None:
    stamped = stamp(server, authority, tmp_path / "one", "-sha512", "-cert")
    response = decode_timestamp_response(stamped.response)
    root = x509.load_pem_x509_certificate(authority["unit"]["chain"][-1].encode())
    builder = VerifierBuilder().add_root_certificate(root)
    assert builder.nonce(response.tst_info.nonce).build().verify_message(response, b"some document")
    with pytest.raises(VerificationError):
        builder.nonce(1).build().verify_message(response, b"some document")


def test_a_token_is_recorded_before_it_is_given(server: Server) -> None:
    tenant = server.open_tenant("Recorded TSA")
    made = create_authority(tenant)
    given = answer(server, made["id"], GOOD)
    assert given.token is not None
    info = parse_tst_info(parse_token(given.token).info)
    event = tenant.caller.events()[-1]
    facts = json.loads(event["canonical"])
    assert facts["action"] == "timestamping:token:issue"
    assert facts["request"] == hashlib.sha256(GOOD).hexdigest()
    private = [json.loads(base64.urlsafe_b64decode(each + "==")) for each in event["disclosures"]]
    assert {name: value for _salt, name, value in private} == {
        "policy": POLICY,
        "serial": f"{info.serial:x}",
        "imprint": IMPRINT.digest.hex(),
    }


def test_tokens_asked_for_at_once_have_serials_of_their_own(
    server: Server, authority: Json
) -> None:
    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda _: answer(server, authority["id"], GOOD), range(40)))
    infos = [parse_tst_info(parse_token(each.token or b"").info) for each in responses]
    assert len({info.serial for info in infos}) == 40
    assert {info.nonce for info in infos} == {5}


def test_ordered_tokens_asked_for_at_once_have_rising_times(server: Server) -> None:
    made = create_authority(server.demo_tenant(), "ordered", ordering=True)
    with ThreadPoolExecutor(6) as pool:
        responses = list(pool.map(lambda _: answer(server, made["id"], GOOD), range(18)))
    infos = [parse_tst_info(parse_token(each.token or b"").info) for each in responses]
    assert all(info.ordering for info in infos)
    by_serial = sorted(infos, key=lambda info: info.serial)
    times = [info.gen_time for info in by_serial]
    assert times == sorted(times)
    assert len(set(times)) == 18


def request_with(**parts: bytes) -> bytes:
    """A TimeStampReq with some of its fields replaced or added, in the order given."""
    fields = {"version": encode_integer(1), "imprint": IMPRINT.der, **parts}
    return encode_sequence(*fields.values())


def imprint(algorithm: str, octets: int) -> bytes:
    return message_imprint(algorithm, bytes(octets)).der


BAD = {
    "nothing": (b"", FailureInfo.BAD_DATA_FORMAT),
    "text": (b"GET / HTTP/1.1", FailureInfo.BAD_DATA_FORMAT),
    "a cut request": (GOOD[:-3], FailureInfo.BAD_DATA_FORMAT),
    "octets after it": (GOOD + b"\x00", FailureInfo.BAD_DATA_FORMAT),
    "an indefinite length": (b"\x30\x80" + GOOD[2:] + b"\x00\x00", FailureInfo.BAD_DATA_FORMAT),
    "too much": (b"\x30\x82\x20\x00" + bytes(8192), FailureInfo.BAD_DATA_FORMAT),
    "version 2": (request_with(version=encode_integer(2)), FailureInfo.BAD_REQUEST),
    "MD5": (
        request_with(imprint=imprint("1.2.840.113549.2.5", 16)), FailureInfo.BAD_ALG,
    ),
    "SHA-1": (request_with(imprint=imprint(oids.SHA1, 20)), FailureInfo.BAD_ALG),
    "SHA-224": (
        request_with(imprint=imprint("2.16.840.1.101.3.4.2.4", 28)), FailureInfo.BAD_ALG,
    ),
    "a short digest": (request_with(imprint=imprint(oids.SHA256, 31)), FailureInfo.BAD_DATA_FORMAT),
    "a long digest": (request_with(imprint=imprint(oids.SHA256, 48)), FailureInfo.BAD_DATA_FORMAT),
    "no digest": (request_with(imprint=imprint(oids.SHA512, 0)), FailureInfo.BAD_DATA_FORMAT),
    "a policy of nobody's": (
        request_with(policy=encode_oid("1.2.3")), FailureInfo.UNACCEPTED_POLICY,
    ),
    "an extension": (
        request_with(extensions=explicit(0, encode_sequence(encode_oid("1.2.3"), b"\x04\x00"))),
        FailureInfo.UNACCEPTED_EXTENSION,
    ),
    "a nonce without end": (
        request_with(nonce=encode_integer(1 << 4000)), FailureInfo.BAD_DATA_FORMAT,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_by_the_standards_own_name(
    server: Server, authority: Json, case: str
) -> None:
    octets, failure = BAD[case]
    refused = answer(server, authority["id"], octets)
    assert refused.failures == {failure}
    assert (refused.status, refused.token) == (2, None)


def test_another_policy_of_the_authority_is_stamped_under(server: Server, authority: Json) -> None:
    octets = encode_time_stamp_request(TimeStampRequest(1, IMPRINT, OTHER_POLICY))
    given = answer(server, authority["id"], octets)
    assert parse_tst_info(parse_token(given.token or b"").info).policy == OTHER_POLICY


def test_another_media_type_or_method_is_refused(server: Server, authority: Json) -> None:
    path = f"/tsp/{authority['id']}"
    refused = ask(server, authority["id"], GOOD, Content_Type="application/octet-stream")
    assert parse_time_stamp_response(refused.body).failures == {FailureInfo.BAD_REQUEST}
    assert server.public.get(path).status == 405
    assert server.public.get("/tsp/").status == 404


def test_an_authority_of_nobodys_is_a_bad_request(server: Server) -> None:
    for identifier in ("tsa_00000000000000000000000000", "x", "%00", "iss_1"):
        refused = answer(server, identifier, GOOD)
        assert refused.failures == {FailureInfo.BAD_REQUEST}


def failures(server: Server, authority: Json) -> frozenset[int]:
    return answer(server, authority["id"], GOOD).failures


def test_what_is_revoked_stopped_suspended_or_disabled_stamps_no_more(server: Server) -> None:
    tenant = server.open_tenant("Stopped TSA")
    revoked, made = create_authority(tenant, "revoked"), create_authority(tenant)
    assert failures(server, revoked) == failures(server, made) == frozenset()
    tenant.revoke(revoked["unit"]["certificate_id"], "certificateHold").good()
    assert failures(server, revoked) == {FailureInfo.BAD_REQUEST}
    tenant.caller.call("POST", f"/v1/issuers/{tenant.issuer}/disable").good()
    assert failures(server, made) == {FailureInfo.BAD_REQUEST}
    tenant.caller.call("POST", f"/v1/issuers/{tenant.issuer}/enable").good()
    assert failures(server, made) == frozenset()
    server.operator.call("POST", f"/v1/tenants/{tenant.id}/suspend").good()
    assert eventually(lambda: failures(server, made) or None) == {FailureInfo.BAD_REQUEST}
    server.operator.call("POST", f"/v1/tenants/{tenant.id}/resume").good()
    assert eventually(lambda: not failures(server, made))
    disabled = tenant.caller.call("POST", f"/v1/timestamp-authorities/{made['id']}/disable").good()
    assert disabled["state"] == "disabled"
    assert failures(server, made) == {FailureInfo.BAD_REQUEST}


def test_creating_the_same_again_finds_it_and_another_of_its_name_is_refused(
    server: Server, authority: Json
) -> None:
    tenant = server.demo_tenant()
    assert create_authority(tenant, "journey")["id"] == authority["id"]
    other = authority_body(tenant, "journey", ordering=True)
    refused = tenant.caller.post("/v1/timestamp-authorities", other)
    assert (refused.status, refused.code) == (409, "timestamp.authority-exists")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"policies": []}, "request.malformed"),
        ({"policies": ["not an oid"]}, "request.malformed"),
        ({"policies": [POLICY, POLICY]}, "request.malformed"),
        ({"name": ""}, "request.malformed"),
        ({"accuracy_milliseconds": 0}, "request.malformed"),
        ({"accuracy_milliseconds": 1 << 62}, "request.malformed"),
        ({"key_algorithm": "ed25519"}, "key.algorithm-refused"),
        ({"key_algorithm": "ml-dsa-65"}, "key.algorithm-refused"),
        ({"signature_algorithm": "rsa-pss-sha256"}, "key.algorithm-refused"),
        ({"issuer": "iss_nobody"}, "issuer.unknown"),
        ({"clock": "assumed"}, "request.unknown-field"),
    ],
)
def test_an_authority_that_cannot_be_is_refused(server: Server, change: Json, code: str) -> None:
    tenant = server.demo_tenant()
    body = authority_body(tenant, "never") | change
    assert tenant.caller.post("/v1/timestamp-authorities", body).code == code


def test_a_root_makes_no_unit(server: Server) -> None:
    tenant = server.demo_tenant()
    root = next(each["id"] for each in tenant.issuers if each["parent"] is None)
    body = authority_body(tenant, "never") | {"issuer": root}
    assert tenant.caller.post("/v1/timestamp-authorities", body).code == "request.malformed"


def test_the_commands_create_list_show_and_disable(server: Server) -> None:
    context = str(server.data / "context.json")
    given = ["--issuer", server.context["issuer"], "--policy", POLICY]

    def tsa(*arguments: str) -> Json:
        done = run_tegata("tsa", *arguments, TEGATA_CONTEXT=context)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert isinstance(found, dict)
        return found

    created = tsa("create", "by command", *given)
    assert created["clock"] == "assumed"
    assert created["id"] in [each["id"] for each in tsa("list")["items"]]
    assert tsa("show", created["id"]) == created
    assert tsa("disable", created["id"])["state"] == "disabled"
    assert failures(server, created) == {FailureInfo.BAD_REQUEST}


@pytest.mark.requires("openssl", "reads the accuracy")
def test_a_clock_that_is_not_synchronised_stamps_nothing(
    folder: Path, database: tuple[str, ...]
) -> None:
    with running(folder / "data", "--demo", "--clock-trust", "kernel", *database) as server:
        made = create_authority(server.demo_tenant())
        assert made["clock"] == "kernel"
        found = answer(server, made["id"], query(folder / "query", "-sha256"))
        if found.token is None:
            assert found.failures == {FailureInfo.TIME_NOT_AVAILABLE}
            actions = {each["action"] for each in server.operator.facts()}
            assert "timestamping:clock:distrust" in actions
        else:
            # Where the kernel vouches for the clock, the token says how good it is.
            assert parse_tst_info(parse_token(found.token).info).accuracy is not None
