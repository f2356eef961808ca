"""Identity verification: the processor time of a submission, and of a batch of status checks."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import http.client
import json
import ssl
import time
from array import array
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from bench.platform import Running, cpu_seconds, load
from tegata.identity.current import look_up
from tegata.identity.jlis import (
    CertificateKind,
    CertificateReference,
    LegalPurpose,
    StatusMethod,
)
from tegata.identity.model import UserId
from tegata.identity.record import KnownCertificate
from tegata.identity.rules.trust import Authority, Trust
from tegata.identity.status import StatusSource
from tegata.identity.trust import PinnedTrust
from tegata.kernel.signing import SignatureAlgorithm
from tegata.outbound.system import SystemClock, SystemRandomness
from tegata.pkix.certificate import assemble
from tegata.pkix.crl import RevocationReason, encode_crl_entry, encode_tbs_cert_list
from tegata.sandbox.gateway import SandboxGateway
from tegata.sandbox.people import Kind
from tegata.sandbox.personas import Sandbox

CONNECTIONS = 16
DOCUMENT = hashlib.sha256(b"document").hexdigest()


@dataclass(frozen=True, slots=True)
class IdentityFigure:
    """One measurement: microseconds of the server's processor time for each thing."""

    name: str
    count: int
    microseconds: float


class _Client:
    """One connection to the API."""

    def __init__(self, context: dict[str, Any]) -> None:
        parts = urlsplit(context["api"])
        tls = ssl.create_default_context(cafile=context["tls_ca"])
        self._connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, context=tls
        )
        self.headers = {
            "Authorization": f"Bearer {Path(context['token_file']).read_text().strip()}",
            "Content-Type": "application/json",
        }

    def call(self, method: str, path: str, body: object) -> dict[str, Any]:
        """Call an operation."""
        self._connection.request(method, path, json.dumps(body), self.headers)
        answer = self._connection.getresponse()
        found: dict[str, Any] = json.loads(answer.read())
        if answer.status >= 300:
            raise SystemExit(f"{path}: {answer.status} {found}")
        return found


def bench_submissions(run: Running, count: int) -> list[IdentityFigure]:
    """Sessions opened, then signed and submitted over HTTPS; status from a list."""
    client = _Client(run.context)
    sandbox = Sandbox(Path(run.context["sandbox"]), SystemClock())
    held = sandbox.persona("ordinary").held(Kind.SIGN)
    if held is None:
        raise SystemExit("the persona has no certificate")
    client.call("PUT", "/v1/identity/purposes/bench", {"text": "bench", "attributes": ["name"]})
    asked = {
        "kind": "sign", "purpose": "bench", "relying_party": "bench", "status": "crl",
        "origin": "https://bench.example.test", "document": DOCUMENT,
    }  # fmt: skip
    begun = cpu_seconds(run.pids)
    sessions = [client.call("POST", "/v1/identity/sessions", asked) for _ in range(count)]
    opened = (cpu_seconds(run.pids) - begun) / count
    certificate = base64.b64encode(held.der).decode()
    bodies = [
        json.dumps(
            {
                "certificate": certificate,
                "signature": base64.b64encode(
                    held.sign(base64.b64decode(session["intent"]))
                ).decode(),
            }
        )
        for session in sessions
    ]
    paths = [f"/v1/identity/sessions/{session['id']}/submission" for session in sessions]
    # The list is fetched once, and the links asked for once: what is measured is what follows.
    client.call("POST", paths.pop(), json.loads(bodies.pop()))
    plan = {
        "url": run.context["api"] + "/", "headers": client.headers, "bodies": bodies,
        "targets": paths, "requests": len(bodies), "connections": CONNECTIONS, "keep_alive": True,
        "expect": 200, "tls_ca": run.context["tls_ca"],
    }  # fmt: skip
    begun = cpu_seconds(run.pids)
    result = load(plan)
    submitted = (cpu_seconds(run.pids) - begun) / len(bodies)
    if result["failed"]:
        raise SystemExit(f"{result['failed']} submissions failed")
    return [
        IdentityFigure("open a session", count, opened * 1e6),
        IdentityFigure("submit a signed session", len(bodies), submitted * 1e6),
    ]


class _Listed(SandboxGateway):
    """A gateway whose one list has very many entries."""

    octets = b""

    async def fetch_crl(
        self, authority_key_id: bytes, point: bytes, purpose: LegalPurpose
    ) -> bytes:
        """The list."""
        del authority_key_id, point, purpose
        return _Listed.octets


def bench_statuses(folder: Path, entries: int, checks: int) -> list[IdentityFigure]:
    """A list of many entries, indexed; then a batch of look-ups in it."""
    clock = SystemClock()
    sandbox = Sandbox(folder / "sandbox", clock)
    gateway = _Listed(sandbox, clock)
    statuses = StatusSource(gateway, clock, SystemRandomness())
    trust = asyncio.run(PinnedTrust(gateway, simulated=True).get())
    root = sandbox.hierarchy.root(Kind.AUTH, "03")
    (authority,) = trust.find(root.key_identifier)
    _Listed.octets = _long_list(authority, root.key, entries)
    known = [
        KnownCertificate(
            bytes(32), UserId("usr_bench"),
            CertificateReference(CertificateKind.AUTH, root.key_identifier, 2 * place + place % 2),
            b"point", clock.now(),
        )
        for place in range(checks)
    ]  # fmt: skip

    async def measure() -> tuple[float, float]:
        begun = time.process_time()
        await _check(known[:1], trust, statuses)
        indexed = time.process_time()
        await _check(known, trust, statuses)
        return indexed - begun, time.process_time() - indexed

    indexing, looking = asyncio.run(measure())
    return [
        IdentityFigure(f"index a list of {entries}", 1, indexing * 1e6),
        IdentityFigure("look a status up in it", checks, looking / checks * 1e6),
    ]


async def _check(known: list[KnownCertificate], trust: Trust, statuses: StatusSource) -> None:
    now = datetime.now(UTC)
    rows = await look_up(known, trust, statuses, StatusMethod.CRL, now)
    if len(rows) != len(known) or any(str(row.reason).startswith("status.") for row in rows):
        raise SystemExit("a status could not be looked up")


def _long_list(authority: Authority, key: rsa.RSAPrivateKey, entries: int) -> bytes:
    now = datetime.now(UTC).replace(microsecond=0)
    serials = array("q", range(0, 2 * entries, 2))
    revoked = RevocationReason.CESSATION_OF_OPERATION
    tbs = encode_tbs_cert_list(
        issuer=authority.name,
        this_update=now,
        next_update=now + timedelta(days=1),
        entries=(encode_crl_entry(serial, now, revoked) for serial in serials if serial),
        authority_key=authority.key_identifier,
        number=1,
        signature_algorithm=SignatureAlgorithm.RSA_PKCS1_SHA256,
    )
    signature = key.sign(tbs, padding.PKCS1v15(), hashes.SHA256())
    return assemble(tbs, SignatureAlgorithm.RSA_PKCS1_SHA256, signature)


def lines(figures: list[IdentityFigure]) -> str:
    """The figures as a table."""
    return "\n".join(
        f"{each.name:<44} {each.count:8} x {each.microseconds:10.1f} us" for each in figures
    )
