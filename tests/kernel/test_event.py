"""Audit events: the canonical octets that the transparency log commits to."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tegata.kernel.event import (
    NO_PREVIOUS,
    SALT_OCTETS,
    AuditEvent,
    ChainedEvent,
    Decision,
    canonical_json,
    chain_event,
    disclose,
)
from tegata.kernel.ids import TenantId
from tegata.kernel.scope import Actor, ActorKind

GOLDEN = Path(__file__).with_name("event-1.json")
TENANT = TenantId("ten_00000000000000000000000001")
NOW = datetime(2026, 7, 1, 3, 4, 5, 60_007, tzinfo=UTC)
EVENT = AuditEvent(
    actor=Actor(ActorKind.TOKEN, "tok_00000000000000000000000002"),
    action="issuance:certificate:issue",
    decision=Decision.ALLOWED,
    subject="certificate:crt_00000000000000000000000003",
    request_digest=hashlib.sha256(b"request").digest(),
    private={"subject": "CN=山田 太郎", "serial": "1f"},
)
DISCLOSURES = [
    disclose(name, value, bytes([place]) * SALT_OCTETS)
    for place, (name, value) in enumerate(EVENT.private.items())
]


def the_event() -> ChainedEvent:
    commitments = [disclosure.commitment() for disclosure in DISCLOSURES]
    return chain_event(EVENT, commitments, TENANT, 1, NO_PREVIOUS, NOW)


def test_the_canonical_octets_of_an_event_never_change() -> None:
    # They stand in logs that are published: a change here is a new EVENT_VERSION.
    assert the_event().canonical == GOLDEN.read_bytes()


@given(st.text(), st.text(), st.integers(0, 2**53 - 1))
def test_the_octets_of_an_event_are_canonical_json(action: str, code: str, sequence: int) -> None:
    actor = Actor(ActorKind.TOKEN, action)
    event = AuditEvent(actor, action, Decision.REFUSED, action, bytes(32), code)
    chained = chain_event(event, ["b", "a"], TENANT, sequence, NO_PREVIOUS, NOW)
    assert chained.canonical == canonical_json(json.loads(chained.canonical))


def test_an_event_has_every_member_and_its_private_values_only_as_commitments() -> None:
    read = json.loads(the_event().canonical)
    assert read == {
        "action": "issuance:certificate:issue",
        "actor": "token:tok_00000000000000000000000002",
        "code": "",
        "commitments": sorted(each.commitment() for each in DISCLOSURES),
        "decision": "allowed",
        "previous": "00" * 32,
        "request": hashlib.sha256(b"request").hexdigest(),
        "sequence": 1,
        "subject": hashlib.sha256(b"certificate:crt_00000000000000000000000003").hexdigest(),
        "tenant": TENANT,
        "time": "2026-07-01T03:04:05.060007Z",
        "version": 1,
    }


def test_a_digest_is_that_of_the_canonical_octets_and_the_next_event_names_it() -> None:
    first = the_event()
    assert first.digest == hashlib.sha256(first.canonical).digest()
    second = chain_event(EVENT, [], TENANT, 2, first.digest, NOW + timedelta(seconds=1))
    assert json.loads(second.canonical)["previous"] == first.digest.hex()
    assert (second.sequence, second.tenant) == (2, TENANT)


@given(st.permutations(["a", "b", "Z", "_", "-"]))
def test_the_order_in_which_commitments_come_says_nothing(commitments: list[str]) -> None:
    chained = chain_event(EVENT, commitments, TENANT, 1, NO_PREVIOUS, NOW)
    assert json.loads(chained.canonical)["commitments"] == ["-", "Z", "_", "a", "b"]


@pytest.mark.parametrize("changed", ["action", "code", "subject"])
def test_every_part_of_an_event_changes_its_digest(changed: str) -> None:
    other = AuditEvent(
        actor=EVENT.actor,
        action="x" if changed == "action" else EVENT.action,
        decision=EVENT.decision,
        subject="x" if changed == "subject" else EVENT.subject,
        request_digest=EVENT.request_digest,
        code="x" if changed == "code" else EVENT.code,
    )
    digests = {chain_event(each, [], TENANT, 1, NO_PREVIOUS, NOW).digest for each in (EVENT, other)}
    assert len(digests) == 2


TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXT, TEXT, st.binary(min_size=SALT_OCTETS, max_size=SALT_OCTETS))
def test_a_disclosure_opens_its_commitment(name: str, value: str, salt: bytes) -> None:
    disclosure = disclose(name, value, salt)
    # RFC 9901 section 4.2: base64url of a JSON array; the digest is over that text.
    octets = base64.urlsafe_b64decode(disclosure.text + "=" * (-len(disclosure.text) % 4))
    opened = json.loads(octets)
    assert opened[1:] == [name, value]
    assert base64.urlsafe_b64decode(opened[0] + "=" * (-len(opened[0]) % 4)) == salt
    digest = hashlib.sha256(disclosure.text.encode()).digest()
    assert disclosure.commitment() == base64.urlsafe_b64encode(digest).decode().rstrip("=")


def test_the_same_value_under_another_salt_has_another_commitment() -> None:
    one, other = (disclose("a", "b", bytes([each]) * SALT_OCTETS) for each in (1, 2))
    assert one.commitment() != other.commitment()


def independent_string(text: str) -> str:
    """A JSON string as RFC 8785 section 3.2.2.2 writes it."""
    short = {"\b": r"\b", "\t": r"\t", "\n": r"\n", "\f": r"\f", "\r": r"\r", '"': r"\""}
    short["\\"] = r"\\"
    parts = [short.get(each, f"\\u{ord(each):04x}" if ord(each) < 0x20 else each) for each in text]
    return '"' + "".join(parts) + '"'


def independent_json(value: dict[str, str | int | list[str]]) -> bytes:
    members = []
    # RFC 8785 section 3.2.3: by UTF-16 code units.
    for key in sorted(value, key=lambda each: each.encode("utf-16-be")):
        held = value[key]
        if isinstance(held, list):
            text = "[" + ",".join(independent_string(each) for each in held) + "]"
        else:
            text = independent_string(held) if isinstance(held, str) else str(held)
        members.append(f"{independent_string(key)}:{text}")
    return ("{" + ",".join(members) + "}").encode()


KEYS = st.text(st.characters(max_codepoint=0x7E), max_size=8)
VALUES = st.one_of(TEXT, st.integers(0, (1 << 53) - 1), st.lists(TEXT, max_size=4))


@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_canonical_json_is_what_rfc_8785_says(value: dict[str, str | int | list[str]]) -> None:
    assert canonical_json(value) == independent_json(value)


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("\x00", b'"\\u0000"'),
        ("\x1f", b'"\\u001f"'),
        ("\b\t\n\f\r", b'"\\b\\t\\n\\f\\r"'),
        ('"\\/', b'"\\"\\\\/"'),
        ("\x7f", b'"\x7f"'),
        ("€手𠮷", '"€手𠮷"'.encode()),
        ("\u2028\ufeff", '"\u2028\ufeff"'.encode()),
    ],
)
def test_a_character_is_written_as_rfc_8785_says(text: str, octets: bytes) -> None:
    assert canonical_json({"a": text}) == b'{"a":' + octets + b"}"


def test_keys_stand_in_the_order_of_their_code_units() -> None:
    assert canonical_json({"b": 1, "a": 2, "A": 3, "": 4, "aa": 5}) == (
        b'{"":4,"A":3,"a":2,"aa":5,"b":1}'
    )


def test_text_that_is_no_unicode_is_not_written() -> None:
    with pytest.raises(UnicodeEncodeError):
        canonical_json({"a": "\ud800"})
