"""Keeps silences as they were meant: until the incident resolves, told before they end, and told when they have."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

from alert_service.clients.alertmanager import GettableSilence
from alert_service.clients.asking import Refused, Unavailable
from alert_service.durations import shortly
from alert_service.incidents.change import Changed, changed
from alert_service.incidents.desk import Desk
from alert_service.incidents.incident import Happening, HappeningKind, Incident
from alert_service.policy import AlertPolicy
from alert_service.routing.wanted import DeliveryKind, NotifyReason, Wanted
from alert_service.silences.heeding import Muting, Standing, heed
from alert_service.silences.scope import SilenceRefused, still_firing
from alert_service.silences.silencing import LOAN, Silencing
from alert_service.storage import incidents
from alert_service.storage.deliveries import Deliveries
from alert_service.storage.silences import Kept
from common.clock import Clock
from common.database.connections import Database
from common.database.errors import DatabaseError
from common.logs import Complaint

logger = logging.getLogger(__name__)

LOOK_SECONDS = 15.0
_BATCH = 100
_HEEDED_AFTER = timedelta(seconds=5)
# One of a pair of Alertmanagers may not have heard yet of what the other one made.
_SPREAD_WITHIN = timedelta(minutes=1)


class SilenceKeeper:
    """A duty of the leader."""

    def __init__(
        self,
        silencing: Silencing,
        desk: Desk,
        database: Database,
        deliveries: Deliveries,
        clock: Clock,
        *,
        policy: Callable[[], AlertPolicy],
    ) -> None:
        self._silencing = silencing
        self._rows = silencing.rows
        self._desk = desk
        self._database = database
        self._deliveries = deliveries
        self._clock = clock
        self._policy = policy
        self._complaint = Complaint(logger, clock)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look()
                self._complaint.over()
            except (DatabaseError, Unavailable, Refused) as error:
                self._complaint.warn(f"silences are not looked after at the moment: {error}")
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """At every silence once. Raises DatabaseError, Unavailable and Refused."""
        there = {each.id: each for each in await self._silencing.alertmanager.silences()}
        for known in await self._rows.standing():
            try:
                await self._look_at(known, there.get(known.id))
            except SilenceRefused as error:  # it ended between the two questions: the next look tells
                logger.info("silence %s: %s", known.id, error)
        await self._heed([each for each in there.values() if each.status.state == "active"])

    async def _heed(self, active: Sequence[GettableSilence]) -> None:
        """Whoever silences what fires, wherever: it is not told meanwhile. What a button has just made its incident
        tells by itself."""
        now = self._clock.now()
        standing = {
            each.id: Standing(id=each.id, by=self._shown(each.created_by), ends_at=each.ends_at) for each in active
        }
        young = {each.id for each in active if now - each.starts_at < _HEEDED_AFTER}
        muted = await self._silencing.alertmanager.alerts(active=False, unprocessed=False) if standing else ()
        muting = Muting(standing=standing, by={each.fingerprint: {*each.status.silenced_by} - young for each in muted})
        own = {each.incident_id: each.id for each in await self._rows.standing()}
        waiting = iter(await self._rows.silenced(muting.by.keys()))
        while ids := list(islice(waiting, _BATCH)):
            async with self._database.begin() as connection:
                found = await incidents.by_ids(connection, ids, lock=False)
            for incident_id, incident in found.items():
                heeding = partial(heed, muting, own.get(incident_id), now)
                if heeding(incident).incident is not incident:
                    await self._desk.change(incident_id, heeding)

    async def _look_at(self, known: Kept, there: GettableSilence | None) -> None:
        now = self._clock.now()
        if there is None and now - known.created_at < _SPREAD_WITHIN:
            return
        if there is None or there.over:
            await self._ended(known, now, early=there is not None and there.ends_at < known.ends_at)
            return
        seen = replace(known, starts_at=there.starts_at, ends_at=there.ends_at)
        if seen != known:  # it begins when Alertmanager heard of it; somebody may have given it another end
            known = seen
            await self._rows.moved(known)
        if known.until_resolved and await self._goes_on_or_ends(known, now):
            return
        await self._remind(known, now)

    async def _goes_on_or_ends(self, known: Kept, now: datetime) -> bool:
        """False when it has been put off for as long as the policy allows, and ends like any other."""
        if not await self._rows.concerned(known):
            await self._silencing.expire(known.id)
            await self._let_go(known)
            return True
        longest = known.starts_at + self._policy().silences.longest
        if known.ends_at >= longest:
            return False
        if known.ends_at - now < LOAN / 2:
            await self._silencing.put_off(known, min(now + LOAN, longest))
        return True

    async def _ended(self, known: Kept, now: datetime, *, early: bool) -> None:
        """Nothing is told of it where nothing fires."""
        firing = await self._silencing.left_by(known)
        how = "was ended in Alertmanager" if early else "has ended"
        text = f"The silence by {self._shown(known.created_by)} {how}; {still_firing(firing)}"
        for incident_id in await self._rows.concerned(known) if firing else ():
            what = Happening(kind=HappeningKind.SILENCE_ENDED, at=now, text=text, details={"silence": known.id})
            await self._desk.change(incident_id, partial(_without, known, (what,)))
        if not firing:
            await self._let_go(known)
        await self._rows.ended(known.id, now)

    async def _let_go(self, known: Kept) -> None:
        if known.incident_id is not None:
            await self._desk.change(known.incident_id, partial(_without, known, ()))

    async def _remind(self, known: Kept, now: datetime) -> None:
        """Whoever made it, where the cards are, of what would be told again."""
        before = self._policy().silences.remind_before
        lasts = known.ends_at - known.starts_at
        if known.reminded_at is not None or not before or lasts <= before or now < known.ends_at - before:
            return
        firing = await self._silencing.left_by(known)
        by, left = self._shown(known.created_by), shortly(known.ends_at - now)
        text = f"The silence by {by} ends in {left}; {still_firing(firing)}"
        for incident_id in await self._rows.concerned(known) if firing else ():
            wanted = [
                Wanted(
                    kind=DeliveryKind.REPLY,
                    channel=channel,
                    reason=NotifyReason.SILENCE_ENDS,
                    incident_id=incident_id,
                    text=text,
                    mentions=self._names(known.created_by),
                    loud=True,
                )
                for channel in await self._rows.channels_of(incident_id)
            ]
            async with self._database.begin() as connection:
                await self._deliveries.queue(connection, wanted, received_at=None, now=now)
        await self._rows.reminded(known.id, now)

    def _names(self, identity: str) -> tuple[str, ...]:
        return tuple(name for name, person in self._policy().people.items() if person.identity == identity)

    def _shown(self, identity: str) -> str:
        people = self._policy().people
        return next((people[name].shown for name in self._names(identity) if people[name].shown), identity)


def _without(known: Kept, happenings: Sequence[Happening], incident: Incident) -> Changed:
    """Another silence may mute it still."""
    if known.id not in incident.silences:
        return changed(incident, *happenings)
    left = tuple(each for each in incident.silences if each != known.id)
    return changed(incident, *happenings, silences=left, silenced=incident.silenced if left else None)
