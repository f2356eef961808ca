"""nameConstraints: read, and applied to names (RFC 5280 section 4.2.1.10)."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from cryptography import x509
from cryptography.x509 import oid

from tegata.pkix.der import DerError, content_of
from tegata.pkix.name_constraints import constraint_base, escapes, parse_name_constraints, widens
from tegata.pkix.names import GeneralName, GeneralNameKind
from tegata.pkix.policy_extensions import NameConstraints, encode_name_constraints


def base(text: str) -> GeneralName:
    kind, _, value = text.partition(":")
    return constraint_base(kind, value)


def name(text: str) -> GeneralName:
    kind, _, value = text.partition(":")
    return GeneralName(GeneralNameKind(kind), value)


def limits(permitted: str = "", excluded: str = "") -> NameConstraints:
    return NameConstraints(
        tuple(base(each) for each in permitted.split()),
        tuple(base(each) for each in excluded.split()),
    )


@pytest.mark.parametrize(
    ("constraints", "inside", "outside"),
    [
        (limits("dns:example.jp"), "dns:example.jp dns:a.b.example.jp dns:*.example.jp",
         "dns:badexample.jp dns:jp dns:example.jp.evil dns:*.jp"),
        (limits("", "dns:example.jp"), "dns:other.jp email:a@example.jp",
         "dns:example.jp dns:www.EXAMPLE.jp dns:*.jp"),
        (limits("email:example.jp"), "email:a@example.jp email:a@EXAMPLE.JP",
         "email:a@mail.example.jp email:a@evil"),
        (limits("email:.example.jp"), "email:a@mail.example.jp", "email:a@example.jp"),
        (limits("email:a@example.jp"), "email:a@example.jp", "email:A@example.jp email:b@x.jp"),
        (limits("uri:.example.jp"), "uri:https://u@www.example.jp:8443/x", "uri:https://example.jp/"),
        (limits("uri:example.jp"), "uri:https://example.jp/a@b",
         "uri:https://www.example.jp uri:https://evil/@example.jp"),
        (limits("ip:192.0.2.0/24 ip:2001:db8::/32"), "ip:192.0.2.7 ip:2001:db8::1",
         "ip:192.0.3.1 ip:2001:db9::1"),
        (limits("dns:example.jp"), "ip:192.0.2.7 email:a@evil.jp", "dns:evil.jp"),
    ],
)  # fmt: skip
def test_names_lie_inside_or_outside(
    constraints: NameConstraints, inside: str, outside: str
) -> None:
    for each in inside.split():
        assert escapes([name(each)], constraints) is None
    for each in outside.split():
        assert escapes([name(each)], constraints) == name(each)


def test_a_base_below_one_above_does_not_widen() -> None:
    above = limits("dns:example.jp email:.example.jp ip:192.0.2.0/24 uri:.example.jp")
    for text in ("dns:a.example.jp", "email:a@x.example.jp", "email:x.example.jp",
                 "ip:192.0.2.128/25", "uri:www.example.jp", "uri:.a.example.jp"):  # fmt: skip
        assert widens(limits(text), above) is None
    for text in ("dns:jp", "email:example.jp", "ip:192.0.0.0/16", "ip:2001:db8::/32",
                 "uri:example.jp"):  # fmt: skip
        assert widens(limits(text), above) == base(text)


def test_the_octets_are_those_of_another_library() -> None:
    ours = limits(
        "dns:example.jp ip:192.0.2.0/24 email:.example.jp", "uri:.evil.jp ip:2001:db8::/32"
    )
    octets = encode_name_constraints(ours)
    theirs = x509.NameConstraints(
        [x509.DNSName("example.jp"), x509.IPAddress(ip_network("192.0.2.0/24")),
         x509.RFC822Name(".example.jp")],
        [x509.UniformResourceIdentifier(".evil.jp"),
         x509.IPAddress(ip_network("2001:db8::/32"))],
    )  # fmt: skip
    assert theirs.oid == oid.ExtensionOID.NAME_CONSTRAINTS
    assert theirs.public_bytes() == octets
    assert parse_name_constraints(octets) == ours


@pytest.mark.parametrize(
    "octets",
    [
        "3000",  # empty
        "3002a000",  # empty, with a field
        "3005a003300182",  # cut short
        "300ca00a30088206652e6a7000",  # not one element
        "300aa208300682046a702e78",  # another field
        "300ca00a30088206a96b2e6a7078",  # not IA5String
        "3010a00e300c870ac0000200ffff00ff00ff",  # not 8 or 32 octets
        "300ea00c300a8708c0000200ff00ff00",  # a mask with holes
        "300ea00c300a8708c0000201ffffff00",  # bits outside the mask
        "3008a00630048802abcd",  # a kind that is not known
    ],
)
def test_what_cannot_be_applied_is_not_read(octets: str) -> None:
    with pytest.raises(DerError):
        parse_name_constraints(bytes.fromhex(octets))


@pytest.mark.parametrize(
    "text",
    ["dns:.example.jp", "dns:", "dns:ex ample", "ip:192.0.2.1/24", "upn:a", "x", "dns:例.jp",
     "uri:https://a", "email:@"],
)  # fmt: skip
def test_what_is_no_base_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        base(text)


def test_content_of_a_constraint_is_strict() -> None:
    with pytest.raises(DerError):
        content_of(encode_name_constraints(limits("dns:a.jp")) + b"\0", 0x30)
