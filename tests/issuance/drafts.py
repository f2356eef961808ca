"""Issuers and drafts of every profile, for tests of issuance, profiles and their encodings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from tegata.issuance.model import Draft, Issuer, ReservedSerial
from tegata.issuance.rules import (
    CertificateTemplate,
    lint_draft,
    under_serial,
    validity_period,
)
from tegata.issuance.serials import PRF_KEY_OCTETS, SerialBlock
from tegata.issuance.shards import shard_url
from tegata.kernel.ids import BlockId, IssuerId, KeyId, TenantId
from tegata.kernel.month import expiry_month
from tegata.kernel.signing import KeyAlgorithm, KeyPurpose, SignatureAlgorithm, SigningKey
from tegata.pkix import oids
from tegata.pkix.extensions import key_identifier
from tegata.pkix.names import (
    GeneralName,
    GeneralNameKind,
    encode_name,
    name_text,
    parse_name,
)
from tegata.profiles.catalogue import ISSUING_CA, OCSP_RESPONDER, ROOT_CA, TLS_SERVER
from tegata.profiles.model import CertificateKind, IssuerFacts, Profile
from tests.pkix.keys import public_key

NOW: Final = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)
ISSUER_END: Final = NOW + timedelta(days=15 * 365)
OCSP_URL: Final = "http://ocsp.example.test/"
CRL_URL: Final = "http://crl.example.test/issuing.crl"
CA_ISSUERS_URL: Final = "http://ca.example.test/issuing.cer"

ROOT_NAME: Final = encode_name(
    [(oids.ORGANIZATION, "Tanuki 株式会社"), (oids.COMMON_NAME, "Tanuki Root CA")]
)
ISSUING_NAME: Final = encode_name(
    [(oids.ORGANIZATION, "Tanuki 株式会社"), (oids.COMMON_NAME, "Tanuki Issuing CA")]
)
SERVER_NAMES: Final = (
    GeneralName(GeneralNameKind.DNS, "www.example.test"),
    GeneralName(GeneralNameKind.DNS, "*.api.example.test"),
    GeneralName(GeneralNameKind.IP, "192.0.2.1"),
    GeneralName(GeneralNameKind.IP, "2001:db8::1"),
)
CLIENT_NAMES: Final = (
    GeneralName(GeneralNameKind.EMAIL, "hanako@example.test"),
    GeneralName(GeneralNameKind.URI, "spiffe://example.test/workload/7"),
)
COMMON_NAMES: Final = dict.fromkeys(("tls-server", "mutual-tls", "vpn-ike"), "www.example.test")
FURTHER_NAMES: Final = (
    GeneralName(GeneralNameKind.UPN, "hanako@corp.example.test"),
    GeneralName(GeneralNameKind.HARDWARE_MODULE, "1.3.6.1.4.1.99999.1:0a0b0c"),
)


def an_issuer(kind: str = "issuing", not_after: datetime | None = ISSUER_END) -> Issuer:
    """Return the root or the issuing CA, whose key is the software key of that name."""
    public = public_key(kind)
    subject = {"root": ROOT_NAME, "issuing": ISSUING_NAME}[kind]
    return Issuer(
        id=IssuerId(f"iss_{kind}"),
        tenant=TenantId("ten_tanuki"),
        name=kind,
        parent=None,
        key=SigningKey(
            KeyId(f"key_{kind}"),
            TenantId("ten_tanuki"),
            KeyPurpose.ISSUING_CA,
            KeyAlgorithm.P256,
            SignatureAlgorithm.ECDSA_SHA256,
            public,
            b"",
        ),
        certificate=b"",
        chain=(),
        facts=IssuerFacts(
            subject, key_identifier(public), not_after, SignatureAlgorithm.ECDSA_SHA256
        ),
        not_before=NOW,
        ocsp_url=OCSP_URL,
        crl_url=CRL_URL,
        ca_issuers_url=CA_ISSUERS_URL,
    )


def issuer_of(profile: Profile) -> Issuer:
    """Return the issuer of a profile's certificates."""
    return an_issuer("root", None) if profile.kind is CertificateKind.CA else an_issuer()


def subject_of(profile: Profile) -> bytes:
    """Return a subject that the profile allows."""
    if profile == ROOT_CA:
        return ROOT_NAME
    if profile.kind is CertificateKind.CA:
        return ISSUING_NAME
    attributes = [
        (oids.COUNTRY, "JP"),
        (oids.ORGANIZATION, "Tanuki 株式会社"),
        (oids.COMMON_NAME, COMMON_NAMES.get(profile.name, "Responder 1")),
    ]
    if oids.SERIAL_NUMBER in profile.subject_required:
        attributes.append((oids.SERIAL_NUMBER, "A-0001"))
    return encode_name(attributes)


def names_of(profile: Profile) -> tuple[GeneralName, ...]:
    """Return alternative names that the profile allows."""
    if profile == TLS_SERVER:
        return SERVER_NAMES
    if profile.name in COMMON_NAMES or profile.name == "own":
        return (GeneralName(GeneralNameKind.DNS, "www.example.test"),)
    return tuple(
        name for name in (*CLIENT_NAMES, *FURTHER_NAMES) if name.kind in profile.name_kinds
    )


def own_key_of(profile: Profile) -> str:
    """Return the kind of key that the profile's certificates are for, where it is one of ours."""
    ours = {ROOT_CA.name: "root", ISSUING_CA.name: "issuing", OCSP_RESPONDER.name: "responder"}
    return ours.get(profile.name, "p256")


def a_draft(
    profile: Profile,
    key: str | None = None,
    *,
    subject: bytes | None = None,
    names: tuple[GeneralName, ...] | None = None,
) -> Draft:
    """Return a draft of the profile that the lint has nothing to say about."""
    not_before, not_after = validity_period(profile, NOW, issuer_of(profile).facts.not_after)
    name = subject_of(profile) if subject is None else subject
    return Draft(
        profile=profile,
        subject=name,
        subject_text=name_text(parse_name(name)),
        public_key=public_key(key or own_key_of(profile)),
        names=names_of(profile) if names is None else names,
        not_before=not_before,
        not_after=not_after,
    )


def a_place(draft: Draft, counter: int = 0) -> ReservedSerial:
    """Return a reserved serial for the draft's month of expiry."""
    block = SerialBlock(BlockId("blk_1"), expiry_month(draft.not_after), 8, bytes(PRF_KEY_OCTETS))
    return ReservedSerial(block, counter, block.serial(counter), 1, shard_url(CRL_URL, 1))


def tbs_of(draft: Draft, issuer: Issuer | None = None) -> bytes:
    """Return the octets that would be signed for a draft: template, lint and serial."""
    signer = issuer or issuer_of(draft.profile)
    template = CertificateTemplate(draft.profile, signer, draft.public_key)
    linted = lint_draft(draft, template, signer)
    return under_serial(linted, a_place(draft), signer.facts).tbs
