"""What a start must find or make: the platform's own tenant, its TLS certificate, the demo."""

from __future__ import annotations

import ipaddress
import logging
import os
import socket
import ssl
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tegata.issuance.model import Issuer
from tegata.kernel.ids import TenantId
from tegata.kernel.problem import Problem
from tegata.kernel.scope import PLATFORM_TENANT, TenantScope, platform_acts
from tegata.main.composition import Platform
from tegata.main.settings import Address
from tegata.pkix.certificate import encode_pem
from tegata.tenancy.model import Tenant
from tegata.timestamping.model import NewTimestampAuthority

_LOG = logging.getLogger(__name__)

DEMO_TENANT = TenantId("ten_demo")
DEMO_NAME = "Demo"
PLATFORM_NAME = "tegata platform"
# The policy of the platform's own time-stamps: an arc of its own (ITU-T X.667 clause 7), as
# nobody has registered one.
PLATFORM_POLICY = "2.25.63040244902321653983187077044257481235"
_RENEW_BEFORE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Demo:
    """The demo tenant: its issuing CA and where its token is."""

    tenant: TenantId
    issuer: Issuer
    token_file: Path


async def ensure_tenant(platform: Platform, tenant: TenantId, name: str) -> Issuer:
    """A tenant with its hierarchy, opened or completed; its issuing CA."""
    scope = platform_acts(tenant, "bootstrap")
    found: Tenant | None = None
    if await platform.store.is_open(tenant):
        found = await platform.store.find_tenant(scope, tenant)
    if found is None:
        _opened, issuing = await platform.tenants.open_tenant(scope, name, bytes(32), tenant)
        return issuing
    return await platform.tenants.complete(found)


async def ensure_token(platform: Platform, scope: TenantScope, name: str, file: Path) -> Path:
    """A token in a file that only its owner may read."""
    if not file.exists():
        _token, text = await platform.tokens.create(scope, name)
        write_private(file, text.encode() + b"\n")
    return file


async def ensure_demo(platform: Platform, data: Path) -> Demo:
    """The demo tenant and its token."""
    issuer = await ensure_tenant(platform, DEMO_TENANT, DEMO_NAME)
    scope = platform_acts(DEMO_TENANT, "bootstrap")
    token = await ensure_token(platform, scope, "demo", data / "demo.token")
    return Demo(DEMO_TENANT, issuer, token)


async def ensure_platform(platform: Platform, data: Path) -> Issuer:
    """The operator's own tenant, and the operator's token."""
    issuer = await ensure_tenant(platform, PLATFORM_TENANT, PLATFORM_NAME)
    scope = platform_acts(PLATFORM_TENANT, "bootstrap")
    await ensure_token(platform, scope, "operator", data / "operator.token")
    new = NewTimestampAuthority(PLATFORM_NAME, issuer.id, (PLATFORM_POLICY,))
    try:
        await platform.timestamping.create(scope, new, bytes(32))
    except Problem as problem:
        # Who could lift a stop must be able to: the next start makes it.
        _LOG.warning("the platform's own time-stamping authority: %s", problem)
    return issuer


class ApiTls:
    """The API's TLS: a certificate of the platform's own CA, renewed while the platform runs."""

    def __init__(self, platform: Platform, issuer: Issuer, data: Path, listen: Address) -> None:
        self._platform = platform
        self._issuer = issuer
        self._folder = data / "tls"
        self._names = _names(listen)
        self._loaded = False
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        # RFC 9325 section 4.2: forward secrecy and AEAD only.
        self.context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
        # RFC 9325 sections 3.3 and 3.5: also where a build of the library would allow them.
        self.context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        self.context.set_alpn_protocols(["http/1.1"])

    async def ensure(self) -> None:
        """Have a certificate that lasts; connections made from now on see it."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        due = _needs_renewal(self._platform, self._folder / "api.pem", self._names)
        if due:
            await _enrol(self._platform, self._issuer, self._folder, self._names)
        if due or not self._loaded:
            root = encode_pem("CERTIFICATE", self._issuer.chain[-1]).encode()
            _replace(self._folder / "ca.pem", root, 0o644)
            self.context.load_cert_chain(self._folder / "api.pem")
            self._loaded = True


async def _enrol(platform: Platform, issuer: Issuer, folder: Path, names: list[str]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    csr = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), True)
        .sign(key, hashes.SHA256())
    )
    certificate, _issuer = await platform.enrolment.request_certificate(
        platform_acts(PLATFORM_TENANT, "bootstrap"),
        issuer.id,
        "tls-server",
        csr.public_bytes(Encoding.PEM).decode(),
        bytes(32),
    )
    # RFC 8446 section 4.4.2: the root may be left out, and is.
    path = [certificate.der, *issuer.chain[:-1]]
    pem = "".join(encode_pem("CERTIFICATE", der) for der in path)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    # One file: after a kill at any point it holds the old pair or the new one, never one of each.
    write_private(folder / "api.pem", secret + pem.encode())


def _needs_renewal(platform: Platform, file: Path, names: list[str]) -> bool:
    if not file.exists():
        return True
    certificate = x509.load_pem_x509_certificates(file.read_bytes())[0]
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    certified = {str(name.value) for name in extension.value}
    late = platform.clock.now() > certificate.not_valid_after_utc - _RENEW_BEFORE
    return late or not certified.issuperset(names)


def _names(listen: Address) -> list[str]:
    names = ["localhost", "127.0.0.1", "::1"]
    if listen.host in ("0.0.0.0", "::"):  # noqa: S104 (compared, not bound)
        listened = socket.gethostname().lower()
    else:
        listened = listen.host.lower()
    return names if listened in names else [*names, listened]


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def write_private(file: Path, octets: bytes) -> None:
    """Write a file that only its owner may read, at once or not at all, and durably."""
    _replace(file, octets, 0o600)


def _replace(file: Path, octets: bytes, mode: int) -> None:
    temporary = file.with_name(file.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(octets)
        opened.flush()
        os.fsync(opened.fileno())
    temporary.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
