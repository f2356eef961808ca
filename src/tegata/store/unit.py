"""Units of work: what a use case wants to become true, applied at once or not at all.

A unit gathers writes and events and applies them in one transaction at `commit`; reads happen
before, outside it. So no transaction is ever open while a key or a network is used, commits of
many units share one flush of the disk, and a write that depends on what was read says so: it
states how many rows it expects to change, and the unit fails when they are not there (ADR 4).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple, Protocol

from sqlalchemy import Table, bindparam
from sqlalchemy.dialects.postgresql import insert as upsert

from tegata.issuance.serials import serial_octets
from tegata.kernel.event import (
    SALT_OCTETS,
    AuditEvent,
    ChainedEvent,
    Disclosure,
    chain_event,
    disclose,
    log_entry,
)
from tegata.kernel.ids import IssuerId, TenantId
from tegata.kernel.negative import ActPlace, NegativeAct
from tegata.kernel.ports import Clock, Randomness
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope
from tegata.kernel.signing import DataKeyKind, Sealer
from tegata.store.instants import to_milliseconds
from tegata.store.schema import negative_act, status_change
from tegata.store.statement import Parameters, Row, Statement

# Who looks back sees a change, however many there were in that millisecond.
_STATUS_CHANGED = Statement(
    upsert(status_change)
    .values({name: bindparam(name) for name in ("tenant", "issuer", "serial", "changed_at")})
    .on_conflict_do_nothing(index_elements=["changed_at", "issuer", "serial"])
)
# Told of every certificate whose status this node has changed.
Withdraw = Callable[[IssuerId, int], None]


class Insert(NamedTuple):
    """A row to add, in the order of the table's columns."""

    table: Table
    row: Row


class Execute(NamedTuple):
    """A statement to run. Unless `expect` is None it must touch that many rows, or the unit
    fails with `otherwise`."""

    statement: Statement
    parameters: Parameters
    expect: int | None
    otherwise: ProblemCode


class PendingEvent(NamedTuple):
    """An event that gets its number and its predecessor when the unit is applied."""

    event: AuditEvent
    commitments: Sequence[str]
    disclosures: bytes
    salt: bytes
    instant: datetime


@dataclass(slots=True)
class Intent:
    """All that a unit wants. `essential` work may use the disk space kept in reserve."""

    tenant: TenantId
    essential: bool = False
    inserts: list[Insert] = field(default_factory=list)
    executes: list[Execute] = field(default_factory=list)
    events: list[PendingEvent] = field(default_factory=list)


class Committer(Protocol):
    """An engine's way to apply intents."""

    async def apply(self, intent: Intent) -> None:
        """Apply durably. Raises `Problem`: conflict (or the code an `Execute` names), the
        storage codes, or outcome.unknown when nobody can tell."""
        ...


class ActJournal(Protocol):
    """A node's journal of negative acts, outside the database (ADR 15)."""

    async def begin(self, acts: Sequence[NegativeAct]) -> Sequence[ActPlace]:
        """Make acts durable before they are done. Raises `Problem` with the storage codes."""
        ...

    async def end(self, places: Sequence[ActPlace], *, done: bool, lifts: bool) -> None:
        """Say that acts were done, or refused; durable on return when they lift others."""
        ...


