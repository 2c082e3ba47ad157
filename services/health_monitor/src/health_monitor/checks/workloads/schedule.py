"""When a CronJob is due."""

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterBadDateError, croniter

from common.cluster.rows import CronJobRow


def runs_after(cron_job: CronJobRow, start: datetime) -> Iterator[datetime]:
    """The times after `start` at which it is due; none when its schedule or zone cannot be understood."""
    zone = _zone(cron_job)
    if zone is None or not croniter.is_valid(cron_job.schedule):
        return
    times = croniter(cron_job.schedule, start.astimezone(zone))
    while True:
        try:
            yield times.get_next(datetime).astimezone(UTC)
        except CroniterBadDateError:  # such as the 30th of February
            return


def fits(cron_job: CronJobRow, moment: datetime) -> bool:
    """Whether `moment` is one of its times; its schedule and zone must be good.

    If its last run is not, the control plane counts in another zone than UTC, or the schedule was changed since: then
    nothing can be said of the next.
    """
    return bool(croniter.match(cron_job.schedule, moment.astimezone(_zone(cron_job))))


def _zone(cron_job: CronJobRow) -> tzinfo | None:
    if not cron_job.time_zone:
        return UTC  # that of the controller manager, which runs in UTC nearly everywhere
    try:
        return ZoneInfo(cron_job.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        return None
