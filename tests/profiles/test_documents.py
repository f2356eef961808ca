"""Profile documents: what is read, what is refused and where, and what a tenant may not have."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tegata.kernel.problem import Problem, ProblemCode
from tegata.pkix.extensions import KeyUsage
from tegata.profiles import catalogue
from tegata.profiles.catalogue import CATALOGUE, TLS_SERVER, built_in_document
from tegata.profiles.document import DOCUMENT_MAXIMUM, parse_canonical, parse_document
from tegata.profiles.document_errors import MESSAGES
from tegata.profiles.document_form import canonical_form
from tegata.profiles.model import Demand, Profile
from tests.house.source import PACKAGE

GOOD = """
name = "office"
[validity]
period = "30d"
maximum = "60d"
[subjectPublicKeyInfo]
algorithms = ["rsa", "ec-p256"]
[subject]
allowed = ["organizationName", "commonName"]
required = ["commonName"]
[subjectAltName]
required = true
dNSName = { minimum = 1, within = ["example.co.jp"] }
[keyUsage]
always = ["digitalSignature"]
rsa = ["keyEncipherment"]
[extKeyUsage]
purposes = ["serverAuth", "1.3.6.1.4.1.99999.7"]
[[certificatePolicies]]
policyIdentifier = "1.3.6.1.4.1.99999.2"
cPSuri = "https://pki.example.co.jp/cps"
[[extensions]]
extnID = "1.3.6.1.4.1.99999.1"
utf8String = "部署"
"""


def refused(text: str) -> dict[str, str]:
    """Code -> place of everything that is wrong with a tenant's document."""
    with pytest.raises(Problem) as caught:
        parse_document(text)
    assert caught.value.code is ProblemCode.PROFILE_INVALID
    assert caught.value.findings
    return {finding.code: finding.place for finding in caught.value.findings}


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


