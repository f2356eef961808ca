"""A tenant's own events in the single file: chain, gaps, values, leaves, proofs, quorum."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tegata.kernel.event import AuditEvent, Decision, chain_event, disclose
from tegata.kernel.ids import TenantId
from tegata.kernel.scope import Actor, ActorKind
from tegata.standalone import verify
from tests.fakes.system import FakeClock
from tests.standalone.writer import COSIGNATURE, Signer, WrittenLog, entry

Item = dict[str, Any]
SIGNER = Signer("log.example.test/log")
TENANT = TenantId("ten_example")


def unpadded(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def events(count: int) -> list[Item]:
    """Events as the platform chains and GET /v1/events shows them."""
    items: list[Item] = []
    previous = bytes(32)
    for sequence in range(1, count + 1):
        salt = hashlib.sha256(b"salt %d" % sequence).digest()[:16]
        hidden = [disclose("name", f"secret {sequence} \u624b\u5f62", salt)]
        decision = Decision.REFUSED if sequence % 3 == 0 else Decision.ALLOWED
        event = AuditEvent(
            Actor(ActorKind.TOKEN, "tok_x"),
            "tenancy:token:create",
            decision,
            "token:tok_y",
            bytes(32),
        )
        commitments = [each.commitment() for each in hidden]
        chained = chain_event(event, commitments, TENANT, sequence, previous, FakeClock().now())
        previous = chained.digest
        items.append(
            {
                "sequence": sequence,
                "canonical": chained.canonical.decode(),
                "digest": chained.digest.hex(),
                "disclosures": [each.text for each in hidden],
                "salt": unpadded(salt),
                "index": 2 * sequence + 250,
            }
        )
    return items


def leaf(item: Item) -> bytes:
    """What the log holds of an event, written out once more."""
    salt = base64.urlsafe_b64decode(item["salt"] + "==")
    return hashlib.sha256(b"tegata-event-leaf/v1\n" + salt + item["canonical"].encode()).digest()


class World:
    """A tenant's events, and a log that has them between others'."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.items = events(7)
        self.others: list[Signer] = []
        self.entries = [entry(number) for number in range(300)]
        for item in self.items:
            self.entries[item["index"]] = leaf(item)

    def log(self) -> WrittenLog:
        return WrittenLog(SIGNER, self.entries, self.others)

    def run(self, *options: str, key: bool = True) -> int:
        self.log().write(self.folder / "log")
        (self.folder / "events.json").write_text(json.dumps({"items": self.items, "next": None}))
        pinned = ["--vkey", SIGNER.vkey] if key else []
        rest = ["events", str(self.folder / "events.json"), "--log", str(self.folder / "log")]
        return verify.run([*pinned, *options, *rest])


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.rstrip().splitlines()[-1]


def test_a_whole_record_verifies_with_its_refusals_and_leaves(
    capsys: pytest.CaptureFixture[str], world: World
) -> None:
    assert world.run() == verify.VERIFIED
    printed = capsys.readouterr().out
    assert "VERIFIED ten_example: 7 events, 2 of them refusals" in printed
    assert "7 leaves of these events: inclusion proof verified for each" in printed
    assert "7 disclosed values: each the committed one" in printed


def change(name: str, value: object, at: int = 3) -> Callable[[World], None]:
    def act(world: World) -> None:
        world.items[at] = {**world.items[at], name: value}

    return act


def rewrite(world: World) -> None:
    """An event with other content and a digest that fits: the chain shows it."""
    canonical = world.items[3]["canonical"].replace("allowed", "refused")
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    world.items[3] = {**world.items[3], "canonical": canonical, "digest": digest}


def rechain(world: World) -> None:
    """The whole record written anew: only the log shows it."""
    previous = "0" * 64
    for number, item in enumerate(world.items):
        facts = json.loads(item["canonical"])
        facts |= {"previous": previous, "code": "other" if number == 3 else facts["code"]}
        canonical = json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        previous = hashlib.sha256(canonical.encode()).hexdigest()
        world.items[number] = {**item, "canonical": canonical, "digest": previous}


