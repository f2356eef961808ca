"""Policies, name constraints and account identifiers, against `cryptography` and pyasn1."""

from __future__ import annotations

import ipaddress

import pytest
from cryptography import x509
from pyasn1.codec.der.decoder import decode
from pyasn1_alt_modules import rfc5280

from tegata.pkix.der import NULL_VALUE, DerError, Extension, encode_sequence
from tegata.pkix.der import decode as decode_strictly
from tegata.pkix.names import GeneralName, GeneralNameKind
from tegata.pkix.policy_extensions import (
    CertificatePolicy,
    NameConstraints,
    encode_certificate_policies,
    encode_name_constraints,
    parse_security_identifier,
    security_identifier,
)

# Octets of a domain controller's own ([MS-WCCE] section 2.2.2.7.7.4), for a made-up account.
SID = "S-1-5-21-1-2-3-1001"
SID_VALUE = bytes.fromhex(
    "3025a023060a2b060104018237190201a0150413532d312d352d32312d312d322d332d31303031"
)


def test_policies_are_what_cryptography_makes_of_them() -> None:
    octets = encode_certificate_policies(
        [
            CertificatePolicy("1.2.3.4", "https://a.test/cps", "お読みください"),
            CertificatePolicy("1.2.3.5"),
        ]
    )
    notice = x509.UserNotice(None, "お読みください")
    independent = x509.CertificatePolicies(
        [
            x509.PolicyInformation(
                x509.ObjectIdentifier("1.2.3.4"), ["https://a.test/cps", notice]
            ),
            x509.PolicyInformation(x509.ObjectIdentifier("1.2.3.5"), None),
        ]
    )
    assert octets == independent.public_bytes()


def test_name_constraints_are_what_cryptography_makes_of_them() -> None:
    constraints = NameConstraints(
        (
            GeneralName(GeneralNameKind.DNS, "example.test"),
            GeneralName(GeneralNameKind.IP, "192.0.2.0/24"),
            GeneralName(GeneralNameKind.IP, "2001:db8::/32"),
        ),
        (
            GeneralName(GeneralNameKind.EMAIL, ".example.org"),
            GeneralName(GeneralNameKind.URI, "www.example.org"),
        ),
    )
    octets = encode_name_constraints(constraints)
    independent = x509.NameConstraints(
        [
            x509.DNSName("example.test"),
            x509.IPAddress(ipaddress.ip_network("192.0.2.0/24")),
            x509.IPAddress(ipaddress.ip_network("2001:db8::/32")),
        ],
        [x509.RFC822Name(".example.org"), x509.UniformResourceIdentifier("www.example.org")],
    )
    assert octets == independent.public_bytes()
    decoded, rest = decode(octets, asn1Spec=rfc5280.NameConstraints())
    assert (len(decoded["permittedSubtrees"]), len(decoded["excludedSubtrees"]), rest) == (
        3, 2, b"",
    )  # fmt: skip


def test_an_account_is_written_as_domain_controllers_write_it() -> None:
    extension = decode_strictly(Extension, security_identifier(SID))
    assert (extension.critical, extension.value) == (False, SID_VALUE)
    assert parse_security_identifier(SID_VALUE) == SID


@pytest.mark.parametrize(
    "octets",
    [
        NULL_VALUE,
        encode_sequence(),
        SID_VALUE[:-1],
        SID_VALUE + b"\x00",
        SID_VALUE.replace(b"\x19\x02\x01", b"\x19\x02\x02"),
        SID_VALUE.replace(b"S-1", b"\xff-1"),
    ],
)
def test_an_account_written_otherwise_is_refused(octets: bytes) -> None:
    with pytest.raises(DerError):
        parse_security_identifier(octets)
