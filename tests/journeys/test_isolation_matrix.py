"""Every route of the running server, with another tenant's ids in every place that takes one.

Routes come from the server's own description. A route without a case fails, and so does a case
without a route. Whatever one tenant tries, the other's data and record stay as they are, and
what the first was refused stands in its own record.
"""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509

from tegata.outbound.system import SystemClock
from tegata.protocols.rest.application import OPERATIONS
from tegata.sandbox.people import Kind
from tegata.sandbox.personas import Sandbox
from tests.journeys.platform import (
    TEGATA,
    Answer,
    Caller,
    Json,
    Server,
    Tenant,
    eventually,
    exchange,
)
from tests.journeys.requests import make_csr
from tests.journeys.status import chain_of, crl_number, crl_of, delta_base, entry_of
from tests.old_ca import OldCa

ROUTES_MINIMUM = 15
ATTEMPTS_MINIMUM = 300
# A target that names no operation is refused before anybody asks who sent it.
NAMELESS = {"route.unknown", "method.not-allowed"}
REFUSED = {400, 401, 403, 404, 405, 422}

Route = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom the victim has verified."""

    session: str
    undecided: str
    user: str
    record: str
    consent: str


@dataclass(frozen=True)
class Victim:
    """The other tenant, and what it has."""

    tenant: Tenant
    root: str
    good: Json
    revoked: Json
    bounded: Json
    key: str
    bulk: str
    stamps: str
    person: Person
    take_over: str

    @property
    def fingerprint(self) -> str:
        """SHA-256 of a certificate of its own."""
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.good["certificate"])).hexdigest()

    @property
    def cursor(self) -> str:
        """Where its first page of one certificate ended."""
        page = self.tenant.caller.get("/v1/certificates", limit=1).good()
        return str(page["next"])

    @property
    def token(self) -> str:
        """The text of its administrator's token."""
        return self.tenant.caller.token

    @property
    def marks(self) -> tuple[str, ...]:
        """What must stand in no answer to anybody else."""
        return (
            self.tenant.id, self.tenant.name, self.tenant.issuer, self.root,
            self.good["id"], self.good["serial"], self.revoked["id"], self.revoked["serial"],
            self.bounded["id"], self.bounded["name"], self.bulk, self.stamps, token_id(self.token),
            self.person.session, self.person.user, self.person.record, self.person.consent,
            "victim.example.test",
        )  # fmt: skip

    def snapshot(self) -> Json:
        """All that it can see of itself."""
        caller = self.tenant.caller
        return {
            "certificates": caller.certificates(limit=200),
            "tokens": caller.items("/v1/tokens"),
            "issuers": caller.items("/v1/issuers"),
            "take_overs": caller.items("/v1/take-overs"),
            "profiles": caller.items("/v1/profiles"),
            "timestamp_authorities": caller.items("/v1/timestamp-authorities"),
            # Its leaves get their places while others act.
            "events": [{**event, "index": None} for event in caller.events()],
        }


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request that must not reach another tenant. `code` is None where it may succeed with
    what is the sender's own (a search that finds nothing)."""

    method: str
    target: str
    code: str | None
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class World:
    """Who attacks, and whom."""

    attacker: Tenant
    victim: Victim


def token_id(token: str) -> str:
    return "tok_" + token.split("_")[2]


def issue(world: World) -> Iterator[Attempt]:
    csr = make_csr("attacker.example.test")
    for issuer in (world.victim.tenant.issuer, world.victim.root):
        for headers in ({}, {"Idempotency-Key": world.victim.key}):
            body = {"issuer": issuer, "profile": "tls-server", "csr": csr}
            yield Attempt("POST", "/v1/certificates", "issuer.unknown", body, headers)
    own = {"issuer": world.attacker.issuer, "profile": "tls-server", "csr": csr}
    target = "/v1/certificates"
    tenant = world.victim.tenant.id
    yield Attempt("POST", target, "request.unknown-field", {**own, "tenant": tenant})
    # The same key in another tenant is another key.
    yield Attempt("POST", target, None, own, {"Idempotency-Key": world.victim.key})
    swapped = {**own, "issuer": world.victim.good["id"]}
    yield Attempt("POST", target, "issuer.unknown", swapped)
    upper = {**own, "issuer": world.victim.tenant.issuer.upper()}
    yield Attempt("POST", target, "issuer.unknown", upper)
    yield Attempt("POST", target, "request.malformed", {**own, "issuer": "\0"})
    yield Attempt("POST", target, "profile.unknown", {**own, "profile": "issuing-ca"})


def list_certificates(world: World) -> Iterator[Attempt]:
    victim = world.victim
    for query in (
        f"issuer={victim.tenant.issuer}", f"issuer={victim.root}",
        f"serial={victim.good['serial']}", f"serial={victim.revoked['serial']}",
        f"serial={victim.good['serial']}&issuer={victim.tenant.issuer}",
        f"serial={victim.good['serial']}&issuer={world.attacker.issuer}",
        f"serial_prefix={victim.good['serial'][:12]}",
        f"serial_prefix={victim.good['serial'][:2]}&issuer={victim.tenant.issuer}",
        "dns_name=victim.example.test",
        f"dns_name=victim.example.test&issuer={victim.tenant.issuer}",
        "name=dns:victim.example.test", "name_prefix=dns:victim.example.test",
        f"name_prefix=dns:victim.example.test&issuer={victim.root}",
        "subject=CN%3Dvictim.example.test", "subject_prefix=CN%3Dvictim",
        f"fingerprint={victim.fingerprint}", f"fingerprint_prefix={victim.fingerprint[:12]}",
        "profile=tls-server", f"profile=tls-server&issuer={victim.tenant.issuer}",
        "state=revoked", f"state=revoked&issuer={victim.tenant.issuer}", "state=valid",
        f"state=valid&issuer={victim.tenant.issuer}", "state=held", "state=expired",
        "expires_after=2020-01-01", "expires_before=2099-01-01&state=revoked",
        f"expires_after=2020-01-01&issuer={victim.tenant.issuer}",
    ):  # fmt: skip
        yield Attempt("GET", f"/v1/certificates?{query}", None)
    for after in (victim.tenant.issuer, victim.good["id"], victim.cursor):
        yield Attempt("GET", f"/v1/certificates?issuer=iss_x&after={after}", "request.malformed")


