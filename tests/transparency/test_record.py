"""A tenant's record as its owner checks it, on the events of tests/standalone."""

from __future__ import annotations

import pytest

from tegata.transparency.examination import Tampered
from tegata.transparency.record import RecordCheck, ShownEvent, parse_salt
from tests.standalone.test_verify_events import TAMPERINGS, World, events

# What only the log shows, and what the command line reads before the record does.
BY_THE_LOG = {
    "the record is written anew",
    "a salt is another one",
    "an index is another one",
    "an index is no number",
}


def shown(item: dict[str, object]) -> ShownEvent:
    disclosures = item["disclosures"]
    assert isinstance(disclosures, list)
    assert isinstance(item["sequence"], int)
    canonical, digest, salt = item["canonical"], item["digest"], item["salt"]
    assert isinstance(canonical, str)
    return ShownEvent(
        item["sequence"],
        canonical.encode(),
        str(digest),
        tuple(disclosures),
        parse_salt(str(salt)),
        None,
    )


def read_all(world: World) -> None:
    check = RecordCheck()
    for item in world.items:
        check.take(shown(item))


def test_a_whole_record_is_read_with_its_values_and_refusals() -> None:
    check = RecordCheck()
    read = [check.take(shown(item)) for item in events(7)]
    assert [event.refused for event in read] == [False, False, True, False, False, True, False]
    assert read[6].private == {"name": "secret 7 \u624b\u5f62"}
    assert (check.sequence, check.tenant) == (7, "ten_example")


@pytest.mark.parametrize("what", sorted(TAMPERINGS.keys() - BY_THE_LOG))
def test_both_verifiers_of_a_record_name_the_same(
    what: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tamper, name = TAMPERINGS[what]
    world = World(tmp_path_factory.mktemp("world"))
    tamper(world)
    with pytest.raises(Tampered) as raised:
        read_all(world)
    assert raised.value.code == name.partition(":")[0]
