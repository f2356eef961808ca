"""Every parser of the single files: an answer or its own refusal, never anything else."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tegata.standalone import verify, witness
from tests.standalone.test_verify_events import NESTED, events, policy_text
from tests.standalone.witnesses import request
from tests.standalone.writer import Signer, WrittenLog, entry

LOG = WrittenLog(Signer("log.example.test/log"), [entry(number) for number in range(9)])
BUNDLE = b"".join(b"\x00\x20" + each for each in LOG.entries)

Target = tuple[Callable[[bytes], object], bytes, tuple[type[Exception], ...]]


def of_text(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda octets: parse(octets.decode("utf-8", "surrogateescape"))


def chained(octets: bytes) -> None:
    record = verify.Record()
    for event in verify.parse_export(octets):
        record.take(event)
        event.entry()


def unzip(octets: bytes) -> None:
    assert len(verify._unzip(octets, 1000)) <= 1001


REFUSED: Final = (verify.TamperedError,)
TARGETS: dict[str, Target] = {
    "vkey": (of_text(verify.parse_vkey), LOG.signer.vkey.encode(), (ValueError,)),
    "note": (verify.parse_note, LOG.checkpoint().encode(), REFUSED),
    "checkpoint": (verify.parse_checkpoint, LOG.checkpoint().encode(), REFUSED),
    "policy": (verify.parse_policy, policy_text("both", *NESTED).encode(), (ValueError,)),
    "proof": (verify.parse_proof, LOG.proof(4).encode(), REFUSED),
    "bundle": (lambda octets: verify.parse_bundle(octets, 9, 32, "a bundle"), BUNDLE, REFUSED),
    "entries of any length": (
        lambda octets: verify.parse_bundle(octets, 9, None, "a bundle"),
        BUNDLE,
        REFUSED,
    ),
    "events": (
        chained,
        json.dumps({"items": events(2)}).encode(),
        (*REFUSED, verify.CannotTellError),
    ),
    "gzip": (unzip, gzip.compress(b"a stream"), (verify.CannotTellError,)),
    "a witness's request": (witness.parse_request, request(LOG, 3, 9), (witness.RefusedError,)),
    "a witness's log": (of_text(witness.parse_log_key), LOG.signer.vkey.encode(), (ValueError,)),
    "a witness's key": (
        of_text(witness.parse_private_key),
        witness.WitnessKey("w.example.test", bytes(32)).private().encode(),
        (ValueError,),
    ),
}  # fmt: skip


def mutated(seed: bytes, chance: random.Random) -> bytes:
    """Change, cut, double or swap parts of what is good."""
    octets = bytearray(seed)
    for _ in range(chance.randrange(1, 4)):
        at, length = chance.randrange(len(octets) + 1), chance.randrange(1, 9)
        part = octets[at : at + length]
        choice = chance.randrange(5)
        if choice == 0:
            octets[at : at + length] = chance.randbytes(len(part))
        elif choice == 1:
            del octets[at : at + length]
        elif choice == 2:
            octets[at:at] = part * chance.choice((1, 2, 300))
        elif choice == 3:
            octets[at:at] = chance.choice((b"\n", b"\n\n", b" ", b"+", b"0", b"-1", b"[", b"\xff"))
        elif octets:
            octets[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)
    return bytes(octets)


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_good_is_read(name: str) -> None:
    parse, good, _refusals = TARGETS[name]
    parse(good)


@pytest.mark.parametrize("name", TARGETS)
def test_changed_input_is_read_or_refused(name: str) -> None:
    parse, good, refusals = TARGETS[name]
    chance = random.Random(name)
    refused = 0
    for _ in range(1000):
        octets = mutated(good, chance)
        try:
            parse(octets)
        except refusals:
            refused += 1
    assert refused > 500


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=200, deadline=None)
@given(octets=st.binary(max_size=400))
def test_any_octets_are_read_or_refused(name: str, octets: bytes) -> None:
    parse, _good, refusals = TARGETS[name]
    try:
        parse(octets)
    except refusals:
        return


def test_deep_nesting_is_refused_and_not_followed() -> None:
    for octets in (b"[" * 200_000, b'{"items":' * 100_000):
        with pytest.raises(verify.TamperedError):
            verify.parse_export(octets)


def test_a_zip_bomb_stops_at_the_limit() -> None:
    assert len(verify._unzip(gzip.compress(bytes(10_000_000)), 1000)) == 1001