TAMPERINGS: dict[str, tuple[Callable[[World], object], str]] = {
    "an event is left out": (lambda world: world.items.pop(3), "events.gap: after 3 comes 5"),
    "the first is left out": (lambda world: world.items.pop(0), "events.gap: after 0 comes 2"),
    "two change places": (lambda world: world.items.reverse(), "events.gap"),
    "a number is another one": (change("sequence", 9), "event.altered"),
    "a digest is another one": (change("digest", "0" * 64), "event.altered"),
    "an event is rewritten": (rewrite, "events.chain: event 5 does not follow 4"),
    "the record is written anew": (rechain, "event.leaf"),
    "a value is another one": (
        change("disclosures", [disclose("name", "other", bytes(16)).text]),
        "event.commitment",
    ),
    "a value is shown twice": (
        lambda world: world.items[3]["disclosures"].append(world.items[3]["disclosures"][0]),
        "event.commitment",
    ),
    "a value is no value": (change("disclosures", ["e30"]), "event.commitment"),
    "a salt is another one": (change("salt", unpadded(bytes(16))), "event.leaf"),
    "a salt is too short": (change("salt", unpadded(bytes(15))), "event.malformed"),
    "an index is another one": (change("index", 5), "event.leaf"),
    "an index is no number": (change("index", True), "event.malformed"),
    "an event is not canonical": (change("canonical", '{ "sequence": 4 }'), "event.malformed"),
    "an event is no object": (change("canonical", "[]"), "event.malformed"),
    "an event is another tenant's": (
        lambda world: world.items.__setitem__(
            3,
            {
                **world.items[3],
                "canonical": world.items[3]["canonical"].replace("ten_example", "ten_other"),
            },
        ),
        "events.chain",
    ),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_each_tampering_with_a_record_is_named(
    capsys: pytest.CaptureFixture[str], world: World, what: str
) -> None:
    tamper, name = TAMPERINGS[what]
    tamper(world)
    code, said = world.run(), last_line(capsys)
    assert (code, said.startswith(f"TAMPERED {name}")) == (verify.TAMPERED, True), said


def test_an_event_that_is_not_in_the_log_yet_leaves_it_open(
    capsys: pytest.CaptureFixture[str], world: World
) -> None:
    world.items[6]["index"] = None
    assert world.run() == verify.CANNOT_TELL
    assert "NOT checked: event 7 is not in the log yet" in capsys.readouterr().out


def test_without_its_log_a_record_is_not_verified(
    capsys: pytest.CaptureFixture[str], world: World
) -> None:
    world.run()
    assert verify.run(["events", str(world.folder / "events.json")]) == verify.CANNOT_TELL
    assert "where is the log?" in last_line(capsys)


def test_without_a_pinned_key_a_record_is_not_verified(world: World) -> None:
    assert world.run(key=False) == verify.CANNOT_TELL


def test_withheld_values_are_no_tampering_and_are_counted(
    capsys: pytest.CaptureFixture[str], world: World
) -> None:
    world.items[2]["disclosures"] = []
    assert world.run() == verify.VERIFIED
    assert "not in scope: 1 values that are withheld" in capsys.readouterr().out


def test_a_record_whose_end_is_cut_off_is_seen_by_who_remembers(
    capsys: pytest.CaptureFixture[str], world: World
) -> None:
    memory = ("--remember", str(world.folder / "memory"))
    assert world.run(*memory) == verify.VERIFIED
    world.items.pop()
    assert world.run(*memory) == verify.TAMPERED
    assert last_line(capsys) == "TAMPERED events.cut: 7 events were there before"


def test_a_past_written_anew_is_seen_by_who_remembers(
    capsys: pytest.CaptureFixture[str], world: World
) -> None:
    memory = ("--remember", str(world.folder / "memory"))
    assert world.run(*memory) == verify.VERIFIED
    rechain(world)
    assert world.run(*memory) == verify.TAMPERED
    assert last_line(capsys) == "TAMPERED events.rewritten: event 7 was another one before"


def test_a_proof_file_proves_an_event(world: World) -> None:
    world.run()
    item = world.items[4]
    proof = world.folder / "5.tlog-proof"
    proof.write_text(world.log().proof(item["index"]))
    pinned = ["--vkey", SIGNER.vkey, "proof", str(proof)]
    whole = ["--event", str(world.folder / "events.json")]
    assert verify.run([*pinned, *whole, "--sequence", "5"]) == verify.VERIFIED
    assert verify.run([*pinned, *whole, "--sequence", "4"]) == verify.TAMPERED
    assert verify.run([*pinned, *whole]) == verify.CANNOT_TELL
    assert verify.run(pinned) == verify.CANNOT_TELL
    (world.folder / "one.json").write_text(json.dumps(item))
    one = ["--event", str(world.folder / "one.json")]
    assert verify.run([*pinned, *one]) == verify.VERIFIED
    proof.write_text(proof.read_text().replace("index ", "extra Zm9yZ2Vk\nindex ", 1))
    assert verify.run([*pinned, *one]) == verify.VERIFIED


# ------------------------------------------------------------------------- policies

WITNESSES = [Signer(f"witness{number}.example.test", COSIGNATURE) for number in range(4)]


def policy_text(quorum: str, *groups: str) -> str:
    lines = [f"log {SIGNER.vkey} https://log.example.test/log", "# who must have cosigned", ""]
    lines += [f"witness w{number} {each.vkey}" for number, each in enumerate(WITNESSES)]
    return "\n".join([*lines, *groups, f"quorum {quorum}"]) + "\n"


NESTED = ("group first 2 w0 w1 w2", "group second any w3", "group both all first second")


@pytest.mark.parametrize(
    ("cosigned", "quorum", "groups", "expected"),
    [
        ([], "none", (), verify.VERIFIED),
        ([], "w0", (), verify.CANNOT_TELL),
        ([1], "w0", (), verify.CANNOT_TELL),
        ([0], "w0", (), verify.VERIFIED),
        ([0, 3], "both", NESTED, verify.CANNOT_TELL),
        ([0, 1], "both", NESTED, verify.CANNOT_TELL),
        ([0, 2, 3], "both", NESTED, verify.VERIFIED),
    ],
)
def test_a_quorum_of_witnesses_is_required(
    world: World, cosigned: list[int], quorum: str, groups: tuple[str, ...], expected: int
) -> None:
    policy = world.folder / "policy"
    policy.write_text(policy_text(quorum, *groups))
    world.others = [WITNESSES[number] for number in cosigned]
    assert world.run("--policy", str(policy), key=False) == expected


def test_a_cosignature_of_a_time_to_come_leaves_it_open(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    policy = tmp_path / "policy"
    policy.write_text(policy_text("w0"))
    entries = [entry(number) for number in range(3)]
    WrittenLog(SIGNER, entries, [WITNESSES[0]], 2**40).write(tmp_path / "log")
    options = ["--policy", str(policy), "log", str(tmp_path / "log")]
    assert verify.run(options) == verify.CANNOT_TELL
    assert "later than this machine's clock" in capsys.readouterr().out


def test_a_false_cosignature_of_a_known_witness_is_tampering(
    capsys: pytest.CaptureFixture[str], world: World
) -> None:
    policy = world.folder / "policy"
    policy.write_text(policy_text("none"))
    liar = Signer(WITNESSES[0].name, COSIGNATURE)
    world.others = [liar]
    assert world.run("--policy", str(policy), key=False) == verify.VERIFIED  # an unknown key
    text = (world.folder / "log/checkpoint").read_text()
    real = base64.b64encode(WITNESSES[0].id).decode()[:5]
    forged = text.replace(base64.b64encode(liar.id).decode()[:5], real)
    (world.folder / "log/checkpoint").write_text(forged)
    octets = bytearray(base64.b64decode(forged.rstrip().rpartition(" ")[2]))
    octets[:4] = WITNESSES[0].id
    line = f"{forged.rstrip().rpartition(' ')[0]} {base64.b64encode(octets).decode()}\n"
    (world.folder / "log/checkpoint").write_text(line)
    options = ["--policy", str(policy), "log", str(world.folder / "log")]
    assert verify.run(options) == verify.TAMPERED
    assert "TAMPERED cosignature.invalid" in last_line(capsys)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "quorum none\nquorum none\n",
        "quorum w0\n",
        "quorum none extra\n",
        "log broken\nquorum none\n",
        f"log {SIGNER.vkey}\nlog {SIGNER.vkey}\nquorum none\n",
        f"witness none {WITNESSES[0].vkey}\nquorum none\n",
        f"witness a {WITNESSES[0].vkey}\nwitness a {WITNESSES[1].vkey}\nquorum a\n",
        f"witness a {WITNESSES[0].vkey}\nwitness b {WITNESSES[0].vkey}\nquorum a\n",
        f"witness a {WITNESSES[0].vkey}\ngroup g 0 a\nquorum g\n",
        f"witness a {WITNESSES[0].vkey}\ngroup g 2 a\nquorum g\n",
        f"witness a {WITNESSES[0].vkey}\ngroup g any a a\nquorum g\n",
        f"witness a {WITNESSES[0].vkey}\ngroup g any g\nquorum g\n",
        f"witness a {WITNESSES[0].vkey}\ngroup g any none\nquorum g\n",
        "group g any\nquorum none\n",
        f"witness a {SIGNER.vkey}\nquorum a\n",
        f"log {WITNESSES[0].vkey}\nquorum none\n",
        "quorum none\r\n",
    ],
    # The keys are fresh in each process: they must not stand in the names of cases.
    ids=map(str, count()),
)
def test_a_policy_that_is_not_well_formed_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"policy|quorum"):
        verify.parse_policy(text.encode())
