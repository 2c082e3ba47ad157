"""Stores what changed: each incident settled among its neighbours, with its timeline and the messages it leads to.

The one way in which incidents are written, for whatever came in, whatever is due and whatever a person does.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from alert_service.incidents.change import Changed
from alert_service.incidents.incident import Incident, SuppressionReason
from alert_service.incidents.settle import Settled, Surroundings, settle
from alert_service.policy import AlertPolicy
from alert_service.routing.family import Due, Family
from alert_service.routing.routing import Routes
from alert_service.routing.storm import Openings, told_after
from alert_service.routing.suppression import lifted
from alert_service.routing.wanted import Wanted
from alert_service.routing.weather import Weather, told
from alert_service.storage import incidents, storms
from alert_service.storage.deliveries import Deliveries
from alert_service.storage.rota import Rota
from alert_service.turns import Turns

_MOST_LEFT = 500  # that are looked at when a storm ends, the worst first


class Settling:
    """Made once for a process: it remembers how many incidents opened lately."""

    def __init__(self, deliveries: Deliveries, policy: Callable[[], AlertPolicy]) -> None:
        self._deliveries = deliveries
        self._policy = policy
        self._openings: Openings | None = None  # read when they are needed
        self._routes: tuple[AlertPolicy, Routes] | None = None

    @property
    def routes(self) -> Routes:
        """Of the policy that holds, compiled once."""
        policy = self._policy()
        if self._routes is None or self._routes[0] is not policy:
            self._routes = (policy, Routes(policy))
        return self._routes[1]

    def begin(self) -> None:
        """Another replica may have led until now: how many incidents opened lately is read anew."""
        self._openings = None

    async def store(self, connection: AsyncConnection, changes: Sequence[Due], now: datetime) -> list[Settled]:
        """In the caller's transaction, which holds the rows of all that are changed."""
        policy = self._policy()
        weather = await self._weather(connection, now)
        rota = await Rota.of(connection, policy)
        around = Surroundings(policy=policy, routes=self.routes, storming=weather.hides, turn=rota.next)
        family = await Family.of(connection, changes, policy.correlation.within)
        done: list[tuple[Due, Settled]] = []
        turns = Turns()
        for each in family.parents_first:
            seen = replace(around, near=family.near(each), parent=family.parent(each.done.incident))
            done.append((each, settle(each.before, each.done, seen, now=now)))
            family.settled(done[-1][1].incident)
            await turns.over()
        for relative, about in await family.relatives([settled for _, settled in done]):
            near = () if relative.parent_id else (about,)
            due = Due(before=relative, done=Changed(incident=relative))
            done.append((due, settle(relative, due.done, replace(around, near=near, parent=about), now=now)))
        await incidents.save(connection, [family.saved(due, settled) for due, settled in done])
        messages = [(each, due.received_at) for due, settled in done for each in settled.wanted if _is_for(due, each)]
        messages += [(each, None) for each in weather.wanted()]
        await self._deliveries.queue_each(connection, messages, now=now)
        await storms.keep(connection, weather.storms)
        await rota.keep(connection)
        return [settled for _, settled in done]

    def forget(self, at: datetime) -> None:
        """What was to be stored at that instant was rolled back: what opened then is none of a storm's."""
        if self._openings is not None:
            self._openings.forget(at)

    async def calm(self, connection: AsyncConnection, now: datetime) -> int:
        """End the storms that are over; the worst of what they leave open is told by itself. How many ended."""
        part = self._policy().storm
        weather = await self._weather(connection, now)
        ended = weather.calm()
        copies = [told(storm, on=channel) for storm in ended for channel in await storms.copied_to(connection, storm)]
        await self._deliveries.queue(connection, [*weather.wanted(), *copies], received_at=None, now=now)
        await storms.keep(connection, ended)
        for storm in ended:
            left = await incidents.untold(connection, storm.channel, storm.started_at, _MOST_LEFT)
            ours = [each for each in left if self._is_on(each, storm.channel, now)]
            waits = {each.id: wait for each, wait in told_after(ours, part)}
            found = await incidents.by_ids(connection, waits)
            dues = [Due(before=each, done=lifted(each, waits[id_], now=now)) for id_, each in found.items()]
            await self.store(connection, [due for due in dues if due.done.incident is not due.before], now)
        return len(ended)

    async def _weather(self, connection: AsyncConnection, now: datetime) -> Weather:
        part = self._policy().storm
        if self._openings is None:
            self._openings = await storms.openings(connection, now - part.within)
        return Weather(await storms.raging(connection), self._openings, part, now)

    def _is_on(self, incident: Incident, channel: str, now: datetime) -> bool:
        """Whether the card of the channel's storm is all that was told of it."""
        if incident.suppression is None or incident.suppression.reason is not SuppressionReason.STORM:
            return False
        return channel in self.routes.of(incident, at=now).channels


def _is_for(due: Due, message: Wanted) -> bool:
    """One that is new has no card yet that could be brought up to date."""
    return due.before is not None or not message.quiet or message.incident_id != due.done.incident.id
