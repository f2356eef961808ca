"""Mail before certificates expire: from the platform through a real mail server."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.journeys.mail import Mailbox, mail_server
from tests.journeys.platform import Caller, Json, Server, eventually, running, start
from tests.journeys.requests import make_csr
from tests.pkix.keys import make_key

PATH = "/v1/expiry-notices"
SENDER = "tegata@pki.example.test"
# Longer than a server's certificate lives: all are within it at once.
DAYS = 100


def smtp_options(mailbox: Mailbox) -> tuple[str, ...]:
    return ("--smtp", f"smtp://127.0.0.1:{mailbox.port}", "--smtp-from", SENDER)


def ask(
    caller: Caller, *addresses: str, days: tuple[int, ...] = (DAYS,), language: str = "en"
) -> Json:
    body = {"addresses": addresses, "days": days, "language": language}
    return caller.call("PUT", PATH, body).good()


def text_of(message: EmailMessage) -> str:
    content = message.get_content()
    assert isinstance(content, str)
    return content


def acts(caller: Caller, act: str) -> list[Json]:
    action = f"registration:expiry-notice:{act}"
    return [fact for fact in caller.facts() if fact["action"] == action]


def disclosed(caller: Caller, act: str) -> list[Json]:
    """The private values of the events of an act."""
    found = []
    for event in caller.events():
        if json.loads(event["canonical"])["action"] == f"registration:expiry-notice:{act}":
            values = {}
            for disclosure in event["disclosures"]:
                octets = base64.urlsafe_b64decode(disclosure + "=" * (-len(disclosure) % 4))
                _salt, name, value = json.loads(octets)
                values[name] = value
            found.append(values)
    return found


def received(mailbox: Mailbox, count: int) -> Callable[[], bool]:
    return lambda: len(mailbox.messages) >= count


def test_each_certificate_is_told_of_once_at_each_threshold(
    folder: Path, database: tuple[str, ...]
) -> None:
    with (
        mail_server() as mailbox,
        running(folder / "data", *database, *smtp_options(mailbox)) as server,
    ):
        one, two = server.open_tenant("Notices"), server.open_tenant("Nobody's notices")
        two.issue(make_csr("two.example.test"))
        kept = one.issue(make_csr("kept.example.test", common_name="kept.example.test"))
        revoked = one.issue(make_csr("revoked.example.test", common_name="revoked.example.test"))
        one.revoke(revoked["id"]).good()
        asked = ask(one.caller, "pki@example.test", "ops@example.test", "pki@example.test")
        assert asked["addresses"] == ["pki@example.test", "ops@example.test"]
        assert one.caller.get(PATH).good() == asked
        eventually(received(mailbox, 1))
        eventually(lambda: bool(acts(one.caller, "send")))
        # The same question again: nobody is told again. Another threshold: once more.
        ask(one.caller, "pki@example.test")
        ask(one.caller, "pki@example.test", days=(DAYS, 95), language="ja")
        eventually(received(mailbox, 2))
        eventually(lambda: len(acts(one.caller, "send")) == 2)

        english, japanese = mailbox.messages
        assert mailbox.envelopes[0][:2] == (SENDER, ("pki@example.test", "ops@example.test"))
        assert english["subject"] == "Certificates expire soon: 1"
        assert english["to"] == "pki@example.test, ops@example.test"
        assert english["from"] == SENDER
        assert english["auto-submitted"] == "auto-generated"
        assert english["content-language"] == "en"
        assert english["date"].datetime.tzinfo is not None
        text = text_of(english)
        assert f"Within {DAYS} days:" in text
        assert (
            f"{kept['not_after'][:10]} {kept['not_after'][11:16]} UTC  CN=kept.example.test" in text
        )
        assert kept["serial"] in text
        assert revoked["id"] not in text
        assert "two.example.test" not in text
        assert english.get_content_charset() == japanese.get_content_charset() == "utf-8"
        assert japanese["subject"] == "証明書の有効期限が近づいています(1件)"
        assert "95日以内に有効期限を迎える証明書:" in text_of(japanese)
        assert english["message-id"] != japanese["message-id"]
        assert [each["certificates"] for each in disclosed(one.caller, "write")] == ["1", "1"]
        assert acts(two.caller, "write") == []
        # What was sent is not kept.
        assert "kept.example.test" not in json.dumps(one.caller.facts())


def test_a_renewed_certificate_is_left_out(folder: Path) -> None:
    with mail_server() as mailbox, running(folder / "data", *smtp_options(mailbox)) as server:
        tenant = server.open_tenant("Renewals")
        csr = make_csr("www.example.test")
        first = tenant.issue(csr)
        tenant.issue(make_csr("www.example.test", "more.example.test"))

        def renewed() -> Json | None:
            body = tenant.issue(csr)
            return body if body["not_after"] > first["not_after"] else None

        last = eventually(renewed)
        ask(tenant.caller, "pki@example.test")
        eventually(received(mailbox, 1))
        text = text_of(mailbox.messages[0])
        assert first["id"] not in text
        assert last["id"] in text
        assert "(no subject)" in text


def test_a_mail_that_was_taken_when_the_platform_died_comes_again_as_the_same(
    folder: Path,
) -> None:
    data = folder / "data"
    with mail_server() as mailbox:
        options = smtp_options(mailbox)
        first = start(data, *options)

        def kill(_message: EmailMessage) -> str:
            first.process.kill()
            return "250 OK"

        mailbox.answer = kill
        tenant = first.open_tenant("Crash")
        tenant.issue(make_csr("crash.example.test"))
        ask(tenant.caller, "pki@example.test")
        first.process.wait()
        mailbox.answer = lambda _message: "250 OK"
        # As if the dead one's lease had run out.
        connection = sqlite3.connect(data / "tegata.sqlite", isolation_level=None)
        connection.execute("UPDATE job SET leased_until = 0, run_at = 0")
        connection.close()
        with running(data, *options) as second:
            caller = second.caller(tenant.caller.token)
            eventually(lambda: bool(acts(caller, "send")))
            assert len(acts(caller, "write")) == 1
            ask(caller, "pki@example.test", days=(DAYS, 95))
            eventually(received(mailbox, 3))
    one, again, other = mailbox.messages
    assert one["message-id"] == again["message-id"] != other["message-id"]
    assert one.as_bytes() == again.as_bytes()


def test_a_server_that_is_not_ready_is_asked_again(folder: Path) -> None:
    with mail_server() as mailbox, running(folder / "data", *smtp_options(mailbox)) as server:
        answers = iter(("451 later", "250 OK"))
        mailbox.answer = lambda _message: next(answers)
        mailbox.refused = frozenset({"gone@example.test"})
        tenant = server.open_tenant("Later")
        tenant.issue(make_csr("later.example.test"))
        ask(tenant.caller, "pki@example.test", "gone@example.test")
        eventually(lambda: bool(acts(tenant.caller, "send")))
        assert [message["message-id"] for message in mailbox.messages] == [
            mailbox.messages[0]["message-id"]
        ] * 2
        assert disclosed(tenant.caller, "send") == [{"refused": "gone@example.test"}]


def test_who_does_not_take_a_mail_for_now_gets_it_again_and_nobody_else(
    folder: Path, database: tuple[str, ...]
) -> None:
    with (
        mail_server() as mailbox,
        running(folder / "data", *database, *smtp_options(mailbox)) as server,
    ):
        mailbox.deferred = frozenset({"grey@example.test"})
        tenant = server.open_tenant("Greylisted")
        tenant.issue(make_csr("grey.example.test"))
        ask(tenant.caller, "pki@example.test", "grey@example.test")
        eventually(lambda: bool(acts(tenant.caller, "send")))
        mailbox.deferred = frozenset()
        eventually(lambda: len(acts(tenant.caller, "send")) == 2)
        assert [to for _sender, to, _tls in mailbox.envelopes] == [
            ("pki@example.test",), ("grey@example.test",)
        ]  # fmt: skip
        assert len({message["message-id"] for message in mailbox.messages}) == 1
        assert disclosed(tenant.caller, "send") == [
            {"refused": "", "deferred": "grey@example.test"}, {"refused": ""}
        ]  # fmt: skip


def test_a_successor_that_is_good_speaks_for_what_it_replaced(folder: Path) -> None:
    with mail_server() as mailbox, running(folder / "data", *smtp_options(mailbox)) as server:
        tenant = server.open_tenant("Successors")

        def successor_of(first: Json, *names: str) -> Json:
            def renewed() -> Json | None:
                # Other octets in its subjectAltName: by names it would not be found.
                body = {"csr": make_csr(*reversed(names), key=make_key("p256"))}
                new = tenant.caller.post(f"/v1/certificates/{first['id']}/rekey", body).good(201)
                return new if new["not_after"] > first["not_after"] else None

            return eventually(renewed)

        names, others = ("a.example.test", "b.example.test"), ("c.example.test", "d.example.test")
        first, other = tenant.issue(make_csr(*names)), tenant.issue(make_csr(*others))
        last, dead = successor_of(first, *names), successor_of(other, *others)
        tenant.revoke(dead["id"], "superseded").good()
        ask(tenant.caller, "pki@example.test")
        eventually(received(mailbox, 1))
        text = text_of(mailbox.messages[0])
        assert first["id"] not in text
        assert last["id"] in text
        assert other["id"] in text
        assert dead["id"] not in text


def test_a_mail_that_is_refused_for_good_is_given_up_and_recorded(folder: Path) -> None:
    with mail_server() as mailbox, running(folder / "data", *smtp_options(mailbox)) as server:
        mailbox.answer = lambda _message: "554 never"
        tenant = server.open_tenant("Never")
        tenant.issue(make_csr("never.example.test"))
        ask(tenant.caller, "pki@example.test")
        event = eventually(lambda: next(iter(acts(tenant.caller, "send")), None))
        assert (event["decision"], event["code"]) == ("refused", "mail.unavailable")
        assert len(mailbox.messages) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"addresses": ["nobody"]},
        {"addresses": ["a@b\r\nBcc: c@d"]},
        {"addresses": ["a@b\n"]},
        {"addresses": ["署名@example.test"]},
        {"addresses": ["a b@example.test"]},
        {"addresses": ["a@" + "b" * 64]},
        {"addresses": ["x" * 65 + "@example.test"]},
        {"addresses": [f"a{number}@example.test" for number in range(11)]},
        {"days": []},
        {"days": [0]},
        {"days": [366]},
        {"days": [1.5]},
        {"days": list(range(1, 12))},
        {"language": "fr"},
    ],
    ids=lambda change: json.dumps(change)[:40],
)
def test_a_setting_out_of_bounds_is_refused(server: Server, change: Json) -> None:
    answer = server.demo.call("PUT", PATH, {"addresses": [], **change})
    assert (answer.status, answer.code) == (400, "request.malformed")


def test_without_a_mail_server_nobody_can_ask_to_be_told(server: Server) -> None:
    answer = server.demo.call("PUT", PATH, {"addresses": ["pki@example.test"]})
    assert (answer.status, answer.code) == (503, "mail.unavailable")
    assert server.demo.call("PUT", PATH, {"addresses": []}).good()["addresses"] == []
