"""How a mail is handed over: encrypted, with a log-in, and to whom it was meant for."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tegata.kernel.problem import Problem, ProblemCode
from tegata.outbound.smtp import SmtpMailer, SmtpServer, compose_message
from tegata.registration.notice import Delivery, Mail
from tests.journeys.mail import mail_server

SENDER = "tegata@example.test"
MAIL = Mail(
    "mail_1",
    datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC),
    ("one@example.test", "two@example.test"),
    "ja",
    "証明書の有効期限が近づいています" * 5,
    "本文\n.\n" + "長い行" * 500 + "\n",
)


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A self-signed certificate for this machine, beside its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    (tmp_path / "ca.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    return tmp_path / "ca.pem"


@pytest.fixture
def tls(authority: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority, authority.with_name("key.pem"))
    return context


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text("secret\n")
    return file


async def send(server: SmtpServer) -> Delivery:
    mailer = SmtpMailer(server)
    try:
        return await mailer.send(MAIL)
    finally:
        mailer.close()


async def test_a_mail_goes_encrypted_and_logged_in(
    tls: ssl.SSLContext, authority: Path, password: Path
) -> None:
    with mail_server(tls, ("tegata", "secret")) as mailbox:
        server = SmtpServer("127.0.0.1", mailbox.port, False, SENDER, "tegata", password, authority)
        assert await send(server) == Delivery()
    assert mailbox.envelopes == [(SENDER, MAIL.addresses, True)]
    message = mailbox.messages[0]
    assert message["subject"] == MAIL.subject
    assert message.get_content().replace("\r\n", "\n") == MAIL.text
    assert message["date"].datetime == MAIL.created_at


@pytest.mark.parametrize("fault", ["untrusted", "password", "plain", "gone"])
async def test_a_mail_stays_where_the_server_is_not_as_it_should_be(
    tls: ssl.SSLContext, authority: Path, password: Path, fault: str
) -> None:
    if fault == "password":
        password.write_text("wrong")
    offered = None if fault == "plain" else tls
    login = None if fault == "plain" else ("tegata", "secret")
    with mail_server(offered, login) as mailbox:
        anchors = None if fault == "untrusted" else authority
        port = 1 if fault == "gone" else mailbox.port
        server = SmtpServer("127.0.0.1", port, False, SENDER, "tegata", password, anchors)
        with pytest.raises(Problem) as refused:
            await send(server)
    assert refused.value.code is ProblemCode.MAIL_UNAVAILABLE
    assert mailbox.messages == []


@pytest.mark.parametrize(
    ("refused", "deferred"),
    [((0,), ()), ((), (1,)), ((0,), (1,)), ((0, 1), ())],
)
async def test_each_address_is_refused_for_good_or_for_now(
    refused: tuple[int, ...], deferred: tuple[int, ...]
) -> None:
    final, later = (tuple(MAIL.addresses[each] for each in which) for which in (refused, deferred))
    with mail_server() as mailbox:
        mailbox.refused, mailbox.deferred = frozenset(final), frozenset(later)
        server = SmtpServer("127.0.0.1", mailbox.port, False, SENDER)
        assert await send(server) == Delivery(final, later)
    taken = set(MAIL.addresses) - {*final, *later}
    assert [set(each[1]) for each in mailbox.envelopes] == ([taken] if taken else [])


async def test_a_mail_that_nobody_took_for_now_stays_whole() -> None:
    with mail_server() as mailbox:
        mailbox.deferred = frozenset(MAIL.addresses)
        with pytest.raises(Problem) as caught:
            await send(SmtpServer("127.0.0.1", mailbox.port, False, SENDER))
    assert caught.value.code is ProblemCode.MAIL_UNAVAILABLE


def test_every_line_of_a_mail_is_ascii_and_within_its_bounds() -> None:
    octets = compose_message(MAIL, SENDER).as_bytes()
    assert octets.isascii()
    # RFC 5322 section 2.1.1, RFC 2047 section 2.
    assert max(map(len, octets.split(b"\r\n"))) <= 78
    assert octets.count(b"\n") == octets.count(b"\r\n")
    assert b"Message-ID: <mail_1@example.test>" in octets