def get_certificate(world: World) -> Iterator[Attempt]:
    for identifier in (world.victim.good["id"], world.victim.revoked["id"]):
        target = f"/v1/certificates/{identifier}"
        yield Attempt("GET", target, "certificate.unknown")
        for form in ("json", "pem", "der", "chain", "pkcs7"):
            yield Attempt("GET", f"{target}?format={form}", "certificate.unknown")
        accept = {"Accept": "application/pkix-cert"}
        yield Attempt("GET", target, "certificate.unknown", None, accept)


def revoke_certificate(world: World) -> Iterator[Attempt]:
    for identifier in (world.victim.good["id"], world.victim.revoked["id"]):
        for body in ({"reason": "keyCompromise"}, {}):
            target = f"/v1/certificates/{identifier}/revoke"
            yield Attempt("POST", target, "certificate.unknown", body)


def replace_certificate(act: str) -> Callable[[World], Iterator[Attempt]]:
    """Renewal or re-key of the victim's certificates."""

    def attempts(world: World) -> Iterator[Attempt]:
        body = {"csr": make_csr("victim.example.test")} if act == "rekey" else None
        for identifier in (world.victim.good["id"], world.victim.revoked["id"]):
            target = f"/v1/certificates/{identifier}/{act}"
            for headers in ({}, {"Idempotency-Key": world.victim.key}):
                yield Attempt("POST", target, "certificate.unknown", body, headers)

    return attempts


def release_certificate(world: World) -> Iterator[Attempt]:
    for identifier in (world.victim.good["id"], world.victim.revoked["id"]):
        yield Attempt("POST", f"/v1/certificates/{identifier}/release", "certificate.unknown")


def get_issuer(world: World) -> Iterator[Attempt]:
    for identifier in (world.victim.tenant.issuer, world.victim.root):
        yield Attempt("GET", f"/v1/issuers/{identifier}", "issuer.unknown")


def start_bulk(world: World) -> Iterator[Attempt]:
    csv = {"Content-Type": "text/csv"}
    for issuer in (world.victim.tenant.issuer, world.victim.root):
        target = f"/v1/bulk?act=issue&profile=tls-server&issuer={issuer}"
        yield Attempt("POST", target, "issuer.unknown", headers=csv)


def of_bulk(method: str, tail: str = "") -> Callable[[World], Iterator[Attempt]]:
    """The victim's own file, by its id."""

    def attempts(world: World) -> Iterator[Attempt]:
        for identifier in (world.victim.bulk, world.victim.good["id"], "blk_x"):
            yield Attempt(method, f"/v1/bulk/{identifier}{tail}", "bulk.unknown")

    return attempts


def create_issuer(world: World) -> Iterator[Attempt]:
    for parent in (world.victim.root, world.victim.tenant.issuer):
        for kind in ("subordinate", "issuing"):
            body = {
                "name": f"Stolen {kind}", "kind": kind, "parent": parent,
                "subject": {"commonName": "Stolen"},
            }  # fmt: skip
            yield Attempt("POST", "/v1/issuers", "issuer.unknown", body)
    body = {"name": "x", "kind": "root", "subject": {"commonName": "x"}}
    tenant = {**body, "tenant": world.victim.tenant.id}
    yield Attempt("POST", "/v1/issuers", "request.unknown-field", tenant)


def of_issuer(method: str, tail: str, body: object = None) -> Callable[[World], Iterator[Attempt]]:
    """An act on the victim's issuers."""

    def attempts(world: World) -> Iterator[Attempt]:
        for identifier in (world.victim.tenant.issuer, world.victim.root):
            yield Attempt(method, f"/v1/issuers/{identifier}/{tail}", "issuer.unknown", body)

    return attempts


def of_stamps(method: str, tail: str = "") -> Callable[[World], Iterator[Attempt]]:
    """The victim's own time-stamping authority, by its id."""

    def attempts(world: World) -> Iterator[Attempt]:
        for identifier in (world.victim.stamps, world.victim.bulk, "tsa_x"):
            path = f"/v1/timestamp-authorities/{identifier}{tail}"
            yield Attempt(method, path, "timestamp.authority-unknown")

    return attempts


def begin_own_take_over(world: World) -> Iterator[Attempt]:
    """With the certificate of a CA whose key another tenant was given."""
    taken = world.victim.tenant.caller.get(f"/v1/take-overs/{world.victim.take_over}").good()
    body = {"name": "Stolen", "kind": "issuing", "certificate": taken["certificate"]}
    yield Attempt("POST", "/v1/take-overs", "key.not-authorised", body)
    tenant = {**body, "tenant": world.victim.tenant.id}
    yield Attempt("POST", "/v1/take-overs", "request.unknown-field", tenant)


def of_take_over(
    method: str, tail: str = "", *, file: bool = False
) -> Callable[[World], Iterator[Attempt]]:
    """The victim's own take-over, by its id."""
    headers = {"Content-Type": "application/octet-stream"} if file else {}

    def attempts(world: World) -> Iterator[Attempt]:
        for identifier in (world.victim.take_over, world.victim.tenant.issuer, "iss_x"):
            target = f"/v1/take-overs/{identifier}{tail}"
            yield Attempt(method, target, "take-over.unknown", headers=headers)

    return attempts


def create_stamps(world: World) -> Iterator[Attempt]:
    path = "/v1/timestamp-authorities"
    for issuer in (world.victim.tenant.issuer, world.victim.root):
        body = {"name": "stolen", "issuer": issuer, "policies": ["1.2.3"]}
        yield Attempt("POST", path, "issuer.unknown", body)
    own = {"name": "stolen", "issuer": world.attacker.issuer, "policies": ["1.2.3"]}
    tenant = {**own, "tenant": world.victim.tenant.id}
    yield Attempt("POST", path, "request.unknown-field", tenant)
    # A name that the victim has is free for anybody else.
    yield Attempt("POST", path, None, {**own, "name": "victims-own"})


