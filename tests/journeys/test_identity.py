"""Persons with My Number Cards, verified through the API of a running platform."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import json
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tegata.outbound.system import SystemClock
from tegata.pkix.crl import RevocationReason
from tegata.sandbox.people import Kind
from tegata.sandbox.personas import Held, Sandbox
from tests.journeys.platform import Answer, Caller, Json, Server, eventually, running

DOCUMENT = "口座開設申込書".encode()
PURPOSE = {
    "text": "口座開設の本人確認",
    "attributes": ["name", "address"],
    "law": "criminal-proceeds",
}


@dataclass
class Desk:
    """A tenant that verifies, and the personas that come to it."""

    caller: Caller
    sandbox: Sandbox

    def held(self, persona: str, kind: Kind = Kind.SIGN) -> Held:
        found = self.sandbox.persona(persona).held(kind)
        assert found is not None
        return found

    def asked(self, kind: Kind = Kind.SIGN, **changes: Any) -> Json:
        body: Json = {
            "kind": kind.value,
            "purpose": "account",
            "relying_party": "狸銀行",
            "origin": "https://bank.example.test",
        }
        if kind is Kind.SIGN:
            body["document"] = hashlib.sha256(DOCUMENT).hexdigest()
        return {**body, **changes}

    def open(self, kind: Kind = Kind.SIGN, **changes: Any) -> Json:
        return self.caller.post("/v1/identity/sessions", self.asked(kind, **changes)).good(201)

    def submit(self, session: Json, held: Held, **changes: Any) -> Answer:
        signed = held.sign(base64.b64decode(session["intent"]))
        body = {"certificate": base64_of(held.der), "signature": base64_of(signed), **changes}
        return self.caller.post(f"/v1/identity/sessions/{session['id']}/submission", body)

    def verify(self, persona: str, kind: Kind = Kind.SIGN, **changes: Any) -> Json:
        return self.submit(self.open(kind, **changes), self.held(persona, kind)).good()


def base64_of(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def desk_at(server: Server, caller: Caller) -> Desk:
    caller.call("PUT", "/v1/identity/purposes/account", PURPOSE).good()
    return Desk(caller, Sandbox(Path(server.context["sandbox"]), SystemClock()))


@pytest.fixture(scope="module")
def desk(server: Server) -> Desk:
    return desk_at(server, server.open_tenant("Identity").caller)


@pytest.fixture(scope="module")
def other(server: Server) -> Desk:
    return desk_at(server, server.open_tenant("Identity elsewhere").caller)


def reason_of(session: Json) -> str | None:
    reason: str | None = session["verdict"]["reason"]
    return reason


def test_a_signature_is_verified_once(desk: Desk) -> None:
    session = desk.open()
    assert session["state"] == "open"
    decided = desk.submit(session, desk.held("ordinary")).good()
    assert decided["verdict"]["verdict"] == "verified"
    assert [each["name"] for each in decided["verdict"]["checks"]] == [
        "chain", "validity", "usage", "signature", "revocation", "chip", "document",
    ]  # fmt: skip
    assert desk.caller.get(f"/v1/identity/sessions/{session['id']}").good() == decided
    again = desk.submit(session, desk.held("ordinary"))
    assert (again.status, again.code) == (409, "session.already-decided")


def test_a_refusal_says_what_to_do_in_the_readers_language(desk: Desk) -> None:
    session = desk.open()
    held = desk.held("moved")
    body = {
        "certificate": base64_of(held.der),
        "signature": base64_of(held.sign(base64.b64decode(session["intent"]))),
    }
    path = f"/v1/identity/sessions/{session['id']}/submission"
    headers = {"Accept-Language": "ja"}
    verdict = desk.caller.call("POST", path, body, headers=headers).good()["verdict"]
    assert (verdict["verdict"], verdict["reason"]) == ("refused", "revoked.record-changed")
    assert "窓口で再発行" in verdict["advice"]


def test_both_certificates_and_every_renewal_are_one_user_of_a_tenant(
    desk: Desk, other: Desk
) -> None:
    signed, logged_in = desk.verify("renewed-twice"), desk.verify("renewed-twice", Kind.AUTH)
    elsewhere = other.verify("renewed-twice", Kind.AUTH)
    assert signed["user"] == logged_in["user"] != elsewhere["user"]
    assert desk.verify("ordinary")["user"] != signed["user"]
    assert desk.verify("renewed-twice")["user"] == signed["user"]


def test_attributes_are_handed_out_once_and_only_what_the_purpose_asks_for(desk: Desk) -> None:
    path = f"/v1/identity/sessions/{desk.verify('ordinary')['id']}/attributes"
    assert desk.caller.call("POST", path).good() == {
        "name": "青山　花子", "address": "東京都清瀬市中里五丁目９９９番地",
        "birth": None, "sex": None,
        "name_substitutes": "00000", "address_substitutes": "0" * 16,
    }  # fmt: skip
    again = desk.caller.call("POST", path)
    assert (again.status, again.code) == (409, "attributes.handed-out")


def test_a_log_in_has_no_attributes_and_a_refusal_none_either(desk: Desk) -> None:
    for decided in (desk.verify("ordinary", Kind.AUTH), desk.verify("revoked")):
        answer = desk.caller.call("POST", f"/v1/identity/sessions/{decided['id']}/attributes")
        assert answer.code == "attributes.not-asked"
    assert desk.verify("revoked")["record"] is None


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "auth"}, {"kind": "auth", "document": None, "binding": "document"},
        {"document": None}, {"binding": "digest"}, {"origin": "http://bank.example.test"},
        {"relying_party": "狸\u202e銀行"}, {"relying_party": " "},
    ],
)  # fmt: skip
def test_a_session_that_cannot_be_is_refused(desk: Desk, changes: Json) -> None:
    answer = desk.caller.post("/v1/identity/sessions", {**desk.asked(), **changes})
    assert (answer.status, answer.code) == (422, "session.refused")


def test_a_session_needs_a_declared_purpose(desk: Desk) -> None:
    answer = desk.caller.post("/v1/identity/sessions", desk.asked(purpose="other"))
    assert answer.code == "purpose.unknown"


def test_a_my_number_is_refused_in_names_and_held_for_review_in_text(desk: Desk) -> None:
    named = desk.asked(relying_party="１２３４－５６７８－９０１８")
    assert desk.caller.post("/v1/identity/sessions", named).code == "text.my-number"
    decided = desk.verify("ordinary", text="番号は 1234 5678 9018 です")
    assert decided["verdict"]["verdict"] == "needs_review"
    assert reason_of(decided) == "text.my-number"
    # The tenant's own reference is an identifier by its type, whatever its digits.
    assert desk.verify("ordinary", case="123456789018")["verdict"]["verdict"] == "verified"


def test_what_is_not_a_submission_decides_nothing(desk: Desk) -> None:
    session = desk.open()
    path = f"/v1/identity/sessions/{session['id']}/submission"
    right = {"certificate": "MAA=", "signature": "MAA="}
    for body, code in (
        ({**right, "signature": "*"}, "request.malformed"),
        ({**right, "pin": "1234"}, "request.unknown-field"),
        ({**right, "digest": "00"}, "submission.mismatch"),
        ({**right, "document": "MAA="}, "submission.mismatch"),
        ({**right, "form": "xml"}, "request.malformed"),
        ({**right, "certificate": "A" * 200_000}, "request.too-large"),
    ):
        assert desk.caller.post(path, body).code == code
    assert desk.caller.get(f"/v1/identity/sessions/{session['id']}").good()["state"] == "open"
    decided = desk.caller.post(path, right).good()
    assert reason_of(decided) == "certificate.malformed"


def test_every_refusal_stands_in_the_record_with_its_reason(desk: Desk) -> None:
    before = len(desk.caller.facts())
    desk.verify("on-hold")
    facts = desk.caller.facts()[before:]
    assert [(fact["action"], fact["decision"], fact["code"]) for fact in facts] == [
        ("identity:session:open", "allowed", ""),
        ("identity:session:submit", "refused", "revoked.held"),
    ]


def test_what_a_person_writes_is_compared_without_telling_what_is_right(desk: Desk) -> None:
    path = f"/v1/identity/sessions/{desk.verify('substitute-characters')['id']}"
    claims = {"name": "𡈽屋 光", "address": "清瀬市中里5-999", "birth": "1975-06-21", "sex": "1"}
    assert desk.caller.post(f"{path}/match", {"claims": claims}).good() == {
        "name": "needs_review", "address": "match", "birth": "match", "sex": "mismatch",
    }  # fmt: skip
    number = {"claims": {"name": "123456789018"}}
    assert desk.caller.post(f"{path}/match", number).code == "text.my-number"
    for years, result in ((18, "match"), (120, "mismatch")):
        answer = desk.caller.post(f"{path}/age", {"years": years}).good()
        assert answer == {"years": years, "result": result}


@pytest.mark.parametrize("method", ["ocsp", "crl"])
def test_a_status_is_looked_up_again_for_one_user_and_for_all(desk: Desk, method: str) -> None:
    user = desk.verify("former-name", Kind.AUTH)["user"]
    question = {"users": [user], "status": method}
    found = desk.caller.post("/v1/identity/status-checks", question).good()
    assert [(row["kind"], row["reason"]) for row in found["items"]] == [("auth", None)]
    event = next(
        event for event in reversed(desk.caller.events())
        if json.loads(event["canonical"])["action"] == "identity:status:check"
    )  # fmt: skip
    disclosed = json.dumps([_disclosed(each) for each in event["disclosures"]])
    assert found["sha256"] in disclosed
    assert "current-status" in disclosed
    every = desk.caller.post("/v1/identity/status-checks", {"status": method}).good()
    assert user in {row["user"] for row in every["items"]}
    unknown = {"users": ["usr_" + "0" * 26]}
    assert desk.caller.post("/v1/identity/status-checks", unknown).code == "user.unknown"


def _disclosed(text: str) -> object:
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def test_a_confirmation_record_has_what_the_law_asks_and_is_kept_as_long(desk: Desk) -> None:
    facts = {"occupation": "会社員", "transaction": "口座開設"}
    decided = desk.verify("overseas", case="2026-0042", facts=facts)
    page = desk.caller.get("/v1/identity/records", case="2026-0042").good()
    assert [each["id"] for each in page["items"]] == [decided["record"]]
    record = desk.caller.get(f"/v1/identity/records/{decided['record']}").good()
    assert record["person"]["name"] == "内藤　渉"
    assert record["person"]["birth"] == "319790909"
    assert record["method"]["code"] == "JPKI_SIGN"
    assert record["method"]["permitted"]
    assert record["document"] == "署名用電子証明書"
    assert len(bytes.fromhex(record["identifier"])) == 32
    assert record["facts"] == facts
    assert [step["name"] for step in record["steps"]][:2] == [
        "session-opened", "certificate-and-signature-received",
    ]  # fmt: skip
    assert record["retain_until"] is None
    path = f"/v1/identity/records/{decided['record']}"
    early = {"ended_at": "2020-01-01T00:00:00Z"}
    assert desk.caller.post(f"{path}/contract-end", early).code == "record.refused"
    ended = datetime.now(UTC).isoformat()
    kept = desk.caller.post(f"{path}/contract-end", {"ended_at": ended}).good()
    assert int(kept["retain_until"][:4]) == datetime.now(UTC).year + 7
    held = desk.caller.call("PUT", f"{path}/hold", {"held": True}).good()
    assert held["legal_hold"]
    assert desk.caller.get("/v1/identity/records", case="another").good()["items"] == []


def test_a_consent_is_obtained_used_and_withdrawn(desk: Desk) -> None:
    text = "最新の氏名と住所の提供に同意します。"
    digest = hashlib.sha256(text.encode()).hexdigest()
    held = desk.held("former-name")
    session = desk.open(document=digest, text=text)
    signature = base64_of(held.sign(base64.b64decode(session["intent"])))
    body = {
        "session": session["id"], "text": text, "certificate": base64_of(held.der),
        "signature": signature,
    }  # fmt: skip
    assert desk.caller.post("/v1/identity/consents", body).code == "consent.refused"
    desk.submit(session, held).good()
    other_text = {**body, "text": "何でも提供します。"}
    assert desk.caller.post("/v1/identity/consents", other_text).code == "consent.refused"
    consent = desk.caller.post("/v1/identity/consents", body).good(201)
    path = f"/v1/identity/consents/{consent['id']}"
    assert desk.caller.get(path).good()["state"] == "active"
    latest = desk.caller.call("POST", f"{path}/attributes").good()["attributes"]
    assert latest["name"] == "高木［田中］　彩"
    assert latest["birth"] is None
    assert desk.caller.call("POST", f"{path}/withdraw").good()["state"] == "withdrawn"
    assert desk.caller.call("POST", f"{path}/attributes").code == "consent.refused"
    assert desk.caller.get(path).good()["state"] == "withdrawn"


class Listening(http.server.ThreadingHTTPServer):
    """A tenant's server that takes webhooks."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.taken: list[tuple[dict[str, str], bytes]] = []


