"""The log as values: its keys, its head, what waits to be put into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tegata.kernel.ids import TenantId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.signing import KeyAlgorithm, SigningKey
from tegata.transparency.checkpoint import Checkpoint, parse_checkpoint
from tegata.transparency.note import Note, SignatureType, VerifierKey, verifier_key

_TYPES: Mapping[str, SignatureType] = {
    KeyAlgorithm.ED25519: SignatureType.ED25519,
    # The log cosigns its own checkpoints: ML-DSA has no plain note signature (tlog-cosignature).
    KeyAlgorithm.ML_DSA_44: SignatureType.COSIGNATURE_ML_DSA_44,
}


def log_verifier_key(origin: bytes, algorithm: str, public_key: bytes) -> VerifierKey:
    """The verifier key of one of a log's keys; `Problem(key.purpose-refused)` for a key of an
    algorithm that signs no checkpoints."""
    kind = _TYPES.get(algorithm)
    if kind is None:
        raise Problem(ProblemCode.KEY_PURPOSE_REFUSED, f"{algorithm} signs no checkpoints")
    return verifier_key(origin.decode(), kind, public_key)


@dataclass(frozen=True, slots=True)
class Log:
    """A log: its name, and its keys, Ed25519 first."""

    origin: str
    keys: tuple[SigningKey, ...]

    @property
    def verifiers(self) -> tuple[VerifierKey, ...]:
        """The keys as verifiers have them, in the same order."""
        origin = self.origin.encode()
        return tuple(log_verifier_key(origin, key.algorithm, key.public_key) for key in self.keys)


@dataclass(frozen=True, slots=True)
class LogState:
    """The log as the store has it: all leaves up to `size` are durable, `note` is the newest
    signed checkpoint (None before the first). `fence` tells sequencers apart."""

    size: int
    fence: int
    note: bytes | None


@dataclass(frozen=True, slots=True)
class WaitingLeaf:
    """An event's entry that has no place in the log yet."""

    tenant: TenantId
    sequence: int
    entry: bytes


@dataclass(frozen=True, slots=True)
class Published:
    """A signed checkpoint."""

    note: Note
    octets: bytes
    checkpoint: Checkpoint

    @classmethod
    def of(cls, note: Note) -> Published:
        """From a note whose text is a checkpoint."""
        return cls(note, note.encode().encode(), parse_checkpoint(note.text))


def interleave(waiting: Sequence[WaitingLeaf]) -> list[WaitingLeaf]:
    """An order that tells nothing of whose leaves are whose, but keeps each tenant's.

    The entries are random, so their order is a shuffle; each place goes to the tenant whose
    entry fell there, and that tenant's leaves fill its places in their own order.
    """
    queues: dict[TenantId, list[WaitingLeaf]] = {}
    for leaf in sorted(waiting, key=lambda each: each.sequence, reverse=True):
        queues.setdefault(leaf.tenant, []).append(leaf)
    shuffled = sorted(waiting, key=lambda each: each.entry)
    return [queues[leaf.tenant].pop() for leaf in shuffled]
