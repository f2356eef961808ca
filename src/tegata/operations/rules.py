"""Pure decisions about a database that may be older than the journals (ADR 15)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tegata.kernel.ids import NodeId
from tegata.operations.model import Assessment, JournaledAct, JournalView, Node, Standing


def assess(
    own: NodeId, nodes: Mapping[NodeId, Node], view: JournalView, applied: Collection[int]
) -> Assessment:
    """Compare a node's journal with the database. `applied` are the places of its acts that the
    database holds beyond its mark."""
    row = nodes.get(own)
    restored = _signs(own, nodes, view)
    missing = missing_acts(row.standing.mark if row else 0, view, applied)
    if row is not None and any(each.done for each in missing) and not restored:
        restored = ("an act that was done is missing",)
    return Assessment(_refusals(row, view, restored), restored, missing)


def missing_acts(
    mark: int, view: JournalView, applied: Collection[int]
) -> tuple[JournaledAct, ...]:
    """The acts to do again.

    An act without an outcome was asked for by somebody who may, and nobody was told that it
    failed: it is completed. One that lifts another is not: it must be known to have been done.
    """
    return tuple(
        each
        for each in view.acts
        if each.place > mark
        and each.place not in applied
        and each.done is not False
        and (each.done or not each.act.lifts)
    )


def known_nodes(nodes: Mapping[NodeId, Node], view: JournalView) -> frozenset[NodeId]:
    """Every node that may have a journal: those of the database, and those seen before."""
    return frozenset(nodes) | frozenset(view.seen)


def _signs(own: NodeId, nodes: Mapping[NodeId, Node], view: JournalView) -> tuple[str, ...]:
    row = nodes.get(own)
    signs = []
    if row is not None and row.is_awaited:
        signs.append("the database was restored")
    generation = row.standing.generation if row else 0
    if generation < view.started:
        signs.append(f"the database knows {generation} of {view.started} starts of this node")
    for node, seen in view.seen.items():
        known = nodes[node].standing if node in nodes else Standing()
        if known.is_behind(seen):
            signs.append(f"the database is older than what {node} had written to it")
    return tuple(signs)


def _refusals(row: Node | None, view: JournalView, restored: tuple[str, ...]) -> tuple[str, ...]:
    refusals = list(view.faults)
    mark = row.standing.mark if row else 0
    if row is not None and row.standing.generation and not view.present:
        return ("this node's journal of negative acts is missing",)
    if view.faults:
        return tuple(refusals)
    if row is not None and (view.last < mark or view.starting < row.standing.generation):
        refusals.append("this node's journal is older than the database: its end is missing")
    if view.present and mark < view.first - 1:
        refusals.append(
            "the database is older than the journal reaches back: acts between them are lost"
        )
    if view.torn and restored:
        # Its last record may have been acknowledged, and the database that had it is gone.
        refusals.append("the journal's last record is damaged, and the database was restored")
    return tuple(refusals)


def next_standing(own: NodeId, row: Node, view: JournalView) -> Standing:
    """Where a node stands when its run begins and its journal's acts are in the database."""
    known = (row.standing, view.seen.get(own, Standing()))
    return Standing(
        generation=max(view.starting, view.started, *(each.generation for each in known)) + 1,
        mark=max(view.last, *(each.mark for each in known)),
        beat=max(each.beat for each in known) + 1,
    )
