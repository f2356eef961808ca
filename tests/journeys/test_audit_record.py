"""A tenant's own record: whole, in order, chained, and about nobody else."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter

import pytest

from tests.journeys.platform import Json, Server, Tenant, eventually
from tests.journeys.requests import FRESH, make_csr


@pytest.fixture(scope="module")
def tenant(server: Server) -> Tenant:
    return server.open_tenant("Audit record")


@pytest.fixture(scope="module")
def acts(tenant: Tenant) -> list[tuple[str, str, str, str]]:
    """What the administrator did: action, decision, code and subject of each act, in order."""
    administrator, name = (
        tenant.caller,
        make_csr("audit.example.test", organization="Hidden Ltd", kind=FRESH),
    )
    body = tenant.issue(name)
    again = tenant.issue(name, Idempotency_Key="audit")
    tenant.issue(name, Idempotency_Key="audit")
    tenant.revoke(body["id"], "keyCompromise").good()
    assert tenant.revoke(body["id"]).status == 409
    made = administrator.post("/v1/tokens", {"name": "Somebody's laptop"}).good(201)
    assert administrator.delete(f"/v1/tokens/{made['id']}").status == 204
    assert administrator.delete(f"/v1/tokens/{made['id']}").status == 404
    assert tenant.ask("nonsense").status == 400
    assert administrator.get("/v1/tenants").status == 403
    assert administrator.get(f"/v1/certificates/{body['id']}").status == 200
    issue, revoke = "issuance:certificate:issue", "revocation:certificate:revoke"
    return [
        (issue, "allowed", "", f"certificate:{body['id']}"),
        (issue, "allowed", "", f"certificate:{again['id']}"),
        (revoke, "allowed", "", f"certificate:{body['id']}"),
        (revoke, "refused", "certificate.already-revoked", f"certificate:{body['id']}"),
        ("tenancy:token:create", "allowed", "", f"token:{made['id']}"),
        ("tenancy:token:revoke", "allowed", "", f"token:{made['id']}"),
        ("tenancy:token:revoke", "refused", "token.unknown", f"token:{made['id']}"),
        (issue, "refused", "csr.malformed", ""),
        ("tenancy:tenant:list", "refused", "authorization.denied", ""),
    ]


@pytest.fixture
def record(tenant: Tenant, acts: list[tuple[str, str, str, str]]) -> list[Json]:
    assert acts

    def whole() -> list[Json] | None:
        events = tenant.caller.events()
        lists = [each for each in events if '"revocation:crl:publish"' in each["canonical"]]
        return events if len(lists) == 6 else None

    # Root and issuing CA with a complete list and a shard's; two more follow the revocation.
    return eventually(whole)


def test_the_record_is_canonical_consecutive_and_chained(
    tenant: Tenant, record: list[Json]
) -> None:
    previous = "0" * 64
    for place, event in enumerate(record, start=1):
        octets = event["canonical"].encode()
        fact = json.loads(octets)
        # RFC 8785 for objects of strings, small integers and lists of strings.
        assert (
            octets
            == json.dumps(fact, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
        )
        assert (fact["sequence"], event["sequence"]) == (place, place)
        assert fact["previous"] == previous
        previous = hashlib.sha256(octets).hexdigest()
        assert event["digest"] == previous
        assert (fact["tenant"], fact["version"]) == (tenant.id, 1)
        assert set(fact) == {
            "action", "actor", "code", "commitments", "decision", "previous", "request",
            "sequence", "subject", "tenant", "time", "version",
        }  # fmt: skip
    times = [json.loads(event["canonical"])["time"] for event in record]
    assert len(times) > 10


def test_every_disclosure_opens_a_commitment_of_its_event(record: list[Json]) -> None:
    opened = 0
    salts = set()
    for event in record:
        commitments = json.loads(event["canonical"])["commitments"]
        digests = [
            base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            for text in event["disclosures"]
        ]
        assert sorted(digests) == commitments
        for text in event["disclosures"]:
            salt, name, value = _opened(text)
            assert len(base64.urlsafe_b64decode(salt + "==")) == 16
            assert name
            assert isinstance(value, str)
            salts.add(salt)
            opened += 1
    assert opened > 20
    assert len(salts) == opened


def _opened(text: str) -> list[str]:
    decoded = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    assert isinstance(decoded, list)
    return decoded


def test_every_act_and_every_refusal_of_the_administrator_is_there_once(
    tenant: Tenant, acts: list[tuple[str, str, str, str]], record: list[Json]
) -> None:
    own = "token:tok_" + tenant.caller.token.split("_")[2]
    facts = [json.loads(event["canonical"]) for event in record]
    mine = [fact for fact in facts if fact["actor"] == own]
    assert [(fact["action"], fact["decision"], fact["code"]) for fact in mine] == [
        act[:3] for act in acts
    ]
    assert [fact["subject"] for fact in mine] == [
        hashlib.sha256(act[3].encode()).hexdigest() for act in acts
    ]
    # The digest of the request, which is no event's alone: a retry is the same request.
    assert all(fact["request"] != "0" * 64 for fact in mine)


def test_the_opening_and_the_platforms_own_work_are_there(record: list[Json]) -> None:
    facts = [json.loads(event["canonical"]) for event in record]
    assert facts[0]["action"] == "tenancy:tenant:open"
    assert facts[0]["actor"].startswith("operator:tok_")
    work = Counter(fact["action"] for fact in facts if fact["actor"].startswith("platform:"))
    assert work["revocation:crl:publish"] == 6
    assert work["tenancy:tenant:activate"] == 1
    assert work["issuance:certificate:issue"] >= 2  # two responders


def test_what_is_private_is_only_in_disclosures(record: list[Json]) -> None:
    canonical = "".join(event["canonical"] for event in record)
    disclosed = json.dumps([_opened(text) for event in record for text in event["disclosures"]])
    for secret in ("Hidden Ltd", "audit.example.test", "Somebody's laptop", "keyCompromise"):
        assert secret not in canonical
        assert secret in disclosed


def test_nothing_of_another_tenant_is_in_it(
    server: Server, tenant: Tenant, record: list[Json]
) -> None:
    other = server.open_tenant("Audit's neighbour")
    body = other.issue(make_csr("neighbour.example.test"))
    other.revoke(body["id"]).good()
    text = json.dumps(
        [
            [each["canonical"], [_opened(one) for one in each["disclosures"]]]
            for each in tenant.caller.events()
        ]
    )
    for mark in (other.id, other.name, other.issuer, body["id"], "neighbour.example.test"):
        assert mark not in text
    assert {json.loads(event["canonical"])["tenant"] for event in record} == {tenant.id}
    assert {fact["tenant"] for fact in other.caller.facts()} == {other.id}


def test_the_record_can_be_read_from_any_place(tenant: Tenant, record: list[Json]) -> None:
    for after, limit in ((0, 1), (3, 4), (len(record) - 1, 200)):
        page = tenant.caller.get("/v1/events", after=after, limit=limit).good()
        assert page["items"] == record[after : after + limit]
    past = tenant.caller.get("/v1/events", after=len(record) + 100).good()
    assert past == {"items": [], "next": None}