def list_stamps(world: World) -> Iterator[Attempt]:
    for query in ("", "?limit=1", f"?after={world.victim.stamps}", "?after=tsa_0"):
        yield Attempt("GET", f"/v1/timestamp-authorities{query}", None)


def list_bulk(world: World) -> Iterator[Attempt]:
    yield Attempt("GET", "/v1/bulk", None)
    yield Attempt("GET", f"/v1/bulk?after={world.victim.bulk}z", None)


def switch(act: str) -> Callable[[World], Iterator[Attempt]]:
    """Nobody says whose issuance it is: it is one's own."""

    def attempts(world: World) -> Iterator[Attempt]:
        body = {"tenant": world.victim.tenant.id}
        yield Attempt("POST", f"/v1/issuance/{act}", "request.malformed", body)

    return attempts


def of_platform(act: str) -> Callable[[World], Iterator[Attempt]]:
    """What stops everybody."""

    def attempts(_world: World) -> Iterator[Attempt]:
        yield Attempt("POST", f"/v1/platform/{act}", "authorization.denied")

    return attempts


ROOT_PEM = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
DOCUMENT = """
name = "{name}"
[validity]
period = "30d"
[subject]
allowed = ["commonName"]
[keyUsage]
always = ["digitalSignature"]
[extKeyUsage]
purposes = ["clientAuth"]
"""


def of_profile(method: str, tail: str = "") -> Callable[[World], Iterator[Attempt]]:
    """The victim's own profile, by its name and version."""

    def attempts(_world: World) -> Iterator[Attempt]:
        path = f"/v1/profiles/victims-own{tail}"
        if method == "POST":
            yield Attempt(method, path, "profile.unknown", {})
            yield Attempt(method, path, "profile.unknown", {"version": 1})
            return
        query = "limit=1" if tail else "version=1"
        yield Attempt(method, path, "profile.unknown")
        yield Attempt(method, f"{path}?{query}", "profile.unknown")

    return attempts


def put_profile(_world: World) -> Iterator[Attempt]:
    # The victim's next version would be 2; the sender's profile of this name has none yet.
    document = "version = 2" + DOCUMENT.format(name="victims-own")
    for name in ("victims-own", "another"):
        body = {"document": document}
        yield Attempt("PUT", f"/v1/profiles/{name}", "profile.invalid", body)


def check_profile(_world: World) -> Iterator[Attempt]:
    taken = {"document": "version = 2" + DOCUMENT.format(name="victims-own")}
    yield Attempt("POST", "/v1/profile-checks", "profile.invalid", taken)


def simulate_profile(_world: World) -> Iterator[Attempt]:
    document = DOCUMENT.format(name="own")
    for of in ("own", "tls-server"):
        yield Attempt("POST", "/v1/profile-simulations", None, {"document": document, "of": of})


def create_token(world: World) -> Iterator[Attempt]:
    for issuers in (
        [world.victim.tenant.issuer],
        [world.attacker.issuer, world.victim.root],
        [world.victim.tenant.id],
    ):
        body = {"name": "stolen", "issuers": issuers}
        yield Attempt("POST", "/v1/tokens", "issuer.unknown", body)
    tenant = {"name": "stolen", "tenant": world.victim.tenant.id}
    yield Attempt("POST", "/v1/tokens", "request.unknown-field", tenant)
    operator = {"name": "stolen", "actions": ["tenants.manage"]}
    yield Attempt("POST", "/v1/tokens", "authorization.denied", operator)


def revoke_token(world: World) -> Iterator[Attempt]:
    for identifier in (
        token_id(world.victim.token),
        world.victim.bounded["id"],
        world.victim.token,
        world.victim.tenant.id,
    ):
        yield Attempt("DELETE", f"/v1/tokens/{identifier}", "token.unknown")


def list_events(_world: World) -> Iterator[Attempt]:
    for query in ("", "?after=0", "?after=3&limit=200", "?limit=1"):
        yield Attempt("GET", f"/v1/events{query}", None)


def prove_event(world: World) -> Iterator[Attempt]:
    # Numbers are of the sender's own record: those of the victim's that it has too are its own.
    yield Attempt("GET", f"/v1/events/{10**9}/proof", "event.unknown")
    for identifier in (world.victim.tenant.id, world.victim.good["id"], "0"):
        yield Attempt("GET", f"/v1/events/{identifier}/proof", "event.unknown")


def list_own(target: str) -> Callable[[World], Iterator[Attempt]]:
    """A list without parameters: the sender sees its own."""

    def attempts(_world: World) -> Iterator[Attempt]:
        yield Attempt("GET", target, None)

    return attempts


def refuse_keys(world: World) -> Iterator[Attempt]:
    key = {"keys": ["ab" * 32]}
    tenant = {**key, "tenant": world.victim.tenant.id}
    yield Attempt("POST", "/v1/refused-keys", "request.unknown-field", tenant)
    # What one refuses is refused to oneself.
    yield Attempt("POST", "/v1/refused-keys", None, key)


def allow_keys(world: World) -> Iterator[Attempt]:
    assert world.victim.tenant.caller.items("/v1/refused-keys")
    yield Attempt("POST", "/v1/refused-keys/allow", "refused-key.unknown", VICTIMS_KEY)


def list_refused_keys(_world: World) -> Iterator[Attempt]:
    for query in ("", f"?after={'00' * 32}", "?limit=1"):
        yield Attempt("GET", f"/v1/refused-keys{query}", None)


def open_tenant(world: World) -> Iterator[Attempt]:
    for name in ("Another", world.victim.tenant.name):
        yield Attempt("POST", "/v1/tenants", "authorization.denied", {"name": name})


def create_tenant_token(world: World) -> Iterator[Attempt]:
    path = f"/v1/tenants/{world.victim.tenant.id}/tokens"
    yield Attempt("POST", path, "authorization.denied", {"name": "administrator"})


