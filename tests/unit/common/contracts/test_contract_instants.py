"""Instants between the services are in UTC, and such that a database holds them."""

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from common.contracts.instant import Instant

INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("2026-03-01T12:00:00Z", id="in UTC"),
        pytest.param("2026-03-01T17:30:00+05:30", id="with an offset"),
        pytest.param("2026-03-01T12:00:00", id="without one it is in UTC"),
    ],
)
def test_an_instant_is_in_utc(text: str) -> None:
    found = INSTANT.validate_python(text)
    assert (found, found.tzinfo) == (NOON, UTC)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00"], ids=["before", "after"])
def test_what_lies_outside_of_all_years_in_utc_is_none(text: str) -> None:
    with pytest.raises(ValidationError, match="outside of the years"):
        INSTANT.validate_python(text)
