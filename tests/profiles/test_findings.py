"""Every finding that a rule can report, and the certificate that it is there for."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache

import pytest

from tegata.issuance.rules import EMPTY_NAME
from tegata.kernel.finding import Finding, Severity
from tegata.pkix import extensions, oids
from tegata.pkix.algorithms import KeyKind
from tegata.pkix.certificate import parse_tbs_certificate
from tegata.pkix.der import (
    IA5_STRING,
    NULL_VALUE,
    UTF8_STRING,
    Extension,
    decode,
    encode_bit_string,
    encode_integer,
    encode_octet_string,
    encode_oid,
    encode_sequence,
    encode_set_of,
    explicit,
    implicit,
    wrap,
)
from tegata.pkix.extensions import KeyUsage, encode_extension, private_key_usage_period
from tegata.pkix.names import GeneralName, GeneralNameKind, encode_name
from tegata.pkix.policy_extensions import security_identifier
from tegata.profiles.catalogue import (
    CATALOGUE,
    ISSUING_CA,
    OCSP_RESPONDER,
    ROOT_CA,
    TIME_STAMPING,
    TLS_CLIENT,
    TLS_SERVER,
    built_in_document,
)
from tegata.profiles.document import parse_document
from tegata.profiles.lint import Lint, lint
from tegata.profiles.model import NO_EXPIRATION, IssuerFacts, Profile, Subject
from tegata.profiles.public_key import key_kind
from tegata.profiles.weak_rsa import modulus_weakness
from tests.house.source import package_sources
from tests.issuance.drafts import (
    CA_ISSUERS_URL,
    CRL_URL,
    ISSUER_END,
    ISSUING_NAME,
    NOW,
    OCSP_URL,
    ROOT_NAME,
    a_draft,
    issuer_of,
    own_key_of,
    tbs_of,
)
from tests.pkix.keys import KINDS, public_key, spki
from tests.pkix.requests import SHA256_WITH_RSA
from tests.pkix.test_csr import rsa_spki
from tests.pkix.weak_rsa import weak_key
from tests.profiles.variants import Variant, dns, general

SAN = oids.SUBJECT_ALTERNATIVE_NAME
CRL = oids.CRL_DISTRIBUTION_POINTS
AIA = oids.AUTHORITY_INFORMATION_ACCESS
STAMPED_FROM = NOW + timedelta(days=1)


def name_with(tag: int, value: bytes, kind: str = oids.COMMON_NAME) -> bytes:
    attribute = encode_sequence(encode_oid(kind), wrap(tag, value))
    return encode_sequence(encode_set_of([attribute]))


def server(**changes: object) -> Variant:
    return Variant(TLS_SERVER, **changes)  # type: ignore[arg-type]


def client(**changes: object) -> Variant:
    return Variant(TLS_CLIENT, **changes)  # type: ignore[arg-type]


def server_extension(name: str, encoded: bytes | None) -> Variant:
    return server(extensions={name: encoded})


def client_name(kind: str, value: str) -> Variant:
    return client(subject=encode_name([(kind, value)]))


@cache
def modulus(bits: int) -> int:
    number = (1 << (bits - 1)) + 1
    while modulus_weakness(number):
        number += 2
    return number


def ec_spki(curve: str, point: bytes) -> bytes:
    algorithm = encode_sequence(encode_oid(oids.EC_PUBLIC_KEY), encode_oid(curve))
    return encode_sequence(algorithm, encode_bit_string(point))


def ed25519_spki(octets: int) -> bytes:
    return encode_sequence(
        encode_sequence(encode_oid(oids.ED25519)), encode_bit_string(bytes(octets))
    )


def ml_dsa_spki(oid: str, octets: int, *parameters: bytes) -> bytes:
    return encode_sequence(
        encode_sequence(encode_oid(oid), *parameters), encode_bit_string(bytes(octets))
    )


def pss_parameters(digest: str, mgf_digest: str, salt: int) -> bytes:
    mgf = encode_sequence(
        encode_oid(oids.MGF1), encode_sequence(encode_oid(mgf_digest), NULL_VALUE)
    )
    return encode_sequence(
        explicit(0, encode_sequence(encode_oid(digest), NULL_VALUE)),
        explicit(1, mgf),
        explicit(2, encode_integer(salt)),
    )


def pss_spki(*parameters: bytes, key: bytes | None = None, bits: int = 2048) -> bytes:
    numbers = encode_sequence(encode_integer(modulus(bits)), encode_integer(65_537))
    return encode_sequence(
        encode_sequence(encode_oid(oids.RSASSA_PSS), *parameters),
        encode_bit_string(numbers if key is None else key),
    )


def usages(usage: KeyUsage, key: str | bytes = "p256") -> Variant:
    """Return a certificate of a profile that asks for one usage more, and has it."""
    profile = replace(TLS_CLIENT, key_usage=TLS_CLIENT.key_usage | {usage})
    every = extensions.key_usage(KeyUsage.DIGITAL_SIGNATURE, usage)
    public = key if isinstance(key, bytes) else public_key(key)
    return Variant(profile, key=public, extensions={oids.KEY_USAGE: every})


P256 = "1.2.840.10045.3.1.7"
NO_NULL = encode_sequence(
    encode_sequence(encode_oid(oids.RSA_ENCRYPTION)),
    encode_bit_string(encode_sequence(encode_integer(modulus(2048)), encode_integer(65_537))),
)
EMPTY_CRL_POINTS = encode_extension(CRL, encode_sequence())
LDAP_POINT = extensions.crl_distribution_points("ldap://ldap.example.test/cn=a")
NO_OCSP = extensions.authority_information_access(ocsp=None, ca_issuers=CA_ISSUERS_URL)
CRITICAL_POINTS = encode_extension(
    CRL,
    encode_sequence(encode_sequence(explicit(0, explicit(0, implicit(6, CRL_URL.encode()))))),
    critical=True,
)
SERVER_USAGE = encode_sequence(encode_oid(oids.SERVER_AUTH))
DAY = timedelta(days=1)
URI, EMAIL, IP = GeneralNameKind.URI, GeneralNameKind.EMAIL, GeneralNameKind.IP

UPN = GeneralNameKind.UPN
DEVICE, LOGON = CATALOGUE["device-identity"], CATALOGUE["smartcard-logon"]
STRONG = parse_document(
    built_in_document("smartcard-logon")
    .replace('"smartcard-logon"', '"strong-logon"')
    .replace('objectSid = "optional"', 'objectSid = "required"')
)
HOST = "www.example.test"
OWN = parse_document(
    """
