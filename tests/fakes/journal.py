"""A journal of negative acts that only remembers."""

from __future__ import annotations

from collections.abc import Sequence

from tegata.kernel.ids import NodeId
from tegata.kernel.negative import ActPlace, NegativeAct


class FakeJournal:
    """What units ask of a node's journal."""

    def __init__(self) -> None:
        self.acts: list[NegativeAct] = []

    async def begin(self, acts: Sequence[NegativeAct]) -> Sequence[ActPlace]:
        """Remember acts."""
        first = len(self.acts) + 1
        self.acts += acts
        return [ActPlace(NodeId("nod_1"), first + each) for each in range(len(acts))]

    async def end(self, places: Sequence[ActPlace], *, done: bool, lifts: bool) -> None:
        """Nothing to do."""