ALWAYS = 'always = ["digitalSignature"]'
PURPOSES = 'purposes = ["serverAuth", "1.3.6.1.4.1.99999.7"]'
EXTENSION = 'utf8String = "部署"'
# What is wrong -> the document, its code, and its place.
WRONG = {
    "an unknown field": ("colour = 1" + GOOD, "document.unknown-field", "colour"),
    "an unknown field below": (
        changed("minimum = 1", "minimun = 1"),
        "document.unknown-field",
        "subjectAltName.dNSName.minimun",
    ),
    "a wildcard for addresses": (
        changed("dNSName = {", "iPAddress = { wildcard = true }\ndNSName = {"),
        "document.unknown-field",
        "subjectAltName.iPAddress.wildcard",
    ),
    "no TOML": ("name = ", "document.syntax", ""),
    "a field twice": (GOOD + '\n[validity]\nperiod="1d"', "document.syntax", ""),
    "deep nesting": ("a = " + "[" * 30_000, "document.syntax", ""),
    "too large": ("#" * DOCUMENT_MAXIMUM + GOOD, "document.too-large", ""),
    "no name": (changed('name = "office"', ""), "document.missing-field", "name"),
    "capitals in a name": (changed('"office"', '"Office"'), "document.name", "name"),
    "a number for text": (changed('"office"', "7"), "document.type", "name"),
    "a control character": (changed("部署", "a\\u0007"), "document.text",
                            "extensions[1].utf8String"),
    "no period": (changed('period = "30d"', ""), "document.missing-field", "validity.period"),
    "a period in words": (changed("30d", "a month"), "document.duration", "validity.period"),
    "no period at all": (changed("30d", "0d"), "document.duration", "validity.period"),
    "a maximum below the period": (changed("60d", "29d"), "document.period-order",
                                   "validity.maximum"),
    "an end and a period": (
        changed("[validity]", '[validity]\nnotAfter = "99991231235959Z"'),
        "document.period-and-end",
        "validity.notAfter",
    ),
    "another end": (
        changed('period = "30d"\nmaximum = "60d"', 'notAfter = "20991231235959Z"'),
        "document.value",
        "validity.notAfter",
    ),
    "a key nobody knows": (changed("ec-p256", "dsa"), "document.value",
                           "subjectPublicKeyInfo.algorithms"),
    "no key": (changed('["rsa", "ec-p256"]', "[]"), "document.missing-field",
               "subjectPublicKeyInfo.algorithms"),
    "a short RSA key": (
        changed("[subject]", "rsaMinimumBits = 1024\n[subject]"),
        "document.number",
        "subjectPublicKeyInfo.rsaMinimumBits",
    ),
    "bits without RSA": (
        changed('["rsa", "ec-p256"]', '["ec-p256"]\nrsaMinimumBits = 3072'),
        "document.rsa-bits",
        "subjectPublicKeyInfo.rsaMinimumBits",
    ),
    "an attribute twice": (
        changed('["organizationName", "commonName"]', '["commonName", "commonName"]'),
        "document.repeated",
        "subject.allowed",
    ),
    "an attribute in another spelling": (
        changed('"organizationName", ', '"organisationName", '),
        "document.value",
        "subject.allowed",
    ),
    "one required and not allowed": (
        changed('required = ["commonName"]', 'required = ["serialNumber"]'),
        "document.not-allowed-attribute",
        "subject.required",
    ),
    "one given and not allowed": (
        changed('required = ["commonName"]', 'fixed = { title = "Dr" }'),
        "document.not-allowed-attribute",
        "subject.fixed",
    ),
    "more at least than at most": (
        changed("minimum = 1", "minimum = 3, maximum = 2"),
        "document.name-counts",
        "subjectAltName.dNSName.minimum",
    ),
    "a domain with a wildcard": (
        changed('["example.co.jp"]', '["*.example.co.jp"]'),
        "document.base",
        "subjectAltName.dNSName.within",
    ),
    "a network with bits beyond it": (
        changed("dNSName = {", 'iPAddress = { within = ["192.0.2.1/24"] }\ndNSName = {'),
        "document.base",
        "subjectAltName.iPAddress.within",
    ),
    "no key usage": (changed(ALWAYS, "always = []"), "document.no-key-usage", "keyUsage.always"),
    "no key usage table": (
        changed(f'[keyUsage]\n{ALWAYS}\nrsa = ["keyEncipherment"]', ""),
        "document.no-key-usage",
        "keyUsage.always",
    ),
    "an end entity that signs certificates": (
        changed(ALWAYS, 'always = ["digitalSignature", "keyCertSign"]'),
        "document.end-entity-key-usage",
        "keyUsage.always",
    ),
    "a usage of no key": (
        changed('["rsa", "ec-p256"]', '["ec-p256"]'),
        "document.usage-without-key",
        "keyUsage.rsa",
    ),
    "a usage that some keys cannot have": (
        changed(ALWAYS, 'always = ["digitalSignature", "keyEncipherment"]'),
        "document.usage-of-no-key",
        "keyUsage.always",
    ),
    "a server whose key may not be used": (
        changed(f'{ALWAYS}\nrsa = ["keyEncipherment"]', 'always = ["contentCommitment"]'),
        "document.purpose-key-usage",
        "keyUsage.always",
    ),
    "a server without names": (
        changed('required = true\ndNSName = { minimum = 1, within = ["example.co.jp"] }', ""),
        "document.purpose-names",
        "subjectAltName",
    ),
    "time stamping beside another": (
        changed(PURPOSES, 'purposes = ["timeStamping", "clientAuth"]\ncritical = true'),
        "document.time-stamping",
        "extKeyUsage",
    ),
    "a purpose by its number": (
        changed("1.3.6.1.4.1.99999.7", "1.3.6.1.5.5.7.3.2"),
        "document.value",
        "extKeyUsage.purposes",
    ),
    "a purpose that is no identifier": (
        changed("1.3.6.1.4.1.99999.7", "3.1.2"),
        "document.value",
        "extKeyUsage.purposes",
    ),
    "a leading zero in an identifier": (
        changed("1.3.6.1.4.1.99999.2", "1.3.06.1"),
        "document.oid",
        "certificatePolicies[1].policyIdentifier",
    ),
    "any policy": (
        changed("1.3.6.1.4.1.99999.2", "2.5.29.32.0"),
        "document.any-policy",
        "certificatePolicies",
    ),
    "an address of no web": (
        changed("https://pki", "ldap://pki"),
        "document.uri",
        "certificatePolicies[1].cPSuri",
    ),
    "a path length without a CA": (
        GOOD + "[basicConstraints]\npathLenConstraint = 0",
        "document.ca-only",
        "basicConstraints.pathLenConstraint",
    ),
    "name constraints without a CA": (
        GOOD + '[nameConstraints]\nexcludedSubtrees = { dNSName = ["a.test"] }',
        "document.ca-only",
        "nameConstraints",
    ),
    "name constraints of nothing": (
        GOOD + "[nameConstraints]",
        "document.missing-field",
        "nameConstraints.permittedSubtrees",
    ),
    "no way to the status": (
        GOOD + "[cRLDistributionPoints]\ninclude = false\n[authorityInfoAccess]\nocsp = false",
        "document.no-status",
        "authorityInfoAccess.ocsp",
    ),
    "an extension of RFC 5280": (
        changed("1.3.6.1.4.1.99999.1", "2.5.29.19"),
        "document.reserved-extension",
        "extensions[1].extnID",
    ),
    "a responder's extension": (
        changed("1.3.6.1.4.1.99999.1", "1.3.6.1.5.5.7.48.1.5"),
        "document.reserved-extension",
        "extensions[1].extnID",
    ),
    "no value": (changed(EXTENSION, ""), "document.one-of", "extensions[1].der"),
    "two values": (changed(EXTENSION, EXTENSION + "\nnull = true"), "document.one-of",
                   "extensions[1].der"),
    "half a value": (changed(EXTENSION, 'der = "0c05"'), "document.der", "extensions[1].der"),
    "more than a value": (changed(EXTENSION, 'der = "050000"'), "document.der",
                          "extensions[1].der"),
    "no hexadecimal": (changed(EXTENSION, 'der = "xy"'), "document.der", "extensions[1].der"),
    "an extension twice": (
        GOOD + '[[extensions]]\nextnID = "1.3.6.1.4.1.99999.1"\nnull = true',
        "document.repeated",
        "extensions[2].extnID",
    ),
    "nobody": (
        'name = "a"\n[validity]\nperiod = "1d"\n[keyUsage]\nalways = ["digitalSignature"]',
        "document.nobody",
        "subject.allowed",
    ),
    # What only the software's own may have.
    "a root": (
        GOOD.replace(ALWAYS, 'always = ["keyCertSign"]').replace(PURPOSES, "")
        + "[basicConstraints]\ncA = true",
        "document.not-for-tenants",
        "basicConstraints.cA",
    ),
    "a CA with a purpose": (
        changed(ALWAYS, 'always = ["keyCertSign"]') + "[basicConstraints]\ncA = true",
        "document.ca-purposes",
        "extKeyUsage.purposes",
    ),
    "a CA that does not sign": (
        changed(PURPOSES, "") + "[basicConstraints]\ncA = true",
        "document.ca-key-usage",
        "keyUsage.always",
    ),
    "a responder": (
        "ocspNoCheck = true" + changed(PURPOSES, 'purposes = ["OCSPSigning"]'),
        "document.not-for-tenants",
        "extKeyUsage.purposes",
    ),
    "a responder in disguise": (
        changed(PURPOSES, 'purposes = ["OCSPSigning"]'),
        "document.not-for-tenants",
        "extKeyUsage.purposes",
    ),
    "every purpose": (
        changed(PURPOSES, 'purposes = ["anyExtendedKeyUsage"]'),
        "document.any-purpose",
        "extKeyUsage.purposes",
    ),
    "a server for two years": (changed("60d", "730d"), "document.beyond-bounds",
                               "validity.maximum"),
    "a client for twenty years": (
        changed("60d", "7300d").replace(PURPOSES, 'purposes = ["clientAuth"]'),
        "document.beyond-bounds",
        "validity.maximum",
    ),
    "a person without end": (
        changed('period = "30d"\nmaximum = "60d"', 'notAfter = "99991231235959Z"'),
        "document.end-without-device",
        "validity.notAfter",
    ),
}  # fmt: skip
# Codes that need more than a document.
ELSEWHERE = {"document.reserved-name", "document.version", "document.too-many"}


