"""What both commands of `tegata audit` share: a verdict, its scope, and whom to believe."""

from __future__ import annotations

import functools
import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from tegata.cli import audit_wording as wording
from tegata.cli.audit_wording import say
from tegata.cli.client import Client
from tegata.cli.connection import FILE
from tegata.cli.log_source import LogSource, OutOfReach, open_source
from tegata.transparency.checkpoint import Checkpoint, CheckpointInvalid, parse_checkpoint
from tegata.transparency.examination import Tampered, require_signatures
from tegata.transparency.note import (
    Note,
    NoteInvalid,
    SignatureType,
    VerifierKey,
    parse_note,
    parse_verifier_key,
)
from tegata.transparency.policy import Policy, PolicyInvalid, PolicyUnmet, parse_policy

TAMPERED, CANNOT_TELL = 1, 2
F = TypeVar("F", bound=Callable[..., Any])
_KINDS = {
    SignatureType.ED25519: "Ed25519",
    SignatureType.COSIGNATURE_ED25519: "Ed25519 cosignature",
    SignatureType.COSIGNATURE_ML_DSA_44: "ML-DSA-44",
}


class Undecided(Exception):
    """The question has no answer with what is at hand."""


@dataclass(slots=True)
class Scope:
    """What a run checked, and what it left out."""

    checked: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    incomplete: bool = False
    stamps_checked: bool = False

    def show(self) -> None:
        """Print it, whatever came of it."""
        click.echo(say(wording.SCOPE))
        for line in self.checked:
            click.echo(f"  {line}")
        stamps = [] if self.stamps_checked else [say(wording.STAMPS)]
        for line in [*self.left_out, *stamps]:
            click.echo("  " + say(wording.NOT_CHECKED, what=line))


@contextmanager
def verdict() -> Iterator[Scope]:
    """Turn what happens into one of three exit codes; a bug is no verdict either."""
    scope = Scope()
    try:
        yield scope
    except Tampered as error:
        finding = say(wording.FINDINGS[error.code])
        said = say(wording.TAMPERED, finding=finding, code=error.code, place=error.place)
        _end(scope, said, TAMPERED)
    except (Undecided, OutOfReach, OSError) as error:
        _end(scope, say(wording.CANNOT_TELL, reason=error), CANNOT_TELL)
    except click.ClickException as error:
        _end(scope, say(wording.CANNOT_TELL, reason=error.format_message()), CANNOT_TELL)
    except Exception as error:  # noqa: BLE001 (an exit of 1 would accuse somebody)
        _end(scope, say(wording.CANNOT_TELL, reason=repr(error)), CANNOT_TELL)
    if scope.incomplete:
        reason = say(wording.INCOMPLETE)
        _end(scope, say(wording.CANNOT_TELL, reason=reason), CANNOT_TELL)
    _end(scope, say(wording.VERIFIED), 0)


def _end(scope: Scope, said: str, code: int) -> NoReturn:
    scope.show()
    click.echo(said)
    sys.stdout.flush()
    raise SystemExit(code)


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom to believe: keys that all must have signed, and a policy, if there is one."""

    keys: tuple[VerifierKey, ...]
    policy: Policy | None

    @property
    def logs(self) -> tuple[VerifierKey, ...]:
        """Every key of a log."""
        return self.keys + (tuple(log.key for log in self.policy.logs) if self.policy else ())

    def open(self, octets: bytes, scope: Scope, *, older: bool = False) -> Checkpoint:
        """Read a checkpoint that they have signed; an older one, by any key of the log's."""
        note, checkpoint = _read_checkpoint(octets)
        witnesses = self.policy.witnesses.values() if self.policy else ()
        own = tuple(key for key in self.logs if key.name == checkpoint.origin)
        if not own:
            raise Tampered("origin.wrong", checkpoint.origin)
        everybody = (*own, *(witness.key for witness in witnesses))
        signed = require_signatures(note, everybody)
        known = {(each.name, each.key_id) for each in signed}
        if not any((key.name, key.id) in known for key in own):
            raise Tampered("key.unknown", checkpoint.origin)
        for key in everybody:
            if (key.name, key.id) in known:
                named = f"{key.name} ({_KINDS[key.type]}, {key.id.hex()})"
                scope.checked.append(say(wording.SIGNED, key=named, size=checkpoint.size))
            elif key in self.keys and not older:
                raise Undecided(say(wording.UNSIGNED, key=f"{key.name} {key.id.hex()}"))
        if len(note.signatures) > len(signed):
            count = len(note.signatures) - len(signed)
            scope.left_out.append(say(wording.UNPINNED_SIGNATURES, count=count))
        if not older:
            self._require_quorum(note, checkpoint, scope)
        return checkpoint

    def _require_quorum(self, note: Note, checkpoint: Checkpoint, scope: Scope) -> None:
        if self.policy is None:
            return
        try:
            self.policy.require(note)
        except PolicyUnmet as error:
            raise Undecided(say(wording.UNMET, reason=error)) from error
        met = say(wording.WITNESSED, quorum=self.policy.quorum, size=checkpoint.size)
        scope.checked.append(met)

    def open_older(self, files: Sequence[Path], scope: Scope) -> list[Checkpoint]:
        """Checkpoints kept from before; witnesses need not have cosigned them."""
        return [self.open(file.read_bytes(), scope, older=True) for file in files]


