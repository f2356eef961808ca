"""Mail through a server that takes it from us (RFC 6409 submission, RFC 5321)."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import smtplib
import ssl
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

from tegata.kernel.problem import Problem, ProblemCode
from tegata.registration.notice import Delivery, Mail

_LOG = logging.getLogger(__name__)
# For one answer of the server, in seconds; a mail takes about seven answers.
_TIMEOUT = 8.0
_PERMANENT = 500


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """A mail server, and what we are there.

    `implicit_tls` is RFC 8314 section 3; otherwise STARTTLS (RFC 3207), which only a server on
    this machine may lack. `ca_file` holds its trust anchors, None for the system's.
    """

    host: str
    port: int
    implicit_tls: bool
    sender: str
    user: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None

    @property
    def is_local(self) -> bool:
        """Whether the server is this machine, so that no network hears what is said."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


class SmtpMailer:
    """Sends mails, one after the other, in a thread of its own."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        self._thread = ThreadPoolExecutor(1, "smtp")

    async def send(self, mail: Mail) -> Delivery:
        """Hand a mail to the server; the addresses that it refused."""
        message = compose_message(mail, self._server.sender)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._deliver, message, mail.addresses)

    def close(self) -> None:
        """End; what is under way is finished or fails by its time limit."""
        self._thread.shutdown(wait=False)

    def _deliver(self, message: EmailMessage, addresses: Sequence[str]) -> Delivery:
        try:
            client = self._connect()
            try:
                refused = client.send_message(message, self._server.sender, list(addresses))
            finally:
                with suppress(smtplib.SMTPException, OSError):
                    client.quit()
        except smtplib.SMTPRecipientsRefused as error:
            delivery = _delivery(error.recipients)
            if not delivery.refused:
                raise _unavailable(error) from error
            return delivery
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            if error.smtp_code >= _PERMANENT:
                _LOG.warning("the mail server refused a mail: %s", error.smtp_code)
                return Delivery(tuple(addresses))
            raise _unavailable(error) from error
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise _unavailable(error) from error
        return _delivery(refused)

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        tls = ssl.create_default_context(cafile=server.ca_file)
        client: smtplib.SMTP
        if server.implicit_tls:
            client = smtplib.SMTP_SSL(server.host, server.port, timeout=_TIMEOUT, context=tls)
        else:
            client = smtplib.SMTP(server.host, server.port, timeout=_TIMEOUT)
        try:
            client.ehlo_or_helo_if_needed()
            # A password goes through TLS only, whatever the server.
            bare = server.is_local and server.user is None
            if not server.implicit_tls and (client.has_extn("starttls") or not bare):
                client.starttls(context=tls)
            if server.user is not None and server.password_file is not None:
                client.login(server.user, server.password_file.read_text().strip())
        except BaseException:
            client.close()
            raise
        return client


def _delivery(refused: Mapping[str, tuple[int, bytes]]) -> Delivery:
    """What a server's answers say: 5xx is for good, 4xx for now (RFC 5321 section 4.2.1)."""
    final = tuple(address for address, (code, _text) in refused.items() if code >= _PERMANENT)
    return Delivery(final, tuple(address for address in refused if address not in final))


def compose_message(mail: Mail, sender: str) -> EmailMessage:
    """A mail as RFC 5322 writes it. What stands in its head is ASCII or encoded (RFC 2047)."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = ", ".join(mail.addresses)
    message["Subject"] = mail.subject
    message["Date"] = mail.created_at
    message["Message-ID"] = f"<{mail.id}@{sender.rpartition('@')[2]}>"
    # RFC 3834 section 5: so that no vacation notice comes back.
    message["Auto-Submitted"] = "auto-generated"
    encoding = "base64" if mail.language == "ja" else "quoted-printable"
    message.set_content(mail.text, charset="utf-8", cte=encoding)
    message["Content-Language"] = mail.language
    return message


def _unavailable(error: Exception) -> Problem:
    # A server's words may quote addresses; its code says enough.
    _LOG.warning("mail: %s %s", type(error).__name__, getattr(error, "smtp_code", ""))
    return Problem(ProblemCode.MAIL_UNAVAILABLE, "the mail server did not take a mail")
