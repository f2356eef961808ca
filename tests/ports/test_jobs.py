"""Jobs and their leases, on each engine."""

from datetime import UTC, datetime, timedelta

from tegata.kernel.ids import NodeId, TenantId
from tegata.store.database import Database
from tegata.store.jobs import DELTA_JOB, LEASE, JobQueue

TENANT = TenantId("ten_one")
NOW = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)
MOMENT = timedelta(milliseconds=1)
ONE, TWO = NodeId("nod_one"), NodeId("nod_two")


async def keys(queue: JobQueue, at: datetime) -> list[str]:
    return [job.key for job in await queue.claim(at)]


async def test_a_start_takes_up_at_once_what_its_own_earlier_run_had_claimed(
    database: Database,
) -> None:
    crashed = JobQueue(database, ONE)
    await crashed.want(DELTA_JOB, "iss_one", TENANT, NOW)
    assert await keys(crashed, NOW) == ["iss_one"]
    again = JobQueue(database, ONE)
    assert await keys(again, NOW + MOMENT) == []
    assert await again.release_own(NOW + MOMENT) == 1
    assert await keys(again, NOW + MOMENT) == ["iss_one"]


async def test_a_start_leaves_the_leases_of_other_nodes(database: Database) -> None:
    other = JobQueue(database, TWO)
    await other.want(DELTA_JOB, "iss_one", TENANT, NOW)
    (held,) = await other.claim(NOW)
    starting = JobQueue(database, ONE)
    assert await starting.release_own(NOW + MOMENT) == 0
    assert await keys(starting, NOW + MOMENT) == []
    await other.finish(held, NOW + timedelta(days=1))
    assert await keys(starting, NOW + LEASE + MOMENT) == []


async def test_a_job_that_nobody_had_claimed_stays_due_when_it_was(database: Database) -> None:
    queue = JobQueue(database, ONE)
    await queue.want(DELTA_JOB, "iss_one", TENANT, NOW + timedelta(hours=1))
    assert await queue.release_own(NOW) == 0
    assert await keys(queue, NOW + MOMENT) == []
