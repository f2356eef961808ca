"""Partitions by expiry month: the plan, and a database kept to it."""

from collections.abc import Iterator
from datetime import date
from itertools import pairwise

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tegata.store.partitions import (
    END,
    MAXIMUM,
    Plan,
    Span,
    ensure_partitions,
    existing_partitions,
    month_of,
    plan_partitions,
)
from tegata.store.schema import PARTITIONED
from tests.postgres import TODAY, Cluster, query

DAYS = st.dates(date(2024, 1, 1), date(2060, 12, 31))


def carry_out(existing: list[Span], plan: Plan) -> list[Span]:
    divided = dict(plan.divide)
    kept = [span for span in existing if span not in divided]
    return sorted([*kept, *plan.create, *(piece for each in divided.values() for piece in each)])


def assert_kept(spans: list[Span], today: date) -> None:
    month = month_of(today)
    assert all(before.stop == after.start for before, after in pairwise(spans))
    assert spans[-1].stop == END
    lengths = {span.start: span.stop - span.start for span in spans}
    assert all(lengths[each] == 1 for each in range(month, month + 36))
    ahead = [span for span in spans if month + 36 <= span.start < month + 180 and span.stop < END]
    assert all(span.stop - span.start in {1, 12} for span in ahead)
    assert max(span.stop for span in ahead) > month + 180 - 12


@given(DAYS)
def test_a_new_table_has_a_place_for_every_month(today: date) -> None:
    plan = plan_partitions([], today)
    assert not plan.divide
    assert plan.create[0] == Span(0, month_of(today))
    assert_kept(sorted(plan.create), today)
    assert len(plan.create) <= MAXIMUM


@given(DAYS, st.lists(st.integers(1, 200), max_size=8))
def test_a_table_keeps_to_the_plan_whenever_it_is_looked_after(
    today: date, pauses: list[int]
) -> None:
    month = month_of(today)
    spans = carry_out([], plan_partitions([], today))
    for pause in pauses:
        month += pause
        later = date(2000 + month // 12, month % 12 + 1, 28)
        # Retention takes away what expired.
        spans = [span for span in spans if span.stop > month]
        plan = plan_partitions(spans, later)
        assert not plan.create
        spans = carry_out(spans, plan)
        assert_kept(spans, later)
        assert len([span for span in spans if span.stop > month]) <= MAXIMUM
        assert plan_partitions(spans, later) == Plan([], [])


def test_what_retention_took_away_stays_away_and_what_is_missing_is_made() -> None:
    month = month_of(TODAY)
    spans = sorted(plan_partitions([], TODAY).create)
    missing = Span(month + 3, month + 4)
    left = [span for span in spans if span.start >= month and span != missing]
    assert plan_partitions(left, TODAY) == Plan([missing], [])
    assert plan_partitions(spans[:-1], TODAY) == Plan([spans[-1]], [])


@pytest.fixture
def connection(own_url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(own_url, autocommit=True) as opened:
        yield opened


def test_a_new_database_has_the_partitions_and_needs_no_more(
    connection: psycopg.Connection[tuple[object, ...]],
) -> None:
    planned = plan_partitions([], TODAY).create
    for table in PARTITIONED:
        assert sorted(existing_partitions(connection, table)) == sorted(planned)
    assert ensure_partitions(connection, TODAY) == 0


def test_a_year_is_divided_and_its_rows_move_to_their_months(
    own_url: str, connection: psycopg.Connection[tuple[object, ...]]
) -> None:
    later = date(2027, 2, 1)
    epochs = range(month_of(later) + 20, month_of(later) + 200, 5)
    for epoch in epochs:
        connection.execute(
            "INSERT INTO certificate_der VALUES ('ten_one', %s, %s, 'der')", (b"%d" % epoch, epoch)
        )
    assert ensure_partitions(connection, later) > 0
    spans = sorted(existing_partitions(connection, "certificate_der"))
    assert_kept(spans, later)
    rows = query(
        own_url, "SELECT tableoid::regclass::text, epoch FROM certificate_der ORDER BY epoch"
    )
    assert [epoch for _, epoch in rows] == list(epochs)
    for name, epoch in rows:
        start, stop = map(int, str(name).rsplit("_", 2)[1:])
        assert start <= epoch < stop
    assert ensure_partitions(connection, later) == 0


def test_an_owner_who_is_no_superuser_divides_too(cluster: Cluster, own_url: str) -> None:
    """The policy is forced on the owner: rows must not go through the table."""
    url = own_url
    query(url, "INSERT INTO certificate_der VALUES ('ten_one', 'a', 370, 'der')")
    query(url, "CREATE ROLE plain_owner LOGIN")
    try:
        for (table,) in query(
            url,
            "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p') "
            "AND relnamespace = 'public'::regnamespace",
        ):
            query(url, f"ALTER TABLE {table} OWNER TO plain_owner")
        query(url, "GRANT CREATE ON SCHEMA public TO plain_owner")
        plain = url.replace("postgres@", "plain_owner@")
        with psycopg.connect(plain, autocommit=True) as connection:
            assert connection.execute("SELECT * FROM certificate_der").fetchall() == []
            assert ensure_partitions(connection, date(2029, 1, 1)) > 0
        assert query(url, "SELECT tableoid::regclass::text FROM certificate_der") == [
            ("certificate_der_370_371",)
        ]
    finally:
        query(url, "DROP OWNED BY plain_owner CASCADE")
        cluster.run("postgres", "DROP ROLE plain_owner")


def test_a_partition_of_somebody_else_is_refused(
    connection: psycopg.Connection[tuple[object, ...]],
) -> None:
    connection.execute("ALTER TABLE certificate_der RENAME TO other")
    connection.execute("CREATE TABLE certificate_der (epoch text) PARTITION BY LIST (epoch)")
    connection.execute("CREATE TABLE foreign_part PARTITION OF certificate_der FOR VALUES IN ('1')")
    with pytest.raises(ValueError, match="not one of ours"):
        ensure_partitions(connection, TODAY)
