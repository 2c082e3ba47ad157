"""The next opening of hours, through changes of the clocks, compared with looking every five minutes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.hours import Hours

STEP = timedelta(minutes=5)
TIMES = st.sampled_from(["00:00", "01:30", "02:00", "02:15", "02:30", "02:45", "03:00", "06:00", "22:00"])
DAYS = st.sampled_from([(), ("sat",), ("sun",), ("mon", "fri")])


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("Europe/Berlin", "2026-03-29"),
        ("Europe/Berlin", "2026-10-25"),
        ("America/New_York", "2026-03-08"),
        ("America/New_York", "2026-11-01"),
        ("Australia/Lord_Howe", "2026-04-05"),  # by half an hour
        ("America/Santiago", "2026-09-06"),  # at midnight
        ("UTC", "2026-03-29"),
    ],
)
@settings(max_examples=30, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(start=TIMES, end=TIMES, days=DAYS, minutes=st.integers(min_value=-600, max_value=2160))
def test_the_next_opening(zone: str, day: str, start: str, end: str, days: tuple[str, ...], minutes: int) -> None:
    hours = Hours.model_validate({"zone": zone, "days": days, "start": start, "end": end})
    now = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(minutes=minutes - minutes % 5)
    if hours.contains(now):
        return
    true = now
    while not hours.contains(true):
        true += STEP
    assert next(edge for edge in hours.edges(now) if hours.contains(edge)) == true
