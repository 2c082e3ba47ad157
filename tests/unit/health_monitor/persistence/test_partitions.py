"""Partitions have names and bounds that follow from time alone."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from health_monitor.storage.partitions import Partition, Partitioned


@pytest.mark.parametrize(
    ("table", "at", "name", "first", "end"),
    [
        pytest.param(
            Partitioned.EVENT,
            datetime(2026, 12, 31, 23, 59, tzinfo=UTC),
            "event_y2026m12",
            date(2026, 12, 1),
            date(2027, 1, 1),
            id="the last minute of a year",
        ),
        pytest.param(
            Partitioned.SCORE,
            datetime(2028, 2, 29, tzinfo=UTC),
            "score_y2028m02d29",
            date(2028, 2, 29),
            date(2028, 3, 1),
            id="a leap day",
        ),
        pytest.param(
            Partitioned.DELIVERY,
            datetime(2026, 4, 1, 1, tzinfo=timezone(timedelta(hours=2))),
            "delivery_y2026m03",
            date(2026, 3, 1),
            date(2026, 4, 1),
            id="another time zone",
        ),
    ],
)
def test_an_instant_has_its_partition(table: Partitioned, at: datetime, name: str, first: date, end: date) -> None:
    partition = Partition.holding(table, at)
    assert (partition.name, partition.first, partition.end) == (name, first, end)


@given(st.sampled_from(list(Partitioned)), st.integers(0, 4_000_000_000))
def test_partitions_follow_one_another_and_are_known_by_their_names(table: Partitioned, seconds: int) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    partition = Partition.holding(table, at)
    assert partition.starts_at <= at < partition.ends_at
    assert Partition.holding(table, partition.ends_at).first == partition.end
    assert Partition.named(partition.name) == partition


@pytest.mark.parametrize("name", ["event", "event_default", "other_y2026m01", "event_y2026", "event_y2026m01_old"])
def test_other_tables_are_left_alone(name: str) -> None:
    assert Partition.named(name) is None