def change_tenant(act: str) -> Callable[[World], Iterator[Attempt]]:
    def attempts(world: World) -> Iterator[Attempt]:
        path = f"/v1/tenants/{world.victim.tenant.id}/{act}"
        yield Attempt("POST", path, "authorization.denied")

    return attempts


def list_tenants(_world: World) -> Iterator[Attempt]:
    yield Attempt("GET", "/v1/tenants", "authorization.denied")


def set_notices(world: World) -> Iterator[Attempt]:
    body = {"addresses": [], "tenant": world.victim.tenant.id}
    yield Attempt("PUT", "/v1/expiry-notices", "request.unknown-field", body)
    address = f"{world.victim.tenant.id}@example.test\r\nBcc: other@example.test"
    yield Attempt("PUT", "/v1/expiry-notices", "request.malformed", {"addresses": [address]})
    yield Attempt("PUT", "/v1/expiry-notices", None, {"addresses": []})


def declare_purpose(world: World) -> Iterator[Attempt]:
    body = {"text": "x", "tenant": world.victim.tenant.id}
    yield Attempt("PUT", "/v1/identity/purposes/victims", "request.unknown-field", body)
    yield Attempt("PUT", "/v1/identity/purposes/Victims", "purpose.refused", {"text": "x"})


def open_session(world: World) -> Iterator[Attempt]:
    body = {
        "kind": "auth", "purpose": "victims", "relying_party": "x",
        "origin": "https://example.test",
    }  # fmt: skip
    yield Attempt("POST", "/v1/identity/sessions", "purpose.unknown", body)
    tenant = {**body, "tenant": world.victim.tenant.id}
    yield Attempt("POST", "/v1/identity/sessions", "request.unknown-field", tenant)


def of_session(
    method: str, tail: str = "", body: object = None
) -> Callable[[World], Iterator[Attempt]]:
    """The victim's own sessions: a decided one, and one that waits to be signed."""

    def attempts(world: World) -> Iterator[Attempt]:
        person = world.victim.person
        for identifier in (person.session, person.undecided, person.record, "ivs_x"):
            target = f"/v1/identity/sessions/{identifier}{tail}"
            yield Attempt(method, target, "session.unknown", body)

    return attempts


def of_record(
    method: str, tail: str = "", body: object = None
) -> Callable[[World], Iterator[Attempt]]:
    """The victim's own confirmation record."""

    def attempts(world: World) -> Iterator[Attempt]:
        for identifier in (world.victim.person.record, world.victim.person.session):
            target = f"/v1/identity/records/{identifier}{tail}"
            yield Attempt(method, target, "record.unknown", body)

    return attempts


def export_records(world: World) -> Iterator[Attempt]:
    for query in ("case=victims-case", f"case=victims-case&after={world.victim.person.record}"):
        yield Attempt("GET", f"/v1/identity/records?{query}", None)


def check_status(world: World) -> Iterator[Attempt]:
    for method in ("ocsp", "crl"):
        body = {"users": [world.victim.person.user], "status": method}
        yield Attempt("POST", "/v1/identity/status-checks", "user.unknown", body)
    yield Attempt("POST", "/v1/identity/status-checks", None, {})


def obtain_consent(world: World) -> Iterator[Attempt]:
    body = {
        "session": world.victim.person.session, "text": "x", "certificate": "MAA=",
        "signature": "MAA=",
    }  # fmt: skip
    yield Attempt("POST", "/v1/identity/consents", "session.unknown", body)


def of_consent(method: str, tail: str = "") -> Callable[[World], Iterator[Attempt]]:
    """The consent that the victim obtained."""

    def attempts(world: World) -> Iterator[Attempt]:
        target = f"/v1/identity/consents/{world.victim.person.consent}{tail}"
        yield Attempt(method, target, "consent.unknown")

    return attempts


def set_watch(world: World) -> Iterator[Attempt]:
    body = {"url": "https://example.test/", "tenant": world.victim.tenant.id}
    yield Attempt("PUT", "/v1/identity/watch", "request.unknown-field", body)


def of_watch(method: str) -> Callable[[World], Iterator[Attempt]]:
    """The victim watches; the sender does not."""

    def attempts(_world: World) -> Iterator[Attempt]:
        yield Attempt(method, "/v1/identity/watch", "watch.unknown")

    return attempts


