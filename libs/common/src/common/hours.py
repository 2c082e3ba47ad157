"""Times of the week, or single dates, in a time zone: when a window is open, people work, or something is denied."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from common.policy.shape import Strict
from common.schedule import Zone

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MIDNIGHT = time(0)
_AHEAD = timedelta(days=15)  # two weeks hold every weekly window at least once, changes of the clock included


def _time(value: object) -> object:
    """ "08:00"; "24:00" is the midnight that ends a day. YAML 1.1 reads an unquoted 22:00 as a number of base 60."""
    if isinstance(value, time):
        return value
    try:
        return _MIDNIGHT if value == "24:00" else time.fromisoformat(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError('must be a time in quotes, such as "22:00"') from None


def _dates(value: object) -> object:
    """ISO dates; YAML gives unquoted ones as dates already."""
    if not isinstance(value, list | tuple):
        return value
    try:
        return tuple(date.fromisoformat(each) if isinstance(each, str) else each for each in value)
    except ValueError:
        raise ValueError("must be dates such as 2026-12-24") from None


LocalTime = Annotated[
    time,
    BeforeValidator(_time),
    WithJsonSchema(
        {"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$|^24:00$", "examples": ["22:00"]}
    ),
]


class Hours(Strict):
    """From `start` to `end` on each of the days, local time; over midnight when the end is not later than the start."""

    model_config = ConfigDict(frozen=True)

    days: Annotated[tuple[Day, ...], Field(strict=False)] = ()
    """Days of the week on which it begins, mon to sun. Empty, and no dates: every day."""
    dates: Annotated[tuple[date, ...], BeforeValidator(_dates)] = ()
    """Single dates on which it begins, such as 2026-12-24, besides the days."""
    start: LocalTime = _MIDNIGHT
    """Local time at which it begins. Midnight by default."""
    end: LocalTime = _MIDNIGHT
    """Local time at which it ends; the next day when not later than the start. Midnight by default: the whole day."""
    zone: Zone = "UTC"
    """IANA name of the time zone, such as Europe/Berlin."""

    @model_validator(mode="after")
    def _local(self) -> Self:
        if self.start.tzinfo or self.end.tzinfo:
            raise ValueError("start and end are local times: name the time zone in zone")
        return self

    def contains(self, now: datetime) -> bool:
        local = now.astimezone(ZoneInfo(self.zone))
        at, today = local.time(), local.date()
        if self.start < self.end:
            return self.start <= at < self.end and self._begins_on(today)
        if at >= self.start and self._begins_on(today):
            return True
        return at < self.end and self._begins_on(today - timedelta(days=1))

    def _begins_on(self, day: date) -> bool:
        if day in self.dates:
            return True
        return _DAYS[day.weekday()] in self.days if self.days else not self.dates

    def edges(self, now: datetime) -> Iterator[datetime]:
        """Instants of the next two weeks, and of the single dates ahead, at which it may begin or end."""
        return (edge for edge in _edges(self, now.astimezone(ZoneInfo(self.zone)).date()) if edge > now)


@lru_cache(maxsize=256)  # whatever waits for the same hours asks for the same
def _edges(hours: Hours, today: date) -> tuple[datetime, ...]:
    """In their order."""
    zone = ZoneInfo(hours.zone)
    ahead = [today + timedelta(days=n) for n in range(-1, _AHEAD.days)]
    days = {*ahead, *(each + timedelta(days=n) for each in hours.dates for n in (0, 1))}
    return tuple(
        sorted(
            edge
            for day in days
            for edge in (*_reached(day, hours.start, zone), *_reached(day, hours.end, zone), *_shifts(day, zone))
        )
    )


def _reached(day: date, at: time, zone: ZoneInfo) -> Iterator[datetime]:
    """When clocks show it: twice on the day on which they go back."""
    for fold in (0, 1):
        yield datetime.combine(day, at, zone).replace(fold=fold).astimezone(UTC)


def _shifts(day: date, zone: ZoneInfo) -> Iterator[datetime]:
    """When clocks are set on the day, which opens or closes what lies within that hour. To the minute."""
    low = datetime.combine(day, _MIDNIGHT, zone).astimezone(UTC)
    high = datetime.combine(day + timedelta(days=1), _MIDNIGHT, zone).astimezone(UTC)
    before, after = (each.astimezone(zone).utcoffset() for each in (low, high))
    if before == after:
        return
    while high - low > timedelta(minutes=1):
        middle = low + (high - low) // 2
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    yield high.replace(second=0, microsecond=0)
