"""`tegata audit`: verify the log, or one's own record, with the platform's own rules.

Exit codes: 0 verified, 1 tampered with, 2 cannot tell. Nothing else ends with 0 or 1. The rules are
those of `transparency/`; `standalone/verify.py` shares none of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from tegata.cli import audit_wording as wording
from tegata.cli.audit_stamps import verify_stamps
from tegata.cli.audit_trust import Options, Scope, Undecided, shared, verdict
from tegata.cli.audit_wording import say
from tegata.cli.client import Client
from tegata.cli.connection import FILE
from tegata.cli.log_source import TileFiles, read_checkpoint
from tegata.kernel.event import log_entry
from tegata.transparency.checkpoint import Checkpoint, CheckpointInvalid
from tegata.transparency.examination import Examination, Tampered, prove_entry, prove_growth
from tegata.transparency.merkle import ProofInvalid
from tegata.transparency.note import NoteInvalid
from tegata.transparency.proof_file import ProofFileInvalid, parse_proof_file
from tegata.transparency.record import ReadEvent, RecordCheck, ShownEvent, parse_salt


@click.group("audit")
def audit_group() -> None:
    """The Merkle log: verify it, and one's own events in it.

    Exit codes: 0 verified, 1 tampered with, 2 cannot tell.
    """


@audit_group.command("verify")
@shared
@click.option("--proof", type=FILE, help="Verify this .tlog-proof instead of the whole log.")
@click.option("--event", type=FILE, help="The event that it proves, as GET /v1/events shows it.")
@click.option("--sequence", type=int, help="Its number; asks the platform without --event.")
@click.option("--tsa-ca", type=FILE, help="PEM: verify the log's time-stamps up to these, too.")
def verify_command(
    options: Options,
    proof: Path | None,
    event: Path | None,
    sequence: int | None,
    tsa_ca: Path | None,
) -> None:
    """Verify the whole log, or one proof file."""
    with verdict() as scope:
        if proof is None:
            _verify_log(options, scope, tsa_ca)
        else:
            _verify_proof(options, scope, proof.read_bytes(), _entry(options, event, sequence))


def _verify_log(options: Options, scope: Scope, tsa_ca: Path | None) -> None:
    source = options.source()
    octets = read_checkpoint(source)
    trust = options.trust(octets)
    older: list[Checkpoint] = []
    if tsa_ca is not None:
        older = verify_stamps(source, trust, tsa_ca, scope)
        # Read once more: what was stamped before must be in what comes after.
        octets = read_checkpoint(source)
    checkpoint = trust.open(octets, scope)
    kept = trust.open_older(options.before, scope)
    examination = Examination(checkpoint, TileFiles(source, keep=False))
    examination.run([*older, *kept])
    counts = {"leaves": checkpoint.size, "tiles": sum(examination.tiles)}
    scope.checked.append(say(wording.ALL_LEAVES, **counts))
    for old in kept:
        scope.checked.append(say(wording.GREW, old=old.size, new=checkpoint.size))


def _verify_proof(options: Options, scope: Scope, octets: bytes, entry: bytes) -> None:
    try:
        proof = parse_proof_file(octets)
    except (ProofFileInvalid, NoteInvalid, CheckpointInvalid) as error:
        raise Tampered("proof.malformed", str(error)) from error
    note = proof.note.encode().encode()
    checkpoint = options.trust(note).open(note, scope)
    try:
        proof.require_entry(entry)
    except ProofInvalid as error:
        raise Tampered("proof.mismatch", f"{proof.index}") from error
    scope.checked.append(say(wording.PROVEN, index=proof.index, size=checkpoint.size))


def _entry(options: Options, file: Path | None, sequence: int | None) -> bytes:
    """The entry of the one event that a proof is about; the event is checked too."""
    if file is not None:
        items = _items(file.read_bytes())
    elif sequence is not None and options.client is not None:
        query: dict[str, str | None] = {"after": str(sequence - 1), "limit": "1"}
        items = options.client.call("GET", "/v1/events", query=query)["items"]
    else:
        raise Undecided(say(wording.NO_ENTRY))
    shown = [_shown(item) for item in items]
    found = [each for each in shown if sequence in {None, each.sequence}]
    if len(found) != 1:
        raise Undecided(say(wording.NO_ENTRY))
    (event,) = found
    previous = json.loads(event.canonical).get("previous", "")
    RecordCheck(event.sequence - 1, previous).take(event)
    return log_entry(event.salt, event.canonical)


@audit_group.command("events")
@shared
@click.option("--out", type=click.Path(path_type=Path), help="Save them, for verify.py.")
@click.option("--quiet", is_flag=True, help="Do not list them.")
def events_command(options: Options, out: Path | None, quiet: bool) -> None:
    """Read one's own events, refusals too, and verify that they are whole and in the log."""
    with verdict() as scope:
        client = options.client
        if client is None:
            raise Undecided(say(wording.NO_LOG))
        items = list(_all_items(client))
        if out is not None:
            out.write_text(json.dumps({"items": items}, ensure_ascii=False))
        shown = [_shown(item) for item in items]
        check = RecordCheck()
        read = [check.take(event) for event in shown]
        if not read:
            raise Undecided(say(wording.NO_EVENTS))
        if not quiet:
            for event in read:
                click.echo(_line(event))
        refused = sum(event.refused for event in read)
        click.echo(say(wording.COUNTED, count=len(read), refused=refused))
        scope.checked.append(say(wording.CHAINED, last=check.sequence))
        _verify_leaves(options, scope, shown)


