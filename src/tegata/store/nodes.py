"""Nodes, and which acts of their journals the database holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnClause,
    bindparam,
    delete,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from tegata.kernel.ids import NodeId
from tegata.kernel.ports import Clock
from tegata.operations.model import Node, Standing
from tegata.store.instants import to_milliseconds
from tegata.store.reads import ReadsBase
from tegata.store.schema import negative_act, node
from tegata.store.statement import Statement
from tegata.store.unit import UnitBase

_ID: BindParameter[str] = bindparam("node")
_ZERO: ColumnClause[int] = literal_column("0")
_ONE: ColumnClause[int] = literal_column("1")
_NUMBERS = ("generation", "mark", "beat", "blocks_until")

_NODES = Statement(select(node).order_by(node.c.id))
_APPLIED = Statement(select(negative_act.c.place).where(negative_act.c.node == _ID))
_put: Any = upsert(node).values(
    id=_ID,
    **{name: bindparam(name, type_=BigInteger) for name in _NUMBERS},
    awaited=_ZERO,
    written_off_at=null(),
)
_PUT_NODE = Statement(
    _put.on_conflict_do_update(
        index_elements=["id"],
        set_={name: _put.excluded[name] for name in (*_NUMBERS, "awaited", "written_off_at")},
    )
)
_await: Any = upsert(node).values(
    id=_ID, **dict.fromkeys(_NUMBERS, _ZERO), awaited=_ONE, written_off_at=null()
)
_AWAIT_NODE = Statement(
    _await.on_conflict_do_update(index_elements=["id"], set_={"awaited": _await.excluded.awaited})
)
_WRITE_OFF = Statement(update(node).where(node.c.id == _ID).values(written_off_at=bindparam("now")))
_MOVE_MARK = Statement(
    update(node)
    .where(
        node.c.id == _ID,
        node.c.generation == bindparam("old_generation"),
        node.c.mark == bindparam("old_mark"),
        node.c.beat == bindparam("old_beat"),
    )
    .values(mark=bindparam("new_mark"), beat=bindparam("new_beat"))
)
_MOVE_BLOCKS = Statement(
    update(node).where(node.c.id == _ID).values(blocks_until=bindparam("until"))
)
_FORGET = Statement(
    delete(negative_act).where(
        negative_act.c.node == _ID, negative_act.c.place <= bindparam("until")
    )
)


class NodeReads(ReadsBase):
    """Nodes, for recovery."""

    async def nodes(self) -> Mapping[NodeId, Node]:
        """Every node that ever started on this database."""
        rows = await self.database.fetch(None, _NODES, {})
        return {
            NodeId(identifier): Node(
                NodeId(identifier),
                Standing(generation, mark, beat),
                blocks_until,
                bool(awaited),
                written_off_at is not None,
            )
            for identifier, generation, mark, beat, blocks_until, awaited, written_off_at in rows
        }

    async def applied(self, node: NodeId) -> Collection[int]:
        """The places of a node's acts that the database holds beyond the node's mark."""
        rows = await self.database.fetch(None, _APPLIED, {"node": node})
        return frozenset(row[0] for row in rows)

    async def put_node(self, node: Node) -> None:
        """Record a node as it is now, no longer awaited or written off."""
        standing = node.standing
        await self.database.execute_shared(
            _PUT_NODE,
            {
                "node": node.id,
                "generation": standing.generation,
                "mark": standing.mark,
                "beat": standing.beat,
                "blocks_until": node.blocks_until,
            },
        )

    async def move_mark(self, node: NodeId, before: Standing, after: Standing) -> bool:
        """Say how far a node is; False when the database does not say `before` of it."""
        touched = await self.database.execute_shared(
            _MOVE_MARK,
            {
                "node": node,
                "old_generation": before.generation,
                "old_mark": before.mark,
                "old_beat": before.beat,
                "new_mark": after.mark,
                "new_beat": after.beat,
            },
        )
        if touched and after.mark != before.mark:
            await self.database.execute_shared(_FORGET, {"node": node, "until": after.mark})
        return touched == 1

    async def move_blocks(self, node: NodeId, until: int) -> None:
        """Say how far the reservations of a node's signer are in the database."""
        await self.database.execute_shared(_MOVE_BLOCKS, {"node": node, "until": until})


class NodeWrites(UnitBase):
    """Nodes in a unit."""

    _clock: Clock

    def await_node(self, node: NodeId) -> None:
        """Wait for a node's journal, unless it is written off; a node may be unknown yet."""
        self._execute(_AWAIT_NODE, {"node": node})

    def write_off(self, node: NodeId) -> None:
        """Wait for a node's journal no longer; conflicts when there is no such node."""
        self._execute(_WRITE_OFF, {"node": node, "now": to_milliseconds(self._clock.now())})
