"""What we encode, under pkilint's linters of RFC 5280 and RFC 6960."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

import pytest

from tegata.issuance.rules import EMPTY_NAME
from tegata.pkix.certificate import assemble
from tegata.pkix.crl import RevocationReason, encode_crl_entry, encode_tbs_cert_list
from tegata.pkix.extensions import key_identifier
from tegata.pkix.names import GeneralName, GeneralNameKind
from tegata.pkix.ocsp import SingleResponse, encode_ocsp_response, encode_response_data
from tegata.profiles.catalogue import CATALOGUE, OCSP_RESPONDER, TLS_CLIENT, TLS_SERVER
from tests.issuance.drafts import ISSUING_NAME, a_draft, issuer_of, tbs_of
from tests.pkix.keys import ECDSA_SHA256, KINDS, public_key, sign_p256
from tests.pkix.test_ocsp import cert_id_of

NOW: Final = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)
METHOD_1: Final = "pkix.subject_key_identifier_rfc7093_method_1_identified"
WILDCARD: Final = "pkix.invalid_domain_name_syntax"
SCHEME: Final = "pkix.invalid_uri_syntax"
# Finding code -> why it is no fault.
ALLOWED: Final[Mapping[str, str]] = {
    METHOD_1: "says by which method of RFC 7093 the key identifier was made: information",
    WILDCARD: "takes a wildcard label for a syntax error, which RFC 9525 section 6.3 allows",
    SCHEME: "knows the schemes of the web only, not those of workload identities (SPIFFE) or URNs",
}
HOST: Final = GeneralName(GeneralNameKind.DNS, "www.example.test")
PLAIN_NAMES: Final = {
    "tls-server": (
        HOST,
        GeneralName(GeneralNameKind.IP, "192.0.2.1"),
        GeneralName(GeneralNameKind.IP, "2001:db8::1"),
    ),
    "tls-client": (
        HOST,
        GeneralName(GeneralNameKind.EMAIL, "hanako@example.test"),
        GeneralName(GeneralNameKind.URI, "https://example.test/workload/7"),
    ),
}

Linter = Callable[[bytes], set[str]]


def _linter(container: Any, loader_name: str) -> Linter:
    loader = getattr(importlib.import_module("pkilint.loader"), loader_name)()

    def lint(octets: bytes) -> set[str]:
        return {
            description.finding.code
            for result in container.validate(loader.load_der_document(octets, "test").root)
            for description in result.finding_descriptions
        }

    return lint


@cache
def certificate_linter() -> Linter:
    """pkilint takes a second to import, so nothing imports it until it is used."""
    certificate = importlib.import_module("pkilint.pkix.certificate")
    name = importlib.import_module("pkilint.pkix.name")
    extension = importlib.import_module("pkilint.pkix.extension")
    container = certificate.create_pkix_certificate_validator_container(
        certificate.create_decoding_validators(
            name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS
        ),
        [
            certificate.create_issuer_validator_container([]),
            certificate.create_validity_validator_container(),
            certificate.create_subject_validator_container([]),
            certificate.create_extensions_validator_container([]),
            certificate.create_spki_validator_container([]),
        ],
    )
    return _linter(container, "RFC5280CertificateDocumentLoader")


@cache
def crl_linter() -> Linter:
    pkix = importlib.import_module("pkilint.pkix")
    crl = importlib.import_module("pkilint.pkix.crl")
    name = importlib.import_module("pkilint.pkix.name")
    extension = importlib.import_module("pkilint.pkix.extension")
    container = crl.create_pkix_crl_validator_container(
        [
            pkix.create_attribute_decoder(name.ATTRIBUTE_TYPE_MAPPINGS),
            pkix.create_extension_decoder(extension.EXTENSION_MAPPINGS),
        ],
        [
            crl.create_issuer_validator_container([]),
            crl.create_validity_validator_container([]),
            crl.create_extensions_validator_container([]),
        ],
    )
    return _linter(container, "RFC5280CertificateListDocumentLoader")


@cache
def ocsp_linter() -> Linter:
    pkix = importlib.import_module("pkilint.pkix")
    ocsp = importlib.import_module("pkilint.pkix.ocsp")
    name = importlib.import_module("pkilint.pkix.name")
    extension = importlib.import_module("pkilint.pkix.extension")
    container = ocsp.create_pkix_ocsp_response_validator_container(
        [
            ocsp.create_response_decoder(),
            pkix.create_attribute_decoder(name.ATTRIBUTE_TYPE_MAPPINGS),
            pkix.create_extension_decoder(extension.EXTENSION_MAPPINGS),
        ],
        [],
    )
    return _linter(container, "RFC6960OCSPResponseDocumentLoader")


def certificate(
    profile: str,
    key: str | None = None,
    subject: bytes | None = None,
    names: tuple[GeneralName, ...] | None = None,
) -> bytes:
    draft = a_draft(
        CATALOGUE[profile], key, subject=subject, names=names or PLAIN_NAMES.get(profile)
    )
    tbs = tbs_of(draft)
    return assemble(tbs, ECDSA_SHA256, sign_p256(issuer_of(draft.profile).name, tbs))


@pytest.mark.parametrize("profile", ["root-ca", "issuing-ca", "ocsp-responder"])
def test_a_certificate_of_the_hierarchy_is_clean(profile: str) -> None:
    assert certificate_linter()(certificate(profile)) == {METHOD_1}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("profile", ["tls-server", "tls-client"])
def test_a_certificate_of_a_subscriber_is_clean(profile: str, kind: str) -> None:
    assert certificate_linter()(certificate(profile, kind)) == {METHOD_1}


@pytest.mark.parametrize("profile", ["tls-server", "tls-client"])
def test_a_certificate_without_subject_is_clean(profile: str) -> None:
    assert certificate_linter()(certificate(profile, subject=EMPTY_NAME)) == {METHOD_1}


def test_a_wildcard_is_the_only_thing_found_in_a_certificate_that_has_one() -> None:
    wildcard = GeneralName(GeneralNameKind.DNS, "*.example.test")
    octets = certificate("tls-server", names=(HOST, wildcard))
    assert certificate_linter()(octets) == {METHOD_1, WILDCARD}


def test_a_scheme_is_the_only_thing_found_in_a_certificate_of_a_workload() -> None:
    workload = GeneralName(GeneralNameKind.URI, "spiffe://example.test/workload/7")
    octets = certificate("tls-client", names=(workload,))
    assert certificate_linter()(octets) == {METHOD_1, SCHEME}


def crl(*reasons: RevocationReason, until: datetime = NOW + timedelta(days=7)) -> bytes:
    tbs = encode_tbs_cert_list(
        issuer=ISSUING_NAME,
        this_update=NOW,
        next_update=until,
        entries=[
            encode_crl_entry(place + 1, NOW - timedelta(hours=place), reason)
            for place, reason in enumerate(reasons)
        ],
        authority_key=key_identifier(public_key("issuing")),
        number=1,
        signature_algorithm=ECDSA_SHA256,
    )
    return assemble(tbs, ECDSA_SHA256, sign_p256("issuing", tbs))


@pytest.mark.parametrize(
    "reasons",
    [(), (RevocationReason.UNSPECIFIED,) * 3, tuple(RevocationReason)],
    ids=["empty", "without reasons", "with every reason"],
)
def test_a_crl_is_clean(reasons: tuple[RevocationReason, ...]) -> None:
    assert crl_linter()(crl(*reasons)) == set()


RESPONSES: Final = {
    "good": SingleResponse(cert_id_of(), None, True, NOW, NOW + timedelta(hours=1)),
    "unknown": SingleResponse(cert_id_of(), None, False, NOW, NOW + timedelta(hours=1)),
    "revoked": SingleResponse(
        cert_id_of(),
        (NOW - timedelta(days=1), RevocationReason.KEY_COMPROMISE),
        True,
        NOW,
        NOW + timedelta(hours=1),
    ),
    "revoked without a reason": SingleResponse(
        cert_id_of(),
        (NOW - timedelta(days=1), RevocationReason.UNSPECIFIED),
        True,
        NOW,
        NOW + timedelta(hours=1),
    ),
}


@pytest.mark.parametrize("nonce", [None, bytes(range(32))], ids=["no nonce", "nonce"])
@pytest.mark.parametrize("answer", RESPONSES)
def test_an_ocsp_response_is_clean(answer: str, nonce: bytes | None) -> None:
    data = encode_response_data(
        responder_key=public_key("responder"),
        produced_at=NOW,
        responses=[RESPONSES[answer]],
        nonce=nonce,
        extended_revoke=answer == "revoked without a reason",
    )
    response = encode_ocsp_response(
        data, ECDSA_SHA256, sign_p256("responder", data), certificate(OCSP_RESPONDER.name)
    )
    assert ocsp_linter()(response) == set()


def test_a_planted_fault_is_found_in_a_certificate() -> None:
    octets = certificate(TLS_SERVER.name)
    version_2 = octets.replace(b"\x02\x01\x02", b"\x02\x01\x01", 1)
    assert certificate_linter()(version_2) - ALLOWED.keys()


def test_a_planted_fault_is_found_in_a_crl() -> None:
    assert crl_linter()(crl(until=NOW - timedelta(days=1)))


def test_a_planted_fault_is_found_in_an_ocsp_response() -> None:
    data = encode_response_data(
        responder_key=public_key("responder"),
        produced_at=NOW,
        responses=[SingleResponse(cert_id_of(), None, True, NOW, NOW - timedelta(days=1))],
        nonce=None,
    )
    signature = sign_p256("responder", data)
    assert ocsp_linter()(
        encode_ocsp_response(data, ECDSA_SHA256, signature, certificate(TLS_CLIENT.name))
    )


def test_every_allowed_finding_has_a_reason() -> None:
    assert all(ALLOWED.values())
