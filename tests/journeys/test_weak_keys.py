"""Weak and compromised keys are refused at the door, and nothing is changed by it."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.components import require
from tests.journeys.platform import (
    TEGATA,
    Server,
    Tenant,
    environment,
    eventually,
    log_file,
    running,
    spawn,
)
from tests.journeys.requests import make_csr
from tests.pkix.keys import PrivateKey, private_key, spki
from tests.pkix.weak_rsa import WEAKNESSES, another_exponent, shared_prime_keys, weak_key


@pytest.fixture(scope="module")
def tenant(server: Server) -> Tenant:
    return server.open_tenant("Weak keys")


def request_for(key: PrivateKey) -> str:
    return make_csr("weak.example.test", key=key)


def fresh() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, 2048)


def digest_of(key: PrivateKey) -> str:
    return hashlib.sha256(spki(key)).hexdigest()


def refuse(tenant: Tenant, key: PrivateKey) -> str:
    """The code with which a key is refused; nothing else may have come of it."""
    certificates, acts = tenant.caller.certificates(), len(tenant.caller.facts())
    answer = tenant.ask(request_for(key))
    assert answer.status == 400, answer.body
    assert tenant.caller.certificates() == certificates
    # A CRL that follows an earlier revocation may come in between.
    (fact,) = [
        each
        for each in tenant.caller.facts()[acts:]
        if not each["action"].startswith("revocation:crl:publish")
    ]
    assert (fact["action"], fact["decision"]) == ("issuance:certificate:issue", "refused")
    assert fact["code"] == answer.code
    return answer.code


@pytest.mark.parametrize("weakness", WEAKNESSES)
def test_an_rsa_key_that_is_weak_by_design_is_refused(tenant: Tenant, weakness: str) -> None:
    assert refuse(tenant, weak_key(weakness)) == "csr.weak-key"


def test_a_key_once_revoked_for_compromise_never_comes_back(server: Server, tenant: Tenant) -> None:
    key = fresh()
    first, second = tenant.issue(request_for(key)), tenant.issue(request_for(key))
    tenant.revoke(first["id"], "superseded").good()
    tenant.issue(request_for(key))
    tenant.revoke(second["id"], "keyCompromise").good()
    assert refuse(tenant, key) == "csr.compromised-key"
    (listed,) = [
        each
        for each in tenant.caller.items("/v1/refused-keys")
        if each["spki_sha256"] == digest_of(key)
    ]
    assert listed["ground"] == "compromise"
    # What one tenant says of its key says nothing of another's.
    server.open_tenant("Same key elsewhere").issue(request_for(key))


def test_keys_that_share_a_prime_are_found_and_refused(server: Server) -> None:
    tenant = server.open_tenant("Shared primes")
    one, other = shared_prime_keys()
    innocent = fresh()
    for key in (one, innocent, other):
        tenant.issue(request_for(key))

    def found() -> set[str]:
        return {each["spki_sha256"] for each in tenant.caller.items("/v1/refused-keys")}

    eventually(lambda: found() or None)
    assert found() == {digest_of(one), digest_of(other)}
    assert refuse(tenant, one) == refuse(tenant, other) == "csr.compromised-key"
    tenant.issue(request_for(innocent))
    body = {"keys": [digest_of(one)]}
    assert tenant.caller.post("/v1/refused-keys/allow", body).code == "refused-key.final"
    (act,) = [f for f in tenant.caller.facts() if f["action"] == "registration:refused-key:find"]
    assert act["actor"] == "platform:keys"


def test_a_modulus_comes_with_one_exponent_only(server: Server, tenant: Tenant) -> None:
    key = fresh()
    tenant.issue(request_for(key))
    tenant.issue(request_for(key))
    assert refuse(tenant, another_exponent(key)) == "csr.weak-key"
    server.open_tenant("Same modulus elsewhere").issue(request_for(another_exponent(key)))


def test_a_tenant_refuses_keys_for_itself(server: Server, tenant: Tenant) -> None:
    key = fresh()
    body = {"keys": [digest_of(key), digest_of(key).upper()]}
    assert tenant.caller.post("/v1/refused-keys", body).status == 204
    assert refuse(tenant, key) == "csr.compromised-key"
    (act,) = [f for f in tenant.caller.facts() if f["action"] == "registration:refused-key:add"]
    assert act["decision"] == "allowed"
    server.open_tenant("Not refused elsewhere").issue(request_for(key))


def test_the_operator_refuses_keys_for_all(server: Server, tenant: Tenant) -> None:
    key = fresh()
    tenant.issue(request_for(key))
    body = {"keys": [digest_of(key)]}
    assert server.operator.post("/v1/refused-keys", body).status == 204
    assert refuse(tenant, key) == "csr.compromised-key"
    seen = {each["spki_sha256"] for each in tenant.caller.items("/v1/refused-keys")}
    assert digest_of(key) not in seen


def test_a_listed_key_is_allowed_again_by_who_listed_it(server: Server, tenant: Tenant) -> None:
    key, other = fresh(), fresh()
    body = {"keys": [digest_of(key)]}
    assert tenant.caller.post("/v1/refused-keys", body).status == 204
    assert server.operator.post("/v1/refused-keys", {"keys": [digest_of(other)]}).status == 204
    assert refuse(tenant, key) == "csr.compromised-key"
    for digest in (digest_of(other), "00" * 32):
        both = {"keys": [digest_of(key), digest]}
        answer = tenant.caller.post("/v1/refused-keys/allow", both)
        assert (answer.status, answer.code) == (404, "refused-key.unknown")
    assert refuse(tenant, key) == "csr.compromised-key"
    assert tenant.caller.post("/v1/refused-keys/allow", body).status == 204
    issued = tenant.issue(request_for(key))
    (act,) = [
        f
        for f in tenant.caller.facts()
        if f["action"] == "registration:refused-key:allow" and f["decision"] == "allowed"
    ]
    assert len(act["commitments"]) == 1
    assert tenant.caller.post("/v1/refused-keys", body).status == 204
    tenant.revoke(issued["id"], "keyCompromise").good()
    answer = tenant.caller.post("/v1/refused-keys/allow", body)
    assert (answer.status, answer.code) == (409, "refused-key.final")


@pytest.mark.parametrize("keys", [[], ["ab"], ["zz" * 32], ["ab" * 33], [1], ["ab" * 32] * 1001])
def test_what_is_not_a_digest_is_refused(tenant: Tenant, keys: list[object]) -> None:
    answer = tenant.caller.post("/v1/refused-keys", {"keys": keys})
    assert (answer.status, answer.code) == (400, "request.malformed")


def test_refused_keys_are_read_in_pages(server: Server) -> None:
    opened = server.open_tenant("Many refused keys")
    keys = sorted(hashlib.sha256(bytes([number])).hexdigest() for number in range(5))
    assert opened.caller.post("/v1/refused-keys", {"keys": keys}).status == 204
    listed = opened.caller.items("/v1/refused-keys", limit=2)
    assert [each["spki_sha256"] for each in listed] == keys
    for after in ("zz", "ab", " " * 64):
        answer = opened.caller.get("/v1/refused-keys", after=after)
        assert (answer.status, answer.code) == (400, "request.malformed")


def openssl_digest(folder: Path, key: PrivateKey) -> str:
    """What somebody else's tool says is the SHA-256 of a key."""
    require("openssl", "tells a key's digest")
    (folder / "spki.der").write_bytes(spki(key))
    shown = subprocess.run(
        ["openssl", "dgst", "-sha256", folder / "spki.der"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return shown.stdout.split()[-1]


def tegata(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TEGATA, *arguments], env=environment(), capture_output=True, text=True, check=False
    )


def test_a_platform_refuses_what_its_list_holds(folder: Path) -> None:
    listed, free = private_key("p256"), fresh()
    sources = folder / "debian"
    sources.mkdir()
    (sources / "one.txt").write_text(f"# weak keys\n{openssl_digest(folder, listed)}\n\n")
    (sources / "two.txt").write_text(f"{'ab' * 32} seen at some place\n")
    made = tegata("key-list", sources, "--output", folder / "keys.list")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["keys"] == 2
    with running(folder / "data", "--demo", "--key-list", str(folder / "keys.list")) as server:
        demo = server.demo_tenant()
        assert refuse(demo, listed) == "csr.compromised-key"
        demo.issue(request_for(free))
        (load,) = [
            fact
            for fact in server.operator.facts()
            if fact["action"] == "registration:key-list:load"
        ]
        assert load["actor"] == "platform:key-list"
        # The client command, too.
        (folder / "more.txt").write_text(f"{digest_of(free)}\n")
        context = server.data / "context.json"
        added = tegata("refused-key", "add", folder / "more.txt", "--context", context)
        assert added.returncode == 0, added.stderr
        assert refuse(demo, free) == "csr.compromised-key"
        allowed = tegata("refused-key", "allow", "ff" * 32, "--context", context)
        assert allowed.returncode == 1
        shown = tegata("refused-key", "list", "--context", context)
        assert [each["ground"] for each in json.loads(shown.stdout)["items"]] == ["listed"]


@pytest.mark.parametrize("text", [None, "nonsense"])
def test_a_platform_does_not_start_without_the_list_that_it_shall_use(
    folder: Path, text: str | None
) -> None:
    file = folder / "keys.list"
    if text is not None:
        file.write_text(text)
    process = spawn(folder / "data", "--key-list", str(file))
    assert process.wait(60) == 1
    assert re.search(f"Error: .*{file.name}", log_file(folder / "data").read_text())