def _verify_leaves(options: Options, scope: Scope, shown: Sequence[ShownEvent]) -> None:
    source = options.source()
    octets = read_checkpoint(source)
    trust = options.trust(octets)
    checkpoint = trust.open(octets, scope)
    tiles = TileFiles(source, keep=True)
    for old in trust.open_older(options.before, scope):
        prove_growth(old, checkpoint, tiles)
        scope.checked.append(say(wording.GREW, old=old.size, new=checkpoint.size))
    waiting = 0
    for event in shown:
        if event.index is None or event.index >= checkpoint.size:
            waiting += 1
        else:
            entry = log_entry(event.salt, event.canonical)
            prove_entry(event.index, entry, checkpoint, tiles)
    scope.checked.append(say(wording.OWN_LEAVES, count=len(shown) - waiting))
    if waiting:
        scope.incomplete = True
        scope.left_out.append(say(wording.NOT_YET, count=waiting))


def _all_items(client: Client) -> Iterator[dict[str, Any]]:
    after: str | None = "0"
    while after is not None:
        page = client.call("GET", "/v1/events", query={"after": after, "limit": "200"})
        yield from page["items"]
        after = page["next"]


def _items(octets: bytes) -> list[dict[str, Any]]:
    try:
        whole = json.loads(octets)
    except ValueError as error:
        raise Tampered("event.malformed", str(error)) from error
    if isinstance(whole, dict):
        whole = whole.get("items", [whole])
    if not isinstance(whole, list):
        raise Tampered("event.malformed", "[]")
    return whole


def _shown(item: dict[str, Any]) -> ShownEvent:
    try:
        event = ShownEvent(
            item["sequence"],
            item["canonical"].encode(),
            item["digest"],
            tuple(item["disclosures"]),
            parse_salt(item["salt"]),
            item["index"],
        )
    except (KeyError, TypeError, AttributeError, UnicodeError) as error:
        raise Tampered("event.malformed", repr(error)) from error
    numbers = (event.sequence, event.index if event.index is not None else 0)
    if any(type(each) is not int or each < 0 for each in numbers):
        raise Tampered("event.malformed", f"{event.sequence}")
    return event


def _line(event: ReadEvent) -> str:
    facts = event.facts
    private = json.dumps(event.private, ensure_ascii=False)
    parts = (facts[name] for name in ("sequence", "time", "decision", "action", "code"))
    return " ".join([*(str(each) for each in parts if each != ""), private])
