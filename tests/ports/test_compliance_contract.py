"""Evidence through the real store on both engines: what is seen, planted, edited, taken away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from tegata.compliance.canaries import CanaryService, CanaryWatchdog
from tegata.compliance.controls import BY_NAME, PROBES
from tegata.compliance.controls.assets import DISCOVERY
from tegata.compliance.controls.isolation import ROUTES, ROWS
from tegata.compliance.model import (
    CanaryPlan,
    CanaryState,
    Collector,
    Independence,
    Verdict,
    Violation,
)
from tegata.compliance.paper import Section, write_paper
from tegata.compliance.rules import record_digest
from tegata.compliance.service import EvidenceService, compliance_scope
from tegata.kernel.ids import IssuerId, TenantId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import CANARY_TENANTS, platform_acts
from tegata.kernel.signing import DataKeyKind, TenantSecret
from tegata.store.database import Database
from tegata.store.disk import DiskReserve
from tegata.store.ground import (
    Catalogue,
    PostgresCatalogue,
    SqliteCatalogue,
    StoreGround,
    clear_shadows,
)
from tegata.store.migrate import migrate_sqlite
from tegata.store.postgres import PostgresDatabase
from tegata.store.sqlite import SqliteDatabase, connect
from tegata.store.store import Store
from tests.compliance.evidence import START, TOOL, observation
from tests.fakes.system import CountingRandomness, FakeClock, PlainSealer
from tests.postgres import postgres_cluster, query

MONITOR = Collector("elsewhere", "tok_collector", Independence.HOST)
WORKER = Collector("here", "worker", Independence.SELF)


class Keys:
    """Data keys that hide nothing, and bind what they seal to its place."""

    async def sealer(self, tenant: TenantId, kind: DataKeyKind) -> TenantSecret:
        return PlainSealer()


@dataclass
class Ground:
    """A platform's evidence on one engine."""

    store: Store
    database: Database
    catalogue: Catalogue
    ground: StoreGround
    evidence: EvidenceService
    canaries: CanaryService
    clock: FakeClock
    second_lock: bool

    def watchdog(self) -> CanaryWatchdog:
        return CanaryWatchdog(self.store, self.ground, self.evidence, self.clock, self.clock.now())

    async def section(self, name: str = "isolation") -> Section:
        evidence = await self.evidence.evidence()
        paper = write_paper(evidence, "en", self.clock.now())
        return next(each for each in paper.sections if each.control is BY_NAME[name])

    async def verdict(self, name: str = "isolation") -> Verdict:
        return (await self.section(name)).verdict

    async def look(self, probe: str = ROWS) -> Verdict | None:
        return await self.evidence.collect(await self.ground.observe(probe), WORKER)

    async def attack(self, *violations: Violation, whole: bool = True) -> Verdict | None:
        """What the monitor says."""
        seen = observation(ROUTES, self.clock.now(), violations, whole=whole)
        return await self.evidence.collect(seen, MONITOR)

    async def plant(self, probe: str) -> CanaryPlan:
        plan = await self.canaries.plant(probe)
        assert plan is not None
        return plan

    async def drill(self, probe: str) -> None:
        """Plant a probe's fault, have it seen and taken away."""
        plan = await self.plant(probe)
        self.clock.advance(timedelta(seconds=1))
        if probe == ROUTES:
            await self.attack(Violation(plan.thing, "GET /v1/tokens"), whole=False)
        else:
            await self.look(probe)
        self.clock.advance(timedelta(seconds=1))
        assert await self.watchdog().sweep() == 0

    async def satisfy(self) -> None:
        """All that isolation needs to be as good as it can be."""
        for probe in (ROUTES, ROWS):
            await self.drill(probe)
        await self.attack()
        await self.look()


