"""Tenants and tokens, over REST and through the console script."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import Encoding

from tegata.main.cli import main
from tests.journeys.platform import Caller, Json, Server, Tenant, eventually, run_tegata
from tests.journeys.requests import make_csr
from tests.journeys.status import chain_of

TENANT_ACTIONS = {
    "timestamps.manage", "timestamps.read",
    "identity.attributes", "identity.manage", "identity.records", "identity.verify",
    "bulk.manage", "certificates.issue", "certificates.read", "certificates.revoke", "events.read",
    "issuance.stop", "issuers.manage", "issuers.read", "notices.manage", "profiles.manage",
    "profiles.read", "refused-keys.manage", "tokens.manage",
}  # fmt: skip

PROFILE = """
name = "own"
[validity]
period = "30d"
[subject]
allowed = ["commonName"]
[keyUsage]
always = ["digitalSignature"]
"""


@pytest.fixture(scope="module")
def tenant(server: Server) -> Tenant:
    return server.open_tenant("Tokens")


def new_token(server: Server, by: Caller, **bounds: object) -> tuple[Json, Caller]:
    body = by.post("/v1/tokens", {"name": "made by a test", **bounds}).good(201)
    return body, server.caller(body["secret"])


def root_of(tenant: Tenant) -> str:
    root = next(each["id"] for each in tenant.issuers if each["kind"] == "root-ca")
    assert isinstance(root, str)
    return root


def test_an_operator_makes_a_new_token_for_a_tenant_that_lost_its_own(server: Server) -> None:
    tenant = server.open_tenant("Loses its token")
    path = f"/v1/tenants/{tenant.id}/tokens"
    made = server.operator.post(path, {"name": "administrator"}).good(201)
    again = Caller(server.api, made["secret"])
    assert [each["id"] for each in again.items("/v1/issuers")] == [
        each["id"] for each in tenant.issuers
    ]
    assert server.operator.post("/v1/tenants/ten_none/tokens", {"name": "x"}).code == (
        "tenant.unknown"
    )


def test_a_suspended_tenant_does_nothing_until_it_is_resumed(server: Server) -> None:
    tenant = server.open_tenant("Suspended")
    path = f"/v1/tenants/{tenant.id}"
    for _ in range(2):
        assert server.operator.post(f"{path}/suspend", None).good()["state"] == "suspended"

    def refused() -> bool:
        answer = tenant.caller.get("/v1/issuers")
        return answer.status != 200 and answer.code == "tenant.suspended"

    eventually(refused)
    for _ in range(2):
        assert server.operator.post(f"{path}/resume", None).good()["state"] == "active"
    eventually(lambda: tenant.caller.get("/v1/issuers").status == 200)
    actions = [fact["action"] for fact in tenant.caller.facts()]
    assert (actions.count("tenancy:tenant:suspend"), actions.count("tenancy:tenant:resume")) == (
        1,
        1,
    )
    platform = server.operator.post("/v1/tenants/ten_platform/suspend", None)
    assert platform.code == "tenant.unknown"


def test_an_opened_tenants_administrator_issues_and_revokes(server: Server) -> None:
    opened = server.operator.post("/v1/tenants", {"name": "Opened"}).good(201)
    assert set(opened) == {"id", "name", "state", "created_at", "issuer", "token"}
    assert (opened["name"], opened["state"]) == ("Opened", "active")
    tenant = Tenant(opened["id"], "Opened", opened["issuer"], server.caller(opened["token"]))
    assert {each["kind"] for each in tenant.issuers} == {"root-ca", "issuing-ca"}
    issuing = next(each for each in tenant.issuers if each["id"] == tenant.issuer)
    assert issuing["parent"] == root_of(tenant)
    body = tenant.issue(make_csr("opened.example.test"))
    assert tenant.revoke(body["id"]).good()["status"] == "revoked"
    listed = server.operator.items("/v1/tenants")
    assert [each for each in listed if each["id"] == tenant.id] == [
        {name: opened[name] for name in ("id", "name", "state", "created_at")}
    ]


def test_the_list_of_tenants_is_the_operators_only(tenant: Tenant) -> None:
    for answer in (
        tenant.caller.get("/v1/tenants"),
        tenant.caller.post("/v1/tenants", {"name": "X"}),
    ):
        assert (answer.status, answer.code) == (403, "authorization.denied")


def test_an_operators_token_cannot_issue_even_at_the_platforms_own_issuer(server: Server) -> None:
    operator = server.operator
    for issuer in (server.context["issuer"], "iss_00000000000000000000000000"):
        body = {"issuer": issuer, "profile": "tls-server", "csr": make_csr("x.example.test")}
        answer = operator.post("/v1/certificates", body)
        assert (answer.status, answer.code) == (403, "authorization.denied")
    for action in TENANT_ACTIONS - {"tokens.manage", "refused-keys.manage", "events.read"}:
        answer = operator.post("/v1/tokens", {"name": "more", "actions": [action]})
        assert (answer.status, answer.code) == (403, "authorization.denied")


@pytest.mark.parametrize("path", ["/v1/tenants", "/v1/tokens", "/v1/issuers"])
def test_lists_are_read_page_by_page(server: Server, path: str) -> None:
    tenant = server.open_tenant(f"Pages of {path}")
    new_token(server, tenant.caller)
    caller = server.operator if path == "/v1/tenants" else tenant.caller
    whole = [each["id"] for each in caller.items(path)]
    assert whole == sorted(whole)
    assert len(whole) > 1
    first = caller.get(path, limit=1).good()
    assert ([each["id"] for each in first["items"]], first["next"]) == (whole[:1], whole[0])
    assert [each["id"] for each in caller.items(path, limit=1)] == whole
    # The last page says that it is the last, also when it is full.
    assert caller.get(path, limit=len(whole)).good()["next"] is None
    other = {"/v1/tenants": "tok_1", "/v1/tokens": "iss_1", "/v1/issuers": "ten_1"}[path]
    for query in ({"after": other}, {"after": ""}, {"after": "x"}, {"limit": 0}, {"limit": 201}):
        assert caller.get(path, **query).code == "request.malformed"


def test_a_token_bound_to_issuers_reads_pages_of_its_own(server: Server, tenant: Tenant) -> None:
    bound = sorted(each["id"] for each in tenant.issuers)[:1]
    _made, caller = new_token(server, tenant.caller, issuers=bound)
    assert [each["id"] for each in caller.items("/v1/issuers", limit=1)] == bound


def test_a_tokens_secret_is_shown_once(server: Server, tenant: Tenant) -> None:
    made, _caller = new_token(server, tenant.caller)
    assert made["secret"].startswith(f"tgt_{tenant.id.partition('_')[2]}_")
    assert set(made["actions"]) == TENANT_ACTIONS
    assert (made["issuers"], made["revoked_at"], made["kind"]) == (None, None, "tenant")
    listed = tenant.caller.items("/v1/tokens")
    assert made["id"] in {each["id"] for each in listed}
    assert not any("secret" in each for each in listed)
    assert made["secret"].rpartition("_")[2] not in json.dumps(listed)


@pytest.mark.parametrize("action", sorted(TENANT_ACTIONS))
def test_a_token_does_what_its_actions_say_and_nothing_else(
    server: Server, tenant: Tenant, action: str
) -> None:
    _made, caller = new_token(server, tenant.caller, actions=[action])
    body = {"issuer": tenant.issuer, "profile": "tls-server", "csr": make_csr("a.example.test")}
    certificate = tenant.issue(make_csr("b.example.test"))["id"]
    stamping = {"name": "Stamps", "issuer": tenant.issuer, "policies": ["1.3.6.1.4.1.99999.1"]}
    tries = {
        "bulk.manage": caller.get("/v1/bulk"),
        "certificates.issue": caller.post("/v1/certificates", body),
        "certificates.read": caller.get("/v1/certificates"),
        "certificates.revoke": caller.post(f"/v1/certificates/{certificate}/revoke", {}),
        "events.read": caller.get("/v1/events"),
        "identity.attributes": caller.get("/v1/identity/consents/cns_00000000000000000000000000"),
        "identity.manage": caller.get("/v1/identity/watch"),
        "identity.records": caller.get("/v1/identity/records", case="none"),
        "identity.verify": caller.get("/v1/identity/purposes"),
        "issuance.stop": caller.call("POST", "/v1/issuance/resume"),
        "issuers.manage": caller.call("POST", f"/v1/issuers/{tenant.issuer}/enable"),
        "issuers.read": caller.get("/v1/issuers"),
        "notices.manage": caller.get("/v1/expiry-notices"),
        "profiles.manage": caller.call("PUT", "/v1/profiles/own", {"document": PROFILE}),
        "profiles.read": caller.get("/v1/profiles"),
        "refused-keys.manage": caller.get("/v1/refused-keys"),
        "timestamps.manage": caller.post("/v1/timestamp-authorities", stamping),
        "timestamps.read": caller.get("/v1/timestamp-authorities"),
        "tokens.manage": caller.get("/v1/tokens"),
    }
    # There is no such consent, and nobody is watched: who may ask is told so.
    nothing = {"consent.unknown", "watch.unknown"}
    assert {
        name for name, each in tries.items() if each.status in (200, 201) or each.code in nothing
    } == {action}
    refused = [answer for name, answer in tries.items() if name != action]
    assert {(answer.status, answer.code) for answer in refused} == {(403, "authorization.denied")}


def test_a_token_for_one_issuer_neither_sees_nor_uses_another(
    server: Server, tenant: Tenant
) -> None:
    root, issued = root_of(tenant), tenant.issue(make_csr("bound.example.test"))
    _made, caller = new_token(server, tenant.caller, issuers=[root])
    denied = [
        caller.post(
            "/v1/certificates",
            {"issuer": tenant.issuer, "profile": "tls-server", "csr": make_csr("c.example.test")},
        ),
        caller.get(f"/v1/certificates/{issued['id']}"),
        caller.post(f"/v1/certificates/{issued['id']}/revoke", {}),
        caller.get(f"/v1/issuers/{tenant.issuer}"),
        caller.call("POST", f"/v1/issuers/{tenant.issuer}/disable"),
        caller.call("POST", "/v1/issuance/stop"),
        caller.get("/v1/certificates", issuer=tenant.issuer),
        # A key is refused by all issuers, so only a token for all of them may have it refused.
        caller.post("/v1/refused-keys", {"keys": ["ab" * 32]}),
        caller.get("/v1/refused-keys"),
    ]
    assert {(each.status, each.code) for each in denied} == {(403, "authorization.denied")}
    assert [each["id"] for each in caller.items("/v1/issuers")] == [root]
    for limit in (1, 50):
        assert {each["issuer"] for each in caller.certificates(limit=limit)} == {root}
    assert caller.certificates(serial=issued["serial"]) == []
    assert caller.certificates(dns_name="bound.example.test") == []
    assert tenant.caller.get(f"/v1/certificates/{issued['id']}").good()["status"] == "good"


def test_a_token_for_no_issuer_at_all_sees_none(server: Server, tenant: Tenant) -> None:
    _made, caller = new_token(server, tenant.caller, issuers=[])
    assert caller.items("/v1/issuers") == []
    assert caller.certificates() == []


def test_nobody_gives_away_more_than_it_has(server: Server, tenant: Tenant) -> None:
    _made, issuing = new_token(
        server,
        tenant.caller,
        actions=["tokens.manage", "certificates.read"],
        issuers=[tenant.issuer],
    )
    before = tenant.caller.items("/v1/tokens")
    for bounds in (
        {"actions": ["certificates.issue"], "issuers": [tenant.issuer]},
        {"actions": ["certificates.read", "events.read"], "issuers": [tenant.issuer]},
        {"actions": ["certificates.read"]},
        {"actions": ["certificates.read"], "issuers": [root_of(tenant)]},
        {"actions": ["certificates.read"], "issuers": [tenant.issuer, root_of(tenant)]},
        {"actions": ["tenants.manage"], "issuers": [tenant.issuer]},
    ):
        answer = issuing.post("/v1/tokens", {"name": "more", **bounds})
        assert (answer.status, answer.code) == (403, "authorization.denied"), bounds
    assert tenant.caller.items("/v1/tokens") == before
    # Without a word about actions it gets those of the one that asks, not all.
    made, _caller = new_token(server, issuing, issuers=[tenant.issuer])
    assert set(made["actions"]) == {"tokens.manage", "certificates.read"}


def test_a_revoked_token_is_refused_within_two_seconds(server: Server, tenant: Tenant) -> None:
    made, caller = new_token(server, tenant.caller)
    assert caller.get("/v1/profiles").status == 200
    answer = tenant.caller.delete(f"/v1/tokens/{made['id']}")
    assert (answer.status, answer.body) == (204, b"")
    refused = eventually(
        lambda: next((each for each in [caller.get("/v1/profiles")] if each.status != 200), None),
        seconds=2,
    )
    assert (refused.status, refused.code) == (401, "authentication.failed")
    again = tenant.caller.delete(f"/v1/tokens/{made['id']}")
    assert (again.status, again.code) == (404, "token.unknown")
    listed = next(each for each in tenant.caller.items("/v1/tokens") if each["id"] == made["id"])
    assert listed["revoked_at"] is not None


@pytest.mark.parametrize("name", ["", "x" * 65, "line\n", "tab\t", "\u0000", "\u007f"])
def test_a_name_that_is_no_name_opens_and_makes_nothing(
    server: Server, tenant: Tenant, name: str
) -> None:
    before = server.operator.items("/v1/tenants"), tenant.caller.items("/v1/tokens")
    for answer in (
        server.operator.post("/v1/tenants", {"name": name}),
        tenant.caller.post("/v1/tokens", {"name": name}),
    ):
        assert (answer.status, answer.code) == (400, "request.malformed")
    assert (server.operator.items("/v1/tenants"), tenant.caller.items("/v1/tokens")) == before


def test_the_longest_names_open_a_tenant(server: Server) -> None:
    for name in ("x" * 64, "認証" * 32):
        tenant = server.open_tenant(name)
        body = tenant.issue(make_csr("long.example.test"))
        assert name.encode() in chain_of(body)[0].public_bytes(Encoding.DER)


# Through the console script.


@pytest.fixture
def context(server: Server) -> dict[str, str]:
    return {"TEGATA_CONTEXT": str(server.data / "context.json")}


def said(context: dict[str, str], *arguments: str | Path) -> Json:
    done = run_tegata(*arguments, **context)
    assert done.returncode == 0, done.stderr
    decoded = json.loads(done.stdout)
    assert isinstance(decoded, dict)
    return decoded


@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_the_commands_take_a_certificate_through_its_life(
    server: Server, context: dict[str, str], folder: Path
) -> None:
    csr, out = folder / "server.csr", folder / "server.pem"
    csr.write_text(make_csr("command.example.test"))
    issued = said(context, "certificate", "issue", "--csr", csr, "--out", out)
    assert out.read_text() == issued["certificate"] + "".join(issued["chain"])
    assert said(context, "certificate", "show", issued["id"]) == issued
    listed = said(context, "certificate", "list", "--dns-name", "command.example.test")
    assert issued["id"] in {each["id"] for each in listed["items"]}
    revoked = said(context, "certificate", "revoke", issued["id"], "--reason", "superseded")
    assert revoked["revocation"]["reason"] == "superseded"
    failed = run_tegata("certificate", "revoke", issued["id"], **context)
    assert failed.returncode == 1
    assert "certificate.already-revoked" in failed.stderr
    assert failed.stdout == ""
    assert server.demo.get(f"/v1/certificates/{issued['id']}").good() == revoked


@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_the_commands_open_a_tenant_and_bound_a_token(
    server: Server, context: dict[str, str], folder: Path
) -> None:
    operator = ("--token-file", server.data / "operator.token")
    opened = said(context, "tenant", "open", "By command", *operator)
    token_file = folder / "administrator.token"
    token_file.write_text(opened["token"] + "\n")
    server.secrets.add(opened["token"])
    made = said(
        context, "token", "create", "reader", "--action", "certificates.read", "--issuer",
        opened["issuer"], "--token-file", token_file,
    )  # fmt: skip
    server.secrets.add(made["secret"])
    assert (made["actions"], made["issuers"]) == (["certificates.read"], [opened["issuer"]])
    reader = folder / "reader.token"
    reader.write_text(made["secret"])
    # The environment names the token's file too.
    listed = said({**context, "TEGATA_TOKEN_FILE": str(reader)}, "certificate", "list")
    assert {each["issuer"] for each in listed["items"]} == {opened["issuer"]}
    refused = run_tegata("token", "list", "--token-file", reader, **context)
    assert (refused.returncode, "authorization.denied" in refused.stderr) == (1, True)
    done = run_tegata("token", "revoke", made["id"], "--token-file", token_file, **context)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_command_without_a_platform_says_what_it_needs() -> None:
    done = run_tegata("certificate", "list")
    assert done.returncode == 2
    assert "--context" in done.stderr


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"api": "https://127.0.0.1:1", "tls_ca": "/dev/null"}',
        '{"api": "https://127.0.0.1:1", "tls_ca": "/dev/null", "token_file": "/nowhere"}',
        '{"api": "https://127.0.0.1:1", "tls_ca": "/nowhere", "token_file": "/dev/null"}',
    ],
)
def test_a_context_that_leads_nowhere_ends_a_command_with_a_message(
    folder: Path, text: str
) -> None:
    broken = folder / "context.json"
    broken.write_text(text)
    # In this process: each start of the script takes a second.
    done = CliRunner().invoke(main, ["certificate", "show", "a b/c", "--context", str(broken)])
    assert (done.exit_code, type(done.exception)) == (1, SystemExit)
    assert done.output.startswith("Error: ")


@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
@pytest.mark.parametrize("identifier", ["a b", "..", "../tokens", "x?limit=1", "\u8a8d", "%00"])
def test_an_identifier_on_the_command_line_names_nothing_else(
    context: dict[str, str], identifier: str
) -> None:
    done = CliRunner().invoke(main, ["certificate", "show", identifier], env=context)
    assert (done.exit_code, type(done.exception)) == (1, SystemExit)
    assert "unknown" in done.output


def test_the_command_reads_all_pages(server: Server, context: dict[str, str], folder: Path) -> None:
    tenant = server.open_tenant("Many tokens")
    token_file = folder / "many.token"
    token_file.write_text(tenant.caller.token)
    for number in range(201):
        tenant.caller.post("/v1/tokens", {"name": f"token {number}"}).good(201)
    assert tenant.caller.get("/v1/tokens", limit=200).good()["next"] is not None
    listed = said(context, "token", "list", "--token-file", token_file)
    assert listed["next"] is None
    assert [each["name"] for each in listed["items"]] == [
        "administrator", *(f"token {number}" for number in range(201)),
    ]  # fmt: skip
