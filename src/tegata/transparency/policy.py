"""Policy files (C2SP tlog-policy): which logs and witnesses somebody relies on, and how many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tegata.transparency.note import (
    Note,
    NoteInvalid,
    SignatureType,
    VerifierKey,
    parse_verifier_key,
)

# tlog-policy recommends at least 32 of each.
_LIMIT = 256
_BLANK = " \t"
NONE = "none"


class PolicyInvalid(ValueError):
    """Not a policy; the message names the line."""


class PolicyUnmet(ValueError):
    """A checkpoint that the policy does not accept; the message says what it lacks."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A log or a witness: its key, and where it is, if the policy says so."""

    key: VerifierKey
    url: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Witnesses and groups of which `threshold` must have cosigned."""

    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that was read."""

    logs: tuple[Peer, ...]
    witnesses: Mapping[str, Peer]
    groups: Mapping[str, Group]
    quorum: str

    def require(self, note: Note) -> None:
        """Accept a checkpoint, or raise `PolicyUnmet`; `NoteInvalid` when a known key's
        signature does not verify."""
        signed = note.signed_by(*(log.key for log in self.logs))
        if self.logs and not signed:
            raise PolicyUnmet("no log of the policy has signed the checkpoint")
        cosigned = {name for name, witness in self.witnesses.items() if note.signed_by(witness.key)}
        if self.quorum != NONE and not self._is_met(self.quorum, cosigned):
            named = ", ".join(sorted(cosigned)) or "nobody"
            raise PolicyUnmet(f"the quorum {self.quorum} is not met: cosigned by {named}")

    def _is_met(self, name: str, cosigned: set[str]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in cosigned
        return sum(self._is_met(each, cosigned) for each in group.members) >= group.threshold


@dataclass(slots=True)
class _Reading:
    logs: list[Peer] = field(default_factory=list)
    witnesses: dict[str, Peer] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    members: set[str] = field(default_factory=set)
    quorum: str | None = None

    def log(self, words: Sequence[str]) -> None:
        peer = self._peer(words, (SignatureType.ED25519, SignatureType.COSIGNATURE_ML_DSA_44))
        if any(each.key.key == peer.key.key for each in self.logs):
            raise PolicyInvalid("a log's key stands twice")
        self.logs.append(peer)

    def witness(self, words: Sequence[str]) -> None:
        cosigners = SignatureType.COSIGNATURE_ED25519, SignatureType.COSIGNATURE_ML_DSA_44
        name, peer = words[0], self._peer(words[1:], cosigners)
        self._require_new(name)
        if any(each.key.key == peer.key.key for each in self.witnesses.values()):
            raise PolicyInvalid("a witness's key stands twice")
        self.witnesses[name] = peer

    def group(self, words: Sequence[str]) -> None:
        name, count, *members = words
        self._require_new(name)
        for member in members:
            if member not in self.witnesses and member not in self.groups:
                raise PolicyInvalid(f"{member} is not defined before")
            if member in self.members:
                raise PolicyInvalid(f"{member} is a member twice")
            self.members.add(member)
        shorthands = {"any": "1", "all": str(len(members))}
        number = shorthands.get(count, count)
        is_decimal = number.isascii() and number.isdigit() and number[0] != "0"
        if not is_decimal or not 1 <= int(number) <= len(members):
            raise PolicyInvalid("a threshold is 'any', 'all' or a number of the members")
        self.groups[name] = Group(int(number), tuple(members))

    def set_quorum(self, words: Sequence[str]) -> None:
        (name,) = words
        if self.quorum is not None:
            raise PolicyInvalid("a second quorum")
        if name != NONE and name not in self.witnesses and name not in self.groups:
            raise PolicyInvalid(f"{name} is not defined before")
        self.quorum = name

    def _peer(self, words: Sequence[str], types: Sequence[SignatureType]) -> Peer:
        key = parse_verifier_key(words[0])
        if key.type not in types:
            raise PolicyInvalid("a key of a type that does not do this")
        return Peer(key, words[1] if len(words) > 1 else "")

    def _require_new(self, name: str) -> None:
        if name == NONE or name in self.witnesses or name in self.groups:
            raise PolicyInvalid(f"{name} is defined before")


def parse_policy(octets: bytes) -> Policy:
    """Read a policy file; `PolicyInvalid` when it is not one."""
    if any((octet < 0x20 and octet not in b"\t\n") or octet == 0x7F for octet in octets):
        raise PolicyInvalid("a policy has control characters")
    reading = _Reading()
    # Words, and how many each kind of line may have; names stay octets, one character each.
    kinds: Mapping[str, tuple[Callable[[Sequence[str]], None], int, int]] = {
        "log": (reading.log, 1, 2),
        "witness": (reading.witness, 2, 3),
        "group": (reading.group, 3, _LIMIT),
        "quorum": (reading.set_quorum, 1, 1),
    }
    for number, line in enumerate(octets.decode("utf-8", "surrogateescape").split("\n"), 1):
        words = line.strip(_BLANK).replace("\t", " ").split(" ")
        words = [word for word in words if word]
        if not words or words[0].startswith("#"):
            continue
        kind, *rest = words
        try:
            read, least, most = kinds[kind]
            _require_words(rest, least, most)
            read(rest)
        except KeyError as error:
            raise PolicyInvalid(f"line {number}: {kind} is not known") from error
        except (PolicyInvalid, NoteInvalid) as error:
            raise PolicyInvalid(f"line {number}: {error}") from error
    if reading.quorum is None:
        raise PolicyInvalid("a policy needs one quorum line")
    return Policy(tuple(reading.logs), reading.witnesses, reading.groups, reading.quorum)


def _require_words(words: Sequence[str], least: int, most: int) -> None:
    if not least <= len(words) <= most:
        raise PolicyInvalid("too few or too many words")


def encode_policy(policy: Policy) -> bytes:
    """A policy as a file."""
    lines = [_line("log", log.key.text(), log.url) for log in policy.logs]
    lines += [
        _line("witness", name, peer.key.text(), peer.url) for name, peer in policy.witnesses.items()
    ]
    lines += [
        _line("group", name, str(group.threshold), *group.members)
        for name, group in policy.groups.items()
    ]
    lines.append(f"quorum {policy.quorum}\n")
    return "".join(lines).encode("utf-8", "surrogateescape")


def _line(*words: str) -> str:
    return " ".join(word for word in words if word) + "\n"