@pytest.fixture(params=["sqlite", "postgresql"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ground]:
    clock, data = FakeClock(START), tmp_path / "data"
    data.mkdir()
    database: Database
    catalogue: Catalogue
    url = ""
    if request.param == "sqlite":
        path = tmp_path / "tegata.sqlite"
        migrate_sqlite(path)
        database, catalogue = SqliteDatabase(path, DiskReserve(tmp_path, 0)), SqliteCatalogue(path)
    else:
        url = postgres_cluster().lend_database()
        database, catalogue = await PostgresDatabase.open(url), PostgresCatalogue(url)
    yield await make(database, catalogue, clock, data, second_lock=bool(url))
    await database.close()
    if url:
        for name in catalogue.shadows():
            catalogue.drop_shadow(name)
        postgres_cluster().take_back_database(url)


async def make(
    database: Database, catalogue: Catalogue, clock: FakeClock, data: Path, *, second_lock: bool
) -> Ground:
    def withdraw(_issuer: IssuerId, _serial: int) -> None:
        """Nobody answers from memory here."""

    randomness = CountingRandomness()
    store = Store(database, Keys(), clock, randomness, "http://a.test", withdraw, None)
    ground = StoreGround(catalogue, store, data, clock, randomness, "1")
    evidence = EvidenceService(store, clock, randomness, TOOL, "here")
    canaries = CanaryService(store, ground, clock, randomness)
    return Ground(store, database, catalogue, ground, evidence, canaries, clock, second_lock)


async def test_without_evidence_a_promise_is_unknown(world: Ground) -> None:
    assert await world.verdict() is Verdict.UNKNOWN


async def test_isolation_is_degraded_at_best_while_planes_are_not_probed(world: Ground) -> None:
    await world.satisfy()
    section = await world.section()
    assert section.verdict is Verdict.DEGRADED
    codes = [reason.code for reason in section.reasons]
    assert codes.count("plane.unprobed") == 4
    # SQLite knows no row policies, and says so.
    assert ("isolation.one-lock" in codes) is not world.second_lock
    assert (section.planted, section.caught) == (2, 2)
    assert section.claim is not None


async def test_one_attempt_that_succeeds_breaches_isolation(world: Ground) -> None:
    await world.satisfy()
    leak = Violation("certificate:crt_x", "GET /v1/certificates/{certificate}")
    assert await world.attack(leak) is Verdict.BREACHED
    section = await world.section()
    assert (section.verdict, section.claim) == (Verdict.BREACHED, None)
    assert section.notice_due_at == world.clock.now() + timedelta(minutes=60)
    # Neither a good look nor time mends it: it takes a caught fault as well.
    await world.attack()
    world.clock.advance(timedelta(days=3))
    assert await world.verdict() is Verdict.BREACHED
    await world.satisfy()
    assert await world.verdict() is Verdict.DEGRADED


async def test_a_leak_is_not_excused_by_a_canary_that_stands(world: Ground) -> None:
    await world.satisfy()
    plan = await world.plant(ROUTES)
    seen = (Violation(plan.thing, "GET /v1/tokens"), Violation("issuer:iss_x", "GET /v1/issuers"))
    assert await world.attack(*seen, whole=False) is Verdict.BREACHED


async def test_what_a_canary_planted_excuses_nothing_after_it_is_gone(world: Ground) -> None:
    await world.satisfy()
    plan = await world.plant(ROUTES)
    await world.attack(Violation(plan.thing, "GET /v1/tokens"), whole=False)
    await world.watchdog().sweep()
    world.clock.advance(timedelta(minutes=5))
    again = Violation(plan.thing, "GET /v1/tokens")
    assert await world.attack(again) is Verdict.BREACHED


async def test_a_missed_fault_breaches_and_is_taken_away(world: Ground) -> None:
    await world.satisfy()
    watchdog = world.watchdog()
    plan = await world.plant(ROUTES)
    assert await watchdog.sweep() == 1
    world.clock.advance(PROBES[ROUTES][1].canary.within)
    assert await watchdog.sweep() == 0
    section = await world.section()
    assert section.verdict is Verdict.BREACHED
    assert section.reasons[0].code == "canary.missed"
    assert section.planted == section.caught + 1
    tokens = await world.store.tokens_after(platform_acts(CANARY_TENANTS[0], "test"), "", 100)
    assert plan.thing.partition(":")[2] not in {token.id for token in tokens}


async def test_a_fault_of_an_earlier_run_is_taken_away_and_proves_nothing(world: Ground) -> None:
    await world.plant(ROWS)
    world.clock.advance(timedelta(hours=1))
    assert await world.watchdog().sweep() == 0
    plans = await world.store.recent_plans(compliance_scope(), 1)
    assert [plan.state for plan in plans] == [CanaryState.WITHDRAWN]
    assert await world.verdict() is Verdict.UNKNOWN
    assert clear_shadows(world.catalogue) == []


async def test_a_fault_is_planted_only_once_at_a_time(world: Ground) -> None:
    assert await world.canaries.plant(ROWS) is not None
    assert await world.canaries.plant(ROWS) is None


async def test_a_planted_table_left_by_a_killed_run_is_dropped_unless_it_holds_anything(
    world: Ground,
) -> None:
    plan = await world.plant(ROWS)
    name = plan.thing.partition(":")[2]
    execute(world, f"INSERT INTO {name} VALUES ('ten_x', 'kept')")
    assert clear_shadows(world.catalogue) == []
    execute(world, f"DELETE FROM {name}")
    assert clear_shadows(world.catalogue) == [name]


async def test_a_table_that_nobody_declared_breaches_rows_and_assets_until_it_is_gone(
    world: Ground,
) -> None:
    await world.satisfy()
    await world.drill(DISCOVERY)
    assert await world.verdict("assets") is Verdict.DEGRADED
    execute(world, "CREATE TABLE shadow (tenant text, told text)")
    assert await world.look(DISCOVERY) is Verdict.BREACHED
    assert await world.look(ROWS) is Verdict.BREACHED
    assert "table:shadow" in str((await world.section("assets")).reasons)
    assert "shadow" not in str((await world.section("assets")).reason_texts)
    execute(world, "DROP TABLE shadow")
    await world.look(DISCOVERY)
    assert await world.verdict("assets") is Verdict.BREACHED
    await world.drill(DISCOVERY)
    await world.look(DISCOVERY)
    assert await world.verdict("assets") is Verdict.DEGRADED


async def test_a_file_that_nobody_listed_breaches_the_inventory(world: Ground) -> None:
    (world.ground.data / "copy-of-customers.csv").write_text("x")
    assert await world.look(DISCOVERY) is Verdict.BREACHED


async def test_a_dead_monitor_leaves_no_green(world: Ground) -> None:
    await world.satisfy()
    world.clock.advance(PROBES[ROUTES][1].valid_for)
    await world.look()
    section = await world.section()
    assert section.verdict is Verdict.UNKNOWN
    assert section.claim is None


async def test_a_monitor_that_attacked_nothing_proves_nothing(world: Ground) -> None:
    await world.satisfy()
    seen = observation(ROUTES, world.clock.now(), population=0)
    assert await world.evidence.collect(seen, MONITOR) is Verdict.UNKNOWN
    assert await world.verdict() is Verdict.UNKNOWN


async def test_an_observation_of_another_time_is_refused(world: Ground) -> None:
    for moved in (timedelta(minutes=5), -timedelta(minutes=5)):
        seen = observation(ROUTES, world.clock.now() + moved)
        with pytest.raises(Problem) as caught:
            await world.evidence.collect(seen, MONITOR)
        assert caught.value.code is ProblemCode.REQUEST_MALFORMED


async def test_a_clock_that_was_set_back_shows_what_it_had_as_unknown(world: Ground) -> None:
    await world.satisfy()
    world.clock.advance(-timedelta(hours=1))
    assert await world.verdict() is Verdict.UNKNOWN


@pytest.mark.parametrize("table", ["evidence_standing", "evidence_record"])
async def test_evidence_that_was_edited_in_the_database_is_unknown(
    world: Ground, table: str
) -> None:
    await world.satisfy()
    octets = "'\\x01'" if world.second_lock else "x'01'"
    execute(world, f"UPDATE {table} SET sealed = {octets}")
    section = await world.section()
    assert section.verdict is Verdict.UNKNOWN
    assert section.reasons[0].code == "evidence.changed"
    # Nor does the next good look cover it up.
    with pytest.raises(Problem):
        await world.look()


async def test_a_breach_that_was_deleted_from_the_database_is_no_green(world: Ground) -> None:
    await world.satisfy()
    before = await world.evidence.evidence()
    await world.attack(Violation("issuer:iss_x", "GET /v1/issuers"))
    newest = before.standings[ROUTES].sequence + 1
    execute(world, f"DELETE FROM evidence_record WHERE probe = '{ROUTES}' AND sequence = {newest}")
    assert await world.verdict() is Verdict.UNKNOWN


async def test_an_edited_plan_excuses_nothing(world: Ground) -> None:
    await world.satisfy()
    plan = await world.plant(ROUTES)
    execute(world, "UPDATE canary_plan SET state = 'caught' WHERE state = 'planted'")
    seen = Violation(plan.thing, "GET /v1/tokens")
    assert await world.attack(seen) is Verdict.BREACHED


async def test_records_are_chained_and_listed_newest_first(world: Ground) -> None:
    await world.satisfy()
    records = await world.evidence.history(ROUTES, 2**60, 10)
    assert [record.sequence for record in records] == [2, 1]
    assert records[0].previous == record_digest(records[1])


async def test_nothing_is_planted_where_no_canary_belongs(world: Ground) -> None:
    plan = await world.plant(ROWS)
    await world.ground.remove(plan)
    for thing in ("table:certificate", "table:canary_shadow_x; DROP TABLE token"):
        with pytest.raises(Problem):
            await world.ground.plant(replace(plan, thing=thing))
    stray = replace(plan, kind="stray-token", thing="token:tok_customers")
    with pytest.raises(Problem):
        await world.ground.plant(stray)


def execute(world: Ground, statement: str) -> None:
    """Do something to the database behind everybody's back."""
    if isinstance(world.catalogue, PostgresCatalogue):
        query(world.catalogue.url, statement)
        return
    assert isinstance(world.catalogue, SqliteCatalogue)
    connection = connect(world.catalogue.path)
    connection.execute(statement)
    connection.close()


@pytest.fixture
async def large(tmp_path: Path) -> AsyncIterator[Ground]:
    """PostgreSQL, whose row policies are the second lock."""
    url = postgres_cluster().migrated_database()
    database = await PostgresDatabase.open(url)
    clock = FakeClock(START)
    yield await make(database, PostgresCatalogue(url), clock, tmp_path, second_lock=True)
    await database.close()
    postgres_cluster().drop_database(url)


@pytest.mark.parametrize(
    ("disabled", "enabled"),
    [
        (
            "ALTER TABLE certificate NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE certificate FORCE ROW LEVEL SECURITY",
        ),
        (
            "ALTER TABLE token DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE token ENABLE ROW LEVEL SECURITY",
        ),
        (
            "CREATE VIEW every_token AS SELECT * FROM token",
            "DROP VIEW every_token",
        ),
        (
            "CREATE FUNCTION peep() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'",
            "DROP FUNCTION peep",
        ),
        (
            "GRANT SELECT ON certificate_e000 TO tegata_app",
            "REVOKE ALL ON certificate_e000 FROM tegata_app",
        ),
        ("ALTER ROLE tegata_app BYPASSRLS", "ALTER ROLE tegata_app NOBYPASSRLS"),
    ],
    ids=["not forced", "not enabled", "a view", "a definer", "a partition", "the role"],
)
async def test_a_guard_that_is_disabled_breaches_isolation_until_it_is_seen_back(
    large: Ground, disabled: str, enabled: str
) -> None:
    await large.satisfy()
    partition = partition_of(large)
    execute(large, disabled.replace("certificate_e000", partition))
    try:
        assert await large.look() is Verdict.BREACHED
        assert await large.verdict() is Verdict.BREACHED
    finally:
        execute(large, enabled.replace("certificate_e000", partition))
    await large.look()
    assert await large.verdict() is Verdict.BREACHED
    await large.satisfy()
    assert await large.verdict() is Verdict.DEGRADED


def partition_of(world: Ground) -> str:
    """A partition of the certificates."""
    assert isinstance(world.catalogue, PostgresCatalogue)
    rows = query(
        world.catalogue.url,
        "SELECT inhrelid::regclass::text FROM pg_inherits "
        "WHERE inhparent = 'certificate'::regclass LIMIT 1",
    )
    return str(rows[0][0])