class UnitBase:
    """The part of a unit that every room's writes rest on."""

    def __init__(
        self,
        committer: Committer,
        scope: TenantScope,
        sealers: Mapping[DataKeyKind, Sealer],
        clock: Clock,
        randomness: Randomness,
        withdraw: Withdraw,
        journal: ActJournal | None = None,
    ) -> None:
        self._journal = journal
        self._acts: list[NegativeAct] = []
        self.scope = scope
        self._committer = committer
        self._withdraw = withdraw
        self._changed: list[tuple[IssuerId, int]] = []
        self.sealers = sealers
        self._clock = clock
        self._randomness = randomness
        self._intent = Intent(scope.tenant)

    def audit(self, event: AuditEvent) -> None:
        """Record an event in this unit's transaction."""
        # The first is of the event's own leaf in the log.
        salts = self._randomness.octets(SALT_OCTETS * (len(event.private) + 1))
        disclosures = [
            disclose(name, value, salts[SALT_OCTETS * place : SALT_OCTETS * (place + 1)])
            for place, (name, value) in enumerate(event.private.items(), 1)
        ]
        commitments = sorted(disclosure.commitment() for disclosure in disclosures)
        salt = salts[:SALT_OCTETS]
        sealed = self.sealers[DataKeyKind.DISCLOSURE].seal(
            pack_disclosures(salt, disclosures), disclosure_context(commitments)
        )
        self._intent.events.append(
            PendingEvent(event, commitments, sealed, salt, self._clock.now())
        )

    def essential(self) -> None:
        """Let this unit use the disk space kept in reserve: revocations and refusals."""
        self._intent.essential = True

    def replay(self, place: ActPlace) -> None:
        """This unit does a journaled act again: it is not journaled another time."""
        self._journal = None
        self._insert(negative_act, node=place.node, place=place.place)

    async def commit(self) -> None:
        """Apply everything, durably, or raise `Problem` and apply nothing."""
        if not self._acts or self._journal is None:
            await self._apply()
            return
        # A caller that gives up leaves no act half told.
        await asyncio.shield(asyncio.create_task(self._commit_acts(self._journal)))

    async def _apply(self) -> None:
        try:
            await self._committer.apply(self._intent)
        finally:
            # Also when nobody can tell whether it stands.
            for issuer, serial in self._changed:
                self._withdraw(issuer, serial)

    async def _commit_acts(self, journal: ActJournal) -> None:
        # First outside the database, then in it: what anybody can see done is in the journal,
        # and which of the journal's acts a database holds is written in the act's transaction.
        places = await journal.begin(self._acts)
        for place in places:
            self._insert(negative_act, node=place.node, place=place.place)
        lifts = any(act.lifts for act in self._acts)
        try:
            await self._apply()
        except Problem as problem:
            # What may stand stays open: the next start looks, and completes it.
            if problem.code is not ProblemCode.OUTCOME_UNKNOWN:
                await journal.end(places, done=False, lifts=False)
            raise
        await journal.end(places, done=True, lifts=lifts)

    def _act(self, act: NegativeAct) -> None:
        """Have an act of this unit journaled."""
        self._acts.append(act)

    def _status_changed(self, issuer: IssuerId, serial: int) -> None:
        """Say that what is known of a certificate's status is no longer true."""
        self._execute(
            _STATUS_CHANGED,
            {
                "tenant": self.scope.tenant,
                "issuer": issuer,
                "serial": serial_octets(serial),
                "changed_at": to_milliseconds(self._clock.now()),
            },
            expect=None,
        )
        self._changed.append((issuer, serial))

    def _insert(self, table: Table, **values: object) -> None:
        names = _columns(table)
        if len(names) != len(values):
            raise TypeError(f"{table.name} has the columns {', '.join(names)}")
        self._intent.inserts.append(Insert(table, tuple(map(values.__getitem__, names))))

    def _execute(
        self,
        statement: Statement,
        parameters: Parameters,
        *,
        expect: int | None = 1,
        otherwise: ProblemCode = ProblemCode.CONFLICT,
    ) -> None:
        self._intent.executes.append(Execute(statement, parameters, expect, otherwise))


@lru_cache(maxsize=64)
def _columns(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.columns)


def disclosure_context(commitments: Sequence[str]) -> str:
    """What binds sealed disclosures to their event: the event's own commitments."""
    return "audit_event.disclosures|" + hashlib.sha256("".join(commitments).encode()).hexdigest()


def salt_context(sequence: int) -> str:
    """What binds the sealed salt of an event older than the log to it."""
    return f"log_salt.sealed|{sequence}"


# Begins what has the salt of the event's leaf; what is older begins with a disclosure's letters.
_WITH_SALT = b"\x01"


def pack_disclosures(salt: bytes, disclosures: Sequence[Disclosure]) -> bytes:
    """What is sealed with an event: the salt of its leaf, and its disclosures."""
    text = "\n".join([disclosure.text for disclosure in disclosures])
    return _WITH_SALT + salt + text.encode()


def unpack_disclosures(plaintext: bytes) -> tuple[bytes | None, tuple[str, ...]]:
    """The salt (None for an event that is older than the log) and the disclosures' texts."""
    salt, text = None, plaintext
    if plaintext.startswith(_WITH_SALT):
        salt, text = plaintext[1 : 1 + SALT_OCTETS], plaintext[1 + SALT_OCTETS :]
    return salt, tuple(text.decode().split("\n")) if text else ()


@dataclass(slots=True)
class ChainHead:
    """The end of a tenant's record while events are added to it."""

    tenant: TenantId
    sequence: int
    digest: bytes

    def append(self, pending: PendingEvent) -> ChainedEvent:
        """Number and chain one event."""
        chained = chain_event(
            pending.event,
            pending.commitments,
            self.tenant,
            self.sequence + 1,
            self.digest,
            pending.instant,
        )
        self.sequence, self.digest = chained.sequence, chained.digest
        return chained


def record_rows(event: ChainedEvent, pending: PendingEvent) -> tuple[Row, Row]:
    """An event's rows: in its tenant's record, and in the queue of the log."""
    canonical = event.canonical
    return (
        (event.tenant, event.sequence, canonical, event.digest, pending.disclosures),
        (event.tenant, event.sequence, log_entry(pending.salt, canonical)),
    )