def _read_checkpoint(octets: bytes) -> tuple[Note, Checkpoint]:
    try:
        note = parse_note(octets)
        return note, parse_checkpoint(note.text)
    except (NoteInvalid, CheckpointInvalid) as error:
        raise Tampered("checkpoint.malformed", str(error)) from error


@dataclass(frozen=True, slots=True)
class Options:
    """What the commands share."""

    context: Path | None
    token_file: Path | None
    log: str | None
    vkeys: tuple[str, ...]
    policy: Path | None
    before: tuple[Path, ...]

    @property
    def client(self) -> Client | None:
        """The platform, if one is named."""
        return Client.open(self.context, self.token_file) if self.context is not None else None

    def source(self) -> LogSource:
        """The log's files."""
        if self.log is not None:
            return open_source(self.log)
        if self.client is None or "public" not in self.client.context:
            raise Undecided(say(wording.NO_LOG))
        return open_source(f"{self.client.context['public']}/log")

    def trust(self, octets: bytes) -> Trust:
        """The pinned keys; without one, show what could be pinned, and end."""
        try:
            policy = parse_policy(self.policy.read_bytes()) if self.policy is not None else None
            texts = list(self.vkeys)
            if not texts and policy is None and self.client is not None:
                named = (self.client.context.get(name) for name in ("log_vkey", "log_vkey_mldsa"))
                texts = [text for text in named if text]
            keys = tuple(parse_verifier_key(text) for text in texts)
        except (NoteInvalid, PolicyInvalid) as error:
            raise Undecided(str(error)) from error
        trust = Trust(keys, policy)
        if not trust.logs:
            self._show_keys(octets)
        return trust

    def _show_keys(self, octets: bytes) -> NoReturn:
        if self.client is not None:
            told = self.client.call("GET", "/v1/log/vkey")
            for text in (told["vkey"], told["vkey_mldsa"]):
                if text:
                    digest = hashlib.sha256(text.encode()).hexdigest()
                    click.echo(say(wording.KEY_SHOWN, key=text))
                    click.echo(say(wording.FINGERPRINT, fingerprint=digest))
        else:
            for each in _read_checkpoint(octets)[0].signatures:
                click.echo(say(wording.KEY_SHOWN, key=f"{each.name} {each.key_id.hex()}"))
        raise Undecided(say(wording.NO_KEY))


def shared(function: F) -> F:
    """The options of both commands, as one value."""

    @functools.wraps(function)
    def command(
        context: Path | None,
        token_file: Path | None,
        log: str | None,
        vkeys: tuple[str, ...],
        policy: Path | None,
        before: tuple[Path, ...],
        **rest: Any,
    ) -> Any:
        return function(Options(context, token_file, log, vkeys, policy, before), **rest)

    options = (
        click.option("--context", type=FILE, envvar="TEGATA_CONTEXT", help="A platform's file."),
        click.option("--token-file", type=FILE, envvar="TEGATA_TOKEN_FILE"),
        click.option("--log", help="The log's URL, or a folder with a copy of it."),
        click.option("--vkey", "vkeys", multiple=True, help="A key that must have signed."),
        click.option("--policy", type=FILE, help="A tlog-policy file: logs, witnesses, quorum."),
        click.option("--before", type=FILE, multiple=True, help="A checkpoint kept from before."),
    )
    for option in reversed(options):
        command = option(command)
    return command  # type: ignore[return-value]  # click keeps the options beside it
