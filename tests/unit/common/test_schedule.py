"""When a schedule comes next, also where clocks are changed."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.schedule import Schedule, checked_cron, checked_zone

BERLIN = "Europe/Berlin"  # forward on 2026-03-29 at 01:00 UTC, back on 2026-10-25 at 01:00 UTC


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "zone", "after", "comes"),
    [
        pytest.param("23 * * * *", "UTC", "2026-05-01T10:22", "2026-05-01T10:23", id="hourly"),
        pytest.param("23 * * * *", "UTC", "2026-05-01T10:23", "2026-05-01T11:23", id="strictly after"),
        pytest.param("0 3 * * *", BERLIN, "2026-01-10T00:00", "2026-01-10T02:00", id="three in winter"),
        pytest.param("0 3 * * *", BERLIN, "2026-07-10T00:00", "2026-07-10T01:00", id="three in summer"),
        pytest.param("30 2 * * *", BERLIN, "2026-03-28T12:00", "2026-03-29T01:00", id="skipped: after the gap"),
        pytest.param("30 2 * * *", BERLIN, "2026-03-29T01:00", "2026-03-30T00:30", id="the day after it was skipped"),
        pytest.param("30 2 * * *", BERLIN, "2026-10-24T12:00", "2026-10-25T00:30", id="twice there: the first time"),
        pytest.param("30 2 * * *", BERLIN, "2026-10-25T00:30", "2026-10-26T01:30", id="and not the second time"),
        pytest.param("*/20 * * * *", BERLIN, "2026-10-25T00:50", "2026-10-25T01:00", id="every hour, back"),
        pytest.param("*/20 * * * *", BERLIN, "2026-03-29T00:50", "2026-03-29T01:00", id="every hour, forward"),
        pytest.param("0 4 * * 1-5", BERLIN, "2026-05-01T12:00", "2026-05-04T02:00", id="over a weekend"),
        pytest.param("0 0 29 2 *", "UTC", "2026-03-01T00:00", "2028-02-29T00:00", id="a leap day"),
        pytest.param("0 12 * * *", "Asia/Kolkata", "2026-05-01T00:00", "2026-05-01T06:30", id="a half hour's offset"),
    ],
)
def test_when_it_comes(cron: str, zone: str, after: str, comes: str) -> None:
    assert Schedule(cron, zone).next_after(at(after)) == at(comes)


@pytest.mark.parametrize("text", ["", "every day", "* * * *", "* * * * * *", "61 * * * *", "0 0 30 2 *"])
def test_what_is_no_schedule(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        checked_cron(text)


@pytest.mark.parametrize("name", ["", "Berlin", "Europe/Nowhere", "../etc/passwd"])
def test_what_is_no_zone(name: str) -> None:
    with pytest.raises(ValueError, match="IANA"):
        checked_zone(name)


@given(
    after=st.datetimes(at("2026-01-01").replace(tzinfo=None), at("2027-12-31").replace(tzinfo=None)),
    cron=st.sampled_from(["*/15 * * * *", "30 2 * * *", "0 3 * * 0", "5 */2 * * *"]),
    zone=st.sampled_from(["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
)
def test_it_always_comes_later_and_never_late(after: datetime, cron: str, zone: str) -> None:
    instant = after.replace(tzinfo=UTC)
    comes = Schedule(cron, zone).next_after(instant)
    assert instant < comes <= instant + timedelta(days=8)
