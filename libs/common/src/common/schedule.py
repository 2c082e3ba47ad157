"""When something that repeats is next: cron in a time zone's own hours. Pure.

When clocks go forward, a time that is skipped comes at the first instant after the gap. When they go back, a time of a
given hour comes once, the first time, while what comes every hour goes on with every hour that really passes.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated
from zoneinfo import ZoneInfo

from croniter import CroniterError, croniter
from pydantic import AfterValidator

FIELDS = 5
LONGEST_SHIFT = timedelta(hours=3)  # of a clock; the longest ones of our time are of two


@dataclass(frozen=True, slots=True)
class Schedule:
    """Five cron fields (minute, hour, day of month, month, day of week) and an IANA zone. ValueError for a bad one."""

    cron: str
    time_zone: str = "UTC"

    def __post_init__(self) -> None:
        checked_cron(self.cron)
        checked_zone(self.time_zone)

    def next_after(self, instant: datetime) -> datetime:
        """The first time strictly after the instant, in UTC."""
        zone = ZoneInfo(self.time_zone)
        instant = instant.astimezone(UTC)
        if self.cron.split()[1].startswith("*"):
            return self._next_of_every_hour(instant, zone)
        # The wall clock may have been here before: it is read again from before the longest shift on.
        walls = croniter(self.cron, instant.astimezone(zone).replace(tzinfo=None) - LONGEST_SHIFT)
        while True:
            at = _first_reached(walls.get_next(datetime), zone)
            if at > instant:
                return at

    def _next_of_every_hour(self, instant: datetime, zone: ZoneInfo) -> datetime:
        """Counted with the offset that holds now, and where that ends before it comes, with the one after."""
        at = self._next_at_offset(instant, instant, zone)
        again = self._next_at_offset(instant, at, zone)
        return again if _offset(at, zone) != _offset(instant, zone) and again > instant else at

    def _next_at_offset(self, instant: datetime, reference: datetime, zone: ZoneInfo) -> datetime:
        fixed = timezone(_offset(reference, zone))
        wall = instant.astimezone(fixed).replace(tzinfo=None)
        found: datetime = croniter(self.cron, wall).get_next(datetime)
        return found.replace(tzinfo=fixed).astimezone(UTC)


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta()


def _first_reached(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which the zone's clocks show the time, or, where they skip it, a later one."""
    at = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return at if at.astimezone(zone).replace(tzinfo=None) == wall else _end_of_gap(at, zone)


def _end_of_gap(after: datetime, zone: ZoneInfo) -> datetime:
    """The instant of the shift that lies at most its own length before `after`; shifts are on whole minutes."""
    offset = _offset(after, zone)
    minute = timedelta(minutes=1)
    at = after.replace(second=0, microsecond=0)
    while _offset(at - minute, zone) == offset:
        at -= minute
    return at


def checked_cron(text: str) -> str:
    """Raises ValueError, which says how to write one."""
    if len(text.split()) != FIELDS or not croniter.is_valid(text):
        raise ValueError("must be a cron schedule of five fields, such as 30 2 * * 1-5")
    try:
        croniter(text, datetime(2000, 1, 1)).get_next(datetime)  # noqa: DTZ001 - a wall clock
    except CroniterError:
        raise ValueError("must be a time that comes at all, which the 30th of February does not") from None
    return text


def checked_zone(name: str) -> str:
    """Raises ValueError for what is no zone."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("must be an IANA time zone, such as Europe/Berlin") from None
    return name


Cron = Annotated[str, AfterValidator(checked_cron)]
Zone = Annotated[str, AfterValidator(checked_zone)]
