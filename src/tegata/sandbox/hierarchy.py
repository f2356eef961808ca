"""JPKI-SIM: two hierarchies of self-signed roots, several keys under one name.

As the real ones: a new key every few years, the old one still good for what it signed, and every
generation under the same distinguished name, so an issuer is found by key identifier and signature
and never by name. `O=JPKI-SIM` keeps all of it from passing as real.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tegata.sandbox.keys import Cabinet
from tegata.sandbox.people import Kind

ORGANIZATION: Final = "JPKI-SIM"
GENERATIONS: Final = ("01", "02", "03")
# Under the same name as the others, and trusted by nobody.
FORGED: Final = "forged"

_UNITS = {Kind.SIGN: "JPKI for digital signature", Kind.AUTH: "JPKI for user authentication"}
_AGENCY = "Japan Agency for Local Authority Information Systems"
_JAPANESE_UNITS = {
    Kind.SIGN: "公的個人認証サービス署名用",
    Kind.AUTH: "公的個人認証サービス利用者証明用",
}
_YEAR = timedelta(days=365, hours=6)
# Years from the sandbox's first day: ten each, a new one before the old one ends.
_LIVES = {"01": (-11, -1), "02": (-7, 3), "03": (-3, 7), FORGED: (-3, 7)}


@dataclass(frozen=True, slots=True)
class Root:
    """A generation of a hierarchy: its key and its self-signed certificate."""

    kind: Kind
    generation: str
    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def key_identifier(self) -> bytes:
        """The subject key identifier."""
        extensions = self.certificate.extensions
        return extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest


@dataclass(frozen=True, slots=True)
class Responder:
    """A delegated OCSP responder of one root: its key and certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


class Hierarchy:
    """Both hierarchies, each generation made on first use."""

    def __init__(self, cabinet: Cabinet) -> None:
        self._cabinet = cabinet
        self._roots: dict[tuple[Kind, str], Root] = {}
        self._responders: dict[tuple[Kind, str], Responder] = {}

    def roots(self) -> tuple[Root, ...]:
        """Every generation of both kinds: what a verifier pins."""
        return tuple(self.root(kind, each) for kind in Kind for each in GENERATIONS)

    def root(self, kind: Kind, generation: str) -> Root:
        """One generation."""
        if (kind, generation) not in self._roots:
            key = self._cabinet.rsa_key(f"root-{kind}-{generation}")
            certificate = _root(kind, generation, key, self._cabinet.first_day())
            self._roots[kind, generation] = Root(kind, generation, key, certificate)
        return self._roots[kind, generation]

    def responder(self, kind: Kind, generation: str) -> Responder:
        """The responder that a generation has delegated (RFC 6960 section 4.2.2.2)."""
        if (kind, generation) not in self._responders:
            root = self.root(kind, generation)
            key = self._cabinet.ec_key(f"responder-{kind}-{generation}")
            certificate = _responder(root, key, self._cabinet.first_day())
            self._responders[kind, generation] = Responder(key, certificate)
        return self._responders[kind, generation]


def directory_name(*attributes: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    """A name; countryName is PrintableString (RFC 5280 appendix A.1), all else UTF8String."""
    return x509.Name([_attribute(oid, value) for oid, value in attributes])


def _attribute(oid: x509.ObjectIdentifier, value: str) -> x509.NameAttribute[str]:
    country = oid == NameOID.COUNTRY_NAME
    kind = _ASN1Type.PrintableString if country else _ASN1Type.UTF8String
    return x509.NameAttribute(oid, value, kind)


def issuer_name(kind: Kind) -> x509.Name:
    """The name that all generations of a hierarchy share."""
    return directory_name(
        (NameOID.COUNTRY_NAME, "JP"),
        (NameOID.ORGANIZATION_NAME, ORGANIZATION),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, _UNITS[kind]),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, _AGENCY),
    )


def japanese_name(kind: Kind) -> x509.Name:
    """The same in Japanese: subject and issuer alternative name."""
    return directory_name(
        (NameOID.COUNTRY_NAME, "JP"),
        (NameOID.ORGANIZATION_NAME, "公的個人認証サービス（シミュレータ）"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, _JAPANESE_UNITS[kind]),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "地方公共団体情報システム機構（シミュレータ）"),
    )


def distribution_point(kind: Kind, prefecture: str, city: str) -> x509.Name:
    """Where the CRL of a municipality would stand in a directory."""
    return directory_name(
        (NameOID.COUNTRY_NAME, "JP"),
        (NameOID.ORGANIZATION_NAME, ORGANIZATION),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, _UNITS[kind]),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "CRL Distribution Points"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, prefecture),
        (NameOID.COMMON_NAME, f"{city} CRLDP"),
    )


def small_serial(*labels: str) -> int:
    """A positive serial of four octets at most, the same each time for the same labels."""
    digest = hashlib.sha256("/".join((ORGANIZATION, *labels)).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1 or 1


def key_usage(*, sign: bool = False, commit: bool = False, certify: bool = False) -> x509.KeyUsage:
    """keyUsage with what a JPKI certificate may have in it."""
    return x509.KeyUsage(
        digital_signature=sign,
        content_commitment=commit,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certify,
        crl_sign=certify,
        encipher_only=False,
        decipher_only=False,
    )


def _root(
    kind: Kind, generation: str, key: rsa.RSAPrivateKey, first_day: datetime
) -> x509.Certificate:
    begins, ends = (first_day + years * _YEAR for years in _LIVES[generation])
    name, public = issuer_name(kind), key.public_key()
    # The first generation of the real ones has serial 1 as well, in both hierarchies.
    serial = 1 if generation == "01" else small_serial("root", kind, generation)
    return (
        x509.CertificateBuilder()
        .issuer_name(name)
        .subject_name(name)
        .public_key(public)
        .serial_number(serial)
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(key_usage(certify=True), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.DirectoryName(japanese_name(kind))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.CRLDistributionPoints(
                [x509.DistributionPoint([x509.DirectoryName(name)], None, None, None)]
            ),
            critical=False,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )


def _responder(
    root: Root, key: ec.EllipticCurvePrivateKey, first_day: datetime
) -> x509.Certificate:
    name = directory_name(
        (NameOID.COUNTRY_NAME, "JP"),
        (NameOID.ORGANIZATION_NAME, ORGANIZATION),
        (NameOID.COMMON_NAME, f"OCSP responder {root.kind} {root.generation}"),
    )
    serial = small_serial("responder", root.kind, root.generation)
    ends = min(first_day + 5 * _YEAR, root.certificate.not_valid_after_utc)
    return (
        x509.CertificateBuilder()
        .issuer_name(root.certificate.subject)
        .subject_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(max(first_day - 2 * _YEAR, root.certificate.not_valid_before_utc))
        .not_valid_after(ends)
        .add_extension(key_usage(sign=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), critical=False)
        .add_extension(x509.OCSPNoCheck(), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier(root.key_identifier, None, None), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(root.key, hashes.SHA256())
    )
