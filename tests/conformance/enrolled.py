"""Certificates of every ready-made profile, with their keys, as other people's tools take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from pyasn1.codec.der.encoder import encode
from pyasn1.type import char, univ
from pyasn1_alt_modules import rfc4108

from tests.conformance.running import Running

SID = "S-1-5-21-1004336348-1177238915-682003330-1105"
HARDWARE_TYPE = "1.3.6.1.4.1.99999.1"


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A certificate, its key and its path, each in a PEM file."""

    certificate: x509.Certificate
    leaf: Path
    key: Path
    issuing: Path
    root: Path

    @property
    def path(self) -> tuple[str, Path, str, Path]:
        """What OpenSSL needs to find the path."""
        return "-CAfile", self.root, "-untrusted", self.issuing


def enrol(
    platform: Running,
    profile: str,
    common_name: str = "",
    names: Sequence[x509.GeneralName] = (),
    *,
    serial_number: str = "",
    extensions: Sequence[x509.ExtensionType] = (),
    use_rsa: bool = False,
) -> Enrolled:
    """Ask the platform for a certificate of a profile."""
    key = (
        rsa.generate_private_key(65_537, 3072)
        if use_rsa
        else ec.generate_private_key(ec.SECP256R1())
    )
    subject = [
        x509.NameAttribute(kind, text)
        for kind, text in (
            (NameOID.COMMON_NAME, common_name),
            (NameOID.SERIAL_NUMBER, serial_number),
        )
        if text
    ]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    csr = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
    body = {"issuer": platform.context["issuer"], "profile": profile, "csr": csr}
    answer = platform.call("POST", "/v1/certificates", body)
    assert (answer["profile"], answer["profile_version"]) == (profile, 1)
    folder = platform.folder / answer["id"]
    folder.mkdir()
    files = {
        "leaf": answer["certificate"],
        "issuing": answer["chain"][0],
        "root": answer["chain"][-1],
        "key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    }
    for name, text in files.items():
        (folder / f"{name}.pem").write_text(text)
    return Enrolled(
        x509.load_pem_x509_certificate(answer["certificate"].encode()),
        *(folder / f"{name}.pem" for name in ("leaf", "key", "issuing", "root")),
    )


def principal(text: str) -> x509.OtherName:
    """A user principal name."""
    kind = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
    return x509.OtherName(kind, encode(char.UTF8String(text)))


def hardware_module(serial: bytes) -> x509.OtherName:
    """A device's name (RFC 4108 section 5)."""
    module = rfc4108.HardwareModuleName()
    module["hwType"] = univ.ObjectIdentifier(HARDWARE_TYPE)
    module["hwSerialNum"] = univ.OctetString(serial)
    return x509.OtherName(x509.ObjectIdentifier("1.3.6.1.5.5.7.8.4"), encode(module))


def account(sid: str) -> x509.UnrecognizedExtension:
    """The extension by which domain controllers find an account, as they write it."""
    octets = sid.encode()
    kind = bytes.fromhex("060a2b060104018237190201")
    value = b"\xa0" + bytes([len(octets) + 2]) + b"\x04" + bytes([len(octets)]) + octets
    name = b"\xa0" + bytes([len(kind + value)]) + kind + value
    return x509.UnrecognizedExtension(
        x509.ObjectIdentifier("1.3.6.1.4.1.311.25.2"), b"\x30" + bytes([len(name)]) + name
    )