class _Taking(http.server.BaseHTTPRequestHandler):
    server: Listening

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((dict(self.headers), body))
        # The first is answered with an error: it comes again.
        self.send_response(503 if len(self.server.taken) == 1 else 204)
        self.end_headers()

    def log_message(self, *_what: object) -> None:
        """Silent."""


@pytest.fixture
def listening() -> Iterator[Listening]:
    server = Listening()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_watch_tells_of_a_change_signed_and_until_it_is_taken(
    folder: Path, listening: Listening
) -> None:
    with running(folder / "data", "--demo", "--loopback-webhooks") as server:
        desk = desk_at(server, server.demo)
        user = desk.verify("former-name", Kind.AUTH)["user"]
        desk.verify("ordinary", Kind.AUTH)
        watch = {"url": f"http://127.0.0.1:{listening.server_port}/news", "status": "ocsp"}
        assert desk.caller.call("PUT", "/v1/identity/watch", watch).good()["secret"]
        runs = "identity:watch:run"
        eventually(lambda: runs in {fact["action"] for fact in desk.caller.facts()})
        held = desk.held("former-name", Kind.AUTH)
        desk.sandbox.jlis.revoke(Kind.AUTH, held.serial, RevocationReason.CESSATION_OF_OPERATION)
        secret = desk.caller.call("PUT", "/v1/identity/watch", watch).good()["secret"]
        eventually(lambda: len(listening.taken) > 1)
        (first, body), (_again, same) = listening.taken[:2]
        assert body == same
        news = json.loads(body)
        assert [(each["user"], each["reason"]) for each in news["items"]] == [
            (user, "revoked.ceased")
        ]
        time, signature = (part.partition("=")[2] for part in first["Tegata-Signature"].split(","))
        signed = f"{time}.{first['Tegata-Delivery']}.".encode() + body
        wanted = hmac.new(bytes.fromhex(secret), signed, hashlib.sha256).hexdigest()
        assert signature == wanted
        assert desk.caller.get("/v1/identity/watch").good()["secret"] is None
        assert desk.caller.delete("/v1/identity/watch").status == 204
        assert desk.caller.get("/v1/identity/watch").code == "watch.unknown"


