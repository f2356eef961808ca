"""Webhooks: HTTPS to addresses of tenants' choice, which must not lead into our own network.

A name is resolved once, every address of it must be global, and the connection goes to the very
address that was looked at: a name that changes its mind between look and call gains nothing. A
redirect is another address: it is not followed.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import SplitResult, urlsplit

from tegata.identity.record import Delivery
from tegata.kernel.problem import Problem, ProblemCode

_TIMEOUT = 10.0
SIGNATURE_HEADER = "Tegata-Signature"


@dataclass(frozen=True, slots=True)
class HttpsWebhooks:
    """Sends webhooks. `loopback` allows plain HTTP to this very machine, for demos."""

    loopback: bool = False

    def require_url(self, url: str) -> None:
        """`Problem(webhook.refused)` for an address that nothing is sent to.

        Names are looked up when something is sent, not here.
        """
        parts = _split(url)
        try:
            address = ipaddress.ip_address(parts.hostname or "")
        except ValueError:
            if parts.scheme != "https" and not self.loopback:
                raise Problem(ProblemCode.WEBHOOK_REFUSED, "https only") from None
            return
        self._require(parts, address)

    async def send(self, url: str, secret: bytes, delivery: Delivery, at: datetime) -> None:
        """Send once, signed. `Problem(webhook.unavailable)` unless the answer is 2xx."""
        await asyncio.to_thread(self._send, url, secret, delivery, at)

    def _send(self, url: str, secret: bytes, delivery: Delivery, at: datetime) -> None:
        parts = _split(url)
        try:
            address = self._resolve(parts)
            connection = _connection(parts, address)
        except OSError as error:
            raise Problem(ProblemCode.WEBHOOK_UNAVAILABLE, "the name is not known") from error
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {
            "Content-Type": "application/json",
            "Tegata-Delivery": delivery.id,
            SIGNATURE_HEADER: sign(secret, at, delivery),
        }
        try:
            connection.request("POST", target, delivery.body, headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            raise Problem(ProblemCode.WEBHOOK_UNAVAILABLE, "no answer") from error
        finally:
            connection.close()
        if not 200 <= status < 300:
            raise Problem(ProblemCode.WEBHOOK_UNAVAILABLE, f"HTTP {status}")

    def _resolve(self, parts: SplitResult) -> str:
        """The one address that is called; `Problem(webhook.refused)` when any is not global."""
        found = socket.getaddrinfo(parts.hostname, _port(parts), type=socket.SOCK_STREAM)
        addresses = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
        for address in addresses:
            self._require(parts, address)
        return str(addresses[0])

    def _require(
        self, parts: SplitResult, address: ipaddress.IPv4Address | ipaddress.IPv6Address
    ) -> None:
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        real = mapped or address
        if self.loopback and real.is_loopback:
            return
        if parts.scheme != "https":
            raise Problem(ProblemCode.WEBHOOK_REFUSED, "https only")
        if not real.is_global or real.is_multicast:
            raise Problem(ProblemCode.WEBHOOK_REFUSED, "not an address of the public Internet")


def sign(secret: bytes, at: datetime, delivery: Delivery) -> str:
    """The signature's header: ``t=`` Unix time, ``v1=`` HMAC-SHA-256 over time, a dot, the
    delivery's id, a dot, and the body."""
    time = str(int(at.timestamp()))
    signed = f"{time}.{delivery.id}.".encode() + delivery.body
    return f"t={time},v1={hmac.new(secret, signed, hashlib.sha256).hexdigest()}"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _port(parts)
    except ValueError as error:
        raise Problem(ProblemCode.WEBHOOK_REFUSED, "not a URL") from error
    printable = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in ("https", "http") or not parts.hostname or not printable:
        raise Problem(ProblemCode.WEBHOOK_REFUSED, "a webhook is an https URL")
    if parts.username is not None or parts.fragment:
        raise Problem(ProblemCode.WEBHOOK_REFUSED, "a webhook has no user and no fragment")
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _connection(parts: SplitResult, address: str) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        tls = ssl.create_default_context()
        connection = http.client.HTTPSConnection(host, _port(parts), timeout=_TIMEOUT, context=tls)
        opened = socket.create_connection((address, _port(parts)), _TIMEOUT)
        connection.sock = tls.wrap_socket(opened, server_hostname=host)
    else:
        connection = http.client.HTTPConnection(host, _port(parts), timeout=_TIMEOUT)
        connection.sock = socket.create_connection((address, _port(parts)), _TIMEOUT)
    return connection