def test_a_good_document_says_what_it_says() -> None:
    profile = parse_document(GOOD, version=7)
    assert (profile.name, profile.version, profile.public, profile.built_in) == (
        "office", 7, True, False,
    )  # fmt: skip
    assert profile.key_usage == {KeyUsage.DIGITAL_SIGNATURE}
    assert profile.key_encipherment_for_rsa
    assert profile.security_identifier is Demand.FORBIDDEN
    assert profile.custom_extensions[0].value == b"\x0c\x06" + "部署".encode()
    assert profile.reference == f"sha256:{profile.digest}"
    assert profile.subject_purpose is None


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_document_is_refused_at_its_place(case: str) -> None:
    text, code, place = WRONG[case]
    found = refused(text)
    assert code in found, found
    assert found[code] == place


def test_every_code_has_a_document_that_has_it() -> None:
    assert {code for _text, code, _place in WRONG.values()} == MESSAGES.keys() - ELSEWHERE


def test_everything_wrong_is_said_at_once() -> None:
    text = changed("60d", "1d").replace("ec-p256", "dsa").replace("example.co.jp", "*.jp")
    assert set(refused(text)) == {"document.period-order", "document.value", "document.base"}


def test_a_version_is_the_next_one() -> None:
    assert parse_document("version = 3" + GOOD, version=3).version == 3
    with pytest.raises(Problem) as caught:
        parse_document("version = 2" + GOOD, version=3)
    assert [each.code for each in caught.value.findings] == ["document.version"]


