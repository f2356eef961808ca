"""The records of a node's journal, and what they add up to."""

from __future__ import annotations

from typing import Any

import msgspec

from tegata.kernel.ids import NodeId, TenantId
from tegata.kernel.negative import ActKind, NegativeAct
from tegata.operations.model import JournaledAct, Standing


class Act(msgspec.Struct, array_like=True, tag=1):
    """An act is about to be done."""

    kind: str
    tenant: str
    subject: str
    values: dict[str, Any]


class Ended(msgspec.Struct, array_like=True, tag=2):
    """Acts were done, or refused."""

    places: list[int]
    done: bool


class Start(msgspec.Struct, array_like=True, tag=3):
    """A start of the node has begun, or was completed."""

    generation: int
    completed: bool


class Seen(msgspec.Struct, array_like=True, tag=4):
    """How far a node is in the database."""

    node: str
    generation: int
    mark: int
    beat: int


Record = Act | Ended | Start | Seen
DECODER = msgspec.msgpack.Decoder(Record)


class Reading:
    """The records of a journal, added up."""

    def __init__(self) -> None:
        self.acts: dict[int, NegativeAct] = {}
        self.outcomes: dict[int, bool] = {}
        self.starting = 0
        self.started = 0
        self.seen: dict[NodeId, Standing] = {}

    def add(self, place: int, record: Record) -> None:
        """The next record."""
        match record:
            case Act(kind, tenant, subject, values):
                act = NegativeAct(ActKind(kind), TenantId(tenant), subject, values)
                self.acts[place] = act
            case Ended(places, done):
                self.outcomes.update(dict.fromkeys(places, done))
            case Start(generation, completed):
                self.starting = max(self.starting, generation)
                if completed:
                    self.started = max(self.started, generation)
            case Seen(node, generation, mark, beat):
                self.seen[NodeId(node)] = Standing(generation, mark, beat)

    def result(self) -> tuple[JournaledAct, ...]:
        """The acts with their outcomes."""
        return tuple(
            JournaledAct(place, act, self.outcomes.get(place)) for place, act in self.acts.items()
        )


def context(place: int) -> str:
    """What binds a sealed record to its place."""
    # The node stands in the key's own binding.
    return f"negative-acts|{place}"
