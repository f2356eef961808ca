"""Which profiles the signer process lints by, and for which of its keys."""

from __future__ import annotations

import pytest

from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.signing import KeyPurpose
from tegata.profiles.catalogue import CATALOGUE
from tegata.profiles.document import parse_document
from tegata.profiles.document_form import canonical_form
from tegata.signers.profile_book import ProfileBook, ProfileMissing
from tests.profiles.test_documents import GOOD

ROOT, SUBORDINATE, ISSUING, RESPONDER = (
    KeyPurpose.ROOT_CA,
    KeyPurpose.SUBORDINATE_CA,
    KeyPurpose.ISSUING_CA,
    KeyPurpose.OCSP_RESPONDER,
)
OWN = parse_document(GOOD, version=3)


def refusal(book: ProfileBook, reference: str, purpose: KeyPurpose) -> ProblemCode:
    with pytest.raises(Problem) as caught:
        book.get(reference, purpose)
    return caught.value.code


def test_a_tenants_document_is_known_by_its_digest_once_it_was_read() -> None:
    book = ProfileBook()
    with pytest.raises(ProfileMissing):
        book.get(OWN.reference, ISSUING)
    book.load(canonical_form(OWN))
    assert book.get(OWN.reference, ISSUING) == OWN
    # Its name says nothing here: names are tenants' own.
    assert refusal(book, OWN.name, ISSUING) is ProblemCode.KEY_PURPOSE_REFUSED


@pytest.mark.parametrize("purpose", [ROOT, SUBORDINATE, RESPONDER], ids=str)
def test_a_tenants_document_is_for_issuing_keys_only(purpose: KeyPurpose) -> None:
    book = ProfileBook()
    book.load(canonical_form(OWN))
    assert refusal(book, OWN.reference, purpose) is ProblemCode.KEY_PURPOSE_REFUSED


@pytest.mark.parametrize(
    "name", [each.name for each in CATALOGUE.values() if each.subject_purpose is not None]
)
def test_a_document_of_a_ca_or_responder_is_not_taken_from_a_caller(name: str) -> None:
    book = ProfileBook()
    with pytest.raises(Problem) as caught:
        book.load(canonical_form(CATALOGUE[name]))
    assert caught.value.code is ProblemCode.PROFILE_INVALID


def is_given(book: ProfileBook, name: str, purpose: KeyPurpose) -> bool:
    try:
        book.get(name, purpose)
    except Problem:
        return False
    return True


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_built_in_profile_is_for_the_keys_that_its_kind_says(name: str) -> None:
    book, profile = ProfileBook(), CATALOGUE[name]
    allowed = {purpose for purpose in KeyPurpose if is_given(book, name, purpose)}
    if allowed:
        assert book.get(name, allowed.copy().pop()) is profile
    expected = {
        KeyPurpose.ROOT_CA: {ROOT},
        KeyPurpose.SUBORDINATE_CA: {ROOT, SUBORDINATE},
        KeyPurpose.ISSUING_CA: {ROOT, SUBORDINATE},
        KeyPurpose.OCSP_RESPONDER: {ROOT, SUBORDINATE, ISSUING},
        None: {ISSUING},
    }
    assert allowed == expected[profile.subject_purpose]


def test_a_callers_document_never_replaces_a_built_in_one() -> None:
    book = ProfileBook()
    book.load(canonical_form(parse_document(GOOD.replace('"office"', '"tls-server"'))))
    assert book.get("tls-server", ISSUING) is CATALOGUE["tls-server"]