def test_lists_have_an_end() -> None:
    many = ", ".join(f'"n{n}.test"' for n in range(101))
    assert refused(changed('["example.co.jp"]', f"[{many}]")) == {
        "document.too-many": "subjectAltName.dNSName.within"
    }


def test_order_comments_and_spacing_change_no_digest() -> None:
    lines = GOOD.replace('["rsa", "ec-p256"]', '["ec-p256","rsa"]').replace("30d", "720h")
    other = "# a comment\n" + lines.replace(" = ", "=")
    assert parse_document(other).digest == parse_document(GOOD).digest
    assert parse_document(changed("30d", "29d")).digest != parse_document(GOOD).digest


@pytest.mark.parametrize(
    "profile", [parse_document(GOOD), *(each for each in CATALOGUE.values() if each.public)],
    ids=lambda each: each.name,
)  # fmt: skip
def test_the_canonical_form_reads_back(profile: Profile) -> None:
    read = parse_canonical(canonical_form(profile))
    assert (read, read.digest) == (profile, profile.digest)


@pytest.mark.parametrize("change", [
    lambda octets: octets + b" ",
    lambda octets: json.dumps(json.loads(octets)).encode(),
    lambda octets: octets.replace(b'"30d"', b'"720h"'),
    lambda _octets: b"[]",
    lambda _octets: b"\xff",
    lambda _octets: b"[" * 100_000,
])  # fmt: skip
def test_another_form_is_not_canonical(change: Callable[[bytes], bytes]) -> None:
    octets = change(canonical_form(parse_document(GOOD)))
    with pytest.raises(Problem) as caught:
        parse_canonical(octets)
    assert caught.value.code is ProblemCode.PROFILE_INVALID


@given(st.text(max_size=200))
def test_whatever_is_sent_is_refused_and_nothing_else_happens(text: str) -> None:
    with pytest.raises(Problem) as caught:
        parse_document(text)
    assert caught.value.code is ProblemCode.PROFILE_INVALID


def test_every_shipped_document_is_in_the_catalogue_and_says_who_it_is() -> None:
    folder: Path = PACKAGE / "profiles" / "documents"
    assert {path.stem for path in folder.iterdir()} == CATALOGUE.keys()
    for name, profile in CATALOGUE.items():
        assert profile.name == name
        assert profile.built_in
        assert all(profile.description), name
        assert f'name = "{name}"' in built_in_document(name)


def test_a_tenant_may_have_every_public_profile_under_a_name_of_its_own() -> None:
    for profile in CATALOGUE.values():
        text = built_in_document(profile.name).replace(f'"{profile.name}"', '"own"')
        if profile.public:
            own = parse_document(text)
            assert own.digest != profile.digest
            assert not own.built_in
        else:
            assert "document.not-for-tenants" in refused(text)


def test_constants_are_the_documents_own() -> None:
    assert TLS_SERVER is catalogue.get_profile("tls-server")
    assert TLS_SERVER.validity.days == 90