CASES: Mapping[Route, Callable[[World], Iterator[Attempt]]] = {
    ("POST", "/v1/certificates"): issue,
    ("GET", "/v1/certificates"): list_certificates,
    ("GET", "/v1/certificates/{certificate}"): get_certificate,
    ("POST", "/v1/certificates/{certificate}/revoke"): revoke_certificate,
    ("POST", "/v1/certificates/{certificate}/renew"): replace_certificate("renew"),
    ("POST", "/v1/certificates/{certificate}/rekey"): replace_certificate("rekey"),
    ("POST", "/v1/certificates/{certificate}/release"): release_certificate,
    ("POST", "/v1/bulk"): start_bulk,
    ("GET", "/v1/bulk"): list_bulk,
    ("GET", "/v1/bulk/{bulk}"): of_bulk("GET"),
    ("GET", "/v1/bulk/{bulk}/results"): of_bulk("GET", "/results"),
    ("POST", "/v1/bulk/{bulk}/cancel"): of_bulk("POST", "/cancel"),
    ("GET", "/v1/issuers"): list_own("/v1/issuers"),
    ("GET", "/v1/issuers/{issuer}"): get_issuer,
    ("POST", "/v1/issuers"): create_issuer,
    ("POST", "/v1/issuers/{issuer}/certificate"): of_issuer(
        "POST", "certificate", {"certificate": ROOT_PEM}
    ),
    ("POST", "/v1/issuers/{issuer}/rekey"): of_issuer("POST", "rekey", {}),
    ("POST", "/v1/issuers/{issuer}/disable"): of_issuer("POST", "disable"),
    ("POST", "/v1/issuers/{issuer}/enable"): of_issuer("POST", "enable"),
    ("POST", "/v1/issuers/{issuer}/retire"): of_issuer("POST", "retire"),
    ("POST", "/v1/issuers/{issuer}/stop"): of_issuer("POST", "stop"),
    ("POST", "/v1/issuers/{issuer}/resume"): of_issuer("POST", "resume"),
    ("POST", "/v1/issuers/{issuer}/revoke"): of_issuer("POST", "revoke", {}),
    ("PUT", "/v1/issuers/{issuer}/policies"): of_issuer(
        "PUT", "policies", {"title": "CPS", "text": "stolen"}
    ),
    ("GET", "/v1/issuers/{issuer}/policies"): of_issuer("GET", "policies"),
    ("POST", "/v1/issuers/{issuer}/serials/{serial}/revoke"): of_issuer(
        "POST", "serials/1000/revoke", {"reason": "superseded"}
    ),
    ("POST", "/v1/take-overs"): begin_own_take_over,
    ("GET", "/v1/take-overs"): list_own("/v1/take-overs"),
    ("GET", "/v1/take-overs/{take_over}"): of_take_over("GET"),
    ("POST", "/v1/take-overs/{take_over}/certificates"): of_take_over(
        "POST", "/certificates", file=True
    ),
    ("POST", "/v1/take-overs/{take_over}/index"): of_take_over("POST", "/index", file=True),
    ("POST", "/v1/take-overs/{take_over}/crl"): of_take_over("POST", "/crl", file=True),
    ("POST", "/v1/take-overs/{take_over}/complete"): of_take_over("POST", "/complete"),
    ("POST", "/v1/take-overs/{take_over}/cancel"): of_take_over("POST", "/cancel"),
    ("POST", "/v1/issuance/stop"): switch("stop"),
    ("POST", "/v1/issuance/resume"): switch("resume"),
    ("POST", "/v1/platform/stop"): of_platform("stop"),
    ("POST", "/v1/platform/resume"): of_platform("resume"),
    ("POST", "/v1/tenants/{tenant}/stop"): change_tenant("stop"),
    ("POST", "/v1/tenants/{tenant}/resume-issuance"): change_tenant("resume-issuance"),
    ("GET", "/v1/expiry-notices"): list_own("/v1/expiry-notices"),
    ("PUT", "/v1/expiry-notices"): set_notices,
    ("GET", "/v1/timestamp-authorities"): list_stamps,
    ("POST", "/v1/timestamp-authorities"): create_stamps,
    ("GET", "/v1/timestamp-authorities/{authority}"): of_stamps("GET"),
    ("POST", "/v1/timestamp-authorities/{authority}/disable"): of_stamps("POST", "/disable"),
    ("PUT", "/v1/identity/purposes/{purpose}"): declare_purpose,
    ("GET", "/v1/identity/purposes"): list_own("/v1/identity/purposes"),
    ("POST", "/v1/identity/sessions"): open_session,
    ("GET", "/v1/identity/sessions/{session}"): of_session("GET"),
    ("POST", "/v1/identity/sessions/{session}/submission"): of_session(
        "POST", "/submission", {"certificate": "MAA=", "signature": "MAA="}
    ),
    ("POST", "/v1/identity/sessions/{session}/attributes"): of_session("POST", "/attributes"),
    ("POST", "/v1/identity/sessions/{session}/match"): of_session(
        "POST", "/match", {"claims": {"name": "x"}}
    ),
    ("POST", "/v1/identity/sessions/{session}/age"): of_session("POST", "/age", {"years": 18}),
    ("POST", "/v1/identity/status-checks"): check_status,
    ("GET", "/v1/identity/records"): export_records,
    ("GET", "/v1/identity/records/{record}"): of_record("GET"),
    ("POST", "/v1/identity/records/{record}/contract-end"): of_record(
        "POST", "/contract-end", {"ended_at": "2026-01-01T00:00:00Z"}
    ),
    ("PUT", "/v1/identity/records/{record}/hold"): of_record("PUT", "/hold", {"held": True}),
    ("POST", "/v1/identity/consents"): obtain_consent,
    ("GET", "/v1/identity/consents/{consent}"): of_consent("GET"),
    ("POST", "/v1/identity/consents/{consent}/withdraw"): of_consent("POST", "/withdraw"),
    ("POST", "/v1/identity/consents/{consent}/attributes"): of_consent("POST", "/attributes"),
    ("PUT", "/v1/identity/watch"): set_watch,
    ("GET", "/v1/identity/watch"): of_watch("GET"),
    ("DELETE", "/v1/identity/watch"): of_watch("DELETE"),
    ("GET", "/v1/profiles"): list_own("/v1/profiles"),
    ("GET", "/v1/profiles/{profile}"): of_profile("GET"),
    ("GET", "/v1/profiles/{profile}/versions"): of_profile("GET", "/versions"),
    ("PUT", "/v1/profiles/{profile}"): put_profile,
    ("POST", "/v1/profiles/{profile}/retire"): of_profile("POST", "/retire"),
    ("POST", "/v1/profile-checks"): check_profile,
    ("POST", "/v1/profile-simulations"): simulate_profile,
    ("POST", "/v1/tokens"): create_token,
    ("GET", "/v1/tokens"): list_own("/v1/tokens"),
    ("DELETE", "/v1/tokens/{token}"): revoke_token,
    ("GET", "/v1/events"): list_events,
    ("GET", "/v1/events/{sequence}/proof"): prove_event,
    ("POST", "/v1/refused-keys"): refuse_keys,
    ("POST", "/v1/refused-keys/allow"): allow_keys,
    ("GET", "/v1/refused-keys"): list_refused_keys,
    ("POST", "/v1/tenants"): open_tenant,
    ("POST", "/v1/tenants/{tenant}/tokens"): create_tenant_token,
    ("POST", "/v1/tenants/{tenant}/suspend"): change_tenant("suspend"),
    ("POST", "/v1/tenants/{tenant}/resume"): change_tenant("resume"),
    ("GET", "/v1/tenants"): list_tenants,
}
VICTIMS_KEY = {"keys": ["cd" * 32]}
# What an operator's token may do, in the operator's own space.
OPERATORS = {
    ("POST", "/v1/tokens"),
    ("GET", "/v1/tokens"),
    ("DELETE", "/v1/tokens/{token}"),
    ("POST", "/v1/refused-keys"),
    ("POST", "/v1/refused-keys/allow"),
    ("GET", "/v1/refused-keys"),
    ("GET", "/v1/events"),
    ("GET", "/v1/events/{sequence}/proof"),
    ("POST", "/v1/tenants"),
    ("POST", "/v1/tenants/{tenant}/tokens"),
    ("POST", "/v1/tenants/{tenant}/suspend"),
    ("POST", "/v1/tenants/{tenant}/resume"),
    ("POST", "/v1/tenants/{tenant}/stop"),
    ("POST", "/v1/tenants/{tenant}/resume-issuance"),
    ("POST", "/v1/platform/stop"),
    ("POST", "/v1/platform/resume"),
    ("GET", "/v1/tenants"),
}
EVENTS = {(each.method, each.path): each.event for each in OPERATIONS}


