"""A mail server that tests talk SMTP to: aiosmtpd, on a thread of its own."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

Answer = Callable[[EmailMessage], str]


@dataclass(slots=True)
class Mailbox:
    """What a server took, and how it answers."""

    port: int = 0
    messages: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, tuple[str, ...], bool]] = field(default_factory=list)
    answer: Answer = lambda _message: "250 OK"
    refused: frozenset[str] = frozenset()
    deferred: frozenset[str] = frozenset()
    lock: threading.Lock = field(default_factory=threading.Lock)

    async def handle_RCPT(  # noqa: N802 (aiosmtpd names it)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """One recipient."""
        if address in self.refused:
            return "550 no such mailbox"
        if address in self.deferred:
            return "450 greylisted"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 (aiosmtpd names it)
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """A message."""
        octets = envelope.content
        assert isinstance(octets, bytes)
        message = message_from_bytes(octets, policy=default)
        with self.lock:
            self.messages.append(message)
            sender = envelope.mail_from or ""
            encrypted = session.ssl is not None
            self.envelopes.append((sender, tuple(envelope.rcpt_tos), encrypted))
        return self.answer(message)


class _Controller(Controller):
    """Takes a free port."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def mail_server(
    tls: ssl.SSLContext | None = None, login: tuple[str, str] | None = None
) -> Iterator[Mailbox]:
    """A server on a free port of this machine, with STARTTLS and a log-in if asked for."""
    mailbox = Mailbox()

    def authenticate(*arguments: object) -> AuthResult:
        given = cast(LoginPassword, arguments[-1])
        right = login is not None and given == tuple(part.encode() for part in login)
        return AuthResult(success=right)

    controller = _Controller(
        mailbox,
        hostname="127.0.0.1",
        port=0,
        tls_context=tls,
        require_starttls=tls is not None,
        authenticator=authenticate,
        auth_required=login is not None,
    )
    controller.start()
    mailbox.port = controller.port
    try:
        yield mailbox
    finally:
        controller.stop(no_assert=True)
