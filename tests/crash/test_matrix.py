"""The platform is killed at every point of what it does: nothing promised is lost, nothing signed
is unaccounted for."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest
from _pytest.mark import ParameterSet

from tests.crash.conftest import COMBINATIONS, Combination

# What is done, and how many points it must at least have on each engine.
SCENARIOS = {
    "open-tenant": 120,
    "rekey-ca": 60,
    "create-ca": 50,
    "install-ca": 40,
    "exhaust": 30,
    "bulk": 25,
    "issue-with-key": 20,
    "issue": 20,
    "publish": 12,
    "revoke": 10,
    "release": 20,
}
# Points repeat: a commit is always made in the same steps. Each name is killed at on every
# combination, the last time that it is reached. The repetitions are killed at where it is fastest,
# and of the opening of a tenant, which makes everything twice, every other one; with
# TEGATA_CRASH_POINTS=all each of them everywhere.
EVERYWHERE = os.environ.get("TEGATA_CRASH_POINTS") == "all"
PARTS_OF_OPENING = 2
# Of what is long: each name, and every so many-th repetition.
STEPS = {"open-tenant": 2, "create-ca": 4, "rekey-ca": 4, "install-ca": 4}
# Made of steps that the others take everywhere.
WHERE_FASTEST = frozenset({"bulk", "create-ca", "rekey-ca", "install-ca"})


def cases() -> Iterator[ParameterSet]:
    """The long ones first, so that two workers end together."""
    for scenario in SCENARIOS:
        for engine, keys in COMBINATIONS:
            if scenario in WHERE_FASTEST and (engine, keys) != ("sqlite", "software"):
                continue
            long = (scenario, engine, keys) == ("open-tenant", "sqlite", "software")
            parts = PARTS_OF_OPENING if long else 1
            for part in range(parts):
                name = f"{scenario}-{engine}-{keys}" + f"-part-{part}" * (parts > 1)
                yield pytest.param((engine, keys), scenario, (part, parts), id=name)


@pytest.mark.timeout(1200 if EVERYWHERE else 300)
@pytest.mark.parametrize(
    ("combination", "scenario", "part"), list(cases()), indirect=["combination"]
)
def test_a_kill_at_any_point_loses_no_promise_and_leaves_no_unknown_signature(
    combination: Combination,
    scenario: str,
    part: tuple[int, int],
    request: pytest.FixtureRequest,
) -> None:
    dry = combination.live("dry", scenario)
    assert (dry["wrong"], dry["code"]) == ("", 0), combination.log
    points = dry["points"]
    assert len(points) >= SCENARIOS[scenario]
    chosen = to_take(points, combination, scenario)[part[0] :: part[1]]
    assert len(chosen) >= 10
    last, void, untold = "a run that was not killed", 0, 0
    for place in chosen:
        life = combination.live(f"{scenario}-{place}", scenario, place)
        assert life["wrong"] == "", f"after a kill at {last}: {life['wrong']}\n{combination.log}"
        assert (life["code"], life["killed"]) == (-9, points[place]), combination.log
        last = f"{place}, {points[place]}"
        void, untold = max(void, life["void"]), untold + life["untold"]
    end = combination.live("end")
    assert end["wrong"] == "", f"after a kill at {last}: {end['wrong']}\n{combination.log}"
    sys.stdout.write(f"{request.node.name}: {len(chosen)} of {len(points)} points\n")
    # The kills met what they were for: signatures without a certificate, and certificates and lists
    # that nobody was told of.
    assert void > 0
    assert untold > 0


def to_take(points: list[str], combination: Combination, scenario: str) -> list[int]:
    """The points that are taken on this combination; each name is there at least once."""
    if EVERYWHERE:
        return list(range(len(points)))
    fastest = (combination.base.database, combination.base.pkcs11) == (None, None)
    step = STEPS.get(scenario, 1) if fastest else len(points)
    last = {name: place for place, name in enumerate(points)}
    return sorted({*last.values(), *range(0, len(points), step)})