@pytest.fixture(scope="module")
def victim(server: Server) -> Victim:
    tenant = server.open_tenant("Isolation victim")
    good = tenant.issue(make_csr("victim.example.test"), Idempotency_Key="isolation")
    revoked = tenant.issue(make_csr("victim.example.test"))
    tenant.revoke(revoked["id"], "superseded").good()
    document = {"document": DOCUMENT.format(name="victims-own")}
    tenant.caller.call("PUT", "/v1/profiles/victims-own", document).good(201)
    assert tenant.caller.post("/v1/refused-keys", VICTIMS_KEY).status == 204
    bounded = tenant.caller.post("/v1/tokens", {"name": "victim's own", "issuers": [tenant.issuer]})
    root = next(each["id"] for each in tenant.issuers if each["id"] != tenant.issuer)
    authority = chain_of(revoked)[0]
    # The CRL that follows the revocation is an event of its own: it must be there before.
    eventually(lambda: entry_of(crl_of(server.public, tenant.issuer, authority), revoked))
    eventually(lambda: _settled(server, tenant, authority))
    sent = tenant.caller.call(
        "POST", "/v1/bulk?act=revoke", octets=b"certificate\r\ncrt_x\r\n",
        headers={"Content-Type": "text/csv"},
    )  # fmt: skip
    bulk = sent.good(202)["id"]
    eventually(lambda: tenant.caller.get(f"/v1/bulk/{bulk}").good()["state"] == "done")
    new = {"name": "victims-own", "issuer": tenant.issuer, "policies": ["1.2.3"]}
    stamps = tenant.caller.post("/v1/timestamp-authorities", new).good(201)["id"]
    person = verified_person(server, tenant.caller)
    taken = begin_take_over(server, tenant)
    made = bounded.good(201)
    return Victim(tenant, root, good, revoked, made, "isolation", bulk, stamps, person, taken)


def verified_person(server: Server, caller: Caller) -> Person:
    """Somebody with a record and a consent, and a session that nobody has signed yet."""
    body = {"text": "x", "attributes": ["name"]}
    caller.call("PUT", "/v1/identity/purposes/victims", body).good()
    sandbox = Sandbox(Path(server.context["sandbox"]), SystemClock())
    held = sandbox.persona("ordinary").held(Kind.SIGN)
    assert held is not None
    text = "consent"
    asked = {
        "kind": "sign", "purpose": "victims", "relying_party": "x", "case": "victims-case",
        "origin": "https://example.test", "document": hashlib.sha256(text.encode()).hexdigest(),
    }  # fmt: skip
    undecided = caller.post("/v1/identity/sessions", asked).good(201)["id"]
    session = caller.post("/v1/identity/sessions", asked).good(201)
    signed = {
        "certificate": base64.b64encode(held.der).decode(),
        "signature": base64.b64encode(held.sign(base64.b64decode(session["intent"]))).decode(),
    }
    path = f"/v1/identity/sessions/{session['id']}/submission"
    decided = caller.post(path, signed).good()
    given = {"session": session["id"], "text": text, **signed}
    consent = caller.post("/v1/identity/consents", given).good(201)
    watch = {"url": "https://victim.example.test/", "hours": 24}
    caller.call("PUT", "/v1/identity/watch", watch).good()
    # The watch's first run is an event of its own: it must be there before.
    eventually(lambda: "identity:watch:run" in {fact["action"] for fact in caller.facts()} or None)
    return Person(session["id"], undecided, decided["user"], decided["record"], consent["id"])


def begin_take_over(server: Server, tenant: Tenant) -> str:
    """The id of a take-over that the tenant has begun, with a key that it was given."""
    old = OldCa.make(server.data.parent / "old-ca")
    command = [
        TEGATA, "authorise-key", "--data", server.data, "--tenant", tenant.id,
        "--certificate", old.certificate, "--key", old.encrypted_key,
        "--passphrase-file", old.passphrase,
    ]  # fmt: skip
    subprocess.run([str(each) for each in command], check=True, capture_output=True)
    body = {"name": "Old CA", "kind": "issuing", "certificate": old.certificate.read_text()}
    return str(tenant.caller.post("/v1/take-overs", body).good(201)["id"])


@pytest.fixture(scope="module")
def world(server: Server, victim: Victim) -> World:
    attacker = server.open_tenant("Isolation attacker")
    attacker.issue(make_csr("attacker.example.test"))
    return World(attacker, victim)


def _settled(server: Server, tenant: Tenant, authority: x509.Certificate) -> bool:
    published = [fact for fact in tenant.caller.facts() if fact["action"].endswith("crl:publish")]
    crl = crl_of(server.public, tenant.issuer, authority)
    base = delta_base(server.public, f"/crl/{tenant.issuer}.crl")
    # Of two issuers the complete list and a shard's, and two lists after the revocation; the
    # delta to the newest list is the last.
    return len(published) >= 6 and base == crl_number(crl)


def routes_of(server: Server) -> set[Route]:
    """The operations that the running server describes, but for those that are anybody's."""
    paths = server.api.get("/openapi.json").good()["paths"]
    return {
        (method.upper(), path)
        for path, item in paths.items()
        for method, described in item.items()
        if described.get("security") != []
    }


