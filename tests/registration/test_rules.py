"""A request turned into a draft, or refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tegata.issuance.rules import EMPTY_NAME, validity_period
from tegata.kernel.problem import Problem, ProblemCode
from tegata.pkix import extensions, oids
from tegata.pkix.csr import CertificateRequest, parse_csr
from tegata.pkix.der import NULL_VALUE, encode_sequence, explicit, implicit
from tegata.pkix.extensions import KeyUsage, encode_extension
from tegata.pkix.names import GeneralName, GeneralNameKind, encode_name
from tegata.profiles.catalogue import TLS_CLIENT, TLS_SERVER
from tegata.profiles.model import Profile
from tegata.registration.rules import draft_from_request
from tests.issuance.drafts import ROOT_NAME
from tests.pkix.keys import KINDS, public_key
from tests.pkix.requests import extension_request, request_der, request_info, request_pem

NOW = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)
SAN = oids.SUBJECT_ALTERNATIVE_NAME


def dns(*hosts: str) -> bytes:
    return extensions.subject_alternative_name(
        [GeneralName(GeneralNameKind.DNS, host) for host in hosts]
    )


def name(common_name: str) -> bytes:
    return encode_name([(oids.COMMON_NAME, common_name)])


def a_request(*asked: bytes, subject: bytes = EMPTY_NAME, kind: str = "p256") -> CertificateRequest:
    attributes = [extension_request(encode_sequence(*asked))] if asked else []
    info = request_info(public_key(kind), subject=subject, attributes=attributes)
    return parse_csr(request_pem(request_der(kind, info)))


def names_of(request: CertificateRequest, profile: Profile = TLS_SERVER) -> list[str]:
    return [each.value for each in draft_from_request(request, profile, NOW, None).names]


def refuse(request: CertificateRequest, profile: Profile = TLS_SERVER) -> ProblemCode:
    with pytest.raises(Problem) as caught:
        draft_from_request(request, profile, NOW, None)
    return caught.value.code


@pytest.mark.parametrize("kind", KINDS)
def test_a_draft_has_the_key_subject_and_names_of_the_request(kind: str) -> None:
    request = a_request(dns("a.test", "b.test"), subject=name("a.test"), kind=kind)
    draft = draft_from_request(request, TLS_SERVER, NOW, None)
    assert draft.profile is TLS_SERVER
    assert draft.public_key == public_key(kind)
    assert (draft.subject, draft.subject_text) == (name("a.test"), "CN=a.test")
    assert [each.value for each in draft.names] == ["a.test", "b.test"]


def test_a_draft_is_valid_within_its_issuers_life() -> None:
    end = NOW + timedelta(days=1)
    draft = draft_from_request(a_request(dns("a.test")), TLS_SERVER, NOW, end)
    assert (draft.not_before, draft.not_after) == validity_period(TLS_SERVER, NOW, end)


def test_a_servers_common_name_becomes_its_alternative_name_when_it_has_none() -> None:
    assert names_of(a_request(subject=name("www.example.test"))) == ["www.example.test"]


def test_a_servers_common_name_is_not_added_to_the_names_it_has() -> None:
    assert names_of(a_request(dns("a.test"), subject=name("b.test"))) == ["a.test"]


@pytest.mark.parametrize("common_name", ["not a host", "手形", "192.0.2.1", "a_b.test", "*.test"])
def test_a_servers_common_name_that_is_no_host_name_is_refused(common_name: str) -> None:
    assert refuse(a_request(subject=name(common_name))) is ProblemCode.CSR_NAME_REFUSED


def test_a_servers_two_common_names_are_refused() -> None:
    subject = encode_name([(oids.COMMON_NAME, "a.test"), (oids.COMMON_NAME, "b.test")])
    assert refuse(a_request(subject=subject)) is ProblemCode.CSR_NAME_REFUSED


def test_a_clients_common_name_stays_where_it_is() -> None:
    assert names_of(a_request(subject=name("www.example.test")), TLS_CLIENT) == []


def test_host_names_are_certified_in_lower_case() -> None:
    assert names_of(a_request(dns("WWW.Example.TEST"))) == ["www.example.test"]


def test_a_name_that_is_asked_for_twice_is_certified_once_where_it_stood_first() -> None:
    assert names_of(a_request(dns("b.test", "A.test", "B.TEST", "a.test"))) == ["b.test", "a.test"]


def test_the_case_of_other_names_is_kept() -> None:
    asked = extensions.subject_alternative_name(
        [
            GeneralName(GeneralNameKind.EMAIL, "Taro@Example.test"),
            GeneralName(GeneralNameKind.URI, "urn:Example:A"),
        ]
    )
    assert names_of(a_request(asked), TLS_CLIENT) == ["Taro@Example.test", "urn:Example:A"]


def test_a_request_that_names_nobody_is_refused() -> None:
    assert refuse(a_request()) is ProblemCode.CSR_NAME_REFUSED
    assert refuse(a_request(), TLS_CLIENT) is ProblemCode.CSR_NAME_REFUSED


def test_an_empty_list_of_names_names_nobody() -> None:
    assert refuse(a_request(dns()), TLS_CLIENT) is ProblemCode.CSR_NAME_REFUSED


@pytest.mark.parametrize(
    "value",
    [
        NULL_VALUE,
        encode_sequence(explicit(4, ROOT_NAME)),
        encode_sequence(implicit(7, bytes(5))),
        encode_sequence(implicit(2, b"\xe9.test")),
    ],
    ids=["no sequence", "a directory name", "an address of 5 octets", "Latin-1"],
)
def test_names_that_cannot_be_read_are_refused(value: bytes) -> None:
    request = a_request(encode_extension(SAN, value), subject=name("a.test"))
    assert refuse(request) is ProblemCode.CSR_NAME_REFUSED


def test_a_subject_that_cannot_be_read_is_refused() -> None:
    bmp_string = b"\x30\x0d\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x1e\x02\x00a"
    assert refuse(a_request(dns("a.test"), subject=bmp_string)) is ProblemCode.CSR_NAME_REFUSED


@pytest.mark.parametrize(
    "asked",
    [
        extensions.key_usage(KeyUsage.KEY_CERT_SIGN),
        extensions.extended_key_usage(oids.OCSP_SIGNING),
        extensions.basic_constraints(ca=False),
        extensions.subject_key_identifier(bytes(20)),
    ],
    ids=["keyUsage", "extKeyUsage", "basicConstraints", "subjectKeyIdentifier"],
)
def test_what_the_profile_decides_may_be_asked_for_in_vain(asked: bytes) -> None:
    assert names_of(a_request(asked, dns("a.test"))) == ["a.test"]


def test_a_request_for_a_ca_certificate_is_refused() -> None:
    asked = extensions.basic_constraints(ca=True)
    assert refuse(a_request(asked, dns("a.test"))) is ProblemCode.CSR_EXTENSION_REFUSED


def test_basic_constraints_that_cannot_be_read_are_refused() -> None:
    asked = encode_extension(oids.BASIC_CONSTRAINTS, NULL_VALUE)
    assert refuse(a_request(asked, dns("a.test"))) is ProblemCode.CSR_MALFORMED


@pytest.mark.parametrize("critical", [True, False])
@pytest.mark.parametrize(
    "extension", ["1.2.3", "2.5.29.30", oids.AUTHORITY_KEY_IDENTIFIER, oids.OCSP_NO_CHECK]
)
def test_an_extension_that_no_profile_takes_is_refused(extension: str, critical: bool) -> None:
    asked = encode_extension(extension, NULL_VALUE, critical=critical)
    assert refuse(a_request(asked, dns("a.test"))) is ProblemCode.CSR_EXTENSION_REFUSED
