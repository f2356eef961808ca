"""A world that stamps, and can crash at any port call on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta

from tegata.issuance.model import Issuer
from tegata.kernel.ids import KeyId, TenantId, TimestampAuthorityId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope
from tegata.kernel.signing import KeyAlgorithm, KeyPurpose, SignatureAlgorithm, SigningKey
from tegata.pkix import oids
from tegata.pkix.tsp import TimeStampRequest, message_imprint, parse_tst_info
from tegata.signers.keys import KeyRecord
from tegata.signers.timestamps import require_timestamp
from tegata.timestamping.authorities import TimestampAuthorityService
from tegata.timestamping.clock import JudgedClock
from tegata.timestamping.model import (
    ClockSample,
    ClockTrust,
    NewTimestampAuthority,
    Stamping,
    TimestampAuthority,
    TimestampUnit,
)
from tegata.timestamping.service import TimeStamp, TimestampService
from tests.fakes.system import FakeClock
from tests.fakes.world import World
from tests.fakes.world_signer import MemorySigner
from tests.fakes.world_store import MemoryStore, MemoryUnit, Tables, _add
from tests.pkix.keys import make_key, spki

POLICY = "1.2.3.4"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
REQUEST = TimeStampRequest(1, message_imprint(oids.SHA256, bytes(32)), nonce=9)


@dataclass(slots=True)
class StampTables(Tables):
    """What was committed, with what stamps."""

    stampers: dict[TimestampAuthorityId, TimestampAuthority] = field(default_factory=dict)
    units: dict[tuple[TimestampAuthorityId, int], TimestampUnit] = field(default_factory=dict)
    stamp_blocks: dict[tuple[TimestampAuthorityId, bytes], None] = field(default_factory=dict)
    ordered: dict[TimestampAuthorityId, datetime] = field(default_factory=dict)
    renewals: dict[TimestampAuthorityId, datetime] = field(default_factory=dict)

    def copy(self) -> StampTables:
        return StampTables(**{each.name: dict(getattr(self, each.name)) for each in fields(self)})


class StampUnit(MemoryUnit):
    """A unit of work with what stamps."""

    def add_timestamp_authority(self, authority: TimestampAuthority) -> None:
        def add(tables: Tables) -> None:
            assert isinstance(tables, StampTables)
            if authority.name in {each.name for each in tables.stampers.values()}:
                raise Problem(ProblemCode.CONFLICT)
            _add(tables.stampers, authority.id, authority)

        self._writes.append(add)

    def add_timestamp_unit(self, unit: TimestampUnit, renew_at: datetime, now: datetime) -> None:
        def add(tables: Tables) -> None:
            assert isinstance(tables, StampTables)
            _add(tables.units, (unit.authority, unit.number), unit)
            tables.renewals[unit.authority] = renew_at

        self._writes.append(add)

    def add_timestamp_block(
        self, authority: TimestampAuthorityId, block: bytes, now: datetime
    ) -> None:
        def add(tables: Tables) -> None:
            assert isinstance(tables, StampTables)
            _add(tables.stamp_blocks, (authority, block), None)

        self._writes.append(add)

    def advance_timestamp_order(self, authority: TimestampAuthorityId, gen_time: datetime) -> None:
        def advance(tables: Tables) -> None:
            assert isinstance(tables, StampTables)
            if tables.ordered.get(authority, EPOCH) >= gen_time:
                raise Problem(ProblemCode.CONFLICT)
            tables.ordered[authority] = gen_time

        self._writes.append(advance)

    def disable_timestamp_authority(self, authority: TimestampAuthorityId, now: datetime) -> None:
        def disable(tables: Tables) -> None:
            assert isinstance(tables, StampTables)
            found = tables.stampers[authority]
            if found.disabled_at is not None:
                raise Problem(ProblemCode.CONFLICT)
            tables.stampers[authority] = replace(found, disabled_at=now)

        self._writes.append(disable)


class StampStore(MemoryStore):
    """A store with what stamps."""

    @property
    def stamps(self) -> StampTables:
        assert isinstance(self.tables, StampTables)
        return self.tables

    @asynccontextmanager
    async def open_unit(
        self, scope: TenantScope, *, essential: bool = False
    ) -> AsyncIterator[StampUnit]:
        self.gate.reach("store.open_unit")
        yield StampUnit(self, scope)

    def timestamp_url(self, authority: TimestampAuthorityId) -> str:
        return f"http://pki.example.test/tsp/{authority}"

    async def timestamp_tenant(self, authority: TimestampAuthorityId) -> TenantId | None:
        self.gate.reach("store.timestamp_tenant")
        found = self.stamps.stampers.get(authority)
        return found.tenant if found is not None else None

    async def find_timestamp_authority(
        self, scope: TenantScope, authority: TimestampAuthorityId
    ) -> TimestampAuthority | None:
        self.gate.reach("store.find_timestamp_authority")
        found = self.stamps.stampers.get(authority)
        return found if found is not None and found.tenant == scope.tenant else None

    async def find_timestamp_authority_named(
        self, scope: TenantScope, name: str
    ) -> TimestampAuthority | None:
        self.gate.reach("store.find_timestamp_authority_named")
        return next((each for each in self.stamps.stampers.values() if each.name == name), None)

    async def list_timestamp_authorities(
        self, scope: TenantScope, after: str, limit: int
    ) -> Sequence[TimestampAuthority]:
        return sorted(self.stamps.stampers.values(), key=lambda each: each.id)

    async def newest_timestamp_unit(
        self, scope: TenantScope, authority: TimestampAuthorityId
    ) -> TimestampUnit | None:
        self.gate.reach("store.newest_timestamp_unit")
        own = [unit for (owner, _), unit in self.stamps.units.items() if owner == authority]
        return max(own, key=lambda unit: unit.number, default=None)

    async def find_stamping(
        self, scope: TenantScope, authority: TimestampAuthorityId
    ) -> Stamping | None:
        found = await self.find_timestamp_authority(scope, authority)
        unit = await self.newest_timestamp_unit(scope, authority)
        if found is None or unit is None:
            return None
        issuer: Issuer = await self.get_issuer(scope, found.issuer)
        revoked = (issuer.id, unit.serial) in self.tables.revocations
        return Stamping(found, unit, issuer, tenant_works=True, revoked=revoked)


class StampSigner(MemorySigner):
    """A signer that knows what a unit's key may sign, and remembers what it signed."""

    def __init__(self, world: StampingWorld) -> None:
        super().__init__(world)
        self.world = world
        self.records: dict[KeyId, KeyRecord] = {}
        self.stamped: list[int] = []

    async def create_timestamp_key(
        self,
        tenant: TenantId,
        subject: bytes,
        algorithm: KeyAlgorithm,
        signature_algorithm: SignatureAlgorithm,
        policies: tuple[str, ...],
    ) -> SigningKey:
        self.gate.reach("signer.create_timestamp_key: before")
        private = make_key(algorithm)
        identifier = KeyId(f"key_{len(self.keys)}")
        self.keys[identifier] = private
        purpose = KeyPurpose.TIMESTAMP
        public = spki(private)
        self.records[identifier] = KeyRecord(
            identifier, tenant, purpose, algorithm, signature_algorithm, subject, public,
            b"", b"", "memory", b"", None, policies,
        )  # fmt: skip
        self.gate.reach("signer.create_timestamp_key: after")
        return SigningKey(identifier, tenant, purpose, algorithm, signature_algorithm, public, b"")

    async def sign_timestamp(self, key: SigningKey, info: bytes, attributes: bytes) -> bytes:
        self.gate.reach("signer.sign_timestamp: before")
        require_timestamp(info, attributes, self.records[key.id], self.world.clock.now())
        serial = parse_tst_info(info).serial
        assert serial not in self.stamped
        self.stamped.append(serial)
        signature = self._sign(key, attributes)
        self.gate.reach("signer.sign_timestamp: after")
        return signature