def send(server: Server, attempts: list[Attempt], caller: Caller | None) -> list[Answer]:
    """Send every attempt on one connection, with the token of the caller if there is one."""
    connection = server.api.connect()
    answers = []
    try:
        for attempt in attempts:
            octets = None if attempt.body is None else json.dumps(attempt.body).encode()
            headers = {} if octets is None else {"Content-Type": "application/json"}
            if caller is not None:
                headers["Authorization"] = f"Bearer {caller.token}"
            headers |= attempt.headers
            answer = exchange(connection, attempt.method, attempt.target, octets, headers)
            answers.append(answer)
    finally:
        connection.close()
    return answers


def refusals(caller: Caller) -> Counter[tuple[str, str]]:
    """How often each action was refused with each code, by a principal's own record."""
    return Counter(
        (fact["action"], fact["code"])
        for fact in caller.facts()
        if fact["decision"] == "refused" and fact["actor"].endswith(token_id(caller.token))
    )


def concrete(route: Route, world: World) -> list[Attempt]:
    """The attempts of a route, each with its method and path as described."""
    return list(CASES[route](world))


def test_every_route_has_a_case_and_every_case_a_route(server: Server) -> None:
    routes = routes_of(server)
    assert routes == set(CASES) == set(EVENTS)
    assert len(routes) >= ROUTES_MINIMUM


def test_another_tenants_ids_are_unknown_in_every_place(server: Server, world: World) -> None:
    before, caller = world.victim.snapshot(), world.attacker.caller
    recorded = refusals(caller)
    expected: Counter[tuple[str, str]] = Counter()
    for route in CASES:
        attempts = concrete(route, world)
        assert attempts
        for attempt, answer in zip(attempts, send(server, attempts, caller), strict=True):
            require_nothing_of(world.victim, answer)
            if attempt.code is None:
                assert answer.status in (200, 201, 204), attempt
            else:
                assert answer.code == attempt.code, attempt
                assert answer.status in REFUSED
                expected[EVENTS[route], answer.code] += 1
    assert sum(expected.values()) > 25
    assert refusals(caller) - recorded == expected
    assert world.victim.snapshot() == before


def test_a_search_for_another_tenants_certificates_finds_nothing(world: World) -> None:
    caller, victim = world.attacker.caller, world.victim
    for query in (
        {"issuer": victim.tenant.issuer},
        {"serial": victim.good["serial"]},
        {"dns_name": "victim.example.test"},
        {"name_prefix": "dns:victim.example.test"},
        {"subject_prefix": "CN=victim.example.test"},
        {"fingerprint": victim.fingerprint},
        {"state": "revoked"},
    ):
        assert caller.get("/v1/certificates", **query).good() == {"items": [], "next": None}
    # Another tenant's cursor is a place in an order and no more.
    items = caller.get("/v1/certificates", after=victim.cursor).good()["items"]
    assert {item["id"] for item in items} <= {item["id"] for item in caller.certificates()}


def test_the_same_idempotency_key_in_another_tenant_is_another_key(world: World) -> None:
    body = world.attacker.issue(make_csr("key.example.test"), Idempotency_Key="isolation-2")
    assert body["id"] != world.victim.good["id"]
    assert body["issuer"] == world.attacker.issuer


@pytest.mark.parametrize("swap", [False, True], ids=["forward", "backward"])
def test_a_token_that_was_tampered_with_opens_no_route(
    server: Server, world: World, *, swap: bool
) -> None:
    before = world.victim.snapshot()
    own = len(world.attacker.caller.events())
    prefix, tenant, identifier, secret = world.attacker.caller.token.split("_")
    _, other_tenant, other_identifier, other_secret = world.victim.token.split("_")
    if swap:
        tenant, identifier, secret, other_tenant, other_identifier, other_secret = (
            other_tenant, other_identifier, other_secret, tenant, identifier, secret,
        )  # fmt: skip
    tampered = [
        (prefix, other_tenant, identifier, secret),
        (prefix, other_tenant, other_identifier, secret),
        (prefix, tenant, other_identifier, other_secret),
        (prefix, tenant, identifier, other_secret),
        (prefix, "platform", identifier, secret),
        (prefix, other_tenant.upper(), other_identifier, other_secret),
        (prefix, other_tenant, other_identifier, other_secret[:-1]),
        (prefix, other_tenant, other_identifier, ""),
        (prefix, f"%{other_tenant}", other_identifier, other_secret),
        (prefix, f"ten_{other_tenant}", other_identifier, other_secret),
        ("tgx", other_tenant, other_identifier, other_secret),
    ]
    attempts = [attempt for route in CASES for attempt in concrete(route, world)[:1]]
    tried = 0
    for parts in tampered:
        caller = Caller(server.api, "_".join(parts))
        for answer in send(server, attempts, caller):
            assert (answer.status, answer.code) == (401, "authentication.failed"), parts
            assert answer.headers["www-authenticate"]
            tried += 1
    assert tried == len(tampered) * len(CASES)
    # Whose token that would be, nobody knows: no record of anybody has it.
    assert world.victim.snapshot() == before
    assert len(world.attacker.caller.events()) == own


def test_without_a_token_no_route_answers(server: Server, world: World) -> None:
    before = world.victim.snapshot()
    attempts = [attempt for route in CASES for attempt in concrete(route, world)]
    headers: list[dict[str, str]] = [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": f"Basic {world.victim.token}"},
        {"Authorization": world.victim.token},
        {"X-Authorization": f"Bearer {world.victim.token}"},
    ]
    for each in headers:
        bare = [
            Attempt(attempt.method, attempt.target, None, attempt.body, {**attempt.headers, **each})
            for attempt in attempts
        ]
        for answer in send(server, bare, None):
            assert (answer.status, answer.code) == (401, "authentication.required")
    assert world.victim.snapshot() == before


