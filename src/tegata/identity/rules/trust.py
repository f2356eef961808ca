"""Who is trusted: the pinned certification authorities, found by key and never by name.

All generations of a CA have the same distinguished name, so a verifier that maps names to
authorities takes one generation's certificates for another's, or an impostor's for theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tegata.identity.jlis import CertificateKind, Holder, Roots
from tegata.pkix import oids
from tegata.pkix.certificate import parse_certificate, parse_tbs_certificate
from tegata.pkix.der import OCTET_STRING, DerError, content_of
from tegata.pkix.extensions import KeyUsage, parse_basic_constraints, parse_key_usage
from tegata.pkix.jpki import AUTH_POLICY, SIGN_POLICY
from tegata.pkix.names import parse_name
from tegata.pkix.ocsp import IssuerHashes, issuer_hashes
from tegata.pkix.signatures import SignatureInvalid, verify_parts

# What stands as organisation in roots that nobody may take for real ones.
SIMULATED_ORGANIZATION: Final = "JPKI-SIM"
_POLICIES: Final = {
    SIGN_POLICY: (CertificateKind.SIGN, Holder.CARD),
    AUTH_POLICY: (CertificateKind.AUTH, Holder.CARD),
}


class TrustRefused(ValueError):
    """Roots that this platform must not trust, or cannot read."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A pinned CA certificate. Names and keys are DER."""

    kind: CertificateKind
    name: bytes
    key_identifier: bytes
    serial: int
    public_key: bytes
    not_before: datetime
    not_after: datetime
    hashes: IssuerHashes


@dataclass(frozen=True, slots=True)
class Trust:
    """The pinned authorities by key identifier, and the keys that certify cards' text AP."""

    authorities: Mapping[bytes, Sequence[Authority]]
    face_keys: Mapping[bytes, bytes]
    policies: Mapping[str, tuple[CertificateKind, Holder]]

    def find(self, key_identifier: bytes) -> Sequence[Authority]:
        """Every authority that a key identifier names."""
        return self.authorities.get(key_identifier, ())


def pin(roots: Roots, *, simulated: bool) -> Trust:
    """The trust in roots; `TrustRefused` when a root is not self-signed, or is simulated where
    real ones are wanted, or the reverse."""
    found: dict[bytes, list[Authority]] = {}
    for kind, certificates in roots.certificates.items():
        for octets in certificates:
            authority, organization = _read(kind, octets)
            if (organization == SIMULATED_ORGANIZATION) is not simulated:
                wanted = "a simulated" if simulated else "a real"
                raise TrustRefused(f"{wanted} root is wanted here, not one of {organization}")
            found.setdefault(authority.key_identifier, []).append(authority)
    if not found:
        raise TrustRefused("no roots")
    return Trust(found, roots.face_keys, {**_POLICIES, **roots.policies})


def _read(kind: CertificateKind, octets: bytes) -> tuple[Authority, str]:
    try:
        parts = parse_certificate(octets)
        tbs = parse_tbs_certificate(parts.tbs)
        verify_parts(parts, tbs.signature, tbs.public_key)
        usage = parse_key_usage(tbs.extensions[oids.KEY_USAGE].value)
        basic = parse_basic_constraints(tbs.extensions[oids.BASIC_CONSTRAINTS].value)
        key = content_of(tbs.extensions[oids.SUBJECT_KEY_IDENTIFIER].value, OCTET_STRING)
        names = [each for rdn in parse_name(tbs.subject) for each in rdn]
        sha256 = next(
            each
            for each in issuer_hashes(tbs.subject, tbs.public_key)
            if each.algorithm == oids.SHA256
        )
    except (DerError, SignatureInvalid, KeyError) as error:
        raise TrustRefused(f"not a root certificate: {error}") from error
    signs = {KeyUsage.KEY_CERT_SIGN, KeyUsage.CRL_SIGN} <= usage
    if not basic.ca or not signs or tbs.issuer != tbs.subject:
        raise TrustRefused("not a root certificate: not a CA's, or not self-issued")
    organization = [each.value for each in names if each.attribute_type == oids.ORGANIZATION]
    authority = Authority(
        kind, tbs.subject, key, tbs.serial, tbs.public_key, tbs.not_before, tbs.not_after, sha256
    )
    return authority, "".join(organization)
