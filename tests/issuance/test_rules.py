"""The validity period, and the way of a draft through lint and serial."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tegata.issuance.rules import (
    BACKDATE,
    EMPTY_NAME,
    PLACEHOLDER_SERIAL,
    CertificateTemplate,
    lint_draft,
    template_key,
    under_serial,
    validity_period,
)
from tegata.issuance.serials import OCTETS
from tegata.kernel.problem import Problem, ProblemCode
from tegata.pkix import oids
from tegata.pkix.certificate import parse_tbs_certificate
from tegata.pkix.names import GeneralName, GeneralNameKind
from tegata.profiles.catalogue import CATALOGUE, ROOT_CA, TLS_CLIENT, TLS_SERVER
from tegata.profiles.model import NO_EXPIRATION, Profile
from tests.issuance.drafts import a_draft, a_place, issuer_of, tbs_of
from tests.pkix.keys import public_key

NOW = datetime(2026, 7, 1, 12, 0, 0, 999_999, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("profile", CATALOGUE.values(), ids=lambda each: each.name)
def test_a_validity_period_lasts_as_long_as_the_profile_says(profile: Profile) -> None:
    not_before, not_after = validity_period(profile, NOW, None)
    if profile.no_expiration:
        assert not_after == NO_EXPIRATION
    else:
        assert not_after - not_before + SECOND == profile.validity


def test_a_validity_period_starts_a_little_before_now_on_a_whole_second() -> None:
    not_before, not_after = validity_period(TLS_SERVER, NOW, None)
    assert not_before == NOW.replace(microsecond=0) - BACKDATE
    assert not_before.microsecond == not_after.microsecond == 0


def test_a_validity_period_ends_with_its_issuers_at_the_latest() -> None:
    end = NOW.replace(microsecond=0) + timedelta(days=1)
    assert validity_period(TLS_SERVER, NOW, end)[1] == end


def test_a_validity_period_that_ends_before_its_issuers_is_left_alone() -> None:
    _not_before, free = validity_period(TLS_SERVER, NOW, None)
    assert validity_period(TLS_SERVER, NOW, free)[1] == free
    assert validity_period(TLS_SERVER, NOW, free + SECOND)[1] == free
    assert validity_period(TLS_SERVER, NOW, free - SECOND)[1] == free - SECOND


def test_a_draft_under_an_issuer_that_has_ended_is_refused() -> None:
    issuer = issuer_of(TLS_SERVER)
    ended = replace(issuer, facts=replace(issuer.facts, not_after=NOW - timedelta(days=1)))
    not_before, not_after = validity_period(TLS_SERVER, NOW, ended.facts.not_after)
    draft = replace(a_draft(TLS_SERVER), not_before=not_before, not_after=not_after)
    with pytest.raises(Problem) as caught:
        tbs_of(draft, ended)
    assert [finding.code for finding in caught.value.findings] == ["validity.reversed"]


def test_a_refused_draft_carries_every_finding() -> None:
    names = (GeneralName(GeneralNameKind.DNS, "not a host"),)
    draft = replace(a_draft(TLS_SERVER, names=names), public_key=public_key("secp256k1"))
    with pytest.raises(Problem) as caught:
        tbs_of(draft)
    assert caught.value.code is ProblemCode.LINT_REFUSED
    assert [finding.code for finding in caught.value.findings] == [
        "subject-alternative-name.syntax",
        "subject.common-name-not-certified",
        "public-key.algorithm-not-allowed",
    ]


def test_the_octets_under_the_serial_differ_from_the_linted_ones_in_the_serial_only() -> None:
    draft, issuer = a_draft(TLS_SERVER), issuer_of(TLS_SERVER)
    linted = lint_draft(draft, CertificateTemplate(TLS_SERVER, issuer, draft.public_key), issuer)
    place = a_place(draft)
    reserved = under_serial(linted, place, issuer.facts)
    assert reserved.place is place
    placeholder = replace(place, serial=PLACEHOLDER_SERIAL)
    shape = under_serial(linted, placeholder, issuer.facts).tbs
    assert reserved.tbs == shape.replace(
        PLACEHOLDER_SERIAL.to_bytes(OCTETS, "big"), place.serial.to_bytes(OCTETS, "big"), 1
    )


def test_a_template_serves_every_draft_of_its_key() -> None:
    issuer = issuer_of(TLS_SERVER)
    template = CertificateTemplate(TLS_SERVER, issuer, public_key("p256"))
    for kind in ("p256", "p384", "p521", "ed25519"):
        draft = a_draft(TLS_SERVER, kind)
        own = CertificateTemplate(TLS_SERVER, issuer, draft.public_key)
        assert template.extensions(draft, "http://a/1.crl") == own.extensions(
            draft, "http://a/1.crl"
        )


def test_a_template_for_another_kind_of_key_is_another() -> None:
    assert template_key(a_draft(TLS_SERVER, "rsa-2048")) != template_key(a_draft(TLS_SERVER))
    assert template_key(a_draft(TLS_CLIENT)) != template_key(a_draft(TLS_SERVER))


def test_alternative_names_are_critical_without_a_subject_and_only_then() -> None:
    for subject in (EMPTY_NAME, None):
        read = parse_tbs_certificate(tbs_of(a_draft(TLS_SERVER, subject=subject)))
        names = read.extensions[oids.SUBJECT_ALTERNATIVE_NAME]
        assert names.critical == (subject is EMPTY_NAME)


def test_a_certificate_without_names_has_no_such_extension() -> None:
    read = parse_tbs_certificate(tbs_of(a_draft(TLS_CLIENT, names=())))
    assert oids.SUBJECT_ALTERNATIVE_NAME not in read.extensions


def test_a_root_does_not_say_where_its_status_is() -> None:
    read = parse_tbs_certificate(tbs_of(a_draft(ROOT_CA)))
    assert oids.CRL_DISTRIBUTION_POINTS not in read.extensions
    assert oids.AUTHORITY_INFORMATION_ACCESS not in read.extensions
