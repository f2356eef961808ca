"""What the rules still allow: the last value before each finding."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tegata.issuance.rules import EMPTY_NAME
from tegata.kernel.problem import Problem, ProblemCode
from tegata.pkix import extensions, oids
from tegata.pkix.der import PRINTABLE_STRING, encode_oid, encode_sequence, encode_set_of, wrap
from tegata.pkix.extensions import KeyUsage
from tegata.pkix.names import GeneralName, GeneralNameKind, encode_name
from tegata.profiles.catalogue import (
    CATALOGUE,
    ISSUING_CA,
    OCSP_RESPONDER,
    ROOT_CA,
    TLS_CLIENT,
    TLS_SERVER,
    get_profile,
    get_public_profile,
)
from tegata.profiles.lint import RULE_SET, RULES
from tegata.profiles.model import NAMES_MAXIMUM, NO_EXPIRATION, Profile
from tegata.profiles.public_key import key_kind
from tegata.profiles.subject_alternative_name import is_dns_name
from tegata.profiles.weak_rsa import modulus_weakness
from tests.issuance.drafts import ISSUER_END, NOW
from tests.pkix.keys import KINDS, public_key
from tests.pkix.test_csr import rsa_spki
from tests.profiles.variants import Variant, dns, general

SAN = oids.SUBJECT_ALTERNATIVE_NAME


@pytest.mark.parametrize("profile", CATALOGUE.values(), ids=lambda each: each.name)
def test_a_validity_period_may_be_exactly_the_longest(profile: Profile) -> None:
    # notAfter is inclusive: the period lasts one second longer than the difference.
    if profile.no_expiration:
        assert Variant(profile, not_before=NOW, not_after=NO_EXPIRATION).codes() == []
        return
    end = NOW + profile.max_validity - timedelta(seconds=1)
    assert Variant(profile, not_before=NOW, not_after=end).codes() == []


def test_a_certificate_may_be_valid_for_one_second() -> None:
    assert Variant(TLS_SERVER, not_before=NOW, not_after=NOW).codes() == []


def test_a_certificate_may_end_with_its_issuer() -> None:
    variant = Variant(TLS_SERVER, not_before=ISSUER_END - timedelta(days=1), not_after=ISSUER_END)
    assert variant.codes() == []


@pytest.mark.parametrize("serial", [1, 0x7F, 0x80, 1 << 158, (1 << 159) - 1])
def test_a_serial_number_may_have_twenty_octets(serial: int) -> None:
    assert Variant(TLS_SERVER, serial=serial).codes() == []


@pytest.mark.parametrize("character", ["a", "手", "é", "𠮷"])
def test_a_common_name_may_have_64_characters_however_many_octets(character: str) -> None:
    name = encode_name([(oids.COMMON_NAME, character * 64)])
    assert Variant(TLS_CLIENT, subject=name).codes() == []


@pytest.mark.parametrize(
    ("kind", "length"),
    [
        (oids.ORGANIZATION, 64),
        (oids.ORGANIZATIONAL_UNIT, 64),
        (oids.SERIAL_NUMBER, 64),
        (oids.LOCALITY, 128),
        (oids.STATE_OR_PROVINCE, 128),
    ],
)
def test_an_attribute_may_be_as_long_as_its_upper_bound(kind: str, length: int) -> None:
    assert Variant(TLS_CLIENT, subject=encode_name([(kind, "1" * length)])).codes() == []


def test_a_common_name_may_be_a_printable_string() -> None:
    attribute = encode_sequence(encode_oid(oids.COMMON_NAME), wrap(PRINTABLE_STRING, b"a"))
    subject = encode_sequence(encode_set_of([attribute]))
    assert Variant(TLS_CLIENT, subject=subject).codes() == []


def test_an_organizational_unit_may_stand_twice() -> None:
    units = [(oids.ORGANIZATIONAL_UNIT, "a"), (oids.ORGANIZATIONAL_UNIT, "b")]
    assert Variant(TLS_CLIENT, subject=encode_name(units)).codes() == []


@pytest.mark.parametrize("count", [1, NAMES_MAXIMUM])
def test_a_certificate_may_have_so_many_names(count: int) -> None:
    names = dns(*(f"n{each}.test" for each in range(count)))
    assert Variant(TLS_CLIENT, extensions={SAN: names}).codes() == []


def test_a_common_name_may_differ_from_its_alternative_name_in_case() -> None:
    subject = encode_name([(oids.COMMON_NAME, "WWW.Example.TEST")])
    assert Variant(TLS_SERVER, subject=subject).codes() == []


def test_a_common_name_may_repeat_an_address() -> None:
    subject = encode_name([(oids.COMMON_NAME, "2001:db8::1")])
    assert Variant(TLS_SERVER, subject=subject).codes() == []


def test_a_common_name_may_be_the_wildcard_that_is_certified() -> None:
    subject = encode_name([(oids.COMMON_NAME, "*.api.example.test")])
    assert Variant(TLS_SERVER, subject=subject).codes() == []


def test_a_server_certificate_may_have_no_subject() -> None:
    names = extensions.subject_alternative_name(
        [GeneralName(GeneralNameKind.DNS, "a.test")], critical=True
    )
    assert Variant(TLS_SERVER, subject=EMPTY_NAME, extensions={SAN: names}).codes() == []


def test_a_client_certificate_may_have_no_alternative_name() -> None:
    assert Variant(TLS_CLIENT, extensions={SAN: None}).codes() == []


@pytest.mark.parametrize(
    "name",
    [
        "localhost",
        "a.b",
        "1.a",
        "a-b.test",
        "xn--wgv71a119e.test",
        "0.0.0.a1",
        "*.example.test",
        "a" * 63 + ".test",
        ".".join(["a" * 63] * 3 + ["a" * 61]),
    ],
)
def test_a_host_name_may_look_like_this(name: str) -> None:
    assert is_dns_name(name)
    assert Variant(TLS_CLIENT, extensions={SAN: dns(name)}).codes() == []


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (GeneralNameKind.EMAIL, "a@b.test"),
        (GeneralNameKind.EMAIL, "Taro.Yamada+x@Example.TEST"),
        (GeneralNameKind.EMAIL, "a" * 64 + "@b.test"),
        (GeneralNameKind.URI, "spiffe://example.test/a"),
        (GeneralNameKind.URI, "urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        (GeneralNameKind.URI, "https://[2001:db8::1]:8443/a?b=%20#c"),
        (GeneralNameKind.URI, "sip:a@b.test"),
    ],
)
def test_an_address_or_uri_may_look_like_this(kind: GeneralNameKind, text: str) -> None:
    assert Variant(TLS_CLIENT, extensions={SAN: general(GeneralName(kind, text))}).codes() == []


def modulus(bits: int) -> int:
    """The least number of so many bits that nothing speaks against as a modulus."""
    number = (1 << (bits - 1)) + 1
    while modulus_weakness(number):
        number += 2
    return number


@pytest.mark.parametrize("bits", [2048, 2049, 3072, 4096, 8192])
def test_an_rsa_key_may_have_so_many_bits(bits: int) -> None:
    key = rsa_spki(modulus(bits), 65_537)
    assert Variant(TLS_CLIENT, key=key).codes() == []


@pytest.mark.parametrize("exponent", [65_537, 65_539, (1 << 255) + 1])
def test_an_rsa_exponent_may_be_this(exponent: int) -> None:
    assert Variant(TLS_CLIENT, key=rsa_spki(modulus(2048), exponent)).codes() == []


def test_only_a_server_with_an_rsa_key_may_be_sent_keys() -> None:
    usage = extensions.key_usage(KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_ENCIPHERMENT)
    with_usage = {oids.KEY_USAGE: usage}
    rsa = public_key("rsa-2048")
    assert Variant(TLS_SERVER, key=rsa, extensions=with_usage).codes() == []
    assert Variant(TLS_SERVER, extensions=with_usage).codes() == ["key-usage.not-as-profiled"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_of_a_key_is_told(kind: str) -> None:
    expected = f"ec-{kind}" if kind.startswith("p") else kind.removesuffix("-2048")
    assert key_kind(public_key(kind)) == expected


def test_a_root_bounds_no_path_and_an_issuing_ca_signs_no_ca() -> None:
    assert ROOT_CA.path_length is None
    assert ISSUING_CA.path_length == 0


def test_a_tenant_may_ask_for_public_profiles_only() -> None:
    assert [get_public_profile(each.name) for each in (TLS_SERVER, TLS_CLIENT)]
    for profile in (ROOT_CA, ISSUING_CA, OCSP_RESPONDER):
        assert get_profile(profile.name) is profile
        with pytest.raises(Problem) as caught:
            get_public_profile(profile.name)
        assert caught.value.code is ProblemCode.PROFILE_UNKNOWN


def test_a_profile_that_does_not_exist_is_refused() -> None:
    with pytest.raises(Problem) as caught:
        get_profile("no-such-profile")
    assert caught.value.code is ProblemCode.PROFILE_UNKNOWN


def test_every_validity_of_a_profile_is_within_its_own_maximum() -> None:
    assert all(each.validity <= each.max_validity for each in CATALOGUE.values())


def test_every_rule_runs_once() -> None:
    assert len(set(RULES)) == len(RULES) == 30
    assert len(RULE_SET) == 32
