"""What an issuer's own bounds refuse, beyond the profile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tegata.pkix.name_constraints import constraint_base
from tegata.pkix.names import GeneralNameKind
from tegata.pkix.policy_extensions import NameConstraints
from tegata.profiles.authority import AuthorityBounds, bounded_profile
from tegata.profiles.catalogue import ISSUING_CA, SUBORDINATE_CA, TLS_SERVER
from tegata.profiles.lint import lint
from tegata.profiles.model import IssuerFacts, Profile
from tests.issuance.drafts import issuer_of
from tests.profiles.variants import Variant


def codes(profile: Profile, issuer: IssuerFacts) -> list[str]:
    return [each.code for each in lint(Variant(profile).tbs(), profile, issuer)]


def only(base: str) -> NameConstraints:
    return NameConstraints((constraint_base(GeneralNameKind.DNS, base),))


@pytest.mark.parametrize(
    ("above", "own", "allowed"),
    [(None, None, True), (None, 3, True), (2, 1, True), (1, 1, False), (2, None, False),
     (1, 0, True), (0, 0, False)],
)  # fmt: skip
def test_a_ca_stands_within_the_path_length_above(
    above: int | None, own: int | None, *, allowed: bool
) -> None:
    base = ISSUING_CA if own == 0 else SUBORDINATE_CA
    profile = bounded_profile(base, AuthorityBounds(path_length=own))
    issuer = replace(issuer_of(profile).facts, path_length=above)
    assert codes(profile, issuer) == ([] if allowed else ["path-length.exceeds-issuer"])


def test_a_ca_does_not_widen_the_names_above() -> None:
    for base, found in (("a.example.test", []), ("test", ["name-constraints.widened"])):
        profile = bounded_profile(ISSUING_CA, AuthorityBounds(0, only(base)))
        issuer = replace(issuer_of(profile).facts, constraints=(only("example.test"),))
        assert codes(profile, issuer) == found


def test_every_constraint_above_binds_a_leaf() -> None:
    facts = issuer_of(TLS_SERVER).facts
    inside, outside = only("test"), only("example.jp")
    assert codes(TLS_SERVER, replace(facts, constraints=(inside,))) == []
    for constraints in ((outside,), (inside, outside), (outside, inside)):
        issuer = replace(facts, constraints=constraints)
        assert codes(TLS_SERVER, issuer) == ["name-constraints.escaped"]


def test_bounds_make_a_profile_that_is_remembered_apart() -> None:
    one = bounded_profile(ISSUING_CA, AuthorityBounds(0, only("one.test")))
    two = bounded_profile(ISSUING_CA, AuthorityBounds(0, only("two.test")))
    assert len({one.digest, two.digest, ISSUING_CA.digest}) == 3
    assert bounded_profile(ISSUING_CA, None) is ISSUING_CA