def test_tricks_with_paths_lead_nowhere(server: Server, world: World) -> None:
    before, caller = world.victim.snapshot(), world.attacker.caller
    recorded = refusals(caller)
    expected: Counter[tuple[str, str]] = Counter()
    tried = 0
    for route in CASES:
        attempts = list(tricks(route, world))
        for attempt, answer in zip(attempts, send(server, attempts, caller), strict=True):
            require_nothing_of(world.victim, answer)
            assert answer.status in REFUSED, attempt
            if answer.code not in NAMELESS:
                expected[EVENTS[route], answer.code] += 1
            tried += 1
    assert tried >= 60
    assert refusals(caller) - recorded == expected
    assert world.victim.snapshot() == before


def tricks(route: Route, world: World) -> Iterator[Attempt]:
    """A route with its path written in ways that a router or a store might take for another."""
    method, path = route
    body: object = {} if method in ("POST", "PUT") else None
    tenant = world.victim.tenant.id
    yield Attempt(method, f"{path}/".replace("{", "").replace("}", ""), None, body)
    plain = path.partition("{")[0].rstrip("/")
    # Not `//v1`: that would name a host.
    for target in (
        plain.replace("/v1", "/v1/.", 1), plain.replace("/v1", "/V1", 1),
        plain.replace("/v1", "/v1%2f", 1), f"/v1/tenant/{tenant}{plain[3:]}",
        f"/{tenant}{plain}", f"{plain}/..%2f..%2fv1/tenants",
    ):  # fmt: skip
        yield Attempt(method, target, None, body)
    if "{" not in path:
        return
    head, _, rest = path.partition("{")
    name, _, tail = rest.partition("}")
    victims = {
        "certificate": world.victim.good["id"],
        "issuer": world.victim.tenant.issuer,
        "token": token_id(world.victim.token),
        "tenant": tenant,
        "profile": "victims-own",
        "bulk": world.victim.bulk,
        "authority": world.victim.stamps,
        "sequence": str(10**9),
        "purpose": "victims",
        "session": world.victim.person.session,
        "record": world.victim.person.record,
        "consent": world.victim.person.consent,
        "take_over": world.victim.take_over,
    }
    identifier = victims[name]
    for text in (
        identifier.upper(), identifier.replace("_", "%5F").upper(), f"{identifier}%00",
        f"%00{identifier}", f"{identifier}%20", f"%20{identifier}", f"{identifier}.",
        f"{identifier};a=b", f"..%2f{identifier}", f"..%2F..%2Fv1%2Fcertificates%2F{identifier}",
        f"../certificates/{identifier}", f"{tenant}%2F{identifier}", f"{tenant}/{identifier}",
        identifier.partition("_")[2], f"crt_{identifier.partition('_')[2]}x",
        f"{identifier}{identifier}", f"{identifier[:-1]}%25", f"%FF{identifier}",
        f"{identifier}%0a", "%2e%2e", "*", "%25", "'%20OR%20''='",
        *(f"{prefix}_{identifier.partition('_')[2]}" for prefix in ("ten", "key", "CRT", "")),
    ):  # fmt: skip
        yield Attempt(method, f"{head}{text}{tail}", None, body)
    for kind, other in victims.items():
        if kind != name:
            yield Attempt(method, f"{head}{other}{tail}", None, body)


def test_no_query_or_header_names_another_tenant(server: Server, world: World) -> None:
    before, caller = world.victim.snapshot(), world.attacker.caller
    recorded = refusals(caller)
    expected: Counter[tuple[str, str]] = Counter()
    tenant = world.victim.tenant.id
    headers = {"X-Tenant": tenant, "Host": tenant, "X-Forwarded-User": world.victim.token}
    for route in CASES:
        attempt = concrete(route, world)[0]
        mark = "&" if "?" in attempt.target else "?"
        named = [
            Attempt(attempt.method, f"{attempt.target}{mark}{query}", None, attempt.body, headers)
            for query in (f"tenant={tenant}", f"scope={tenant}", f"access_token={tenant}")
        ]
        for answer in send(server, named, caller):
            require_nothing_of(world.victim, answer, tenant)
            assert answer.code in ("request.unknown-field", "authorization.denied")
            expected[EVENTS[route], answer.code] += 1
    assert refusals(caller) - recorded == expected
    assert world.victim.snapshot() == before


def test_an_operators_token_reaches_no_tenants_data(server: Server, world: World) -> None:
    before, operator = world.victim.snapshot(), server.operator
    recorded = refusals(operator)
    expected: Counter[tuple[str, str]] = Counter()
    for route in set(CASES) - OPERATORS:
        attempts = concrete(route, world)
        for answer in send(server, attempts, operator):
            assert (answer.status, answer.code) == (403, "authorization.denied")
            require_nothing_of(world.victim, answer)
            expected[EVENTS[route], answer.code] += 1
    for route in (("DELETE", "/v1/tokens/{token}"), ("POST", "/v1/tokens")):
        for answer in send(server, concrete(route, world)[:3], operator):
            assert answer.code in ("token.unknown", "issuer.unknown")
            expected[EVENTS[route], answer.code] += 1
    for target in ("/v1/tokens", "/v1/events?limit=200"):
        require_nothing_of(world.victim, operator.get(target))
    assert refusals(operator) - recorded == expected
    assert world.victim.snapshot() == before


def test_the_matrix_is_not_vacuous(world: World) -> None:
    cases = sum(len(concrete(route, world)) for route in CASES)
    paths = sum(len(list(tricks(route, world))) for route in CASES)
    # Ids, six ways of being nobody, paths, tampered tokens, tenants named in queries.
    attempts = 7 * cases + paths + 2 * 11 * len(CASES) + 3 * len(CASES)
    print(f"{len(CASES)} routes, {attempts} attempts")  # noqa: T201 (for the reader of the run)
    assert len(CASES) >= ROUTES_MINIMUM
    assert attempts >= ATTEMPTS_MINIMUM


def require_nothing_of(victim: Victim, answer: Answer, *but: str) -> None:
    """The answer holds nothing of the victim's and is no accident."""
    assert answer.status != 500
    text = answer.body.decode()
    assert [mark for mark in victim.marks if mark in text and mark not in but] == []