def test_nothing_is_sent_into_our_own_network(desk: Desk) -> None:
    for url in (
        "http://127.0.0.1/", "https://127.0.0.1/", "https://[::1]/", "https://10.0.0.1/",
        "https://169.254.169.254/latest", "https://[::ffff:10.0.0.1]/", "https://192.168.0.1:8443/",
        "http://example.com/", "https://user@example.com/", "ftp://example.com/", "https://",
        "https://224.0.0.1/", "https://0.0.0.0/",
    ):  # fmt: skip
        answer = desk.caller.call("PUT", "/v1/identity/watch", {"url": url})
        assert (answer.status, answer.code) == (422, "webhook.refused"), url


def test_nothing_of_a_person_is_kept_in_the_clear(folder: Path) -> None:
    with running(folder / "data", "--demo") as server:
        desk = desk_at(server, server.demo)
        decided = desk.verify("ordinary", text="花子の申込書", facts={"occupation": "消防士"})
        desk.caller.call("POST", f"/v1/identity/sessions/{decided['id']}/attributes").good()
        claims = {"claims": {"name": "青山花子", "address": "清瀬市中里5-999"}}
        desk.caller.post(f"/v1/identity/sessions/{decided['id']}/match", claims).good()
        desk.verify("ordinary", text="1234-5678-9018")
        named = desk.asked(relying_party="123456789018")
        assert desk.caller.post("/v1/identity/sessions", named).code == "text.my-number"
        desk.caller.get(f"/v1/identity/records/{decided['record']}").good()
        events = json.dumps([json.loads(each["canonical"]) for each in desk.caller.events()])
        serials = [desk.held("ordinary", kind).serial for kind in Kind]
        server.stop()
        log = server.log
    secret = [
        "青山", "花子", "中里", "清瀬", "19800217", "消防士", "1234-5678-9018", "123456789018",
    ]  # fmt: skip
    # Folded into one file, so that nothing hides in what was not checkpointed.
    with sqlite3.connect(folder / "data" / "tegata.sqlite") as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    files = [
        path for path in (folder / "data").rglob("*")
        if path.is_file() and "sandbox" not in path.relative_to(folder / "data").parts
    ]  # fmt: skip
    octets = b"".join(path.read_bytes() for path in files)
    assert b"identity:session:submit" in octets
    for text in secret:
        assert text.encode() not in octets, text
        assert text not in log, text
        assert text not in events, text
    for serial in serials:
        assert f'"{serial}"' not in events
        assert str(serial) not in log