class WorldDiscipline:
    """Clocks that go as the world's does."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.step = timedelta()
        self.synchronised = True
        self.maximum_error = timedelta(milliseconds=10)

    def sample(self) -> ClockSample:
        boottime = (self.clock.now() - EPOCH) // timedelta(microseconds=1) * 1000
        step = self.step // timedelta(microseconds=1) * 1000
        return ClockSample(boottime + step, boottime, self.synchronised, self.maximum_error)


class StampingWorld(World):
    """A world with a time-stamping authority."""

    def __init__(self, crash_at: int | None = None) -> None:
        super().__init__(crash_at)
        self.store = StampStore(self, StampTables())
        self.signer = StampSigner(self)
        self.discipline = WorldDiscipline(self.clock)
        self.given: list[TimeStamp] = []
        self._compose()

    def _compose(self) -> None:
        super()._compose()
        if not isinstance(self.store, StampStore) or not isinstance(self.signer, StampSigner):
            return
        judged = JudgedClock(self.discipline, ClockTrust.KERNEL)
        self.stamps = TimestampService(self.store, self.signer, judged, self.randomness, self.gate)
        self.stampers = TimestampAuthorityService(
            self.store, self.signer, self.issuance, self.clock, self.randomness
        )

    @property
    def stamp_tables(self) -> StampTables:
        assert isinstance(self.store, StampStore)
        return self.store.stamps

    async def create(self, *, ordering: bool = False) -> TimestampAuthority:
        new = NewTimestampAuthority("stamps", self.issuer().id, (POLICY,), ordering=ordering)
        return await self.stampers.create(self.scope, new, bytes(32))

    async def stamp(
        self, authority: TimestampAuthority, request: TimeStampRequest = REQUEST
    ) -> TimeStamp:
        given = await self.stamps.stamp(authority.id, request, bytes(32))
        self.given.append(given)
        return given

    def recorded_stamps(self) -> list[int]:
        """Serials of recorded tokens, in the order of the record."""
        return [
            int(event.private["serial"], 16)
            for _tenant, event in self.tables.events.values()
            if event.action == "timestamping:token:issue"
        ]

    def require_stamps_in_order(self) -> None:
        """What holds at every instant: what was given is recorded; nothing was signed twice, or
        under a serial of no recorded block."""
        assert isinstance(self.signer, StampSigner)
        recorded = self.recorded_stamps()
        assert len(set(recorded)) == len(recorded)
        assert {each.serial for each in self.given} <= set(recorded) <= set(self.signer.stamped)
        blocks = {int.from_bytes(block, "big") for _owner, block in self.stamp_tables.stamp_blocks}
        assert {serial >> 32 for serial in self.signer.stamped} <= blocks
        tables = self.stamp_tables
        assert {owner for owner, _number in tables.units} == set(tables.stampers)
        assert set(tables.renewals) == set(tables.stampers)
        certified = {each.der for each in tables.certificates.values()}
        assert all(unit.certificate in certified for unit in tables.units.values())
        assert all(unit.key.id in tables.signing_keys for unit in tables.units.values())
