"""What a start finds: a node's journal of negative acts, and what the database says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tegata.kernel.ids import NodeId
from tegata.kernel.negative import NegativeAct


class RestoreRefused(Exception):
    """The platform must not start on this database; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a node is. Each number only ever grows; a database in which one is smaller than it
    was is an older one.

    `generation` counts the node's starts. The acts of its journal up to the place `mark` stand in
    the database. `beat` counts its minutes.
    """

    generation: int = 0
    mark: int = 0
    beat: int = 0

    def is_behind(self, other: Standing) -> bool:
        """Whether anything here is less than there."""
        return (
            self.generation < other.generation or self.mark < other.mark or self.beat < other.beat
        )


@dataclass(frozen=True, slots=True)
class Node:
    """A node as the database knows it. While one that is not written off is awaited, none
    serves: its journal may hold acts that the database lacks. Its signer's reservations up to
    `blocks_until` (octets of that journal) are in the database."""

    id: NodeId
    standing: Standing
    blocks_until: int = 0
    is_awaited: bool = False
    written_off: bool = False


@dataclass(frozen=True, slots=True)
class JournaledAct:
    """An act of a journal. `done` is None when its outcome was not recorded."""

    place: int
    act: NegativeAct
    done: bool | None


@dataclass(frozen=True, slots=True)
class JournalView:
    """What a node's journal says, as it was found at start. Places run from `first` to `last`.

    `starting` and `started` are the generations of the last start that was begun, and completed.
    `seen` is how far each node was when this one last looked. `torn`: the last record is not
    whole. `faults` say why it cannot be read to its end.
    """

    present: bool
    first: int = 1
    last: int = 0
    acts: tuple[JournaledAct, ...] = ()
    starting: int = 0
    started: int = 0
    seen: Mapping[NodeId, Standing] = field(default_factory=dict)
    torn: bool = False
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a start must do. `refusals` stand in the way; `restored` says by what an older
    database was recognized; `missing` are the acts that it lacks."""

    refusals: tuple[str, ...]
    restored: tuple[str, ...]
    missing: tuple[JournaledAct, ...]


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a start did. `unknown` acts are of tenants that the database does not know."""

    generation: int
    restored: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    replayed: int = 0
    unknown: int = 0
