"""OCSP from memory: the same answer until something changes, and then on every node."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest
from cryptography.x509 import ocsp

from tests.journeys.conftest import database_options
from tests.journeys.platform import Door, Json, Server, eventually, running
from tests.journeys.requests import make_csr
from tests.journeys.status import get_ocsp, ocsp_request, parse_answer, post_ocsp, status_of

GOOD, REVOKED = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED
# What is promised of every node, at the origin.
EVERYWHERE_SECONDS = 5.0


def in_path(octets: bytes) -> str:
    return "/ocsp/" + base64.b64encode(octets).decode().replace("/", "%2F").replace("+", "%2B")


def issue(server: Server) -> Json:
    return server.demo_tenant().issue(make_csr("www.example.test"))


def test_the_same_question_gets_the_same_octets_from_memory(server: Server) -> None:
    request = ocsp_request(issue(server))
    first, second = (post_ocsp(server.public, request) for _ in range(2))
    assert first.signature == second.signature
    assert get_ocsp(server.public, request).signature == first.signature


def test_a_revocation_shows_at_once_in_every_form_of_the_question(server: Server) -> None:
    body = issue(server)
    request = ocsp_request(body)
    assert post_ocsp(server.public, request).certificate_status is GOOD
    assert get_ocsp(server.public, request).certificate_status is GOOD
    server.demo_tenant().revoke(body["id"]).good()
    assert post_ocsp(server.public, request).certificate_status is REVOKED
    assert get_ocsp(server.public, request).certificate_status is REVOKED


def test_an_answer_to_a_nonce_is_signed_for_it(server: Server) -> None:
    body = issue(server)
    nonce = secrets.token_bytes(32)
    answers = [post_ocsp(server.public, ocsp_request(body, nonce)) for _ in range(2)]
    for answer in answers:
        assert any(extension.value.nonce == nonce for extension in answer.extensions)
    assert answers[0].signature != answers[1].signature


@pytest.mark.parametrize("octets", [0, 129])
def test_a_nonce_out_of_bounds_is_a_malformed_request(server: Server, octets: int) -> None:
    answer = post_ocsp(server.public, ocsp_request(issue(server), bytes(octets)))
    assert answer.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_a_cache_may_keep_an_answer_and_ask_whether_it_changed(server: Server) -> None:
    target = in_path(ocsp_request(issue(server)))
    first, second = (server.public.get(target).headers for _ in range(2))
    assert first["etag"] == second["etag"]
    assert first["cache-control"].startswith("max-age=")
    assert first["expires"]
    assert first["last-modified"]
    unchanged = server.public.get(target, **{"If-None-Match": first["etag"]})
    assert (unchanged.status, unchanged.body) == (304, b"")
    changed = server.public.get(target, **{"If-None-Match": '"another"'})
    assert parse_answer(changed).certificate_status is GOOD


def test_an_unknown_serial_is_not_kept_in_memory(server: Server) -> None:
    body = issue(server)
    stranger = body | {"certificate": issue(server)["certificate"]}
    request = bytearray(ocsp_request(stranger))
    request[-1] ^= 1  # the last octet of the serial number
    first, second = (post_ocsp(server.public, bytes(request)) for _ in range(2))
    assert first.certificate_status is ocsp.OCSPCertStatus.UNKNOWN
    assert first.signature != second.signature


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """Three nodes on one database, which seal with one key."""
    folder = tmp_path_factory.mktemp("n")
    key = folder / "sealing.key"
    key.write_bytes(secrets.token_bytes(32))
    key.chmod(0o600)
    options = (*database_options("postgresql"), "--sealing-key", str(key))
    with ExitStack() as stack:
        yield [stack.enter_context(running(folder / f"n{n}", "--demo", *options)) for n in range(3)]


def test_a_revocation_on_one_node_shows_on_every_node_within_seconds(nodes: list[Server]) -> None:
    doors = [node.public for node in nodes]
    body = nodes[0].demo_tenant().issue(make_csr("www.example.test"))
    request = ocsp_request(body)
    for door in doors:
        assert post_ocsp(door, request).certificate_status is GOOD
        # From memory, as everybody else's question would be.
        assert post_ocsp(door, request).certificate_status is GOOD
    nodes[1].demo_tenant().revoke(body["id"]).good()
    revoked_at = time.monotonic()
    for door in doors:
        left = EVERYWHERE_SECONDS - (time.monotonic() - revoked_at)
        eventually(partial(is_revoked, door, body), left)


def is_revoked(door: Door, body: Json) -> bool:
    return status_of(door, body).certificate_status is REVOKED
