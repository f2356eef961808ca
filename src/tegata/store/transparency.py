"""The Merkle log, as rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import (
    BindParameter,
    ColumnClause,
    ColumnElement,
    and_,
    bindparam,
    delete,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from tegata.kernel.event import SALT_OCTETS, log_entry
from tegata.kernel.ids import NodeId, TenantId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import PLATFORM_TENANT, TenantScope
from tegata.kernel.signing import DataKeyKind, KeyAlgorithm
from tegata.store import schema
from tegata.store.instants import to_milliseconds
from tegata.store.keys import KEY_COLUMNS, key_from_row
from tegata.store.reads import ReadsBase
from tegata.store.schema import (
    audit_event,
    audit_head,
    log_head,
    log_leaf,
    log_mark,
    log_queue,
    log_tile,
    signing_key,
)
from tegata.store.statement import NO_OFFSET, Statement
from tegata.store.unit import Execute, Insert, Intent, UnitBase, salt_context
from tegata.transparency.model import Log, LogState, WaitingLeaf
from tegata.transparency.tiles import Tile, TileId, TreeEdge

_NAME = "log"
_TENANT: BindParameter[str] = bindparam("tenant")
# These statements are of no tenant's work but the sequencer's, which sees all tenants' entries.
_IS_PLATFORM: ColumnElement[bool] = literal_column(f"'{PLATFORM_TENANT}'") == _TENANT
_THIS = log_head.c.name == literal_column(f"'{_NAME}'")
_FENCED = and_(_THIS, log_head.c.fence == bindparam("known_fence"))
_ONE: ColumnClause[int] = literal_column("1")
# Tiles that one statement reads: more than a proof at a thousand million leaves needs.
_TILES_AT_ONCE = 10

_FIND_KEYS = Statement(
    select(*KEY_COLUMNS)
    .where(signing_key.c.tenant == _TENANT, signing_key.c.purpose == literal_column("'log'"))
    .order_by(signing_key.c.id)
)
_STATE = Statement(
    select(
        log_head.c.origin, log_head.c.size, log_head.c.fence, log_head.c.owner, log_head.c.note
    ).where(_THIS)
)
_TAKE = Statement(
    update(log_head)
    .where(
        _THIS,
        or_(log_head.c.leased_until < bindparam("now"), log_head.c.owner == bindparam("node")),
    )
    .values(fence=log_head.c.fence + _ONE, owner=bindparam("node"), leased_until=bindparam("until"))
)
_KEEP = Statement(update(log_head).where(_FENCED).values(leased_until=bindparam("until")))
_GROW = Statement(
    update(log_head)
    .where(_FENCED, log_head.c.size == bindparam("old_size"))
    .values(size=bindparam("new_size"))
)
_PUBLISH = Statement(
    update(log_head)
    .where(
        _FENCED,
        log_head.c.note_size <= bindparam("published"),
        log_head.c.size >= bindparam("published"),
    )
    .values(note=bindparam("new_note"), note_size=bindparam("published"))
)
_put_tile = upsert(log_tile).values(
    level=bindparam("level"), number=bindparam("number"), octets=bindparam("octets")
)
_PUT_TILE = Statement(
    _put_tile.on_conflict_do_update(
        index_elements=["level", "number"], set_={"octets": _put_tile.excluded.octets}
    )
)
_TILES = Statement(
    select(log_tile).where(
        or_(
            *(
                and_(
                    log_tile.c.level == bindparam(f"level_{place}"),
                    log_tile.c.number == bindparam(f"number_{place}"),
                )
                for place in range(_TILES_AT_ONCE)
            )
        )
    )
)
_TILE_RANGE = Statement(
    select(log_tile)
    .where(
        log_tile.c.level == bindparam("level"),
        log_tile.c.number >= bindparam("first"),
        log_tile.c.number < bindparam("end"),
    )
    .order_by(log_tile.c.number)
)
_WAITING = Statement(
    select(log_queue)
    .where(_IS_PLATFORM, log_queue.c.tenant > bindparam("after"))
    .order_by(log_queue.c.tenant, log_queue.c.sequence)
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)
_WAITING_OF = Statement(
    select(log_queue.c.sequence, log_queue.c.entry)
    .where(log_queue.c.tenant == _TENANT)
    .order_by(log_queue.c.sequence)
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)
_MARK = Statement(
    select(log_mark.c.sequence).where(_IS_PLATFORM, log_mark.c.tenant == bindparam("marked"))
)
_MOVE_MARK = Statement(
    update(log_mark)
    .where(
        _IS_PLATFORM,
        log_mark.c.tenant == bindparam("marked"),
        log_mark.c.sequence == bindparam("before"),
    )
    .values(sequence=bindparam("now_at"))
)
_TAKE_OFF_QUEUE = Statement(
    delete(log_queue).where(
        _IS_PLATFORM,
        log_queue.c.tenant == bindparam("marked"),
        log_queue.c.sequence <= bindparam("now_at"),
    )
)
_HEAD = Statement(select(audit_head.c.sequence).where(audit_head.c.tenant == _TENANT))
_FIRST_WAITING = Statement(
    select(func.min(log_queue.c.sequence)).where(log_queue.c.tenant == _TENANT)
)
_CANONICAL = Statement(
    select(audit_event.c.sequence, audit_event.c.canonical)
    .where(
        audit_event.c.tenant == _TENANT,
        audit_event.c.sequence >= bindparam("first"),
        audit_event.c.sequence < bindparam("end"),
    )
    .order_by(audit_event.c.sequence)
)
_TENANTS = Statement(select(schema.tenant.c.id).where(_IS_PLATFORM).order_by(schema.tenant.c.id))
_PLACE = Statement(
    select(audit_event.c.sequence, log_leaf.c.place)
    .select_from(
        audit_event.outerjoin(
            log_leaf,
            and_(
                log_leaf.c.tenant == audit_event.c.tenant,
                log_leaf.c.sequence == audit_event.c.sequence,
            ),
        )
    )
    .where(audit_event.c.tenant == _TENANT, audit_event.c.sequence == bindparam("sequence"))
)


class LogReads(ReadsBase):
    """The log, and the few writes that belong to no unit of a tenant's."""

    async def find_log(self) -> Log | None:
        """The log's name and keys, once it was made."""
        rows = await self.database.fetch(None, _STATE, {})
        if not rows:
            return None
        found = await self.database.fetch(PLATFORM_TENANT, _FIND_KEYS, {})
        keys = [key_from_row(row) for row in found]
        keys.sort(key=lambda key: key.algorithm is not KeyAlgorithm.ED25519)
        return Log(rows[0][0], tuple(keys))

    async def log_state(self) -> LogState:
        """The log's size, fence and newest checkpoint."""
        ((_origin, size, fence, _owner, note),) = await self.database.fetch(None, _STATE, {})
        return LogState(size, fence, bytes(note) if note is not None else None)

    async def take_log_lease(self, node: NodeId, now: datetime, until: datetime) -> int | None:
        """Become the sequencer: a new fence; None while another node's lease lasts."""
        parameters = {
            "node": node,
            "now": to_milliseconds(now),
            "until": to_milliseconds(until),
        }
        if not await self.database.execute_shared(_TAKE, parameters):
            return None
        ((_origin, _size, fence, owner, _note),) = await self.database.fetch(None, _STATE, {})
        return int(fence) if owner == node else None

    async def keep_log_lease(self, fence: int, until: datetime) -> bool:
        """Stay the sequencer; False when another has taken over."""
        parameters = {"known_fence": fence, "until": to_milliseconds(until)}
        return bool(await self.database.execute_shared(_KEEP, parameters))

    async def give_log_lease(self, fence: int, now: datetime) -> None:
        """Let another become the sequencer at once."""
        await self.keep_log_lease(fence, now)

    async def read_tiles(self, tiles: Iterable[TileId]) -> Mapping[TileId, bytes]:
        """The octets of tiles; what is not there is left out."""
        found: dict[TileId, bytes] = {}
        wanted = list(tiles)
        for start in range(0, len(wanted), _TILES_AT_ONCE):
            some = wanted[start : start + _TILES_AT_ONCE]
            parameters: dict[str, int] = {}
            for place in range(_TILES_AT_ONCE):
                # Places that are left over ask for the first tile once more.
                level, number = some[place] if place < len(some) else some[0]
                parameters |= {f"level_{place}": level, f"number_{place}": number}
            for level, number, octets in await self.database.fetch(None, _TILES, parameters):
                found[TileId(level, number)] = bytes(octets)
        return found

    async def read_tile_range(self, level: int, first: int, end: int) -> Sequence[Tile]:
        """The tiles of a level from a number up to, not including, another."""
        parameters = {"level": level, "first": first, "end": end}
        rows = await self.database.fetch(None, _TILE_RANGE, parameters)
        return [Tile(TileId(row[0], row[1]), bytes(row[2])) for row in rows]

    async def waiting_leaves(self, after: str, limit: int) -> Sequence[WaitingLeaf]:
        """Entries without a place: by tenant, of tenants after one, each tenant's in order."""
        parameters = {"after": after, "limit": limit}
        rows = await self.database.fetch(PLATFORM_TENANT, _WAITING, parameters)
        return [
            WaitingLeaf(TenantId(tenant), sequence, bytes(entry))
            for tenant, sequence, entry in rows
        ]

    async def waiting_leaves_of(self, tenant: TenantId, limit: int) -> Sequence[WaitingLeaf]:
        """A tenant's first entries without a place, in order."""
        rows = await self.database.fetch(tenant, _WAITING_OF, {"limit": limit})
        return [WaitingLeaf(tenant, sequence, bytes(entry)) for sequence, entry in rows]

    async def log_mark(self, tenant: TenantId) -> int:
        """The sequence number of a tenant's last event that has a place; 0 for none."""
        rows = await self.database.fetch(PLATFORM_TENANT, _MARK, {"marked": tenant})
        return int(rows[0][0]) if rows else 0

    async def append_leaves(
        self,
        fence: int,
        size: int,
        leaves: Sequence[tuple[WaitingLeaf, int]],
        marks: Mapping[TenantId, tuple[int, int]],
        grown: TreeEdge,
        tiles: Sequence[Tile],
    ) -> None:
        """Give leaves their places and move tenants' marks (from, to), in one transaction with
        the tiles. Raises `Problem(conflict)` when the log is not as the caller believes."""
        intent = Intent(PLATFORM_TENANT, essential=True)
        intent.inserts += [
            Insert(log_leaf, (leaf.tenant, leaf.sequence, place)) for leaf, place in leaves
        ]
        growth = {"known_fence": fence, "old_size": size, "new_size": grown.size}
        intent.executes.append(Execute(_GROW, growth, 1, ProblemCode.CONFLICT))
        for tenant, (before, now_at) in marks.items():
            moved = {"tenant": PLATFORM_TENANT, "marked": tenant, "now_at": now_at}
            if before:
                guarded = {**moved, "before": before}
                intent.executes.append(Execute(_MOVE_MARK, guarded, 1, ProblemCode.CONFLICT))
            else:
                intent.inserts.append(Insert(log_mark, (tenant, now_at)))
            intent.executes.append(
                Execute(_TAKE_OFF_QUEUE, moved, now_at - before, ProblemCode.CONFLICT)
            )
        intent.executes += [
            Execute(
                _PUT_TILE,
                {"level": tile.id.level, "number": tile.id.number, "octets": tile.octets},
                None,
                ProblemCode.CONFLICT,
            )
            for tile in tiles
        ]
        await self.database.apply(intent)

    async def publish_note(self, fence: int, size: int, note: bytes) -> bool:
        """Keep a signed checkpoint; False when another sequencer took over, or a later one is
        kept already."""
        parameters = {"known_fence": fence, "published": size, "new_note": note}
        return bool(await self.database.execute_shared(_PUBLISH, parameters))

    async def missing_events(self, tenant: TenantId) -> tuple[int, int]:
        """The range [first, end) of a tenant's events that have no place and do not wait for
        one: events of the time before the log."""
        # The mark last: what got its place meanwhile is not missing.
        heads = await self.database.fetch(tenant, _HEAD, {})
        ((waiting,),) = await self.database.fetch(tenant, _FIRST_WAITING, {})
        mark = await self.log_mark(tenant)
        last = int(heads[0][0]) if heads else 0
        return mark + 1, last + 1 if waiting is None else int(waiting)

    async def canonical_events(
        self, tenant: TenantId, first: int, end: int
    ) -> Sequence[tuple[int, bytes]]:
        """Sequence numbers and canonical octets of a tenant's events in a range."""
        rows = await self.database.fetch(tenant, _CANONICAL, {"first": first, "end": end})
        return [(int(row[0]), bytes(row[1])) for row in rows]

    async def all_tenants(self) -> Sequence[TenantId]:
        """Every tenant that there is."""
        rows = await self.database.fetch(PLATFORM_TENANT, _TENANTS, {})
        return [TenantId(row[0]) for row in rows]

    async def place_of(self, scope: TenantScope, sequence: int) -> int | None:
        """The place of one of the tenant's own events. Raises `Problem(event.unknown)`."""
        rows = await self.database.fetch(scope.tenant, _PLACE, {"sequence": sequence})
        if not rows:
            raise Problem(ProblemCode.EVENT_UNKNOWN)
        place = rows[0][1]
        return int(place) if place is not None else None


class LogWrites(UnitBase):
    """The log in a unit."""

    def add_log(self, origin: str) -> None:
        """Make the log, empty; the unit fails with a conflict when there is one."""
        self._insert(
            log_head,
            name=_NAME,
            origin=origin,
            size=0,
            fence=0,
            owner="",
            leased_until=0,
            note=None,
            note_size=0,
        )

    def queue_old_event(self, sequence: int, canonical: bytes) -> None:
        """Give an event of the time before the log a salt, and have it wait for a place."""
        salt = self._randomness.octets(SALT_OCTETS)
        sealed = self.sealers[DataKeyKind.DISCLOSURE].seal(salt, salt_context(sequence))
        tenant = self.scope.tenant
        self._insert(schema.log_salt, tenant=tenant, sequence=sequence, sealed=sealed)
        entry = log_entry(salt, canonical)
        self._insert(log_queue, tenant=tenant, sequence=sequence, entry=entry)
