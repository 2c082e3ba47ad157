"""Takes health_monitor's events into the inbox, and makes good by its list of findings what no event told."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from alert_service.incidents.alert import Source
from alert_service.intake.health import fingerprint, is_of_a_storm, missed, over
from alert_service.storage import incidents
from alert_service.storage.firing import Firing, firing
from alert_service.storage.inbox import Inbox, InboxFull
from alert_service.storage.intake import Intake
from common.clock import Clock
from common.contracts import Finding, HealthEvent
from common.database.connections import Database
from common.monitor.catch_up import NotTaken
from common.monitor.client import Listing, MonitorClient

# What was heard while the list was read may be newer than the list.
_JUST_HEARD = timedelta(seconds=30)
_AT_ONCE = 200


class HealthIntake:
    """What is read and what comes by webhook both end up in the inbox; what comes twice changes nothing."""

    def __init__(self, database: Database, inbox: Inbox, monitor: MonitorClient, clock: Clock) -> None:
        self._database = database
        self._inbox = inbox
        self._monitor = monitor
        self._clock = clock
        self._intake = Intake(database)

    async def receive(self, events: Sequence[HealthEvent], now: datetime, *, read_up_to: int | None = None) -> None:
        """In their order. Raises NotTaken and DatabaseError; then they are read again."""
        for start in range(0, len(events), _AT_ONCE):
            some = [(event.id, event.model_dump_json().encode()) for event in events[start : start + _AT_ONCE]]
            try:
                await asyncio.gather(*(self._inbox.put(Source.HEALTH, key, body, now) for key, body in some))
            except InboxFull as error:
                raise NotTaken(str(error)) from error
        if read_up_to is not None:
            await self._intake.keep(Source.HEALTH, read_up_to, now)

    async def read_up_to(self) -> tuple[int, datetime | None]:
        return await self._intake.read_up_to(Source.HEALTH)

    async def set_back(self, head: int, now: datetime) -> None:
        await self._intake.keep(Source.HEALTH, head, now)

    async def listed(self, listing: Listing) -> None:
        """Opens what was missed, and ends what is over. Raises MonitorUnavailable, NotTaken and DatabaseError."""
        cluster = await self._monitor.cluster()
        now = self._clock.now()
        async with self._database.begin() as connection:
            here = [each for each in await firing(connection, Source.HEALTH) if each.cluster in (cluster, "")]
        fires = {each.fingerprint for each in here}
        new, there = await asyncio.to_thread(_compared, listing.findings, cluster, fires, now)
        gone = [each for each in here if each.fingerprint not in there and now - each.seen_at > _JUST_HEARD]
        await self.receive([*new, *await self._over(gone, now)], now)

    async def _over(self, gone: Sequence[Firing], now: datetime) -> list[HealthEvent]:
        async with self._database.begin() as connection:
            found = await incidents.by_ids(connection, {each.incident_id for each in gone}, lock=False)
        alerts = [
            known.members[each.fingerprint].alert
            for each in gone
            if (known := found.get(each.incident_id)) is not None and each.fingerprint in known.members
        ]
        return [over(alert, now) for alert in alerts if not is_of_a_storm(alert)]


def _compared(
    findings: Sequence[Finding], cluster: str, fires: Collection[str], now: datetime
) -> tuple[list[HealthEvent], set[str]]:
    """What fires there and not here, and all that fires there. In a thread: ten thousand would hold up others."""
    return missed(findings, cluster, fires, now), {fingerprint(cluster, each) for each in findings}