name = "own"
[validity]
period = "30d"
[subjectPublicKeyInfo]
algorithms = ["ec-p256"]
[subject]
allowed = ["countryName", "organizationName", "commonName"]
fixed = { organizationName = "Tanuki 株式会社" }
[subjectAltName]
required = true
dNSName = { minimum = 1, maximum = 2, within = ["example.test"] }
iPAddress = { within = ["192.0.2.0/24"] }
[keyUsage]
always = ["digitalSignature"]
[extKeyUsage]
purposes = ["clientAuth"]
[[certificatePolicies]]
policyIdentifier = "1.3.6.1.4.1.99999.2"
[[extensions]]
extnID = "1.3.6.1.4.1.99999.1"
null = true
"""
)
QUANTUM = replace(OWN, key_kinds=frozenset({KeyKind.ML_DSA_65}), digest="")
SID_VALUE = decode(Extension, security_identifier("S-1-5-21-1-2-3-4")).value

# Code -> deliberately bad certificates, each of which has that finding and no other.
BY_THE_ISSUER = {
    "path-length.exceeds-issuer",
    "name-constraints.widened",
    "name-constraints.escaped",
}
BAD: Mapping[str, Mapping[str, Variant]] = {
    "version.not-3": {"version 1": server(version=0), "version 2": server(version=1)},
    "serial-number.out-of-bounds": {
        "zero": server(serial=0),
        "negative": server(serial=-1),
        "21 octets": server(serial=1 << 159),
    },
    "signature.algorithm-not-allowed": {
        "RSA": server(signature=SHA256_WITH_RSA),
        "parameters": server(
            signature=encode_sequence(encode_oid(oids.ECDSA_WITH_SHA256), NULL_VALUE)
        ),
    },
    "issuer.not-the-issuer": {
        "another": server(issuer=ROOT_NAME),
        "empty": server(issuer=EMPTY_NAME),
    },
    "subject.self-issued": {
        "an issuing CA with its parent's name": Variant(ISSUING_CA, subject=ROOT_NAME),
        "a root of another name": Variant(ROOT_CA, subject=ISSUING_NAME),
    },
    "validity.reversed": {
        "by a second": server(not_before=NOW, not_after=NOW - timedelta(seconds=1))
    },
    "validity.too-long": {
        profile.name: Variant(profile, not_before=NOW, not_after=NOW + profile.max_validity)
        for profile in CATALOGUE.values()
        if not profile.no_expiration
    },
    "validity.expires": {"a device": Variant(DEVICE, not_after=NOW + DAY)},
    "public-key.type-not-allowed": {
        "not on the list": Variant(OWN, key=public_key("p521")),
        "another curve": Variant(OWN, key=public_key("p384")),
        "another ML-DSA": Variant(QUANTUM, key=public_key("ml-dsa-44")),
        "RSASSA-PSS where RSA is listed": Variant(
            CATALOGUE["code-signing"], key=pss_spki(bits=3072)
        ),
    },
    "public-key.rsa-too-short": {
        "2048 bits": Variant(CATALOGUE["code-signing"], key=public_key("rsa-2048"))
    },
    "subject.attribute-missing": {
        "a device without a number": Variant(
            DEVICE, subject=encode_name([(oids.COMMON_NAME, "a")])
        ),
    },
    "subject.attribute-value": {
        "another organisation": Variant(
            OWN, subject=encode_name([(oids.ORGANIZATION, "Kitsune"), (oids.COMMON_NAME, HOST)])
        ),
        "two of them": Variant(
            OWN,
            subject=encode_name(
                [
                    (oids.ORGANIZATION, "Tanuki 株式会社"),
                    (oids.ORGANIZATION, "Kitsune"),
                    (oids.COMMON_NAME, HOST),
                ]
            ),
        ),
    },
    "subject-alternative-name.kind-count": {
        "two principals": Variant(
            LOGON,
            extensions={SAN: general(GeneralName(UPN, "a@a.test"), GeneralName(UPN, "b@a.test"))},
        ),
        "no principal": Variant(LOGON, extensions={SAN: general(GeneralName(EMAIL, "a@a.test"))}),
        "no module": Variant(OWN, extensions={SAN: dns(HOST, "b.example.test", "c.example.test")}),
    },
    "subject-alternative-name.wildcard": {
        "of one's own profile": Variant(OWN, extensions={SAN: dns(HOST, "*.example.test")}),
        "of mutual TLS": Variant(
            CATALOGUE["mutual-tls"], extensions={SAN: dns(HOST, "*.example.test")}
        ),
    },
    "subject-alternative-name.not-within": {
        "another domain": Variant(OWN, extensions={SAN: dns(HOST, "www.example.org")}),
        "one that ends alike": Variant(OWN, extensions={SAN: dns(HOST, "www.badexample.test")}),
        "another network": Variant(
            OWN,
            extensions={
                SAN: general(GeneralName(GeneralNameKind.DNS, HOST), GeneralName(IP, "192.0.3.1"))
            },
        ),
        "another version of the protocol": Variant(
            OWN,
            extensions={
                SAN: general(GeneralName(GeneralNameKind.DNS, HOST), GeneralName(IP, "2001:db8::"))
            },
        ),
    },
    "subject-alternative-name.deceptive": {
        "scripts that no language mixes": client(extensions={SAN: dns("xn--ypal-43d9g.test")}),
        "letters that look Latin": client(extensions={SAN: dns("www.xn--80ak6aa92e.test")}),
        "no A-label": client(extensions={SAN: dns("xn--a.test")}),
        "a mailbox": client(extensions={SAN: general(GeneralName(EMAIL, "a@xn--80ak6aa92e.test"))}),
        "an address": client(
            extensions={SAN: general(GeneralName(URI, "https://xn--80ak6aa92e.test/"))}
        ),
    },
    "private-key-usage-period.not-within-validity": {
        "after notAfter": Variant(
            TIME_STAMPING, more=[private_key_usage_period(STAMPED_FROM, NO_EXPIRATION)]
        ),
        "reversed": Variant(
            TIME_STAMPING,
            more=[private_key_usage_period(STAMPED_FROM + timedelta(days=1), STAMPED_FROM)],
        ),
        "critical": Variant(
            TIME_STAMPING,
            more=[
                encode_extension(
                    oids.PRIVATE_KEY_USAGE_PERIOD,
                    decode(
                        Extension,
                        private_key_usage_period(STAMPED_FROM, STAMPED_FROM + timedelta(days=1)),
                    ).value,
                    critical=True,
                )
            ],
        ),
        "NULL": Variant(
            TIME_STAMPING, more=[encode_extension(oids.PRIVATE_KEY_USAGE_PERIOD, NULL_VALUE)]
        ),
    },
    "security-identifier.missing": {"none": Variant(STRONG)},
    "security-identifier.syntax": {
        "critical": Variant(
            LOGON, more=[encode_extension(oids.NTDS_CA_SECURITY, SID_VALUE, critical=True)]
        ),
        "a group": Variant(LOGON, more=[security_identifier("S-1-5-32-544")]),
        "a sub-authority of 33 bits": Variant(
            LOGON, more=[security_identifier("S-1-5-21-1-2-3-4294967296")]
        ),
        "NULL": Variant(LOGON, more=[encode_extension(oids.NTDS_CA_SECURITY, NULL_VALUE)]),
        "another name": Variant(
            LOGON,
            more=[
                encode_extension(
                    oids.NTDS_CA_SECURITY, SID_VALUE.replace(b"\x19\x02\x01", b"\x19\x02\x02")
                )
            ],
        ),
    },
    "extension.not-as-profiled": {
        "left out": Variant(OWN, extensions={"1.3.6.1.4.1.99999.1": None}),
        "critical": Variant(
            OWN,
            extensions={
                "1.3.6.1.4.1.99999.1": encode_extension(
                    "1.3.6.1.4.1.99999.1", NULL_VALUE, critical=True
                )
            },
        ),
        "other policies": Variant(
            OWN,
            extensions={
                oids.CERTIFICATE_POLICIES: encode_extension(
                    oids.CERTIFICATE_POLICIES,
                    encode_sequence(encode_sequence(encode_oid("1.2.3"))),
                )
            },
        ),
    },
    "validity.exceeds-issuer": {
        "by a second": server(
            not_before=ISSUER_END - DAY, not_after=ISSUER_END + timedelta(seconds=1)
        )
    },
    "subject.malformed": {
        "BMPString": client(subject=name_with(0x1E, b"\x00a")),
        "T61String": client(subject=name_with(0x14, b"a")),
        "not UTF-8": client(subject=name_with(UTF8_STRING, b"\xff")),
        "an empty RDN": client(subject=b"\x30\x02\x31\x00"),
        "not a name": client(subject=b"\x04\x01a"),
    },
    "subject.attribute-not-allowed": {
        "domainComponent": client_name(oids.DOMAIN_COMPONENT, "example"),
        "serialNumber of a server": server(subject=encode_name([(oids.SERIAL_NUMBER, "7")])),
    },
    "subject.common-name-repeated": {
        "twice": client(subject=encode_name([(oids.COMMON_NAME, "a"), (oids.COMMON_NAME, "b")]))
    },
    "subject.string-type": {
        "country in UTF-8": client(subject=name_with(UTF8_STRING, b"JP", oids.COUNTRY)),
        "serialNumber in UTF-8": client(subject=name_with(UTF8_STRING, b"7", oids.SERIAL_NUMBER)),
        "common name in IA5": client(subject=name_with(IA5_STRING, b"a")),
    },
    "subject.attribute-length": {
        "common name of 65": client_name(oids.COMMON_NAME, "a" * 65),
        "common name of 65 kanji": client_name(oids.COMMON_NAME, "手" * 65),
        "organization of 65": client_name(oids.ORGANIZATION, "a" * 65),
        "unit of 65": client_name(oids.ORGANIZATIONAL_UNIT, "a" * 65),
        "locality of 129": client_name(oids.LOCALITY, "a" * 129),
        "state of 129": client_name(oids.STATE_OR_PROVINCE, "a" * 129),
        "serialNumber of 65": client_name(oids.SERIAL_NUMBER, "1" * 65),
        "country of 3": client_name(oids.COUNTRY, "JPN"),
        "nothing": client_name(oids.COMMON_NAME, ""),
    },
    "subject.country-code": {
        "small letters": client_name(oids.COUNTRY, "jp"),
        "one letter": client_name(oids.COUNTRY, "J"),
        "digits": client_name(oids.COUNTRY, "81"),
    },
    "subject.control-character": {
        "NUL": client_name(oids.COMMON_NAME, "a\0b"),
        "new line": client_name(oids.COMMON_NAME, "a\nb"),
        "right-to-left override": client_name(oids.COMMON_NAME, "a\u202eb"),
    },
    "subject.empty": {
        "an issuing CA": Variant(ISSUING_CA, subject=EMPTY_NAME),
    },
    "subject-alternative-name.missing": {"a server": server_extension(SAN, None)},
    "subject-alternative-name.malformed": {
        "not a sequence": server_extension(SAN, encode_extension(SAN, NULL_VALUE)),
        "a directory name": server_extension(
            SAN, encode_extension(SAN, encode_sequence(explicit(4, ROOT_NAME)))
        ),
        "an address of 5 octets": server_extension(
            SAN, encode_extension(SAN, encode_sequence(implicit(7, bytes(5))))
        ),
    },
    "subject-alternative-name.count": {
        "none": client(extensions={SAN: general()}),
        "101": client(extensions={SAN: dns(*(f"n{each}.test" for each in range(101)))}),
    },
    "subject-alternative-name.repeated": {
        "twice": server_extension(SAN, dns("www.example.test", "www.example.test"))
    },
    "subject-alternative-name.kind-not-allowed": {
        "a server's e-mail address": server_extension(
            SAN,
            general(
                GeneralName(GeneralNameKind.DNS, "www.example.test"),
                GeneralName(EMAIL, "a@example.test"),
            ),
        ),
        "a client's IP address": client(extensions={SAN: general(GeneralName(IP, "192.0.2.1"))}),
        "a CA's host name": Variant(ISSUING_CA, extensions={SAN: dns("ca.example.test")}),
    },
    "subject-alternative-name.syntax": {
        f"{kind} {text[:40]}": client(extensions={SAN: general(GeneralName(kind, text))})
        for kind, texts in {
            GeneralNameKind.DNS: (
                *("", ".", "a.", ".a", "a..b", "-a.test", "a-.test", "a_b.test", "A.test"),
                *("a b.test", "a\0.test", "a.1", "10.0.0.1", "*", "*.test", "a.*.test"),
                *("*a.example.test", "*.*.example.test", "a@b.test", "https://a.test/"),
                *("a" * 64 + ".test", ".".join(["a" * 63] * 4) + ".t"),
            ),
            EMAIL: (
                *("", "a", "@a.test", "a@", "a@b", "a@@b.test", "a b@c.test", ".a@b.test"),
                *("a.@b.test", "a..b@c.test", "a@b.test ", "<a@b.test>", "a@-b.test"),
                *("a" * 65 + "@b.test", "a@" + ".".join(["b" * 63] * 4) + ".t"),
            ),
            URI: (
                *("", "a", "/a", "a.test/b", "//a.test/b", ":a", "1a:b", "a:", "http://"),
                *("http:///a", "http://a b/", "http://[::1", "http://[g]/", "a:b c", "a:%zz"),
                *("http://:80/", "http://a\0b/", "http://a/\n", "http://user@/"),
            ),
        }.items()
        for text in texts
    },
    "subject-alternative-name.criticality": {
        "critical beside a subject": server_extension(
            SAN,
            extensions.subject_alternative_name(
                [GeneralName(GeneralNameKind.DNS, "www.example.test")], critical=True
            ),
        ),
        "not critical without a subject": server(
            subject=EMPTY_NAME, extensions={SAN: dns("www.example.test")}
        ),
        "missing without a subject": client(subject=EMPTY_NAME, extensions={SAN: None}),
    },
    "subject.common-name-not-certified": {
        "another host": server(subject=encode_name([(oids.COMMON_NAME, "other.example.test")])),
        "a host under the wildcard": server(
            subject=encode_name([(oids.COMMON_NAME, "v1.api.example.test")])
        ),
    },
    "public-key.malformed": {
        "a compressed point": server(key=ec_spki(P256, b"\x02" + bytes(32))),
        "a short point": server(key=ec_spki(P256, b"\x04" + bytes(63))),
        "P-384's point on P-256": server(key=ec_spki(P256, b"\x04" + bytes(96))),
        "Ed25519 of 31 octets": server(key=ed25519_spki(31)),
        "ML-DSA-44 of an octet too few": client(key=ml_dsa_spki(oids.ML_DSA_44, 1311)),
        "ML-DSA-65 of an octet too many": client(key=ml_dsa_spki(oids.ML_DSA_65, 1953)),
        "an ML-DSA-44 key named ML-DSA-87": client(key=ml_dsa_spki(oids.ML_DSA_87, 1312)),
        "RSASSA-PSS without numbers": client(key=pss_spki(key=b"\x30\x00")),
        "RSA without numbers": server(
            key=encode_sequence(
                encode_sequence(encode_oid(oids.RSA_ENCRYPTION), NULL_VALUE),
                encode_bit_string(b"\x30\x00"),
            ),
            extensions={
                oids.KEY_USAGE: extensions.key_usage(
                    KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_ENCIPHERMENT
                )
            },
        ),
    },
    "public-key.algorithm-not-allowed": {
        "secp256k1": server(key=public_key("secp256k1")),
        "EC without a curve": client(
            key=encode_sequence(
                encode_sequence(encode_oid(oids.EC_PUBLIC_KEY)), encode_bit_string(b"\x04")
            )
        ),
        "RSA without NULL": client(key=NO_NULL),
        "ML-DSA with NULL": client(key=ml_dsa_spki(oids.ML_DSA_44, 1312, NULL_VALUE)),
        "SLH-DSA": client(key=ml_dsa_spki("2.16.840.1.101.3.4.3.20", 32)),
        "Ed448": server(
            key=encode_sequence(
                encode_sequence(encode_oid("1.3.101.113")), encode_bit_string(bytes(57))
            )
        ),
        "no algorithm": server(key=encode_sequence(encode_sequence(), encode_bit_string(b"a"))),
    },
    "public-key.pss-parameters": {
        "SHA-1, the default": client(key=pss_spki(encode_sequence())),
        "SHA-1 for MGF1": client(key=pss_spki(pss_parameters(oids.SHA256, oids.SHA1, 32))),
        "a short salt": client(key=pss_spki(pss_parameters(oids.SHA256, oids.SHA256, 20))),
        "NULL": client(key=pss_spki(NULL_VALUE)),
    },
    "key-usage.not-for-key": {
        "keyEncipherment for P-256": usages(KeyUsage.KEY_ENCIPHERMENT),
        "keyEncipherment for ML-DSA": usages(KeyUsage.KEY_ENCIPHERMENT, key="ml-dsa-65"),
        "keyAgreement for ML-DSA": usages(KeyUsage.KEY_AGREEMENT, key="ml-dsa-44"),
        "keyAgreement for Ed25519": usages(KeyUsage.KEY_AGREEMENT, key="ed25519"),
        "keyAgreement for RSA": usages(KeyUsage.KEY_AGREEMENT, key="rsa-2048"),
        "dataEncipherment for RSASSA-PSS": usages(KeyUsage.DATA_ENCIPHERMENT, pss_spki()),
    },
    "public-key.rsa-size": {
        "RSASSA-PSS of 2047 bits": client(key=pss_spki(bits=2047)),
        "1024 bits": client(key=public_key("rsa-1024")),
        "2047 bits": client(key=rsa_spki(modulus(2047), 65_537)),
        "8193 bits": client(key=rsa_spki(modulus(8193), 65_537)),
        "negative": client(key=rsa_spki(-modulus(2048), 65_537)),
    },
    "public-key.rsa-exponent": {
        "3": client(key=rsa_spki(modulus(2048), 3)),
        "even": client(key=rsa_spki(modulus(2048), 65_538)),
        "negative": client(key=rsa_spki(modulus(2048), -65_537)),
        "257 bits": client(key=rsa_spki(modulus(2048), (1 << 256) + 1)),
    },
    "public-key.rsa-weak-modulus": {
        "a small factor": client(key=rsa_spki(modulus(2048) * 3, 65_537)),
        "close primes": client(key=spki(weak_key("close primes"))),
        "ROCA": client(key=spki(weak_key("ROCA"))),
    },
    "subject-key-identifier.mismatch": {
        "missing": server_extension(oids.SUBJECT_KEY_IDENTIFIER, None),
        "another": server_extension(
            oids.SUBJECT_KEY_IDENTIFIER, extensions.subject_key_identifier(bytes(20))
        ),
        "malformed": server_extension(
            oids.SUBJECT_KEY_IDENTIFIER,
            encode_extension(oids.SUBJECT_KEY_IDENTIFIER, NULL_VALUE),
        ),
    },
    "authority-key-identifier.mismatch": {
        "missing": server_extension(oids.AUTHORITY_KEY_IDENTIFIER, None),
        "another": server_extension(
            oids.AUTHORITY_KEY_IDENTIFIER, extensions.authority_key_identifier(bytes(20))
        ),
        "malformed": server_extension(
            oids.AUTHORITY_KEY_IDENTIFIER,
            encode_extension(oids.AUTHORITY_KEY_IDENTIFIER, NULL_VALUE),
        ),
        "without an identifier": server_extension(
            oids.AUTHORITY_KEY_IDENTIFIER,
            encode_extension(oids.AUTHORITY_KEY_IDENTIFIER, encode_sequence()),
        ),
    },
    "key-usage.not-as-profiled": {
        "missing": server_extension(oids.KEY_USAGE, None),
        "a CA's": server_extension(oids.KEY_USAGE, extensions.key_usage(KeyUsage.KEY_CERT_SIGN)),
        "one too many": client(
            extensions={
                oids.KEY_USAGE: extensions.key_usage(
                    KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_ENCIPHERMENT
                )
            }
        ),
        "not critical": server_extension(
            oids.KEY_USAGE, encode_extension(oids.KEY_USAGE, b"\x03\x02\x07\x80")
        ),
        "zero bits at the end": server_extension(
            oids.KEY_USAGE, encode_extension(oids.KEY_USAGE, b"\x03\x02\x00\x80", critical=True)
        ),
        "RSA server without keyEncipherment": server(key=public_key("rsa-2048")),
    },
    "extended-key-usage.not-as-profiled": {
        "missing": server_extension(oids.EXTENDED_KEY_USAGE, None),
        "another": server_extension(
            oids.EXTENDED_KEY_USAGE, extensions.extended_key_usage(oids.CLIENT_AUTH)
        ),
        "one too many": server_extension(
            oids.EXTENDED_KEY_USAGE,
            extensions.extended_key_usage(oids.SERVER_AUTH, oids.CLIENT_AUTH),
        ),
        "a CA with one": Variant(
            ISSUING_CA, more=[extensions.extended_key_usage(oids.SERVER_AUTH)]
        ),
        "malformed": server_extension(
            oids.EXTENDED_KEY_USAGE, encode_extension(oids.EXTENDED_KEY_USAGE, NULL_VALUE)
        ),
    },
    "basic-constraints.not-as-profiled": {
        "missing": server_extension(oids.BASIC_CONSTRAINTS, None),
        "a server that is a CA": server_extension(
            oids.BASIC_CONSTRAINTS, extensions.basic_constraints(ca=True)
        ),
        "a CA that is none": Variant(
            ISSUING_CA,
            extensions={oids.BASIC_CONSTRAINTS: extensions.basic_constraints(ca=False)},
        ),
        "no path length": Variant(
            ISSUING_CA,
            extensions={oids.BASIC_CONSTRAINTS: extensions.basic_constraints(ca=True)},
        ),
        "a longer path": Variant(
            ISSUING_CA,
            extensions={
                oids.BASIC_CONSTRAINTS: extensions.basic_constraints(ca=True, path_length=1)
            },
        ),
        "a root with a path length": Variant(
            ROOT_CA,
            extensions={
                oids.BASIC_CONSTRAINTS: extensions.basic_constraints(ca=True, path_length=0)
            },
        ),
        "not critical": server_extension(
            oids.BASIC_CONSTRAINTS, encode_extension(oids.BASIC_CONSTRAINTS, b"\x30\x00")
        ),
        "malformed": server_extension(
            oids.BASIC_CONSTRAINTS,
            encode_extension(oids.BASIC_CONSTRAINTS, NULL_VALUE, critical=True),
        ),
    },
    "extension.repeated": {"the same twice": server(more=[extensions.basic_constraints(ca=False)])},
    "extension.not-allowed": {
        "name constraints": server(more=[encode_extension("2.5.29.30", b"\x30\x00")]),
        "a critical one that nobody knows": server(
            more=[encode_extension("1.2.3", b"\x05\x00", critical=True)]
        ),
    },
    "extension.criticality": {
        "authority key identifier": server_extension(
            oids.AUTHORITY_KEY_IDENTIFIER,
            encode_extension(
                oids.AUTHORITY_KEY_IDENTIFIER,
                encode_sequence(implicit(0, issuer_of(TLS_SERVER).facts.key_identifier)),
                critical=True,
            ),
        ),
        "subject key identifier": server_extension(
            oids.SUBJECT_KEY_IDENTIFIER,
            encode_extension(
                oids.SUBJECT_KEY_IDENTIFIER,
                encode_octet_string(extensions.key_identifier(public_key("p256"))),
                critical=True,
            ),
        ),
        "distribution points": server_extension(CRL, CRITICAL_POINTS),
        "extended key usage": server_extension(
            oids.EXTENDED_KEY_USAGE,
            encode_extension(oids.EXTENDED_KEY_USAGE, SERVER_USAGE, critical=True),
        ),
        "no check": Variant(
            OCSP_RESPONDER,
            extensions={
                oids.OCSP_NO_CHECK: encode_extension(oids.OCSP_NO_CHECK, NULL_VALUE, critical=True)
            },
        ),
    },
    "status.not-findable": {
        "no distribution point": server_extension(CRL, None),
        "no access": server_extension(AIA, None),
        "an empty list of points": server_extension(CRL, EMPTY_CRL_POINTS),
        "a malformed point": server_extension(CRL, encode_extension(CRL, NULL_VALUE)),
        "a point that is not fetched over HTTP": server_extension(CRL, LDAP_POINT),
        "a point with a space": server_extension(
            CRL, extensions.crl_distribution_points("http://a b/")
        ),
        "no OCSP": server_extension(AIA, NO_OCSP),
        "malformed access": server_extension(AIA, encode_extension(AIA, NULL_VALUE)),
        "a server that is not checked": server(more=[extensions.ocsp_no_check()]),
        "a responder that is": Variant(OCSP_RESPONDER, extensions={oids.OCSP_NO_CHECK: None}),
        "a responder with a point": Variant(
            OCSP_RESPONDER, more=[extensions.crl_distribution_points(CRL_URL)]
        ),
        "a value that is not NULL": Variant(
            OCSP_RESPONDER,
            extensions={oids.OCSP_NO_CHECK: encode_extension(oids.OCSP_NO_CHECK, b"\x04\x00")},
        ),
        "a root with a point": Variant(ROOT_CA, more=[extensions.crl_distribution_points(CRL_URL)]),
        "a root with access": Variant(
            ROOT_CA,
            more=[extensions.authority_information_access(ocsp=OCSP_URL, ca_issuers=None)],
        ),
    },
}
GOOD_TBS = server().tbs()
MALFORMED: Mapping[str, bytes] = {
    "nothing": b"",
    "an empty sequence": b"\x30\x00",
    "the last octet is missing": GOOD_TBS[:-1],
    "octets after it": GOOD_TBS + b"\x00",
    "a whole certificate": encode_sequence(GOOD_TBS, b"\x30\x00", encode_bit_string(b"a")),
    "an explicit default": server_extension(
        oids.BASIC_CONSTRAINTS,
        encode_sequence(
            encode_oid(oids.BASIC_CONSTRAINTS), b"\x01\x01\x00", encode_octet_string(b"\x30\x00")
        ),
    ).tbs(),
}
CASES = [(code, case) for code, variants in BAD.items() for case in variants]
NOT_RULES = {"profiles/model.py", "profiles/document_errors.py"}


def reported_codes() -> Iterator[str]:
    """Yield the code of every finding that the source of the rules can make."""
    for source in package_sources():
        # What is wrong with a document has texts of its own, and tests of its own.
        if source.room != "profiles" or source.name in NOT_RULES:
            continue
        for node in ast.walk(source.tree()):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "Finding", f"{source.name} bypasses model.error"
                if node.func.id == "error":
                    code = node.args[0]
                    assert isinstance(code, ast.Constant), f"{source.name}: a code that varies"
                    assert isinstance(code.value, str)
                    yield code.value


def test_every_code_that_a_rule_can_report_has_a_certificate_that_triggers_it() -> None:
    codes = set(reported_codes())
    assert len(codes) > 20
    # What depends on the issuer has its cases in `test_authority.py`.
    assert codes == BAD.keys() | {"tbs.malformed"} | BY_THE_ISSUER
    assert all(BAD.values())


@pytest.mark.parametrize(("code", "case"), CASES)
def test_a_bad_certificate_has_exactly_its_finding(code: str, case: str) -> None:
    assert BAD[code][case].codes() == [code]


@pytest.mark.parametrize("case", MALFORMED)
def test_octets_that_are_no_certificate_are_a_finding(case: str) -> None:
    findings = lint(MALFORMED[case], TLS_SERVER, issuer_of(TLS_SERVER).facts)
    assert [finding.code for finding in findings] == ["tbs.malformed"]


def test_every_finding_is_an_error_that_cites_its_clause() -> None:
    for code, case in CASES:
        (finding,) = BAD[code][case].findings()
        assert finding.severity is Severity.ERROR
        assert finding.cites.startswith(("RFC ", "[MS-WCCE] "))
        assert finding.message


def found(lint: Lint, tbs: bytes, profile: Profile, facts: IssuerFacts) -> list[Finding]:
    return lint.findings(Subject(parse_tbs_certificate(tbs), profile, facts))


def test_a_lint_that_remembers_good_shapes_finds_what_one_finds_that_remembers_nothing() -> None:
    remembering = Lint()
    for profile in CATALOGUE.values():
        for kind in KINDS:
            key = own_key_of(profile) if profile.self_signed else kind
            if key_kind(public_key(key)) not in profile.key_kinds:
                continue
            if key == "rsa-2048" and profile.rsa_bits_minimum > 2048:
                continue
            facts = issuer_of(profile).facts
            assert found(remembering, tbs_of(a_draft(profile, key)), profile, facts) == []
            if profile.name_kinds and not profile.subject_required:
                octets = tbs_of(a_draft(profile, key, subject=EMPTY_NAME))
                assert found(remembering, octets, profile, facts) == []
    for code, case in CASES:
        variant = BAD[code][case]
        facts = issuer_of(variant.profile).facts
        for _again in range(2):
            findings = found(remembering, variant.tbs(), variant.profile, facts)
            assert [finding.code for finding in findings] == [code]


def test_several_faults_are_several_findings() -> None:
    codes = server(version=0, serial=0, extensions={SAN: None}).codes()
    assert sorted(codes) == [
        "serial-number.out-of-bounds",
        "subject-alternative-name.missing",
        "version.not-3",
    ]


@pytest.mark.parametrize("profile", CATALOGUE.values(), ids=lambda each: each.name)
def test_a_good_certificate_has_no_finding(profile: Profile) -> None:
    assert Variant(profile).codes() == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("profile", [TLS_SERVER, TLS_CLIENT], ids=lambda each: each.name)
def test_a_subscriber_may_bring_any_kind_of_key(profile: Profile, kind: str) -> None:
    octets = tbs_of(a_draft(profile, kind))
    assert lint(octets, profile, issuer_of(profile).facts) == []


def test_a_key_that_cannot_be_read_is_two_findings_and_no_crash() -> None:
    identifier = {oids.SUBJECT_KEY_IDENTIFIER: extensions.subject_key_identifier(bytes(20))}
    variant = Broken(TLS_SERVER, extensions=identifier)
    assert variant.codes() == ["public-key.malformed", "subject-key-identifier.mismatch"]


class Broken(Variant):
    def tbs(self) -> bytes:
        octets = super().tbs()
        key = public_key("p256")
        # As long as a key, and no key.
        return octets.replace(key, encode_octet_string(bytes(len(key) - 2)))
