"""Certification requests, as subscribers' tools make them."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.pkix.keys import PrivateKey, private_key

# A P-256 key that no other test has: one that was revoked for compromise is of no more use.
FRESH = "fresh"
COMMON_NAME = "www.example.test"


def make_csr(
    *names: str,
    kind: str = "p256",
    key: PrivateKey | None = None,
    common_name: str | None = None,
    organization: str | None = None,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> str:
    """A request in PEM for host names, addresses (`ip:`) and mailboxes (with an `@`)."""
    attributes = []
    if organization is not None:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    if common_name is not None:
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(attributes))
    if names:
        alternative = x509.SubjectAlternativeName([_general_name(name) for name in names])
        builder = builder.add_extension(alternative, critical=not attributes)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    key = key or (ec.generate_private_key(ec.SECP256R1()) if kind == FRESH else private_key(kind))
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, digest).public_bytes(Encoding.PEM).decode()


def _general_name(name: str) -> x509.GeneralName:
    if name.startswith("ip:"):
        return x509.IPAddress(ipaddress.ip_address(name[3:]))
    if "@" in name:
        return x509.RFC822Name(name)
    return x509.DNSName(name)
